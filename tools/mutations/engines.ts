// SPDX-License-Identifier: Apache-2.0
// Engines that presets name.
import type { Row } from "./row.ts";

export const engines: readonly Row[] = [
  [
    "exact",
    "card/crypto",
    "a cipher with a clock of its own is taken for clocks of the card",
    "  if (den == 0) return edgeAfter(side * 2, t, n);",
    "  if (den != u64.MAX_VALUE) return edgeAfter(side * 2, t, n);",
    "chain: page in the source card",
  ],
];
