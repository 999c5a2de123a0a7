// SPDX-License-Identifier: Apache-2.0
// Trace files: what stands beside contents, and what importers make of files of other programs.
import type { Row } from "./row.ts";

export const traces: readonly Row[] = [
  [
    "traces",
    "src/trace/annotation-check",
    "a hash of other contents is good",
    "expect(given === actual,",
    "expect(given.length === actual.length,",
    "traces: a wrong hash",
  ],
  [
    "traces",
    "src/trace/import/qemu-records",
    "a stream without its end is whole",
    "    if (endsWithDescription(input, read.at)) return;",
    "    return;",
    "traces: a stream cut among its devices",
  ],
  [
    "traces",
    "src/trace/import/qemu-stream",
    "XBZRLE changes a page of zeros",
    "  if (before !== undefined) body.set(before);\n",
    "",
    "traces: image of a stream",
  ],
  [
    "traces",
    "src/trace/import/epochs",
    "a write at the end of an epoch is in the next",
    "Math.ceil(timeUs / this.epochUs)",
    "Math.floor(timeUs / this.epochUs) + 1",
    "traces: epochs of a list",
  ],
];
