// SPDX-License-Identifier: Apache-2.0
// Congestion control of a connection: Reno (RFC 5681, by bytes acknowledged as RFC 3465 with an unlimited L)
// and CUBIC (RFC 9438 with its Reno-friendly region and fast convergence), HyStart with CUBIC (the ACK train
// and the delay increase, with the constants that Linux documents), proportional rate reduction (RFC 6937,
// slow-start bound). All in integers. UDP has none: the peer's window alone limits it, and a loss changes
//   nothing.
//
// CUBIC: time in units of 2^-13 s, so that W = C (t - K)^3 + Wmax is offs^3 x 2 / 5 >> 39 with C = 2/5; K is
//   the cube root of (Wmax - W) x 5/2 x 2^39, by bisection. beta = 7/10; the friendly window grows by a
//   segment for each 15/8 of a window acknowledged (RFC 9438, 4.3: 17/9; Linux divides eighths).
//   As Linux does, CUBIC's clock ticks with the kernel's: the cube is asked at most once a jiffy, and while
//   the window has not changed for 1/32 s neither it nor the friendly window is asked again. With an RTT of
//   some ms and a small window that is most of the time.
import { CONGESTION_CUBIC, CONGESTION_FIRMWARE, G_NET_CONGESTION, G_NET_TUNED, TICKS_PER_NS } from "../abi";
import { Connection, ENDLESS, FIRST_SEGMENTS, OPEN, inFlight, segment } from "./connection";
import { g } from "./params";
import { NEVER } from "./time";
import { segmentBytes } from "./wire";

const MS: u64 = 1000000 * <u64>TICKS_PER_NS;
/** A tick of Linux's clock with HZ 250, its default. */
const JIFFY: u64 = 4 * MS;
const JIFFIES_SECOND: u64 = 250;
const ASK_AGAIN: u64 = JIFFIES_SECOND / 32;
/** Ticks of a unit of 2^-13 s. */
const UNIT: u64 = 125000000000;
/** 128 s: the cube still has 64 bits. */
const UNITS_MAX: u64 = 1048576;
/** HyStart: least window, samples of a round, gap in a train, bounds of the delay increase. */
const HYSTART_LOW: u32 = 16;
const HYSTART_SAMPLES: u32 = 8;
const TRAIN_GAP: u64 = 2 * MS;
const DELAY_LOW: u64 = 4 * MS;
const DELAY_HIGH: u64 = 16 * MS;
/** Bytes of the burst by which senders may delay an ACK train: four of 64 KiB, 1 ms at most. */
const BURST_BYTES: u64 = 262144;
/** Segmentation offload: 1/1024 s of the rate in a packet, 64 KiB with its headers at most. */
const SLICE_NS: u64 = 976562;
const PACKET_MOST: u64 = 65215;
const TICKS_PER_US: u64 = 1000 * <u64>TICKS_PER_NS;

let cubic: bool = false;
/** UDP: no window but the peer's, and nothing that a loss cuts. */
let firmware: bool = false;
/** Bursts are put off. */
let puts: bool = false;
let mss: u64 = 0;
let cut: u64 = 1;

export function buildCongestion(): void {
  cubic = g(G_NET_CONGESTION) == CONGESTION_CUBIC;
  firmware = g(G_NET_CONGESTION) == CONGESTION_FIRMWARE;
  puts = !firmware && g(G_NET_TUNED) != 0;
  mss = segmentBytes();
  cut = max<u64>(PACKET_MOST / mss, 1) * mss;
}

/** The largest x with x^3 <= n, n < 2^62. */
export function cubeRoot(n: u64): u64 {
  let root: u64 = 0;
  for (let bit: u64 = 1 << 20; bit != 0; bit >>= 1) {
    const x = root | bit;
    if (x * x * x <= n) root = x;
  }
  return root;
}

/** True for UDP, whose sender knows no congestion. */
// @ts-ignore: decorator
@inline
export function isFirmware(): bool {
  return firmware;
}

/** Slow-start threshold after a loss (RFC 5681, 3.1; RFC 9438, 4.6 and 4.7). */
export function thresholdAfterLoss(c: Connection): u32 {
  if (firmware) return c.cwnd;
  if (!cubic) return max<u32>(c.cwnd >> 1, 2);
  c.epochAt = 0;
  c.lastMax = c.cwnd < c.lastMax ? (c.cwnd * 17) / 20 : c.cwnd;
  return max<u32>((c.cwnd * 7) / 10, 2);
}

/** A timeout: CUBIC begins anew (RFC 9438, 4.8). */
export function forgetGrowth(c: Connection): void {
  c.epochAt = 0;
  c.lastMax = 0;
  c.delayMin = 0;
  c.perIncrease = 0;
  c.askedAt = 0;
  c.askedCwnd = 0;
  c.left = 0;
  c.roundEnd = 0;
}

