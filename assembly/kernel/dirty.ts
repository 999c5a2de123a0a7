// SPDX-License-Identifier: Apache-2.0
// The dirty bits of the source guest and its write protection: one bit a page each. A tracker's kind says
// what setting and clearing them costs; that is charged by who sets (guest) and who clears (front-end).
// Where the card takes marks itself, word by word, a TLB that holds a page as dirty lets its writes set no
// mark until it is flushed: such pages are kept here too. No TLB forgets by itself, which is the worst case.
import {
  BATCH_PAGES,
  G_PAGES,
  G_SCAN_CLEAR,
  G_TRACKER_LATE,
  I_CLEARED_BEFORE_READ,
  I_SCAN_MARKS,
} from "../abi";
import { reserve } from "./memory";
import { g32 } from "./params";
import { now } from "./schedule";
import { broken, evaluates } from "./stats";

let bits: usize = 0;
let tracking: bool = false;
let dirtyPages: u32 = 0;
let found: usize = 0; // pages that have become dirty in the round, a bit each
/** True where marks are cleared when their pages have been read: the unsafe order. */
export let clearsLate: bool = false;
let told: usize = 0; // marks that have been taken and stand
let held: usize = 0; // pages that a TLB holds as dirty, where that counts
/** True where it is looked at, page by page, whether marks were cleared in time. */
export let checksReads: bool = false;
/** True while the source guest runs. */
export let guestRuns: bool = true;
/** True when the guest was stopped and goes on at the source. */
export let guestBack: bool = false;
/** Ticks by which all vCPUs have been held up together: flushes, shared cores, a stop that was broken off. */
export let heldUp: u64 = 0;

export function setGuestRuns(runs: bool): void {
  guestRuns = runs;
}

/** The guest goes on where it was stopped so many ticks ago. */
export function guestGoesOn(stoppedFor: u64): void {
  guestRuns = true;
  guestBack = true;
  heldUp += stoppedFor;
}

/** Holds all vCPUs up. */
export function holdUp(ticks: u64): void {
  heldUp += ticks;
}

/** They have been held up for less than that. */
export function giveBack(ticks: u64): void {
  heldUp -= ticks;
}

export function buildDirty(): bool {
  // whole batches, so that a batch may be copied as it stands
  const pages = <u64>g32(G_PAGES);
  const bytes = ((pages + BATCH_PAGES - 1) / BATCH_PAGES) * (BATCH_PAGES / 8);
  bits = reserve(bytes);
  tracking = false;
  dirtyPages = 0;
  guestRuns = true;
  guestBack = false;
  heldUp = 0;
  clearsLate = g32(G_TRACKER_LATE) != 0;
  if (clearsLate) told = reserve(bytes);
  held = 0;
  const scans = g32(G_SCAN_CLEAR) != 0;
  if (scans) held = reserve(bytes);
  checksReads = clearsLate || scans;
  found = reserve(bytes);
  return bits != 0 && found != 0 && (!clearsLate || told != 0) && (!scans || held != 0);
}

/**
 * Starts tracking with every page clean and, where the tracker protects, protected; with every page marked
 * where the card takes the marks.
 */
export function startTracking(): void {
  tracking = true;
  if (held == 0) return;
  dirtyPages = g32(G_PAGES);
  memory.fill(bits, 0xff, dirtyPages >> 3);
  if ((dirtyPages & 7) != 0) store<u8>(bits + (dirtyPages >> 3), <u8>(((<u32>1) << (dirtyPages & 7)) - 1));
}

/** Whether a write finds its page protected, or without a mark. */
// @ts-ignore: decorator
@inline
export function isTracking(): bool {
  return tracking;
}

// @ts-ignore: decorator
@inline
export function isDirty(pfn: u32): bool {
  return (load<u32>(bits + (((<usize>pfn) >> 5) << 2)) & ((<u32>1) << (pfn & 31))) != 0;
}

/** Marks a page; true when it was clean (with write protection: the write faults). */
export function markDirty(pfn: u32): bool {
  if (!tracking) return false;
  const at = bits + (((<usize>pfn) >> 5) << 2);
  const word = load<u32>(at);
  const bit = (<u32>1) << (pfn & 31);
  if (held != 0) {
    const holds = load<u32>(held + (at - bits));
    if ((holds & bit) != 0) return false;
    store<u32>(held + (at - bits), holds | bit);
  }
  if (word & bit) return false;
  store<u32>(at, word | bit);
  dirtyPages++;
  becomesDirty(pfn);
  return true;
}

/** A page has been logged: it is dirty, and its mark is not known yet. */
export function marksLogged(pfn: u32): void {
  dirtyPages++;
  becomesDirty(pfn);
}

/** A clean page has become dirty, or is known to have: one of the round's, however often it does. */
export function becomesDirty(pfn: u32): void {
  const at = found + (((<usize>pfn) >> 5) << 2);
  store<u32>(at, load<u32>(at) | ((<u32>1) << (pfn & 31)));
}

/** The same of those of 64 pages from a multiple of 64 on. */
export function becomeDirty(first: u32, pages: u64): void {
  const at = found + ((<usize>first) >> 3);
  store<u64>(at, load<u64>(at) | pages);
}

/** A round begins: of these batches no page has become dirty in it. */
export function forgetFound(batch: u32, end: u32): void {
  memory.fill(found + <usize>batch * (BATCH_PAGES / 8), 0, <usize>(end - batch) * (BATCH_PAGES / 8));
}

