// SPDX-License-Identifier: Apache-2.0
// Software of hosts: costs by cycles, and what QEMU's capabilities do.
import type { Row } from "./row.ts";

export const software: readonly Row[] = [
  [
    "software",
    "src/scenario/software-costs",
    "host costs: a page is sent whole however small it has become",
    "Math.ceil((bytes * side.whole(`qemu.${key}PerKiB`)) / KIB)",
    "Math.ceil((PAGE_BYTES * side.whole(`qemu.${key}PerKiB`)) / KIB)",
    "host costs",
  ],
  [
    "software",
    "src/scenario/software-costs",
    "host costs: who compresses a page has not looked at it",
    "const normal = check + (zstd ?",
    "const normal = (zstd ? 0 : check) + (zstd ?",
    "host costs",
  ],
  [
    "qemu-limits",
    "kernel/dirty-limit",
    "dirty-limit: a step near the quota is as far as one from afar",
    "share > FAR ?",
    "share > 0 ?",
    "dirty-limit",
  ],
  [
    "qemu-limits",
    "kernel/dirty-limit",
    "dirty-limit: a vCPU below its quota sleeps longer",
    "if (!above) return sleep > step ?",
    "if (above && r == 0) return sleep > step ?",
    "dirty-limit",
  ],
  [
    "qemu-limits",
    "kernel/dirty-log",
    "dirty-limit: a full ring is no reason to sleep",
    "      if (penaltyOf(v) != 0) sleep(v, penaltyOf(v), t);\n",
    "",
    "dirty-limit",
  ],
  [
    "qemu-limits",
    "kernel/qemu-device",
    "device ahead: the guest is stopped before the acknowledgement",
    "  return ackAt <= t;",
    "  return true;",
    "device ahead",
  ],
  [
    "qemu-limits",
    "kernel/qemu-device",
    "device ahead: what has grown old does not follow",
    "q(QP_AHEAD_BYTES) == 0 ? 0 : toSend + old(t);",
    "q(QP_AHEAD_BYTES) == 0 ? 0 : toSend;",
    "device ahead",
  ],
  [
    "qemu-limits",
    "host/qemu",
    "device ahead: readings between synchronisations do not count",
    "    readings++;\n",
    "",
    "device ahead",
  ],
];
