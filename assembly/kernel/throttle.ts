// SPDX-License-Identifier: Apache-2.0
// When QEMU slows a guest down (migration_trigger_throttle), and by how much auto-converge does: the share of
// the time that vCPUs are to stand still. What dirty-limit does then is in kernel/dirty-limit.
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
 * At a synchronisation that found `fresh` pages: whether the guest is to be slowed down (further). It is at
 * the end of every second period of more than a second in which more than half as many bytes became dirty as
 * left it.
 */
export function isTooFast(nowMs: u64, sent: u64, fresh: u64): bool {
  periodFresh += fresh;
  if (nowMs <= periodMs + PERIOD_MS) return false;
  const high = periodFresh * PAGE_BYTES > (sent - periodSent) / 2;
  periodMs = nowMs;
  periodSent = sent;
  periodFresh = 0;
  if (!high || ++periodsHigh < 2) return false;
  periodsHigh = 0;
  return true;
}

/** The share in per cent that follows `share`: 20 at first, then 10 more, 99 at most. */
export function nextShare(share: u64): u64 {
  return share == 0 ? 20 : min<u64>(share + 10, 99);
}
