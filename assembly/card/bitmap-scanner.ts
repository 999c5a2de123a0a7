// SPDX-License-Identifier: Apache-2.0
// Scanner of a card that determines dirty pages itself: it goes through the bitmap in host memory
// (kernel/bitmap-scan) and makes page jobs of the marks it takes. It stands in the place of card/scanner.
//
// Models: plain reads of MRRS, of which SCAN_CHUNKS are under way or not looked through; a priority encoder
//   over `scanner.wordsPerCycle` words a clock; a Swap with 0 of every word that has a mark; two batches of
//   `scan.words` words taken: one fills while the other waits for a flush of the TLBs or gives its pages. A
//   batch is closed when it is full or nothing else will come, and all its swaps have been answered.
//   A pass that counts reads and looks through, and takes nothing.
// In and out: orders of the firmware; reads and swaps through the read port of other I/O, zeros (`clear:
//   write-zero`) through its posted port; answers from Q_SCAN; page jobs to Q_FOUND, one a clock; events to
//   Q_EVENT. One transaction a clock, swaps first.
// How long: word w of a chunk is swapped at max(last + 1, start + floor(w / words)) clocks, or when tag,
//   buffer and port allow it; the chunk ends at max(last + 1, start + ceil(n / words)).
// Limit: a pass over W words takes W / words clocks, 8 W bytes with their headers on the wire down, and
//   taking n of them n clocks, n x 32 bytes up, and n / tags round trips.
// Leaves out: words that are known to be empty, an order that is not that of addresses.
// Numbers: `internal.scan` and card preset `scanner.wordsPerCycle`; all assumed.
import {
  A_SCANNER,
  BLOCKED,
  BUSY,
  C_SCAN_BYTES,
  C_SCAN_FLUSHES,
  C_SCAN_READ,
  C_SCAN_TAKEN,
  G_SCAN_CLEAR,
  G_SCAN_FLUSH,
  P_FOUND,
  Q_EVENT,
  Q_FOUND,
  Q_SCAN,
  R_SCAN,
  R_TENANT,
  SCAN_CHUNKS,
  SCAN_WRITE_ZERO,
  SC_BEGUN,
  SC_ENDED,
  SC_HEARD,
  STARVED,
  S_PCIE_COMBINE_ABOVE,
  S_PCIE_COMPLETION_BYTES,
  S_PCIE_MPS,
  S_PCIE_MRRS,
  S_PCIE_RCB,
  S_PCIE_REQUEST_BYTES,
  S_SCANNER_WORDS,
  T_SCAN,
  U_SCANNER,
  W_ACK,
  W_COMPLETION_BUFFER,
  W_PCIE,
  W_TAGS,
} from "../abi";
import { BITMAP_AT } from "../kernel/address";
import {
  LAND_ZERO,
  ORDER_COUNT,
  ORDER_NONE,
  bitmapWords,
  chunkFirst,
  chunkWord,
  chunkWords,
  flushSeen,
  flushedAt,
  marksCounted,
  order,
  orderAt,
  orderLast,
  orderRound,
  orderTaken,
  roundFound,
  scanWords,
  setChunk,
  setTaken,
  takenAt,
  zeroFor,
} from "../kernel/bitmap-scan";
import { EVENT_COUNTED, EVENT_FLUSH, EVENT_SCANNED, lacks, pop, push, queue, ready } from "../kernel/fifo";
import { JOB_PAGE, job, onItsWay, takeJob } from "../kernel/jobs";
import { g32, p32 } from "../kernel/params";
import { UP_POSTED, UP_READ, issueAtomic, issueRead, portFull, put } from "../kernel/port";
import { wake } from "../kernel/schedule";
import { count, enter } from "../kernel/stats";
import { bufferFits, finishRead, tagsFree } from "../kernel/tags";
import { edgeAfter } from "../kernel/time";
import { happened } from "../kernel/timeline";

