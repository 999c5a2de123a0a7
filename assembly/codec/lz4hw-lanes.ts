// SPDX-License-Identifier: Apache-2.0
/**
 * Section 2 of docs/lz4-hardware.md for the default encoder (16 lanes, 32 banks of 2 ports, drop) and jobs of
 * a page, in SIMD. The general form is in lz4hw.ts.
 *
 *  entry, 32 bits: | ~bit 31 of the tag 1 | rest of the tag 19 | position 12 |
 *
 * The tag is the lower 20 bits of the word's product with the hash factor. The factor is odd, so product and
 * word name each other, and with 4096 entries tag and entry number are the whole product: equal tags are
 * equal words, and no byte of the job is read again. (With fewer entries a tag is a hint.) An entry that is
 * nothing is all ones: its position is one at which no match starts.
 *
 * Nothing here depends on which matches are taken, so many windows are looked up before any match is. Bank
 * numbers lie 32 bytes apart with 16 bytes of 255 before them: loading them 1 … 15 bytes lower lines each
 * lane up with a lane below it and with nothing of another window.
 */
import { MATCH_START_MARGIN } from "./lz4-parts";

/** Windows that are hashed at a time. */
export const LANES_WINDOWS: u32 = 32;
/** Jobs up to this size are taken. */
export const LANES_JOB_BYTES: u32 = 4096;
/** With fewer entries than 2 to this, words with equal tags may differ. */
export const LANES_TAG_LOG: u32 = 12;
/** Offsets of entries are u16, and one is left for the refused lanes. */
export const LANES_HASH_LOG_MAX: u32 = 13;

const LANES: u32 = 16;
/** Bytes that hashing a window reads: its last lane's word, and one more. */
const WINDOW_READS: u32 = 20;
const TAG_SHIFT: i32 = 12;
const TAG_TOP: i32 = <i32>0x80000000;
/** Positions of a job at which a match may start lie below; XORed with an equal tag, so do their entries. */
const MATCH_LIMIT: i32 = TAG_TOP + <i32>(LANES_JOB_BYTES - MATCH_START_MARGIN + 1);

/**
 * Table memory, for lz4hw.ts too. Begins 16 bytes after a cache line, so that the refused lanes' entry, at
 * 65535, lies in one line.
 */
export const TABLE = memory.data(65584, 64) + 16;
/** Per lane: u16 byte offset of its entry; 65535 if refused. */
const ENTRIES = memory.data(1024, 64);
/** Per lane: u32 tag, shifted to its place; once it is looked up and matches: candidate, and the top bit. */
const TAGS = memory.data(2048, 64);
const BANKS = memory.data(1024, 64);
/** One bit per lane: its candidate has the same tag. Eight bytes more, which are written. */
const MATCHING = memory.data(72, 16);
/** Per window of the job: u16 mask of the refused lanes; 8 bytes more. */
const REFUSED = memory.data(520, 16);
/** The job's last bytes, with zeros behind them. */
const TAIL = memory.data(48, 16);

/** Starts a job with 2^hashLog entries. */
export function lanesStart(hashLog: u32): void {
  for (let banks = BANKS; banks < BANKS + (LANES_WINDOWS << 5); banks += 32)
    v128.store(banks, i8x16.splat(-1));
  memory.fill(TABLE, 255, (<u32>4) << hashLog);
}

