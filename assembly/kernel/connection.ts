// SPDX-License-Identifier: Apache-2.0
// A TCP connection as each of its ends keeps it: what was sent and what is known of it, the congestion
// window, and what was received. Plain storage; who acts on it is in recovery.ts, congestion.ts, ranges.ts
// and the transmitter. Lengths of windows are segments, positions are bytes of the connection.
//
//   segment, 32 bytes: | end u64 | sent at u64 | position in the data link u64 | bytes u32 | flags u32 |
//   again, 16 bytes:   | sent at u64 | segment u32 | - |, retransmissions in the order of their sending
//   range, 16 bytes:   | from u64 | to u64 |, received beyond a hole
import { G_NET_SEGMENTS, G_NET_STREAMS, STREAMS_MAX } from "../abi";
import { reserve } from "./memory";
import { g, g32 } from "./params";
import { NEVER } from "./time";

// state of the sender (RFC 5681, 6675, 8985; names of RFC 6582)
export const OPEN: u32 = 0;
export const RECOVERY: u32 = 1;
export const LOSS: u32 = 2;

// what the timer of a connection is for
export const TIMER_OFF: u32 = 0;
export const TIMER_RTO: u32 = 1;
export const TIMER_PROBE: u32 = 2; // RFC 8985, 7.2
export const TIMER_REORDER: u32 = 3; // RFC 8985, 6.2
export const TIMER_GONE: u32 = 4; // none: the connection is given up

// flags of a segment
export const SACKED: u32 = 1;
export const LOST: u32 = 2;
export const AGAIN: u32 = 4; // its retransmission is under way
export const EVER: u32 = 8; // was sent more than once: no RTT comes of it (RFC 6298, 3)

/** Segments at the start, at any MTU: Linux's TCP_INIT_CWND. */
export const FIRST_SEGMENTS: u32 = 10;
/** Segments out at most where control records and device state go; a power of two. */
const FEW_SEGMENTS: u32 = 4096;
/** A window without a limit. */
export const ENDLESS: u32 = 0x7fffffff;


@unmanaged
export class Connection {
  // sender: bytes
  next: u64;
  una: u64;
  right: u64; // edge that the peer has advertised
  highSeq: u64; // sent when the recovery began
  sackFrom: u64; // block that was reported last
  sackTo: u64;
  // sender: segments, by running number
  segments: usize;
  agains: usize;
  mask: u32;
  first: u32;
  last: u32;
  judged: u32; // first transmissions below were found delivered or lost
  resend: u32; // no lost segment that waits lies below
  againFirst: u32;
  againLast: u32;
  sackedOut: u32;
  lostOut: u32;
  againOut: u32;
  waiting: u32; // lost and not sent again
  // congestion control
  state: u32;
  cwnd: u32;
  cwndCount: u32;
  ssthresh: u32;
  prrDelivered: u32;
  prrOut: u32;
  priorCwnd: u32;
  mostOut: u32; // packets out in the last window, and whether cwnd limited them
  limited: u32;
  limitedTo: u32; // until this segment
  // RTT and timers, ticks
  srtt: u64;
  mdev: u64;
  minRtt: u64;
  rackAt: u64; // when the segment was sent that was delivered last (RFC 8985: RACK.xmit_ts)
  rackRtt: u64;
  timerAt: u64;
  timer: u32;
  backoff: u32;
  againSince: u64; // first retransmission since something new was acknowledged, 0: there was none
  lastSentAt: u64;
  probing: u32; // a tail loss probe is out
  probeDue: u32; // one is to be sent
  burst: u32; // new segments that may go without waiting for a larger burst
  decides: u32; // the firmware decides on what goes again, and what it has not decided on
  undecided: u32;
  deciding: u32; // of these what cores have in hand
  edge: u32; // the rest of a packet may be cut at the edge of the window
  smallEnd: u64; // end of the last segment that was cut at the edge of the window
  probeEnd: u64;
  // cubic
  epochAt: u64;
  kUnits: u64;
  delayMin: u64;
  origin: u32;
  lastMax: u32;
  friendly: u32;
  friendlyCount: u32;
  perIncrease: u32;
  askedCwnd: u32; // window and jiffy of the last time that the cube was asked
  askedAt: u64;
  // HyStart
  roundAt: u64;
  trainAt: u64;
  roundEnd: u64;
  roundRtt: u64;
  roundSamples: u32;
  left: u32; // slow start was left
  // receiver
  received: u64;
  acked: u64;
  advertised: u64;
  ackAt: u64;
  quick: u32;
  urgent: u32; // an ACK is due that tells of a hole
  rangeCount: u32;
  rangeRoom: u32;
  ranges: usize; // the first of them; they move up in their table as holes are filled
  rangesAt: usize; // their table
  recent0: u64; // where the last blocks beyond a hole grew, the newest first
  recent1: u64;
  recent2: u64;
  // receive window
  window: u64; // granted
  clamp: u64;
  copiedFrom: u64;
  copiedAt: u64;
  space: u64;
  unread: u64; // bytes that the application has not taken when the next ACK goes
  // results
  again: u64; // segments sent again
  episodes: u32; // times the window was cut
  timeouts: u32;
  srttAt: u64; // when srtt was sampled last
  srttSum: u64; // of srtt in ns x the us that it stood
  srttTime: u64; // those us
}

