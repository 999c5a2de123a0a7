// SPDX-License-Identifier: Apache-2.0
// What leaves an Ethernet port: one frame at a time, of data link A or B.
//
// Models: a frame holds the port for its wire bytes x ticksPerByte; with a rate cap the next data frame
//   starts no earlier than wire bytes / cap after the start of the last one. Remainders of a tick are
//   carried. Of two links that can send, A goes first (strict), or the one with fewer wire bytes served over
//   its weight.
import {
  G_NET_CAP_DEN,
  G_NET_CAP_NUM,
  G_NET_TICKS_DEN,
  G_NET_TICKS_NUM,
  G_NET_WEIGHT_A,
  G_NET_WEIGHT_B,
} from "../abi";
import { g } from "./params";
import { LINK_A, LINK_B } from "./stream";


@unmanaged
class Egress {
  free: u64; // when the frame at hand has left
  carry: u64;
  capFrom: u64; // when the cap lets the next data frame start
  capCarry: u64;
  servedA: u64; // wire bytes
  servedB: u64;
}

const PORTS = memory.data(128, 16);

if (offsetof<Egress>() > 64) ERROR("egress");

let ticksNum: u64 = 0;
let ticksDen: u64 = 0;
let capNum: u64 = 0;
let capDen: u64 = 0;
let weightA: u64 = 0;
let weightB: u64 = 0;

// @ts-ignore: decorator
@inline
function egress(side: u32): Egress {
  return changetype<Egress>(PORTS + (side << 6));
}

export function buildEgress(): void {
  memory.fill(PORTS, 0, 128);
  ticksNum = g(G_NET_TICKS_NUM);
  ticksDen = g(G_NET_TICKS_DEN);
  capNum = g(G_NET_CAP_NUM);
  capDen = g(G_NET_CAP_DEN);
  weightA = g(G_NET_WEIGHT_A);
  weightB = g(G_NET_WEIGHT_B);
}

/** When the port of a side is free. */
// @ts-ignore: decorator
@inline
export function freeAt(side: u32): u64 {
  return egress(side).free;
}

/** When the rate cap lets a side start a data frame. */
// @ts-ignore: decorator
@inline
export function capAt(side: u32): u64 {
  return egress(side).capFrom;
}

/**
 * The link that sends, of those that can. One that cannot has no claim to the time it does not use: it counts
 * as served like the other.
 */
export function pick(side: u32, a: bool, b: bool): u32 {
  const m = egress(side);
  if (weightA == 0) return a ? LINK_A : LINK_B;
  if (!b) {
    m.servedB = max<u64>(m.servedB, (m.servedA * weightB) / weightA);
    return LINK_A;
  }
  if (!a) {
    m.servedA = max<u64>(m.servedA, (m.servedB * weightA) / weightB);
    return LINK_B;
  }
  return m.servedA * weightB <= m.servedB * weightA ? LINK_A : LINK_B;
}

/** A frame of so many wire bytes of a link starts at t, with data or without. Returns when it has left. */
export function occupy(side: u32, link: u32, wire: u64, data: bool, t: u64): u64 {
  const m = egress(side);
  const span = wire * ticksNum + m.carry;
  const whole = span / ticksDen;
  m.free = t + whole;
  m.carry = span - whole * ticksDen;
  if (data && capNum != 0) {
    const gap = wire * capNum + m.capCarry;
    m.capFrom = t + gap / capDen;
    m.capCarry = gap % capDen;
  }
  if (link == LINK_A) m.servedA += wire;
  else m.servedB += wire;
  return m.free;
}
