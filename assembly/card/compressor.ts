// SPDX-License-Identifier: Apache-2.0
// Compressor and decompressor: pools of LZ4 engines.
//
// Models: N engines, each with one page at a time, or a job of up to `jobPages` of them; the encoder is the
//   hardware algorithm itself (docs/lz4-hardware.md) and its clocks come from the windows and tokens of the
//   very page; or an engine of which the rate is known, with liblz4's sizes or given ones. A page that does
//   not shrink, or that is shorter than an engine takes, stays raw.
// In and out: pages from Q_LZ, coded or raw to Q_RECORD; records from Q_UNLZ, pages to Q_PLACE. A coded
//   page takes an SRAM slot of its own before it is begun and gives the raw one back at the end.
// How long: an engine is taken for setup + II clocks, II as docs/lz4-hardware.md, of the card or of a clock
//   of its own, or for bytes in / rate; then to the card's next edge, one clock at least. The page may be
//   seen `fillLatency` clocks after that. A job of n pages has one setup and the sum of their II or bytes,
//   and all of it leaves when it ends. It begins when `jobPages` wait, or the first has for `jobWait`; where
//   the engine does not gather it is first copied into card DRAM and out, 2 x bytes at its rate. `minJob` is
//   of the job. What the engine does not take or cannot store goes raw, handed back to software where
//   `handBack` is charged (card/control). Decompression: setup + ceil(bytes out / bytesPerCycle).
// Leaves out: sharing of SRAM ports, stalls of the decoder on short offsets, a history that goes over pages,
//   in one job too: each page is coded by itself, and has a record of its own.
// Numbers: card preset `compressor.*` and `decompressor.*`, compressor presets.
import {
  A_LZ,
  A_UNLZ,
  BLOCKED,
  BUSY,
  C_ENGINE_PASSED,
  C_HANDED_BACK,
  C_LZ_BYTES_OUT,
  C_LZ_COPIED,
  C_LZ_JOBS,
  C_LZ_PAGES,
  C_LZ_RAW,
  I_DECODES,
  PAGE_BYTES,
  P_CODED,
  P_OUT,
  Q_LZ,
  Q_PLACE,
  Q_RECORD,
  Q_UNLZ,
  STARVED,
  S_LZ_COPIES,
  S_LZ_ENGINES,
  S_LZ_FILL,
  S_LZ_JOB_MIN,
  S_LZ_JOB_PAGES,
  S_LZ_JOB_WAIT,
  S_LZ_RETURN,
  S_LZ_SETUP,
  S_LZ_SPAN_DEN,
  S_LZ_SPAN_NUM,
  S_LZ_STORES,
  S_UNLZ_BYTES,
  S_UNLZ_ENGINES,
  S_UNLZ_SETUP,
  T_STAGE,
  U_COMPRESS,
  U_UNLZ,
  WORD_CYCLES_MASK,
  WORD_CYCLES_SHIFT,
  WORD_SIZE_MASK,
  W_SRAM,
} from "../abi";
import { encodeJob, encodeSpan } from "../codec/encoder";
import { lz4Decompress } from "../codec/lz4";
import {
  dropRecord,
  expectFailure,
  failedBy,
  failing,
  keepForAgain,
  strikes,
  takeForAgain,
  waitsForAgain,
} from "../kernel/failing";
import { choosing, hasCoded } from "../kernel/choice";
import { dramDone } from "../kernel/dram";
import { headSeenFrom, lacks, pop, popReady, push, queue, ready, readyCount } from "../kernel/fifo";
import {
  CARRIED,
  CODED,
  JOB_DEVICE,
  JOB_PAGE,
  Job,
  NO_SLOT,
  RETURNED,
  freeSlot,
  job,
  onItsWay,
  slotAt,
  slotsShort,
  takeSlot,
} from "../kernel/jobs";
import { deviceBytes, sizedByWord } from "../kernel/pages";
import { g32, p, p32 } from "../kernel/params";
import {
  POOL_LZ,
  POOL_UNLZ,
  engineBusy,
  engineDone,
  engineFree,
  engineJob,
  engineStart,
  finished,
  firstFinished,
  idleOf,
  rest,
} from "../kernel/pool";
import { wake } from "../kernel/schedule";
import { broken, count, enter, evaluates } from "../kernel/stats";
import { NEVER, edgeAfter, edgeAt, spanTicks } from "../kernel/time";
import { happened } from "../kernel/timeline";

