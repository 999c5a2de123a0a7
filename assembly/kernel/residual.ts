// SPDX-License-Identifier: Apache-2.0
// Pages that the guest does not have when it resumes, as the two cards and the destination's host know them
// (Nelson, US 7,680,919; QEMU's post-copy). A page goes from left to right, once:
//
//   source's card     stale -> sent                              (unasked, or because it was asked for)
//   destination card  due -> handed to PCIe                      (awaited meanwhile: the host has asked)
//   host              missing -> landed;  unmapped -> mapped     (a touch of an unmapped page faults)
//
// Models: one bit a page and state. The source's card tells of its stale pages a batch of 2048 at a time, and
//   the destination's card tells its host; both count as told when the message has begun.
// Sent unasked, in order of addresses: no more than `ahead` pages in hand between scanner and send buffer,
//   and no more bytes on link B than a round trip of the link holds and 2 x `ahead` pages (at most the
//   window): what is asked for does not wait for its window, and a page that is touched on its way not long.
// Leaves out: that a page arrives in parts.
import {
  AHEAD_MAX,
  BATCH_PAGES,
  C_DEMAND_BYTES,
  C_POSTCOPY_BYTES,
  G_ENCRYPT_BITS,
  G_NET_PROPAGATION,
  G_NET_TICKS_DEN,
  G_NET_TICKS_NUM,
  G_NET_WINDOW,
  G_PAGES,
  G_PUSH_AFTER,
  G_PUSH_AHEAD,
  G_PUSH_DEN,
  G_PUSH_NUM,
  G_RESIDUAL,
  I_RESIDUAL_ONCE,
  I_SOURCE_KEPT,
  PAGE_BYTES,
  RECORD_TAG_BYTES,
  RESIDUAL_SEALED,
  U_CONTROL,
  VCPUS_MAX,
} from "../abi";
import { URGENT } from "./jobs";
import { reserve } from "./memory";
import { ABSENT, placedVersion, sourceVersion } from "./pages";
import { g, g32 } from "./params";
import { wake } from "./schedule";
import { booksClosed, broken, count, evaluates } from "./stats";
import { LINK_B, recordBytes, stream } from "./stream";
import { spanTicks } from "./time";

/** RESIDUAL_ constants: 0, every page is there when the guest resumes. */
export let residual: u32 = 0;
/** True while the source's card sends pages unasked. */
export let pushing: bool = false;

export const BATCH_BYTES: u32 = BATCH_PAGES / 8;
/** Marks of a batch: the source's card has to tell of it, the destination's card has to. */
export const TO_ANNOUNCE: u8 = 1;
export const TO_TELL: u8 = 2;

let batches: u32 = 0;
let stale: usize = 0;
let due: usize = 0;
let awaited: usize = 0;
let missing: usize = 0;
let unmapped: usize = 0;
let marks: usize = 0;
let marked: u32 = 0; // batches with a mark, both kinds
let staleLeft: u32 = 0;
let dueLeft: u32 = 0;
let missingLeft: u32 = 0;
let cursor: u32 = 0; // batches before it have no stale page left
let pushFrom: u64 = 0;
let inHand: u32 = 0;
let ahead: u32 = 0;
let recordMost: u32 = 0;
let outMost: u64 = 0; // bytes of link B that are not acknowledged

// pages that the host waits for and that have been handed to PCIe, to be told of: a ring
const FILLED = memory.data(256, 16);
let filledFirst: u32 = 0;
let filledLast: u32 = 0;

if (VCPUS_MAX * 4 != 256) ERROR("pages that are awaited");

/** Lays out the states; false when memory does not hold them. */
export function buildResidual(): bool {
  residual = g32(G_RESIDUAL);
  pushing = false;
  marked = 0;
  staleLeft = 0;
  dueLeft = 0;
  missingLeft = 0;
  cursor = 0;
  inHand = 0;
  filledFirst = 0;
  filledLast = 0;
  if (residual == 0) return true;
  batches = (g32(G_PAGES) + BATCH_PAGES - 1) / BATCH_PAGES;
  const bytes = <u64>batches * BATCH_BYTES;
  stale = reserve(bytes);
  due = reserve(bytes);
  awaited = reserve(bytes);
  missing = reserve(bytes);
  unmapped = reserve(bytes);
  marks = reserve(batches);
  recordMost = recordBytes(PAGE_BYTES, g32(G_ENCRYPT_BITS) != 0 ? RECORD_TAG_BYTES : 0);
  const fits = g32(G_NET_WINDOW) / recordMost;
  ahead = min<u32>(min<u32>(g32(G_PUSH_AHEAD), AHEAD_MAX), fits);
  const trip = (2 * g(G_NET_PROPAGATION) * g(G_NET_TICKS_DEN)) / g(G_NET_TICKS_NUM);
  outMost = min<u64>(g(G_NET_WINDOW), trip + 2 * ahead * recordMost);
  return stale != 0 && due != 0 && awaited != 0 && missing != 0 && unmapped != 0 && marks != 0;
}