const NONE: u32 = 0xffffffff;
const WORD_BYTES: u32 = 8;
/** Busy until a time that is known. */
const LOOKS: u32 = 0xffffffff;
// a batch: it fills, waits for a flush, or gives its pages
const FILLS: u32 = 0;
const WAITS: u32 = 1;
const GIVES: u32 = 2;

// the pass under way
let pass: u32 = 0;
let round: u32 = 0;
let last: bool = false;
let words: u32 = 0; // of the bitmap
let asked: u32 = 0; // of them, requested
let found: u32 = 0;
let counted: u64 = 0;
// chunks: free ones, and those that have been answered, in their order
let freeChunks: u32 = 0; // a bit each
const ANSWERED = memory.data(32, 8);
let answeredHead: u32 = 0;
let answeredTail: u32 = 0;
// the one that is looked through
let current: u32 = NONE;
let word: u32 = 0; // next of it
let start: u64 = 0; // edge at which it began
let next: u64 = 0; // first edge at which the next swap may be made
// batches of words taken
const STAGE = memory.data(8, 8);
const TAKEN = memory.data(8, 8);
const OPEN = memory.data(8, 8); // swaps not answered
let fills: u32 = 0; // which of them
let gives: u32 = 0; // next entry of the one that gives its pages
let zeroes: bool = false;

if (SCAN_CHUNKS * 4 != 32) ERROR("chunks of the scanner");

export function buildBitmapScanner(): void {
  pass = ORDER_NONE;
  freeChunks = (1 << SCAN_CHUNKS) - 1;
  answeredHead = answeredTail = 0;
  current = NONE;
  next = 0;
  memory.fill(STAGE, 0, 8);
  memory.fill(TAKEN, 0, 8);
  memory.fill(OPEN, 0, 8);
  fills = gives = 0;
  zeroes = g32(G_SCAN_CLEAR) == SCAN_WRITE_ZERO;
}

// @ts-ignore: decorator
@inline
function stage(batch: u32): u32 {
  return load<u32>(STAGE + (batch << 2));
}

// @ts-ignore: decorator
@inline
function wordsIn(batch: u32): u32 {
  return load<u32>(TAKEN + (batch << 2));
}

/** Steps the scanner at a card clock edge. */
export function stepBitmapScanner(t: u64): void {
  while (ready(queue(0, Q_SCAN), t)) answered(finishRead(0, R_SCAN, pop(queue(0, Q_SCAN))));
  if (pass == ORDER_NONE && !begins(t)) {
    enter(0, A_SCANNER, STARVED, t);
    return;
  }
  const given = give(t);
  const made = lookThrough(t);
  const read = made == BUSY ? BUSY : ask(t);
  const closed = closeBatch(t);
  const ended = ends(t);
  let state = W_ACK;
  if (given == BUSY || made == BUSY || read == BUSY || closed == BUSY || ended == BUSY) state = BUSY;
  else if (made == LOOKS) state = LOOKS;
  else if (given != STARVED) state = given;
  else if (made != STARVED) state = made;
  else if (read != STARVED) state = read;
  else if (closed != STARVED) state = closed;
  else if (ended != STARVED) state = ended;
  enter(0, A_SCANNER, state == LOOKS ? BUSY : state, t);
  if (state == BUSY) wake(0, U_SCANNER, edgeAfter(0, t, 1));
}

/** Whether a pass begins at t. */
function begins(t: u64): bool {
  if (order == ORDER_NONE) return false;
  if (t < orderAt) {
    wake(0, U_SCANNER, orderAt);
    return false;
  }
  pass = order;
  round = orderRound;
  last = orderLast;
  orderTaken();
  words = bitmapWords();
  asked = 0;
  found = 0;
  counted = 0;
  happened(T_SCAN, 0, SC_BEGUN, t, pass - 1, round, last ? 1 : 0);
  return true;
}

