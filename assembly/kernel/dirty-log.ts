// SPDX-License-Identifier: Apache-2.0
// Logs of dirty pages, one a vCPU: Intel's page modification logging (PML) and KVM's dirty rings.
//
// Models: a write that finds its page clean puts the page into its vCPU's log; it is not logged again until
//   it has been cleaned. Marks of logged pages are known when the log has been brought in: all logs when a
//   round is decided and when the guest has been suspended, one when it is full and its vCPU writes on.
//   pml: 512 entries; bringing in moves entries to the bitmap, a page is clean when its batch is collected.
//   dirty-ring: `tracker.ring` entries; bringing in protects the pages again: they are clean then.
// How long, n entries: a full log stops its vCPU for `logExit` + n `logEntry`; of a ring also n
//   `protectPage`, and `tlbFlush` stops all vCPUs. When all logs are brought in each vCPU that runs stops for
//   `logExit`, with PML + n `logEntry`, and the front-end waits: pml for the longest of them; dirty-ring for
//   `logExit`, then the sum of n (`logEntry` + `protectPage`), and `tlbFlush` if there was an entry.
//   What a vCPU stands for begins when it has stood for all before, and is counted up to the suspension, or
//   the end, alone: S = sum of min(end, suspended) - min(begin, suspended). A guest on the wall's clock is
//   never late: there all of it is counted.
// Limits: W pages of a vCPU written between two times that logs are brought in cost ceil(W / entries) - 1
//   full logs. A log that never fills costs no more than its entries.
// Leaves out: a ring that is brought in before it is full (KVM's soft limit), a reaper by the clock.
// Numbers: 512 entries of 8 B: Intel SDM volume 3, 28.3.6 (PML); the costs are of the host preset, assumed.
//
//   log of a vCPU, 32 bytes: | held back u64, ticks | entries u32 | - | entries that were ever in it u64 |
//   sleep u64, ticks, each time it is full (kernel/dirty-limit) |, and its entries, u32 each
//   stall of a vCPU, 32 bytes: | stands until u64 | end of its last sleep u64 | ticks of that u64 | - |
import {
  BATCH_PAGES,
  C_LIMIT_TICKS,
  C_LOG_ENTRIES,
  C_LOG_FULL,
  C_STALL_TICKS,
  G_CLOCK_WALL,
  G_PAGES,
  G_TRACKER,
  G_TRACKER_LOG,
  G_VCPUS,
  S_HOST_LOG_ENTRY,
  S_HOST_LOG_EXIT,
  S_HOST_PROTECT_PAGE,
  S_HOST_TLB_FLUSH,
  TRACKER_DIRTY_RING,
  VCPUS_MAX,
} from "../abi";
import { guestRuns, holdUp, isTracking, markFromLog, marksLogged } from "./dirty";
import { reserve } from "./memory";
import { g32, p } from "./params";
import { count } from "./stats";

const LOGS = memory.data(2048, 16);
const STALLS = memory.data(2048, 16);

if (VCPUS_MAX * 32 != 2048) ERROR("logs");

/** True when pages are logged. */
export let logging: bool = false;
/** When the front-end is done with the logs that it has had brought in. */
export let broughtInAt: u64 = 0;

let size: u32 = 0;
let vcpus: u32 = 0;
let ring: bool = false; // not PML
let entries: usize = 0;
let set: usize = 0; // pages that are not logged again, a bit each
let exitTicks: u64 = 0;
let entryTicks: u64 = 0;
let pageTicks: u64 = 0;
let flushTicks: u64 = 0;

export function buildLogs(): bool {
  size = g32(G_TRACKER_LOG);
  logging = size != 0;
  broughtInAt = 0;
  if (!logging) return true;
  memory.fill(LOGS, 0, 2048);
  memory.fill(STALLS, 0, 2048);
  vcpus = g32(G_VCPUS);
  ring = g32(G_TRACKER) == TRACKER_DIRTY_RING;
  exitTicks = p(0, S_HOST_LOG_EXIT);
  entryTicks = p(0, S_HOST_LOG_ENTRY);
  pageTicks = ring ? p(0, S_HOST_PROTECT_PAGE) : 0;
  flushTicks = ring ? p(0, S_HOST_TLB_FLUSH) : 0;
  const batches = (<u64>g32(G_PAGES) + BATCH_PAGES - 1) / BATCH_PAGES;
  set = reserve(batches * (BATCH_PAGES / 8));
  entries = reserve(<u64>vcpus * size * 4);
  return set != 0 && entries != 0;
}

// @ts-ignore: decorator
@inline
function logOf(v: u32): usize {
  return LOGS + (v << 5);
}

/** By how much a vCPU is late for logs that were brought in. */
export function heldBack(v: u32): u64 {
  return load<u64>(logOf(v));
}

/** Entries that have ever been in a vCPU's log. */
export function entriesOf(v: u32): u64 {
  return load<u64>(logOf(v), 16);
}

/** How long a vCPU sleeps each time its log is full. */
export function penaltyOf(v: u32): u64 {
  return load<u64>(logOf(v), 24);
}

