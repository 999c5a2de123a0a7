// SPDX-License-Identifier: Apache-2.0
// Ports of a bus. A requester (or the completer's memory) puts transactions into a bounded port; the wire
// that owns the port takes them. Answers come back through a queue of the requester. A requester owns tags
// and completion buffer of its own, so that what it waits for depends on nobody else.
//
//   entry, 32 bytes: | ready u64 | address u64 | bytes u32 | cookie u32 | after u32 | flags u16 | done u16 |
//   port, 48 bytes:  | items | mask | head | count | side | owner unit | waiting | - |
import {
  I_CONSERVED,
  I_CREDITS,
  I_TAG_IN_USE,
  I_TLP_RULES,
  PORT_COMPLETION,
  PORT_DOORBELL,
  PORT_POSTED,
  PORT_READ,
  TAGS_MAX,
  T_ANSWER,
  T_PUT,
} from "../abi";
import { push } from "./fifo";
import { reserve } from "./memory";
import { currentUnit, now, wake } from "./schedule";
import { broken } from "./stats";
import { happened } from "./timeline";

/** Ports of a side. A requester r posts at UP_POSTED + r and reads at UP_READ + r. */
export const UP_POSTED: u32 = PORT_POSTED;
export const UP_READ: u32 = PORT_READ;
export const DOWN_POSTED: u32 = PORT_DOORBELL;
export const DOWN_COMPLETION: u32 = PORT_COMPLETION;
export const PORTS: u32 = 10;
export const REQUESTERS: u32 = 4;


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
  pad: u32;
}

const PORT = memory.data(960, 16); // 2 sides * PORTS * 48
// when the wire of a side and direction is free: there is no use in waking it before
const WIRE_FREE = memory.data(32, 8);

// @ts-ignore: decorator
@inline
export function setWireFree(side: u32, dir: u32, t: u64): void {
  store<u64>(WIRE_FREE + ((side * 2 + dir) << 3), t);
}

// one bit a port of a side: set while something is in it
const FILLED = memory.data(8, 8);

/** Ports of a side that hold something, a bit each. */
// @ts-ignore: decorator
@inline
export function filled(side: u32): u32 {
  return load<u32>(FILLED + (side << 2));
}

// posted transactions of a side put and gone: writes keep their order, reads do not pass them
const ORDER = memory.data(16, 16);

// @ts-ignore: decorator
@inline
export function postedGone(side: u32): u32 {
  return load<u32>(ORDER + (side << 3), 4);
}

export function setPostedGone(side: u32, n: u32): void {
  store<u32>(ORDER + (side << 3), n, 4);
}

/** Starts the count of posted writes anew. */
export function orderReset(): void {
  memory.fill(ORDER, 0, 16);
  memory.fill(FILLED, 0, 8);
  memory.fill(WIRE_FREE, 0, 32);
}

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
  e.after = load<u32>(ORDER + (side << 3));
  if (index < UP_READ) store<u32>(ORDER + (side << 3), e.after + 1);
  q.count++;
  store<u32>(FILLED + (side << 2), load<u32>(FILLED + (side << 2)) | ((<u32>1) << index));
  happened(T_PUT, side, index, ready, bytes, address, now);
  const free = load<u64>(WIRE_FREE + ((side * 2 + (index >= DOWN_POSTED ? 1 : 0)) << 3));
  wake(side, q.owner, ready > free ? ready : free);
}

/** Takes the head of port `index` and wakes who waits for room in it. */
export function take(q: Port, index: u32): void {
  q.head = (q.head + 1) & q.mask;
  q.count--;
  if (q.count == 0) {
    store<u32>(FILLED + (q.side << 2), load<u32>(FILLED + (q.side << 2)) & ~((<u32>1) << index));
  }
  let mask = q.waiting;
  q.waiting = 0;
  while (mask != 0) {
    wake(q.side, <u32>ctz<u32>(mask), now);
    mask &= mask - 1;
  }
}

//  tag record, 24 bytes:       | issued u64 | cookie u32 | bytes u32 | headers u32 | in use u32 |
//  requester record, 48 bytes: | tag list | first tag | tags | free | buffer bytes | buffer headers |
//  answers |
const TAG = memory.data(49152, 16);
const REQUESTER = memory.data(384, 16); // 2 sides * REQUESTERS * 48

if (TAGS_MAX * 48 != 49152) ERROR("tags");


@unmanaged
class Tag {
  issued: u64;
  cookie: u32;
  bytes: u32;
  headers: u32;
  used: u32;
}


@unmanaged
class Requester {
  list: usize;
  first: u32;
  tags: u32;
  free: u32;
  bytes: u32;
  headers: u32;
  answers: u32;
  bytesAll: u32;
  headersAll: u32;
}

