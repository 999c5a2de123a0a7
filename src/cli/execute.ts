// SPDX-License-Identifier: Apache-2.0
/** Drives a simulation from the command line: opens the trace, shows progress, lets Ctrl-C in. */
import { relative } from "node:path";
import { Core, coreModule, type Variant } from "../core.ts";
import { followedSimulation } from "../follow.ts";
import type { Result } from "../result/schema.ts";
import type { ResolvedScenario } from "../scenario/types.ts";
import { type Progress, RunRefused, type SimulateInput, simulation } from "../simulate.ts";
import { guestStream } from "../stream.ts";
import { GuestRefused } from "../trace/errors.ts";
import { type MdtTrace, openSteps } from "../trace/mdt-reader.ts";
import { type FileSource, fileSource } from "../trace/source-file.ts";
import { buildId } from "./build-id.ts";
import { fileError, InputError } from "./errors.ts";
import { untilInterrupted } from "./interrupt.ts";
import { meter } from "./progress.ts";

const VARIANTS: readonly Variant[] = ["lean", "instrumented", "debug", "naive"];

/** The variant of a `--core` option. @throws InputError */
export function variantOf(text: string): Variant {
  const found = VARIANTS.find((one) => one === text);
  if (found === undefined)
    throw new InputError(`--core ${text}: is not known; there are ${VARIANTS.join(", ")}`);
  return found;
}

/** A path as short as it can be said from here. */
export function shortPath(path: string): string {
  const here = relative("", path);
  return here !== "" && here.length < path.length && !here.startsWith("../../..") ? here : path;
}

/** Opens a trace file. @throws InputError, TraceError, Interrupted */
export async function openTrace(file: string): Promise<{ trace: MdtTrace; source: FileSource }> {
  let source: FileSource;
  try {
    source = fileSource(file);
  } catch (error) {
    throw fileError(shortPath(file), error);
  }
  try {
    return { trace: await untilInterrupted(openSteps(source, shortPath(file))), source };
  } catch (error) {
    source.close();
    throw fileError(shortPath(file), error);
  }
}

/** Place and key of an error, the key once: `file:1:2 content`, but `--content` alone. */
function labelOf(place: string, key: string): string {
  return place === `--${key}` ? place : `${place} ${key}`;
}

/** What a run from the command line needs. */
export interface Execution {
  readonly scenario: ResolvedScenario;
  /** The trace file, null when the guest generates its writes. */
  readonly traceFile: string | null;
  readonly traceHint: string | null;
  readonly version: string;
  readonly variant: Variant;
  /** Where a key of the scenario was written, for refusals: `file:line:column`. */
  readonly place: (key: string) => string;
  /** Pages to follow; the run is then one of the instrumented core, and the result has `follow`. */
  readonly follow?: readonly number[];
}

/** The run, which follows pages if any are named. @throws InputError */
function stepsOf(input: SimulateInput, follow: readonly number[]): Generator<Progress, Result> {
  if (follow.length === 0) return simulation(input);
  if (input.scenario.software !== undefined)
    throw new InputError("--follow: is of cards, and placement: qemu has none; leave it out");
  if (input.scenario.migration.retries > 0)
    throw new InputError("--follow: cannot go on from one attempt to the next; write migration.retries: 0");
  if (input.scenario.guests !== undefined)
    throw new InputError("--follow: is not supported yet with guests; leave it out");
  const outside = follow.find((page) => page >= input.stream.pages);
  if (outside === undefined) return followedSimulation(input, follow);
  const most = input.stream.pages - 1;
  throw new InputError(`--follow ${outside}: is outside the guest; its pages are 0 to ${most}`);
}

/** Runs a scenario. @throws InputError, TraceError, Interrupted, SimulatorFault */
export async function execute(execution: Execution): Promise<Result> {
  const { scenario, traceFile, place } = execution;
  const opened = traceFile === null ? null : await openTrace(traceFile);
  const shown = await meter();
  try {
    const stream = guestStream(scenario, opened?.trace ?? null);
    const origin = {
      version: execution.version,
      build: buildId(),
      trace: opened?.trace.sha256 ?? null,
      traceHint: execution.traceHint,
    };
    const { follow = [] } = execution;
    const core = new Core(coreModule(follow.length > 0 ? "instrumented" : execution.variant));
    const steps = stepsOf({ core, scenario, stream, origin }, follow);
    return await untilInterrupted(steps, shown.show);
  } catch (error) {
    if (error instanceof RunRefused || error instanceof GuestRefused)
      throw new InputError(`${labelOf(place(error.key), error.key)}: ${error.message}`);
    throw error;
  } finally {
    shown.end();
    opened?.source.close();
  }
}