const BYTES: u32 = 576;
const AT = memory.data(4, 4);

if (offsetof<Connection>() > 576) ERROR("connection");

/** The end of a connection at a side; `index` is link x streams + number. */
// @ts-ignore: decorator
@inline
export function connection(side: u32, index: u32): Connection {
  return changetype<Connection>(<usize>load<u32>(AT) + (side * 2 * STREAMS_MAX + index) * BYTES);
}

/** Segments that an end has out at most: the pages' many, the others' few. */
function segmentsMost(side: u32, index: u32): u32 {
  const most = g32(G_NET_SEGMENTS);
  return side == 0 && index >= g32(G_NET_STREAMS) ? most : min<u32>(most, FEW_SEGMENTS);
}

/** Lays out the ends of all connections; false when there is no room. */
export function buildConnections(): bool {
  const all = reserve(<u64>(4 * STREAMS_MAX * BYTES));
  store<u32>(AT, <u32>all);
  for (let side: u32 = 0; side < 2; side++) {
    for (let i: u32 = 0; i < 2 * g32(G_NET_STREAMS); i++) {
      const c = connection(side, i);
      const most = segmentsMost(side, i);
      c.mask = most - 1;
      c.segments = reserve((<u64>most) << 5);
      c.agains = reserve((<u64>most) << 4);
      c.rangeRoom = segmentsMost(1 - side, i);
      c.rangesAt = reserve((<u64>c.rangeRoom) << 4);
      c.ranges = c.rangesAt;
      if (c.segments == 0 || c.agains == 0 || c.ranges == 0) return false;
      c.cwnd = FIRST_SEGMENTS;
      c.ssthresh = ENDLESS;
      c.minRtt = NEVER;
      c.timerAt = NEVER;
      c.ackAt = NEVER;
      c.roundRtt = NEVER;
    }
  }
  return all != 0;
}


@unmanaged
export class Segment {
  end: u64;
  sentAt: u64;
  data: u64;
  bytes: u32;
  flags: u32;
}

/** A segment by its running number. */
// @ts-ignore: decorator
@inline
export function segment(c: Connection, number: u32): Segment {
  return changetype<Segment>(c.segments + ((<usize>(number & c.mask)) << 5));
}

/** Segments that are thought to be in the network (RFC 6675: pipe). */
// @ts-ignore: decorator
@inline
export function inFlight(c: Connection): u32 {
  return c.last - c.first - c.sackedOut - c.lostOut + c.againOut;
}

/** True when another segment fits the send buffer. */
// @ts-ignore: decorator
@inline
export function segmentFits(c: Connection): bool {
  return c.last - c.first <= c.mask;
}
