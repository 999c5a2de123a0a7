// SPDX-License-Identifier: Apache-2.0
// Placer: the DMA write engine of the destination card.
//
// Models: pages as posted writes of at most MPS, one a `writeIssue` clocks, from `writeQueues` queues of one
//   page each; zero pages are written only where the card has placed something before (fresh guest memory is
//   zero), device state is gathered for the front-end.
// In and out: pages from Q_PLACE; pages of writes to the posted port of the data requester, which the link
//   cuts at MPS; Q_LANDED when the last write has landed.
// How long: write k of a page may go k x `writeIssue` clocks after the first; the next page begins 4096 / MPS
//   x `writeIssue` clocks after this one, when a queue is free. SRAM is free, and the page counts as placed
//   for the firmware, when the last write has been handed to the link: writes keep their order.
// A delta (XBZRLE) holds the new bytes, so nothing is read: each of its runs is a write of its own, from the
//   word of 4 bytes in which it begins to the end of the one in which it ends, with byte enables. A run goes
//   when the port has room, the next ceil(n / MPS) x `writeIssue` clocks later; an empty delta needs no
//   write. A delta is of the version placed last, or an invariant is broken.
// With `dma.completionEvery`: a completion record (kernel/completion) is put one clock after the last write
//   of a page that makes one due has been handed to the link, behind it, in the descriptors' posted port,
//   where a page begins only with room for two: the firmware puts the last one of a round.
// A page that goes after the resume (kernel/residual) has landed when a word of 8 bytes behind it has, which
//   says so to the front-end: put one clock after the page's last write, through the posted port of the
//   descriptors.
// A page that is decrypted later (kernel/deferred) is written as its record came, in ceil(bytes / MPS) writes
//   of whole words, and again when it is plain; the second time it does not count for the firmware's round.
// A record for the host (kernel/ring) is written to one of its buffers, in ceil(bytes / MPS) writes of whole
//   words, when one is free; one clock after the last of them its descriptor is put behind it, through the
//   posted port of the descriptors. It counts as placed when the card hears that its buffer is free again.
//   Until then another record of that page waits, and what is behind it (cause `workers`).
// Numbers: card preset `dma.*`.
import {
  A_PLACE,
  BUSY,
  C_DELTA_PLACED,
  C_DELTA_RUNS,
  C_PLACED_PAGES,
  C_PLACED_SKIPPED,
  C_PLACED_ZERO,
  H_PLACE,
  I_CONSERVED,
  I_DECODES,
  I_DELTA_BASE,
  I_NO_OLDER_COPY,
  I_TAG,
  LAND_PAGE,
  PAGE_BYTES,
  P_PLACED,
  Q_LANDED,
  Q_PLACE,
  R_DATA,
  R_DESC,
  SERIES_PLACED,
  STARVED,
  S_PCIE_MPS,
  S_WRITE_ISSUE,
  T_STAGE,
  U_MEMORY,
  U_PLACE,
  W_PCIE,
  W_WORKERS,
} from "../abi";
import { nextRun, runBytes, runStart, xbzrleDecode } from "../codec/xbzrle";
import { BUFFERS_AT, BUFFER_DESCRIPTORS_AT, LANDED_AT, addressOf } from "../kernel/address";
import { completing, writeDone } from "../kernel/completion";
import { becomesPlain, deferring, keepRecord, plainHandedOver } from "../kernel/deferred";
import { deviceComes, several } from "../kernel/guests";
import { addSeries } from "../kernel/log";
import { head, pop, queue, ready } from "../kernel/fifo";
import {
  CARRIED,
  DELTA,
  HOSTED,
  JOB_DEVICE,
  JOB_PAGE,
  JOB_ZERO,
  Job,
  KEPT,
  NO_SLOT,
  RESIDUAL,
  SPOILT,
  freeJob,
  freeSlot,
  job,
  onItsWay,
  slotAt,
} from "../kernel/jobs";
import { ABSENT, carries, devicePlace, placedPage, placedVersion, setPlaced } from "../kernel/pages";
import { p32 } from "../kernel/params";
import { UP_POSTED, portFull, portLacks, put } from "../kernel/port";
import { placedAdd } from "../kernel/progress";
import { tagAt } from "../kernel/record";
import { handOver, pageLanded, residual } from "../kernel/residual";
import {
  bufferLanded,
  buffersBack,
  descriptorBytes,
  fillBuffer,
  forHost,
  hostStages,
  liesInBuffer,
  noBuffer,
  takeBuffer,
} from "../kernel/ring";
import { wake } from "../kernel/schedule";
import { broken, count, enter, evaluates, sample } from "../kernel/stats";
import { edgeAfter } from "../kernel/time";
import { happened } from "../kernel/timeline";


