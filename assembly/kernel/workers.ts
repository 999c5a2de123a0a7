// SPDX-License-Identifier: Apache-2.0
// Cores of the source's host that work at stages of pages before the front-end hands them over (`placement`:
// zero, compress and encrypt at `host`, compress and encrypt at `host-engine`).
//
// Models: up to 16 workers that share the pages of a message, in order, each to the worker that is free first
//   (of equals the lowest); an engine beside the host's CPU (QAT, IAA) that a worker submits a page to. All
//   begin at t; the front-end sleeps until the last page is done, then copies them into its message.
// How long: zero filter job + ceil(n x zeroPerKiB / 1024) cycles of the host's clock, n = 4096 of a zero
//   page and 64 of any other; liblz4 job + 4 x its cost of a KiB; a submission job cycles, and then the
//   engine that is free first for 4096 bytes at its rate; AES-GCM by kernel/host-costs, of every page, a zero
//   one too, and in an engine after that of compression. So W workers and E engines have min(W / cycles,
//   E x rate / 4096) pages a second at most, less the time in which the front-end copies and tells.
// Books: a worker is busy from t to its own end in the message; its account begins where stages have a place.
// Leaves out: pages of two messages side by side, that workers wake up, caches, memory of the buffers,
//   polling for an engine's answer, device state (which is handed over as it stands).
// Numbers: host preset `stages.*` (assumed), compressor presets.
import {
  A_FRONTEND,
  A_WORKER,
  BUSY,
  C_BESIDE_TICKS,
  C_HOST_TICKS,
  C_STAGE_COMPRESS,
  C_STAGE_CRYPT,
  C_STAGE_ZERO,
  ENGINES_MAX,
  PAGE_BYTES,
  STAGE_COMPRESS,
  STAGE_CRYPT,
  STAGE_ZERO,
  STARVED,
  S_HOST_CIPHERS,
  S_HOST_ENGINES,
  S_HOST_LZ,
  S_HOST_LZ_RAW,
  S_HOST_STAGES,
  S_HOST_WORKERS,
  S_HOST_ZERO,
  S_LZ_JOB_MIN,
  S_LZ_SPAN_DEN,
  S_LZ_SPAN_NUM,
  WORKERS_MAX,
  W_WORKERS,
  ZERO_GLANCE,
} from "../abi";
import { coreStops, coreWorks, coresWork, shared } from "./cpu";
import { cipherTicks, coreTicks, gcmTicks, submitTicks, tagTicks } from "./host-costs";
import { p, p32 } from "./params";
import { count, enter, enterUntil } from "./stats";
import { spanTicks } from "./time";

/** Engines of a compressor preset. */
const BESIDE_MAX: u32 = 64;
const ENDS = memory.data(128, 16); // of workers, ticks after the beginning
const BESIDE = memory.data(512, 16); // of engines
const CIPHERS = memory.data(128, 16); // of engines that encrypt
// when the last tag is known
let tagged: u64 = 0;
/** Until when the front-end sleeps. */
export let asleepUntil: u64 = 0;

if (WORKERS_MAX * 8 != 128 || ENGINES_MAX * 8 != 128 || BESIDE_MAX * 8 != 512) ERROR("workers");

export function buildWorkers(): void {
  asleepUntil = 0;
}

/** A front-end works from t until `done`; it sleeps while workers do. */
export function hostWorks(side: u32, t: u64, done: u64): void {
  const slept: u64 = side == 0 && asleepUntil > t ? asleepUntil - t : 0;
  if (slept != 0) enterUntil(0, A_FRONTEND, W_WORKERS, t, asleepUntil, BUSY);
  else enter(side, A_FRONTEND, BUSY, t);
  count(side, C_HOST_TICKS, done - t - slept);
  if (shared && side == 0) coreWorks(done - t - slept);
}

