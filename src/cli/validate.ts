// SPDX-License-Identifier: Apache-2.0
/** `dpusim validate [SUITE…]`: published and recorded numbers beside the model's. */
import { validationTable } from "../report/validation.ts";
import { suggest } from "../scenario/source.ts";
import { show } from "../scenario/units.ts";
import { loadSuite, suiteNames } from "../validate/index.ts";
import type { Point, Suite } from "../validate/types.ts";
import { type ExitCode, fileError, InputError } from "./errors.ts";
import { untilInterrupted } from "./interrupt.ts";
import { outputAt, writeOutput } from "./output.ts";
import { reporter } from "./progress.ts";

interface ValidateOptions {
  /** A file, or true (as `-`) for stdout. */
  readonly json?: string | true;
  readonly all?: boolean;
  /** A file of recordings of the user's own. */
  readonly truth?: string;
}

/** The suites named, all when none is. @throws InputError */
async function chosen(names: readonly string[]): Promise<Suite[]> {
  const suites: Suite[] = [];
  for (const name of names.length > 0 ? new Set(names) : suiteNames) {
    const suite = await loadSuite(name);
    if (suite === undefined)
      throw new InputError(`validate ${show(name)}: is not a suite; ${suggest(name, suiteNames)}`);
    suites.push(suite);
  }
  return suites;
}

/** The suite `qemu` over recordings of the user's own; says which it leaves out. @throws InputError */
async function ownRecordings(file: string, names: readonly string[]): Promise<Suite> {
  const { qemuSuite } = await import("../validate/qemu.ts");
  const { readTruth, TruthError } = await import("../validate/qemu-truth.ts");
  if (names.length !== 1 || names[0] !== "qemu")
    throw new InputError("--truth: only the suite qemu has recordings; write validate qemu --truth FILE");
  try {
    const truth = readTruth(file);
    for (const line of truth.leftOut) process.stderr.write(`left out: ${line}\n`);
    if (truth.runs.length === 0) throw new InputError(`${file}: holds no run that can be simulated`);
    return qemuSuite(truth);
  } catch (error) {
    if (error instanceof TruthError) throw new InputError(error.message);
    throw fileError(file, error);
  }
}

/** All points of the suites; yields the number made. */
function* measure(suites: readonly Suite[]): Generator<string, Point[]> {
  const points: Point[] = [];
  for (const suite of suites) {
    for (const point of suite.points()) {
      points.push(point);
      yield `${suite.name}, ${points.length} points`;
    }
  }
  return points;
}

/** Runs the command. Exit code 1 when a point is outside its tolerance. */
export async function validateCommand(names: readonly string[], options: ValidateOptions): Promise<ExitCode> {
  const toStdout = options.json === true || options.json === "-";
  const output = typeof options.json !== "string" || toStdout ? null : outputAt("--json", options.json);
  const { truth } = options;
  const suites = truth === undefined ? await chosen(names) : [await ownRecordings(truth, names)];
  const points = await untilInterrupted(measure(suites), reporter(String));
  const json = `${JSON.stringify(points, null, 1)}\n`;
  if (output !== null) writeOutput(output, json);
  process.stdout.write(toStdout ? json : validationTable(suites, points, options.all === true));
  return points.every(({ within }) => within) ? 0 : 1;
}
