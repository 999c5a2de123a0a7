// SPDX-License-Identifier: Apache-2.0
// The two data links as byte streams between the cards: A carries device state, B pages and addresses; each
// runs both ways. A stream holds the records in it (and their bytes, where bytes are carried) from the moment
// the framer has appended them until the receiver has taken them out. What the far side does is known to the
// sender only through what comes back on the wire.
//
//   record, 48 bytes: | end u64 | nonce u64 | pfn | version | word | kind | bytes | flags | round | base |
import { G_NET_TLS, RECORD_HEADER_BYTES } from "../abi";
import { reserve } from "./memory";
import { g32 } from "./params";

export const LINK_A: u32 = 0;
export const LINK_B: u32 = 1;
/** The byte ring as it begins. */
const RING_FIRST_BYTES: u32 = 262144;


@unmanaged
export class Stream {
  appended: u64; // bytes appended; visible to the wire from `seenFrom` on, before that `before`
  before: u64;
  seenFrom: u64;
  released: u64; // bytes the sender knows to have been taken out
  records: usize;
  bytes: usize;
  mask: u32; // of the byte ring as it is now
  first: u32; // oldest record kept
  next: u32; // next record the receiver takes
  last: u32; // next record to append
  cap: u32; // records
  // bytes the receiver has taken out; the wire sees it from `takenFrom` on, before that `taken`
  position: u64;
  taken: u64;
  takenFrom: u64;
  heedFrom: u64; // the position from which taking out matters to the receiver's port
  una: u64; // first byte not acknowledged, as the sender knows
  received: u64; // bytes the receiver has in order
  ring: u32; // bytes laid out for the byte ring
}


@unmanaged
export class Record {
  end: u64;
  nonce: u64;
  pfn: u32;
  version: u32;
  word: u32;
  kind: u32;
  bytes: u32;
  flags: u32;
  round: u32;
  base: u32; // version that a delta is of
}

const STREAMS = memory.data(1024, 16);

if (offsetof<Record>() != 48) ERROR("stream record");
if (offsetof<Stream>() > 128) ERROR("stream");

/** The stream that `side` sends on a link. */
// @ts-ignore: decorator
@inline
export function stream(side: u32, link: u32): Stream {
  return changetype<Stream>(STREAMS + ((side * 2 + link) << 7));
}

/** Lays out a stream; `ring` bytes (a power of two) are kept when bytes are carried, else 0. */
export function buildStream(side: u32, link: u32, records: u32, ring: u32): void {
  const s = stream(side, link);
  memory.fill(changetype<usize>(s), 0, 128);
  s.records = reserve(<u64>records * 48);
  s.cap = records;
  s.bytes = ring == 0 ? 0 : reserve(ring);
  s.ring = ring;
  s.mask = (ring < RING_FIRST_BYTES ? ring : RING_FIRST_BYTES) - 1;
}

/**
 * Makes the ring hold all that is in the stream. It begins small and doubles up to what was laid out: of a
 * window most is seldom in use, and memory that is touched for the first time costs more than all that is
 * done to it.
 */
export function ringFit(s: Stream): void {
  while (s.appended - s.position > <u64>s.mask + 1) {
    const size = s.mask + 1;
    assert(size < s.ring, "byte ring of a stream overflows");
    // every other stretch of the old size moves up by it
    let at = s.position;
    while (at < s.appended) {
      const end = min<u64>((at | s.mask) + 1, s.appended);
      const from = s.bytes + <usize>(at & s.mask);
      if ((at & size) != 0) memory.copy(from + size, from, <usize>(end - at));
      at = end;
    }
    s.mask = (size << 1) - 1;
  }
}

// @ts-ignore: decorator
@inline
export function recordAt(s: Stream, index: u32): Record {
  return changetype<Record>(s.records + <usize>(index & (s.cap - 1)) * 48);
}

/** Bytes that the wire may see at t. */
// @ts-ignore: decorator
@inline
export function visible(s: Stream, t: u64): u64 {
  return t >= s.seenFrom ? s.appended : s.before;
}

/** The receiver takes a record of `total` bytes out at a clock edge; the wire sees it from `from` on. */
export function takeOut(s: Stream, total: u32, from: u64): void {
  s.taken = s.position;
  s.position += total;
  s.takenFrom = from;
  s.next++;
}

/** A stream whose bytes nobody looks at: `bytes` are there from the start; the receiver
 * sets what is taken. */
export function endlessStream(side: u32, link: u32, bytes: u64): void {
  buildStream(side, link, 0, 0);
  const s = stream(side, link);
  s.before = bytes;
  s.appended = bytes;
}

/** Bytes taken out, as the wire sees them at t. */
// @ts-ignore: decorator
@inline
export function takenAt(s: Stream, t: u64): u64 {
  return t >= s.takenFrom ? s.position : s.taken;
}

/** True when the receiver of a stream holds the whole of its next record. */
// @ts-ignore: decorator
@inline
export function recordThere(s: Stream): bool {
  return s.next != s.last && recordAt(s, s.next).end <= s.received;
}

/** True when another record fits the sender's table. */
export function tableFits(s: Stream): bool {
  while (s.first != s.last && recordAt(s, s.first).end <= s.released) s.first++;
  return s.last - s.first < s.cap;
}

/** Appends a record of header, payload and tag; the wire sees it from `seenFrom` on. */
export function append(s: Stream, total: u32, seenFrom: u64): Record {
  s.before = s.appended;
  s.appended += total;
  s.seenFrom = seenFrom;
  const r = recordAt(s, s.last++);
  r.end = s.appended;
  return r;
}

/** Copies bytes into the ring at a position of the stream. */
export function ringWrite(s: Stream, at: u64, from: usize, n: u32): void {
  const offset = (<u32>at) & s.mask;
  const part = s.mask + 1 - offset;
  if (n <= part) {
    memory.copy(s.bytes + offset, from, n);
  } else {
    memory.copy(s.bytes + offset, from, part);
    memory.copy(s.bytes, from + part, n - part);
  }
}

/** Flips a bit at a position of the stream. */
export function ringFlip(s: Stream, at: u64): void {
  const where = s.bytes + ((<u32>at) & s.mask);
  store<u8>(where, load<u8>(where) ^ 1);
}

/** Copies bytes out of the ring. */
export function ringRead(s: Stream, at: u64, to: usize, n: u32): void {
  const offset = (<u32>at) & s.mask;
  const part = s.mask + 1 - offset;
  if (n <= part) {
    memory.copy(to, s.bytes + offset, n);
  } else {
    memory.copy(to, s.bytes + offset, part);
    memory.copy(to + part, s.bytes, n - part);
  }
}

/** Records of both directions that were appended and not taken. */
export function streamsLeft(): u32 {
  let n: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    const s = stream(i >> 1, i & 1);
    n += s.last - s.next;
  }
  return n;
}

/** Bytes of a record on the stream: header, payload, tag when it is sealed, and TLS around it. */
// @ts-ignore: decorator
@inline
export function recordBytes(payload: u32, tag: u32): u32 {
  return RECORD_HEADER_BYTES + payload + tag + g32(G_NET_TLS);
}
