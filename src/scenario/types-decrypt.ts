// SPDX-License-Identifier: Apache-2.0
/** What a resolved scenario says of decryption that is put off. */
import type { Ratio } from "./types.ts";

export interface ResolvedDemand {
  demand: true;
  /** Ticks per byte of pages that are decrypted unasked; null: as fast as the card does. */
  ticksPerByte: Ratio | null;
  /** Pages that are plain when the guest resumes. */
  resumeSet: "none" | "hot" | "all";
}

export type ResolvedDecrypt = "eager" | ResolvedDemand;
