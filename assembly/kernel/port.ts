// SPDX-License-Identifier: Apache-2.0
// Ports of a bus. A requester (or the completer's memory) puts transactions into a bounded port; the wire
// that owns the port takes them. Answers come back through a queue of the requester. A requester owns tags
// and completion buffer of its own, so that what it waits for depends on nobody else.
//
//   entry, 32 bytes: | ready u64 | address u64 | bytes u32 | cookie u32 | after u32 | flags u16 | done u16 |
//   port, 48 bytes:  | items | mask | head | count | side | owner unit | waiting | late |
//   late, 16 bytes an entry, with an ATC: | ready u64 once it is translated | request u32 | - |
import {
  I_TLP_RULES,
  PORT_COMPLETION,
  PORT_DOORBELL,
  PORT_POSTED,
  PORT_READ,
  PORT_TRANSLATE,
  R_ATS,
  R_TENANT,
  T_ANSWER,
  T_PUT,
} from "../abi";
import {
  TRANSLATION_BYTES,
  fresh,
  hasAtc,
  keepAnswer,
  lookup,
  nextUntagged,
  pageOf,
  tagHome,
  takeTag,
  untagged,
  waitForTag,
  wanted,
} from "./atc";
import { push } from "./fifo";
import { reserve } from "./memory";
import { filled, postedGone, postedPut, setFilled, setPostedPut, wireFree } from "./order";
import { currentUnit, now, wake } from "./schedule";
import { broken } from "./stats";
import { answersOf, finishRead, tagsOut, takeForRead } from "./tags";
import { NEVER } from "./time";
import { happened } from "./timeline";

/** Ports of a side. A requester r posts at UP_POSTED + r and reads at UP_READ + r. */
export const UP_POSTED: u32 = PORT_POSTED;
export const UP_READ: u32 = PORT_READ;
export const DOWN_POSTED: u32 = PORT_DOORBELL;
export const DOWN_COMPLETION: u32 = PORT_COMPLETION;
export const UP_TRANSLATE: u32 = PORT_TRANSLATE;
export const PORTS: u32 = 11;
/** Requesters with ports of their own; the ATC is one more, those beyond it use the ports of other I/O. */
export const REQUESTERS: u32 = 4;
/** Flags beside a requester: a read is an AtomicOp, whose request has an operand, or two of them (CAS). */
export const ATOMIC: u32 = 256;
export const TWO_OPERANDS: u32 = 512;


@unmanaged
export class Entry {
  ready: u64;
  address: u64;
  bytes: u32; // of data: requested, written or completed
  cookie: u32; // tag of a read, argument of a write
  after: u32; // posted transactions that must have gone before
  flags: u16; // where an answer goes
  done: u16; // bytes already sent
}


@unmanaged
export class Port {
  items: usize;
  mask: u32;
  head: u32;
  count: u32;
  side: u32;
  owner: u32;
  waiting: u32; // units that found no room, a bit each
  late: usize; // what waits for its translation, 0 without an ATC
}

const PORT = memory.data(1056, 16); // 2 sides * PORTS * 48

// @ts-ignore: decorator
@inline
export function port(side: u32, index: u32): Port {
  return changetype<Port>(PORT + (side * PORTS + index) * 48);
}

export function buildPort(side: u32, index: u32, depth: u32, owner: u32): void {
  const q = port(side, index);
  q.items = reserve((<u64>depth) << 5);
  q.mask = depth - 1;
  q.head = 0;
  q.count = 0;
  q.side = side;
  q.owner = owner;
  q.waiting = 0;
  q.late = index < DOWN_POSTED && hasAtc(side) ? reserve((<u64>depth) << 4) : 0;
}

/** True when a port is full; the unit that asks is then woken when the wire takes something out of it. */
// @ts-ignore: decorator
@inline
export function portFull(side: u32, index: u32): bool {
  const q = port(side, index);
  if (q.count <= q.mask) return false;
  q.waiting |= (<u32>1) << currentUnit;
  return true;
}

/** True when a port has fewer than n places; the unit that asks is then woken as by portFull(). */
export function portLacks(side: u32, index: u32, n: u32): bool {
  const q = port(side, index);
  if (q.count + n <= q.mask + 1) return false;
  q.waiting |= (<u32>1) << currentUnit;
  return true;
}

// @ts-ignore: decorator
@inline
export function portHead(q: Port): Entry {
  return changetype<Entry>(q.items + ((<usize>q.head) << 5));
}

// @ts-ignore: decorator
@inline
function entry(q: Port, index: u32): Entry {
  return changetype<Entry>(q.items + ((<usize>((q.head + index) & q.mask)) << 5));
}

/**
 * The place of a completion that is ready at `ready`: completions pass each other, equal times keep order.
 * One that has begun was ready before any that is put now.
 */
function place(q: Port, ready: u64): Entry {
  let at = q.count;
  while (at != 0 && entry(q, at - 1).ready > ready) {
    memory.copy(changetype<usize>(entry(q, at)), changetype<usize>(entry(q, at - 1)), 32);
    at--;
  }
  return entry(q, at);
}