// @ts-ignore: decorator
@inline
export function has(map: usize, pfn: u32): bool {
  return (load<u32>(map + (((<usize>pfn) >> 5) << 2)) & ((<u32>1) << (pfn & 31))) != 0;
}

/** Clears a bit; whether it was set. */
export function take(map: usize, pfn: u32): bool {
  const at = map + (((<usize>pfn) >> 5) << 2);
  const bit = (<u32>1) << (pfn & 31);
  const word = load<u32>(at);
  store<u32>(at, word & ~bit);
  return (word & bit) != 0;
}

export function set(map: usize, pfn: u32): void {
  const at = map + (((<usize>pfn) >> 5) << 2);
  store<u32>(at, load<u32>(at) | ((<u32>1) << (pfn & 31)));
}

export function bitsIn(at: usize): u32 {
  let n: u32 = 0;
  for (let i: u32 = 0; i < BATCH_BYTES; i += 8) n += <u32>popcnt(load<u64>(at + i));
  return n;
}

function mark(batch: u32, what: u8): void {
  store<u8>(marks + batch, load<u8>(marks + batch) | what);
  marked++;
}

/** The first batch with a mark, which is taken off; ABSENT when there is none. */
export function takeMarked(what: u8): u32 {
  if (marked == 0) return ABSENT;
  for (let b: u32 = 0; b < batches; b++) {
    const at = marks + b;
    if ((load<u8>(at) & what) == 0) continue;
    store<u8>(at, load<u8>(at) & ~what);
    marked--;
    return b;
  }
  return ABSENT;
}

/** Gives a mark back that nothing could be done about. */
export function markAgain(batch: u32, what: u8): void {
  mark(batch, what);
}

// --- the source's card ---

/** The front-end has told of pages of a batch that go after the resume. */
export function keepStale(batch: u32, bits: usize): void {
  const at = stale + <usize>batch * BATCH_BYTES;
  memory.copy(at, bits, BATCH_BYTES);
  staleLeft += bitsIn(at);
  mark(batch, TO_ANNOUNCE);
}

/** The stale pages of a batch, as a bitmap. */
export function staleBits(batch: u32): usize {
  return stale + <usize>batch * BATCH_BYTES;
}

export function staleIn(batch: u32): u32 {
  return bitsIn(staleBits(batch));
}

/** A page is asked for: true when it has not been sent yet, and is now. */
export function takeStale(pfn: u32): bool {
  if (!take(stale, pfn)) return false;
  staleLeft--;
  return true;
}

/** The guest has resumed at the destination. */
export function beginPush(t: u64): void {
  pushing = staleLeft != 0;
  pushFrom = t + g(G_PUSH_AFTER);
}

/** Batch of the pages that takePush() has taken. */
export let pushBatch: u32 = 0;

/** Takes the next pages that go unasked at t into a bitmap; how many, 0 when none may go now. */
export function takePush(bits: usize, t: u64): u32 {
  if (staleLeft == 0 || booksClosed) pushing = false;
  if (!pushing) return 0;
  if (t < pushFrom) {
    wake(0, U_CONTROL, pushFrom);
    return 0;
  }
  const most = (ahead + 1) / 2;
  const s = stream(0, LINK_B);
  const out = s.appended - s.una + <u64>(inHand + most) * recordMost;
  if (inHand + most > ahead || out > outMost) return 0;
  while (bitsIn(staleBits(cursor)) == 0) cursor++;
  const n = firstOf(staleBits(cursor), bits, most);
  staleLeft -= n;
  inHand += n;
  pushBatch = cursor;
  const num = g(G_PUSH_NUM);
  if (num != 0) pushFrom = t + spanTicks(<u64>n * PAGE_BYTES, num, g(G_PUSH_DEN));
  return n;
}

/** Moves the first bits of a batch, `most` at most, to another; how many they were. */
function firstOf(from: usize, to: usize, most: u32): u32 {
  memory.fill(to, 0, BATCH_BYTES);
  let n: u32 = 0;
  for (let bit: u32 = 0; bit < BATCH_PAGES && n < most; bit++) {
    if (!take(from, bit)) continue;
    set(to, bit);
    n++;
  }
  return n;
}

/** The record of such a page is in the send buffer. */
export function residualFramed(flags: u32, total: u32, t: u64): void {
  count(0, C_POSTCOPY_BYTES, total);
  if ((flags & URGENT) != 0) {
    count(0, C_DEMAND_BYTES, total);
    return;
  }
  inHand--;
  if (pushing) wake(0, U_CONTROL, t);
}

/** The source's server is let go at t: nothing of the guest is at the source alone. */
export function sourceReleased(t: u64): void {
  evaluates(I_SOURCE_KEPT);
  if (missingLeft != 0 || staleLeft != 0) broken(I_SOURCE_KEPT, missingLeft, staleLeft, t);
}

