// SPDX-License-Identifier: Apache-2.0
/**
 * The default encoder on jobs of a page: lz4hw-lanes.ts finds the matches, here they are taken and written.
 *
 * Models     sections 3 to 6 of docs/lz4-hardware.md, as lz4hw.ts does for all machines; the two must agree.
 * In, out    one job; a block, or 0. Counters are in lz4hw-clock.ts and lanesRefusedSum.
 *
 *  milestone of a window, u16 each: | produced − end | sequences | start of the next match | 0 |
 *
 * A match that ends in a window leaves a milestone: what was produced up to its end less that position, how
 * many sequences, and (known one match later) where the next match starts. All that section 5 asks for
 * follows from the last one before a window's end: literals are produced as they come, and in a match nothing
 * is until its end.
 */
import { GIVEN_UP, clockFinish, clockPage } from "./lz4hw-clock";
import {
  LANES_HASH_LOG_MAX,
  LANES_JOB_BYTES,
  LANES_TAG_LOG,
  LANES_WINDOWS,
  lanesCandidates,
  lanesMatching,
  lanesRefusedSum,
  lanesScan,
  lanesStart,
} from "./lz4hw-lanes";
import {
  LAST_LITERALS,
  MATCH_START_MARGIN,
  MIN_MATCH,
  lz4CountEqual,
  lz4ExtraBytes,
  lz4PutLast,
  lz4PutSequence,
} from "./lz4-parts";

export const PAGE_HASH_LOG_MAX: u32 = LANES_HASH_LOG_MAX;
export const PAGE_BYTES_MAX: u32 = LANES_JOB_BYTES;

/** One before the first window's, one for each window. */
const MILESTONES = memory.data(2064, 16);
/** Start of a match that there is not, yet: no position of a job. */
const NOWHERE: u32 = 0x7fff;
/** A match that starts this far from the end or farther may be 16 bytes longer than the shortest. */
const WIDE_MARGIN: u32 = MIN_MATCH + 16 + LAST_LITERALS;
/**
 * Bytes that the sequences of 64 lanes may touch beyond their literals: tokens, offsets and a length byte of
 * 16, long lengths of one run and one match, a copy of 16 literals too many.
 */
const GROUP_OVERHEAD: u32 = 16 * 4 + 2 * 17 + 16;

// The job at hand.
let src: usize = 0;
let bytes: u32 = 0;
let dst: usize = 0;
let room: u32 = 0;
let isTagExact: bool = true;
/** Bytes produced up to the last match's end; beyond `room` they are counted and not written. */
let produced: u32 = 0;
let next: u32 = 0;
let sequences: u32 = 0;
/** Milestone of the last match. */
let milestone: usize = 0;

let conflicts: u32 = 0;
let finished: bool = false;

/** Whether the last job was scanned to its end. */
// @ts-ignore: decorator
@inline
export function pageFinished(): bool {
  return finished;
}

/** Lanes of the last job that were refused. */
// @ts-ignore: decorator
@inline
export function pageConflicts(): u32 {
  return conflicts;
}

/** As countWide, when sixteen bytes are known to be equal, and no bytes beyond the last literals' start. */
function countLong(a: usize, b: usize): u32 {
  const start = a + MIN_MATCH;
  const matchEnd = src + bytes - LAST_LITERALS;
  a += MIN_MATCH + 16;
  b += MIN_MATCH + 16;
  while (a + 16 <= matchEnd) {
    const equal = <u32>i8x16.bitmask(i8x16.eq(v128.load(a), v128.load(b)));
    if (equal != 0xffff) return <u32>(a - start) + <u32>ctz(~equal);
    a += 16;
    b += 16;
  }
  return <u32>(a - start) + lz4CountEqual(a, b, matchEnd);
}

/** Writes any sequence at `to` bytes of the block, if there is room. @returns its bytes */
function putAny(to: u32, from: u32, run: u32, offset: u32, more: u32): u32 {
  const size = run + 3 + lz4ExtraBytes(run) + lz4ExtraBytes(more);
  if (to + size <= room) lz4PutSequence(dst + to, src + from, run, offset, more, src + bytes, dst + room);
  return size;
}

/** Leaves the milestone of the match from `at` to `next`, which brings the block to `produced` bytes. */
// @ts-ignore: decorator
@inline
function mark(at: u32): void {
  store<u16>(milestone, at, 4);
  milestone = MILESTONES + 8 + (((next - 1) >> 4) << 3);
  store<u16>(milestone, produced - next);
  store<u16>(milestone, ++sequences, 2);
}

/** Takes the matches among the 64 lanes of `group`, greedily (section 3); all is checked. */
function takeChecked(start: u32, group: u32): void {
  const matchEnd = src + bytes - LAST_LITERALS;
  let lane = next > start ? next - start : 0;
  while (lane < 64) {
    const left = lanesMatching(group) & (~(<u64>0) << (<u64>lane));
    if (left == 0) return;
    lane = <u32>ctz(left);
    const at = start + lane;
    const candidate: u32 = load<u16>(lanesCandidates(group) + (lane << 2));
    const length = lz4CountEqual(src + at, src + candidate, matchEnd);
    // That is a tag of a small table, whose words differ.
    if (length < MIN_MATCH) {
      ++lane;
      continue;
    }
    produced += putAny(produced, next, at - next, at - candidate, length - MIN_MATCH);
    next = at + length;
    lane += length;
    mark(at);
  }
}

