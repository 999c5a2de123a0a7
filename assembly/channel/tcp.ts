// SPDX-License-Identifier: Apache-2.0
// External channel of a card: two TCP connections (data links A and B) on one Ethernet port, one frame at a
// time.
//
// Models: segments of at most MSS = MTU - 52 bytes, exact frame bytes, slow start from ten segments by bytes
//   acknowledged, the advertised receive window, delayed acknowledgement, window updates, arbitration between
//   the two links, a rate cap. The path is lossless and keeps order.
// In and out: takes bytes from the streams that the framer fills; a frame is an arrival at the other card one
//   propagation time after its last byte; the receiver takes records out of the stream and opens the window.
// How long: a frame of n payload bytes holds the wire for (preamble + max(minFrame, header + 52 + n + FCS) +
//   gap) x ticksPerByte; 52 = 20 IPv4 + 32 TCP with timestamps. Ethernet: 8, 64, 14, 4, 12. With a rate cap
//   the next data frame starts no earlier than wire bytes / cap after the start of the last one. Sends: a
//   full segment, or all there is, when it fits min(una + cwnd, right edge); a part only when nothing is in
//   flight. cwnd grows by the bytes acknowledged up to the window. An ACK goes out when more than one MSS is
//   unacknowledged, `delack` after the first unacknowledged byte, and when the right edge can move by two MSS
//   while less than half of the window is open; data carries it.
// Leaves out: loss, reordering, Nagle, handshake bytes (the handshake belongs to the setup), pacing, idle
//   restart.
// Numbers: IEEE 802.3 clause 4 and annex 4A; RFC 9293, 5681, 7323 (timestamps; windows of a SYN are not
//   scaled), 1122 4.2.3.2. Ten segments at any MTU are Linux's (TCP_INIT_CWND), not RFC 6928's, which has two
//   of 8948 bytes.
import {
  A_NET,
  BUSY,
  C_NET_ACKS,
  C_NET_FRAMES,
  C_NET_PAYLOAD_A,
  C_NET_WIRE_BYTES,
  G_NET_DELACK,
  G_NET_FRAMES,
  G_NET_PROPAGATION,
  G_NET_WINDOW,
  I_CONSERVED,
  SERIES_GOODPUT,
  STARVED,
  T_ARRIVE,
  T_FRAME,
  U_CONTROL,
  U_FRAMER,
  U_NET_RX,
  U_NET_TX,
  U_RECEIVE,
  W_CWND,
  W_RATE_CAP,
  W_WINDOW,
} from "../abi";
import { buildEgress, capAt, freeAt, occupy, pick } from "../kernel/egress";
import { addSpread } from "../kernel/log";
import { reserve } from "../kernel/memory";
import { g } from "../kernel/params";
import { pushing } from "../kernel/residual";
import { wake } from "../kernel/schedule";
import { broken, count, enter, enterUntil } from "../kernel/stats";
import { LINK_A, LINK_B, stream, takenAt, visible } from "../kernel/stream";
import { NEVER } from "../kernel/time";
import { happened } from "../kernel/timeline";
import { buildWire, segmentBytes, wireBytes } from "../kernel/wire";

/** The window of a SYN has 16 bits and is not scaled (RFC 7323, 2.2). */
const SYN_WINDOW: u64 = 65535;


@unmanaged
class Tcp {
  next: u64; // next byte to send
  cwnd: u64;
  right: u64; // right edge the peer has advertised
  acked: u64; // last acknowledgement sent
  advertised: u64; // right edge last advertised
  ackAt: u64; // when an acknowledgement must go, NEVER when none
}

//  frames under way to a side
@unmanaged
class Mac {
  arrivals: usize;
  head: u32;
  tail: u32;
  mask: u32; // of the ring of arrivals
}

//  arrival, 32 bytes: | at u64 | end u64 | ack u64 | right u64 |, link in the top bit of `end`
const TCPS = memory.data(512, 16);
const MACS = memory.data(128, 16);

let mss: u64 = 0;
let window: u64 = 0;
let propagation: u64 = 0;
let delack: u64 = 0;

// @ts-ignore: decorator
@inline
function tcp(side: u32, link: u32): Tcp {
  return changetype<Tcp>(TCPS + ((side * 2 + link) << 6));
}

