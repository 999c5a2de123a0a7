// SPDX-License-Identifier: Apache-2.0
/** A card that scans the bitmap of dirty pages itself, in a resolved scenario. */

export interface ResolvedScan {
  /** How a word is taken: in one instant, or read and overwritten. */
  clear: "atomic" | "write-zero";
  /** Whether TLBs are flushed before the pages of taken words are read. */
  flush: "batch" | "none";
  /** Words taken for one flush at most. */
  words: number;
  /** PCIe tags of the scanner. */
  tags: number;
}
