// SPDX-License-Identifier: Apache-2.0
// Stages of pages on cores of cards and hosts.
import type { Row } from "./row.ts";

export const placement: readonly Row[] = [
  [
    "placement",
    "board-cores",
    "placement: a record that is decoded on a core keeps the slot that it came in",
    "    decoded(side, j);\n",
    "",
    "invariant everything-home",
  ],
  [
    "placement",
    "board-cores",
    "placement: a core seals the header for nothing and the page twice",
    "  const bytes = RECORD_HEADER_BYTES + job(side, index).bytes;\n  return work(side, core, F_STAGE_SEAL",
    "  const bytes = 2 * job(side, index).bytes;\n  return work(side, core, F_STAGE_SEAL",
    "the work of sealing",
  ],
  [
    "placement",
    "board-cores",
    "placement: a core looks at the whole of every page",
    "j.kind == JOB_DEVICE ? 0 : ZERO_GLANCE",
    "j.kind == JOB_DEVICE ? 0 : PAGE_BYTES",
    "the work of the zero filter",
  ],
  [
    "placement",
    "board-cores",
    "placement: the place behind a zero filter in software is not reserved",
    "  hold(queue(side, to), 1);\n  const index = pop(queue(side, Q_ZERO));",
    "  const index = pop(queue(side, Q_ZERO));",
    "invariant everything-home, or an assertion",
  ],
  [
    "placement",
    "kernel/cpu",
    "placement: vCPUs lose to a core that they do not need",
    "  return spare == 0 ? ticks / among : 0;",
    "  return ticks / among;",
    "what vCPUs lose",
  ],
  [
    "placement",
    "kernel/workers",
    "placement: what the front-end drops is lost to vCPUs all the same",
    "  if (shared) coreStops(left, t);\n",
    "",
    "what is dropped is given back",
  ],
  [
    "placement",
    "kernel/workers",
    "placement: one worker does it all",
    "if (load<u64>(at + (i << 3)) < load<u64>(best))",
    "if (load<u64>(at + (i << 3)) > load<u64>(best))",
    "what vCPUs lose",
  ],
  [
    "placement",
    "kernel/cpu",
    "placement: workers take spare cores from vCPUs",
    "    if (longer >= spare) sum += mine;",
    "    sum += mine;",
    "what vCPUs lose",
  ],
  [
    "placement",
    "channel/vsock",
    "placement: a zero page that the host has found keeps SRAM",
    "    j.kind = JOB_ZERO;\n    freeSlot(side, j.slotIn);\n",
    "    j.kind = JOB_ZERO;\n",
    "invariant everything-home",
  ],
];
