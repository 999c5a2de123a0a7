// SPDX-License-Identifier: Apache-2.0
/** What a worker is told and what it answers: plain data that structured cloning carries. Types only. */
import type { Origin } from "../result/make.ts";
import type { Result } from "../result/schema.ts";
import type { ResolvedScenario } from "../scenario/types.ts";

/** One simulation. */
export interface Job {
  /** The core, compiled or as the bytes of a .wasm. A module is not compiled again in the worker. */
  readonly core: WebAssembly.Module | Uint8Array;
  readonly scenario: ResolvedScenario;
  /** The trace, null when the guest generates its writes. `name` is its base name. */
  readonly trace: { readonly name: string; readonly bytes: Uint8Array } | null;
  /** What made the result; the trace's hash and name are found in the worker. */
  readonly origin: Pick<Origin, "version" | "build">;
  /** As in `SimulateInput`. */
  readonly sliceTicks?: bigint;
  readonly quantumTicks?: bigint;
}

/** An error on its way between threads: comlink alone would lose what it has besides a message. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
  /** Numbers and texts that the error carries: `key`, `offset` … */
  readonly fields: Readonly<Record<string, number | string>>;
}

/** How a job went. */
export type Answer = { readonly result: Result } | { readonly failure: Failure };

/** What a worker exposes. Its methods do not throw: what went wrong is in the answer. */
export interface WorkerApi {
  run(job: Job): Answer;
}