/** Tags, entry offsets and bank numbers (times four) of the 16 lanes from `at` on; `slot` in the batch. */
// @ts-ignore: decorator
@inline
function hashLanes(at: usize, slot: u32, hashLog: u32): void {
  const words = i8x16(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6);
  const factor = i32x4.splat(<i32>2654435761);
  const shift = 30 - <i32>hashLog;
  const mask = i32x4.splat(<i32>(((<u32>4) << hashLog) - 4));
  const p0 = i32x4.mul(i8x16.swizzle(v128.load64_zero(at, 0), words), factor);
  const p1 = i32x4.mul(i8x16.swizzle(v128.load64_zero(at, 4), words), factor);
  const p2 = i32x4.mul(i8x16.swizzle(v128.load64_zero(at, 8), words), factor);
  const p3 = i32x4.mul(i8x16.swizzle(v128.load64_zero(at, 12), words), factor);
  const tags = TAGS + (slot << 6);
  v128.store(tags, i32x4.shl(p0, TAG_SHIFT));
  v128.store(tags, i32x4.shl(p1, TAG_SHIFT), 16);
  v128.store(tags, i32x4.shl(p2, TAG_SHIFT), 32);
  v128.store(tags, i32x4.shl(p3, TAG_SHIFT), 48);
  const o0 = v128.and(i32x4.shr_u(p0, shift), mask);
  const o1 = v128.and(i32x4.shr_u(p1, shift), mask);
  const o2 = v128.and(i32x4.shr_u(p2, shift), mask);
  const o3 = v128.and(i32x4.shr_u(p3, shift), mask);
  const low = i16x8.narrow_i32x4_s(o0, o1);
  const high = i16x8.narrow_i32x4_s(o2, o3);
  const entries = ENTRIES + (slot << 5);
  v128.store(entries, low);
  v128.store(entries, high, 16);
  const bank = i16x8.splat(124);
  const banks = BANKS + (slot << 5);
  v128.store(banks, i8x16.narrow_i16x8_u(v128.and(low, bank), v128.and(high, bank)), 16);
}

/** One lower lane for each lane: counts −1 where the banks are equal. */
// @ts-ignore: decorator
@inline
function tally(count: v128, bank: v128, lower: usize): v128 {
  return i8x16.add(count, i8x16.eq(bank, v128.load(lower)));
}

/** Marks the lanes that find both ports of their bank taken. */
// @ts-ignore: decorator
@inline
function refuseLanes(slot: u32, window: u32): void {
  const banks = BANKS + (slot << 5);
  const bank = v128.load(banks, 16);
  let even = i8x16.eq(bank, v128.load(banks, 1));
  let odd = i8x16.eq(bank, v128.load(banks, 2));
  even = tally(even, bank, banks + 3);
  odd = tally(odd, bank, banks + 4);
  even = tally(even, bank, banks + 5);
  odd = tally(odd, bank, banks + 6);
  even = tally(even, bank, banks + 7);
  odd = tally(odd, bank, banks + 8);
  even = tally(even, bank, banks + 9);
  odd = tally(odd, bank, banks + 10);
  even = tally(even, bank, banks + 11);
  odd = tally(odd, bank, banks + 12);
  even = tally(even, bank, banks + 13);
  odd = tally(odd, bank, banks + 14);
  even = tally(even, bank, banks + 15);
  const refused = i8x16.lt_s(i8x16.add(even, odd), i8x16.splat(-1));
  store<u16>(window << 1, i8x16.bitmask(refused), REFUSED);
  const entries = ENTRIES + (slot << 5);
  v128.store(entries, v128.or(v128.load(entries), i16x8.extend_low_i8x16_s(refused)));
  v128.store(entries, v128.or(v128.load(entries, 16), i16x8.extend_high_i8x16_s(refused)), 16);
}

/** Refused lanes of the first `windows` windows of the job together. */
export function lanesRefusedSum(windows: u32): u32 {
  let sum: u32 = 0;
  let window: u32 = 0;
  for (; window + 4 <= windows; window += 4) sum += <u32>popcnt<u64>(load<u64>(window << 1, REFUSED));
  for (; window < windows; ++window) sum += popcnt<u32>(load<u16>(window << 1, REFUSED));
  return sum;
}

/** Address of the candidates of a group of 64 lanes, u16, 4 bytes apart; those of matching lanes are set. */
// @ts-ignore: decorator
@inline
export function lanesCandidates(group: u32): usize {
  return TAGS + (group << 8);
}

/** Bit i: lane i of the batch's `group` of 64 has a match. */
// @ts-ignore: decorator
@inline
export function lanesMatching(group: u32): u64 {
  return load<u64>(group << 3, MATCHING);
}

/** Entries of four lanes; `entries` is the address of their offsets. */
// @ts-ignore: decorator
@inline
function gather(entries: usize): v128 {
  let found = v128.load32_zero(<usize>load<u16>(entries), TABLE);
  found = v128.load_lane<u32>(<usize>load<u16>(entries, 2), found, 1, TABLE);
  found = v128.load_lane<u32>(<usize>load<u16>(entries, 4), found, 2, TABLE);
  return v128.load_lane<u32>(<usize>load<u16>(entries, 6), found, 3, TABLE);
}

