// SPDX-License-Identifier: Apache-2.0
/** AES-GCM engines as numbers: those of a card, whose keys have a prefix, or those of a cipher preset. */
import type { Values } from "./fill.ts";
import type { ResolvedCard } from "./types.ts";

type Cipher = ResolvedCard["crypto"];

function engines(values: Values, prefix: string): Omit<Cipher, "ticksPerCycle"> {
  const whole = (key: string): number => values.whole(`${prefix}${key}`);
  return {
    engines: whole("engines"),
    bitsPerCycle: whole("bitsPerCycle"),
    keySlots: whole("keySlots"),
    cyclesPerRound: whole("cyclesPerRound"),
    stagesPerRound: whole("stagesPerRound"),
    ghashLatencyCycles: whole("ghashLatency"),
    tagCycles: whole("tagCycles"),
    recordGapCycles: whole("recordGap"),
    interleave: values.word(`${prefix}interleave`),
    egress: values.word(`${prefix}egress`),
    keyLoadCycles: whole("keyLoad"),
  };
}

/** The card's own engines, on its clock. */
export function ownCipher(card: Values): Cipher {
  return { ticksPerCycle: null, ...engines(card, "crypto.") };
}

/** Those of a preset, which have a clock of their own. */
export function namedCipher(engine: Values): Cipher {
  return { ticksPerCycle: engine.perCycle("clock"), ...engines(engine, "") };
}
