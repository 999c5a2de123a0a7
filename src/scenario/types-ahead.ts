// SPDX-License-Identifier: Apache-2.0
/** What a resolved scenario says of encryption before the request. */
import type { Ratio } from "./types.ts";

export interface ResolvedAhead {
  /** When it begins, decimal ticks. */
  fromTicks: string;
  /** Ticks per byte of pages that are encrypted ahead; null: as fast as the card does. */
  ticksPerByte: Ratio | null;
}
