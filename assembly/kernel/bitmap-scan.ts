// SPDX-License-Identifier: Apache-2.0
// A bitmap of dirty pages in host memory that the card scans itself: what its requests do there, and what
// scanner (card/bitmap-scanner), firmware and front-end share. Plain storage but for the instants at which
// memory is read and written.
//
// Models: a bit a 4 KiB page, in words of 64. A read of words, and an AtomicOp Swap of one with 0, are of the
//   instant at which memory has their data; a swap reads and clears in that one instant, so that a mark that
//   is set before it is taken and one that is set after it stands. With `clear: write-zero` a word is taken
//   as it was read, and a zero lands in it later: a mark set in between is lost, and that is found out.
// How long: kernel/root, for both: an AtomicOp takes the latency of a read of its line (assumed).
// Leaves out: where the line of an AtomicOp is locked or cached, and that other requests wait for it.
//
//   chunk, 16 bytes: | first word u32 | words u32 | - |, and its words; word taken, 16 bytes: | marks u64 |
//   word u32 | - |; batches of them are two, one behind the other
import {
  G_PAGES,
  G_SCAN_CLEAR,
  G_SCAN_WORDS,
  I_SCAN_MARKS,
  LAND_DEVICE,
  Q_DEVICE_LANDED,
  SCAN_CHUNKS,
  SCAN_WORDS_MAX,
  SC_FLUSHED,
  SC_SERVED,
  SC_TAKEN,
  SC_ZEROED,
  S_PCIE_MRRS,
  T_SCAN,
  U_SCANNER,
} from "../abi";
import { clearWord, flushHeld, wordAt } from "./dirty";
import { pop, pushSooner, queue, ready } from "./fifo";
import { reserve } from "./memory";
import { g32, p32 } from "./params";
import { wake } from "./schedule";
import { broken, evaluates } from "./stats";
import { happened } from "./timeline";

/** What the scanner is told to do. */
export const ORDER_NONE: u32 = 0;
export const ORDER_ROUND: u32 = 1;
export const ORDER_COUNT: u32 = 2;
/** Zeros on their way at most. */
const ZEROS: u32 = 4096;
const ZERO: u32 = 0x80000000;
const BATCHES: u32 = 2;

/** True where the card scans the bitmap itself. */
export let scans: bool = false;
/** Words that are taken for one flush at most. */
export let scanWords: u32 = 0;
/** What the firmware tells the scanner, to be seen from a time on. */
export let order: u32 = 0;
export let orderRound: u32 = 0;
export let orderLast: bool = false; // the guest is stopped
export let orderAt: u64 = 0;
/** TLBs have been flushed: to be seen from then on, 0 when it has been. */
export let flushedAt: u64 = 0;
/** What the scanner has found: pages of a round, marks that were counted. */
export let pagesFound: u32 = 0;
export let marksLeft: u64 = 0;

let chunks: usize = 0;
let bodies: usize = 0;
let mrrs: u32 = 0;
let taken: usize = 0;
let zeros: usize = 0; // | marks as they were read u64 | word u32 | - |
let zerosPut: u32 = 0;

/** Lays out what scanning needs; false when there is no room. */
export function buildBitmapScan(): bool {
  scans = g32(G_SCAN_CLEAR) != 0;
  order = ORDER_NONE;
  flushedAt = 0;
  pagesFound = 0;
  marksLeft = 0;
  zerosPut = 0;
  if (!scans) return true;
  scanWords = g32(G_SCAN_WORDS);
  assert(scanWords <= SCAN_WORDS_MAX, "too many words for a flush");
  mrrs = p32(0, S_PCIE_MRRS);
  chunks = reserve(SCAN_CHUNKS * 16);
  bodies = reserve(<u64>SCAN_CHUNKS * mrrs);
  taken = reserve(<u64>scanWords * BATCHES * 16);
  zeros = reserve(ZEROS * 16);
  return chunks != 0 && bodies != 0 && taken != 0 && zeros != 0;
}

/** Words of the bitmap: whole batches of 2048 pages. */
export function bitmapWords(): u32 {
  return ((g32(G_PAGES) + 2047) >> 11) << 5;
}

// --- what is under way ---

/** First word of a chunk. */
export function chunkFirst(chunk: u32): u32 {
  return load<u32>(chunks + (chunk << 4));
}

