// SPDX-License-Identifier: Apache-2.0
// QEMU's dirty-limit: how long a vCPU sleeps each time it has filled its dirty ring.
//
// Models: system/dirtylimit.c. It begins where auto-converge would (kernel/throttle). Then every `period` all
//   rings are brought in (kernel/dirty-log), at the cost of that, and each vCPU's rate of the period counted
//     r = floor(floor(pages / 256) x 1000 / period in ms)    MiB/s; a page counts as often as it is logged
//   With the quota q, and full = floor(floor(entries / 256) x 10^6 / the highest r of any vCPU so far) us:
//     |q - r| <= 25                            nothing changes
//     r = 0                                    it sleeps no more
//     p = floor(100 |q - r| / max(q, r)) > 50  step = floor(full x p / (100 - p))
//     else                                     step = floor(full / 10)
//   Above the quota it sleeps `step` longer, below it shorter; never less than 0 nor more than 99 x full. It
//   sleeps in the exit of a full ring (kernel/dirty-log), so that a vCPU that does not write does not sleep.
// Limit: a vCPU that fills its ring in f and sleeps s logs entries / (f + s). Its first step, where p > 50
//   and f = full, leaves (100 - p) % of its rate: with q = 1 a hundredth from 100 MiB/s on, more below that.
// Leaves out: quotas of single vCPUs, that it is ended before the migration, the soft limit of a ring, the
//   thread that measures (its core), dirty-limit's own reaper.
// Numbers: QEMU 10.0 system/dirtylimit.c (25 MiB/s, 50 %, 99), migration/options.c (1 MiB/s, 1000 ms).
import { C_LIMIT_PERIODS, G_VCPUS, PAGE_BYTES, TICKS_PER_NS, VCPUS_MAX } from "../abi";
import { bringInLogs, entriesOf, penaltyOf, setPenalty } from "./dirty-log";
import { g32 } from "./params";
import { count } from "./stats";
import { NEVER } from "./time";

const US: u64 = <u64>TICKS_PER_NS * 1000;
const PAGES_PER_MIB: u32 = 1048576 / PAGE_BYTES;
const TOLERANCE: u64 = 25; // DIRTYLIMIT_TOLERANCE_RANGE
const FAR: u64 = 50; // DIRTYLIMIT_LINEAR_ADJUSTMENT_PCT
const MOST: u64 = 99; // DIRTYLIMIT_THROTTLE_PCT_MAX

const BEFORE = memory.data(512, 16); // u64 a vCPU: entries of its ring when the period began
if (VCPUS_MAX * 8 != 512) ERROR("entries of vCPUs");

let quota: u64 = 0;
let period: u64 = 0;
let ringMib: u64 = 0;
let highest: u64 = 0;
/** True where it is on. */
export let limits: bool = false;
/** When a period ends, NEVER while there is none. */
export let periodEnds: u64 = NEVER;

/** Lays it out: MiB/s a vCPU, 0 for none; ticks of a period; entries of a ring. */
export function buildLimit(rate: u64, ticks: u64, entries: u32): void {
  quota = rate;
  period = ticks;
  ringMib = entries / PAGES_PER_MIB;
  highest = 0;
  limits = rate != 0;
  periodEnds = NEVER;
}

/** It begins at t, when all rings have just been brought in; more than once it does not. */
export function beginLimit(t: u64): void {
  if (periodEnds == NEVER) beginPeriod(t);
}

/** The guest is stopped: nothing is measured any more. */
export function endLimit(): void {
  limits = false;
  periodEnds = NEVER;
}

function beginPeriod(t: u64): void {
  for (let v: u32 = 0; v < g32(G_VCPUS); v++) store<u64>(BEFORE + (v << 3), entriesOf(v));
  periodEnds = t + period;
}

/** A period ends at t: rates are counted, sleeps set, and another begins. */
export function measureRates(t: u64): void {
  bringInLogs(t);
  count(0, C_LIMIT_PERIODS, 1);
  for (let v: u32 = 0; v < g32(G_VCPUS); v++) {
    const pages = entriesOf(v) - load<u64>(BEFORE + (v << 3));
    const rate = ((pages / PAGES_PER_MIB) * 1000) / (period / (1000 * US));
    setPenalty(v, adjusted(penaltyOf(v) / US, rate) * US);
  }
  beginPeriod(t);
}

/** Microseconds to sleep after `sleep` at a rate of r. */
function adjusted(sleep: u64, r: u64): u64 {
  const above = r > quota;
  const off = above ? r - quota : quota - r;
  if (off <= TOLERANCE) return sleep;
  if (r == 0) return 0;
  highest = max(highest, r);
  const full = (ringMib * 1000000) / highest;
  const share = (100 * off) / max(quota, r);
  const step = share > FAR ? (full * share) / (100 - share) : full / 10;
  if (!above) return sleep > step ? min(sleep - step, MOST * full) : 0;
  return min(sleep + step, MOST * full);
}

/** The longest sleep of a vCPU, in microseconds. */
export function longestSleep(): u64 {
  let longest: u64 = 0;
  for (let v: u32 = 0; v < g32(G_VCPUS); v++) longest = max(longest, penaltyOf(v) / US);
  return longest;
}
