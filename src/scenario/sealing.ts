// SPDX-License-Identifier: Apache-2.0
/** Which engines seal and open records: the cards' own, or those of cipher presets in their place. */
import * as z from "zod";
import { Values } from "./fill.ts";
import { placeOf } from "./placement.ts";
import { loadPreset, presetNameProblem } from "./presets.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import { encrypts } from "./used.ts";

/** The name by which `encrypt` takes a card's own engines. */
const OWN_CIPHER = "card";
/** Places of engines that have a preset. */
const ENGINES = ["card", "host-engine"];
const SIDES = [
  ["source", "encrypt"],
  ["destination", "decrypt"],
] as const;

const name = (text: string) =>
  z.string("is no name; write card or a cipher preset").max(64).describe(`${text}: card, or a cipher preset`);

/** Keys of `encrypt` that name engines. */
export const cipherFields = {
  engine: name("engines of both cards").default(OWN_CIPHER),
  source: name("engines of the source card, where they are others").optional(),
  destination: name("engines of the destination card, where they are others").optional(),
};

/** The cipher preset of each side; null: the card's own engines. */
export type NamedCiphers = Readonly<Record<"source" | "destination", Values | null>>;

/** Finds the presets that `encrypt` names, and adds what is wrong with the names. */
export function namedCiphers({ encrypt, placement }: Scenario, problems: Problems): NamedCiphers {
  const named: Record<"source" | "destination", Values | null> = { source: null, destination: null };
  if (encrypt === "off") return named;
  if (!encrypts({ encrypt })) {
    for (const key of ["engine", "source", "destination"] as const)
      if ((encrypt[key] ?? OWN_CIPHER) !== OWN_CIPHER)
        problems.add(["encrypt", key], "has no effect with cipher off; remove it", "key");
    return named;
  }
  const unknown = new Set<string>();
  for (const [side, stage] of SIDES) {
    const key = encrypt[side] === undefined ? "engine" : side;
    const chosen = encrypt[key] as string;
    const path = ["encrypt", key];
    if (chosen === OWN_CIPHER) continue;
    const problem = presetNameProblem("cipher", chosen);
    if (problem !== null) {
      if (!unknown.has(key)) problems.add(path, problem);
      unknown.add(key);
      continue;
    }
    if (!ENGINES.includes(placeOf(placement, stage)))
      problems.add(path, `is not used by the ${side}, whose cores ${stage}; write ${side}: ${OWN_CIPHER}`);
    named[side] = new Values(loadPreset("cipher", chosen), new Map(), path);
  }
  return named;
}
