// SPDX-License-Identifier: Apache-2.0
// QEMU's migration thread: the log of its rounds.
//
// Models: a round lasts from a synchronisation to the next, the last one until its last byte has left. Its
//   bytes are those that the connection has carried meanwhile; what lies in the socket is of the next.
// In and out: the log of rounds (RL_ constants); bytes carried and written so far (QT_ constants).
// Leaves out: nothing.
// Numbers: none.
import {
  QP_LINK_NUM,
  QR_NORMAL,
  QR_THROTTLE,
  QR_ZERO,
  QT_CARRIED,
  QT_WRITTEN,
  RL_END,
  RL_NORMAL,
  RL_THROTTLE,
  RL_WIRE,
  RL_ZERO,
  ROUNDS_MAX,
} from "../abi";
import { noteRound } from "./log";
import { idleBehind, overChannels, settle, written } from "./qemu-multifd";
import { bytes, carried, left, q, read } from "./qemu-stream";
import { passTo, setTime, timesAt } from "./qemu-times";

let roundNormal: u64 = 0;
let roundZero: u64 = 0;
let roundBytes: u64 = 0;

export function buildRounds(): void {
  roundNormal = roundZero = roundBytes = 0;
}

/** Bytes that the connection has carried by t, all that it was given where it takes any at once. */
function carriedBy(t: u64): u64 {
  if (overChannels()) settle(t);
  return q(QP_LINK_NUM) == 0 ? left + written : carried(t, idleBehind(t));
}

/** Where the thread's time has gone up to t, and what it has written: address of QT_ numbers. */
export function qemuTimes(t: u64): usize {
  passTo(t);
  setTime(QT_CARRIED, carriedBy(t));
  setTime(QT_WRITTEN, bytes + written);
  return timesAt();
}

/** Notes the pages that a round, from 1, has sent, and what the connection has carried in it, up to t. */
export function closeRound(round: u32, t: u64): void {
  const carries = carriedBy(t);
  if (round > ROUNDS_MAX) return;
  noteRound(round - 1, RL_END, t);
  noteRound(round - 1, RL_NORMAL, read(QR_NORMAL) - roundNormal);
  noteRound(round - 1, RL_ZERO, read(QR_ZERO) - roundZero);
  noteRound(round - 1, RL_WIRE, carries - roundBytes);
  noteRound(round - 1, RL_THROTTLE, read(QR_THROTTLE));
  roundNormal = read(QR_NORMAL);
  roundZero = read(QR_ZERO);
  roundBytes = carries;
}