/** The source's front-end drops at t what was to end at `done`; workers end what they have begun. */
export function hostDrops(t: u64, done: u64): void {
  const left = done - max<u64>(t, asleepUntil);
  asleepUntil = min<u64>(asleepUntil, t);
  count(0, C_HOST_TICKS, 0 - left);
  if (shared) coreStops(left, t);
}

/** Whether pages are coded before they are handed over, by software or an engine that takes pages. */
export function codesPages(): bool {
  if ((p32(0, S_HOST_STAGES) & STAGE_COMPRESS) == 0) return false;
  return p32(0, S_HOST_ENGINES) == 0 || p32(0, S_LZ_JOB_MIN) <= PAGE_BYTES;
}

/** A message's pages are begun. */
export function beginPages(): void {
  memory.fill(ENDS, 0, 128);
  memory.fill(BESIDE, 0, 512);
  memory.fill(CIPHERS, 0, 128);
  tagged = 0;
}

/** The one of n that is free first. */
function first(at: usize, n: u32): usize {
  let best = at;
  for (let i: u32 = 1; i < n; i++) if (load<u64>(at + (i << 3)) < load<u64>(best)) best = at + (i << 3);
  return best;
}

/** The engine of n that is free first has a page from t on for so long: until when. */
function occupies(engines: usize, n: u32, ticks: u64, t: u64): u64 {
  const engine = first(engines, n);
  const free = load<u64>(engine);
  const done = (free > t ? free : t) + ticks;
  store<u64>(engine, done);
  return done;
}

/** The next page of the message, which is handed over in so many bytes. */
export function workAt(size: u32): void {
  const worker = first(ENDS, p32(0, S_HOST_WORKERS));
  const stages = p32(0, S_HOST_STAGES);
  let ticks: u64 = 0;
  if ((stages & STAGE_ZERO) != 0) {
    ticks = coreTicks(0, size == 0 ? PAGE_BYTES : ZERO_GLANCE, S_HOST_ZERO);
    count(0, C_STAGE_ZERO, ticks);
  }
  const engines = p32(0, S_HOST_ENGINES);
  const beside = engines != 0 && codesPages();
  if (size != 0 && codesPages()) {
    const coding = beside
      ? submitTicks(0)
      : coreTicks(0, PAGE_BYTES, size < PAGE_BYTES ? S_HOST_LZ : S_HOST_LZ_RAW);
    count(0, C_STAGE_COMPRESS, coding);
    ticks += coding;
  }
  const ciphers = p32(0, S_HOST_CIPHERS);
  if ((stages & STAGE_CRYPT) != 0) {
    const sealing = ciphers != 0 ? submitTicks(0) : gcmTicks(0, size);
    count(0, C_STAGE_CRYPT, sealing);
    ticks += sealing;
  }
  let end = load<u64>(worker) + ticks;
  store<u64>(worker, end);
  if (size != 0 && beside) {
    const span = spanTicks(PAGE_BYTES, p(0, S_LZ_SPAN_NUM), p(0, S_LZ_SPAN_DEN));
    end = occupies(BESIDE, engines, span, end);
  }
  if (ciphers == 0) return;
  const span = cipherTicks(0, size);
  count(0, C_BESIDE_TICKS, span);
  tagged = max<u64>(tagged, occupies(CIPHERS, ciphers, span, end) + tagTicks(0));
}

/** All pages of the message have been shared out at t: when the last one is done. */
export function endPages(t: u64): u64 {
  let last: u64 = tagged;
  for (let i: u32 = 0; i < WORKERS_MAX; i++) last = max<u64>(last, load<u64>(ENDS + (i << 3)));
  for (let i: u32 = 0; i < BESIDE_MAX; i++) last = max<u64>(last, load<u64>(BESIDE + (i << 3)));
  if (shared) coresWork(ENDS, WORKERS_MAX);
  for (let i: u32 = 0; i < WORKERS_MAX; i++) {
    const end = load<u64>(ENDS + (i << 3));
    if (end != 0) enterUntil(0, A_WORKER + i, BUSY, t, t + end, STARVED);
  }
  asleepUntil = t + last;
  return asleepUntil;
}
