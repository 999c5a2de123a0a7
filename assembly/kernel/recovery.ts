// SPDX-License-Identifier: Apache-2.0
// What the sender of a connection makes of acknowledgements and of time: which segments are delivered, which
// are lost, when the window is cut and when a timer must go.
//
// A segment is lost when one that was sent after it has been delivered and either three segments are reported
// beyond holes, or a recovery is under way, or a quarter of the least RTT more has passed (RFC 8985 with the
// reordering window of a path that has shown none). That goes for retransmissions too. Windows are cut once a
// recovery (RFC 6675, 6937); a timeout takes all that is out for lost (RFC 6298; the least RTO is 200 ms, as
// Linux has it, on top of the RTT). A tail loss probe goes two RTTs after the last ACK or segment (RFC 8985,
// 7).
// A connection is given up when its retransmissions have gone unanswered for too long (Linux: tcp_retries2).
// Leaves out: undoing a cut that was wrong, D-SACK, F-RTO, a cut after a loss that a probe repaired.
import { G_NET_RETRIES, I_CONSERVED, TICKS_PER_NS } from "../abi";
import {
  beginReduction,
  forgetGrowth,
  grow,
  isFirmware,
  reduce,
  sampleDelay,
  thresholdAfterLoss,
} from "./congestion";
import {
  AGAIN,
  Connection,
  EVER,
  LOSS,
  LOST,
  OPEN,
  RECOVERY,
  SACKED,
  Segment,
  TIMER_GONE,
  TIMER_OFF,
  TIMER_PROBE,
  TIMER_REORDER,
  TIMER_RTO,
  inFlight,
  segment,
} from "./connection";
import { g32 } from "./params";
import { broken } from "./stats";
import { NEVER } from "./time";

const MS: u64 = 1000000 * <u64>TICKS_PER_NS;
const RTO_FIRST: u64 = 1000 * MS;
const RTO_LEAST: u64 = 200 * MS;
const RTO_MOST: u64 = 120000 * MS;
/** Of a firmware that sends datagrams again: assumed. It backs off to 100 ms at most. */
const FIRMWARE_FIRST: u64 = 100 * MS;
const FIRMWARE_LEAST: u64 = MS;
const FIRMWARE_MOST: u64 = 100 * MS;
/** Two jiffies of a kernel with HZ 1000: what Linux adds to short timers (TCP_TIMEOUT_MIN). */
const JIFFIES: u64 = 2 * MS;
/** Segments beyond a hole that tell a loss from a reordering (RFC 5681). */
const DUPLICATES: u32 = 3;

/** What an ACK told, between its parts. */
let delivered: u32 = 0;
let newlyLost: u32 = 0;
let firstRtt: u64 = NEVER;
let lastRtt: u64 = NEVER;
let sackRtt: u64 = NEVER;
let headMoved: bool = false;

/** The ticks after which a timeout strikes, without back-off. */
function rto(c: Connection): u64 {
  if (isFirmware()) return c.srtt == 0 ? FIRMWARE_FIRST : c.srtt + max<u64>(4 * c.mdev, FIRMWARE_LEAST);
  return c.srtt == 0 ? RTO_FIRST : c.srtt + max<u64>(4 * c.mdev, RTO_LEAST);
}

/** The retransmission timeout with its back-off. */
export function timeout(c: Connection): u64 {
  return min<u64>(rto(c) << min<u32>(c.backoff, 16), isFirmware() ? FIRMWARE_MOST : RTO_MOST);
}

// --- delivery ---

/** A segment has been delivered: what its sending tells of losses before it and of the RTT. */
function deliver(c: Connection, s: Segment, t: u64): void {
  delivered++;
  if (s.flags & LOST) c.lostOut--;
  if (s.flags & AGAIN) c.againOut--;
  else if (s.flags & LOST) c.waiting--;
  if (s.sentAt < c.rackAt) return;
  // an answer sooner than any RTT is one to the first sending (RFC 8985, 6.2 step 2)
  if (s.flags & EVER && t - s.sentAt < c.minRtt) return;
  c.rackAt = s.sentAt;
  c.rackRtt = t - s.sentAt;
}

