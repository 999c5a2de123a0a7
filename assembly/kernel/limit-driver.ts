// SPDX-License-Identifier: Apache-2.0
// dirty-limit beside the front-end: when vCPUs of a guest that cards move sleep (`migration.throttle`).
//
// Models: QEMU's rule (kernel/throttle) at the end of every round, with `throttlePeriod` P in place of its
//   second: of the rounds that end more than P after the last one that was looked at, the second of which
//     pages found dirty since x 4096 > floor(pages placed since x 4096 / 2)
//   begins dirty-limit. From then on a thread of the host brings all rings in at the end of each P, exactly,
//   counts rates and sets sleeps (kernel/dirty-limit), until the guest is suspended or goes nowhere.
// How long: bringing rings in stops vCPUs and flushes TLBs as kernel/dirty-log has it; the front-end does not
//   go on before these are in, either.
// Leaves out: the core of that thread, that it waits for rings that the front-end has brought in.
// Limit: with the quota q, D written and L carried by the link a second, rounds shrink where what sleeps
//   leave of D is below L; the tolerance leaves a vCPU alone that is no faster than q + 25 MiB/s.
import {
  G_LIMIT_PERIOD,
  G_LIMIT_RATE,
  G_TRACKER_LOG,
  L_LIMIT_BEGAN,
  L_LIMIT_SLEEP,
  PAGE_BYTES,
} from "../abi";
import { beginLimit, buildLimit, endLimit, longestSleep, measureRates, periodEnds } from "./dirty-limit";
import { broughtInAt, waitForLogs } from "./dirty-log";
import { BACK, ENDED, Frontend } from "./driver";
import { note } from "./log";
import { g, g32 } from "./params";
import { NEVER } from "./time";
import { buildThrottle, isTooFast } from "./throttle";

let placed: u64 = 0; // pages so far

export function buildLimitDriver(): void {
  buildLimit(g(G_LIMIT_RATE), g(G_LIMIT_PERIOD), g32(G_TRACKER_LOG));
  placed = 0;
}

/** Thousandths of a period, in place of milliseconds. */
function thousandths(t: u64): u64 {
  return t / (g(G_LIMIT_PERIOD) / 1000);
}

/** The first round begins at t. */
export function limitFrom(t: u64): void {
  buildThrottle(thousandths(t), 0);
}

/** A round has been placed, whose marks are in: so many pages of it, and so many became dirty meanwhile. */
export function limitRound(pages: u64, fresh: u64, t: u64): void {
  placed += pages;
  if (!isTooFast(thousandths(t), placed * PAGE_BYTES, fresh) || periodEnds != NEVER) return;
  note(L_LIMIT_BEGAN, t);
  beginLimit(t);
}

/** Rates are counted when a period ends at t; where the migration has ended, none is. */
export function limitDue(f: Frontend, t: u64): void {
  if (f.next == ENDED || f.next == BACK) endLimit();
  if (t < periodEnds) return;
  const till = broughtInAt;
  measureRates(t);
  waitForLogs(till);
}

/** The guest is suspended. */
export function limitEnds(): void {
  note(L_LIMIT_SLEEP, longestSleep());
  endLimit();
}
