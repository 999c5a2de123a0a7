// SPDX-License-Identifier: Apache-2.0
// Guest of the source server: writes pages as the trace (or the generator) says, on its vCPUs.
//
// Models: one write a listed page and epoch, on the page's vCPU; a write that faults stalls its vCPU, and
//   what that vCPU does afterwards shifts later (clock guest); stalls of all vCPUs by TLB flushes. A page's
//   first read, where the trace has it, does nothing at the source, and waits for a page that is not there
//   at the destination, as a write does.
// In and out: events from one ring a vCPU, filled by the harness in order of time; page versions, contents
//   and dirty marks. An empty ring stops the run with STOP_INPUT at the time up to which the harness has
//   filled it.
// How long: a write that finds its page clean under write protection costs `writeFault`, and `protectPage`
//   for every other page of its group (kernel/group) that is opened with it; with a dirty ring
//   `writeFault`, with PML nothing, and both what kernel/dirty-log says; with a dirty bitmap nothing.
// Leaves out: what the guest does between writes; reads of pages that it has read before.
// Numbers: host preset `writeFault`, `tlbFlush`.
//
//   event, 24 bytes: | time u64 | page u32 | content word u32 | flags u32 | - |
import {
  A_GUEST,
  BUSY,
  C_FAULTS,
  C_FREES,
  C_READS,
  C_READ_TOUCHES,
  C_STALL_TICKS,
  C_WRITES,
  EVENT_BYTES,
  EVENT_FREE,
  EVENT_READ,
  EVENT_SAME,
  EVENT_ZERO,
  G_CLOCK_WALL,
  G_RING_EVENTS,
  G_TRACKER,
  G_VCPUS,
  PAGE_BYTES,
  P_WRITTEN,
  SERIES_DIRTY,
  STARVED,
  S_HOST_FAULT,
  TRACKER_DIRTY_RING,
  TRACKER_WRITE_PROTECT,
  T_PAGE,
  U_GUEST,
  VCPUS_MAX,
} from "../abi";
import { deferring, uses } from "../kernel/deferred";
import { guestRuns, heldUp, markDirty } from "../kernel/dirty";
import { heldBack, logWrite, logging, stands } from "../kernel/dirty-log";
import { grouped, openGroup, writtenInGroup } from "../kernel/group";
import { faulted, several, vcpusLie } from "../kernel/guests";
import { addSeries } from "../kernel/log";
import { reserve } from "../kernel/memory";
import {
  keeps,
  newVersion,
  placedPage,
  placedVersion,
  setPlaced,
  setWord,
  sourcePage,
  sourceVersion,
} from "../kernel/pages";
import { g32, p } from "../kernel/params";
import { isMapped } from "../kernel/residual";
import { readsThere, stays } from "../kernel/qemu-postcopy";
import { setDue, wake } from "../kernel/schedule";
import { count, enter } from "../kernel/stats";
import { NEVER } from "../kernel/time";
import { happened } from "../kernel/timeline";
import { guestThere, lateFor, noteBefore, touch, waits } from "../kernel/touch";

//  vCPU, 32 bytes: | skew u64 | consumed u64 | head u32 | tail u32 | fed u64 |
@unmanaged
class Vcpu {
  skew: u64; // by which this vCPU is late
  consumed: u64; // writes executed
  head: u32;
  tail: u32;
  fed: u64; // the harness has given every event of this vCPU before this time
}

const VCPUS = memory.data(2048, 16);

let events: usize = 0;
let bodies: usize = 0;
let ring: u32 = 0;
let vcpus: u32 = 0;
let wall: bool = false;
let faults: bool = false; // a write that finds its page clean does
let faultTicks: u64 = 0;
/** True when the guest needs events that the harness has not given yet. */
export let wantsInput: bool = false;

if (VCPUS_MAX * 32 != 2048) ERROR("vcpus");

// @ts-ignore: decorator
@inline
function vcpu(index: u32): Vcpu {
  return changetype<Vcpu>(VCPUS + (index << 5));
}

export function buildGuest(withBodies: bool): bool {
  vcpus = g32(G_VCPUS);
  ring = g32(G_RING_EVENTS);
  wall = g32(G_CLOCK_WALL) != 0;
  const kind = g32(G_TRACKER);
  faults = kind == TRACKER_WRITE_PROTECT || kind == TRACKER_DIRTY_RING;
  faultTicks = p(0, S_HOST_FAULT);
  stays();
  memory.fill(VCPUS, 0, 2048);
  vcpusLie(VCPUS);
  events = reserve(<u64>vcpus * ring * EVENT_BYTES);
  bodies = withBodies ? reserve(<u64>vcpus * ring * PAGE_BYTES) : 0;
  wantsInput = false;
  return events != 0 && (bodies != 0 || !withBodies);
}

/** From now on no write faults: the guest has gone where nothing is protected. */
export function unprotect(): void {
  faults = false;
}

export function vcpusAt(): usize {
  return VCPUS;
}

export function eventsAt(): usize {
  return events;
}

export function bodiesAt(): usize {
  return bodies;
}

/**
 * The harness has filled the rings, and said in each vCPU's `fed` up to which time (NEVER: there is no more).
 */
export function inputGiven(): void {
  wantsInput = false;
}

