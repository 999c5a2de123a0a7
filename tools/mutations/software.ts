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
];
