// SPDX-License-Identifier: Apache-2.0
// dirty-limit of the front-end, and AtomicOps of other I/O.
import type { Row } from "./row.ts";

export const limits: readonly Row[] = [
  [
    "limits",
    "kernel/dirty-log",
    "a sleep that the suspension ends counts whole",
    "    if (until <= t) continue;\n",
    "    continue;\n",
    "limit of cards",
  ],
  [
    "limits",
    "kernel/dirty-log",
    "what a vCPU stands for begins before it has stood for the rest",
    "max<u64>(load<u64>(at), t) + ticks;",
    "t + ticks;",
    "limit of cards",
  ],
  [
    "limits",
    "kernel/limit-driver",
    "limit of cards: it begins again with every round that is too fast",
    " || periodEnds != NEVER) return;\n",
    ") return;\n",
    "limit of cards",
  ],
  [
    "limits",
    "kernel/limit-driver",
    "limit of cards: pages of one round count for all",
    "  placed += pages;\n",
    "  placed = pages;\n",
    "limit of cards",
  ],
  [
    "limits",
    "kernel/packet",
    "AtomicOps: CAS has one operand",
    "? 2 * e.bytes : e.bytes;",
    "? e.bytes : e.bytes;",
    "AtomicOps",
  ],
  [
    "limits",
    "channel/pcie",
    "AtomicOps: the root complex takes no longer for them",
    "there += p(side, S_MEM_ATOMIC);",
    "there += 0;",
    "AtomicOps",
  ],
];