export function chunkWords(chunk: u32): u32 {
  return load<u32>(chunks + (chunk << 4), 4);
}

export function setChunk(chunk: u32, first: u32, words: u32): void {
  store<u32>(chunks + (chunk << 4), first);
  store<u32>(chunks + (chunk << 4), words, 4);
}

/** Word i of a chunk that has been read. */
export function chunkWord(chunk: u32, i: u32): u64 {
  return load<u64>(bodies + <usize>chunk * mrrs + (i << 3));
}

/** A word that has been taken: its marks, and its number behind them. */
// @ts-ignore: decorator
@inline
export function takenAt(entry: u32): usize {
  return taken + ((<usize>entry) << 4);
}

/** What an entry is of, and the marks that are known of it. */
export function setTaken(entry: u32, word: u32, marks: u64): void {
  store<u64>(takenAt(entry), marks);
  store<u32>(takenAt(entry), word, 8);
}

/** A zero is to be written into the word of an entry: the argument of its landing. */
export function zeroFor(entry: u32): u32 {
  const at = zeros + ((zerosPut & (ZEROS - 1)) << 4);
  memory.copy(at, takenAt(entry), 16);
  return ZERO | (zerosPut++ & (ZEROS - 1));
}

// --- host memory ---

/** Memory will have the data of the scanner's request at a time: chunk or entry by the tag's cookie. */
export function marksReached(cookie: u32, at: u64): void {
  pushSooner(queue(0, Q_DEVICE_LANDED), cookie, at);
}

/** Requests of the scanner that reach memory at t. */
export function serveMarks(t: u64): void {
  const due = queue(0, Q_DEVICE_LANDED);
  while (ready(due, t)) {
    const what = pop(due);
    if ((what & ZERO) != 0) zeroed(what & ~ZERO, t);
    else if (what < SCAN_CHUNKS) served(what, t);
    else swapped(what - SCAN_CHUNKS, t);
  }
}

function served(chunk: u32, t: u64): void {
  memory.copy(bodies + <usize>chunk * mrrs, wordAt(chunkFirst(chunk)), chunkWords(chunk) << 3);
  happened(T_SCAN, 0, SC_SERVED, t, chunkFirst(chunk), chunkWords(chunk), chunk);
}

function swapped(entry: u32, t: u64): void {
  evaluates(I_SCAN_MARKS);
  const word = load<u32>(takenAt(entry), 8);
  store<u64>(takenAt(entry), clearWord(word));
  tells(SC_TAKEN, word, load<u64>(takenAt(entry)), t);
}

/** A zero lands: marks that were not there when the word was read are lost. */
function zeroed(slot: u32, t: u64): void {
  evaluates(I_SCAN_MARKS);
  const at = zeros + (slot << 4);
  const word = load<u32>(at, 8);
  const marks = clearWord(word);
  tells(SC_ZEROED, word, marks, t);
  if ((marks & ~load<u64>(at)) != 0) broken(I_SCAN_MARKS, word, marks & ~load<u64>(at), t);
}

/** TLBs have been flushed at t. */
export function tlbsFlushed(t: u64): void {
  flushHeld();
  happened(T_SCAN, 0, SC_FLUSHED, t, 0, 0, 0);
}

/** A word's marks, in halves. */
function tells(step: u32, word: u32, marks: u64, t: u64): void {
  happened(T_SCAN, 0, step, t, word, marks & 0xffffffff, marks >> 32);
}

/** Landing of zeros. */
export const LAND_ZERO: u32 = LAND_DEVICE;

// --- firmware and scanner ---

/** Tells the scanner what to do from `at` on. */
export function tellScanner(what: u32, round: u32, last: bool, at: u64): void {
  order = what;
  orderRound = round;
  orderLast = last;
  orderAt = at;
  wake(0, U_SCANNER, at);
}

export function orderTaken(): void {
  order = ORDER_NONE;
}

/** The scanner may go on with the words that waited for a flush. */
export function tellFlushed(at: u64): void {
  flushedAt = at;
  wake(0, U_SCANNER, at);
}

export function flushSeen(): void {
  flushedAt = 0;
}

export function roundFound(pages: u32): void {
  pagesFound = pages;
}

export function marksCounted(marks: u64): void {
  marksLeft = marks;
}
