// SPDX-License-Identifier: Apache-2.0
/** The tracker of a resolved scenario. */

export interface ResolvedTracker {
  kind: "write-protect" | "bitmap" | "pml" | "dirty-ring";
  /** Pages that a fault makes writable at most: a power of two. */
  group: number;
  /** What decides how many they are. */
  groups: "static" | "counter" | "contiguity";
  /** Entries of a vCPU's log of dirty pages; 0 where pages are not logged. */
  logEntries: number;
  /** Until a tracker that is started on demand is there; absent where it is resident. */
  startTicks?: string;
}
