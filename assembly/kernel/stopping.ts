// SPDX-License-Identifier: Apache-2.0
// When a round was the last before the stop (docs/model.md sections 9 and 19).
import { ALGORITHM_HYBRID, C_STORE_SENT, G_ALGORITHM, G_DOWNTIME_LIMIT, G_THRESHOLD, L_ROUNDS } from "../abi";
import { scans } from "./bitmap-scan";
import { logged } from "./log";
import { g, g32 } from "./params";
import { storing } from "./record-store";
import { counted } from "./stats";
import { productAtMost } from "./time";
import { dirtyCount } from "./tracker";

/**
 * Whether the guest is stopped after a round that placed so many pages in so long: nothing is left (of what
 * the card has counted, where it scans), it was
 * the one round of a hybrid, fewer pages are left than the threshold, or, without one, pages left / (pages
 * placed / duration) <= downtime limit. Pages whose records lay in a store say nothing of how fast pages are
 * read and coded: where records are made ahead those of the first round, the one that has them, do not count.
 */
export function enough(duration: u64, placed: u64, told: u64): bool {
  const left = scans ? told : <u64>dirtyCount();
  if (left == 0 || g32(G_ALGORITHM) == ALGORITHM_HYBRID) return true;
  const threshold = g32(G_THRESHOLD);
  if (threshold != 0) return left < threshold;
  const lay: u64 = storing && logged(L_ROUNDS) == 1 ? counted(0, C_STORE_SENT) : 0;
  return productAtMost(left, duration, g(G_DOWNTIME_LIMIT), placed - lay);
}
