// SPDX-License-Identifier: Apache-2.0
/** Everything that the core has counted, read once and exactly: the raw material of a result. */
import * as abi from "../../assembly/abi.ts";
import type { Core } from "../core.ts";

/** Ticks of a nanosecond. */
const TICKS_PER_NS = abi.TICKS_PER_NS;
// kernel/stats.ts: | since u64 | state u32 | in use u32 | sums u64 x STATES | from u64 | then u32 | - |
const FROM = 16 + 8 * abi.STATES;
const HISTOGRAM_BYTES = 4096;
const BUCKETS = (HISTOGRAM_BYTES - 32) / 8;

/** Durations in ticks: exact below 8, then 8 buckets an octave. */
export interface Histogram {
  readonly count: bigint;
  readonly sum: bigint;
  readonly max: bigint;
  readonly min: bigint;
  readonly buckets: readonly bigint[];
}

/** A run's numbers. First index of every table: 0 source, 1 destination. */
export interface Reading {
  /** End of the reported interval in ticks. */
  readonly elapsedTicks: bigint;
  /**
   * Whether the core has closed its books: then every account sums to `elapsedTicks` by its own arithmetic.
   */
  readonly closed: boolean;
  /** Invariants of pages and records that the core has looked at, a bit each. */
  readonly evaluated: number;
  readonly counters: readonly (readonly bigint[])[];
  /** Ticks by accounting state; null for a unit that the board does not have. */
  readonly accounts: readonly (readonly (readonly bigint[] | null)[])[];
  /** Counters and accounts as they were when the migration was asked for; all 0 where that was at time 0. */
  readonly before: Pick<Reading, "counters" | "accounts">;
  readonly histograms: readonly (readonly Histogram[])[];
  readonly log: readonly bigint[];
  /** One row a round, by RL_ constants. */
  readonly rounds: readonly (readonly bigint[])[];
  /** One row a guest, by GT_ constants; none where the server has one guest. */
  readonly guests: readonly (readonly bigint[])[];
  /** Wire bytes of the source when the last round began; 0 in software. */
  readonly wireFrom: bigint;
  readonly seriesWindowTicks: bigint;
  readonly series: readonly (readonly number[])[];
}

/** Nanoseconds, to the picosecond. */
export function nsOf(ticks: bigint): number {
  return Math.round((Number(ticks) / TICKS_PER_NS) * 1000) / 1000;
}

function words(core: Core, address: number, count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => core.u64(address + 8 * i));
}

/**
 * An account's sums. Where the core has not closed its books, the interval that is open at the end is charged
 * to the state it is in, and what was announced and has come about by then to the state that was announced.
 */
function account(core: Core, address: number, end: bigint, closed: boolean): bigint[] | null {
  const u32 = core.u32;
  const at = address >>> 2;
  if (u32[at + 3] === 0) return null;
  const sums = words(core, address + 16, abi.STATES);
  if (closed) return sums;
  let since = core.u64(address);
  let state = u32[at + 2]!;
  const from = core.u64(address + FROM);
  if (from <= end) {
    sums[state]! += from - since;
    since = from;
    state = u32[at + FROM / 4 + 2]!;
  }
  if (end > since) sums[state]! += end - since;
  return sums;
}

/** The books as they were at the request. */
function beforeOf(core: Core, asked: bigint): Reading["before"] {
  const accounts = core.address("requestAccountsAt");
  const counters = core.address("requestCountersAt");
  const at = (side: number, index: number): number =>
    accounts + (side * abi.ACCOUNTS + index) * abi.ACCOUNT_BYTES;
  return {
    counters: [0, 1].map((side) => words(core, counters + side * abi.COUNTERS * 8, abi.COUNTERS)),
    accounts: [0, 1].map((side) =>
      Array.from({ length: abi.ACCOUNTS }, (_, i) => account(core, at(side, i), asked, false)),
    ),
  };
}

function histogram(core: Core, address: number): Histogram {
  const [count, sum, max, min] = words(core, address, 4) as [bigint, bigint, bigint, bigint];
  const buckets = count === 0n ? [] : words(core, address + 32, BUCKETS);
  return { count, sum, max, min, buckets };
}

/** Reads a core that has stopped. `end` is the time of the end when the core has not closed its books. */
export function readCore(core: Core, end: bigint): Reading {
  const log = words(core, core.address("logAt"), abi.L_COUNT);
  const closed = log[abi.L_BOOKS] !== 0n;
  const elapsedTicks = closed ? log[abi.L_BOOKS]! : end;
  const sides = [0, 1];
  const accountsAt = core.address("accountsAt");
  const countersAt = core.address("countersAt");
  const histogramsAt = core.address("histogramsAt");
  const seriesAt = core.address("seriesAt");
  const at = (side: number, index: number): number =>
    accountsAt + (side * abi.ACCOUNTS + index) * abi.ACCOUNT_BYTES;
  const histogramAt = (side: number, index: number): number =>
    histogramsAt + (side * abi.HISTOGRAMS + index) * HISTOGRAM_BYTES;
  const windowTicks = BigInt.asUintN(64, core.fn("seriesWindow")() as bigint);
  const bins = Math.min(abi.SERIES_BINS, Number((elapsedTicks + windowTicks - 1n) / windowTicks));
  return {
    elapsedTicks,
    closed,
    evaluated: Number(core.global("evaluated")),
    log,
    counters: sides.map((side) => words(core, countersAt + side * abi.COUNTERS * 8, abi.COUNTERS)),
    accounts: sides.map((side) =>
      Array.from({ length: abi.ACCOUNTS }, (_, i) => account(core, at(side, i), elapsedTicks, closed)),
    ),
    before: beforeOf(core, log[abi.L_STARTED]!),
    histograms: sides.map((side) =>
      Array.from({ length: abi.HISTOGRAMS }, (_, i) => histogram(core, histogramAt(side, i))),
    ),
    rounds: Array.from({ length: Number(log[abi.L_ROUNDS]) }, (_, round) =>
      words(core, core.address("roundsAt") + round * abi.RL_COUNT * 8, abi.RL_COUNT),
    ),
    guests: Array.from({ length: Number(core.global("guestCount")) }, (_, k) =>
      words(core, core.address("guestTable") + k * abi.GT_COUNT * 8, abi.GT_COUNT),
    ),
    wireFrom: BigInt.asUintN(64, BigInt(core.global("wireFrom"))),
    seriesWindowTicks: windowTicks,
    series: Array.from({ length: abi.SERIES }, (_, i) =>
      words(core, seriesAt + i * abi.SERIES_BINS * 8, bins).map(Number),
    ),
  };
}
