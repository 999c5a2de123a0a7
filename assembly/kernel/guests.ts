// SPDX-License-Identifier: Apache-2.0
// Guests of a server that is emptied: which part of memory, vCPUs and device state is whose, and how far each
// has come. Plain storage of the front-ends, of the firmware and of the board.
//
// Models: the pages of all guests one behind the other, each guest's from a whole batch on; their vCPUs
//   likewise, and their device state, each from a whole page on. A guest whose tracker has not been started
//   has every page marked: all of it is still to be sent, and none of its writes faults.
// How long: nothing; what a tracker's start costs is the front-end's.
// Leaves out: memory that guests share.
//
//   guest, 256 bytes: 32 words u64, by GT_ constants; the first eight are parameters
import {
  BATCH_PAGES,
  GT_COUNT,
  GT_DEVICE_BYTES,
  GT_DEVICE_DONE,
  GT_DEVICE_FIRST,
  GT_FAULTS,
  GT_FIRST_PAGE,
  GT_FIRST_VCPU,
  GT_PAGES,
  GT_RAM_DONE,
  GT_RESUMED,
  GT_STALL,
  GT_STATE,
  GT_STATUS,
  GT_VCPUS,
  GUESTS_MAX,
  GUEST_BEGUN,
  GUEST_MOVED,
  GUEST_STOPPED,
  GUEST_WAITS,
  G_GUESTS,
  I_GUEST_ONCE,
} from "../abi";
import { batchCount, forgetMarks, markAll } from "./dirty";
import { g32 } from "./params";
import { booksClosed, broken, evaluates } from "./stats";
import { NEVER } from "./time";

const TABLE = memory.data(4096, 16);
if (GUESTS_MAX * GT_COUNT * 8 != 4096) ERROR("guests");

/** No guest. */
export const NO_GUEST: u32 = 0xff;

/** True when the scenario has a list of guests. */
export let several: bool = false;
/** Number of guests in the list. */
export let guestCount: u32 = 0;
/** The guest that the source's front-end is at. */
export let turn: u32 = 0;
/** Bytes of device state of the guests that the destination has been told to resume. */
export let deviceBefore: u64 = 0;
/** The guest that the destination resumes next; whether no other comes after it. */
export let arriving: u32 = 0;
export let arrivesLast: bool = false;
/** The guest that the destination has resumed just now, NO_GUEST when none. */
export let justThere: u32 = NO_GUEST;

// the guest of which device state or the last round has come to the destination's card
let there: u32 = NO_GUEST;
// host/guest: a vCPU's 32 bytes begin with the ticks by which it is late
let vcpus: usize = 0;

export function guestTable(): usize {
  return TABLE;
}

// @ts-ignore: decorator
@inline
export function ofGuest(k: u32, index: u32): u64 {
  return load<u64>(TABLE + ((k * GT_COUNT + index) << 3));
}

// @ts-ignore: decorator
@inline
export function setOfGuest(k: u32, index: u32, value: u64): void {
  if (!booksClosed) store<u64>(TABLE + ((k * GT_COUNT + index) << 3), value);
}

/** What a guest is, known to the front-end after the books as well. */
export function setStatus(k: u32, status: u32): void {
  store<u64>(TABLE + ((k * GT_COUNT + GT_STATUS) << 3), status);
}

export function buildGuests(): void {
  guestCount = g32(G_GUESTS);
  several = guestCount != 0;
  turn = 0;
  deviceBefore = 0;
  there = NO_GUEST;
  justThere = NO_GUEST;
  for (let k: u32 = 0; k < GUESTS_MAX; k++) {
    memory.fill(TABLE + ((k * GT_COUNT + GT_STATE) << 3), 0, (GT_COUNT - GT_STATE) << 3);
  }
}

/** Every page of every guest is marked. */
export function markGuests(): void {
  for (let k: u32 = 0; k < guestCount; k++) markAll(firstBatch(k), <u32>ofGuest(k, GT_PAGES));
}

/** Where the vCPUs of all guests lie. */
export function vcpusLie(at: usize): void {
  vcpus = at;
}

// --- parts of the server ---

export function firstBatch(k: u32): u32 {
  return <u32>ofGuest(k, GT_FIRST_PAGE) / BATCH_PAGES;
}

/** The batch behind a guest's last. */
export function endBatch(k: u32): u32 {
  return firstBatch(k) + (<u32>ofGuest(k, GT_PAGES) + BATCH_PAGES - 1) / BATCH_PAGES;
}

/** Pages of a batch of the guest that the front-end is at. */
export function pagesIn(batch: u32): u32 {
  const left = <u32>(ofGuest(turn, GT_FIRST_PAGE) + ofGuest(turn, GT_PAGES)) - batch * BATCH_PAGES;
  return left < BATCH_PAGES ? left : BATCH_PAGES;
}