export function setPenalty(v: u32, ticks: u64): void {
  store<u64>(logOf(v), ticks, 24);
}

/** Whether a page is in a log, or with PML known and not collected. */
export function isLogged(pfn: u32): bool {
  return (load<u32>(set + (((<usize>pfn) >> 5) << 2)) & ((<u32>1) << (pfn & 31))) != 0;
}

/** A vCPU writes a page; true when it was clean. With a log that is full, it is brought in before. */
export function logWrite(v: u32, pfn: u32, stalls: bool, t: u64): bool {
  if (!isTracking() || isLogged(pfn)) return false;
  const log = logOf(v);
  if (load<u32>(log, 8) == size) {
    const n = bringIn(v);
    count(0, C_LOG_FULL, 1);
    if (ring) holdUp(flushTicks);
    if (stalls) {
      stall(v, exitTicks + n * (entryTicks + pageTicks), t);
      if (penaltyOf(v) != 0) sleep(v, penaltyOf(v), t);
    }
  }
  const n = load<u32>(log, 8);
  store<u32>(entries + ((<usize>v * size + n) << 2), pfn);
  store<u32>(log, n + 1, 8);
  store<u64>(log, load<u64>(log, 16) + 1, 16);
  const at = set + (((<usize>pfn) >> 5) << 2);
  store<u32>(at, load<u32>(at) | ((<u32>1) << (pfn & 31)));
  marksLogged(pfn);
  count(0, C_LOG_ENTRIES, 1);
  return true;
}

/** A vCPU stands for so long, from t or when it has stood for what came before; returns until when. */
export function stands(v: u32, ticks: u64, t: u64): u64 {
  const at = STALLS + (v << 5);
  const until = max<u64>(load<u64>(at), t) + ticks;
  store<u64>(at, until);
  count(0, C_STALL_TICKS, ticks);
  return until;
}

/** The same, by which it is late. */
function stall(v: u32, ticks: u64, t: u64): u64 {
  store<u64>(logOf(v), load<u64>(logOf(v)) + ticks);
  return stands(v, ticks, t);
}

function sleep(v: u32, ticks: u64, t: u64): void {
  const at = STALLS + (v << 5);
  store<u64>(at, stall(v, ticks, t), 8);
  store<u64>(at, ticks, 16);
  count(0, C_LIMIT_TICKS, ticks);
}

/** The vCPUs are suspended at t, or the books close: the rest of what they stand for is not counted. */
export function cutStalls(t: u64): void {
  if (!logging || g32(G_CLOCK_WALL) != 0) return;
  for (let v: u32 = 0; v < vcpus; v++) {
    const at = STALLS + (v << 5);
    const until = load<u64>(at);
    if (until <= t) continue;
    store<u64>(at, t);
    count(0, C_STALL_TICKS, t - until);
    const ends = load<u64>(at, 8);
    if (ends > t) count(0, C_LIMIT_TICKS, 0 - min<u64>(ends - t, load<u64>(at, 16)));
  }
}

/** Marks the pages of a vCPU's log and empties it; how many they were. */
function bringIn(v: u32): u32 {
  const n = load<u32>(logOf(v), 8);
  for (let i: u32 = 0; i < n; i++) {
    const pfn = load<u32>(entries + ((<usize>v * size + i) << 2));
    markFromLog(pfn);
    if (!ring) continue;
    const at = set + (((<usize>pfn) >> 5) << 2);
    store<u32>(at, load<u32>(at) & ~((<u32>1) << (pfn & 31)));
  }
  store<u32>(logOf(v), 0, 8);
  return n;
}

/** Brings all logs in at t. */
export function bringInLogs(t: u64): void {
  if (!logging) return;
  let longest: u32 = 0;
  let sum: u64 = 0;
  for (let v: u32 = 0; v < vcpus; v++) {
    const n = bringIn(v);
    if (n > longest) longest = n;
    sum += n;
    if (guestRuns) stall(v, ring ? exitTicks : exitTicks + n * entryTicks, t);
  }
  const work = ring ? sum * (entryTicks + pageTicks) : longest * entryTicks;
  const flush = sum != 0 ? flushTicks : 0;
  holdUp(flush);
  broughtInAt = t + exitTicks + work + flush;
}

/** The front-end waits for logs until t at least. */
export function waitForLogs(t: u64): void {
  broughtInAt = max(broughtInAt, t);
}

/** Marks what is in the logs, for nothing: the migration has ended. */
export function emptyLogs(): void {
  if (!logging) return;
  for (let v: u32 = 0; v < vcpus; v++) bringIn(v);
}

/** The marks of a batch have been taken: with PML its pages are clean. */
export function collectLogged(batch: u32, bits: usize): void {
  if (ring) return;
  const at = set + <usize>batch * (BATCH_PAGES / 8);
  for (let i: u32 = 0; i < BATCH_PAGES / 8; i += 8)
    store<u64>(at + i, load<u64>(at + i) & ~load<u64>(bits + i));
}