/** Steps the compressor at a card clock edge: hands on what is done, begins what waits. */
export function stepCompressor(side: u32, t: u64): void {
  const n = p32(side, S_LZ_ENGINES);
  const clock = side * 2;
  const most = p32(side, S_LZ_JOB_PAGES);
  let first: u32 = 0;
  if (failing) {
    first = failedBy(side, POOL_LZ, t);
    if (strikes(side, POOL_LZ, t)) encodingFails(side, min(first, n), t);
    if (n != 0 && first >= n) {
      passBy(side, t);
      return;
    }
  }
  let over = finished(side, POOL_LZ, n, U_COMPRESS, t);
  while (over != 0) {
    const e = firstFinished(side, POOL_LZ, over);
    over ^= (<u32>1) << e;
    if (lacks(queue(side, Q_RECORD), 1)) {
      enter(side, A_LZ + e, BLOCKED, t);
      continue;
    }
    const index = engineJob(side, POOL_LZ, e);
    const j = job(side, index);
    if (most > 1 && othersOf(side, e, index)) over |= (<u32>1) << e;
    else engineFree(side, POOL_LZ, e);
    coded(side, j);
    const out = edgeAfter(clock, engineDone(side, POOL_LZ, e), p32(side, S_LZ_FILL));
    const next = edgeAfter(clock, t, 1);
    if (isDefined(TIMELINE)) onItsWay(P_OUT, side, j, out > next ? out : next, U_COMPRESS, 0);
    push(queue(side, Q_RECORD), index, out > next ? out : next);
  }
  for (let idle = idleOf(side, POOL_LZ, first, n); idle != 0; idle &= idle - 1) {
    const e = <u32>ctz<u32>(idle);
    if (most > 1) {
      beginJob(side, e, most, t);
      continue;
    }
    const again = failing && waitsForAgain(side, POOL_LZ);
    // what one engine cannot begin, the next cannot either
    if (!again && !ready(queue(side, Q_LZ), t)) {
      rest(side, POOL_LZ, A_LZ, idle, STARVED, t);
      break;
    }
    if (slotsShort(side, 1)) {
      rest(side, POOL_LZ, A_LZ, idle, W_SRAM, t);
      break;
    }
    const index = again ? takeForAgain(POOL_LZ) : pop(queue(side, Q_LZ));
    const cycles = compress(side, job(side, index), job(side, index).bytes) + p32(side, S_LZ_SETUP);
    const done = freeAt(side, clock, t, cycles);
    if (choosing && job(side, index).kind == JOB_PAGE) hasCoded(1, job(side, index).bytes, done - t);
    engineStart(side, POOL_LZ, e, index, done);
    if (isDefined(TIMELINE)) onItsWay(P_CODED, side, job(side, index), t, job(side, index).bytes, cycles);
    if (isDefined(TIMELINE))
      happened(T_STAGE, side, U_COMPRESS, t, job(side, index).pfn, done, job(side, index).kind);
    enter(side, A_LZ + e, BUSY, t);
    wake(side, U_COMPRESS, done);
  }
  if (failing) expectFailure(side, POOL_LZ, n, U_COMPRESS, Q_LZ, t);
}

/** Whether others of its job come behind a page that leaves engine e, as long as there is room. */
function othersOf(side: u32, e: u32, index: u32): bool {
  const next = job(side, index).wait;
  job(side, index).wait = 0;
  if (next == index) return false;
  engineStart(side, POOL_LZ, e, next, engineDone(side, POOL_LZ, e));
  return true;
}

