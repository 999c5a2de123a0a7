// SPDX-License-Identifier: Apache-2.0
// Bounded queues between units. An entry is a job number and the time from which it may be seen (a registered
// edge). Room may be reserved before the work is begun, so that a unit that has started can always finish.
//
//   fifo record, 64 bytes: | items usize | cap | head | count | reserved | consumer | side | waiting |
//   wanted | seen | - |
//   item, 16 bytes:        | ready u64 | job u32 | - |
import { QUEUES } from "../abi";
import { reserve } from "./memory";
import { currentUnit, now, wake } from "./schedule";

/** An event for the firmware that is a message, and one that says a round is complete; others are jobs. */
export const EVENT_MESSAGE: u32 = 0x80000000;
export const EVENT_ROUND: u32 = 0x40000000;
/** The last page has been placed after the resume; a page that is awaited has, with its number. */
export const EVENT_WHOLE: u32 = 0x40000001;
export const EVENT_FILLED: u32 = 0x20000000;
/** The firmware looks at what compression gains. */
export const EVENT_CHOICE: u32 = 0x40000002;
/** A card that scans the bitmap: words wait for a flush, a round has been found, marks have been counted. */
export const EVENT_FLUSH: u32 = 0x40000003;
export const EVENT_SCANNED: u32 = 0x40000004;
export const EVENT_COUNTED: u32 = 0x40000005;
/** Marks a queue end without a unit that must be woken. */
export const NOBODY: u32 = 0xffff;


@unmanaged
class Fifo {
  items: usize;
  cap: u32;
  head: u32;
  count: u32;
  reserved: u32;
  consumer: u32;
  side: u32;
  waiting: u32; // units that found too little room, a bit each
  wanted: u32; // the least room that one of them asked for
  seen: u32; // entries from the head that were ready when they were counted, and still are
}

const FIFOS = memory.data(5120, 16); // 2 sides * QUEUES * 64
const FIFOS_MAX: u32 = 80;

// @ts-ignore: decorator
@inline
function record(f: u32): Fifo {
  return changetype<Fifo>(FIFOS + (f << 6));
}

export function fifosReset(): void {
  memory.fill(FIFOS, 0, 5120);
}

/** Number of a side's queue. */
// @ts-ignore: decorator
@inline
export function queue(side: u32, index: u32): u32 {
  return side * QUEUES + index;
}

/**
 * Makes a queue of `cap` entries, a power of two. The consumer is woken by a push, who waits for room by a
 * pop.
 */
export function buildFifo(side: u32, index: u32, cap: u32, consumer: u32): void {
  assert(popcnt(cap) == 1, "capacity of a queue is a power of two");
  const f = record(queue(side, index));
  f.items = reserve((<u64>cap) << 4);
  f.cap = cap;
  f.side = side;
  f.consumer = consumer;
  f.waiting = 0;
  f.head = 0;
  f.count = 0;
  f.reserved = 0;
  f.seen = 0;
}

// @ts-ignore: decorator
@inline
function room(q: Fifo): u32 {
  return q.cap - q.count - q.reserved;
}

/** True when fewer than n entries are free; the unit that asks is then woken by the pop that frees enough. */
// @ts-ignore: decorator
@inline
export function lacks(f: u32, n: u32): bool {
  const q = record(f);
  if (room(q) >= n) return false;
  if (q.waiting == 0 || n < q.wanted) q.wanted = n;
  q.waiting |= (<u32>1) << currentUnit;
  return true;
}

/** Reserves n entries that a later push will fill. */
// @ts-ignore: decorator
@inline
export function hold(f: u32, n: u32): void {
  const q = record(f);
  q.reserved += n;
  assert(q.count + q.reserved <= q.cap, "queue over-reserved");
}

/** Gives up n entries that were reserved. */
export function letGo(f: u32, n: u32): void {
  const q = record(f);
  q.reserved -= n;
  if (q.waiting != 0 && room(q) >= q.wanted) wakeWaiting(q);
}