// --- the destination's card ---

/** Its peer has told of the stale pages of a batch. */
export function staleHere(batch: u32): void {
  const at = <usize>batch * BATCH_BYTES;
  memory.copy(due + at, stale + at, BATCH_BYTES);
  const n = bitsIn(due + at);
  dueLeft += n;
  mark(batch, TO_TELL);
}

/** Pages of a batch are there, but sealed (kernel/deferred). */
export function dueHere(batch: u32, bits: usize): void {
  memory.copy(due + <usize>batch * BATCH_BYTES, bits, BATCH_BYTES);
  dueLeft += bitsIn(bits);
}

/** The host asks for a page; true when it has to be fetched, false when it has been handed over already. */
export function awaitPage(pfn: u32): bool {
  if (has(due, pfn)) {
    set(awaited, pfn);
    return true;
  }
  fill(pfn);
  return false;
}

/** The last write of a page has been handed to PCIe. */
export function handOver(pfn: u32, t: u64): void {
  if (take(due, pfn)) dueLeft--;
  if (take(awaited, pfn)) fill(pfn);
  wake(1, U_CONTROL, t);
}

/** Pages that the destination's card still has to place. */
// @ts-ignore: decorator
@inline
export function dueCount(): u32 {
  return dueLeft;
}

/** The host is to be told that a page is there. */
export function fill(pfn: u32): void {
  assert(filledLast - filledFirst < VCPUS_MAX, "more pages are awaited than there are vCPUs");
  store<u32>(FILLED + ((filledLast++ & (VCPUS_MAX - 1)) << 2), pfn);
}

// @ts-ignore: decorator
@inline
export function anyFilled(): bool {
  return filledFirst != filledLast;
}

export function takeFilled(): u32 {
  return load<u32>(FILLED + ((filledFirst++ & (VCPUS_MAX - 1)) << 2));
}

// --- the destination's host ---

/** The front-end has unmapped the stale pages of a batch. */
export function unmapBatch(batch: u32): void {
  const at = <usize>batch * BATCH_BYTES;
  memory.copy(missing + at, due + at, BATCH_BYTES);
  memory.copy(unmapped + at, due + at, BATCH_BYTES);
  missingLeft += bitsIn(missing + at);
}

/**
 * Pages of a batch that the guest had been given before, and that have to be unmapped one by one. No guest is
 * given a sealed page.
 */
export function mappedIn(batch: u32): u32 {
  let n: u32 = 0;
  if (residual == RESIDUAL_SEALED) return n;
  for (let bit: u32 = 0; bit < BATCH_PAGES; bit++) {
    const pfn = batch * BATCH_PAGES + bit;
    if (has(due, pfn) && placedVersion(pfn) != ABSENT) n++;
  }
  return n;
}

/** A page has landed in host memory, behind it the word that says so: once. */
export function pageLanded(pfn: u32, t: u64): void {
  evaluates(I_RESIDUAL_ONCE);
  if (!take(missing, pfn)) broken(I_RESIDUAL_ONCE, pfn, missingLeft, t);
  missingLeft--;
}

// @ts-ignore: decorator
@inline
export function isMissing(pfn: u32): bool {
  return has(missing, pfn);
}

// @ts-ignore: decorator
@inline
export function isMapped(pfn: u32): bool {
  return !has(unmapped, pfn);
}

/** The front-end maps a page, which has landed. */
export function mapPage(pfn: u32, t: u64): void {
  evaluates(I_RESIDUAL_ONCE);
  if (has(missing, pfn)) broken(I_RESIDUAL_ONCE, pfn, missingLeft, t);
  take(unmapped, pfn);
}

/** Every page has landed: all are mapped. */
export function mapAll(): void {
  memory.fill(unmapped, 0, <usize>batches * BATCH_BYTES);
}

// @ts-ignore: decorator
@inline
export function missingCount(): u32 {
  return missingLeft;
}

/** At the resume: the first page that is not as the source has it, and that nobody knows to be missing. */
export function firstUnknown(): u32 {
  const pages = g32(G_PAGES);
  for (let pfn: u32 = 0; pfn < pages; pfn++) {
    if (!has(missing, pfn) && placedVersion(pfn) != sourceVersion(pfn)) return pfn;
  }
  return ABSENT;
}

/** At the end: the first page that is missing, or older than the source's. */
export function firstOlder(): u32 {
  const pages = g32(G_PAGES);
  for (let pfn: u32 = 0; pfn < pages; pfn++) {
    const held = placedVersion(pfn);
    if (has(missing, pfn) || held == ABSENT || held < sourceVersion(pfn)) return pfn;
  }
  return ABSENT;
}

/** What is not home at the end of a migration that completed. */
export function residualLeft(): u32 {
  return residual == 0 ? 0 : staleLeft + dueLeft + missingLeft + inHand + (filledLast - filledFirst);
}
