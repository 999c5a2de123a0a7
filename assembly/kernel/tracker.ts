// SPDX-License-Identifier: Apache-2.0
// The tracker as the front-end sees it, whatever its kind: it is started, its marks are taken batch by batch
// in one instant, and marks that were taken for nothing are given back. What a write costs the guest is
// charged by host/guest, what taking costs the host by host/frontend.
import { C_FALSE_DIRTY } from "../abi";
import * as dirty from "./dirty";
import { buildGroups, collectGroups, grouped, restoreGroups, writtenInGroup } from "./group";
import { count } from "./stats";

/** Lays the tracker out; false when there is no room. */
export function buildTracker(): bool {
  return dirty.buildDirty() && buildGroups();
}

export function startTracking(): void {
  dirty.startTracking();
}

/** Takes the marks of a batch, to `to`, to send its pages, `again` or not; how many there were. */
export function collectBatch(batch: u32, to: usize, again: bool = false): u32 {
  const n = dirty.collectBatch(batch, to);
  if (grouped) count(0, C_FALSE_DIRTY, collectGroups(batch, to, again));
  return n;
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
