// SPDX-License-Identifier: Apache-2.0
// Cores of the destination's host that open records, decode and place pages (`placement`: decrypt and
// decompress at `host` or `host-engine`), with engines beside its CPU.
//
// Models: up to 16 workers that look at the buffers of kernel/ring. One that is free takes the page that an
//   engine has given back first, else the buffer that landed first, and works at it until it is placed or an
//   engine has it, a tick at least; of equals the lowest begins. Engines beside the CPU (QAT) have queues of
//   their own, and take in order. An open record is decoded, or copied as it is opened, into the page; a zero
//   page is written only if something was placed there before. Then the worker gives the buffer back to the
//   card by a store.
//   What an engine ends with, it places: the driver's poll finds it, at no cost but the submission's.
// In and out: kernel/ring; writes of 4 bytes to the card, a store after the end.
// How long: kernel/host-costs, a zero page that is written 4096 bytes at the copy rate. So W workers place
//   W / ticks pages a second at most, E engines E / ticks, and the card with N buffers N for each time from
//   its write to their being free again.
// A tag that does not fit: the page is not placed, and the card hears of that as if it had found it itself.
// Leaves out: that workers wake up, caches and memory traffic, faults of the host on fresh guest memory,
//   device state and control records, which the card opens and decodes as ever.
// Numbers: host preset `stages.*`; `placement.destinationWorkers`, `placement.buffers` (assumed).
//
//   a worker, 16 bytes: | done u64 | buffer + 1 u32, 0 while it is idle | - |
import {
  A_WORKER,
  BUSY,
  C_BESIDE_TICKS,
  C_HOST_OPENED,
  C_HOST_PLACED,
  C_PLACED_PAGES,
  C_PLACED_SKIPPED,
  C_PLACED_ZERO,
  C_STAGE_CRYPT,
  C_STAGE_DECOMPRESS,
  ENGINES_MAX,
  H_PLACE,
  I_CONSERVED,
  I_DECODES,
  I_NO_OLDER_COPY,
  I_TAG,
  PAGE_BYTES,
  RECORD_HEADER_BYTES,
  SERIES_PLACED,
  STAGE_CRYPT,
  STARVED,
  S_HOST_CIPHERS,
  S_HOST_COPY_DEN,
  S_HOST_COPY_NUM,
  S_HOST_ENGINES,
  S_HOST_UNLZ,
  S_HOST_WORKERS,
  TICKS_PER_NS,
  T_STAGE,
  U_FRONTEND,
  U_MEMORY,
  WORKERS_MAX,
  WK_ENGINE,
  WK_WORK,
} from "../abi";
import { gcmOpen } from "../codec/gcm";
import { lz4Decompress } from "../codec/lz4";
import { LAND_RELEASE } from "../kernel/device-ring";
import { cipherTicks, coreTicks, decoderTicks, gcmTicks, submitTicks, tagTicks } from "../kernel/host-costs";
import { CARRIED, CODED, JOB_ZERO, SPOILT } from "../kernel/jobs";
import { addSeries } from "../kernel/log";
import { ABSENT, carries, placedPage, placedVersion, setPlaced } from "../kernel/pages";
import { p, p32 } from "../kernel/params";
import { DOWN_POSTED, put } from "../kernel/port";
import { headerOf, ivOf } from "../kernel/record";
import {
  Held,
  REFUSED,
  buffersOut,
  held,
  hostStages,
  nothingLanded,
  payloadOf,
  tagOf,
  takeLanded,
} from "../kernel/ring";
import { wake } from "../kernel/schedule";
import { broken, count, enter, evaluates, sample } from "../kernel/stats";
import { NEVER, spanTicks } from "../kernel/time";
import { happened } from "../kernel/timeline";

// what is next to be done with a record
const OPEN: u32 = 0;
const DECODE: u32 = 1;
const PLACE: u32 = 2;

/** Context of the records of link B, from the source. */
const CONTEXT: u32 = 1;

const WORKERS = memory.data(256, 16);
// when each engine is free: ciphers, then decoders
const CIPHERS = memory.data(128, 16);
const DECODERS = memory.data(512, 16);
const DECODERS_MAX: u32 = 64;
// records that engines have, in the order in which they were submitted
const BESIDE = memory.data(1024, 16);
let besideCount: u32 = 0;
// records that engines have given back and that need a worker
const AGAIN = memory.data(1024, 16);
let againFirst: u32 = 0;
let againCount: u32 = 0;

if (WORKERS_MAX * 16 != 256 || ENGINES_MAX * 8 != 128 || DECODERS_MAX * 8 != 512) ERROR("workers there");

