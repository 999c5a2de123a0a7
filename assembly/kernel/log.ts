// SPDX-License-Identifier: Apache-2.0
// The log of a migration: its status and times, its rounds, and series over time. The result is made from it.
import { L_COUNT, RL_COUNT, ROUNDS_MAX, SERIES, SERIES_BINS } from "../abi";
import { booksClosed } from "./stats";

const LOG = memory.data(384, 16);
const ROUND = memory.data(65536, 16);
const BINS = memory.data(12288, 16);

if (L_COUNT * 8 != 384 || ROUNDS_MAX * RL_COUNT * 8 != 65536 || SERIES * SERIES_BINS * 8 != 12288)
  ERROR("log");

let windowTicks: u64 = 1;

export function logReset(window: u64): void {
  memory.fill(LOG, 0, 384);
  memory.fill(ROUND, 0, 65536);
  memory.fill(BINS, 0, 12288);
  windowTicks = window;
}

// @ts-ignore: decorator
@inline
export function logged(index: u32): u64 {
  return load<u64>(LOG + (index << 3));
}

// @ts-ignore: decorator
@inline
export function note(index: u32, value: u64): void {
  if (!booksClosed) store<u64>(LOG + (index << 3), value);
}

// @ts-ignore: decorator
@inline
export function noteRound(round: u32, index: u32, value: u64): void {
  if (!booksClosed) store<u64>(ROUND + ((round * RL_COUNT + index) << 3), value);
}

// @ts-ignore: decorator
@inline
export function roundNote(round: u32, index: u32): u64 {
  return load<u64>(ROUND + ((round * RL_COUNT + index) << 3));
}

/** The window of a time; when the table is full, pairs of windows are merged and the window doubles. */
function windowOf(t: u64): u64 {
  while (t / windowTicks >= SERIES_BINS) {
    for (let s: u32 = 0; s < SERIES; s++) {
      const base = BINS + s * SERIES_BINS * 8;
      for (let i: u32 = 0; i < SERIES_BINS / 2; i++) {
        store<u64>(base + (i << 3), load<u64>(base + (i << 4)) + load<u64>(base + (i << 4), 8));
      }
      memory.fill(base + SERIES_BINS * 4, 0, SERIES_BINS * 4);
    }
    windowTicks <<= 1;
  }
  return t / windowTicks;
}

/** Adds to a series at time t. */
export function addSeries(series: u32, t: u64, n: u64): void {
  if (booksClosed) return;
  const at = BINS + ((series * SERIES_BINS + <u32>windowOf(t)) << 3);
  store<u64>(at, load<u64>(at) + n);
}

/**
 * Adds n that come evenly from `from` to `until`, which is later: by a time x between them
 * floor(n (x - from) / (until - from)) have come. Each window has what comes in it, all of them together n.
 */
export function addSpread(series: u32, from: u64, until: u64, n: u64): void {
  if (booksClosed) return;
  const last = windowOf(until - 1);
  let come: u64 = 0;
  for (let bin = from / windowTicks; bin <= last; bin++) {
    const end = (bin + 1) * windowTicks;
    const by = end >= until ? n : (n * (end - from)) / (until - from);
    const at = BINS + ((series * SERIES_BINS + <u32>bin) << 3);
    store<u64>(at, load<u64>(at) + (by - come));
    come = by;
  }
}

export function logAt(): usize {
  return LOG;
}

export function roundsAt(): usize {
  return ROUND;
}

export function seriesAt(): usize {
  return BINS;
}

export function seriesWindow(): u64 {
  return windowTicks;
}
