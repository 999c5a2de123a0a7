// SPDX-License-Identifier: Apache-2.0
// QEMU's migration thread: where its time goes.
//
// Models: the thread does one thing after another. From one of its acts to the next it works first, as long
//   as the act's work takes, and waits for one thing the rest of the time.
// In and out: times of its acts; sums of ticks (QT_ constants), which add up to the time passed to.
// Leaves out: what a wait for a channel is for, which itself may wait for the connection.
// Numbers: none.
import { QT_BUSY, QT_COUNT, QT_NOTHING, QT_SOCKET } from "../abi";
import { NEVER } from "./time";

const TIMES = memory.data(64, 16);
if (QT_COUNT * 8 != 64) ERROR("times of QEMU's thread");

let from: u64 = 0;
let to: u64 = 0;
let worked: u64 = 0;
let cause: u32 = QT_NOTHING;

export function buildTimes(): void {
  memory.fill(TIMES, 0, 64);
  from = worked = 0;
  to = NEVER;
  cause = QT_NOTHING;
}

/** Address of the sums, u64 each. */
export function timesAt(): usize {
  return TIMES;
}

// @ts-ignore: decorator
@inline
export function setTime(index: u32, value: u64): void {
  store<u64>(TIMES + (index << 3), value);
}

function add(index: u32, ticks: u64): void {
  setTime(index, load<u64>(TIMES + (index << 3)) + ticks);
}

/** Counts the time up to t, which is not before the last. */
export function passTo(t: u64): void {
  const gone = min(t, to) - from;
  const busy = cause == QT_NOTHING ? 0 : min(gone, worked);
  worked -= busy;
  add(QT_BUSY, busy);
  add(cause, gone - busy);
  from += gone;
}

/** The thread acts; what it waits for afterwards is the socket unless it is said. */
export function acts(): void {
  cause = QT_SOCKET;
}

/** What the act under way waits for: a QT_ constant. */
export function waitsFor(what: u32): void {
  cause = what;
}

/** The act under way takes until `next`, work of `ticks` among it. */
export function takes(next: u64, ticks: u64): void {
  to = next;
  worked = ticks;
}