export function buildPlacing(): void {
  memory.fill(WORKERS, 0, 256);
  memory.fill(CIPHERS, 0, 128);
  memory.fill(DECODERS, 0, 512);
  besideCount = 0;
  againFirst = 0;
  againCount = 0;
}

/** Steps the workers of the destination's host: ends, engines, beginnings. */
export function stepPlacing(t: u64): void {
  const n = p32(1, S_HOST_WORKERS);
  for (let i: u32 = 0; i < n; i++) {
    const w = WORKERS + (i << 4);
    if (load<u32>(w, 8) == 0 || load<u64>(w) > t) continue;
    const buffer = load<u32>(w, 8) - 1;
    store<u32>(w, 0, 8);
    if (held(buffer).step == PLACE) place(buffer, t);
    else submit(buffer, t);
  }
  if (besideCount != 0) endBeside(t);
  let soonest: u64 = NEVER;
  for (let i: u32 = 0; i < n; i++) {
    const w = WORKERS + (i << 4);
    if (load<u32>(w, 8) == 0 && (againCount != 0 || !nothingLanded())) begin(i, w, t);
    const busy = load<u32>(w, 8) != 0;
    if (busy) soonest = min<u64>(soonest, load<u64>(w));
    enter(1, A_WORKER + i, busy ? BUSY : STARVED, t);
  }
  for (let i: u32 = 0; i < besideCount; i++)
    soonest = min<u64>(soonest, held(load<u32>(BESIDE + (i << 2))).done);
  if (soonest != NEVER) wake(1, U_FRONTEND, soonest);
}

/** A worker takes the next record, and works until it is placed or an engine has it. */
function begin(i: u32, w: usize, t: u64): void {
  const buffer = againCount != 0 ? takeAgain() : takeLanded();
  const h = held(buffer);
  if ((hostStages & STAGE_CRYPT) == 0) h.step = DECODE;
  let ticks: u64 = 0;
  if (h.step == OPEN) {
    const beside = p32(1, S_HOST_CIPHERS) != 0;
    const opening = beside ? submitTicks(1) : gcmTicks(1, h.bytes);
    count(1, C_STAGE_CRYPT, opening);
    ticks = opening;
    if (!beside) h.step = (h.flags & SPOILT) != 0 ? PLACE : DECODE;
  }
  if (h.step == DECODE) ticks += decodes(h);
  ticks = max<u64>(1, ticks);
  if (isDefined(TIMELINE)) happened(T_STAGE, 1, U_FRONTEND, t, h.pfn, t + ticks, WK_WORK | (i << 8));
  store<u64>(w, t + ticks);
  store<u32>(w, buffer + 1, 8);
}

/** What a worker has to do with an open record beside submitting it; zero pages and raw ones are there. */
function decodes(h: Held): u64 {
  const coded = h.kind != JOB_ZERO && (h.flags & CODED) != 0;
  const beside = coded && p32(1, S_HOST_ENGINES) != 0;
  let ticks: u64 = 0;
  if (beside) ticks = submitTicks(1);
  else if (coded) ticks = coreTicks(1, PAGE_BYTES, S_HOST_UNLZ);
  else if (needsWork(h)) ticks = spanTicks(PAGE_BYTES, p(1, S_HOST_COPY_NUM), p(1, S_HOST_COPY_DEN));
  count(1, C_STAGE_DECOMPRESS, ticks);
  if (!beside) h.step = PLACE;
  return ticks;
}

// --- engines beside the CPU ---

/** The engine of n that is free first has a record from t on for so long: until when. */
function occupies(engines: usize, n: u32, ticks: u64, t: u64): u64 {
  let best = engines;
  for (let i: u32 = 1; i < n; i++)
    if (load<u64>(engines + (i << 3)) < load<u64>(best)) best = engines + (i << 3);
  const free = load<u64>(best);
  const done = (free > t ? free : t) + ticks;
  store<u64>(best, done);
  count(1, C_BESIDE_TICKS, ticks);
  return done;
}

/** A worker has submitted a record. */
function submit(buffer: u32, t: u64): void {
  const h = held(buffer);
  if (h.step == DECODE) h.done = occupies(DECODERS, p32(1, S_HOST_ENGINES), decoderTicks(), t);
  else h.done = tagTicks(1) + occupies(CIPHERS, p32(1, S_HOST_CIPHERS), cipherTicks(1, h.bytes), t);
  if (isDefined(TIMELINE)) happened(T_STAGE, 1, U_FRONTEND, t, h.pfn, h.done, WK_ENGINE | (h.step << 8));
  store<u32>(BESIDE + (besideCount++ << 2), buffer);
}

