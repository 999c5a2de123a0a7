// SPDX-License-Identifier: Apache-2.0
// The record that carries a page, a chunk of device state or a control word over a data link:
//
//   header, 16 bytes: | page number, offset or count u32 | sequence u32 | payload bytes u16 | codec u8 |
//   kind u8 | version, or round of a control record, u32 | codec: bit 0 coded, bit 1 the end of the last
//   round, bit 2 a delta, bit 3 from the store; then the payload, then a tag of 16 bytes when it is sealed.
//   The header is the additional data of the seal. A record of the store (kernel/record-store) is sealed with
//   the low half of its nonce as sequence, and has that nonce, 8 bytes, behind its header on the wire, where
//   the sequence is its number there.
//
// Its number: given by the firmware that makes the record, 1, 2, 3 … on each link and way, whether the record
// is sealed or not. Engines overtake each other, so the receiver keeps a window of numbers, as IPsec does.
//
//   numbers of a stream, 16 bytes: | last given u64 | lowest not received u64 |
import { I_SEQUENCE, JOBS_MAX, PAGE_BYTES, RECORD_TAG_BYTES } from "../abi";
import { CODED, DELTA, FINAL, JOB_DEVICE, Job, URGENT } from "./jobs";
import { reserve } from "./memory";
import { isOfStore, storedUnderWay } from "./record-store";
import { broken, evaluates } from "./stats";

const HEADER = memory.data(16, 16);
const IV = memory.data(16, 16);
const TAGS = memory.data(8, 8);


@unmanaged
class Numbers {
  given: u64;
  next: u64;
}

const NUMBERS = memory.data(64, 16);
/** Records may overtake each other between engines by this many at most. */
const WINDOW: u64 = 1024;
// one bit a number of the window, for each stream
const SEEN = memory.data(512, 16);

/** Numbers of the stream that `side` sends on a link. */
// @ts-ignore: decorator
@inline
function numbers(side: u32, link: u32): Numbers {
  return changetype<Numbers>(NUMBERS + ((side * 2 + link) << 4));
}

/** Begins all numbers anew. */
export function buildNumbers(): void {
  memory.fill(SEEN, 0, 512);
  for (let i: u32 = 0; i < 4; i++) {
    numbers(i >> 1, i & 1).given = 0;
    numbers(i >> 1, i & 1).next = 1;
  }
}

/** The data link a record travels on: device state and pages asked for on A, everything else on B. */
// @ts-ignore: decorator
@inline
export function linkOf(j: Job): u32 {
  return j.kind == JOB_DEVICE || (j.flags & URGENT) != 0 ? 0 : 1;
}

/** Numbers a record that `side` is about to send. */
export function giveNumber(side: u32, j: Job): void {
  const s = numbers(side, linkOf(j));
  s.given += 1;
  j.nonce = s.given;
}

/** Numbers for n records that the source's host seals, of those of link B; returns the first. */
export function giveNumbers(n: u32): u64 {
  const s = numbers(0, 1);
  s.given += n;
  return s.given - n + 1;
}

/** The record of this number has come out of the stream that `side` sends: each comes once. */
export function receiveNumber(side: u32, link: u32, number: u64, t: u64): void {
  const s = numbers(side, link);
  evaluates(I_SEQUENCE);
  if (!fresh(s, SEEN + ((side * 2 + link) << 7), number)) broken(I_SEQUENCE, number, s.next, t);
}

function fresh(s: Numbers, bits: usize, number: u64): bool {
  if (number < s.next || number >= s.next + WINDOW) return false;
  const at = bits + ((<usize>((number & (WINDOW - 1)) >> 6)) << 3);
  const bit = (<u64>1) << (number & 63);
  if ((load<u64>(at) & bit) != 0) return false;
  store<u64>(at, load<u64>(at) | bit);
  while (true) {
    const low = bits + ((<usize>((s.next & (WINDOW - 1)) >> 6)) << 3);
    const mask = (<u64>1) << (s.next & 63);
    if ((load<u64>(low) & mask) == 0) return true;
    store<u64>(low, load<u64>(low) & ~mask);
    s.next++;
  }
}

/** Numbers of both ways that were given and have not been received. */
export function numbersOut(): u32 {
  let n: u64 = 0;
  for (let i: u32 = 0; i < 4; i++) n += numbers(i >> 1, i & 1).given - (numbers(i >> 1, i & 1).next - 1);
  // of those above the lowest missing some have been received
  for (let i: u32 = 0; i < 512; i += 8) n -= popcnt(load<u64>(SEEN + i));
  return <u32>n + storedUnderWay();
}

/** Lays out the tags of the jobs of a side. */
export function buildRecords(side: u32): void {
  store<u32>(TAGS + (side << 2), <u32>reserve(<u64>JOBS_MAX * RECORD_TAG_BYTES));
}

/** Address of the tag of a job's record. */
// @ts-ignore: decorator
@inline
export function tagAt(side: u32, index: u32): usize {
  return <usize>load<u32>(TAGS + (side << 2)) + <usize>index * RECORD_TAG_BYTES;
}

/** The 96-bit IV of a record, at a scratch place: salt of the key, then the record's number. */
export function ivOf(context: u32, nonce: u64): usize {
  store<u32>(IV, context);
  store<u64>(IV, nonce, 4);
  return IV;
}

/** Writes the header of a job's record to a scratch place and returns its address. */
export function writeHeader(j: Job): usize {
  const codec = ((j.flags & CODED) != 0 ? 1 : 0) | ((j.flags & FINAL) != 0 ? 2 : 0);
  const kept = isOfStore(j.nonce) ? 8 : 0;
  const all = codec | kept | ((j.flags & DELTA) != 0 ? 4 : 0);
  return headerOf(j.pfn, j.nonce, j.bytes, all, j.kind, j.version);
}

/** The same of a record by its parts; `codec` is the byte of flags. */
export function headerOf(pfn: u32, nonce: u64, bytes: u32, codec: u32, kind: u32, version: u32): usize {
  store<u32>(HEADER, pfn);
  store<u32>(HEADER, <u32>nonce, 4);
  store<u16>(HEADER, <u16>(bytes & (PAGE_BYTES * 2 - 1)), 8);
  store<u8>(HEADER, <u8>codec, 10);
  store<u8>(HEADER, <u8>kind, 11);
  store<u32>(HEADER, version, 12);
  return HEADER;
}