// @ts-ignore: decorator
@inline
function requester(side: u32, r: u32): Requester {
  return changetype<Requester>(REQUESTER + (side * REQUESTERS + r) * 48);
}

// @ts-ignore: decorator
@inline
function tag(side: u32, index: u32): Tag {
  return changetype<Tag>(TAG + (side * TAGS_MAX + index) * 24);
}

/** Gives a requester its tags [first, first + tags), completion buffer and queue of answers. */
export function buildRequester(
  side: u32,
  r: u32,
  first: u32,
  tags: u32,
  bytes: u32,
  headers: u32,
  answers: u32,
): void {
  const q = requester(side, r);
  q.list = reserve(<u64>(tags + 1) * 4);
  q.first = first;
  q.tags = tags;
  q.free = tags;
  q.bytes = bytes;
  q.headers = headers;
  q.bytesAll = bytes;
  q.headersAll = headers;
  q.answers = answers;
  for (let i: u32 = 0; i < tags; i++) {
    store<u32>(q.list + (i << 2), first + tags - 1 - i);
    tag(side, first + i).used = 0;
  }
}

// @ts-ignore: decorator
@inline
export function tagsFree(side: u32, r: u32): u32 {
  return requester(side, r).free;
}

/** True when the completions of a read fit the requester's share of the completion buffer. */
// @ts-ignore: decorator
@inline
export function bufferFits(side: u32, r: u32, bytes: u32, headers: u32): bool {
  const q = requester(side, r);
  return q.bytes >= bytes && q.headers >= headers;
}

/**
 * Issues a read: takes a tag and completion buffer, puts the request. The caller has checked that all fit.
 */
export function issueRead(
  side: u32,
  r: u32,
  address: u64,
  bytes: u32,
  headers: u32,
  cookie: u32,
  ready: u64,
): void {
  const q = requester(side, r);
  assert(q.free != 0, "no tag");
  const index = load<u32>(q.list + (--q.free << 2));
  const t = tag(side, index);
  if (t.used != 0) broken(I_TAG_IN_USE, index, t.cookie, now);
  t.used = 1;
  t.issued = now;
  t.cookie = cookie;
  t.bytes = bytes;
  t.headers = headers;
  if (q.bytes < bytes) broken(I_CREDITS, bytes, q.bytes, now);
  if (q.headers < headers) broken(I_CREDITS, headers, q.headers, now);
  q.bytes -= bytes;
  q.headers -= headers;
  put(side, UP_READ + r, address, bytes, index, r, ready);
}

/** The last byte of a read's completions will be at the card at t: its answer can be taken from then on. */
export function answer(side: u32, r: u32, index: u32, bytes: u32, t: u64): void {
  const g = tag(side, index);
  if (g.used == 0) broken(I_TAG_IN_USE, index, 0, t);
  if (g.bytes != bytes) broken(I_CONSERVED, bytes, g.bytes, t);
  happened(T_ANSWER, side, r, t, index, bytes, 0);
  push(requester(side, r).answers, index, t);
}

/** When the read of a tag was issued. */
// @ts-ignore: decorator
@inline
export function issuedAt(side: u32, index: u32): u64 {
  return tag(side, index).issued;
}

/** Bytes that the read of a tag asked for. */
// @ts-ignore: decorator
@inline
export function tagBytes(side: u32, index: u32): u32 {
  return tag(side, index).bytes;
}

/**
 * Takes a read's answer: frees the tag and its completion buffer; returns the cookie given when it was
 * issued.
 */
export function finishRead(side: u32, r: u32, index: u32): u32 {
  const q = requester(side, r);
  const t = tag(side, index);
  if (t.used != 1) broken(I_TAG_IN_USE, index, t.used, now);
  t.used = 0;
  q.bytes += t.bytes;
  q.headers += t.headers;
  store<u32>(q.list + (q.free++ << 2), index);
  return t.cookie;
}

/** Tags and completion buffer that are not home. */
export function requestersOut(side: u32): u32 {
  let n: u32 = 0;
  for (let r: u32 = 0; r < REQUESTERS; r++) {
    const q = requester(side, r);
    n += q.tags - q.free + (q.bytesAll - q.bytes) + (q.headersAll - q.headers);
  }
  for (let i: u32 = 0; i < PORTS; i++) n += port(side, i).count;
  return n;
}

/** A transaction broke a rule of the bus: `what` beside its limit. */
// @ts-ignore: decorator
@inline
export function busRule(ok: bool, what: u64, limit: u64): void {
  if (!ok) broken(I_TLP_RULES, what, limit, now);
}
