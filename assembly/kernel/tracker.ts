// SPDX-License-Identifier: Apache-2.0
// The tracker as the front-end sees it, whatever its kind: it is started, its marks are taken batch by batch
// in one instant, and marks that were taken for nothing are given back. What a write costs the guest is
// charged by host/guest, what taking costs the host by host/frontend.
import { C_FALSE_DIRTY, G_TRACKER, S_HOST_PROTECT_PAGE, S_HOST_TLB_FLUSH, TRACKER_DIRTY_RING } from "../abi";
import * as dirty from "./dirty";
import { buildLogs, collectLogged, isLogged, logging } from "./dirty-log";
import { buildGroups, collectGroups, grouped, restoreGroups, writtenInGroup } from "./group";
import { g32, p } from "./params";
import { count } from "./stats";

/** Lays the tracker out; false when there is no room. */
export function buildTracker(): bool {
  return dirty.buildDirty() && buildGroups() && buildLogs();
}

export function startTracking(): void {
  dirty.startTracking();
}

/** Takes the marks of a batch, to `to`, to send its pages, `again` or not; how many there were. */
export function collectBatch(batch: u32, to: usize, again: bool = false): u32 {
  const n = dirty.collectBatch(batch, to);
  if (grouped) count(0, C_FALSE_DIRTY, collectGroups(batch, to, again));
  if (logging) collectLogged(batch, to);
  return n;
}

/** Whether a write of the page since it was last taken is known, or will be. */
export function isDirty(pfn: u32): bool {
  return dirty.isDirty(pfn) || (logging && isLogged(pfn));
}

/**
 * The pages of n marks that have been taken are cleaned, for a write to be seen again, and all vCPUs stand
 * for a flush: how long that takes. The pages of a ring are clean when it has been brought in.
 */
export function cleanTicks(n: u32): u64 {
  if (n == 0 || g32(G_TRACKER) == TRACKER_DIRTY_RING) return 0;
  const flush = p(0, S_HOST_TLB_FLUSH);
  dirty.holdUp(flush);
  return n * p(0, S_HOST_PROTECT_PAGE) + flush;
}

/** Gives the marks of a batch back. */
export function restoreBatch(batch: u32, from: usize): void {
  dirty.restoreBatch(batch, from);
  if (grouped) restoreGroups(batch, from);
}

/** Gives the mark of a page back. */
export function restorePage(pfn: u32): void {
  dirty.restorePage(pfn);
  if (grouped) writtenInGroup(pfn);
}
