// SPDX-License-Identifier: Apache-2.0
// Whether a connection may send, and what.
import { G_NET_FLIGHT, STARVED, W_CWND, W_WINDOW } from "../abi";
import { mayCut } from "./congestion";
import { AGAIN, Connection, OPEN, SACKED, inFlight, segment, segmentFits } from "./connection";
import { g } from "./params";
import { stopped } from "./recovery";
import { segmentBytes } from "./wire";

/** Why the last call of maySend() that was false was so. */
export let cause: u32 = STARVED;
/** Payload of the new segment that may go, 0 for one that was sent before. */
export let size: u32 = 0;

let mss: u64 = 0;
let flightMost: u64 = 0;

export function buildSending(): void {
  mss = segmentBytes();
  flightMost = g(G_NET_FLIGHT);
}

export function setCause(why: u32): void {
  cause = why;
}

/**
 * Whether a connection may send when its link has `left` bytes that nobody has taken; sets size, or cause.
 */
export function maySend(c: Connection, left: u64): bool {
  const pipe = inFlight(c);
  const open = pipe < c.cwnd || c.probeDue != 0;
  size = 0;
  if (c.waiting > c.undecided) {
    if (open) return true;
    cause = W_CWND;
    stopped(c, 1);
    return false;
  }
  if (left == 0) {
    stopped(c, 0);
    return c.probeDue != 0 && probeAgain(c);
  }
  if (!open || !segmentFits(c)) {
    cause = W_CWND;
    stopped(c, 1);
    return false;
  }
  const room = windowLeft(c);
  const want = min<u64>(left, mss);
  if (room >= want) {
    // what is left is more than may go: a burst is put off until it is worth while
    const held = c.burst == 0 && c.state == OPEN && c.probeDue == 0 && c.first != c.last;
    if (held && left > min<u64>(room, (c.cwnd - pipe) * mss)) {
      cause = W_CWND;
      stopped(c, 1);
      return false;
    }
    size = <u32>want;
  } else if (mayCut(c)) size = <u32>room;
  if (size != 0) return true;
  if (c.probeDue != 0 && probeAgain(c)) return true;
  cause = W_WINDOW;
  stopped(c, 0);
  return false;
}

/** Bytes that the window of the peer and the cap on what is in flight leave. */
export function windowLeft(c: Connection): u64 {
  const limit = flightMost == 0 ? c.right : min<u64>(c.right, c.una + flightMost);
  return limit > c.next ? limit - c.next : 0;
}

/** Whether the last segment may go once more as a probe. */
function probeAgain(c: Connection): bool {
  if (c.first != c.last && (segment(c, c.last - 1).flags & (SACKED | AGAIN)) == 0) return true;
  c.probeDue = 0;
  return false;
}
