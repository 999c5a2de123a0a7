// SPDX-License-Identifier: Apache-2.0
/**
 * Sections 2 and 3 of docs/lz4-hardware.md for the default encoder (16 lanes, 32 banks of 2 ports, drop), in
 * SIMD. The general form is in lz4hw.ts; both use the table kept here, and must agree.
 *
 * Nothing here depends on which matches are taken, so many windows are looked up before any match is. Bank
 * numbers lie 32 bytes apart with 16 bytes of 255 before them: loading them 1 … 15 bytes lower lines each
 * lane up with a lane below it and with nothing of another window.
 */

/** Windows that are hashed at a time. */
export const LANES_WINDOWS: u32 = 64;
/** u16 position per entry; a refused lane writes to an entry of its own, at the end. */
export const TABLE = memory.data(65552, 16);
/** The fast path needs the last entry free. */
export const LANES_HASH_LOG_MAX: u32 = 14;
const REFUSED_ENTRY: usize = 65535;
/** Per lane: u16 byte offset of its entry; 65535 if refused. */
const ENTRIES = memory.data(2048, 16);
/** Per window: u16 mask of the refused lanes. */
const REFUSED = memory.data(128, 16);
const BANKS = memory.data(2048, 16);
/** Per lane: u16 candidate. */
const CANDIDATES = memory.data(2048, 16);
/** One bit per lane: its candidate has the same four bytes. Eight bytes more, for loads of 64 bits. */
const MATCHING = memory.data(144, 16);

/** Starts a job: empties the refused lanes' entry, whose garbage must stay inside the job. */
export function lanesStart(): void {
  for (let banks = BANKS; banks < BANKS + (LANES_WINDOWS << 5); banks += 32)
    v128.store(banks, i8x16.splat(-1));
  store<u16>(TABLE + REFUSED_ENTRY, 0);
}

