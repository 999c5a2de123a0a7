// SPDX-License-Identifier: Apache-2.0
// Deltas of pages.
import type { Row } from "./row.ts";

export const delta: readonly Row[] = [
  [
    "delta",
    "codec/xbzrle",
    "a run of 128 bytes has its length in one byte",
    "  if (n < 128) {\n    store<u8>(at, <u8>n);",
    "  if (n <= 128) {\n    store<u8>(at, <u8>n);",
    "xbzrleEncode: delta",
  ],
  [
    "delta",
    "codec/xbzrle",
    "the length of a run is not counted when there is room to be found",
    "    if (size + lengthBytes(from - i) + lengthBytes(n) + n > capacity) return -1;",
    "    if (size + lengthBytes(from - i) + n > capacity) return -1;",
    "xbzrleEncode: room",
  ],
  [
    "delta",
    "codec/xbzrle",
    "a decoder writes past the page",
    "  if (runStart + runBytes > length || next + runBytes > bytes) return 0;",
    "  if (next + runBytes > bytes) return 0;",
    "xbzrleDecode: damage",
  ],
  [
    "delta",
    "card/delta",
    "another page in the same set is taken for this one",
    "  return load<u32>(setOf(pfn)) == pfn + 1;",
    "  return load<u32>(setOf(pfn)) != 0;",
    "delta-base-is-placed",
  ],
  [
    "delta",
    "card/delta",
    "a page of zeros leaves its old copy in the cache",
    "  if (j.kind == JOB_ZERO && found(j.pfn)) store<u32>(setOf(j.pfn), 0);",
    "  if (j.kind == JOB_DEVICE && found(j.pfn)) store<u32>(setOf(j.pfn), 0);",
    "delta-base-is-placed",
  ],
];
