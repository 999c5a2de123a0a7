// SPDX-License-Identifier: Apache-2.0
// What a migration that knew the future would send.
import type { Row } from "./row.ts";

export const clairvoyant: readonly Row[] = [
  [
    "clairvoyant",
    "src/clairvoyant",
    "a page that was freed counts with what it held",
    "    this.#waiting.drop(pfn);\n",
    "",
    "clairvoyant: bytes",
  ],
  [
    "clairvoyant",
    "src/clairvoyant",
    "a delta of what a page held before the migration",
    "const since = BigInt(scenario.migration.startAtTicks);",
    "const since = 0n;",
    "clairvoyant: bytes",
  ],
  [
    "clairvoyant",
    "src/executed",
    "writes at the destination count",
    "const moved = atSource && core.logged(abi.L_ARRIVED) !== 0n;",
    "const moved = false;",
    "clairvoyant: bytes",
  ],
  [
    "clairvoyant",
    "src/result/bounds",
    "a run may send less than the clairvoyant",
    "wireBytes >= (clairvoyant?.bytes ?? 0)",
    "wireBytes >= 0",
    "clairvoyant: beaten by a byte",
  ],
];