// @ts-ignore: decorator
@inline
function mac(side: u32): Mac {
  return changetype<Mac>(MACS + (side << 6));
}

/** Builds the ports and connections of both sides; false when memory does not hold the frames under way. */
export function buildTcp(): bool {
  buildWire();
  buildEgress();
  mss = segmentBytes();
  window = g(G_NET_WINDOW);
  propagation = g(G_NET_PROPAGATION);
  delack = g(G_NET_DELACK);
  memory.fill(TCPS, 0, 512);
  memory.fill(MACS, 0, 128);
  for (let side: u32 = 0; side < 2; side++) {
    let frames: u32 = 64;
    while (<u64>frames < g(G_NET_FRAMES)) frames <<= 1;
    mac(side).mask = frames - 1;
    mac(side).arrivals = reserve((<u64>frames) << 5);
    if (mac(side).arrivals == 0) return false;
    for (let link: u32 = 0; link < 2; link++) {
      const c = tcp(side, link);
      // the source opens: it has the answer's window until the first ACK, the destination that of an ACK
      const first = window < SYN_WINDOW ? window : SYN_WINDOW;
      c.cwnd = 10 * mss;
      c.right = side == 0 ? first : window;
      c.advertised = side == 0 ? window : first;
      c.ackAt = NEVER;
    }
  }
  return true;
}

// --- sending ---

/** Steps the transmitter of a side at t. */
export function stepTxTcp(side: u32, t: u64): void {
  if (t < freeAt(side)) {
    wake(side, U_NET_TX, freeAt(side));
    return;
  }
  const a = sendable(side, LINK_A, t);
  const causeA = cause;
  const b = sendable(side, LINK_B, t);
  if ((a | b) != 0 && t >= capAt(side)) {
    const link = pick(side, a != 0, b != 0);
    sendFrame(side, link, link == LINK_A ? a : b, t);
    return;
  }
  for (let link: u32 = 0; link < 2; link++) {
    if (tcp(side, link).ackAt <= t || updateDue(side, link, t)) {
      sendFrame(side, link, 0, t);
      return;
    }
  }
  const why = (a | b) != 0 ? W_RATE_CAP : causeA != STARVED ? causeA : cause;
  enter(side, A_NET, why, t);
  if ((a | b) != 0) wake(side, U_NET_TX, capAt(side));
  for (let link: u32 = 0; link < 2; link++) {
    const s = stream(side, link);
    if (s.seenFrom > t) wake(side, U_NET_TX, s.seenFrom);
    if (tcp(side, link).ackAt != NEVER) wake(side, U_NET_TX, tcp(side, link).ackAt);
    const from = stream(1 - side, link);
    if (from.takenFrom > t && from.position >= from.heedFrom) wake(side, U_NET_TX, from.takenFrom);
  }
}

/** Why the last call of sendable() returned 0. */
let cause: u32 = 0;

/** Bytes of the next segment of a link at t, 0 when none may go. */
function sendable(side: u32, link: u32, t: u64): u32 {
  const c = tcp(side, link);
  cause = STARVED;
  const s = stream(side, link);
  const left = visible(s, t) - c.next;
  if (left == 0) return 0;
  const byCwnd = s.una + c.cwnd;
  const limit = byCwnd < c.right ? byCwnd : c.right;
  cause = byCwnd < c.right ? W_CWND : W_WINDOW;
  if (limit <= c.next) return 0;
  const open = limit - c.next;
  const want = left < mss ? left : mss;
  if (open >= want) return <u32>want;
  return c.next == s.una ? <u32>open : 0;
}

function sendFrame(side: u32, link: u32, payload: u32, t: u64): void {
  const c = tcp(side, link);
  enter(side, A_NET, BUSY, t);
  const wire = wireBytes(payload);
  const free = occupy(side, link, wire, payload != 0, t);
  c.next += payload;
  const from = stream(1 - side, link);
  c.acked = from.received;
  c.advertised = takenAt(from, t) + window;
  from.heedFrom = c.advertised + 2 * mss > window ? c.advertised + 2 * mss - window : 0;
  c.ackAt = NEVER;
  count(side, C_NET_FRAMES, 1);
  count(side, C_NET_WIRE_BYTES, wire);
  if (payload == 0) count(side, C_NET_ACKS, 1);
  else count(side, C_NET_PAYLOAD_A + link, payload);
  happened(T_FRAME, side, link, t, payload, c.acked, c.advertised);
  happened(T_ARRIVE, 1 - side, link, free + propagation, payload, c.acked, c.advertised);
  if (side == 0 && payload != 0) addSpread(SERIES_GOODPUT, t, free, payload);
  arrive(1 - side, free + propagation, link, c.next, c.acked, c.advertised);
  if (nothingLeft(side)) enterUntil(side, A_NET, BUSY, t, free, STARVED);
  else wake(side, U_NET_TX, free);
}

