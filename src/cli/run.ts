// SPDX-License-Identifier: Apache-2.0
/** `dpusim run SCENARIO`: one migration. */
import { basename } from "node:path";
import { resultJson } from "../report/json.ts";
import { resultTable } from "../report/table.ts";
import { isGood } from "../result/make.ts";
import { loadScenario } from "../scenario/resolve.ts";
import { readSource } from "../scenario/source.ts";
import type { ExitCode } from "./errors.ts";
import { execute, variantOf } from "./execute.ts";
import { outputAt, writeOutput } from "./output.ts";

interface RunOptions {
  readonly json?: string;
  readonly set: readonly string[];
  readonly content?: string;
  readonly seed?: string;
  readonly allowOutside?: boolean;
  readonly core: string;
}

/** The place of a key: the option that gave it, else where it stands in the file. */
function placeOf(file: string, options: RunOptions): (key: string) => string {
  return (key) => {
    const set = options.set.findLast((text) => text.startsWith(`${key}=`));
    if (key === "content" && options.content !== undefined) return "--content";
    if (set !== undefined) return "--set";
    return readSource(file).place(key.split("."), "value");
  };
}

/** Runs the command. Prints on stdout; returns the exit code. */
export async function runCommand(file: string, options: RunOptions, version: string): Promise<ExitCode> {
  const variant = variantOf(options.core);
  const { seed } = options;
  const number = seed !== undefined && /^\d+$/.test(seed) ? Number(seed) : seed;
  const { scenario, traceFile, name } = loadScenario(file, {
    sets: options.set,
    overrides: { content: options.content, seed: number },
    allowOutside: options.allowOutside === true,
  });
  const { json } = options;
  const output = json === undefined || json === "-" ? null : outputAt("--json", json, [file, traceFile]);
  const traceHint = traceFile === null ? null : basename(traceFile);
  const place = placeOf(file, options);
  const result = await execute({ scenario, traceFile, traceHint, version, variant, place });
  if (json === "-") {
    process.stdout.write(resultJson(result));
  } else {
    process.stdout.write(await resultTable(result, name));
    if (output !== null) writeOutput(output, resultJson(result));
  }
  return isGood(result) ? 0 : 1;
}
