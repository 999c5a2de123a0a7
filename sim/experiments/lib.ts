// SPDX-License-Identifier: Apache-2.0
/** What experiments share: a run from scenario keys, and the shape of a question. */
import {
  Core,
  coreModule,
  guestStream,
  parseSource,
  type Result,
  resolveSource,
  simulate,
} from "../../src/index.ts";

/** A line of an experiment's table. */
export type Row = Readonly<Record<string, number | string>>;

/** A question to the model, with what physics says about the answer. */
export interface Experiment<R extends Row = Row> {
  readonly name: string;
  readonly question: string;
  /** What is expected, and from which formula. */
  readonly expected: string;
  /** The runs; deterministic. */
  rows(): R[];
  /** What of the expected shape does not hold, a line each. */
  misses(rows: readonly R[]): string[];
}

/** A migration of a generated guest; `keys` are those of a scenario file. */
export function run(keys: object): Result {
  const text = JSON.stringify({ schema: "dpusim.scenario/1", content: "sized", ...keys });
  const { scenario } = resolveSource(parseSource(text, "experiment"), ".", "experiment");
  const core = new Core(coreModule());
  const origin = { version: "", build: "", trace: null, traceHint: null };
  const result = simulate({ core, scenario, stream: guestStream(scenario, null), origin });
  if (result.migration.status !== "completed") throw new Error(`experiment: ${result.migration.status}`);
  return result;
}

/** A counter of a result. */
export function counter(result: Result, name: string): number {
  const found = result.stats[name];
  if (found === undefined || !("value" in found)) throw new Error(`no counter ${name}`);
  return found.value;
}

/** A row's complaint when `holds` is false. */
export function unless(holds: boolean, what: string): string[] {
  return holds ? [] : [what];
}
