// SPDX-License-Identifier: Apache-2.0
// PAUSE from the switch to the port that feeds its queue, one direction: IEEE 802.3 Annex 31B, or 802.1Qbb
// with one class. The whole port stands still, data and acknowledgements.
//
// How long: a frame joins the queue one hop after its last byte has left the port. When more than `high` wire
//   bytes wait then, the switch sends a PAUSE; when what waits has fallen to `low`, one of no time. Either
//   acts at the port delay = 84 B at the port's rate + hop later; a frame that has begun there goes on. A
//   PAUSE lasts `quanta` of 512 bit times and is sent again every half of that (assumed): it never runs out.
//   A frame of L bytes that fills the queue to high + L is followed by what leaves a port of rate R in
//   hop + delay, and by the frame begun last, so nothing is dropped when
//     buffer - high >= headroom = R x (2 hop + 84 B / R) + L;
//   the slower part takes nothing off that at least. Below low = its rate x (2 hop + 84 B / R + L / R) it may
//   run dry before the port is heard of again.
// Leaves out: that a PAUSE waits for a frame that the switch is sending to the port, and delays the next one
//   (another L of headroom where both directions are full); the MAC's response time, which a longer hop
//   stands for; classes.
// Numbers: IEEE 802.3 Annex 31B: frames of 64 B, 16 bits of quanta; the hop and the repetition are assumed.
import {
  C_NET_PAUSES,
  G_NET_OUTSIDE,
  G_NET_PAUSE_HIGH,
  G_NET_PAUSE_HOP,
  G_NET_PAUSE_LOW,
  G_NET_PAUSE_QUANTA,
  G_NET_QUEUE_DEN,
  G_NET_QUEUE_NUM,
  G_NET_TICKS_DEN,
  G_NET_TICKS_NUM,
} from "../abi";
import { reserve } from "./memory";
import { g } from "./params";
import { count } from "./stats";

/** Header to FCS of a MAC control frame. */
const PAUSE_BYTES: u64 = 64;

// a time in which the port stands still, of its ring: | from u64 | until u64 |, until may move
@unmanaged
class Pause {
  ring: usize;
  since: u64; // when the switch sent its last PAUSE
  head: u32;
  tail: u32;
  stopped: u32; // 1: no frame of no time has followed it
}

const PAUSES = memory.data(64, 16);
if (offsetof<Pause>() > 32) ERROR("pause");

/** Whether the switches pause their ports. */
export let pausing: bool = false;
/** Ticks from a port to its switch. */
export let hop: u64 = 0;

let high: u64 = 0; // bytes x ticks a byte, over the queue's denominator
let queueDen: u64 = 1;
let lowTicks: u64 = 0;
let delay: u64 = 0;
let again: u64 = 0; // ticks between two PAUSE frames
let mask: u32 = 0;

// @ts-ignore: decorator
@inline
function pause(side: u32): Pause {
  return changetype<Pause>(PAUSES + (side << 5));
}

// @ts-ignore: decorator
@inline
function stop(p: Pause, index: u32): usize {
  return p.ring + ((index & mask) << 4);
}

/** Builds what both ports keep of pauses; false when memory does not hold it. */
export function buildPause(): bool {
  memory.fill(PAUSES, 0, 64);
  pausing = g(G_NET_PAUSE_HIGH) != 0;
  hop = g(G_NET_PAUSE_HOP);
  if (!pausing) return true;
  const num = g(G_NET_TICKS_NUM);
  const den = g(G_NET_TICKS_DEN);
  const queueNum = g(G_NET_QUEUE_NUM);
  queueDen = g(G_NET_QUEUE_DEN);
  high = g(G_NET_PAUSE_HIGH) * queueNum;
  lowTicks = (g(G_NET_PAUSE_LOW) * queueNum) / queueDen;
  const bytes = PAUSE_BYTES + g(G_NET_OUTSIDE);
  delay = (bytes * num + den - 1) / den + hop;
  again = (g(G_NET_PAUSE_QUANTA) * 32 * num) / den;
  // between two pauses the queue drains from one mark to the other
  const least = max<u64>(high / queueDen - lowTicks, 1);
  let stops: u32 = 8;
  while (<u64>stops < (hop + 2 * delay) / least + 8) stops <<= 1;
  mask = stops - 1;
  for (let side: u32 = 0; side < 2; side++) {
    pause(side).ring = reserve((<u64>stops) << 4);
    if (pause(side).ring == 0) return false;
  }
  return true;
}

/** A frame is about to join the queue at t, which is empty at `free`: it may have drained before. */
export function drained(side: u32, free: u64, t: u64): void {
  const p = pause(side);
  if (p.stopped == 0 || free - lowTicks >= t) return;
  p.stopped = 0;
  count(side, C_NET_PAUSES, 1 + (free - lowTicks - p.since - 1) / again);
}

/** A frame has joined the queue at t, which is empty at `free` now. */
export function joined(side: u32, free: u64, t: u64): void {
  const p = pause(side);
  if (p.stopped == 0) {
    if ((free - t) * queueDen <= high) return;
    p.stopped = 1;
    p.since = t;
    count(side, C_NET_PAUSES, 1);
    assert(p.tail - p.head <= mask, "too many pauses under way");
    store<u64>(stop(p, p.tail++), t + delay);
  }
  store<u64>(stop(p, p.tail - 1), free - lowTicks + delay, 8);
}

/** Until when the port stands still at t; 0 when it does not. Nothing moves that while it does. */
export function pausedUntil(side: u32, t: u64): u64 {
  const p = pause(side);
  while (p.head != p.tail && load<u64>(stop(p, p.head), 8) <= t) p.head++;
  if (p.head == p.tail || load<u64>(stop(p, p.head)) > t) return 0;
  return load<u64>(stop(p, p.head), 8);
}

/** When a port that moves at t stands still next, as far as it is known; 0 when it is not. */
export function pausedFrom(side: u32): u64 {
  const p = pause(side);
  return p.head == p.tail ? 0 : load<u64>(stop(p, p.head));
}
