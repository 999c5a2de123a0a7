// SPDX-License-Identifier: Apache-2.0
// How dirty pages are found.
import type { Row } from "./row.ts";

export const trackers: readonly Row[] = [
  [
    "trackers",
    "kernel/group",
    "a group begins with the page that faults",
    "    from = pfn & ~(size - 1);",
    "    from = pfn;",
    "faults, groups of N",
  ],
  [
    "trackers",
    "kernel/group",
    "pages of a group are opened one fault later",
    "if (markDirty(q)) opened++;",
    "if (!isDirty(q)) opened++;",
    "faults, groups of N",
  ],
  [
    "trackers",
    "kernel/group",
    "every page of a group counts as falsely dirty",
    "popcnt(load<u64>(bits + i) & ~load<u64>(at + i))",
    "popcnt(load<u64>(bits + i))",
    "falsely dirty",
  ],
];