@unmanaged
class Writer {
  handed: u64; // when the last write of the page is handed to the link
  next: u64; // when the next page may begin
  index: u32;
  busy: u32;
  writes: u32; // of a page
  issue: u32;
  at: u32; // of a delta: where its next run stands, and the bytes of the page that are passed
  passed: u32;
}

/** What a writer is busy with: a page, a delta of which runs are left. */
const PAGE: u32 = 1;
const RUNS: u32 = 2;

const WRITERS = memory.data(96, 16);

// @ts-ignore: decorator
@inline
function writer(side: u32): Writer {
  return changetype<Writer>(WRITERS + side * 48);
}

export function buildPlacer(side: u32): void {
  const w = writer(side);
  memory.fill(changetype<usize>(w), 0, 48);
  w.writes = PAGE_BYTES / p32(side, S_PCIE_MPS);
  w.issue = p32(side, S_WRITE_ISSUE);
}

export function stepPlacer(side: u32, t: u64): void {
  const w = writer(side);
  if (hostStages != 0 && side == 1) buffersBack(t);
  if (w.busy == RUNS) {
    stepRuns(side, w, t);
    return;
  }
  if (w.busy != 0) {
    if (t < w.handed) {
      wake(side, U_PLACE, w.handed);
      return;
    }
    leave(side, w, t);
  }
  if (t < w.next) {
    wake(side, U_PLACE, w.next);
    return;
  }
  if (!ready(queue(side, Q_PLACE), t)) {
    enter(side, A_PLACE, STARVED, t);
    return;
  }
  place(side, w, t);
}

/** Begins the page at hand. */
function place(side: u32, w: Writer, t: u64): void {
  const index = head(queue(side, Q_PLACE));
  const j = job(side, index);
  if (hostStages != 0 && liesInBuffer(j)) {
    enter(side, A_PLACE, W_WORKERS, t);
    return;
  }
  if (forHost(j)) {
    placeInBuffer(side, w, j, t);
    return;
  }
  if ((j.flags & SPOILT) != 0) broken(I_TAG, j.pfn, j.nonce, t);
  const fresh = j.kind == JOB_ZERO && placedVersion(j.pfn) == ABSENT;
  const same = (j.flags & DELTA) != 0 && j.bytes == 0;
  const late = (j.flags & RESIDUAL) != 0;
  if (j.kind == JOB_DEVICE || same || (fresh && !late)) {
    pop(queue(side, Q_PLACE));
    pass(side, index, j, t);
    w.next = edgeAfter(side * 2, t, 1);
  } else if (portFull(side, UP_POSTED + R_DATA) || recordLacks(side)) {
    enter(side, A_PLACE, W_PCIE, t);
    return;
  } else if ((j.flags & DELTA) != 0) {
    w.index = pop(queue(side, Q_PLACE));
    w.busy = RUNS;
    w.next = t;
    w.at = 0;
    w.passed = 0;
    if (isDefined(TIMELINE)) onItsWay(P_PLACED, side, j, t, w.index, 1);
    stepRuns(side, w, t);
    return;
  } else {
    w.index = pop(queue(side, Q_PLACE));
    w.busy = PAGE;
    const sealed = deferring && j.kind == JOB_PAGE && (j.flags & KEPT) == 0;
    const bytes = sealed ? (j.bytes + 3) & ~3 : PAGE_BYTES;
    const pieces = sealed ? (bytes + p32(side, S_PCIE_MPS) - 1) / p32(side, S_PCIE_MPS) : w.writes;
    // of a page that fresh memory holds already, the word alone that says so is written
    const writes = fresh ? 1 : pieces;
    w.handed = edgeAfter(side * 2, t, (writes - 1) * w.issue);
    w.next = edgeAfter(side * 2, t, writes * w.issue);
    if (isDefined(TIMELINE)) onItsWay(P_PLACED, side, j, t, w.index, fresh ? 0 : writes);
    const next = edgeAfter(side * 2, t, 1);
    const landing = late ? 0 : LAND_PAGE;
    if (!fresh) put(side, UP_POSTED + R_DATA, addressOf(j.pfn), bytes, w.index, landing, next);
    if (w.handed == t) leave(side, w, t);
  }
  enter(side, A_PLACE, BUSY, t);
  wake(side, U_PLACE, w.busy != 0 ? w.handed : w.next);
}

