// SPDX-License-Identifier: Apache-2.0
// The tracker as the front-end sees it, whatever its kind: it is started, its marks are taken batch by batch
// in one instant, and marks that were taken for nothing are given back. What a write costs the guest is
// charged by host/guest, what taking costs the host by host/frontend. Where the guest has devices, what is
// dirty is what the CPU's tracker or theirs (kernel/device-ring) says.
import {
  BATCH_PAGES,
  C_FALSE_DIRTY,
  G_PAGES,
  G_TRACKER,
  S_HOST_PROTECT_PAGE,
  S_HOST_TLB_FLUSH,
  TRACKER_DIRTY_RING,
} from "../abi";
import {
  buildDeviceRing,
  deviceMarksOf,
  isDeviceDirty,
  learnOfDevices,
  learntAt,
  markUnlearnt,
  seesDevices,
  startRecording,
} from "./device-ring";
import * as dirty from "./dirty";
import {
  bringInLogs,
  broughtInAt,
  buildLogs,
  collectLogged,
  emptyLogs,
  isLogged,
  logging,
} from "./dirty-log";
import { buildGroups, collectGroups, grouped, restoreGroups, writtenInGroup } from "./group";
import { dirtyOf, endBatch, firstBatch, holdUpTurn, markGuests, several, turn } from "./guests";
import { g32, p } from "./params";
import { count } from "./stats";

/** Lays the tracker out; false when there is no room. */
export function buildTracker(): bool {
  if (!dirty.buildDirty()) return false;
  if (several) markGuests();
  return buildGroups() && buildLogs() && buildDeviceRing();
}

export function startTracking(t: u64): void {
  dirty.startTracking();
  startRecording(t);
}

/** Everything that logs, records and bits tell of at t is marked. */
export function bringIn(t: u64): void {
  if (dirty.clearsLate) dirty.clearToldMarks();
  bringInLogs(t);
  learnOfDevices(t, max<u64>(t, broughtInAt));
}

/** A migration ends before its time: what logs and devices know becomes marks, at no cost, to be counted. */
export function settleMarks(): void {
  emptyLogs();
  markUnlearnt();
}

/** When the front-end is done with what has been brought in. */
// @ts-ignore: decorator
@inline
export function inAt(): u64 {
  return max<u64>(broughtInAt, learntAt);
}

/** Marked pages of a batch. */
export function batchCount(batch: u32): u32 {
  const n = dirty.batchCount(batch);
  return seesDevices ? n + deviceMarksOf(batch, dirty.marksAt(batch), false) : n;
}

/** Marked pages, of several guests those of the one in turn; with logs more until they are brought in. */
export function dirtyCount(): u32 {
  if (several) return dirtyOf(turn);
  let n = dirty.dirtyCount();
  if (!seesDevices) return n;
  for (let batch: u32 = 0; batch * BATCH_PAGES < g32(G_PAGES); batch++)
    n += deviceMarksOf(batch, dirty.marksAt(batch), false);
  return n;
}

/** The batch behind the last of memory. */
function lastBatch(): u32 {
  return (g32(G_PAGES) + BATCH_PAGES - 1) / BATCH_PAGES;
}

/** A round begins, of several guests that of the one in turn: from now on pages become dirty in it. */
export function beginFresh(): void {
  if (several) dirty.forgetFound(firstBatch(turn), endBatch(turn));
  else dirty.forgetFound(0, lastBatch());
}

/**
 * Pages that have become dirty since then: each once, however often it was cleaned and written again. What
 * logs hold counts; writes of devices do when they have been learnt of.
 */
export function freshPages(): u32 {
  return several ? dirty.foundIn(firstBatch(turn), endBatch(turn)) : dirty.foundIn(0, lastBatch());
}

/** Takes the marks of a batch, to `to`, to send its pages, `again` or not; how many the CPU's were. */
export function collectBatch(batch: u32, to: usize, again: bool = false): u32 {
  const n = dirty.clearsLate ? dirty.copyBatch(batch, to) : dirty.collectBatch(batch, to);
  if (grouped) count(0, C_FALSE_DIRTY, collectGroups(batch, to, again));
  if (logging) collectLogged(batch, to);
  if (seesDevices) deviceMarksOf(batch, to, true);
  return n;
}

/** Whether a write of the page since it was last taken is known, or will be. */
export function isDirty(pfn: u32): bool {
  return dirty.isDirty(pfn) || (logging && isLogged(pfn)) || (seesDevices && isDeviceDirty(pfn));
}

/**
 * The pages of n marks that have been taken are cleaned, for a write to be seen again, and all vCPUs stand
 * for a flush: how long that takes. The pages of a ring are clean when it has been brought in.
 */
export function cleanTicks(n: u32): u64 {
  if (n == 0 || g32(G_TRACKER) == TRACKER_DIRTY_RING) return 0;
  const flush = p(0, S_HOST_TLB_FLUSH);
  if (several) holdUpTurn(flush);
  else dirty.holdUp(flush);
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
