// SPDX-License-Identifier: Apache-2.0
// Delta stage of the source card: sends what has changed in a page since it was sent last, as XBZRLE.
//
// Models: one engine in front of the compressor, and a cache in card DRAM of pages as they were sent, with
//   their versions: direct mapped, page n in set n mod sets, whatever comes takes the place. A page that is
//   found there is compared with its copy; a delta of at most `most` bytes is what is sent, and neither
//   compressed nor coded again. Any other page goes on as it is. Both leave a copy. A page of zeros clears
//   its set. So a page's base is always what the destination has placed last: rounds follow each other.
// In and out: pages from Q_DELTA, all of them; deltas and zero pages to Q_RECORD, others to Q_LZ (Q_RECORD
//   when nothing compresses). A page that is found takes an SRAM slot for its delta before it is begun, and
//   gives one back at the end.
// How long: ceil(4096 / width) clocks, and not less than card DRAM needs for 4096 bytes (the new copy), or
//   8192 (and the old one), kernel/dram; zero pages and device state one clock. Seen one clock later.
// Leaves out: latency of card DRAM (copies are read ahead), several engines, ageing of what is in the cache.
// In `sized` runs too the source's bytes are there and deltas are made and carried; other pages are then
//   left to their words.
// Numbers: `delta.xbzrle.*` of the scenario; the format and what is kept follow QEMU's XBZRLE.
//
//   set, 8 bytes: | page number + 1, 0 when it is empty | version |
import {
  A_DELTA,
  BLOCKED,
  BUSY,
  C_DELTA_BYTES,
  C_DELTA_HITS,
  C_DELTA_MISSES,
  C_DELTA_OVERFLOWS,
  C_DELTA_SAME,
  G_COMPRESS,
  G_DELTA_CYCLES,
  G_DELTA_MOST,
  G_DELTA_SETS,
  PAGE_BYTES,
  Q_DELTA,
  Q_LZ,
  Q_RECORD,
  STARVED,
  T_STAGE,
  U_COMPRESS,
  U_DELTA,
  W_SRAM,
} from "../abi";
import { xbzrleEncode } from "../codec/xbzrle";
import { dramDone } from "../kernel/dram";
import { head, lacks, pop, push, queue, ready } from "../kernel/fifo";
import {
  CARRIED,
  DELTA,
  JOB_DEVICE,
  JOB_PAGE,
  JOB_ZERO,
  Job,
  NO_SLOT,
  freeSlot,
  job,
  slotAt,
  slotsShort,
  takeSlot,
} from "../kernel/jobs";
import { reserve } from "../kernel/memory";
import { carries, deltas } from "../kernel/pages";
import { g32 } from "../kernel/params";
import { wake } from "../kernel/schedule";
import { count, enter } from "../kernel/stats";
import { edgeAfter, edgeAt } from "../kernel/time";
import { happened } from "../kernel/timeline";

let sets: u32 = 0;
let tags: usize = 0;
let copies: usize = 0;
// the page in the engine
let busy: bool = false;
let done: u64 = 0;
let index: u32 = 0;

/** Lays out the cache; false when memory does not hold it. */
export function buildDelta(): bool {
  busy = false;
  sets = g32(G_DELTA_SETS);
  if (!deltas) return true;
  tags = reserve((<u64>sets) << 3);
  copies = reserve(<u64>sets * PAGE_BYTES);
  return tags != 0 && copies != 0;
}

// @ts-ignore: decorator
@inline
function setOf(pfn: u32): usize {
  return tags + ((<usize>(pfn & (sets - 1))) << 3);
}

function found(pfn: u32): bool {
  return load<u32>(setOf(pfn)) == pfn + 1;
}

/** Steps the stage at an edge of the source's card clock, behind the compressor. */
export function stepDelta(side: u32, t: u64): void {
  if (busy) {
    if (t < done) {
      wake(side, U_COMPRESS, done);
      return;
    }
    if (!handOn(side, t)) {
      enter(side, A_DELTA, BLOCKED, t);
      return;
    }
    busy = false;
  }
  const q = queue(side, Q_DELTA);
  if (!ready(q, t)) {
    enter(side, A_DELTA, STARVED, t);
    return;
  }
  const j = job(side, head(q));
  const hit = j.kind == JOB_PAGE && found(j.pfn);
  if (hit && slotsShort(side, 1)) {
    enter(side, A_DELTA, W_SRAM, t);
    return;
  }
  index = pop(q);
  busy = true;
  done = j.kind == JOB_PAGE ? code(side, j, hit, t) : pass(side, j, t);
  if (isDefined(TIMELINE)) happened(T_STAGE, side, U_DELTA, t, j.pfn, done, j.kind);
  enter(side, A_DELTA, BUSY, t);
  wake(side, U_COMPRESS, done);
}

/** Zero pages and device state: one clock. What the cache holds of a page that is zero now is void. */
function pass(side: u32, j: Job, t: u64): u64 {
  if (j.kind == JOB_ZERO && found(j.pfn)) store<u32>(setOf(j.pfn), 0);
  return edgeAfter(side * 2, t, 1);
}

/** Makes the delta of a page that is found, and keeps the page; returns when the engine is free. */
function code(side: u32, j: Job, hit: bool, t: u64): u64 {
  const set = setOf(j.pfn);
  const copy = copies + <usize>(j.pfn & (sets - 1)) * PAGE_BYTES;
  const page = slotAt(side, j.slotIn);
  if (hit) {
    count(side, C_DELTA_HITS, 1);
    j.slotOut = takeSlot(side);
    const size = xbzrleEncode(copy, page, PAGE_BYTES, slotAt(side, j.slotOut), g32(G_DELTA_MOST));
    if (size < 0) {
      count(side, C_DELTA_OVERFLOWS, 1);
    } else {
      if (size == 0) count(side, C_DELTA_SAME, 1);
      count(side, C_DELTA_BYTES, <u32>size);
      j.bytes = <u32>size;
      j.firstVersion = load<u32>(set, 4);
      j.flags |= DELTA;
    }
  } else {
    count(side, C_DELTA_MISSES, 1);
  }
  store<u32>(set, j.pfn + 1);
  store<u32>(set, j.version, 4);
  memory.copy(copy, page, PAGE_BYTES);
  const compared = edgeAfter(side * 2, t, g32(G_DELTA_CYCLES));
  const moved = edgeAt(side * 2, dramDone(side, t, hit ? 2 * PAGE_BYTES : PAGE_BYTES));
  return moved > compared ? moved : compared;
}

/** Passes the page on; false when there is no room behind. */
function handOn(side: u32, t: u64): bool {
  const j = job(side, index);
  const coded = (j.flags & DELTA) != 0;
  const usual = j.kind != JOB_ZERO && !coded && g32(G_COMPRESS) != 0;
  const to = queue(side, usual ? Q_LZ : Q_RECORD);
  if (lacks(to, 1)) return false;
  if (coded) {
    freeSlot(side, j.slotIn);
    j.slotIn = j.slotOut;
    if (j.bytes == 0) {
      freeSlot(side, j.slotIn);
      j.slotIn = NO_SLOT;
    }
  } else {
    if (j.slotOut != NO_SLOT) freeSlot(side, j.slotOut);
    if (j.kind != JOB_DEVICE && !carries(j.pfn)) j.flags &= ~CARRIED;
  }
  j.slotOut = NO_SLOT;
  push(to, index, edgeAfter(side * 2, t, 1));
  return true;
}
