// SPDX-License-Identifier: Apache-2.0
// External channel of a card over a path that loses: TCP connections with congestion control, as many for
// each data link as `streams`, on one Ethernet port, one frame at a time.
//
// Models: the connections of kernel/recovery, kernel/congestion, kernel/tuning; the path of kernel/path
//   behind the port; selective acknowledgements of up to three blocks (RFC 2018), delayed acknowledgements
//   with quick ones at the start, arbitration between the links, turns between the connections of a link,
//   which go from one to the next when a burst is over or 64 KiB of it are sent; a switch that pauses the
//   port (kernel/pause).
// In and out: as channel/tcp. The connections of a link share its bytes: one that may send takes the next
//   segment of the link, and the receiver puts it at its place, in whatever order connections bring it.
// How long: a frame holds the port for its wire bytes x ticksPerByte, then goes its path. Sends: lost
//   segments of a connection first, then new ones, while inFlight < cwnd; a new one when it fits the peer's
//   window, a part only when nothing is in flight. With 3 blocks a pure ACK has 12, 20 or 28 bytes more. An
//   ACK goes at once when more than one MSS is unacknowledged, beyond or below a hole, and for the first 16
//   segments (or what half the first window holds); otherwise `delack` after the first byte.
// Leaves out: ACK compression, segmentation offload and its bursts, Nagle, pacing, ECN. What several
//   connections cost in headers of their own (RFC 8684) is not counted; with several, the window counts bytes
//   in order only.
// Numbers: RFC 9293, 5681, 2018, 6675, 6937, 8985, 9438; Linux: initial window, quick ACKs, delayed ACKs.
import {
  A_NET,
  BUSY,
  C_NET_ACKS,
  C_NET_FRAMES,
  C_NET_PAYLOAD_A,
  C_NET_WIRE_BYTES,
  G_NET_DELACK,
  G_NET_FRAMES,
  G_NET_STREAMS,
  I_CONSERVED,
  REASON_UNANSWERED,
  SERIES_GOODPUT,
  STARVED,
  T_ARRIVE,
  T_FRAME,
  U_CONTROL,
  U_FRAMER,
  U_NET_RX,
  U_NET_TX,
  U_RECEIVE,
  W_PAUSE,
  W_RATE_CAP,
} from "../abi";
import {
  buildCongestion,
  burstOver,
  isFirmware,
  release,
  restartIdle,
  resumeGrowth,
} from "../kernel/congestion";
import { ENDLESS, buildConnections, TIMER_GONE, connection, inFlight, segment } from "../kernel/connection";
import { charged, forgetDatagrams, waitsForCore } from "../kernel/datagrams";
import { buildEgress, capAt, freeAt, occupy, pick } from "../kernel/egress";
import { Arrival, Port, arrival, buildArrivals, port, resetPorts } from "../kernel/frames";
import { addSpread } from "../kernel/log";
import { g, g32 } from "../kernel/params";
import { NOT_ARRIVING, arrived, buildPaths, path, underWay } from "../kernel/path";
import { pausedFrom, pausedUntil, pausing } from "../kernel/pause";
import { BLOCKS, beyondHole, buildReassembly, inOrder, place, tellHoles } from "../kernel/reassembly";
import {
  abandon,
  acknowledged,
  nextLost,
  sacked,
  sentAgain,
  sentNew,
  timeout,
  timerRan,
} from "../kernel/recovery";
import { pushing } from "../kernel/residual";
import { wake } from "../kernel/schedule";
import { buildSending, cause, maySend, setCause, size, windowLeft } from "../kernel/sending";
import { broken, count, enter } from "../kernel/stats";
import { LINK_A, LINK_B, stream, takenAt, visible } from "../kernel/stream";
import { NEVER } from "../kernel/time";
import { report } from "../kernel/trouble";
import { happened } from "../kernel/timeline";
import { buildTuning, grantable, noteUnread, openWindow, tune } from "../kernel/tuning";
import { buildWire, segmentBytes, wireBytes } from "../kernel/wire";

/** Quick acknowledgements at the start (Linux: TCP_MAX_QUICKACKS). */
const QUICK_MAX: u64 = 16;
const NOBODY: u32 = 0xffffffff;

let streams: u32 = 1;
let mss: u64 = 0;
let delack: u64 = 0;

