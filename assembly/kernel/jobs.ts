// SPDX-License-Identifier: Apache-2.0
// Job records: what moves through a card. A job is one page, one chunk of device state or one control record.
import { I_JOBS, I_SRAM, JOBS_MAX, PAGE_BYTES, T_PAGE } from "../abi";
import { reserve } from "./memory";
import { currentUnit, now, wake } from "./schedule";
import { broken, evaluates } from "./stats";
import { happened } from "./timeline";

/** Kinds of job, and of the record that carries it. */
export const JOB_PAGE: u32 = 1;
export const JOB_ZERO: u32 = 2;
export const JOB_DEVICE: u32 = 3;
export const JOB_ROUND_END: u32 = 4;
export const JOB_PLACED: u32 = 5;
export const JOB_RESUMED: u32 = 6;
export const JOB_ABORT: u32 = 7; // the destination's card cannot go on: `pfn` says why
export const JOB_AGAIN: u32 = 20; // it asks for the record of number `pfn` again
/** Of a migration that resumes early: pages that are missing, one that is wanted, the end. */
export const JOB_STALE: u32 = 21;
export const JOB_FAULT: u32 = 22;
export const JOB_WHOLE: u32 = 23;

/** No SRAM slot. */
export const NO_SLOT: u32 = 0xffffffff;

//  64 bytes: | started u64 | nonce u64 | pfn | version | word | kind | bytes | wait | slotIn | slotOut |
//  round |
//            | first version | issued u16, received u16 | flags |
@unmanaged
export class Job {
  started: u64; // when the page's first request was issued, or the record arrived
  nonce: u64; // of the record; of a page that is read, the batch of its descriptor
  pfn: u32; // page number; byte offset for device state; round for control records
  version: u32; // of the page, fixed at its last completion
  word: u32; // content word
  kind: u32;
  bytes: u32; // payload of the record as it stands: 4096 before compression
  wait: u32; // requests not yet complete; of a record that is decoded, its bytes
  slotIn: u32; // SRAM slot with the page
  slotOut: u32; // SRAM slot with the coded page
  round: u32;
  firstVersion: u32; // when the first request was issued; of a delta, the version that it is of
  issued: u16; // bytes requested so far
  link: u16; // 1 for a record that was received
  flags: u32; // bit 0 coded, bit 1 carries bytes, bit 2 of the final round
}

/** Records a step of a page (P_ constants) in the timeline; other jobs are passed over. */
// @ts-ignore: decorator
@inline
export function onItsWay(step: u32, side: u32, j: Job, t: u64, b: u64, c: u64): void {
  if (isDefined(TIMELINE)) {
    if (j.kind == JOB_PAGE || j.kind == JOB_ZERO) happened(T_PAGE, side, step, t, j.pfn, b, c);
  }
}

/** Flags of a job. */
export const CODED: u32 = 1;
export const CARRIED: u32 = 2;
export const FINAL: u32 = 4;
export const SPOILT: u32 = 8; // on the link: its tag does not fit
export const DELTA: u32 = 256; // what is carried is a delta
export const RESIDUAL: u32 = 512; // a page that goes after the resume
export const URGENT: u32 = 1024; // and that was asked for: it goes on link A
// of a sealed page that is read back from host memory (kernel/deferred); that was asked for; that was opened
export const KEPT: u32 = 0x10000;
export const ASKED: u32 = 0x20000;
export const AUTHENTIC: u32 = 0x40000;
export const RETURNED: u32 = 0x80000; // an engine has left it to software
export const HOSTED: u32 = 0x100000; // it goes to a buffer of the host (kernel/ring)
// a page whose record is stored ahead of the request; a record that comes from there (kernel/record-store)
export const TO_STORE: u32 = 0x1000000;
export const FROM_STORE: u32 = 0x2000000;

// each has a bit of its own
const OF_PAGE: u32 = CODED + CARRIED + FINAL + SPOILT + DELTA + RESIDUAL + URGENT + KEPT + ASKED;
const FLAGS: u32 = OF_PAGE + AUTHENTIC + RETURNED + HOSTED + TO_STORE + FROM_STORE;
if (popcnt<u32>(FLAGS) != 14) ERROR("two flags of a job are one");

if (offsetof<Job>() != 64) ERROR("job record is not 64 bytes");

//  pool record of a side: | jobs | free list | free count |
const POOL = memory.data(64, 16);