/** Records that engines are done with by t: placed, or back to the workers, in the order of their ends. */
function endBeside(t: u64): void {
  while (true) {
    let at: u32 = besideCount;
    let first: u64 = NEVER;
    for (let i: u32 = 0; i < besideCount; i++) {
      const done = held(load<u32>(BESIDE + (i << 2))).done;
      if (done <= t && done < first) {
        first = done;
        at = i;
      }
    }
    if (at == besideCount) return;
    const buffer = load<u32>(BESIDE + (at << 2));
    memory.copy(BESIDE + (at << 2), BESIDE + ((at + 1) << 2), (besideCount - at - 1) << 2);
    besideCount--;
    afterEngine(buffer, t);
  }
}

function afterEngine(buffer: u32, t: u64): void {
  const h = held(buffer);
  h.step++;
  if (h.step == PLACE || (h.flags & SPOILT) != 0 || !needsWork(h)) {
    place(buffer, t);
    return;
  }
  store<u32>(AGAIN + (((againFirst + againCount) & 255) << 2), buffer);
  againCount++;
}

/** Whether an open record has to be decoded, or written as zeros. */
function needsWork(h: Held): bool {
  return h.kind == JOB_ZERO ? placedVersion(h.pfn) != ABSENT : (h.flags & CODED) != 0;
}

function takeAgain(): u32 {
  const buffer = load<u32>(AGAIN + (againFirst << 2));
  againFirst = (againFirst + 1) & 255;
  againCount--;
  return buffer;
}

// --- what becomes of a record ---

/** Opens a record in its buffer; false when its tag does not fit. */
function opens(h: Held, buffer: u32, t: u64): bool {
  count(1, C_HOST_OPENED, 1);
  const spoilt = (h.flags & SPOILT) != 0;
  if ((h.flags & CARRIED) == 0) return !spoilt;
  evaluates(I_TAG);
  const at = payloadOf(buffer);
  const header = headerOf(h.pfn, h.nonce, h.bytes, (h.flags & CODED) != 0 ? 1 : 0, h.kind, h.version);
  const iv = ivOf(CONTEXT, h.nonce);
  const good = gcmOpen(CONTEXT, iv, header, RECORD_HEADER_BYTES, at, at, h.bytes, tagOf(buffer));
  if (good == spoilt) broken(I_TAG, h.pfn, h.nonce, t);
  return good;
}

/** The page is placed, or its record refused; the buffer goes back to the card. */
function place(buffer: u32, t: u64): void {
  const h = held(buffer);
  const good = (hostStages & STAGE_CRYPT) == 0 || opens(h, buffer, t);
  if (good) placed(h, buffer, t);
  put(1, DOWN_POSTED, 0, 4, good ? buffer : buffer | REFUSED, LAND_RELEASE, t + TICKS_PER_NS);
}

function placed(h: Held, buffer: u32, t: u64): void {
  const zero = h.kind == JOB_ZERO;
  const was = placedVersion(h.pfn);
  if (was != ABSENT && was > h.version) broken(I_NO_OLDER_COPY, h.version, was, t);
  if (carries(h.pfn)) {
    if (zero) memory.fill(placedPage(h.pfn), 0, PAGE_BYTES);
    else if ((h.flags & CARRIED) == 0) broken(I_CONSERVED, h.pfn, h.flags, t);
    else if ((h.flags & CODED) != 0) {
      evaluates(I_DECODES);
      const got = lz4Decompress(payloadOf(buffer), h.bytes, placedPage(h.pfn), PAGE_BYTES);
      if (got != PAGE_BYTES) broken(I_DECODES, h.pfn, <u64>got, t);
    } else memory.copy(placedPage(h.pfn), payloadOf(buffer), h.bytes);
  }
  setPlaced(h.pfn, h.version);
  count(1, zero ? C_PLACED_ZERO : C_PLACED_PAGES, 1);
  if (zero && was == ABSENT) count(1, C_PLACED_SKIPPED, 1);
  count(1, C_HOST_PLACED, 1);
  addSeries(SERIES_PLACED, t, 1);
  sample(1, H_PLACE, t - h.started);
  if (isDefined(TIMELINE)) happened(T_STAGE, 1, U_MEMORY, t, h.pfn, t, h.kind);
}

/** Records that workers and engines have, and buffers that are not home. */
export function placingOut(): u32 {
  let n = buffersOut() + besideCount + againCount;
  for (let i: u32 = 0; i < WORKERS_MAX; i++) if (load<u32>(WORKERS + (i << 4), 8) != 0) n++;
  return n;
}