/** `acked` more segments have been delivered: the window grows if it has limited the sender. */
export function grow(c: Connection, acked: u32, t: u64): void {
  if (firmware) return;
  const slow = c.cwnd < c.ssthresh;
  if (slow ? c.cwnd >= 2 * c.mostOut : c.limited == 0) return;
  if (slow) {
    const to = min<u32>(c.cwnd + acked, c.ssthresh);
    acked -= to - c.cwnd;
    c.cwnd = to;
    if (acked == 0) return;
  }
  if (cubic) updateCubic(c, acked, t);
  additive(c, cubic ? c.perIncrease : c.cwnd, acked);
}

/** One segment more for every `per` acknowledged. */
function additive(c: Connection, per: u32, acked: u32): void {
  if (c.cwndCount >= per) {
    c.cwndCount = 0;
    c.cwnd++;
  }
  c.cwndCount += acked;
  if (c.cwndCount < per) return;
  const more = c.cwndCount / per;
  c.cwndCount -= more * per;
  c.cwnd += more;
}

/** How many segments an increase takes now (RFC 9438, 4.2 to 4.5), as often as Linux asks. */
function updateCubic(c: Connection, acked: u32, t: u64): void {
  const cwnd = c.cwnd;
  const now = t / JIFFY + 1;
  c.friendlyCount += acked;
  if (c.askedCwnd == cwnd && now - c.askedAt <= ASK_AGAIN) return;
  if (c.epochAt == 0 || c.askedAt != now) {
    c.askedAt = now;
    c.askedCwnd = cwnd;
    if (c.epochAt == 0) beginEpoch(c, acked, now);
    c.perIncrease = perCube(c, now);
  }
  const window = (cwnd * 15) >> 3;
  while (c.friendlyCount > window) {
    c.friendlyCount -= window;
    c.friendly++;
  }
  if (c.friendly > cwnd) c.perIncrease = min<u32>(c.perIncrease, cwnd / (c.friendly - cwnd));
  c.perIncrease = max<u32>(c.perIncrease, 2);
}

/** Segments for an increase that the cube wants at jiffy `now`. */
function perCube(c: Connection, now: u64): u32 {
  const cwnd = c.cwnd;
  const at = min<u64>(((now - c.epochAt + (c.delayMin + JIFFY - 1) / JIFFY) * JIFFY) / UNIT, UNITS_MAX);
  const off = at < c.kUnits ? c.kUnits - at : at - c.kUnits;
  const change = <u32>min<u64>((((off * off * off) << 1) / 5) >> 39, ENDLESS / 2);
  const target: u32 = at < c.kUnits ? (change < c.origin ? c.origin - change : 0) : c.origin + change;
  const per = target > cwnd ? cwnd / (target - cwnd) : 100 * cwnd;
  // before the first loss there is no plateau to return to: at least a twentieth in each round trip
  return c.lastMax == 0 ? min<u32>(per, 20) : per;
}

function beginEpoch(c: Connection, acked: u32, now: u64): void {
  c.epochAt = now;
  c.friendlyCount = acked;
  c.friendly = c.cwnd;
  if (c.lastMax <= c.cwnd) {
    c.kUnits = 0;
    c.origin = c.cwnd;
  } else {
    c.kUnits = cubeRoot((<u64>(c.lastMax - c.cwnd) * 5) << 38);
    c.origin = c.lastMax;
  }
}

/** An RTT sample of the last segment of an ACK; in slow start of CUBIC it may be time to leave. */
export function sampleDelay(c: Connection, rtt: u64, t: u64): void {
  if (!cubic) return;
  if (c.epochAt != 0 && t / JIFFY + 1 - c.epochAt < JIFFIES_SECOND) return;
  if (c.delayMin == 0 || rtt < c.delayMin) c.delayMin = rtt;
  if (c.left != 0 || c.cwnd >= c.ssthresh) return;
  if (c.una > c.roundEnd) {
    c.roundAt = t;
    c.trainAt = t;
    c.roundEnd = c.next;
    c.roundRtt = NEVER;
    c.roundSamples = 0;
  }
  if (c.cwnd < HYSTART_LOW) return;
  if (t - c.trainAt <= TRAIN_GAP) {
    c.trainAt = t;
    // the burst that pacing would make: it is planned at twice the window in an RTT
    const burst = min<u64>((BURST_BYTES * (c.srtt / TICKS_PER_NS)) / (2 * c.cwnd * mss), MS / TICKS_PER_NS);
    if (t - c.roundAt > (c.delayMin + burst * TICKS_PER_NS) >> 1) leaveSlowStart(c);
  }
  c.roundRtt = min<u64>(c.roundRtt, rtt);
  if (c.roundSamples < HYSTART_SAMPLES) c.roundSamples++;
  else if (c.roundRtt > c.delayMin + min<u64>(max<u64>(c.delayMin >> 3, DELAY_LOW), DELAY_HIGH)) {
    leaveSlowStart(c);
  }
}