/** Appends; the consumer sees it from `ready` on. */
export function push(f: u32, job: u32, ready: u64): void {
  const q = record(f);
  assert(q.count + q.reserved < q.cap, "queue overflow");
  const at = q.items + (((q.head + q.count) & (q.cap - 1)) << 4);
  store<u64>(at, ready);
  store<u32>(at, job, 8);
  q.count++;
  if (q.consumer != NOBODY) wake(q.side, q.consumer, ready);
}

/** Puts a job before those that may be seen later; of equal times the one that was put first is first. */
export function pushSooner(f: u32, job: u32, ready: u64): void {
  push(f, job, ready);
  const q = record(f);
  for (let i = q.count - 1; i != 0; i--) {
    const at = q.items + (((q.head + i) & (q.cap - 1)) << 4);
    const before = q.items + (((q.head + i - 1) & (q.cap - 1)) << 4);
    if (load<u64>(before) <= ready) return;
    memory.copy(at, before, 16);
    store<u64>(before, ready);
    store<u32>(before, job, 8);
  }
}

/** Puts a job before all others. */
export function pushFirst(f: u32, job: u32, ready: u64): void {
  const q = record(f);
  assert(q.count + q.reserved < q.cap, "queue overflow");
  q.head = (q.head - 1) & (q.cap - 1);
  store<u64>(q.items + (q.head << 4), ready);
  store<u32>(q.items + (q.head << 4), job, 8);
  q.count++;
  q.seen = 0;
  wake(q.side, q.consumer, ready);
}

/** Appends into a reserved entry. */
export function pushHeld(f: u32, job: u32, ready: u64): void {
  record(f).reserved--;
  push(f, job, ready);
}

// @ts-ignore: decorator
@inline
export function length(f: u32): u32 {
  return record(f).count;
}

/** True when the head may be seen at t; when it may be seen later, the consumer is woken then. */
// @ts-ignore: decorator
@inline
export function ready(f: u32, t: u64): bool {
  return record(f).count != 0 && readyHead(f, t);
}

function readyHead(f: u32, t: u64): bool {
  const q = record(f);
  const at = load<u64>(q.items + (q.head << 4));
  if (at <= t) return true;
  wake(q.side, q.consumer, at);
  return false;
}

/** The oldest job; only when the queue is not empty. */
// @ts-ignore: decorator
@inline
export function head(f: u32): u32 {
  const q = record(f);
  return load<u32>(q.items + (q.head << 4), 8);
}

/** From when on the oldest job may be seen; only when the queue is not empty. */
export function headSeenFrom(f: u32): u64 {
  const q = record(f);
  return load<u64>(q.items + (q.head << 4));
}

/** Takes the head; who waits for room is woken. */
export function pop(f: u32): u32 {
  const q = record(f);
  assert(q.count != 0, "pop of an empty queue");
  const job = load<u32>(q.items + (q.head << 4), 8);
  q.head = (q.head + 1) & (q.cap - 1);
  q.count--;
  if (q.seen != 0) q.seen--;
  if (q.waiting != 0 && room(q) >= q.wanted) wakeWaiting(q);
  return job;
}

/** Takes the head, one of those that readyCount() has found at t. */
export function popReady(f: u32, t: u64): u32 {
  assert(headSeenFrom(f) <= t, "a job is taken before it may be seen");
  return pop(f);
}

function wakeWaiting(q: Fifo): void {
  let mask = q.waiting;
  q.waiting = 0;
  while (mask != 0) {
    wake(q.side, <u32>ctz<u32>(mask), now);
    mask &= mask - 1;
  }
}

/** How many entries may be seen at t, up to a limit. Who asks again and again counts each of them once. */
export function readyCount(f: u32, t: u64, most: u32): u32 {
  const q = record(f);
  const end = q.count < most ? q.count : most;
  let n = q.seen;
  if (n >= end) return end;
  while (n < end && load<u64>(q.items + (((q.head + n) & (q.cap - 1)) << 4)) <= t) n++;
  q.seen = n;
  return n;
}

/** Entries left and reserved in all queues of a side: zero when everything is home. */
export function fifosLeft(side: u32): u32 {
  let n: u32 = 0;
  for (let i = side * QUEUES; i < (side + 1) * QUEUES; i++) n += record(i).count + record(i).reserved;
  return n;
}
