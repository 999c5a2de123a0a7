// SPDX-License-Identifier: Apache-2.0
// The way of a frame from the port to the other card, one direction: a drop-tail queue at a bottleneck behind
// the port, loss, propagation, jitter. One port alone feeds it, so all is known when the frame leaves the
// port.
//
// How long: the frame joins the queue with its last byte, waits for what is there, and is dropped when that
//   is more wire bytes than the buffer: a buffer of n frames holds n beside the one that is leaving. After
//   the bottleneck, which may pause the port (kernel/pause), it is lost while the link is down, else with
//   probability loss / 2^32, seeded by direction and number. It arrives one propagation later, up to `jitter`
//   ticks late, never before a frame that went before it.
import {
  G_NET_BUFFER,
  G_NET_DOWN_AT,
  G_NET_DOWN_FOR,
  G_NET_JITTER,
  G_NET_LOSS,
  G_NET_PROPAGATION,
  G_NET_QUEUE_DEN,
  G_NET_QUEUE_NUM,
  G_RESET_AT,
  G_SEED,
  I_CONSERVED,
} from "../abi";
import { g, g32 } from "./params";
import { buildPause, drained, hop, joined, pausing } from "./pause";
import { mix } from "./random";
import { broken } from "./stats";
import { NEVER } from "./time";

/** What happened to a frame, instead of an arrival. */
export const NOT_ARRIVING: u64 = 0;


@unmanaged
export class Path {
  free: u64; // of the bottleneck
  carry: u64;
  lastAt: u64;
  sent: u64;
  lost: u64;
  dropped: u64;
  received: u64;
  seed: u32;
  loss: u32;
  heardAt: u64; // when the last frame arrived
}

const PATHS = memory.data(256, 16);
let queueNum: u64 = 0;
let queueDen: u64 = 1;
let buffer: u64 = 0;
let jitter: u64 = 0;
let propagation: u64 = 0;
let downAt: u64 = 0;
let downUntil: u64 = 0;
let deafFrom: u64 = 0; // nobody takes what arrives at the destination from then on

if (offsetof<Path>() > 128) ERROR("path");

/** The way that frames of `side` take. */
// @ts-ignore: decorator
@inline
export function path(side: u32): Path {
  return changetype<Path>(PATHS + (side << 7));
}

/** When the destination's card is reset; NEVER when it is not, as on a board without one. */
export function resetAt(): u64 {
  return g(G_RESET_AT) == 0 ? NEVER : g(G_RESET_AT);
}

/** Builds the ways of both directions; false when memory does not hold them. */
export function buildPaths(): bool {
  memory.fill(PATHS, 0, 256);
  queueNum = g(G_NET_QUEUE_NUM);
  queueDen = g(G_NET_QUEUE_DEN);
  buffer = g(G_NET_BUFFER) * queueNum;
  jitter = g(G_NET_JITTER);
  propagation = g(G_NET_PROPAGATION);
  downAt = g(G_NET_DOWN_AT);
  downUntil = downAt + g(G_NET_DOWN_FOR);
  deafFrom = resetAt();
  for (let side: u32 = 0; side < 2; side++) {
    path(side).seed = mix(g32(G_SEED), 0x7c90 + side);
    path(side).loss = g32(G_NET_LOSS + side);
  }
  return buildPause();
}

/** Whether the link is down at t, and for good, or nobody is at its other end. */
export function lostForGood(t: u64): bool {
  return t >= deafFrom || (t >= downAt && downUntil - downAt > NEVER);
}

/** Ticks that so many bytes take at the bottleneck. */
export function bottleneckTicks(bytes: u64): u64 {
  return queueNum == 0 ? 0 : (bytes * queueNum + queueDen - 1) / queueDen;
}

/** A frame of so many wire bytes leaves the port of a side at t: when it arrives, or NOT_ARRIVING. */
export function underWay(side: u32, bytes: u64, t: u64): u64 {
  const w = path(side);
  const number = <u32>w.sent;
  w.sent++;
  const at = t + hop; // 0 where nothing pauses
  let leaves = at;
  if (queueNum != 0) {
    if (pausing) drained(side, w.free, at);
    const waits = w.free > at ? w.free - at : 0;
    const span = bytes * queueNum;
    if (waits * queueDen > buffer) {
      w.dropped++;
      return NOT_ARRIVING;
    }
    if (waits == 0) w.carry = 0;
    leaves = at + waits + (span + w.carry) / queueDen;
    w.carry = (span + w.carry) % queueDen;
    w.free = leaves;
    if (pausing) joined(side, leaves, at);
  }
  if (leaves >= downAt && leaves < downUntil) {
    w.lost++;
    return NOT_ARRIVING;
  }
  if (w.loss != 0 && mix(w.seed, number) < w.loss) {
    w.lost++;
    return NOT_ARRIVING;
  }
  leaves += propagation - hop;
  if (jitter != 0) {
    const share: u64 = mix(w.seed ^ 0x5bd1e995, number);
    leaves += share * (jitter >> 32) + ((share * (jitter & 0xffffffff)) >> 32);
  }
  if (leaves < w.lastAt) leaves = w.lastAt;
  if (leaves >= deafFrom && side == 0) {
    w.lost++;
    return NOT_ARRIVING;
  }
  w.lastAt = leaves;
  return leaves;
}

/** A frame has arrived; with it every frame sent is received, lost, dropped or still under way. */
export function arrived(w: Path, left: u32, t: u64): void {
  w.received++;
  w.heardAt = t;
  const known = w.received + w.lost + w.dropped + left;
  if (known != w.sent) broken(I_CONSERVED, known, w.sent, t);
}
