// SPDX-License-Identifier: Apache-2.0
// QEMU's device pre-copy (VFIO PRE_COPY) with switchover-ack: state of a device that goes ahead of the stop.
//
// Models: vfio_save_iterate() and the acknowledgement. `ahead` bytes of the device's state are sent while the
//   guest runs, up to 1 MiB at the end of an iteration. What was sent grows old, `changes` bytes a second:
//     old(t) = min(ahead, floor(ms since it was last read x changes / 1000))
//   and is read again, and sent, not sooner than `every` after it was last read. When all of `ahead` has been
//   sent once, the destination loads it and acknowledges: it has arrived + KiB x `load` + `ack`. Before that
//   the guest is not stopped, however little is pending. A thread with nothing to send waits for that, the
//   next reading, or its window's end (QEMU goes round without a pause).
// In and out: bytes on their way count as pending, with those of RAM. At the stop the rest follows, and what
//   has not been sent again: all - ahead + to send + old(t); loading it takes KiB x `load` of the downtime.
// Limits: the stop no sooner than the acknowledgement; the downtime shorter by KiB x (`load` + 1024 bytes of
//   the connection) of what went ahead and is not old.
// Leaves out: several devices, P2P, reading state at the source (its core and its device), state that a
//   device refuses to give, VFIO_PRECOPY_INFO_REINIT, loading that holds RAM up, multifd device state.
// Numbers: QEMU 10.0 hw/vfio/migration.c (VFIO_MIG_DEFAULT_DATA_BUFFER_SIZE), migration/migration.c.
import {
  QP_AHEAD_ACK,
  QP_AHEAD_BYTES,
  QP_AHEAD_CHANGES,
  QP_AHEAD_EVERY,
  QP_AHEAD_LOAD,
  QP_DEVICE_BYTES,
  QR_ACKED,
  QR_AHEAD_BYTES,
  TICKS_PER_NS,
} from "../abi";
import { put, q, tell, tellMore } from "./qemu-stream";
import { NEVER } from "./time";

const MS: u64 = <u64>TICKS_PER_NS * 1000000;
const PIECE: u64 = 1048576; // VFIO_MIG_DEFAULT_DATA_BUFFER_SIZE
const KIB: u64 = 1024;

let toSend: u64 = 0; // that has been read and has not been sent
let readAt: u64 = 0;
let first: bool = false; // it has not been sent once
let ackAt: u64 = 0;
/** Bytes of the device's state that are sent with the guest stopped. */
export let rest: u64 = 0;

export function buildDevice(): void {
  toSend = q(QP_AHEAD_BYTES);
  first = toSend != 0;
  readAt = 0;
  ackAt = first ? NEVER : 0;
}

// @ts-ignore: decorator
@inline
function old(t: u64): u64 {
  return first ? 0 : min(q(QP_AHEAD_BYTES), (((t - readAt) / MS) * q(QP_AHEAD_CHANGES)) / 1000);
}

/** Bytes of the device that count as pending at t. */
// @ts-ignore: decorator
@inline
export function devicePending(t: u64): u64 {
  return q(QP_AHEAD_BYTES) == 0 ? 0 : toSend + old(t);
}

/** Whether the guest may be stopped at t. */
// @ts-ignore: decorator
@inline
export function maySwitch(t: u64): bool {
  return ackAt <= t;
}

/** Until when there is nothing of the device to send or to wait for; t where there is. */
export function waitsUntil(t: u64): u64 {
  if (toSend != 0 || first || q(QP_AHEAD_BYTES) == 0) return t;
  const again = max(t, readAt + q(QP_AHEAD_EVERY));
  return ackAt > t ? min(ackAt, again) : again;
}

/** Whether all has been acknowledged and sent at t, and an iteration reads anew what is old. */
export function readsAgain(t: u64): bool {
  return q(QP_AHEAD_BYTES) != 0 && toSend == 0 && ackAt <= t && t - readAt >= q(QP_AHEAD_EVERY);
}

/** An iteration ends at t: state is sent; true when it is to be told when it has left. */
export function sendAhead(t: u64): bool {
  if (q(QP_AHEAD_BYTES) == 0) return false;
  if (toSend == 0 && t - readAt >= q(QP_AHEAD_EVERY)) {
    toSend = old(t);
    readAt = t;
  }
  const n = min(toSend, PIECE);
  if (first && n == toSend) readAt = t;
  toSend -= n;
  put(n);
  tellMore(QR_AHEAD_BYTES, n);
  return first && toSend == 0;
}

/** All that goes ahead has arrived at the destination's socket but for the way. */
export function allSent(t: u64): void {
  first = false;
  ackAt = t + kib(q(QP_AHEAD_BYTES)) * q(QP_AHEAD_LOAD) + q(QP_AHEAD_ACK);
  tell(QR_ACKED, ackAt);
}

// @ts-ignore: decorator
@inline
function kib(bytes: u64): u64 {
  return (bytes + KIB - 1) / KIB;
}

/** The guest and its device stand still at t. */
export function deviceStops(t: u64): void {
  rest = q(QP_DEVICE_BYTES) - q(QP_AHEAD_BYTES) + devicePending(t);
}

/** How long loading so many takes, beyond QP_DEVICE. */
export function loadTicks(bytes: u64): u64 {
  return kib(bytes) * q(QP_AHEAD_LOAD);
}