/** Whether a side's port has nothing to send and will be woken by what gives it something. */
function nothingLeft(side: u32): bool {
  for (let link: u32 = 0; link < 2; link++) {
    const c = tcp(side, link);
    if (stream(side, link).appended != c.next || c.ackAt != NEVER) return false;
    if (canUpdate(side, link)) return false;
  }
  return true;
}

function arrive(side: u32, at: u64, link: u32, end: u64, ack: u64, right: u64): void {
  const m = mac(side);
  assert(m.tail - m.head <= m.mask, "too many frames in flight");
  const e = m.arrivals + ((<usize>(m.tail++ & m.mask)) << 5);
  store<u64>(e, at);
  store<u64>(e, end | ((<u64>link) << 63), 8);
  store<u64>(e, ack, 16);
  store<u64>(e, right, 24);
  wake(side, U_NET_RX, at);
}

// --- receiving ---

/** Steps the receiver of a side: takes the frames that have arrived by t. */
export function stepRxTcp(side: u32, t: u64): void {
  const m = mac(side);
  while (m.head != m.tail) {
    const e = m.arrivals + ((<usize>(m.head & m.mask)) << 5);
    if (load<u64>(e) > t) {
      wake(side, U_NET_RX, load<u64>(e));
      return;
    }
    m.head++;
    const end = load<u64>(e, 8);
    const link = <u32>(end >> 63);
    acknowledge(side, link, load<u64>(e, 16), load<u64>(e, 24), t);
    receive(side, link, end & 0x7fffffffffffffff, t);
  }
}

function acknowledge(side: u32, link: u32, ack: u64, right: u64, t: u64): void {
  const c = tcp(side, link);
  const s = stream(side, link);
  let opened = false;
  if (ack > s.una) {
    opened = true;
    if (ack > c.next) broken(I_CONSERVED, ack, c.next, t);
    c.cwnd += ack - s.una;
    if (c.cwnd > window) c.cwnd = window;
    s.una = ack;
  }
  if (right > c.right) {
    opened = true;
    c.right = right;
    s.released = right - window;
  }
  if (opened) {
    wake(side, U_NET_TX, t);
    wake(side, U_FRAMER, t);
  }
  if (pushing) wake(side, U_CONTROL, t);
}

function receive(side: u32, link: u32, end: u64, t: u64): void {
  const c = tcp(side, link);
  const s = stream(1 - side, link);
  if (end <= s.received) return;
  if (end > c.advertised) broken(I_CONSERVED, end, c.advertised, t);
  s.received = end;
  const due = end - c.acked > mss ? t : t + delack;
  if (due < c.ackAt) c.ackAt = due;
  wake(side, U_NET_TX, canUpdate(side, link) ? t : c.ackAt);
  wake(side, U_RECEIVE, t);
}

/** Whether the right edge can move by two MSS, with what the wire will see at the next edge. */
// @ts-ignore: decorator
@inline
function canUpdate(side: u32, link: u32): bool {
  return stream(1 - side, link).position + window - tcp(side, link).advertised >= 2 * mss;
}

/**
 * True when a window update is due: the right edge can move by two MSS and less than half of the window is
 * open.
 */
function updateDue(side: u32, link: u32, t: u64): bool {
  const c = tcp(side, link);
  const s = stream(1 - side, link);
  // what the SYN could not say of the window comes with the first ACK
  if (c.acked == 0) return false;
  return takenAt(s, t) + window - c.advertised >= 2 * mss && c.advertised - s.received < window / 2;
}

/** Bytes sent and not acknowledged, in both links of a side. */
export function unacknowledgedTcp(side: u32): u64 {
  return (
    tcp(side, LINK_A).next - stream(side, LINK_A).una + (tcp(side, LINK_B).next - stream(side, LINK_B).una)
  );
}