/** Marked pages of a guest. */
export function dirtyOf(k: u32): u32 {
  let n: u32 = 0;
  for (let batch = firstBatch(k); batch < endBatch(k); batch++) n += batchCount(batch);
  return n;
}

/** Starts the tracker of a guest: every page is clean. */
export function trackFrom(k: u32): void {
  for (let batch = firstBatch(k); batch < endBatch(k); batch++) forgetMarks(batch);
}

/** Ends it: no write faults any more. */
export function trackNoMore(k: u32): void {
  trackFrom(k);
  markAll(firstBatch(k), <u32>ofGuest(k, GT_PAGES));
}

/** The last byte of a guest's device state is before this. */
export function deviceEnd(k: u32): u32 {
  return <u32>(ofGuest(k, GT_DEVICE_FIRST) + ofGuest(k, GT_DEVICE_BYTES));
}

// --- vCPUs ---

function late(k: u32, ticks: u64): void {
  const first = <u32>ofGuest(k, GT_FIRST_VCPU);
  for (let v = first; v < first + <u32>ofGuest(k, GT_VCPUS); v++) {
    const at = vcpus + ((<usize>v) << 5);
    store<u64>(at, load<u64>(at) + ticks);
  }
}

/** Holds the vCPUs of the guest that the front-end is at up. */
export function holdUpTurn(ticks: u64): void {
  late(turn, ticks);
}

/** Stops a guest's vCPUs: what they would do comes never. */
export function stopVcpus(k: u32): void {
  late(k, NEVER);
}

/** A write of a vCPU has faulted and stalls it. */
export function faulted(v: u32, stall: u64): void {
  for (let k: u32 = 0; k < guestCount; k++) {
    if (v - <u32>ofGuest(k, GT_FIRST_VCPU) >= <u32>ofGuest(k, GT_VCPUS)) continue;
    setOfGuest(k, GT_FAULTS, ofGuest(k, GT_FAULTS) + 1);
    setOfGuest(k, GT_STALL, ofGuest(k, GT_STALL) + stall);
  }
}

/** Whether a guest has neither moved nor been given up. */
// @ts-ignore: decorator
@inline
export function isOpen(k: u32): bool {
  return ofGuest(k, GT_STATUS) <= GUEST_STOPPED;
}

/** Whether any guest runs at the source. */
export function anyRuns(): bool {
  for (let k: u32 = 0; k < guestCount; k++) if (runsHere(k)) return true;
  return false;
}

/** Whether a guest runs at the source. */
export function runsHere(k: u32): bool {
  const status = ofGuest(k, GT_STATUS);
  return status != GUEST_STOPPED && status != GUEST_MOVED;
}

/** The front-end is at a guest from now on, which is one that has not ended. */
export function takeTurn(k: u32, t: u64): void {
  evaluates(I_GUEST_ONCE);
  if (k >= guestCount || !isOpen(k)) broken(I_GUEST_ONCE, k, guestCount, t);
  turn = k;
  if (ofGuest(k, GT_STATUS) == GUEST_WAITS) setStatus(k, GUEST_BEGUN);
}

// --- the destination ---

/** Device state at this offset has been gathered: whose it is. */
export function deviceComes(offset: u32): void {
  for (let k: u32 = 0; k < guestCount; k++) {
    if (offset - <u32>ofGuest(k, GT_DEVICE_FIRST) < <u32>ofGuest(k, GT_DEVICE_BYTES)) there = k;
  }
}

/** Every page of a guest's last round has been placed. */
export function lastRoundThere(k: u32, t: u64): void {
  there = k;
  setOfGuest(k, GT_RAM_DONE, t);
}

/** Bytes of device state that are there when that of the guest that is coming is whole. */
export function deviceDue(): u64 {
  return there == NO_GUEST ? deviceBefore : deviceBefore + ofGuest(there, GT_DEVICE_BYTES);
}

export function deviceThere(t: u64): void {
  setOfGuest(there, GT_DEVICE_DONE, t);
}

/** The front-end is told to resume the guest: what comes after is another's. */
export function toldToResume(): void {
  deviceBefore = deviceDue();
  there = NO_GUEST;
}

/** The front-end has been told to resume a guest. */
export function arrives(k: u32, last: bool): void {
  arriving = k;
  arrivesLast = last;
}

/** It resumes the guest at t, which it does once; whether it was the last. */
export function resumesThere(t: u64): bool {
  evaluates(I_GUEST_ONCE);
  const before = ofGuest(arriving, GT_RESUMED);
  if (before != 0) broken(I_GUEST_ONCE, arriving, before, t);
  setOfGuest(arriving, GT_RESUMED, t);
  justThere = arriving;
  return arrivesLast;
}

/** The board has looked at it. */
export function thereSeen(): void {
  justThere = NO_GUEST;
}