/** Writes four lanes' entries, rising. */
// @ts-ignore: decorator
@inline
function scatter(entries: usize, lanes: v128): void {
  v128.store_lane<u32>(<usize>load<u16>(entries), lanes, 0, TABLE);
  v128.store_lane<u32>(<usize>load<u16>(entries, 2), lanes, 1, TABLE);
  v128.store_lane<u32>(<usize>load<u16>(entries, 4), lanes, 2, TABLE);
  v128.store_lane<u32>(<usize>load<u16>(entries, 6), lanes, 3, TABLE);
}

/** Looks up the lanes of a hashed window, then writes the served ones' positions. */
// @ts-ignore: decorator
@inline
function exchangeLanes(slot: u32, window: u32): void {
  const entries = ENTRIES + (slot << 5);
  const tags = TAGS + (slot << 6);
  const limit = i32x4.splat(MATCH_LIMIT);
  const t0 = v128.load(tags, 0);
  const t1 = v128.load(tags, 16);
  const t2 = v128.load(tags, 32);
  const t3 = v128.load(tags, 48);
  const x0 = v128.xor(t0, gather(entries));
  const x1 = v128.xor(t1, gather(entries + 8));
  const x2 = v128.xor(t2, gather(entries + 16));
  const x3 = v128.xor(t3, gather(entries + 24));
  v128.store(tags, x0, 0);
  v128.store(tags, x1, 16);
  v128.store(tags, x2, 32);
  v128.store(tags, x3, 48);
  const low = i16x8.narrow_i32x4_s(i32x4.lt_s(x0, limit), i32x4.lt_s(x1, limit));
  const high = i16x8.narrow_i32x4_s(i32x4.lt_s(x2, limit), i32x4.lt_s(x3, limit));
  const equal = <u32>i8x16.bitmask(i8x16.narrow_i16x8_s(low, high));
  store<u16>(slot << 1, equal & ~(<u32>load<u16>(window << 1, REFUSED)), MATCHING);
  const position = v128.or(i32x4.splat((<i32>(window << 4)) | TAG_TOP), i32x4(0, 1, 2, 3));
  scatter(entries, v128.xor(t0, position));
  scatter(entries + 8, v128.xor(t1, v128.or(position, i32x4.splat(4))));
  scatter(entries + 16, v128.xor(t2, v128.or(position, i32x4.splat(8))));
  scatter(entries + 24, v128.xor(t3, v128.or(position, i32x4.splat(12))));
}

/** Leaves no lane of the batch's last window but the first `lanes`. Nothing is looked up after it. */
function cutLanes(slot: u32, window: u32, lanes: u32): void {
  const searching = ((<u32>1) << lanes) - 1;
  store<u16>(slot << 1, (<u32>load<u16>(slot << 1, MATCHING)) & searching, MATCHING);
  store<u16>(window << 1, (<u32>load<u16>(window << 1, REFUSED)) & searching, REFUSED);
}

/**
 * Looks up and inserts all searching lanes of the job's next windows, from `first` on: at most LANES_WINDOWS.
 * What was found stands in lanesMatching and lanesCandidate.
 * @param src, bytes the job; nothing outside it is read
 * @param windows those that have a searching lane
 */
export function lanesScan(src: usize, bytes: u32, first: u32, windows: u32, hashLog: u32): void {
  const count = min<u32>(windows - first, LANES_WINDOWS);
  const last = first + count - 1;
  const whole = count - <u32>((last << 4) + WINDOW_READS > bytes);
  const at = src + (first << 4);
  if (hashLog == LANES_TAG_LOG)
    for (let slot: u32 = 0; slot < whole; ++slot) hashLanes(at + (slot << 4), slot, LANES_TAG_LOG);
  else for (let slot: u32 = 0; slot < whole; ++slot) hashLanes(at + (slot << 4), slot, hashLog);
  if (whole < count) {
    memory.fill(TAIL, 0, 48);
    memory.copy(TAIL, src + (last << 4), bytes - (last << 4));
    hashLanes(TAIL, whole, hashLog);
  }
  for (let slot: u32 = 0; slot < count; ++slot) refuseLanes(slot, first + slot);
  for (let slot: u32 = 0; slot < count; ++slot) exchangeLanes(slot, first + slot);
  store<u64>(count << 1, 0, MATCHING); // a group's lanes that there are not
  const lanes = bytes - MATCH_START_MARGIN + 1 - (last << 4);
  if (lanes < LANES) cutLanes(count - 1, last, lanes);
}
