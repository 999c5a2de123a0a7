// SPDX-License-Identifier: Apache-2.0
// Firmware of a source's card that determines dirty pages itself (card/bitmap-scanner).
//
// The word of a round -> the scanner begins; words wait for a flush -> FLUSH to the front-end; its answer ->
//   the scanner goes on; the round has been found -> ROUND END to the peer. The round has been placed -> the
//   scanner counts the marks that are left, and ROUND DONE tells the front-end of them: it decides, for the
//   guest and its downtime limit are its own.
// How long: an event costs `roundEnd` cycles, a message `interrupt` cycles, as any does.
import { M_FLUSH, M_SCAN } from "../abi";
import { ORDER_COUNT, ORDER_ROUND, pagesFound, tellFlushed, tellScanner } from "../kernel/bitmap-scan";
import { EVENT_FLUSH, EVENT_SCANNED } from "../kernel/fifo";
import { FINAL, JOB_ROUND_END } from "../kernel/jobs";
import { Message, NO_MESSAGE } from "../kernel/message";
import { Progress } from "../kernel/progress";
import { next, own, tell } from "./telling";

let last: bool = false; // the round under way is the last
let toFlush: bool = false; // the front-end has to be told

export function buildScanFirmware(): void {
  last = false;
  toFlush = false;
}

/** A message of the front-end, if it is one of these. */
export function onScanMessage(q: Progress, m: Message, t: u64): void {
  if (m.kind == M_FLUSH) tellFlushed(next(0, t));
  if (m.kind != M_SCAN) return;
  q.round = m.b;
  last = m.flags != 0;
  tellScanner(ORDER_ROUND, m.b, last, next(0, t));
}

/** An event of the scanner; true when it was one that ends here. */
export function onScanEvent(q: Progress, argument: u32, t: u64): bool {
  if (argument == EVENT_FLUSH) {
    toFlush = true;
    pollScan(t);
    return true;
  }
  if (argument != EVENT_SCANNED) return false;
  q.roundPages = pagesFound;
  own(0, JOB_ROUND_END, pagesFound, q.round, last ? FINAL : 0, t);
  return true;
}

/** A round has been placed: true when marks are counted first. */
export function countsFirst(q: Progress, t: u64): bool {
  if (last) return false;
  tellScanner(ORDER_COUNT, q.round, false, next(0, t));
  return true;
}

/** Tells the front-end as soon as it has a buffer. */
export function pollScan(t: u64): void {
  if (toFlush && tell(0, M_FLUSH, 16, next(0, t)) != NO_MESSAGE) toFlush = false;
}
