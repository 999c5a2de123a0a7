// SPDX-License-Identifier: Apache-2.0
// DMA read engine: pulls pages from server memory by address into staging SRAM.
//
// Models: a descriptor fetcher in front of `readQueues` queues, one request a clock over the queues in turn,
//   tags, completion buffer, SRAM reserved before the first request of a page.
// In and out: fetched descriptors (page jobs) from Q_READ+q, answers from the PCIe requester; whole pages to
//   Q_ZERO, at the destination to Q_OPEN.
// How long: one request of min(MRRS, what is left) every `readIssue` clocks; a page of n requests is complete
//   at the first clock edge at or after the arrival of its last byte. A descriptor batch of n is one read of
//   n * bytes (cut at MRRS) after the writes that posted it.
// At the destination it reads pages that are to be decrypted (kernel/deferred): ceil(bytes / 4) words of
//   their record, which go to Q_OPEN with their entry of the table, 32 bytes at the rate of the card's DRAM.
// Gates, in this order, each held once passed: page at hand, room behind, SRAM, tag, completion buffer, port.
// With `dma.completionEvery`: a completion record (kernel/completion) is put one clock after a page that
//   makes one due is complete, in the data requester's posted port; a page begins only with room for it.
// Leaves out: scatter within a page, prefetch beyond whole batches.
// Numbers: card preset `dma.*`; a read may take SRAM only while more than a quarter of it is free (assumed),
//   so that coded pages always find a slot.
import {
  A_DESC,
  A_READ,
  BLOCKED,
  BUSY,
  C_DESC_FETCHES,
  C_READ_PAGES,
  C_READ_REQUESTS,
  C_READ_TORN,
  H_PAGE_READ,
  H_REQUEST,
  I_CLEARED_BEFORE_READ,
  I_CONSERVED,
  PAGE_BYTES,
  P_FETCHED,
  P_READ,
  P_REQUEST,
  Q_DESC_ANSWER,
  Q_FETCH,
  Q_OPEN,
  Q_PENDING,
  Q_READ,
  Q_READ_ANSWER,
  Q_ZERO,
  READ_QUEUES_MAX,
  R_DATA,
  R_DESC,
  SEALED_ENTRY_BYTES,
  STARVED,
  S_PCIE_MRRS,
  S_PCIE_RCB,
  S_READ_ISSUE,
  S_READ_QUEUES,
  S_SRAM_SLOTS,
  T_STAGE,
  U_READ,
  W_COMPLETION_BUFFER,
  W_PCIE,
  W_SRAM,
  W_TAGS,
} from "../abi";
import { addressOf } from "../kernel/address";
import { completing, descriptorDone } from "../kernel/completion";
import { restoreRecord } from "../kernel/deferred";
import { dramDone } from "../kernel/dram";
import { fetchAnswered, fetchTaken } from "../kernel/fetch";
import { hold, length, pop, pushHeld, queue, ready, lacks } from "../kernel/fifo";
import { CARRIED, Job, job, onItsWay, slotAt, slotsShort, takeSlot } from "../kernel/jobs";
import { keeps, placedPage, sourcePage, sourceVersion, sourceWord } from "../kernel/pages";
import { p32 } from "../kernel/params";
import { UP_POSTED, UP_READ, issueRead, portFull, portLacks } from "../kernel/port";
import { tagAt } from "../kernel/record";
import { wake } from "../kernel/schedule";
import { broken, count, enter, enterUntil, sample } from "../kernel/stats";
import { bufferFits, finishRead, issuedAt, tagBytes, tagsFree } from "../kernel/tags";
import { edgeAfter, edgeAt } from "../kernel/time";
import { happened } from "../kernel/timeline";
import { checksReads, readsCleared } from "../kernel/dirty";
import { isDirty } from "../kernel/tracker";

const NONE: u32 = 0xffffffff;


@unmanaged
class Engine {
  nextIssue: u64;
  queues: u32;
  turn: u32;
  mrrs: u32;
  rcb: u32;
  headers: u32; // completions of a request of MRRS bytes
  issue: u32;
  kept: u32; // SRAM slots that reads leave free
  completing: u32; // 1: completion records are written
  reading: u32; // pages begun and not complete, where they are
  behind: u32; // the queue that pages go to
}

const ENGINES = memory.data(128, 16);
const CURRENT = memory.data(64, 16);

// @ts-ignore: decorator
@inline
function engine(side: u32): Engine {
  return changetype<Engine>(ENGINES + (side << 6));
}

