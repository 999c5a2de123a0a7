// SPDX-License-Identifier: Apache-2.0
/** What a resolved scenario says of pages that are missing when the guest resumes. */
import type { Ratio } from "./types.ts";

export type Algorithm = "precopy" | "postcopy" | "hybrid";
export type Residual = "before-resume" | "after-resume" | "on-demand";

/** There unless every page is placed before the guest resumes. */
export interface ResolvedMissing {
  /** From a touch of a page that is not mapped to the front-end, and to map one. */
  faultTicks: number;
  mapTicks: number;
  /** From the resume until pages are sent unasked, decimal ticks. */
  pushAfterTicks: string;
  /** Ticks per byte of memory that is sent unasked; null: as fast as the cards do. */
  pushTicksPerByte: Ratio | null;
  /** Pages sent unasked that the source's card has in hand at most. */
  ahead: number;
}
