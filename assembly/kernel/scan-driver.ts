// SPDX-License-Identifier: Apache-2.0
// Front-end of a server whose card determines dirty pages itself (kernel/bitmap-scan): it tells of rounds
// alone, and flushes TLBs when the card asks for it.
//
// How long: `message` and the copy of 16 bytes for the word of a round and for the answer to a flush; a flush
//   takes `tlbFlush`, by which all vCPUs are held up. Starting costs `scanWord` for each word that is set.
import { G_PAGES, M_FLUSH, M_FLAG_FINAL, M_SCAN, S_HOST_TLB_FLUSH, S_HOST_WORD, U_GUEST } from "../abi";
import { bitmapWords, scans, tlbsFlushed } from "./bitmap-scan";
import { giveBack, guestRuns, holdUp } from "./dirty";
import {
  DEVICE,
  ENDED,
  Frontend,
  SENDING,
  WAIT_ROUND,
  WORKING,
  copyTicks,
  pagesOf,
  send,
  work,
} from "./driver";
import { NO_MESSAGE, TO_CARD, message } from "./message";
import { g32, p } from "./params";
import { wake } from "./schedule";

const MESSAGE_BYTES: u32 = 16;
// of a flush: none is asked for, it is, it is under way, it is over, the card is being told of it
const IDLE: u32 = 0;
const ASKED: u32 = 1;
const FLUSHING: u32 = 2;
const FLUSHED: u32 = 3;
const TELLING: u32 = 4;
let flush: u32 = 0;

export function buildScanDriver(): void {
  flush = IDLE;
}

/** What it costs to set every bit when tracking starts. */
export function startTicks(): u64 {
  return scans ? bitmapWords() * p(0, S_HOST_WORD) : 0;
}

/** Tells the card to scan for a round; false when no message slot is free. */
export function sendScan(f: Frontend, t: u64): bool {
  f.told = (g32(G_PAGES) + pagesOf(0) - 1) / pagesOf(0);
  const m = send(0, f, M_SCAN, f.final != 0 ? DEVICE : WAIT_ROUND, t);
  if (m == NO_MESSAGE) return false;
  m.b = f.round;
  m.flags = f.final != 0 ? M_FLAG_FINAL : 0;
  m.bytes = MESSAGE_BYTES;
  f.done += copyTicks(0, MESSAGE_BYTES);
  return true;
}

/** The card asks for a flush. */
export function askedToFlush(): void {
  flush = ASKED;
}

/** Whether a flush is to be begun or told of before anything else. */
// @ts-ignore: decorator
@inline
export function flushes(f: Frontend): bool {
  return flush != IDLE && flush != TELLING && f.next != ENDED;
}

/** Goes on with a flush that is due; false when no message slot is free. */
export function flushTlbs(f: Frontend, t: u64): bool {
  if (flush == ASKED) {
    flush = FLUSHING;
    if (guestRuns) holdUp(p(0, S_HOST_TLB_FLUSH));
    return work(f, WORKING, f.next, t + p(0, S_HOST_TLB_FLUSH));
  }
  if (flush == FLUSHING) {
    tlbsFlushed(t);
    flush = FLUSHED;
  }
  const m = send(0, f, M_FLUSH, f.next, t);
  if (m == NO_MESSAGE) return false;
  m.bytes = MESSAGE_BYTES;
  f.done += copyTicks(0, MESSAGE_BYTES);
  flush = TELLING;
  return true;
}

/**
 * What is being done is dropped at t: a flush that was under way begins anew, and vCPUs are not held up by
 * what was left of it; an answer is given again.
 */
export function flushDropped(f: Frontend, t: u64): void {
  if (flush == FLUSHING && f.doing == WORKING) {
    flush = ASKED;
    if (guestRuns) giveBack(f.done - t);
    wake(0, U_GUEST, t);
  }
  if (flush == TELLING && f.doing == SENDING && message(0, TO_CARD, f.slot).kind == M_FLUSH) flush = FLUSHED;
}
