// SPDX-License-Identifier: Apache-2.0
/** What Reno gets from a path that loses each frame by itself, from its rules alone. */
import { hash } from "../trace/hash.ts";

const LOSSES = 200_000;

/**
 * Segments delivered in a round trip when each is lost with probability p, far below the rate of the path:
 * goodput = this x MSS / RTT. Times sqrt(p) it is 1.26 at p = 1e-3 and 1.29 at 1e-4. The well-known 1.2247 =
 * sqrt(3/2) is for losses that come one each 1/p segments; chance alone makes it more, and the round trips in
 * which the window does not grow make it less when windows are small.
 *
 * Rules (RFC 5681, 6675): the window grows by a segment in a round trip; a loss is found a round trip later,
 * until when the window stands; it is halved, and stands for another round trip, the recovery. What is lost
 * before the loss is found does not cut again; what is lost in the recovery does, after it.
 */
export function renoSegmentsPerRtt(p: number): number {
  let losses = 0;
  let sent = 0;
  const untilLoss = (): number => {
    const segments = -Math.log((hash(1, losses++) + 1) / 2 ** 32) / p;
    sent += segments;
    return segments;
  };
  let window = Math.sqrt(1.5 / p);
  let left = untilLoss();
  let rounds = 0;
  /** A round trip in which the window stands; true when something is lost in it. */
  const standing = (): boolean => {
    let rest = window;
    const loses = left < rest;
    while (left < rest) {
      rest -= left;
      left = untilLoss();
    }
    left -= rest;
    rounds++;
    return loses;
  };
  while (losses < LOSSES) {
    for (; left >= window; window++, rounds++) left -= window;
    rounds += left / window;
    window += left / window;
    left = untilLoss();
    standing();
    do window = Math.max(Math.floor(window / 2), 2);
    while (standing());
  }
  return ((sent - left) * (1 - p)) / rounds;
}