/** Engine e begins a job of what waits, at most so many pages, or waits for more. */
function beginJob(side: u32, e: u32, most: u32, t: u64): void {
  const q = queue(side, Q_LZ);
  const n = readyCount(q, t, most);
  if (n < most) {
    const due = ready(q, t) ? edgeAt(side * 2, headSeenFrom(q) + p(side, S_LZ_JOB_WAIT)) : NEVER;
    if (due > t) {
      if (due != NEVER) wake(side, U_COMPRESS, due);
      enter(side, A_LZ + e, STARVED, t);
      return;
    }
  }
  if (slotsShort(side, n)) {
    enter(side, A_LZ + e, W_SRAM, t);
    return;
  }
  const first = popReady(q, t);
  let last = first;
  let bytes = job(side, first).bytes;
  for (let i: u32 = 1; i < n; i++) {
    const next = popReady(q, t);
    job(side, last).wait = next;
    bytes += job(side, next).bytes;
    last = next;
  }
  job(side, last).wait = last;
  beginPages(side, e, first, n, bytes, t);
}

/** The engine is taken for the pages of a job, chained from the first to the one that names itself. */
function beginPages(side: u32, e: u32, first: u32, n: u32, bytes: u32, t: u64): void {
  let span = p32(side, S_LZ_SETUP);
  let out: u64 = 0;
  let begun = t;
  if (n > 1 && p32(side, S_LZ_COPIES) != 0) {
    begun = edgeAt(side * 2, dramDone(side, t, 2 * bytes));
    count(side, C_LZ_COPIED, bytes);
  }
  for (let i: u32 = 0, index = first; i < n; i++, index = job(side, index).wait) {
    const cycles = compress(side, job(side, index), bytes);
    span += cycles;
    out += job(side, index).bytes;
    if (isDefined(TIMELINE)) onItsWay(P_CODED, side, job(side, index), t, job(side, index).bytes, cycles);
  }
  const done = freeAt(side, side * 2, begun, span);
  engineStart(side, POOL_LZ, e, first, done);
  count(side, C_LZ_JOBS, 1);
  if (choosing && job(side, first).kind == JOB_PAGE) hasCoded(n, out, done - t);
  if (isDefined(TIMELINE))
    happened(T_STAGE, side, U_COMPRESS, t, job(side, first).pfn, done, job(side, first).kind);
  enter(side, A_LZ + e, BUSY, t);
  wake(side, U_COMPRESS, done);
}

/** Encoders 0 to n - 1 fail: the raw page is still in its slot, what they made of it is given up. */
function encodingFails(side: u32, n: u32, t: u64): void {
  for (let e: u32 = 0; e < n; e++) {
    enter(side, A_LZ + e, STARVED, t);
    if (!engineBusy(side, POOL_LZ, e)) continue;
    engineFree(side, POOL_LZ, e);
    const index = engineJob(side, POOL_LZ, e);
    const j = job(side, index);
    freeSlot(side, j.slotOut);
    j.slotOut = NO_SLOT;
    count(side, C_LZ_PAGES, 0 - 1);
    if ((j.flags & CODED) == 0) count(side, C_LZ_RAW, 0 - 1);
    count(side, C_LZ_BYTES_OUT, 0 - <u64>j.bytes);
    j.bytes = j.kind == JOB_DEVICE ? min(PAGE_BYTES, deviceBytes - j.pfn) : PAGE_BYTES;
    if ((j.flags & RETURNED) != 0) count(side, C_HANDED_BACK, 0 - 1);
    j.flags &= ~(CODED | RETURNED);
    keepForAgain(side, POOL_LZ, index);
  }
}

