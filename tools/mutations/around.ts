// SPDX-License-Identifier: Apache-2.0
// Packets that arrive spoilt, links that go down, other I/O.
import type { Row } from "./row.ts";

export const around: readonly Row[] = [
  [
    "around",
    "channel/pcie",
    "twice as many packets are spoilt",
    ">= (bytes * w.errors) >> 16",
    ">= (bytes * w.errors) >> 15",
    "spoilt packets",
  ],
  [
    "around",
    "kernel/root",
    "with relaxed ordering control passes data",
    "if (!data && r.landed + service > landed)",
    "if (!data && service > landed)",
    "relaxed ordering",
  ],
  [
    "around",
    "channel/pcie",
    "nobody sends a NAK",
    "  owesNak(side, 1 - dir, w, w.free + w.flight);",
    "",
    "spoilt packets",
  ],
  [
    "around",
    "kernel/way",
    "a NAK is not heard",
    "    else if (kind == KIND_NAK) w.stuck = 0;",
    "",
    "spoilt packets",
  ],
  [
    "around",
    "channel/pcie",
    "a link that is down carries packets",
    "  if (t >= w.downAt && t < w.downUntil) {",
    "  if (t >= w.downUntil && t < w.downAt) {",
    "PCIe down",
  ],
  [
    "around",
    "kernel/path",
    "frames pass a link that is down",
    "  if (leaves >= downAt && leaves < downUntil) {",
    "  if (leaves >= downUntil && leaves < downAt) {",
    "link down",
  ],
  [
    "around",
    "src/params-pcie",
    "an end-to-end CRC has eight bytes",
    "(options.ecrc === true ? 4 : 0)",
    "(options.ecrc === true ? 8 : 0)",
    "ECRC",
  ],
  [
    "around",
    "card/tenant",
    "operations do not wait for their time",
    "  n.gapFree = t + p(side, S_TEN_GAP);",
    "  n.gapFree = t;",
    "other I/O",
  ],
];
