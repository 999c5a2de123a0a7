// SPDX-License-Identifier: Apache-2.0
// Scanner: turns the dirty bits of an address batch into page jobs.
//
// Models: a priority encoder over `words` 64-bit words a clock that emits at most one page job a clock.
// In and out: batches from Q_SCAN (card copies of messages); page jobs to Q_FOUND, those whose record goes as
//   it was stored (kernel/record-store) to Q_RECORD. Refuses when that queue is full.
// How long: the page of bit b in word w leaves at max(last + 1, start + floor(w / words)) clocks; a batch
//   ends at max(last + 1, start + ceil(n / words)). An address list or runs hold 8 bytes an entry, one entry
//   a clock.
// Leaves out: merging of runs into longer reads (a page is the unit of everything behind).
// Numbers: card preset `scanner.wordsPerCycle`; one job a clock is assumed.
import {
  A_SCANNER,
  BATCH_PAGES,
  BLOCKED,
  BUSY,
  P_FOUND,
  Q_FOUND,
  Q_RECORD,
  Q_SCAN,
  STARVED,
  S_SCANNER_WORDS,
  U_SCANNER,
  U_VSOCK,
} from "../abi";
import { head, pop, push, queue, ready, lacks } from "../kernel/fifo";
import { JOB_PAGE, Job, TO_STORE, job, onItsWay, takeJob } from "../kernel/jobs";
import { ON_CARD, bitsOf, freeMessage, message } from "../kernel/message";
import { p32 } from "../kernel/params";
import { tagAt } from "../kernel/record";
import {
  goesAsStored,
  passesBy,
  storeBegins,
  storeEnds,
  storeFrom,
  storeScanned,
  storing,
  takeStored,
} from "../kernel/record-store";
import { wake } from "../kernel/schedule";
import { enter } from "../kernel/stats";
import { NEVER, edgeAfter, edgeAt } from "../kernel/time";


@unmanaged
class Scanner {
  start: u64; // edge at which the batch began
  next: u64; // first edge at which the next job may leave
  slot: u32;
  bit: u32; // next bit to look at
  busy: u32;
  words: u32;
}

const SCANNERS = memory.data(64, 16);

// @ts-ignore: decorator
@inline
function scanner(side: u32): Scanner {
  return changetype<Scanner>(SCANNERS + (side << 5));
}

export function buildScanner(side: u32): void {
  const s = scanner(side);
  memory.fill(changetype<usize>(s), 0, 32);
  s.words = p32(side, S_SCANNER_WORDS);
}

export function stepScanner(side: u32, t: u64): void {
  const s = scanner(side);
  const clock = side * 2;
  if (s.busy == 0) {
    if (!ready(queue(side, Q_SCAN), t)) {
      enter(side, A_SCANNER, STARVED, t);
      return;
    }
    s.slot = head(queue(side, Q_SCAN));
    s.busy = 1;
    s.bit = 0;
    s.start = t;
    s.next = t;
    enter(side, A_SCANNER, BUSY, t);
  }
  const m = message(side, ON_CARD, s.slot);
  const bits = bitsOf(m);
  const forStore = storing && (m.flags & TO_STORE) != 0;
  const bit = forStore && storeEnds(t) ? BATCH_PAGES : findBit(bits, s.bit);
  const words = (bit + 63) >> 6;
  const due = edgeAfter(
    clock,
    s.start,
    bit == BATCH_PAGES ? (words + s.words - 1) / s.words : (bit >> 6) / s.words,
  );
  const at = due > s.next ? due : s.next;
  if (t < at) {
    wake(side, U_SCANNER, at);
    return;
  }
  if (bit == BATCH_PAGES) {
    s.busy = 0;
    if (forStore) storeScanned(t);
    freeMessage(side, ON_CARD, s.slot);
    pop(queue(side, Q_SCAN));
    wake(side, U_VSOCK, t);
    wake(side, U_SCANNER, edgeAfter(clock, t, 1));
    enter(side, A_SCANNER, STARVED, t);
    return;
  }
  const stored = storing && !forStore && goesAsStored(m.a * BATCH_PAGES + bit);
  const behind = queue(side, stored ? Q_RECORD : Q_FOUND);
  if ((forStore && waitsForStore(clock, t)) || lacks(behind, 1)) {
    enter(side, A_SCANNER, BLOCKED, t);
    return;
  }
  enter(side, A_SCANNER, BUSY, t);
  const index = takeJob(side, JOB_PAGE);
  const j = job(side, index);
  j.pfn = m.a * BATCH_PAGES + bit;
  j.round = m.b;
  j.flags = m.flags;
  if (isDefined(TIMELINE)) onItsWay(P_FOUND, side, j, t, index, 0);
  s.bit = bit + 1;
  s.next = edgeAfter(clock, t, 1);
  if (storing) knowsStore(index, j, forStore, stored, t);
  push(behind, index, s.next);
  wake(side, U_SCANNER, s.next);
}

/** A page leaves: for the store, out of it, or past it. */
function knowsStore(index: u32, j: Job, forStore: bool, stored: bool, t: u64): void {
  if (stored) takeStored(j, tagAt(0, index), t);
  else if (forStore) storeBegins(t);
  else passesBy(j.pfn);
}

/** Whether the next page for the store has to wait at t, for its turn or for room. */
function waitsForStore(clock: u32, t: u64): bool {
  const from = storeFrom(t);
  if (from == NEVER || from <= t) return from == NEVER;
  wake(0, U_SCANNER, edgeAt(clock, from));
  return true;
}

/** Index of the first set bit at or after `from`, BATCH_PAGES when there is none. */
function findBit(bits: usize, from: u32): u32 {
  let word = from >> 6;
  if (word >= BATCH_PAGES / 64) return BATCH_PAGES;
  let w = load<u64>(bits + (word << 3)) & (~(<u64>0) << (from & 63));
  while (w == 0) {
    if (++word == BATCH_PAGES / 64) return BATCH_PAGES;
    w = load<u64>(bits + (word << 3));
  }
  return (word << 6) + <u32>ctz<u64>(w);
}
