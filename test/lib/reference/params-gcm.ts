// SPDX-License-Identifier: Apache-2.0
/** Clocks of an AES-GCM engine: docs/model.md section 5. */
import { whole } from "./params-pcie.ts";
import type { Preset } from "./written.ts";

/** What an AES-GCM engine's clocks come from. */
export interface GcmClocks {
  /** Of a word: 1, or a block's rounds and its first key addition one after another. */
  readonly word: number;
  /** Between a record's last word and the next record's first. */
  readonly rest: number;
  /** Behind the rest until the tag: what is left of AES + 2 + ghash · (log₂(D/128) + 1) + tag. */
  readonly latency: number;
}

export function gcmClocks(rounds: number, cipher: Preset): GcmClocks {
  const of = (key: string): number => whole(cipher(key));
  const shared = of("cyclesPerRound");
  const block = shared * rounds + shared;
  let levels = 1;
  for (let lanes = of("bitsPerCycle") / 128; lanes > 1; lanes /= 2) levels++;
  const aes = shared > 0 ? block : of("stagesPerRound") * rounds;
  const drain = aes + 2 + levels * of("ghashLatency") + of("tagCycles");
  const alone = cipher("interleave") === "record";
  const rest = alone ? of("recordGap") + drain : of("recordGap");
  return { word: shared > 0 ? block : 1, rest, latency: drain > rest ? drain - rest : 0 };
}