function leaveSlowStart(c: Connection): void {
  c.left = 1;
  c.ssthresh = c.cwnd;
}

// --- proportional rate reduction ---

/** Begins a reduction of the window (RFC 6937, 3). */
export function beginReduction(c: Connection): void {
  c.priorCwnd = c.cwnd;
  c.prrDelivered = 0;
  c.prrOut = 0;
  c.cwndCount = 0;
  c.ssthresh = thresholdAfterLoss(c);
  c.episodes++;
}

/** An ACK that delivered segments during the reduction; `advanced`: it moved una and brought no new loss. */
export function reduce(c: Connection, delivered: u32, advanced: bool): void {
  if (delivered == 0 || firmware) return;
  c.prrDelivered += delivered;
  const pipe = inFlight(c);
  let send: i32;
  if (pipe > c.ssthresh) {
    const planned = (<u64>c.ssthresh * c.prrDelivered + c.priorCwnd - 1) / c.priorCwnd;
    send = <i32>planned - <i32>c.prrOut;
  } else {
    send = max<i32>(<i32>c.prrDelivered - <i32>c.prrOut, <i32>delivered);
    if (advanced) send++;
    send = min<i32>(send, <i32>(c.ssthresh - pipe));
  }
  // the first retransmission goes at once
  send = max<i32>(send, c.prrOut == 0 ? 1 : 0);
  c.cwnd = pipe + <u32>send;
}

// --- bursts ---

/**
 * Whether a packet may be cut at the edge of the window: in its midst, once in a flight (Minshall's rule).
 */
export function mayCut(c: Connection): bool {
  return c.first == c.last || (c.edge != 0 && c.una >= c.smallEnd && c.next % cut != 0);
}

/** True when another connection may have its turn: the burst is over, or a packet of it. */
export function burstOver(c: Connection): bool {
  return c.burst == 0 || c.next % cut == 0;
}

/**
 * How many new segments may go after an ACK at t, when the window leaves `open` bytes: Linux builds packets
 * for segmentation offload and puts off small ones. It waits unless a third of the window is open, or as much
 * as goes in 1/1024 s at the rate it would pace with, or it has sent nothing for 1 ms, or half an RTT has not
 * passed since the oldest pair of segments was sent: no ACK will come soon. With a fixed window nothing is
 * put off: the recorded senders had a send buffer of the window's size, so that what an ACK frees is written,
 * and pushed, at once.
 */
export function release(c: Connection, open: u64, t: u64): void {
  const whole = <u32>(open / mss);
  if (whole != 0) c.edge = 1;
  if (!puts || c.state != OPEN || c.first == c.last || c.srtt == 0) {
    c.burst = whole;
    return;
  }
  if (c.burst >= whole) return;
  const ratio: u64 = c.cwnd < c.ssthresh >> 1 ? 10 : 6;
  let packet = (c.cwnd * mss * ratio * SLICE_NS) / (5 * (c.srtt / TICKS_PER_NS));
  const shift = c.minRtt / (512 * <u64>TICKS_PER_US);
  if (shift < 17) packet += PACKET_MOST >> shift;
  packet = max<u64>(min<u64>(packet, PACKET_MOST) / mss, 2);
  // what the application wrote is cut into packets of that size at most; the rest of one goes by itself
  const due =
    whole >= packet ||
    open >= cut - (c.next % cut) ||
    open >= min<u64>(c.right - c.una, c.cwnd * mss) / 3 ||
    t - c.lastSentAt > MS ||
    t - segment(c, min<u32>(c.first + 1, c.last - 1)).sentAt < c.srtt >> 1;
  if (due) c.burst = whole;
}

// --- after an idle time ---

/** Nothing was out for a time before t: CUBIC's epoch stands still meanwhile (RFC 9438, 5.8). */
export function resumeGrowth(c: Connection, t: u64): void {
  if (c.epochAt != 0) c.epochAt = min<u64>(c.epochAt + t / JIFFY - c.lastSentAt / JIFFY, t / JIFFY + 1);
}

/** Nothing was sent for longer than a timeout: the window is halved for each (RFC 5681, 4.1; RFC 2861). */
export function restartIdle(c: Connection, idle: u64, rto: u64): void {
  if (firmware) return;
  const floor = min<u32>(FIRST_SEGMENTS, c.cwnd);
  c.ssthresh = max<u32>(c.ssthresh, (c.cwnd >> 1) + (c.cwnd >> 2));
  while (idle > rto && c.cwnd > floor) {
    c.cwnd = max<u32>(c.cwnd >> 1, floor);
    idle -= rto;
  }
  c.cwndCount = 0;
}
