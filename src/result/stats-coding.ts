// SPDX-License-Identifier: Apache-2.0
/** Counters of how pages are given to encoders, of the source's card. */
import * as abi from "../../assembly/abi.ts";

export const CODING = [
  ["card.compressor.byChoice", abi.C_BY_CHOICE, "pages", "pages that went raw because that was faster"],
  ["card.compressor.choices", abi.C_CHOICES, "times", "times that compression was turned on or off"],
  [
    "card.compressor.handedBack",
    abi.C_HANDED_BACK,
    "pages",
    "pages that engines left to software and that were charged for",
  ],
  ["card.compressor.jobs", abi.C_LZ_JOBS, "jobs", "jobs of up to several pages"],
  ["card.compressor.copied", abi.C_LZ_COPIED, "B", "pages copied into card DRAM for them"],
  ["card.compressor.memoHits", abi.C_MEMO_HITS, "pages", "sizes taken from the memo"],
  ["card.compressor.memoMisses", abi.C_MEMO_MISSES, "pages", "sizes that had to be computed"],
] as const;
