// SPDX-License-Identifier: Apache-2.0
/** What runs have in common, with cards or in software: what they need, refusals, progress. */
import type { Core } from "./core.ts";
import type { Origin } from "./result/make.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import type { GuestStream } from "./trace/events.ts";

/** Simulated time that no run may pass: 2.5 h, so that ticks stay below 2^63. */
export const TIME_MAX_TICKS = 9000n * 1024n * 10n ** 12n;
/** After so much progress is told, unless a run says otherwise. */
export const SLICE_TICKS = 1024n * 10n ** 9n;

/** A run that cannot be done as asked. `key` is the scenario's key that is in the way; the exit code is 2. */
export class RunRefused extends Error {
  override name = "RunRefused";
  readonly key: string;
  constructor(key: string, message: string) {
    super(message);
    this.key = key;
  }
}

/** The simulator itself is at fault; the exit code is 3. */
export class SimulatorFault extends Error {
  override name = "SimulatorFault";
}

/** How far a run has come. */
export interface Progress {
  /** Simulated time in ns. */
  readonly atNs: number;
  /** Rounds begun. */
  readonly round: number;
  /** Pages and all-zero pages placed so far, each time they are placed. */
  readonly placedPages: number;
  /** What that number will be at the end of the round, as far as is known. */
  readonly expectedPages: number;
}

/** What a run needs. */
export interface SimulateInput {
  /** A fresh core. */
  readonly core: Core;
  readonly scenario: ResolvedScenario;
  /** The guest at its beginning; it is forked, not consumed. */
  readonly stream: GuestStream;
  readonly origin: Origin;
  /** Length in ticks of the slices after which progress is told: 1 ms unless given. Changes no result. */
  readonly sliceTicks?: bigint;
  /**
   * Longest time in ticks that a side may run ahead; the link's propagation unless given. Changes no result.
   */
  readonly quantumTicks?: bigint;
}