/** Everything below `ack` is there. */
function acknowledgeUpTo(c: Connection, ack: u64, t: u64): void {
  if (ack > c.next) broken(I_CONSERVED, ack, c.next, t);
  while (c.first != c.last) {
    const s = segment(c, c.first);
    if (s.end > ack) break;
    if (s.flags & SACKED) c.sackedOut--;
    else {
      deliver(c, s, t);
      if ((s.flags & EVER) == 0) {
        lastRtt = t - s.sentAt;
        if (firstRtt == NEVER) firstRtt = lastRtt;
      }
    }
    c.first++;
    headMoved = true;
  }
  c.una = ack;
}

/** Number of the first segment that ends behind `position`. */
function segmentBehind(c: Connection, position: u64): u32 {
  let low = c.first;
  let high = c.last;
  while (low != high) {
    const middle = low + ((high - low) >> 1);
    if (segment(c, middle).end <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A block from..to is reported beyond a hole. */
export function sacked(c: Connection, from: u64, to: u64, t: u64): void {
  let at = from;
  // the block that grew last time is known up to where it ended
  if (from == c.sackFrom && c.sackTo > at) at = c.sackTo;
  if (to <= c.una || at >= to) return;
  c.sackFrom = from;
  c.sackTo = to;
  for (let i = segmentBehind(c, at); i != c.last; i++) {
    const s = segment(c, i);
    if (s.end > to) break;
    if (s.flags & SACKED) continue;
    deliver(c, s, t);
    if ((s.flags & EVER) == 0) {
      lastRtt = t - s.sentAt;
      if (sackRtt == NEVER) sackRtt = lastRtt;
    }
    s.flags = (s.flags & EVER) | SACKED;
    c.sackedOut++;
  }
}

/** RTT, its deviation and its least value (RFC 6298, 2). */
function sampleRtt(c: Connection, rtt: u64, t: u64): void {
  const us = (t - c.srttAt) / (1000 * <u64>TICKS_PER_NS);
  if (c.srtt != 0) {
    c.srttSum += (c.srtt / TICKS_PER_NS) * us;
    c.srttTime += us;
  }
  c.srttAt = t;
  if (rtt < c.minRtt) c.minRtt = rtt;
  if (c.srtt == 0) {
    c.srtt = rtt;
    c.mdev = rtt >> 1;
  } else {
    const off = rtt > c.srtt ? rtt - c.srtt : c.srtt - rtt;
    c.mdev = c.mdev - (c.mdev >> 2) + (off >> 2);
    c.srtt = c.srtt - (c.srtt >> 3) + (rtt >> 3);
  }
}

// --- losses ---

function lose(c: Connection, number: u32, s: Segment): void {
  if ((s.flags & (LOST | AGAIN)) != LOST) {
    c.waiting++;
    c.undecided += c.decides;
  }
  if ((s.flags & LOST) == 0) c.lostOut++;
  if (s.flags & AGAIN) c.againOut--;
  s.flags = (s.flags & ~AGAIN) | LOST;
  newlyLost++;
  if (<i32>(number - c.resend) < 0) c.resend = number;
}

/** Takes segments for lost that were sent before one that is delivered; 0 or how long others have yet. */
function findLosses(c: Connection, t: u64): u64 {
  const patience =
    c.state != OPEN || c.sackedOut >= DUPLICATES
      ? 0
      : min<u64>(c.minRtt == NEVER ? 0 : c.minRtt >> 2, c.srtt);
  const waits = c.rackRtt + patience;
  if (<i32>(c.judged - c.first) < 0) c.judged = c.first;
  let wait: u64 = 0;
  for (; c.judged != c.last; c.judged++) {
    const s = segment(c, c.judged);
    // sent again: it is among those below
    if (s.flags & (SACKED | LOST | AGAIN)) continue;
    if (s.sentAt >= c.rackAt) break;
    if (t - s.sentAt < waits) {
      wait = waits - (t - s.sentAt);
      break;
    }
    lose(c, c.judged, s);
  }
  for (; c.againFirst != c.againLast; c.againFirst++) {
    const entry = c.agains + ((<usize>(c.againFirst & c.mask)) << 4);
    const number = load<u32>(entry, 8);
    const s = segment(c, number);
    const sentAt = load<u64>(entry);
    const stale = <i32>(number - c.first) < 0 || s.sentAt != sentAt || (s.flags & AGAIN) == 0;
    if (stale) continue;
    if (sentAt >= c.rackAt) break;
    if (t - sentAt < waits) {
      wait = max<u64>(wait, waits - (t - sentAt));
      break;
    }
    lose(c, number, s);
  }
  return wait;
}

/** Losses begin a recovery, once. */
function enterRecovery(c: Connection): void {
  beginReduction(c);
  c.state = RECOVERY;
  c.highSeq = c.next;
}

/** Ends a recovery or a loss episode when all that was out at its beginning is there. */
function leaveRecovery(c: Connection): void {
  if (c.state == OPEN || c.una < c.highSeq) return;
  if (c.state == RECOVERY) c.cwnd = c.ssthresh;
  c.state = OPEN;
}

/** An ACK up to `ack` with its blocks already told to sacked(); `right` is the edge it advertises. */
export function acknowledged(c: Connection, ack: u64, right: u64, t: u64): void {
  if (right > c.right) c.right = right;
  const advanced = ack > c.una;
  if (advanced) {
    acknowledgeUpTo(c, ack, t);
    c.backoff = 0;
    c.againSince = 0;
    if (c.probing && c.una >= c.probeEnd) c.probing = 0;
  }
  if (delivered == 0 && !advanced) {
    forgetAck();
    return;
  }
  const rtt = firstRtt != NEVER ? firstRtt : sackRtt;
  if (rtt != NEVER) sampleRtt(c, rtt, t);
  const alert = c.state != OPEN || c.sackedOut != 0 || c.againOut != 0;
  leaveRecovery(c);
  const wait = alert ? findLosses(c, t) : 0;
  if (c.state == OPEN && c.lostOut != 0) enterRecovery(c);
  if (c.state == RECOVERY) reduce(c, delivered, advanced && newlyLost == 0);
  else if (advanced) {
    if (lastRtt != NEVER) sampleDelay(c, lastRtt, t);
    grow(c, delivered, t);
  }
  if (headMoved) setTimer(c, t);
  if (wait != 0) {
    c.timer = TIMER_REORDER;
    c.timerAt = t + wait + JIFFIES;
  }
  forgetAck();
}

function forgetAck(): void {
  delivered = 0;
  newlyLost = 0;
  firstRtt = NEVER;
  lastRtt = NEVER;
  sackRtt = NEVER;
  headMoved = false;
}

// --- sending ---

/** A new segment of `bytes` from `data` of the data link leaves at t. */
export function sentNew(c: Connection, bytes: u32, data: u64, t: u64): void {
  const idle = c.first == c.last;
  const s = segment(c, c.last++);
  c.next += bytes;
  s.end = c.next;
  s.sentAt = t;
  s.data = data;
  s.bytes = bytes;
  s.flags = 0;
  c.lastSentAt = t;
  if (c.state == RECOVERY) c.prrOut++;
  const out = c.last - c.first;
  if (out > c.mostOut) c.mostOut = out;
  if (idle || c.timer == TIMER_PROBE) setTimer(c, t);
}

/** The segment `number` leaves once more at t. */
export function sentAgain(c: Connection, number: u32, t: u64): void {
  const s = segment(c, number);
  s.sentAt = t;
  if (s.flags & LOST) c.waiting--;
  s.flags |= AGAIN | EVER;
  c.againOut++;
  c.again++;
  if (c.againSince == 0) c.againSince = t;
  c.lastSentAt = t;
  const entry = c.agains + ((<usize>(c.againLast & c.mask)) << 4);
  store<u64>(entry, t);
  store<u32>(entry, number, 8);
  if (++c.againLast - c.againFirst > c.mask + 1) c.againFirst++;
  if (c.state == RECOVERY) c.prrOut++;
  if (number != c.first || c.timer == TIMER_REORDER) return;
  c.timer = TIMER_RTO;
  c.timerAt = t + timeout(c);
}

/** The next lost segment that has not been sent again; the last of all when there is none. */
export function nextLost(c: Connection): u32 {
  if (c.waiting == 0) return c.last;
  if (<i32>(c.resend - c.first) < 0) c.resend = c.first;
  for (; c.resend != c.last; c.resend++) {
    const flags = segment(c, c.resend).flags;
    if ((flags & (LOST | AGAIN)) == LOST) break;
  }
  return c.resend;
}

/** The sender stops at t, by its window or not; kept for a window's length (RFC 7661 calls it validation). */
export function stopped(c: Connection, byWindow: u32): void {
  if (<i32>(c.first - c.limitedTo) < 0 && byWindow == 0 && c.limited != 0) return;
  c.limited = byWindow;
  c.mostOut = c.last - c.first;
  c.limitedTo = c.last;
}

// --- timers ---

/** Sets the timer after an ACK or a first sending: a probe where one may go, else the timeout. */
export function setTimer(c: Connection, t: u64): void {
  if (c.first == c.last) {
    c.timer = TIMER_OFF;
    c.timerAt = NEVER;
    return;
  }
  c.timer = TIMER_RTO;
  c.timerAt = t + timeout(c);
  if (c.state != OPEN || c.sackedOut != 0 || c.srtt == 0 || c.probing) return;
  const probe = t + 2 * c.srtt + (c.last - c.first == 1 ? RTO_LEAST : JIFFIES);
  if (probe >= c.timerAt) return;
  c.timer = TIMER_PROBE;
  c.timerAt = probe;
}

/** The timer of the connection has run; true when the sender shall send one segment as a probe. */
export function timerRan(c: Connection, t: u64): bool {
  const kind = c.timer;
  c.timer = TIMER_OFF;
  c.timerAt = NEVER;
  if (kind == TIMER_PROBE && c.sackedOut == 0) {
    c.probing = 1;
    c.probeEnd = c.next;
    setTimer(c, t);
    return true;
  }
  if (kind == TIMER_REORDER) {
    const wait = findLosses(c, t);
    if (c.lostOut != 0 && c.state == OPEN) {
      enterRecovery(c);
      reduce(c, 1, false);
    }
    setTimer(c, t);
    if (wait != 0) {
      c.timer = TIMER_REORDER;
      c.timerAt = t + wait + JIFFIES;
    }
    newlyLost = 0;
    return false;
  }
  if (kind == TIMER_RTO) expire(c, t);
  else setTimer(c, t);
  return false;
}

/**
 * How long retransmissions may go unanswered: Linux's tcp_retries2, the time that so many timeouts of 200 ms,
 * doubled each time up to 120 s, would take.
 */
function patience(retries: u32): u64 {
  const doublings = min<u32>(retries, 9);
  return (((<u64>2) << doublings) - 1) * RTO_LEAST + (retries - doublings) * RTO_MOST;
}

/** Whether a timeout is one too many; of a firmware (assumed) when so many have struck in a row. */
function hopeless(c: Connection, t: u64): bool {
  const retries = g32(G_NET_RETRIES);
  if (retries == 0) return false;
  if (isFirmware()) return c.backoff >= retries;
  return c.backoff != 0 && c.againSince != 0 && t - c.againSince >= patience(retries);
}

/** Nothing is sent any more. */
export function abandon(c: Connection): void {
  c.cwnd = 0;
  c.probeDue = 0;
  c.timer = TIMER_GONE;
  c.timerAt = NEVER;
}

/** A retransmission timeout (RFC 6298, 5.4 to 5.7). */
function expire(c: Connection, t: u64): void {
  c.timeouts++;
  if (hopeless(c, t)) {
    abandon(c);
    return;
  }
  if (c.state != LOSS) {
    c.ssthresh = thresholdAfterLoss(c);
    c.episodes++;
  }
  for (let i = c.first; i != c.last; i++) {
    const s = segment(c, i);
    if ((s.flags & SACKED) == 0) lose(c, i, s);
  }
  c.againFirst = c.againLast;
  newlyLost = 0;
  forgetGrowth(c);
  c.state = LOSS;
  c.highSeq = c.next;
  if (!isFirmware()) c.cwnd = 1;
  c.cwndCount = 0;
  c.backoff++;
  c.probing = 0;
  c.timer = TIMER_RTO;
  c.timerAt = t + timeout(c);
}