/** Builds the ports and connections of both sides; false when memory does not hold them. */
export function buildTcpLossy(): bool {
  buildWire();
  buildEgress();
  buildCongestion();
  if (!buildPaths()) return false;
  buildTuning();
  forgetDatagrams();
  streams = g32(G_NET_STREAMS);
  mss = segmentBytes();
  delack = g(G_NET_DELACK);
  buildSending();
  resetPorts();
  if (!buildConnections() || !buildReassembly(streams)) return false;
  for (let side: u32 = 0; side < 2; side++) {
    let frames: u32 = 64;
    while (<u64>frames < g(G_NET_FRAMES)) frames <<= 1;
    if (!buildArrivals(side, frames)) return false;
    for (let i: u32 = 0; i < 2 * streams; i++) {
      const c = connection(side, i);
      if (isFirmware()) c.cwnd = ENDLESS;
      // side 0 opens the connections: it hears the window of a SYN, the other side that of an ACK
      openWindow(c, connection(1 - side, i), side == 1);
      c.quick = <u32>min<u64>(QUICK_MAX, max<u64>(c.advertised / (2 * mss), 2));
    }
  }
  return true;
}

// --- sending ---

/** Steps the transmitter of a side at t. */
export function stepTxLossy(side: u32, t: u64): void {
  runTimers(side, t);
  const m = port(side);
  if (t < freeAt(side)) {
    wake(side, U_NET_TX, freeAt(side));
    return;
  }
  if (pausing && standsStill(side, t)) return;
  if (m.urgent != 0 && sendAck(side, m, true, t)) return;
  const a = ready(side, LINK_A, t);
  const causeA = cause;
  const b = ready(side, LINK_B, t);
  if (a != NOBODY || b != NOBODY) {
    if (t >= capAt(side)) {
      const link = pick(side, a != NOBODY, b != NOBODY);
      sendData(side, m, link, link == LINK_A ? a : b, t);
      return;
    }
    setCause(W_RATE_CAP);
    wake(side, U_NET_TX, capAt(side));
  } else if (causeA != STARVED) setCause(causeA);
  const why = cause;
  if (sendAck(side, m, false, t)) return;
  enter(side, A_NET, why, t);
  waitFor(side, t);
}

/** Whether the switch has paused the port, which is charged for it whatever it has to send. */
function standsStill(side: u32, t: u64): bool {
  const until = pausedUntil(side, t);
  if (until == 0) return false;
  enter(side, A_NET, W_PAUSE, t);
  wake(side, U_NET_TX, until);
  return true;
}

/** Whoever runs out of time acts; a tail loss probe goes even where the window is full. */
function runTimers(side: u32, t: u64): void {
  for (let i: u32 = 0; i < 2 * streams; i++) {
    const c = connection(side, i);
    if (c.timerAt <= t) {
      c.probeDue = timerRan(c, t) ? 1 : c.probeDue;
      if (c.timer == TIMER_GONE) report(side, REASON_UNANSWERED, t);
      if (c.undecided != 0) wake(side, U_CONTROL, t);
    }
    if (c.timerAt != NEVER) wake(side, U_NET_TX, c.timerAt);
  }
}

/** Nothing may go at t: what would change that. */
function waitFor(side: u32, t: u64): void {
  for (let link: u32 = 0; link < 2; link++) {
    const s = stream(side, link);
    if (s.seenFrom > t) wake(side, U_NET_TX, s.seenFrom);
    const from = stream(1 - side, link).takenFrom;
    if (from > t) wake(side, U_NET_TX, from);
  }
  for (let i: u32 = 0; i < 2 * streams; i++) {
    const at = connection(side, i).ackAt;
    if (at != NEVER) wake(side, U_NET_TX, at);
  }
  if (pausing && pausedFrom(side) > t) wake(side, U_NET_TX, pausedFrom(side));
}

const SIZES = memory.data(8, 4);

/** The connection of a link that may send at t, in turn; NOBODY when none may. */
function ready(side: u32, link: u32, t: u64): u32 {
  const m = port(side);
  const turn = link == LINK_A ? m.turnA : m.turnB;
  const left = visible(stream(side, link), t) - (link == LINK_A ? m.assignedA : m.assignedB);
  setCause(STARVED);
  for (let k: u32 = 0; k < streams; k++) {
    let n = turn + k;
    if (n >= streams) n -= streams;
    if (!maySend(connection(side, link * streams + n), left)) continue;
    store<u32>(SIZES + (link << 2), size);
    return link * streams + n;
  }
  return NOBODY;
}

