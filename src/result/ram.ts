// SPDX-License-Identifier: Apache-2.0
/** The object `ram` of a migration, of one guest or of one of several: what follows from a few numbers. */
import { PAGE_BYTES } from "../../assembly/abi.ts";
import type { Migration } from "./schema.ts";

/** What is known of a guest's memory and of the bytes that it took. */
export interface RamCounts {
  /** Pages of the guest's memory; those that are still to be sent at the end. */
  readonly pages: number;
  readonly remainingPages: number;
  /** Pages sent: records of zero pages, and others. */
  readonly zeroPages: number;
  readonly normalPages: number;
  /** Bytes of records; those appended before the guest stopped, and those that it asked for afterwards. */
  readonly transferred: number;
  readonly precopy: number;
  readonly postcopy: number | null;
  readonly requests: number | null;
  /** What `mbps` is a mean over, in ns. */
  readonly spentNs: number;
}

/** @param completed whether the last round is that of the stop, which marks no pages */
export function ramOf(counts: RamCounts, rounds: Migration["rounds"], completed: boolean): Migration["ram"] {
  const before = completed ? rounds.at(-2) : rounds.at(-1);
  const seconds = (before?.durationNs ?? 0) / 1e9;
  const { normalPages, transferred, precopy, postcopy, spentNs } = counts;
  return {
    transferred,
    remaining: counts.remainingPages * PAGE_BYTES,
    total: counts.pages * PAGE_BYTES,
    duplicate: counts.zeroPages,
    normal: normalPages,
    "normal-bytes": normalPages * PAGE_BYTES,
    "dirty-sync-count": rounds.length,
    "dirty-pages-rate": seconds > 0 ? Math.floor((before?.newDirtyPages ?? 0) / seconds) : 0,
    mbps: spentNs > 0 ? Math.round((transferred * 8e6) / spentNs) / 1000 : 0,
    "page-size": 4096,
    "precopy-bytes": precopy,
    "downtime-bytes": transferred - precopy - (postcopy ?? 0),
    "postcopy-bytes": postcopy,
    "postcopy-requests": counts.requests,
  };
}
