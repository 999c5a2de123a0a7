// SPDX-License-Identifier: Apache-2.0
// Runs of small guests in this process.
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { Core, coreModule, type Variant } from "../../src/core.ts";
import {
  fileSource,
  guestStream,
  openMdt,
  parseSource,
  type Result,
  resolveSource,
  type SimulateInput,
  simulate,
} from "../../src/index.ts";

export const TICKS_PER_NS = 1024n * 1000n;
export const traces = fileURLToPath(new URL("../../sim/traces/", import.meta.url));

/** A generated guest: `perSecond` page writes over `pages` pages; `mix` in per cent of zero, text, random. */
export function generated(
  pages: number,
  perSecond: number,
  mix = { zero: 0, text: 0, random: 100 },
  workingPages = pages,
): object {
  const size = (n: number): string => `${4 * n} KiB`;
  const workload = {
    memory: size(pages),
    rate: `${perSecond} /s`,
    workingSet: size(workingPages),
    pattern: "uniform",
    mix,
  };
  return { generate: workload, deviceState: "64 KiB" };
}

/** The shipped recording of a redis, 601 pages of 4 KiB, deterministic contents. */
export const redis = { trace: "host-redis-small.mdt", speed: 20, vcpus: 4, deviceState: "64 KiB" };

/** How a run is made. */
export interface MigrateOptions {
  /** `--set` texts. */
  readonly sets?: readonly string[];
  readonly variant?: Variant;
  /** Whether the trace may lie anywhere. */
  readonly allowOutside?: boolean;
  readonly input?: Partial<SimulateInput>;
  /** Told after every slice; may spoil the core's memory. */
  readonly onSlice?: (core: Core) => void;
}

/** Everything a run takes; `scenario` holds keys beside `schema`. */
export function inputOf(scenario: object, options: MigrateOptions = {}): SimulateInput {
  const text = JSON.stringify({ schema: "dpusim.scenario/1", ...scenario });
  const sets = options.sets ?? [];
  const { allowOutside = false } = options;
  const loaded = resolveSource(parseSource(text, "test"), traces, "test", { sets, allowOutside });
  const file = loaded.traceFile;
  const trace = file === null ? null : openMdt(fileSource(file), basename(file));
  const origin = {
    version: "0",
    build: "0".repeat(64),
    trace: trace?.sha256 ?? null,
    traceHint: file === null ? null : basename(file),
  };
  const core = new Core(coreModule(options.variant ?? "lean"));
  const stream = guestStream(loaded.scenario, trace);
  return { core, scenario: loaded.scenario, stream, origin, ...options.input };
}

/** Runs a scenario to its end. */
export function migrate(scenario: object, options: MigrateOptions = {}): Result {
  const input = inputOf(scenario, options);
  const { onSlice } = options;
  return simulate(input, onSlice === undefined ? undefined : () => onSlice(input.core));
}

/** Value of a counter of a result. */
export function stat(result: Result, name: string): number {
  const found = result.stats[name];
  if (found === undefined || !("value" in found)) throw new Error(`no counter ${name}`);
  return found.value;
}