/** Pages of batches that have become dirty since it began. */
export function foundIn(batch: u32, end: u32): u32 {
  const until = found + <usize>end * (BATCH_PAGES / 8);
  let n: u32 = 0;
  for (let at = found + <usize>batch * (BATCH_PAGES / 8); at < until; at += 8)
    n += <u32>popcnt(load<u64>(at));
  return n;
}

/** Marks a page that has been logged. */
export function markFromLog(pfn: u32): void {
  const at = bits + (((<usize>pfn) >> 5) << 2);
  const bit = (<u32>1) << (pfn & 31);
  if ((load<u32>(at) & bit) != 0) dirtyPages--;
  store<u32>(at, load<u32>(at) | bit);
}

/** Pages marked or logged now; one that is both counts twice until its log is brought in. */
// @ts-ignore: decorator
@inline
export function dirtyCount(): u32 {
  return dirtyPages;
}

/**
 * Marks pages of a batch again whose marks were taken and that nobody was told of. They have not become
 * dirty: the guest did not write them.
 */
export function restoreBatch(batch: u32, from: usize): void {
  const at = bits + <usize>batch * (BATCH_PAGES / 8);
  for (let i: u32 = 0; i < BATCH_PAGES / 8; i += 8) {
    const was = load<u64>(at + i);
    const all = was | load<u64>(from + i);
    dirtyPages += <u32>popcnt(all ^ was);
    store<u64>(at + i, all);
  }
}

/** Marks one such page. */
export function restorePage(pfn: u32): void {
  const at = bits + (((<usize>pfn) >> 5) << 2);
  const bit = (<u32>1) << (pfn & 31);
  if ((load<u32>(at) & bit) != 0) return;
  store<u32>(at, load<u32>(at) | bit);
  dirtyPages++;
}

/** Marks the first pages of memory from a batch on, as many as a guest has, as pages to be sent. */
export function markAll(batch: u32, n: u32): void {
  tracking = true;
  const first = batch * BATCH_PAGES;
  for (let pfn = first; pfn < first + n; pfn++) restorePage(pfn);
}

/** Clears the marks of a batch, which nobody is told of. */
export function forgetMarks(batch: u32): void {
  dirtyPages -= batchCount(batch);
  memory.fill(marksAt(batch), 0, BATCH_PAGES / 8);
}

/** The marks of a batch. */
export function marksAt(batch: u32): usize {
  return bits + <usize>batch * (BATCH_PAGES / 8);
}

/** Marked pages of a batch. */
export function batchCount(batch: u32): u32 {
  const at = bits + <usize>batch * (BATCH_PAGES / 8);
  let n: u32 = 0;
  for (let i: u32 = 0; i < BATCH_PAGES / 8; i += 8) n += <u32>popcnt(load<u64>(at + i));
  return n;
}

/** Reads the marks of a batch and lets them stand, as clearToldMarks() has it; how many there were. */
export function copyBatch(batch: u32, to: usize): u32 {
  const at = <usize>batch * (BATCH_PAGES / 8);
  memory.copy(to, bits + at, BATCH_PAGES / 8);
  memory.copy(told + at, bits + at, BATCH_PAGES / 8);
  return batchCount(batch);
}

/** Clears the marks that were taken, and those that were set meanwhile with them. */
export function clearToldMarks(): void {
  for (let i: u32 = 0; i < g32(G_PAGES); i += 64) {
    const at = bits + ((<usize>i) >> 3);
    const gone = load<u64>(told + ((<usize>i) >> 3));
    dirtyPages -= <u32>popcnt(load<u64>(at) & gone);
    store<u64>(at, load<u64>(at) & ~gone);
    store<u64>(told + ((<usize>i) >> 3), 0);
  }
}

/** The 64 marks of a word. */
export function wordAt(word: u32): usize {
  return bits + ((<usize>word) << 3);
}

/** Clears a word of marks, and returns what they were. */
export function clearWord(word: u32): u64 {
  const marks = load<u64>(wordAt(word));
  store<u64>(wordAt(word), 0);
  dirtyPages -= <u32>popcnt(marks);
  return marks;
}

/** No TLB holds a page as dirty any more. */
export function flushHeld(): void {
  memory.fill(held, 0, ((<usize>g32(G_PAGES) + BATCH_PAGES - 1) / BATCH_PAGES) * (BATCH_PAGES / 8));
}

/**
 * A page has been read: its mark must not stand from before, and no TLB that holds it as dirty may hide the
 * next write of it.
 */
export function readsCleared(pfn: u32): void {
  if (held != 0) {
    evaluates(I_SCAN_MARKS);
    const holds = load<u32>(held + (((<usize>pfn) >> 5) << 2)) & ((<u32>1) << (pfn & 31));
    if (holds != 0 && guestRuns && !isDirty(pfn)) broken(I_SCAN_MARKS, pfn, 0, now);
    return;
  }
  const word = load<u32>(told + (((<usize>pfn) >> 5) << 2));
  if ((word & ((<u32>1) << (pfn & 31))) != 0) broken(I_CLEARED_BEFORE_READ, pfn, 0, now);
}

/** Reads and clears the marks of a batch in one instant: copies them to `to`; returns how many there were. */
export function collectBatch(batch: u32, to: usize): u32 {
  const at = bits + <usize>batch * (BATCH_PAGES / 8);
  const n = batchCount(batch);
  memory.copy(to, at, BATCH_PAGES / 8);
  memory.fill(at, 0, BATCH_PAGES / 8);
  evaluates(I_CLEARED_BEFORE_READ);
  if (n > dirtyPages || batchCount(batch) != 0) broken(I_CLEARED_BEFORE_READ, n, dirtyPages, now);
  dirtyPages -= n;
  return n;
}