/** An answer is there: a chunk to be looked through, or a word that has been taken. */
function answered(cookie: u32): void {
  if (cookie < SCAN_CHUNKS) {
    store<u32>(ANSWERED + ((answeredTail++ & (SCAN_CHUNKS - 1)) << 2), cookie);
    return;
  }
  const at = OPEN + (((cookie - SCAN_CHUNKS) / scanWords) << 2);
  store<u32>(at, load<u32>(at) - 1);
}

/** Makes the job of the next page of the batch that gives them. */
function give(t: u64): u32 {
  const batch = 1 - fills;
  if (stage(batch) == WAITS && flushedAt != 0) {
    if (t < flushedAt) wake(0, U_SCANNER, flushedAt);
    else {
      flushSeen();
      happened(T_SCAN, 0, SC_HEARD, t, 0, 0, 0);
      store<u32>(STAGE + (batch << 2), GIVES);
    }
  }
  if (stage(batch) != GIVES) return STARVED;
  if (lacks(queue(0, Q_FOUND), 1)) return BLOCKED;
  const at = takenAt(batch * scanWords + gives);
  const marks = load<u64>(at);
  const index = takeJob(0, JOB_PAGE);
  const j = job(0, index);
  j.pfn = (load<u32>(at, 8) << 6) + <u32>ctz(marks);
  j.round = round;
  if (isDefined(TIMELINE)) onItsWay(P_FOUND, 0, j, t, index, 0);
  push(queue(0, Q_FOUND), index, edgeAfter(0, t, 1));
  found++;
  store<u64>(at, marks & (marks - 1));
  if ((marks & (marks - 1)) != 0 || ++gives < wordsIn(batch)) return BUSY;
  store<u32>(STAGE + (batch << 2), FILLS);
  store<u32>(TAKEN + (batch << 2), 0);
  gives = 0;
  return BUSY;
}

/** Looks through the chunk at hand, and takes its next word that has a mark. */
function lookThrough(t: u64): u32 {
  if (current == NONE) {
    if (answeredHead == answeredTail) return STARVED;
    current = load<u32>(ANSWERED + ((answeredHead++ & (SCAN_CHUNKS - 1)) << 2));
    word = 0;
    start = t;
  }
  const n = chunkWords(current);
  const each = p32(0, S_SCANNER_WORDS);
  if (pass == ORDER_COUNT) {
    for (; word < n; word++) counted += popcnt(chunkWord(current, word));
  } else {
    while (word < n && chunkWord(current, word) == 0) word++;
  }
  const due = edgeAfter(0, start, word == n ? (n + each - 1) / each : word / each);
  const at = due > next ? due : next;
  if (t < at) {
    wake(0, U_SCANNER, at);
    return LOOKS;
  }
  if (word != n) return takeWord(t);
  freeChunks |= (<u32>1) << current;
  current = NONE;
  return BUSY;
}

/** Takes a word of the chunk at hand: its Swap, or a zero behind what has been read. */
function takeWord(t: u64): u32 {
  const n = wordsIn(fills);
  if (stage(fills) != FILLS || n == scanWords) return BLOCKED;
  const entry = fills * scanWords + n;
  const at = chunkFirst(current) + word;
  const address = BITMAP_AT + <u64>at * WORD_BYTES;
  const ready = edgeAfter(0, t, 1);
  if (zeroes) {
    if (portFull(0, UP_POSTED + R_TENANT)) return W_PCIE;
    setTaken(entry, at, chunkWord(current, word));
    put(0, UP_POSTED + R_TENANT, address, WORD_BYTES, zeroFor(entry), LAND_ZERO, ready);
    count(0, C_SCAN_BYTES, p32(0, S_PCIE_REQUEST_BYTES) + WORD_BYTES);
  } else {
    if (tagsFree(0, R_SCAN) == 0) return W_TAGS;
    if (!bufferFits(0, R_SCAN, WORD_BYTES, 1)) return W_COMPLETION_BUFFER;
    if (portFull(0, UP_READ + R_TENANT)) return W_PCIE;
    setTaken(entry, at, 0);
    issueAtomic(0, R_SCAN, address, 8, 1, SCAN_CHUNKS + entry, ready);
    store<u32>(OPEN + (fills << 2), load<u32>(OPEN + (fills << 2)) + 1);
    count(0, C_SCAN_BYTES, p32(0, S_PCIE_REQUEST_BYTES) + p32(0, S_PCIE_COMPLETION_BYTES) + 2 * WORD_BYTES);
  }
  count(0, C_SCAN_TAKEN, 1);
  store<u32>(TAKEN + (fills << 2), n + 1);
  word++;
  next = ready;
  return BUSY;
}