/** Begins a record for the host, when one of its buffers is free. */
function placeInBuffer(side: u32, w: Writer, j: Job, t: u64): void {
  if (noBuffer()) {
    enter(side, A_PLACE, W_WORKERS, t);
    return;
  }
  if (portFull(side, UP_POSTED + R_DATA) || portLacks(side, UP_POSTED + R_DESC, 1)) {
    enter(side, A_PLACE, W_PCIE, t);
    return;
  }
  w.index = pop(queue(side, Q_PLACE));
  w.busy = PAGE;
  j.flags |= HOSTED;
  j.wait = takeBuffer();
  const bytes = (j.bytes + 3) & ~3;
  const writes = max<u32>(1, (bytes + p32(side, S_PCIE_MPS) - 1) / p32(side, S_PCIE_MPS));
  w.handed = edgeAfter(side * 2, t, (writes - 1) * w.issue);
  w.next = edgeAfter(side * 2, t, writes * w.issue);
  if (isDefined(TIMELINE)) onItsWay(P_PLACED, side, j, t, w.index, bytes == 0 ? 0 : writes);
  const at = BUFFERS_AT + ((<u64>j.wait) << 12);
  if (bytes != 0) put(side, UP_POSTED + R_DATA, at, bytes, w.index, 0, edgeAfter(side * 2, t, 1));
  if (w.handed == t) leave(side, w, t);
  enter(side, A_PLACE, BUSY, t);
  wake(side, U_PLACE, w.busy != 0 ? w.handed : w.next);
}

/** Puts the next run of a delta; the page is handed to the link with its last one. */
function stepRuns(side: u32, w: Writer, t: u64): void {
  if (t < w.next) {
    wake(side, U_PLACE, w.next);
    return;
  }
  if (portFull(side, UP_POSTED + R_DATA)) {
    enter(side, A_PLACE, W_PCIE, t);
    return;
  }
  const j = job(side, w.index);
  const at = nextRun(slotAt(side, j.slotIn), j.bytes, w.at, w.passed, PAGE_BYTES);
  evaluates(I_DECODES);
  if (at == 0) {
    broken(I_DECODES, j.pfn, w.at, t);
    return;
  }
  const last = at == j.bytes;
  const from = runStart & ~3;
  const n = ((runStart + runBytes + 3) & ~3) - from;
  const writes = (n + p32(side, S_PCIE_MPS) - 1) / p32(side, S_PCIE_MPS);
  const next = edgeAfter(side * 2, t, 1);
  const landing = last ? LAND_PAGE : 0;
  put(side, UP_POSTED + R_DATA, addressOf(j.pfn) + from, n, last ? w.index : 0, landing, next);
  count(side, C_DELTA_RUNS, 1);
  w.at = at;
  w.passed = runStart + runBytes;
  w.next = edgeAfter(side * 2, t, writes * w.issue);
  if (last) {
    w.busy = PAGE;
    w.handed = edgeAfter(side * 2, t, (writes - 1) * w.issue);
    if (w.handed == t) leave(side, w, t);
  }
  enter(side, A_PLACE, BUSY, t);
  wake(side, U_PLACE, w.busy == PAGE ? w.handed : w.next);
}

/** Whether there is no room for the page's completion record, one at the end of the round, and its word. */
function recordLacks(side: u32): bool {
  const n: u32 = (completing(side) ? 2 : 0) + (residual != 0 ? 1 : 0);
  return n != 0 && portLacks(side, UP_POSTED + R_DESC, n);
}