/** No encoder is left: pages go raw, one a clock. */
function passBy(side: u32, t: u64): void {
  const again = waitsForAgain(side, POOL_LZ);
  if (!again && !ready(queue(side, Q_LZ), t)) return;
  if (lacks(queue(side, Q_RECORD), 1)) return;
  const next = edgeAfter(side * 2, t, 1);
  const index = again ? takeForAgain(POOL_LZ) : pop(queue(side, Q_LZ));
  count(side, C_ENGINE_PASSED, 1);
  if (isDefined(TIMELINE)) onItsWay(P_OUT, side, job(side, index), next, U_COMPRESS, 0);
  push(queue(side, Q_RECORD), index, next);
  wake(side, U_COMPRESS, next);
}

/** The clock edge of the card at which an engine that is taken at t for so many clocks or bytes is free. */
function freeAt(side: u32, clock: u32, t: u64, span: u32): u64 {
  const den = p(side, S_LZ_SPAN_DEN);
  if (den == 0) return edgeAfter(clock, t, max<u32>(span, 1));
  const next = edgeAfter(clock, t, 1);
  const end = edgeAt(clock, t + spanTicks(span, p(side, S_LZ_SPAN_NUM), den));
  return end > next ? end : next;
}

/** A page has been coded: one of its two slots is no longer needed. */
export function coded(side: u32, j: Job): void {
  const spare = (j.flags & CODED) != 0 ? j.slotIn : j.slotOut;
  if ((j.flags & CODED) != 0) j.slotIn = NO_SLOT;
  else j.slotOut = NO_SLOT;
  freeSlot(side, spare);
}

/**
 * Codes a page of a job of so many bytes into a slot of its own; returns the clocks, or bytes, that the
 * engine is taken for.
 */
export function compress(side: u32, j: Job, jobBytes: u32): u32 {
  j.slotOut = takeSlot(side);
  let size: u32 = 0;
  let cycles: u32 = 0;
  const refused = jobBytes < p32(side, S_LZ_JOB_MIN);
  if (refused) {
    // the engine does not take it
  } else if (sizedByWord() && j.kind != JOB_DEVICE) {
    size = j.word & WORD_SIZE_MASK;
    cycles = (j.word >> WORD_CYCLES_SHIFT) & WORD_CYCLES_MASK;
    if (size >= PAGE_BYTES) size = 0;
    if ((j.flags & CARRIED) != 0) {
      encodeJob(slotAt(side, j.slotIn), PAGE_BYTES, slotAt(side, j.slotOut), PAGE_BYTES);
    }
  } else {
    size = encodeJob(slotAt(side, j.slotIn), j.bytes, slotAt(side, j.slotOut), PAGE_BYTES);
    cycles = encodeSpan(j.bytes);
  }
  count(side, C_LZ_PAGES, 1);
  if (size == 0) {
    count(side, C_LZ_RAW, 1);
    if (p32(side, S_LZ_RETURN) != 0 && (refused || p32(side, S_LZ_STORES) == 0)) {
      count(side, C_HANDED_BACK, 1);
      j.flags |= RETURNED;
    }
  } else {
    j.bytes = size;
    j.flags |= CODED;
  }
  count(side, C_LZ_BYTES_OUT, j.bytes);
  return cycles;
}

