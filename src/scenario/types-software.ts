// SPDX-License-Identifier: Apache-2.0
/** What QEMU's threads cost, of a resolved scenario with `placement: qemu`; the rest is in `sides`. */

import type { Features } from "../software-features.ts";
import type { Sizes } from "./software-section.ts";

export interface ResolvedSoftware {
  /** Of the migration thread, a page with contents and one that is all zero. */
  normalTicks: number;
  zeroTicks: number;
  /** Of a core at the destination. */
  loadTicks: number;
  loadZeroTicks: number;
  setupTicks: number;
  wakeTicks: number;
  socketBytes: number;
  /** Capabilities that are on. */
  features: Features;
  /** Keys of `software.xbzrle` that are written and count where deltas are drawn alone. */
  drawn: readonly string[];
  /** Content words of pages where channels compress. */
  sizes: Sizes;
}