@unmanaged
class Pool {
  jobs: usize;
  free: usize;
  left: u32;
  slots: usize;
  slotFree: usize;
  slotsLeft: u32;
  slotsTotal: u32;
  waiting: u32; // units that found too few slots, a bit each
}

// @ts-ignore: decorator
@inline
function pool(side: u32): Pool {
  return changetype<Pool>(POOL + (side << 5));
}

/** Lays out the jobs of a side and its staging SRAM of `slots` pages. */
export function buildJobs(side: u32, slots: u32): bool {
  const q = pool(side);
  q.jobs = reserve(<u64>JOBS_MAX * 64);
  q.free = reserve(<u64>JOBS_MAX * 4);
  q.left = JOBS_MAX;
  for (let i: u32 = 0; i < JOBS_MAX; i++) store<u32>(q.free + (i << 2), JOBS_MAX - 1 - i);
  q.slots = reserve(<u64>slots * PAGE_BYTES);
  q.slotFree = reserve(<u64>slots * 8); // the free list, then a word a slot: 1 while it is in use
  q.slotsLeft = slots;
  q.slotsTotal = slots;
  q.waiting = 0;
  for (let i: u32 = 0; i < slots; i++) store<u32>(q.slotFree + (i << 2), slots - 1 - i);
  return q.slots != 0 && q.slotFree != 0 && q.jobs != 0;
}

// @ts-ignore: decorator
@inline
export function job(side: u32, index: u32): Job {
  return changetype<Job>(pool(side).jobs + (index << 6));
}

/** Takes a job record, cleared. */
export function takeJob(side: u32, kind: u32): u32 {
  const q = pool(side);
  assert(q.left != 0, "no job record");
  const index = load<u32>(q.free + (--q.left << 2));
  const j = changetype<Job>(q.jobs + (index << 6));
  // by hand: a call for 64 bytes costs more than they do
  const zeros = v128.splat<u64>(0);
  v128.store(changetype<usize>(j), zeros);
  v128.store(changetype<usize>(j), zeros, 16);
  v128.store(changetype<usize>(j), zeros, 32);
  v128.store(changetype<usize>(j), zeros, 48);
  j.kind = kind;
  j.slotIn = NO_SLOT;
  j.slotOut = NO_SLOT;
  return index;
}

/** Gives a job record back. */
export function freeJob(side: u32, index: u32): void {
  const q = pool(side);
  const j = changetype<Job>(q.jobs + (index << 6));
  evaluates(I_JOBS);
  if (j.kind == 0 || q.left >= JOBS_MAX) broken(I_JOBS, index, q.left, now);
  j.kind = 0;
  store<u32>(q.free + (q.left++ << 2), index);
}

/** True when fewer than n SRAM slots are free; the unit that asks is then woken by the next one that is. */
// @ts-ignore: decorator
@inline
export function slotsShort(side: u32, n: u32): bool {
  const q = pool(side);
  if (q.slotsLeft >= n) return false;
  q.waiting |= (<u32>1) << currentUnit;
  return true;
}

// @ts-ignore: decorator
@inline
export function takeSlot(side: u32): u32 {
  const q = pool(side);
  assert(q.slotsLeft != 0, "no SRAM slot");
  const slot = load<u32>(q.slotFree + (--q.slotsLeft << 2));
  const used = q.slotFree + ((q.slotsTotal + slot) << 2);
  evaluates(I_SRAM);
  if (load<u32>(used) != 0) broken(I_SRAM, slot, q.slotsLeft, now);
  store<u32>(used, 1);
  return slot;
}

export function freeSlot(side: u32, slot: u32): void {
  const q = pool(side);
  assert(slot < q.slotsTotal, "no such SRAM slot");
  const used = q.slotFree + ((q.slotsTotal + slot) << 2);
  if (load<u32>(used) != 1) {
    broken(I_SRAM, slot, q.slotsLeft, now);
    return;
  }
  store<u32>(used, 0);
  store<u32>(q.slotFree + (q.slotsLeft++ << 2), slot);
  let mask = q.waiting;
  q.waiting = 0;
  while (mask != 0) {
    wake(side, <u32>ctz<u32>(mask), now);
    mask &= mask - 1;
  }
}

// @ts-ignore: decorator
@inline
export function slotAt(side: u32, slot: u32): usize {
  return pool(side).slots + <usize>slot * PAGE_BYTES;
}

/** Jobs and slots that are not home. */
export function jobsOut(side: u32): u32 {
  const q = pool(side);
  return JOBS_MAX - q.left + (q.slotsTotal - q.slotsLeft);
}
