// SPDX-License-Identifier: Apache-2.0
// Zero filter: finds pages of 4096 zero bytes, which travel as a header alone.
//
// In and out: whole pages from Q_ZERO; zero pages to Q_RECORD (their SRAM is freed), others to Q_LZ, or to
//   Q_RECORD when nothing compresses, or the firmware has chosen so (kernel/choice); with deltas all to
//   Q_DELTA.
// How long: ceil(4096 / bytesPerCycle) clocks a page, one page at a time; the page may be seen one clock
//   later.
// Leaves out: early exit at the first byte that is not zero (a pipeline reads on).
// Numbers: card preset `zeroFilter.bytesPerCycle`.
import {
  A_ZERO,
  BLOCKED,
  BUSY,
  C_ZERO_PAGES,
  G_COMPRESS,
  PAGE_BYTES,
  P_SORTED,
  Q_DELTA,
  Q_LZ,
  Q_RECORD,
  Q_ZERO,
  STARVED,
  S_ZERO_CYCLES,
  T_STAGE,
  U_ZERO,
  WORD_ZERO,
} from "../abi";
import { choosing, goesRaw, hasGone } from "../kernel/choice";
import { pop, push, queue, ready, lacks } from "../kernel/fifo";
import {
  JOB_DEVICE,
  JOB_PAGE,
  JOB_ZERO,
  Job,
  NO_SLOT,
  TO_STORE,
  freeSlot,
  job,
  onItsWay,
  slotAt,
} from "../kernel/jobs";
import { deltas, sizedByWord } from "../kernel/pages";
import { g32, p32 } from "../kernel/params";
import { wake } from "../kernel/schedule";
import { count, enter } from "../kernel/stats";
import { edgeAfter } from "../kernel/time";
import { happened } from "../kernel/timeline";


@unmanaged
class Filter {
  done: u64;
  index: u32;
  busy: u32;
}

const FILTERS = memory.data(32, 16);

// @ts-ignore: decorator
@inline
function filter(side: u32): Filter {
  return changetype<Filter>(FILTERS + (side << 4));
}

export function buildZero(side: u32): void {
  memory.fill(changetype<usize>(filter(side)), 0, 16);
}

export function stepZero(side: u32, t: u64): void {
  // the cores do it (board-cores)
  if (p32(side, S_ZERO_CYCLES) == 0) return;
  const f = filter(side);
  if (f.busy != 0) {
    if (t < f.done) {
      wake(side, U_ZERO, f.done);
      return;
    }
    if (!finish(side, f, t)) {
      enter(side, A_ZERO, BLOCKED, t);
      return;
    }
    f.busy = 0;
  }
  if (!ready(queue(side, Q_ZERO), t)) {
    enter(side, A_ZERO, STARVED, t);
    return;
  }
  f.index = pop(queue(side, Q_ZERO));
  f.busy = 1;
  f.done = edgeAfter(side * 2, t, p32(side, S_ZERO_CYCLES));
  if (isDefined(TIMELINE))
    happened(T_STAGE, side, U_ZERO, t, job(side, f.index).pfn, f.done, job(side, f.index).kind);
  enter(side, A_ZERO, BUSY, t);
  wake(side, U_ZERO, f.done);
}

/** Passes the page on; false when there is no room behind. */
function finish(side: u32, f: Filter, t: u64): bool {
  const j = job(side, f.index);
  const zero = sortsOut(side, j);
  const chosen = choosing && !zero && j.kind == JOB_PAGE;
  const raw = chosen && goesRaw();
  const to = queue(side, raw ? Q_RECORD : behindFilter(zero));
  if (lacks(to, 1)) return false;
  sorted(side, j, zero, t);
  push(to, f.index, edgeAfter(side * 2, t, 1));
  if (chosen) hasGone(raw, t);
  return true;
}

/** The queue behind the filter. */
export function behindFilter(zero: bool): u32 {
  return deltas ? Q_DELTA : zero || g32(G_COMPRESS) == 0 ? Q_RECORD : Q_LZ;
}

/** Whether the filter sorts the job out. */
export function sortsOut(side: u32, j: Job): bool {
  return j.kind != JOB_DEVICE && isZero(side, j);
}

/** The job has been looked at: a zero page goes on without its bytes. */
export function sorted(side: u32, j: Job, zero: bool, t: u64): void {
  if (zero) {
    j.kind = JOB_ZERO;
    j.bytes = 0;
    freeSlot(side, j.slotIn);
    j.slotIn = NO_SLOT;
    if ((j.flags & TO_STORE) == 0) count(side, C_ZERO_PAGES, 1);
  }
  if (isDefined(TIMELINE)) onItsWay(P_SORTED, side, j, t, zero ? 1 : 0, 0);
}

function isZero(side: u32, j: Job): bool {
  if (sizedByWord()) return (j.word & WORD_ZERO) != 0;
  const at = slotAt(side, j.slotIn);
  for (let i: usize = 0; i < PAGE_BYTES; i += 64) {
    const a = v128.or(v128.load(at + i), v128.load(at + i, 16));
    const b = v128.or(v128.load(at + i, 32), v128.load(at + i, 48));
    if (v128.any_true(v128.or(a, b))) return false;
  }
  return true;
}