/** Entry offsets of the 16 lanes from `at` on, and their bank numbers (times two). */
// @ts-ignore: decorator
@inline
function hashLanes(at: usize, entries: usize, banks: usize, shift: i32, mask: v128): void {
  const factor = i32x4.splat(<i32>2654435761);
  const h0 = v128.and(i32x4.shr_u(i32x4.mul(v128.load(at, 0), factor), shift), mask);
  const h1 = v128.and(i32x4.shr_u(i32x4.mul(v128.load(at, 1), factor), shift), mask);
  const h2 = v128.and(i32x4.shr_u(i32x4.mul(v128.load(at, 2), factor), shift), mask);
  const h3 = v128.and(i32x4.shr_u(i32x4.mul(v128.load(at, 3), factor), shift), mask);
  const a = v128.or(h0, i32x4.shl(h1, 16));
  const b = v128.or(h2, i32x4.shl(h3, 16));
  const low = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const high = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  v128.store(entries, low);
  v128.store(entries, high, 16);
  const bank = i16x8.splat(62);
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
function refuseLanes(window: u32): void {
  const banks = BANKS + (window << 5);
  const bank = v128.load(banks, 16);
  let even = i8x16.splat(0);
  let odd = i8x16.splat(0);
  even = tally(even, bank, banks + 1);
  odd = tally(odd, bank, banks + 2);
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
  store<u16>(REFUSED + (window << 1), i8x16.bitmask(refused));
  const entries = ENTRIES + (window << 5);
  v128.store(entries, v128.or(v128.load(entries), i16x8.extend_low_i8x16_s(refused)));
  v128.store(entries, v128.or(v128.load(entries, 16), i16x8.extend_high_i8x16_s(refused)), 16);
}

/** Refused lanes of the first `windows` hashed windows together. */
export function lanesRefusedSum(windows: u32): u32 {
  let sum: u32 = 0;
  for (let window: u32 = 0; window < windows; ++window) sum += popcnt<u32>(load<u16>(window << 1, REFUSED));
  return sum;
}

/** Candidate of a lane, counted from the first hashed window's first one. */
// @ts-ignore: decorator
@inline
export function lanesCandidate(lane: u32): u32 {
  return load<u16>(lane << 1, CANDIDATES);
}

/** Bit i: lane `lane` + i has a match, for 57 lanes at least; lanes never hashed may show, too. */
// @ts-ignore: decorator
@inline
export function lanesMatching(lane: u32): u64 {
  return load<u64>(lane >> 3, MATCHING) >> (<u64>(lane & 7));
}

/** Address of one lane's candidate, which is also kept. */
// @ts-ignore: decorator
@inline
function candidateAt(src: usize, lane: usize): usize {
  const candidate: usize = load<u16>(<usize>load<u16>(lane, ENTRIES), TABLE);
  store<u16>(lane, candidate, CANDIDATES);
  return src + candidate;
}

/** Candidates' words of four lanes, four apart; `lane` is a byte offset of two per lane. */
// @ts-ignore: decorator
@inline
function candidateWords(src: usize, lane: usize): v128 {
  let words = v128.load32_zero(candidateAt(src, lane));
  words = v128.load_lane<u32>(candidateAt(src, lane + 8), words, 1);
  words = v128.load_lane<u32>(candidateAt(src, lane + 16), words, 2);
  return v128.load_lane<u32>(candidateAt(src, lane + 24), words, 3);
}

/** Looks up the lanes of a hashed window, whose bytes are at `at`. */
// @ts-ignore: decorator
@inline
function lookUpLanes(src: usize, at: usize, window: u32): void {
  const lane = (<usize>window) << 5;
  const e0 = i32x4.eq(v128.load(at, 0), candidateWords(src, lane));
  const e1 = i32x4.eq(v128.load(at, 1), candidateWords(src, lane + 2));
  const e2 = i32x4.eq(v128.load(at, 2), candidateWords(src, lane + 4));
  const e3 = i32x4.eq(v128.load(at, 3), candidateWords(src, lane + 6));
  const upper = i32x4.splat(<i32>0xffff0000);
  const a = v128.bitselect(e1, e0, upper);
  const b = v128.bitselect(e3, e2, upper);
  const low = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const high = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const equal = <u32>i8x16.bitmask(i8x16.narrow_i16x8_s(low, high));
  store<u16>(window << 1, equal & ~(<u32>load<u16>(window << 1, REFUSED)), MATCHING);
}

/** Writes the served lanes' positions, rising from `position`. */
// @ts-ignore: decorator
@inline
function insertLanes(window: u32, position: u32): void {
  const entries = ENTRIES + (window << 5);
  store<u16>(<usize>load<u16>(entries), position, TABLE);
  store<u16>(<usize>load<u16>(entries, 2), position + 1, TABLE);
  store<u16>(<usize>load<u16>(entries, 4), position + 2, TABLE);
  store<u16>(<usize>load<u16>(entries, 6), position + 3, TABLE);
  store<u16>(<usize>load<u16>(entries, 8), position + 4, TABLE);
  store<u16>(<usize>load<u16>(entries, 10), position + 5, TABLE);
  store<u16>(<usize>load<u16>(entries, 12), position + 6, TABLE);
  store<u16>(<usize>load<u16>(entries, 14), position + 7, TABLE);
  store<u16>(<usize>load<u16>(entries, 16), position + 8, TABLE);
  store<u16>(<usize>load<u16>(entries, 18), position + 9, TABLE);
  store<u16>(<usize>load<u16>(entries, 20), position + 10, TABLE);
  store<u16>(<usize>load<u16>(entries, 22), position + 11, TABLE);
  store<u16>(<usize>load<u16>(entries, 24), position + 12, TABLE);
  store<u16>(<usize>load<u16>(entries, 26), position + 13, TABLE);
  store<u16>(<usize>load<u16>(entries, 28), position + 14, TABLE);
  store<u16>(<usize>load<u16>(entries, 30), position + 15, TABLE);
}

/**
 * Looks up and inserts all lanes of `windows` windows, the first at `position` of the job at `src`; 19 bytes
 * from the last one's start on are read. What was found stands in lanesMatching and lanesCandidate.
 */
export function lanesScan(src: usize, position: u32, windows: u32, hashLog: u32): void {
  const mask = i32x4.splat(<i32>(((<u32>2) << hashLog) - 2));
  const at = src + position;
  for (let window: u32 = 0; window < windows; ++window) {
    hashLanes(at + (window << 4), ENTRIES + (window << 5), BANKS + (window << 5), 31 - <i32>hashLog, mask);
  }
  for (let window: u32 = 0; window < windows; ++window) refuseLanes(window);
  for (let window: u32 = 0; window < windows; ++window) {
    lookUpLanes(src, at + (window << 4), window);
    insertLanes(window, position + (window << 4));
  }
  if (position == 0) store<u16>(MATCHING, 0);
}