// @ts-ignore: decorator
@inline
function current(side: u32, q: u32): usize {
  return CURRENT + ((side * READ_QUEUES_MAX + q) << 2);
}

export function buildDma(side: u32): void {
  const e = engine(side);
  memory.fill(changetype<usize>(e), 0, 64);
  e.queues = p32(side, S_READ_QUEUES);
  e.mrrs = p32(side, S_PCIE_MRRS);
  e.rcb = p32(side, S_PCIE_RCB);
  e.headers = (e.mrrs + e.rcb - 1) / e.rcb;
  e.issue = p32(side, S_READ_ISSUE);
  e.kept = p32(side, S_SRAM_SLOTS) / 4;
  e.completing = completing(side) ? 1 : 0;
  e.behind = side == 0 ? Q_ZERO : Q_OPEN;
  for (let q: u32 = 0; q < READ_QUEUES_MAX; q++) store<u32>(current(side, q), NONE);
}

// --- pages ---

/** Steps the read engine at a card clock edge. */
export function stepRead(side: u32, t: u64): void {
  const e = engine(side);
  while (ready(queue(side, Q_READ_ANSWER), t)) complete(side, pop(queue(side, Q_READ_ANSWER)), t);
  if (t < e.nextIssue) {
    wake(side, U_READ, e.nextIssue);
    return;
  }
  const q = pickQueue(side, e, t);
  if (q == NONE) return;
  const j = job(side, load<u32>(current(side, q)));
  const left = j.bytes - j.issued;
  const n = left < e.mrrs ? left : e.mrrs;
  const headers = headersOf(e, n);
  if (tagsFree(side, R_DATA) == 0) {
    enter(side, A_READ, W_TAGS, t);
  } else if (!bufferFits(side, R_DATA, n, headers)) {
    enter(side, A_READ, W_COMPLETION_BUFFER, t);
  } else if (portFull(side, UP_READ + R_DATA)) {
    enter(side, A_READ, W_PCIE, t);
  } else {
    request(side, e, q, j, n, headers, t);
  }
}

/** The queue whose turn it is among those that have a page under way or can begin one; NONE when none can. */
function pickQueue(side: u32, e: Engine, t: u64): u32 {
  let cause = STARVED;
  for (let i: u32 = 0; i < e.queues; i++) {
    let q = e.turn + i;
    if (q >= e.queues) q -= e.queues;
    if (load<u32>(current(side, q)) != NONE) return q;
    if (!ready(queue(side, Q_READ + q), t)) continue;
    if (lacks(queue(side, e.behind), 1)) {
      cause = BLOCKED;
      continue;
    }
    if (slotsShort(side, e.kept + 1)) {
      cause = W_SRAM;
      continue;
    }
    if (e.completing != 0) {
      if (portLacks(side, UP_POSTED + R_DATA, e.reading + 1)) {
        cause = W_PCIE;
        continue;
      }
      e.reading++;
    }
    const index = pop(queue(side, Q_READ + q));
    hold(queue(side, e.behind), 1);
    begin(side, job(side, index), t);
    store<u32>(current(side, q), index);
    return q;
  }
  enter(side, A_READ, cause, t);
  return NONE;
}

/** Places in the completion buffer that a request of n bytes takes. */
// @ts-ignore: decorator
@inline
function headersOf(e: Engine, n: u32): u32 {
  return n == e.mrrs ? e.headers : (n + e.rcb - 1) / e.rcb;
}

function begin(side: u32, j: Job, t: u64): void {
  j.slotIn = takeSlot(side);
  j.started = t;
  if (isDefined(TIMELINE)) happened(T_STAGE, side, U_READ, t, j.pfn, 0, j.kind);
  j.issued = 0;
  if (side == 0) {
    j.firstVersion = sourceVersion(j.pfn);
    j.bytes = PAGE_BYTES;
  }
  j.wait = j.bytes;
}

function request(side: u32, e: Engine, q: u32, j: Job, n: u32, headers: u32, t: u64): void {
  const next = edgeAfter(side * 2, t, 1);
  if (isDefined(TIMELINE)) onItsWay(P_REQUEST, side, j, t, j.issued, n);
  issueRead(side, R_DATA, addressOf(j.pfn) + j.issued, n, headers, load<u32>(current(side, q)), next);
  j.issued = <u16>(j.issued + n);
  if (j.issued == j.bytes) store<u32>(current(side, q), NONE);
  e.turn = q + 1 == e.queues ? 0 : q + 1;
  e.nextIssue = edgeAfter(side * 2, t, e.issue);
  count(side, C_READ_REQUESTS, 1);
  // when it is known what the next request will wait for, who frees it wakes this unit
  const cause = waitsFor(side, e);
  if (cause != BUSY) {
    enterUntil(side, A_READ, BUSY, t, e.nextIssue, cause);
    return;
  }
  enter(side, A_READ, BUSY, t);
  wake(side, U_READ, e.nextIssue);
}