/** Length beyond the shortest of the match at `a` with `b`, when sixteen bytes may be loaded from `a` on. */
// @ts-ignore: decorator
@inline
function countWide(a: usize, b: usize): u32 {
  const differ = load<u64>(a, MIN_MATCH) ^ load<u64>(b, MIN_MATCH);
  const later = load<u64>(a, MIN_MATCH + 8) ^ load<u64>(b, MIN_MATCH + 8);
  if ((differ | later) == 0) return countLong(a, b);
  const bits = differ != 0 ? ctz(differ) : 64 + ctz(later);
  return (<u32>bits) >> 3;
}

/** As takeChecked, for exact tags, far enough from the ends of job and room. */
function takeFast(start: u32, group: u32): void {
  const base = src + start;
  const found = lanesMatching(group);
  const candidates = lanesCandidates(group);
  const from = src;
  const shift = from - dst;
  let to = dst + produced;
  let anchor = from + next;
  let last = milestone;
  let count = sequences;
  let lane: usize = anchor > base ? anchor - base : 0;
  while (lane < 64) {
    const left = found & (~(<u64>0) << (<u64>lane));
    if (left == 0) break;
    lane = <usize>ctz(left);
    const a = base + lane;
    const b = from + <usize>load<u16>(candidates + (lane << 2));
    const more = countWide(a, b);
    lane += MIN_MATCH + more;
    const run = <u32>(a - anchor);
    if (run < 15 && more < 270) {
      store<u8>(to, (run << 4) | min<u32>(more, 15));
      v128.store(to, v128.load(anchor), 1);
      to += run;
      store<u16>(to, a - b, 1);
      store<u8>(to, more - 15, 3);
      to += more >= 15 ? 4 : 3;
    } else to = lz4PutSequence(to, anchor, run, <u32>(a - b), more, from + bytes, dst + room);
    store<u16>(last, a - from, 4);
    anchor = base + lane;
    last = MILESTONES + 8 + (((anchor - 1 - from) >> 4) << 3);
    store<u16>(last, to - anchor + shift);
    store<u16>(last, ++count, 2);
  }
  produced = <u32>(to - dst);
  next = <u32>(anchor - from);
  milestone = last;
  sequences = count;
}

/** Takes the matches among the lanes of `group`. */
// @ts-ignore: decorator
@inline
function takeFound(start: u32, group: u32): void {
  const wide = isTagExact && start + 64 + WIDE_MARGIN <= bytes;
  if (wide && produced + (start + 64 - next) + GROUP_OVERHEAD <= room) takeFast(start, group);
  else takeChecked(start, group);
}

/**
 * Compresses a job of 1 … PAGE_BYTES_MAX bytes, of which a block of `limit` bytes is wanted at most.
 * @returns bytes of the block; 0 when the job is given up or does not fit into `cap`
 */
export function pageCompress(from: usize, len: u32, to: usize, cap: u32, limit: i32, hashLog: u32): u32 {
  src = from;
  bytes = len;
  dst = to;
  room = min<u32>(cap, max<i32>(limit, 0));
  isTagExact = hashLog >= LANES_TAG_LOG;
  produced = 0;
  next = 0;
  sequences = 0;
  milestone = MILESTONES;
  const windows = (len + 15) >> 4;
  for (let at: u32 = 0; at <= windows << 3; at += 16) v128.store(MILESTONES + at, i64x2.splat(0));
  const searching = len >= MATCH_START_MARGIN ? (len - MATCH_START_MARGIN + 16) >> 4 : 0;
  lanesStart(hashLog);
  for (let first: u32 = 0; first < searching; first += LANES_WINDOWS) {
    lanesScan(from, len, first, searching, hashLog);
    const groups = (min<u32>(searching - first, LANES_WINDOWS) + 3) >> 2;
    for (let group: u32 = 0; group < groups; ++group) takeFound((first << 4) + (group << 6), group);
  }
  store<u16>(milestone, NOWHERE, 4);
  const rest = len - next;
  const size = produced + 1 + lz4ExtraBytes(rest) + rest;
  const closing = MILESTONES + (windows << 3);
  store<u32>(closing, ((size - (windows << 4)) & 0xffff) | ((sequences + 1) << 16));
  store<u16>(closing, NOWHERE, 4);
  const scanned = clockPage(MILESTONES, windows);
  conflicts = lanesRefusedSum(min<u32>(scanned & ~GIVEN_UP, searching));
  finished = (scanned & ~GIVEN_UP) == windows;
  clockFinish(scanned == windows);
  if (scanned != windows || size > room) return 0;
  lz4PutLast(to + produced, from + next, rest, to + room);
  return size;
}