/** Steps the decompressor at a card clock edge. */
export function stepDecompressor(side: u32, t: u64): void {
  const n = p32(side, S_UNLZ_ENGINES);
  const clock = side * 2;
  let first: u32 = 0;
  if (failing) {
    first = failedBy(side, POOL_UNLZ, t);
    if (strikes(side, POOL_UNLZ, t)) decodingFails(side, min(first, n), t);
    if (n != 0 && first >= n) {
      noDecoder(side, t);
      return;
    }
  }
  let over = finished(side, POOL_UNLZ, n, U_UNLZ, t);
  while (over != 0) {
    const e = firstFinished(side, POOL_UNLZ, over);
    over ^= (<u32>1) << e;
    if (lacks(queue(side, Q_PLACE), 1)) {
      enter(side, A_UNLZ + e, BLOCKED, t);
      continue;
    }
    const index = engineJob(side, POOL_UNLZ, e);
    const j = job(side, index);
    decoded(side, j);
    engineFree(side, POOL_UNLZ, e);
    push(queue(side, Q_PLACE), index, edgeAfter(clock, t, 1));
  }
  for (let idle = idleOf(side, POOL_UNLZ, first, n); idle != 0; idle &= idle - 1) {
    const e = <u32>ctz<u32>(idle);
    const again = failing && waitsForAgain(side, POOL_UNLZ);
    if (!again && !ready(queue(side, Q_UNLZ), t)) {
      rest(side, POOL_UNLZ, A_UNLZ, idle, STARVED, t);
      break;
    }
    if (slotsShort(side, 1)) {
      rest(side, POOL_UNLZ, A_UNLZ, idle, W_SRAM, t);
      break;
    }
    const index = again ? takeForAgain(POOL_UNLZ) : pop(queue(side, Q_UNLZ));
    const out = decompress(side, job(side, index), t);
    const bytes = p32(side, S_UNLZ_BYTES);
    const done = edgeAfter(clock, t, p32(side, S_UNLZ_SETUP) + (out + bytes - 1) / bytes);
    engineStart(side, POOL_UNLZ, e, index, done);
    if (isDefined(TIMELINE))
      happened(T_STAGE, side, U_UNLZ, t, job(side, index).pfn, done, job(side, index).kind);
    enter(side, A_UNLZ + e, BUSY, t);
    wake(side, U_UNLZ, done);
  }
  if (failing) expectFailure(side, POOL_UNLZ, n, U_UNLZ, Q_UNLZ, t);
}

/** Decoders 0 to n - 1 fail: the record is still in its slot. */
function decodingFails(side: u32, n: u32, t: u64): void {
  for (let e: u32 = 0; e < n; e++) {
    enter(side, A_UNLZ + e, STARVED, t);
    if (!engineBusy(side, POOL_UNLZ, e)) continue;
    engineFree(side, POOL_UNLZ, e);
    const index = engineJob(side, POOL_UNLZ, e);
    const j = job(side, index);
    freeSlot(side, j.slotOut);
    j.slotOut = NO_SLOT;
    j.bytes = j.wait;
    j.flags |= CODED;
    keepForAgain(side, POOL_UNLZ, index);
  }
}

/** No decoder is left: coded records are dropped, one an edge. */
function noDecoder(side: u32, t: u64): void {
  const again = waitsForAgain(side, POOL_UNLZ);
  if (!again && !ready(queue(side, Q_UNLZ), t)) return;
  dropRecord(side, POOL_UNLZ, again ? takeForAgain(POOL_UNLZ) : pop(queue(side, Q_UNLZ)), t);
  wake(side, U_UNLZ, edgeAfter(side * 2, t, 1));
}

/** A record has been decoded: the slot that it came in is no longer needed. */
export function decoded(side: u32, j: Job): void {
  freeSlot(side, j.slotIn);
  j.slotIn = j.slotOut;
  j.slotOut = NO_SLOT;
}

/** Decodes a record into a slot of its own; returns the bytes it becomes. */
export function decompress(side: u32, j: Job, t: u64): u32 {
  j.slotOut = takeSlot(side);
  j.wait = j.bytes;
  let out: u32 = PAGE_BYTES;
  if ((j.flags & CARRIED) != 0) {
    evaluates(I_DECODES);
    const got = lz4Decompress(slotAt(side, j.slotIn), j.bytes, slotAt(side, j.slotOut), PAGE_BYTES);
    if (got < 0 || (j.kind != JOB_DEVICE && got != PAGE_BYTES)) broken(I_DECODES, j.pfn, <u64>got, t);
    out = <u32>got;
  }
  j.bytes = out;
  j.flags &= ~CODED;
  return out;
}