/** What the request after this one waits for, BUSY when that is not known yet. */
function waitsFor(side: u32, e: Engine): u32 {
  const index = load<u32>(current(side, e.turn));
  if (index == NONE) return BUSY;
  if (tagsFree(side, R_DATA) == 0) return W_TAGS;
  const left = job(side, index).bytes - job(side, index).issued;
  const n = left < e.mrrs ? left : e.mrrs;
  if (!bufferFits(side, R_DATA, n, headersOf(e, n))) return W_COMPLETION_BUFFER;
  return portFull(side, UP_READ + R_DATA) ? W_PCIE : BUSY;
}

/** A read has been answered; the page is complete with its last byte, and its version is fixed then. */
function complete(side: u32, tag: u32, t: u64): void {
  sample(side, H_REQUEST, t - issuedAt(side, tag));
  const before = tagBytes(side, tag);
  const index = finishRead(side, R_DATA, tag);
  const j = job(side, index);
  if (before > j.wait) broken(I_CONSERVED, before, j.wait, t);
  j.wait -= before;
  if (j.wait != 0) return;
  if (side != 0) {
    readBack(side, index, j, t);
    return;
  }
  if (engine(side).completing != 0) {
    engine(side).reading--;
    descriptorDone(side, <u32>j.nonce, UP_POSTED + R_DATA, t, edgeAfter(side * 2, t, 1));
    j.nonce = 0;
  }
  if (checksReads) readsCleared(j.pfn);
  j.version = sourceVersion(j.pfn);
  j.word = sourceWord(j.pfn);
  if (isDefined(TIMELINE)) onItsWay(P_READ, side, j, t, j.version, j.version != j.firstVersion ? 1 : 0);
  if (j.version != j.firstVersion) count(side, C_READ_TORN, 1);
  // a version that was written after the mark was cleared has set the mark again
  if (j.version != j.firstVersion && !isDirty(j.pfn)) broken(I_CLEARED_BEFORE_READ, j.pfn, j.version, t);
  if (keeps(j.pfn)) {
    j.flags |= CARRIED;
    memory.copy(slotAt(side, j.slotIn), sourcePage(j.pfn), PAGE_BYTES);
  }
  count(side, C_READ_PAGES, 1);
  sample(side, H_PAGE_READ, t - j.started);
  pushHeld(queue(side, Q_ZERO), index, edgeAfter(side * 2, t, 1));
}

/** A sealed page has been read back whole. */
function readBack(side: u32, index: u32, j: Job, t: u64): void {
  restoreRecord(j, tagAt(side, index));
  if ((j.flags & CARRIED) != 0) memory.copy(slotAt(side, j.slotIn), placedPage(j.pfn), j.bytes);
  sample(side, H_PAGE_READ, t - j.started);
  const next = edgeAfter(side * 2, t, 1);
  const known = edgeAt(side * 2, dramDone(side, t, SEALED_ENTRY_BYTES));
  pushHeld(queue(side, engine(side).behind), index, max<u64>(next, known));
}

// --- descriptors ---

/** Steps the descriptor fetcher: the pages of a batch that has been fetched go to their read queue. */
export function stepDescriptors(side: u32, t: u64): void {
  const answers = queue(side, Q_DESC_ANSWER);
  while (ready(answers, t)) {
    fetchAnswered(side, finishRead(side, R_DESC, pop(answers)));
  }
  for (let batch = fetchTaken(side); batch != 0; batch = fetchTaken(side)) {
    const n = batch & 0xffff;
    for (let i: u32 = 0; i < n; i++) {
      const index = pop(queue(side, Q_PENDING));
      const at = edgeAfter(side * 2, t, 1);
      if (isDefined(TIMELINE)) onItsWay(P_FETCHED, side, job(side, index), at, 0, 0);
      pushHeld(queue(side, Q_READ + (batch >> 16)), index, at);
    }
    pop(queue(side, Q_FETCH));
    count(side, C_DESC_FETCHES, 1);
  }
  enter(side, A_DESC, length(queue(side, Q_FETCH)) != 0 ? BUSY : STARVED, t);
}