/** Device state, zero pages that fresh memory holds already and empty deltas need no write: one a clock. */
function pass(side: u32, index: u32, j: Job, t: u64): void {
  if (j.kind != JOB_DEVICE) {
    setVersion(side, j, t);
    if (isDefined(TIMELINE)) onItsWay(P_PLACED, side, j, t, index, 0);
    if (j.kind == JOB_ZERO) count(side, C_PLACED_SKIPPED, 1);
  } else {
    memory.copy(devicePlace() + j.pfn, slotAt(side, j.slotIn), j.bytes);
    if (several) deviceComes(j.pfn);
  }
  placedAdd(side, j.kind, j.bytes, t);
  if (j.slotIn != NO_SLOT) freeSlot(side, j.slotIn);
  freeJob(side, index);
}

/** The last write of a page has been handed to the link. */
function leave(side: u32, w: Writer, t: u64): void {
  const j = job(side, w.index);
  w.busy = 0;
  if ((j.flags & HOSTED) != 0) {
    leaveToHost(side, w.index, j, t);
    return;
  }
  if (carries(j.pfn)) {
    if (j.kind == JOB_ZERO) memory.fill(placedPage(j.pfn), 0, PAGE_BYTES);
    else if ((j.flags & DELTA) != 0)
      xbzrleDecode(slotAt(side, j.slotIn), j.bytes, placedPage(j.pfn), PAGE_BYTES);
    else if ((j.flags & CARRIED) != 0) memory.copy(placedPage(j.pfn), slotAt(side, j.slotIn), j.bytes);
    else broken(I_CONSERVED, j.pfn, j.flags, t);
  }
  if (j.slotIn != NO_SLOT) freeSlot(side, j.slotIn);
  j.slotIn = NO_SLOT;
  if (completing(side)) writeDone(side, UP_POSTED + R_DESC, edgeAfter(side * 2, t, 1));
  if ((j.flags & RESIDUAL) != 0) {
    const word = LANDED_AT + (((<u64>j.pfn) >> 6) << 3);
    put(side, UP_POSTED + R_DESC, word, 8, w.index, LAND_PAGE, edgeAfter(side * 2, t, 1));
    handOver(j.pfn, t);
  }
  if ((j.flags & KEPT) != 0) {
    plainHandedOver(j, t);
    return;
  }
  if (deferring) keepRecord(j, tagAt(side, w.index), t);
  placedAdd(side, j.kind, j.bytes, t);
}

/** The last write of a record for the host has been handed to the link: its descriptor follows. */
function leaveToHost(side: u32, index: u32, j: Job, t: u64): void {
  fillBuffer(j.wait, j, j.slotIn == NO_SLOT ? 0 : slotAt(side, j.slotIn), tagAt(side, index));
  if (j.slotIn != NO_SLOT) freeSlot(side, j.slotIn);
  j.slotIn = NO_SLOT;
  const at = BUFFER_DESCRIPTORS_AT + ((<u64>j.wait) << 6);
  const next = edgeAfter(side * 2, t, 1);
  put(side, UP_POSTED + R_DESC, at, descriptorBytes(j), index, LAND_PAGE, next);
}

/** Takes pages whose last write has landed in host memory. */
export function landPages(side: u32, t: u64): void {
  while (ready(queue(side, Q_LANDED), t)) {
    const index = pop(queue(side, Q_LANDED));
    const j = job(side, index);
    if ((j.flags & HOSTED) != 0) {
      bufferLanded(j.wait, t);
      freeJob(side, index);
      continue;
    }
    if ((j.flags & RESIDUAL) != 0) pageLanded(j.pfn, t);
    if ((j.flags & KEPT) != 0) becomesPlain(j, t);
    else {
      setVersion(side, j, t);
      sample(side, H_PLACE, t - j.started);
    }
    if (isDefined(TIMELINE)) happened(T_STAGE, side, U_MEMORY, t, j.pfn, t, j.kind);
    freeJob(side, index);
  }
}

/** The destination's memory holds this version of the page now. */
function setVersion(side: u32, j: Job, t: u64): void {
  const was = placedVersion(j.pfn);
  if (was != ABSENT && was > j.version) broken(I_NO_OLDER_COPY, j.version, was, t);
  if ((j.flags & DELTA) != 0) {
    evaluates(I_DELTA_BASE);
    if (was != j.firstVersion) broken(I_DELTA_BASE, was, j.firstVersion, t);
    count(side, C_DELTA_PLACED, 1);
  }
  setPlaced(j.pfn, j.version);
  count(side, j.kind == JOB_ZERO ? C_PLACED_ZERO : C_PLACED_PAGES, 1);
  addSeries(SERIES_PLACED, t, 1);
}
