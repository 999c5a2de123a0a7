// SPDX-License-Identifier: Apache-2.0
/** Clocks of an AES-GCM engine, of a card or beside a CPU: docs/model.md section 5. */
import type { ResolvedSide } from "./scenario/types.ts";

type Crypto = ResolvedSide["card"]["crypto"];

/** Clocks that an engine gives a word: 1, or those of a block where rounds share their hardware. */
export function gcmWordCycles(rounds: number, crypto: Crypto): number {
  return crypto.cyclesPerRound === 0 ? 1 : crypto.cyclesPerRound * (rounds + 1);
}

/** Clocks from the last payload beat to the tag: AES pipeline, GHASH tree, last exclusive-or. */
export function gcmLatencyCycles(rounds: number, crypto: Crypto): number {
  const lanes = crypto.bitsPerCycle / 128;
  const aes = crypto.cyclesPerRound === 0 ? rounds * crypto.stagesPerRound : gcmWordCycles(rounds, crypto);
  return aes + 2 + crypto.ghashLatencyCycles * (Math.log2(lanes) + 1) + crypto.tagCycles;
}

/** Clocks that an engine rests after a record: the gap, and the drain where it holds one record at a time. */
export function gcmRestCycles(rounds: number, crypto: Crypto): number {
  return crypto.recordGapCycles + (crypto.interleave === "record" ? gcmLatencyCycles(rounds, crypto) : 0);
}