/** Asks for the next words. */
function ask(t: u64): u32 {
  if (asked == words || freeChunks == 0) return STARVED;
  const mrrs = p32(0, S_PCIE_MRRS);
  const rcb = p32(0, S_PCIE_RCB);
  const left = (words - asked) * WORD_BYTES;
  const bytes = left < mrrs ? left : mrrs;
  const headers = (bytes + rcb - 1) / rcb;
  if (tagsFree(0, R_SCAN) == 0) return W_TAGS;
  if (!bufferFits(0, R_SCAN, bytes, headers)) return W_COMPLETION_BUFFER;
  if (portFull(0, UP_READ + R_TENANT)) return W_PCIE;
  const chunk = <u32>ctz(freeChunks);
  freeChunks &= freeChunks - 1;
  setChunk(chunk, asked, bytes / WORD_BYTES);
  const address = BITMAP_AT + <u64>asked * WORD_BYTES;
  issueRead(0, R_SCAN, address, bytes, headers, chunk, edgeAfter(0, t, 1));
  const unit = bytes <= p32(0, S_PCIE_COMBINE_ABOVE) ? rcb : p32(0, S_PCIE_MPS);
  const completions = (bytes + unit - 1) / unit;
  const overhead = p32(0, S_PCIE_REQUEST_BYTES) + completions * p32(0, S_PCIE_COMPLETION_BYTES);
  count(0, C_SCAN_BYTES, overhead + bytes);
  count(0, C_SCAN_READ, bytes / WORD_BYTES);
  asked += bytes / WORD_BYTES;
  return BUSY;
}

/** True when no word of this pass will be taken any more. */
function passedOver(): bool {
  return asked == words && freeChunks == (1 << SCAN_CHUNKS) - 1;
}

/** Closes the batch that fills when it is full, or nothing else will come, and the other one is empty. */
function closeBatch(t: u64): u32 {
  const n = wordsIn(fills);
  if (n == 0 || (n < scanWords && !passedOver())) return STARVED;
  if (load<u32>(OPEN + (fills << 2)) != 0 || wordsIn(1 - fills) != 0) return W_ACK;
  if (last || g32(G_SCAN_FLUSH) == 0) {
    store<u32>(STAGE + (fills << 2), GIVES);
  } else {
    if (lacks(queue(0, Q_EVENT), 1)) return BLOCKED;
    push(queue(0, Q_EVENT), EVENT_FLUSH, edgeAfter(0, t, 1));
    count(0, C_SCAN_FLUSHES, 1);
    store<u32>(STAGE + (fills << 2), WAITS);
  }
  fills = 1 - fills;
  return BUSY;
}

/** Ends the pass when all has been looked through and given: the firmware hears of it. */
function ends(t: u64): u32 {
  if (!passedOver() || wordsIn(0) + wordsIn(1) != 0) return STARVED;
  if (lacks(queue(0, Q_EVENT), 1)) return BLOCKED;
  const counts = pass == ORDER_COUNT;
  if (counts) marksCounted(counted);
  else roundFound(found);
  happened(T_SCAN, 0, SC_ENDED, t, pass - 1, counts ? counted : <u64>found, 0);
  push(queue(0, Q_EVENT), counts ? EVENT_COUNTED : EVENT_SCANNED, edgeAfter(0, t, 1));
  pass = ORDER_NONE;
  return BUSY;
}