/** Steps the guest at t: executes the writes that are due. */
export function stepGuest(t: u64): void {
  if (!guestRuns) {
    enter(0, A_GUEST, STARVED, t);
    return;
  }
  enter(0, A_GUEST, BUSY, t);
  while (true) {
    let best = NEVER;
    let who: u32 = 0;
    for (let v: u32 = 0; v < vcpus; v++) {
      const c = vcpu(v);
      const late = wall ? 0 : c.skew + heldUp + (logging ? heldBack(v) : 0);
      const at =
        c.head == c.tail ? (c.fed == NEVER ? NEVER : c.fed + late) : load<u64>(event(v, c.head)) + late;
      if (at < best) {
        best = at;
        who = v;
      }
    }
    if (best > t) {
      wake(0, U_GUEST, best);
      return;
    }
    if (vcpu(who).head == vcpu(who).tail) {
      wantsInput = true;
      setDue(0, U_GUEST, t);
      return;
    }
    write(who, t);
  }
}

// @ts-ignore: decorator
@inline
function event(v: u32, index: u32): usize {
  return events + <usize>(v * ring + (index & (ring - 1))) * EVENT_BYTES;
}

/** Puts the contents of a vCPU's next write into a page. */
function fillPage(v: u32, c: Vcpu, flags: u32, page: usize): void {
  if ((flags & EVENT_ZERO) != 0) memory.fill(page, 0, PAGE_BYTES);
  else memory.copy(page, bodies + <usize>(v * ring + (c.head & (ring - 1))) * PAGE_BYTES, PAGE_BYTES);
}

/** A vCPU's next event was a read. */
function hasRead(side: u32, c: Vcpu): void {
  c.head++;
  c.consumed++;
  count(side, C_READS, 1);
}

function write(v: u32, t: u64): void {
  const c = vcpu(v);
  const e = event(v, c.head);
  const pfn = load<u32>(e, 8);
  const flags = load<u32>(e, 16);
  if ((flags & EVENT_READ) != 0) {
    hasRead(0, c);
    readsThere(t, pfn);
    return;
  }
  newVersion(pfn);
  if ((flags & EVENT_SAME) == 0) {
    setWord(pfn, load<u32>(e, 12));
    if (keeps(pfn)) fillPage(v, c, flags, sourcePage(pfn));
  }
  c.head++;
  c.consumed++;
  const marked = logging ? logWrite(v, pfn, (flags & EVENT_FREE) == 0, t) : markDirty(pfn);
  if (grouped) writtenInGroup(pfn);
  if (isDefined(TIMELINE)) happened(T_PAGE, 0, P_WRITTEN, t, pfn, sourceVersion(pfn), marked ? 1 : 0);
  addSeries(SERIES_DIRTY, t, 1);
  if ((flags & EVENT_FREE) != 0) {
    count(0, C_FREES, 1);
    return;
  }
  count(0, C_WRITES, 1);
  if (!marked || !faults) return;
  count(0, C_FAULTS, 1);
  const stall = grouped ? faultTicks + openGroup(pfn) : faultTicks;
  if (logging) stands(v, stall, t);
  else count(0, C_STALL_TICKS, stall);
  c.skew += stall;
  if (several) faulted(v, stall);
}

// --- at the destination, while pages are missing (kernel/touch) ---

/** Notes how far each vCPU has come at the source. */
export function guestMoves(): void {
  for (let v: u32 = 0; v < vcpus; v++) noteBefore(v, vcpu(v).consumed);
}

/** Steps the guest at the destination: what touches a page that is not mapped waits for it. */
export function stepGuestThere(t: u64): void {
  enter(1, A_GUEST, guestThere ? BUSY : STARVED, t);
  while (guestThere) {
    let best = NEVER;
    let who: u32 = 0;
    for (let v: u32 = 0; v < vcpus; v++) {
      if (waits(v)) continue;
      const c = vcpu(v);
      const late = wall ? 0 : c.skew + heldUp + lateFor(v) + (logging ? heldBack(v) : 0);
      const fed = c.head == c.tail ? c.fed : load<u64>(event(v, c.head));
      const at = fed == NEVER ? NEVER : fed + late;
      if (at < best) {
        best = at;
        who = v;
      }
    }
    if (best > t) {
      wake(1, U_GUEST, best);
      return;
    }
    const c = vcpu(who);
    if (c.head == c.tail) {
      wantsInput = true;
      setDue(1, U_GUEST, t);
      return;
    }
    const pfn = load<u32>(event(who, c.head), 8);
    if (isMapped(pfn)) writeThere(who, c, pfn, t);
    else {
      touch(who, pfn, t);
      if ((load<u32>(event(who, c.head), 16) & EVENT_READ) != 0) count(1, C_READ_TOUCHES, 1);
    }
  }
}

function writeThere(v: u32, c: Vcpu, pfn: u32, t: u64): void {
  const flags = load<u32>(event(v, c.head), 16);
  if (deferring) uses(pfn, t);
  if ((flags & EVENT_READ) != 0) {
    hasRead(1, c);
    return;
  }
  setPlaced(pfn, placedVersion(pfn) + 1);
  if ((flags & EVENT_SAME) == 0 && keeps(pfn)) fillPage(v, c, flags, placedPage(pfn));
  c.head++;
  c.consumed++;
  if (isDefined(TIMELINE)) happened(T_PAGE, 1, P_WRITTEN, t, pfn, placedVersion(pfn), 0);
  addSeries(SERIES_DIRTY, t, 1);
  count(1, (flags & EVENT_FREE) != 0 ? C_FREES : C_WRITES, 1);
}
