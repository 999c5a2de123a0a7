// SPDX-License-Identifier: Apache-2.0
// How dirty pages are found.
import type { Row } from "./row.ts";

export const trackers: readonly Row[] = [
  [
    "limits",
    "kernel/dirty",
    "pages that are logged do not become dirty",
    "  dirtyPages++;\n  becomesDirty(pfn);\n}",
    "  dirtyPages++;\n}",
    "pages that became dirty in a round",
  ],
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
  [
    "trackers",
    "kernel/dirty-log",
    "the log that is full is thrown away",
    "    const n = bringIn(v);\n    count",
    "    const n = size;\n    store<u32>(log, 0, 8);\n    count",
    "invariant destination-equals-source",
  ],
  [
    "trackers",
    "kernel/dirty-log",
    "pages that PML has told of are logged no more",
    "store<u64>(at + i, load<u64>(at + i) & ~load<u64>(bits + i));\n}",
    "store<u64>(at + i, load<u64>(at + i));\n}",
    "invariant mark-cleared-before-read or destination-equals-source",
  ],
  [
    "trackers",
    "host/frontend",
    "logs are not brought in after the suspension",
    "  bringIn(t);\n  if (seesDevices) checkLearnt(t);",
    "  if (seesDevices) checkLearnt(t);",
    "invariant destination-equals-source",
  ],
];
