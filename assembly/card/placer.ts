// SPDX-License-Identifier: Apache-2.0
// Placer: the DMA write engine of the destination card.
//
// Models: pages as posted writes of at most MPS, one a `writeIssue` clocks; zero pages are written only
//   where the
//   card has placed something before (fresh guest memory is zero), device state is gathered for the
//   front-end.
// In and out: pages from Q_PLACE; TLPs to the posted port of the data requester; Q_LANDED when the last has
//   landed.
// How long: ceil(4096 / MPS) requests, one every `writeIssue` clocks while the port has room. SRAM is free
//   when the last
//   request has been put; a page counts as placed for the firmware then, since posted writes keep their
//   order.
// Leaves out: several write queues (one engine serves all), completion records.
// Numbers: card preset `dma.*`.
import {
  A_PLACE,
  BUSY,
  C_PLACED_PAGES,
  C_PLACED_SKIPPED,
  C_PLACED_ZERO,
  H_PLACE,
  I_CONSERVED,
  I_NO_OLDER_COPY,
  LAND_PAGE,
  PAGE_BYTES,
  Q_LANDED,
  Q_PLACE,
  R_DATA,
  SERIES_PLACED,
  STARVED,
  S_PCIE_MPS,
  S_WRITE_ISSUE,
  T_STAGE,
  U_MEMORY,
  U_PLACE,
  W_PCIE,
} from "../abi";
import { addSeries } from "../kernel/log";
import { pop, queue, ready } from "../kernel/fifo";
import { CARRIED, JOB_DEVICE, JOB_ZERO, Job, NO_SLOT, freeJob, freeSlot, job, slotAt } from "../kernel/jobs";
import { ABSENT, carries, devicePlace, placedPage, placedVersion, setPlaced } from "../kernel/pages";
import { p32 } from "../kernel/params";
import { UP_POSTED, portFull, put } from "../kernel/port";
import { placedAdd } from "../kernel/progress";
import { wake } from "../kernel/schedule";
import { broken, count, enter, enterUntil, sample } from "../kernel/stats";
import { edgeAfter } from "../kernel/time";
import { happened } from "../kernel/timeline";


@unmanaged
class Writer {
  nextIssue: u64;
  index: u32;
  busy: u32;
  offset: u32;
  mps: u32;
}

const WRITERS = memory.data(64, 16);

// @ts-ignore: decorator
@inline
function writer(side: u32): Writer {
  return changetype<Writer>(WRITERS + (side << 5));
}

export function buildPlacer(side: u32): void {
  const w = writer(side);
  memory.fill(changetype<usize>(w), 0, 32);
  w.mps = p32(side, S_PCIE_MPS);
}

export function stepPlacer(side: u32, t: u64): void {
  const w = writer(side);
  if (t < w.nextIssue) {
    wake(side, U_PLACE, w.nextIssue);
    return;
  }
  if (w.busy == 0 && !begin(side, w, t)) return;
  if (portFull(side, UP_POSTED + R_DATA)) {
    enter(side, A_PLACE, W_PCIE, t);
    return;
  }
  const j = job(side, w.index);
  const left = PAGE_BYTES - w.offset;
  const n = left < w.mps ? left : w.mps;
  const last = w.offset + n == PAGE_BYTES;
  put(side, UP_POSTED + R_DATA, w.offset, n, w.index, last ? LAND_PAGE : 0, edgeAfter(side * 2, t, 1));
  w.offset += n;
  w.nextIssue = edgeAfter(side * 2, t, p32(side, S_WRITE_ISSUE));
  if (!last && portFull(side, UP_POSTED + R_DATA)) {
    // the wire wakes this unit when it has taken something
    enterUntil(side, A_PLACE, BUSY, t, w.nextIssue, W_PCIE);
    return;
  }
  enter(side, A_PLACE, BUSY, t);
  wake(side, U_PLACE, w.nextIssue);
  if (last) leave(side, w, j, t);
}

/** Takes the next page; device state and pages that need no write are dealt with at once, one a clock. */
function begin(side: u32, w: Writer, t: u64): bool {
  if (!ready(queue(side, Q_PLACE), t)) {
    enter(side, A_PLACE, STARVED, t);
    return false;
  }
  w.index = pop(queue(side, Q_PLACE));
  const j = job(side, w.index);
  const fresh = j.kind == JOB_ZERO && placedVersion(j.pfn) == ABSENT;
  if (j.kind != JOB_DEVICE && !fresh) {
    w.busy = 1;
    w.offset = 0;
    return true;
  }
  if (fresh) {
    setVersion(side, j, t);
    count(side, C_PLACED_SKIPPED, 1);
  } else {
    memory.copy(devicePlace() + j.pfn, slotAt(side, j.slotIn), j.bytes);
  }
  placedAdd(side, j.kind, j.bytes, t);
  if (j.slotIn != NO_SLOT) freeSlot(side, j.slotIn);
  freeJob(side, w.index);
  w.nextIssue = edgeAfter(side * 2, t, 1);
  enter(side, A_PLACE, BUSY, t);
  wake(side, U_PLACE, w.nextIssue);
  return false;
}

/** The last write of a page has been put. */
function leave(side: u32, w: Writer, j: Job, t: u64): void {
  w.busy = 0;
  if (carries(j.pfn)) {
    if (j.kind == JOB_ZERO) memory.fill(placedPage(j.pfn), 0, PAGE_BYTES);
    else if ((j.flags & CARRIED) != 0) memory.copy(placedPage(j.pfn), slotAt(side, j.slotIn), PAGE_BYTES);
    else broken(I_CONSERVED, j.pfn, j.flags, t);
  }
  if (j.slotIn != NO_SLOT) freeSlot(side, j.slotIn);
  j.slotIn = NO_SLOT;
  placedAdd(side, j.kind, j.bytes, t);
}

/** Takes pages whose last write has landed in host memory. */
export function landPages(side: u32, t: u64): void {
  while (ready(queue(side, Q_LANDED), t)) {
    const index = pop(queue(side, Q_LANDED));
    const j = job(side, index);
    setVersion(side, j, t);
    sample(side, H_PLACE, t - j.started);
    if (isDefined(TIMELINE)) happened(T_STAGE, side, U_MEMORY, t, j.pfn, t, j.kind);
    freeJob(side, index);
  }
}

/** The destination's memory holds this version of the page now. */
function setVersion(side: u32, j: Job, t: u64): void {
  const was = placedVersion(j.pfn);
  if (was != ABSENT && was > j.version) broken(I_NO_OLDER_COPY, j.version, was, t);
  setPlaced(j.pfn, j.version);
  count(side, j.kind == JOB_ZERO ? C_PLACED_ZERO : C_PLACED_PAGES, 1);
  addSeries(SERIES_PLACED, t, 1);
}