/** Sends the next segment of connection `index`: a lost one, the last one as a probe, or a new one. */
function sendData(side: u32, m: Port, link: u32, index: u32, t: u64): void {
  const c = connection(side, index);
  const bytes = load<u32>(SIZES + (link << 2));
  let number = c.last;
  if (bytes == 0) {
    number = nextLost(c);
    if (number == c.last) number--;
    sentAgain(c, number, t);
  } else {
    if (c.first == c.last) {
      resumeGrowth(c, t);
      const limit = timeout(c);
      if (c.lastSentAt != 0 && t - c.lastSentAt > limit) restartIdle(c, t - c.lastSentAt, limit);
      c.burst = c.cwnd;
    }
    if (c.burst != 0) c.burst--;
    if (bytes < mss) {
      c.smallEnd = c.next + bytes;
      c.edge = 0;
    }
    sentNew(c, bytes, link == LINK_A ? m.assignedA : m.assignedB, t);
    if (link == LINK_A) m.assignedA += bytes;
    else m.assignedB += bytes;
    count(side, C_NET_PAYLOAD_A + link, bytes);
  }
  if (streams > 1) {
    const next = index + (burstOver(c) ? 1 : 0) - link * streams;
    if (link == LINK_A) m.turnA = next == streams ? 0 : next;
    else m.turnB = next == streams ? 0 : next;
  }
  c.probeDue = 0;
  wake(side, U_NET_TX, c.timerAt);
  const s = segment(c, number);
  sendFrame(side, m, index, s.bytes, s.end, s.data, t);
  if (side == 0 && bytes != 0) addSpread(SERIES_GOODPUT, t, freeAt(side), bytes);
}

/** Sends an ACK that is due, of those that tell of holes only or of all; false when there is none. */
function sendAck(side: u32, m: Port, urgent: bool, t: u64): bool {
  for (let i: u32 = 0; i < 2 * streams; i++) {
    const c = connection(side, i);
    if (urgent ? c.urgent == 0 : c.ackAt > t && !updateDue(side, i, t)) continue;
    sendFrame(side, m, i, 0, 0, 0, t);
    return true;
  }
  return false;
}

/** A frame of connection `index` with `bytes` up to `end`, none for an ACK alone, which tells of holes. */
function sendFrame(side: u32, m: Port, index: u32, bytes: u32, end: u64, data: u64, t: u64): void {
  const c = connection(side, index);
  const link = index < streams ? LINK_A : LINK_B;
  const from = stream(1 - side, link);
  enter(side, A_NET, BUSY, t);
  c.advertised = rightEdge(side, link, index, t);
  c.acked = c.received;
  c.unread = 0;
  c.ackAt = NEVER;
  if (c.quick != 0) c.quick--;
  if (c.urgent != 0) m.urgent--;
  c.urgent = 0;
  const blocks = bytes == 0 && c.rangeCount != 0 ? tellHoles(c) : 0;
  const wire = wireBytes(bytes + (blocks == 0 ? 0 : 4 + 8 * blocks));
  const free = occupy(side, link, wire, bytes != 0, t);
  count(side, C_NET_FRAMES, 1);
  count(side, C_NET_WIRE_BYTES, wire);
  if (bytes == 0) count(side, C_NET_ACKS, 1);
  happened(T_FRAME, side, index, t, bytes, c.acked, c.advertised);
  wake(side, U_NET_TX, free);
  const at = underWay(side, wire, free);
  if (at == NOT_ARRIVING) return;
  happened(T_ARRIVE, 1 - side, index, at, bytes, c.acked, c.advertised);
  const other = port(1 - side);
  assert(other.tail - other.head <= other.mask, "too many frames in flight");
  const e = arrival(other, other.tail++);
  e.at = at;
  e.end = end;
  e.data = data;
  e.ack = c.acked;
  e.right = c.advertised;
  e.taken = takenAt(from, t);
  e.linkAck = from.received;
  e.bytes = bytes;
  e.index = index;
  memory.copy(changetype<usize>(e) + offsetof<Arrival>("from0"), BLOCKS, 24);
  if (blocks == 0) e.to0 = 0;
  wake(1 - side, U_NET_RX, at);
}

