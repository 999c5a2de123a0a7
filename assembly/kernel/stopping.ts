// SPDX-License-Identifier: Apache-2.0
// When a round was the last before the stop (docs/model.md sections 9 and 19).
import { ALGORITHM_HYBRID, G_ALGORITHM, G_DOWNTIME_LIMIT, G_THRESHOLD } from "../abi";
import { scans } from "./bitmap-scan";
import { g, g32 } from "./params";
import { productAtMost } from "./time";
import { dirtyCount } from "./tracker";

/**
 * Whether the guest is stopped after a round that placed so many pages in so long: nothing is left (of what
 * the card has counted, where it scans), it was
 * the one round of a hybrid, fewer pages are left than the threshold, or, without one, pages left / (pages
 * placed / duration) <= downtime limit.
 */
export function enough(duration: u64, placed: u64, counted: u64): bool {
  const left = scans ? counted : <u64>dirtyCount();
  if (left == 0 || g32(G_ALGORITHM) == ALGORITHM_HYBRID) return true;
  const threshold = g32(G_THRESHOLD);
  if (threshold != 0) return left < threshold;
  return productAtMost(left, duration, g(G_DOWNTIME_LIMIT), placed);
}
