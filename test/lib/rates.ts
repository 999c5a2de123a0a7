// SPDX-License-Identifier: Apache-2.0
// Steady rates of recorded runs, for the tests with one bottleneck at a time.
import * as assert from "uvu/assert";
import * as abi from "../../assembly/abi.ts";
import { guestText, of, type Run, type RunOptions, runText } from "./timeline.ts";

export const TICKS_PER_US = 1000 * abi.TICKS_PER_NS;
const TOLERANCE = 0.02;
export const RANDOM = "{ random: 100 }";
export const TEXT_PAGES = "{ text: 100 }";
export const PLAIN = ["compress=off", "encrypt=off"];
/** Gen3 x8: 130,000 ticks a byte. */
export const WIRE_NS = 130_000 / abi.TICKS_PER_NS;

export function runOf(mix: string, sets: string[], memory = "4 MiB", options: RunOptions = {}): Run {
  const text = guestText(memory, { mix, rate: "0 /s" });
  const run = runText(text, { ...options, sets: ["content=sized", ...sets] });
  assert.is(run.stop, abi.STOP_DONE);
  return run;
}

/** Events a microsecond between the first and the last quarter of them. */
export function steady(times: number[]): number {
  const [from, to] = [times.length >>> 2, (3 * times.length) >>> 2];
  assert.ok(to - from > 50, "too few events for a rate");
  return (to - from) / ((times[to]! - times[from]!) / TICKS_PER_US);
}

/** Starts of a unit's jobs for pages, or of one kind (`c` of T_STAGE). */
export function starts(run: Run, side: number, unit: number, kind?: number): number[] {
  const suspendedAt = Number(run.core.logged(abi.L_SUSPENDED));
  return of(run, abi.T_STAGE, side)
    .filter((e) => e.which === unit && e.t < suspendedAt && (kind === undefined || e.c === kind))
    .map((e) => e.t);
}

/** When reads of the data engine were answered. */
export const answers = (run: Run): number[] =>
  of(run, abi.T_ANSWER, 0)
    .filter((e) => e.which === abi.R_DATA)
    .map((e) => e.t);

export function near(actual: number, expected: number): void {
  const off = actual / expected - 1;
  assert.ok(Math.abs(off) <= TOLERANCE, `${actual} is ${(off * 100).toFixed(2)} % off ${expected}`);
}
