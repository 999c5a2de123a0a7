// SPDX-License-Identifier: Apache-2.0
// Pages that move after the resume.
import type { Row } from "./row.ts";

export const residual: readonly Row[] = [
  [
    "residual",
    "kernel/residual",
    "post-copy: a page that is asked for stays stale",
    "  if (!take(stale, pfn)) return false;\n  staleLeft--;",
    "  if (!has(stale, pfn)) return false;",
    "invariant missing-page-lands-once",
  ],
  [
    "residual",
    "kernel/serving",
    "post-copy: a missing page is mapped like one that has landed",
    "  if (!isMissing(pfn)) {",
    "  if (isMissing(pfn)) {",
    "invariant missing-page-lands-once",
  ],
  [
    "residual",
    "firmware/residual",
    "post-copy: the destination is told of no stale page",
    "if (j.kind == JOB_STALE) staleHere(j.pfn);",
    "if (j.kind == JOB_STALE) markAgain(j.pfn, TO_TELL);",
    "invariant destination-equals-source",
  ],
  [
    "residual",
    "firmware/residual",
    "post-copy: the source may go when the guest has resumed",
    "  return j.kind == JOB_WHOLE;",
    "  return j.kind == JOB_RESUMED;",
    "invariant source-kept-until-whole",
  ],
  [
    "residual",
    "kernel/record",
    "post-copy: what is asked for goes behind what is pushed",
    "|| (j.flags & URGENT) != 0 ? 0 : 1;",
    "? 0 : 1;",
    "demand: pages asked for",
  ],
];