/** Puts a transaction into a port; the wire may take it from `ready` on. */
export function put(
  side: u32,
  index: u32,
  address: u64,
  bytes: u32,
  cookie: u32,
  flags: u32,
  ready: u64,
): void {
  const q = port(side, index);
  assert(q.count <= q.mask, "port overflow");
  const e = index == DOWN_COMPLETION ? place(q, ready) : entry(q, q.count);
  e.ready = ready;
  e.address = address;
  e.bytes = bytes;
  e.cookie = cookie;
  e.flags = <u16>flags;
  e.done = 0;
  e.after = postedPut(side);
  if (index < UP_READ) setPostedPut(side, e.after + 1);
  q.count++;
  setFilled(side, filled(side) | ((<u32>1) << index));
  happened(T_PUT, side, index, ready, bytes, address, now);
  if (q.late != 0) {
    translate(side, q, e);
    if (e.ready == NEVER) return;
  }
  // translation requests are ordered behind what has gone alone: what waits for them has not
  if (index == UP_TRANSLATE) e.after = postedGone(side);
  wakeOwner(side, q, index, e.ready);
}

// @ts-ignore: decorator
@inline
function wakeOwner(side: u32, q: Port, index: u32, ready: u64): void {
  const down: u32 = index == DOWN_POSTED || index == DOWN_COMPLETION ? 1 : 0;
  const free = wireFree(side, down);
  wake(side, q.owner, ready > free ? ready : free);
}

/** A transaction of the card is put: it may go when its page is translated too. */
function translate(side: u32, q: Port, e: Entry): void {
  const there = lookup(side, e.address);
  if (there != NEVER) {
    if (there > e.ready) e.ready = there;
    return;
  }
  store<u64>(late(q, e), e.ready);
  store<u32>(late(q, e), wanted, 8);
  if (fresh) ask(side, pageOf(side, e.address), wanted, e.ready);
  e.ready = NEVER;
}

// @ts-ignore: decorator
@inline
function late(q: Port, e: Entry): usize {
  return q.late + ((changetype<usize>(e) - q.items) >> 1);
}

/** Puts a translation request that has a tag; else it waits for one. */
function ask(side: u32, address: u64, request: u32, ready: u64): void {
  const free = takeTag(side);
  if (free == NEVER) waitForTag(side, address, request, ready);
  else issueRead(side, R_ATS, address, TRANSLATION_BYTES, 1, request, ready > free ? ready : free);
}

/** The answer of a translation request will be at the card at t: so long its tag is out. */
function translated(side: u32, index: u32, t: u64): void {
  const request = finishRead(side, R_ATS, index);
  keepAnswer(side, request, t);
  tagHome(side, t);
  if (untagged(side) != 0) {
    const next = nextUntagged(side);
    ask(side, load<u64>(next, 8), load<u32>(next, 16), load<u64>(next));
  }
  for (let i: u32 = 0; i < DOWN_POSTED; i++) {
    const q = port(side, i);
    for (let k: u32 = 0; k < q.count; k++) {
      const e = entry(q, k);
      if (e.ready != NEVER || load<u32>(late(q, e), 8) != request) continue;
      const ready = load<u64>(late(q, e));
      e.ready = ready > t ? ready : t;
      if (k == 0) wakeOwner(side, q, i, e.ready);
    }
  }
}

/** Takes the head of port `index` and wakes who waits for room in it. */
export function take(q: Port, index: u32): void {
  q.head = (q.head + 1) & q.mask;
  q.count--;
  if (q.count == 0) {
    setFilled(q.side, filled(q.side) & ~((<u32>1) << index));
  }
  let mask = q.waiting;
  q.waiting = 0;
  while (mask != 0) {
    wake(q.side, <u32>ctz<u32>(mask), now);
    mask &= mask - 1;
  }
}

/** Issues a read: takes tag and completion buffer, puts the request; the caller has checked that all fit. */
export function issueRead(
  side: u32,
  r: u32,
  address: u64,
  bytes: u32,
  headers: u32,
  cookie: u32,
  ready: u64,
): void {
  const index = takeForRead(side, r, address, bytes, headers, cookie);
  const through = r == R_ATS ? UP_TRANSLATE : UP_READ + (r < R_ATS ? r : R_TENANT);
  put(side, through, address, bytes, index, r, ready);
}

/** Issues an AtomicOp on 4 or 8 aligned bytes: as a read of them, with one operand or two. */
export function issueAtomic(
  side: u32,
  r: u32,
  address: u64,
  bytes: u32,
  operands: u32,
  cookie: u32,
  ready: u64,
): void {
  const index = takeForRead(side, r, address, bytes, 1, cookie);
  const flags = r | (operands == 2 ? ATOMIC | TWO_OPERANDS : ATOMIC);
  put(side, UP_READ + (r < R_ATS ? r : R_TENANT), address, bytes, index, flags, ready);
}

/** The last byte of a read's completions will be at the card at t: its answer can be taken from then on. */
export function answer(side: u32, r: u32, index: u32, bytes: u32, t: u64): void {
  const answers = answersOf(side, r, index, bytes, t);
  happened(T_ANSWER, side, r, t, index, bytes, 0);
  if (r == R_ATS) translated(side, index, t);
  else push(answers, index, t);
}

/** Tags, completion buffer and entries of ports that are not home. */
export function requestersOut(side: u32): u32 {
  let n = tagsOut(side);
  for (let i: u32 = 0; i < PORTS; i++) n += port(side, i).count;
  return n + untagged(side);
}

/** A transaction broke a rule of the bus: `what` beside its limit. */
// @ts-ignore: decorator
@inline
export function busRule(ok: bool, what: u64, limit: u64): void {
  if (!ok) broken(I_TLP_RULES, what, limit, now);
}