/** Right edge that an end may advertise: what the window leaves beside bytes that nobody has taken. */
function rightEdge(side: u32, link: u32, index: u32, t: u64): u64 {
  const c = connection(side, index);
  const from = stream(1 - side, link);
  const waits = from.cap == 0 ? c.unread : from.received - takenAt(from, t);
  const open = grantable(c);
  return max<u64>(c.advertised, c.received + (open > waits ? open - waits : 0));
}

// --- receiving ---

/** Steps the receiver of a side: takes the frames that have arrived by t. */
export function stepRxLossy(side: u32, t: u64): void {
  const m = port(side);
  while (m.head != m.tail) {
    const e = arrival(m, m.head);
    if (e.at > t) {
      wake(side, U_NET_RX, e.at);
      return;
    }
    m.head++;
    arrived(path(1 - side), m.tail - m.head, t);
    if (charged && e.bytes == 0 && waitsForCore(side, e)) {
      wake(side, U_CONTROL, t);
      continue;
    }
    takeAck(side, e, t);
    if (e.bytes != 0) receive(side, m, e, t);
    wake(side, U_NET_TX, t);
  }
}

/** What an acknowledgement tells acts at t. */
export function takeAck(side: u32, e: Arrival, t: u64): void {
  const c = connection(side, e.index);
  const s = stream(side, e.index < streams ? LINK_A : LINK_B);
  if (e.to0 != 0) sacked(c, e.ack + e.from0, e.ack + e.to0, t);
  if (e.to0 != 0 && e.to1 != 0) sacked(c, e.ack + e.from1, e.ack + e.to1, t);
  if (e.to0 != 0 && e.to2 != 0) sacked(c, e.ack + e.from2, e.ack + e.to2, t);
  acknowledged(c, e.ack, e.right, t);
  const pipe = inFlight(c);
  release(c, pipe < c.cwnd ? min<u64>((c.cwnd - pipe) * mss, windowLeft(c)) : 0, t);
  if (e.linkAck > s.una) s.una = e.linkAck;
  if (e.taken > s.released) s.released = e.taken;
  wake(side, U_FRAMER, t);
  if (pushing || c.undecided != 0) wake(side, U_CONTROL, t);
}

function receive(side: u32, m: Port, e: Arrival, t: u64): void {
  const c = connection(side, e.index);
  const link = e.index < streams ? LINK_A : LINK_B;
  if (e.end > c.advertised) broken(I_CONSERVED, e.end, c.advertised, t);
  let at = t;
  const before = c.received;
  if (e.end > before) {
    const holes = c.rangeCount != 0;
    if (e.end - e.bytes <= before) inOrder(c, e);
    else beyondHole(c, e);
    if (streams > 1) place(stream(1 - side, link), side, link, e);
    else stream(1 - side, link).received = c.received;
    if (c.received != before) tune(c, <u32>(c.received - before), t);
    const late = !holes && c.rangeCount == 0 && c.quick == 0 && c.received - c.acked <= mss;
    // a connection of a sink that has got all is closed, which is answered at once
    const from = stream(1 - side, link);
    if (late && (from.cap != 0 || from.received != from.appended)) at = t + delack;
    wake(side, U_RECEIVE, t);
  }
  noteUnread(c, at == t);
  if (at < c.ackAt) c.ackAt = at;
  if (c.rangeCount != 0 && c.urgent == 0) {
    c.urgent = 1;
    m.urgent++;
  } else if (c.rangeCount == 0 && c.urgent != 0) {
    c.urgent = 0;
    m.urgent--;
  }
}

/** True when a window update is due: as in channel/tcp. */
function updateDue(side: u32, index: u32, t: u64): bool {
  const c = connection(side, index);
  if (c.acked == 0) return false;
  const right = rightEdge(side, index < streams ? LINK_A : LINK_B, index, t);
  return right - c.advertised >= 2 * mss && c.advertised - c.received < grantable(c) / 2;
}

/** Bytes sent and not acknowledged, in all connections of a side. */
export function unacknowledgedLossy(side: u32): u64 {
  let n: u64 = 0;
  for (let i: u32 = 0; i < 2 * streams; i++) n += connection(side, i).next - connection(side, i).una;
  return n;
}

/** Nothing of either side goes any more. */
export function closeLossy(): void {
  for (let i: u32 = 0; i < 4 * streams; i++) {
    const c = connection(i >= 2 * streams ? 1 : 0, i % (2 * streams));
    abandon(c);
    c.ackAt = NEVER;
  }
}
