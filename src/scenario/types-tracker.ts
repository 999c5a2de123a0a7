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
  /** There where marks are cleared when their pages have been read. */
  order?: "clear-after-read";
  /** There where the guest has devices: what sees their writes. */
  devices?: ResolvedDeviceTracker;
}

/** What sees the writes of devices. */
export interface ResolvedDeviceTracker {
  kind: "none" | "wilson-ring" | "iommu-dirty-bits";
  /** Of a ring. */
  records: {
    slots: number;
    /** Of a record, in host memory. */
    bytes: number;
    order: "after-data" | "before-data";
    /** When a slot may be given back. */
    release: "complete" | "examined";
    full: "stall" | "overflow" | "spill" | "fail";
    /** From an examination to the next by the clock; null: none but when pages are collected. */
    pollTicks: number | null;
  } | null;
}

/** A device of the guest: a function of the source's card that writes guest memory. */
export interface ResolvedDevice {
  name: string;
  /** Ticks between two writes at least. */
  ticksPerWrite: [num: number, den: number];
  /** Of a write, at the beginning of a page. */
  bytes: number;
  /** First page of its buffers, and how many. */
  firstPage: number;
  pages: number;
  pattern: "uniform" | "sequential";
  seed: number;
  /** Writes under way at most. */
  outstanding: number;
  /** From a write's beginning to its data. */
  fetchTicks: number;
}
