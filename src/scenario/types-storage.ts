// SPDX-License-Identifier: Apache-2.0
/** The storage adapter of a resolved scenario. */
import type { Ratio } from "./types.ts";

/** What is done with its requests when the guest moves. */
export type Quiesce = "none" | "suspend" | "drain" | "pf-fallback" | "cancel";

export interface ResolvedStorage {
  /** Requests under way at most, entries of each queue, bytes of a request, per cent that read. */
  depth: number;
  queue: number;
  sizeBytes: number;
  readPercent: number;
  /** Between two requests in the mean. */
  everyTicks: number;
  /** Of the back-end: straight lines through these at 0, 0.5, 0.99 and 1. */
  service: { minTicks: number; medianTicks: number; p99Ticks: number; maxTicks: number };
  quiesce: Quiesce;
  /** When the adapter is told: before the first round, or when the guest has stopped. */
  at: "start" | "stop";
  suspendTicks: number;
  resumeTicks: number;
  /** Bytes of its state beside the requests in it, and ticks of a byte between the functions of a card. */
  stateBytes: number;
  stateTicksPerByte: Ratio;
  /** Of the intermediary's core, for a request and for a response. */
  pfTicks: number;
  cancelTicks: number;
  tags: number;
}
