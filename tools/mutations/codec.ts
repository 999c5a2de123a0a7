// SPDX-License-Identifier: Apache-2.0
// AES-GCM, CRC, LZ4.
import type { Row } from "./row.ts";

export const codec: readonly Row[] = [
  [
    "codec",
    "codec/gcm",
    "a wrong tag is accepted",
    "if (v128.any_true(v128.xor(v128.load(block), v128.load(tag)))) return false;",
    "if (!v128.any_true(v128.load(block))) return false;",
    "gcmOpen: refuses",
  ],
  [
    "codec",
    "codec/gcm",
    "the associated data is not authenticated",
    "  hashPadded(tables, aad, aadLength);\n  let done: u32 = 0;",
    "  let done: u32 = 0;",
    "gcmSeal: tag",
  ],
  [
    "codec",
    "codec/ghash",
    "one byte of a block is not hashed",
    "for (let column: u32 = 0; column < 16; ++column) hashColumn(base, data, column);",
    "for (let column: u32 = 0; column < 15; ++column) hashColumn(base, data, column);",
    "gcmSeal: tag",
  ],
  [
    "codec",
    "codec/crc",
    "the last bytes are not summed",
    "  while (length > 0) {",
    "  while (length > 1) {",
    "crc32",
  ],
  [
    "codec",
    "codec/lz4",
    "a match may begin before the output",
    "    if (offset == 0 || offset > <u32>(op - dst) || bytes > <u32>(dstEnd - op)) return -1;",
    "    if (offset == 0 || bytes > <u32>(dstEnd - op)) return -1;",
    "lz4Decompress: spoilt",
  ],
  [
    "codec",
    "codec/lz4",
    "literals may run beyond the output",
    "    if (bytes > <u32>(srcEnd - ip) || bytes > <u32>(dstEnd - op)) return -1;",
    "    if (bytes > <u32>(srcEnd - ip)) return -1;",
    "lz4Decompress: wrote outside",
  ],
  [
    "codec",
    "codec/lz4hw",
    "half the hash table",
    "  hashShift = 32 - hashLog;",
    "  hashShift = 33 - hashLog;",
    "lz4hw: block",
  ],
  [
    "codec",
    "codec/lz4hw",
    "a conflict more is served",
    "      if (use > ports) {",
    "      if (use > ports + 1) {",
    "lz4hw: conflicts",
  ],
  [
    "codec",
    "codec/lz4hw-clock",
    "a job takes one clock less",
    "  intervalClocks = max<u32>(scanned, outClocks);",
    "  intervalClocks = max<u32>(scanned, outClocks) - 1;",
    "lz4hw: cycles",
  ],
];
