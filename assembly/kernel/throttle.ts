// SPDX-License-Identifier: Apache-2.0
// QEMU's auto-converge: by how much vCPUs are to stand still (migration_trigger_throttle).
import { PAGE_BYTES } from "../abi";

const PERIOD_MS: u64 = 1000;

let periodMs: u64 = 0; // when the period began
let periodSent: u64 = 0; // bytes that had left then
let periodFresh: u64 = 0; // pages found dirty since
let periodsHigh: u32 = 0;

/** The first period begins. */
export function buildThrottle(nowMs: u64, sent: u64): void {
  periodMs = nowMs;
  periodSent = sent;
  periodFresh = 0;
  periodsHigh = 0;
}

/**
 * At a synchronisation that found `fresh` pages: the share in per cent that follows `share`. In every second
 * period of more than a second in which more than half as many bytes became dirty as left it is 10 more,
 * 20 at first and 99 at most.
 */
export function throttleAfter(share: u64, nowMs: u64, sent: u64, fresh: u64): u64 {
  periodFresh += fresh;
  if (nowMs <= periodMs + PERIOD_MS) return share;
  const high = periodFresh * PAGE_BYTES > (sent - periodSent) / 2;
  periodMs = nowMs;
  periodSent = sent;
  periodFresh = 0;
  if (!high || ++periodsHigh < 2) return share;
  periodsHigh = 0;
  return share == 0 ? 20 : min<u64>(share + 10, 99);
}
