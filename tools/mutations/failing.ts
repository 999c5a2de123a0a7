// SPDX-License-Identifier: Apache-2.0
// Engines that fail, control processors that restart, records asked for again.
import type { Row } from "./row.ts";

export const failing: readonly Row[] = [
  [
    "failing",
    "card/crypto",
    "failing: a record is sealed again as its engine left it",
    "    if (!gcmOpen(context, iv, writeHeader(j), RECORD_HEADER_BYTES, at, at, j.bytes, tag))\n      broken",
    "    if (iv == 0)\n      broken",
    "invariant nonce-used-once",
  ],
  [
    "failing",
    "kernel/failing",
    "failing: an engine fails when its job is done",
    "  return side == sideOf(pool) && t >= f.at ? f.engines : 0;",
    "  return side == sideOf(pool) && t > f.at + 2000000 ? f.engines : 0;",
    "pages and when",
  ],
  [
    "failing",
    "card/compressor",
    "failing: a decoder begins with what another left",
    "    j.bytes = j.wait;\n",
    "",
    "decompressor",
  ],
  [
    "failing",
    "card/control",
    "failing: a handler goes on where the restart cut it",
    "edgeAfter(side * 2 + 1, up, load<u32>(at, 12));",
    "edgeAfter(side * 2 + 1, up, load<u32>(at, 12) / 2);",
    "begun anew",
  ],
  [
    "failing",
    "kernel/again",
    "failing: a zero page asked for again counts twice in its round",
    "  progress(side).roundZero += load<u32>(at, 12);",
    "  progress(side).roundZero += 0;",
    "of the round",
  ],
  [
    "failing",
    "host/frontend",
    "failing: a tracker on demand is there at once",
    "t + g(G_TRACKER_START));",
    "t + 1);",
    "setup",
  ],
  [
    "alone",
    "firmware/telling",
    "alone: a control record does not say its round",
    "  j.version = round;\n",
    "",
    "equal",
  ],
  [
    "alone",
    "kernel/record",
    "alone: the header says another kind",
    "store<u8>(HEADER, <u8>kind, 11);",
    "store<u8>(HEADER, <u8>(kind + 1), 11);",
    "equal",
  ],
  [
    "failing",
    "kernel/record",
    "failing: what has overtaken a missing record is not home",
    "i < 512; i += 8) n -=",
    "i < 0; i += 8) n -=",
    "invariant everything-home",
  ],
];
