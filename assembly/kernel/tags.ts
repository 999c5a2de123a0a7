// SPDX-License-Identifier: Apache-2.0
// Tags and completion buffer of a requester: what a read takes when it is issued, and gives back with its
// answer. They belong to one requester, so that what it waits for depends on nobody else.
import {
  I_CONSERVED,
  I_CREDITS,
  I_TAG_IN_USE,
  S_PCIE_COMBINE_ABOVE,
  S_PCIE_MPS,
  S_PCIE_RCB,
  TAGS_MAX,
} from "../abi";
import { reserve } from "./memory";
import { p32 } from "./params";
import { now } from "./schedule";
import { broken } from "./stats";

/** Requesters with tags of their own. */
export const TAGGED: u32 = 7;

//  tag record, 32 bytes:       | issued u64 | cookie u32 | bytes u32 | headers u32 | in use u32 |
//  completions u32 | - |
//  requester record, 64 bytes: | tag list | first tag | tags | free | buffer bytes | buffer headers |
//  answers | buffer in all, bytes and headers | next ring | rings | completions free and in all |
//  next tag of each ring: in the place of the tag list
const TAG = memory.data(65536, 16);
const REQUESTER = memory.data(896, 16); // 2 sides * TAGGED * 64

if (TAGS_MAX * 64 != 65536 || TAGGED * 128 != 896) ERROR("tags");


@unmanaged
class Tag {
  issued: u64;
  cookie: u32;
  bytes: u32;
  headers: u32;
  used: u32;
  completions: u32;
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
  next: u32; // ring that is asked first
  rings: u32; // of tags that are taken in turn; 0: any free tag is taken
  completions: u32;
  completionsAll: u32; // 0: there is no limit
}

// @ts-ignore: decorator
@inline
function requester(side: u32, r: u32): Requester {
  return changetype<Requester>(REQUESTER + ((side * TAGGED + r) << 6));
}

// @ts-ignore: decorator
@inline
function tag(side: u32, index: u32): Tag {
  return changetype<Tag>(TAG + ((side * TAGS_MAX + index) << 5));
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
  q.next = 0;
  q.rings = 0;
  q.completions = q.completionsAll = 0;
  for (let i: u32 = 0; i < tags; i++) {
    store<u32>(q.list + (i << 2), first + tags - 1 - i);
    tag(side, first + i).used = 0;
  }
}

/**
 * Divides the tags of a requester into rings as even as can be, of a tag or more. The next tag of a ring is
 * taken, and none else: it is waited for though others are free. Rings are asked in turn, from the one after
 * that which gave the last tag.
 */
export function takeInTurn(side: u32, r: u32, rings: u32): void {
  const q = requester(side, r);
  q.rings = rings < q.tags ? rings : q.tags;
  for (let i: u32 = 0; i < q.rings; i++) store<u32>(q.list + (i << 2), ringFirst(q, i));
}

/** Lets the reads of a requester wait for so many completions at most; 0: for any number. */
export function limitCompletions(side: u32, r: u32, most: u32): void {
  const q = requester(side, r);
  q.completions = q.completionsAll = most;
}

/** First tag of a ring; of the ring after the last, the end of the tags. */
// @ts-ignore: decorator
@inline
function ringFirst(q: Requester, ring: u32): u32 {
  return q.first + (ring * q.tags) / q.rings;
}

/** The ring that gives the next tag; as many as there are when each waits for its own. */
function givingRing(side: u32, q: Requester): u32 {
  for (let i: u32 = 0; i < q.rings; i++) {
    const ring = (q.next + i) % q.rings;
    if (tag(side, load<u32>(q.list + (ring << 2))).used == 0) return ring;
  }
  return q.rings;
}

function takeFromRing(side: u32, q: Requester): u32 {
  const ring = givingRing(side, q);
  const at = q.list + (ring << 2);
  const index = load<u32>(at);
  store<u32>(at, index + 1 == ringFirst(q, ring + 1) ? ringFirst(q, ring) : index + 1);
  q.next = (ring + 1) % q.rings;
  q.free--;
  return index;
}

/** Completions that host memory answers a read with: cut at multiples of RCB, or of MPS when it combines. */
export function completionsOf(side: u32, address: u64, bytes: u32): u32 {
  const unit = bytes <= p32(side, S_PCIE_COMBINE_ABOVE) ? p32(side, S_PCIE_RCB) : p32(side, S_PCIE_MPS);
  return (((<u32>address) & (unit - 1)) + bytes + unit - 1) / unit;
}

/** True when a read's completions are within the requester's limit. */
export function completionsFit(side: u32, r: u32, address: u64, bytes: u32): bool {
  const q = requester(side, r);
  return q.completionsAll == 0 || q.completions >= completionsOf(side, address, bytes);
}

// @ts-ignore: decorator
@inline
export function tagsFree(side: u32, r: u32): u32 {
  const q = requester(side, r);
  return q.rings != 0 && givingRing(side, q) == q.rings ? 0 : q.free;
}

/** True when the completions of a read fit the requester's share of the completion buffer. */
// @ts-ignore: decorator
@inline
export function bufferFits(side: u32, r: u32, bytes: u32, headers: u32): bool {
  const q = requester(side, r);
  return q.bytes >= bytes && q.headers >= headers;
}

/** When the read of a tag was issued. */
// @ts-ignore: decorator
@inline
export function issuedAt(side: u32, index: u32): u64 {
  return tag(side, index).issued;
}

/** What was given with the read of a tag. */
export function cookieOf(side: u32, index: u32): u32 {
  return tag(side, index).cookie;
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
  if (q.completionsAll != 0) q.completions += t.completions;
  if (q.rings == 0) store<u32>(q.list + (q.free << 2), index);
  q.free++;
  return t.cookie;
}

/** Takes a tag and completion buffer for a read; the caller has checked that all fit. Returns the tag. */
export function takeForRead(side: u32, r: u32, address: u64, bytes: u32, headers: u32, cookie: u32): u32 {
  const q = requester(side, r);
  assert(q.free != 0, "no tag");
  const index = q.rings != 0 ? takeFromRing(side, q) : load<u32>(q.list + (--q.free << 2));
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
  if (q.completionsAll != 0) {
    t.completions = completionsOf(side, address, bytes);
    if (q.completions < t.completions) broken(I_CREDITS, t.completions, q.completions, now);
    q.completions -= t.completions;
  }
  return index;
}

/** The queue that takes the answer of a tag: all its bytes have come. */
export function answersOf(side: u32, r: u32, index: u32, bytes: u32, t: u64): u32 {
  const g = tag(side, index);
  if (g.used == 0) broken(I_TAG_IN_USE, index, 0, t);
  if (g.bytes != bytes) broken(I_CONSERVED, bytes, g.bytes, t);
  return requester(side, r).answers;
}

/** Tags, completion buffer and completions of a side's requesters that are not home. */
export function tagsOut(side: u32): u32 {
  let n: u32 = 0;
  for (let r: u32 = 0; r < TAGGED; r++) {
    const q = requester(side, r);
    n += q.tags - q.free + (q.bytesAll - q.bytes) + (q.headersAll - q.headers);
    n += q.completionsAll - q.completions;
  }
  return n;
}
