// SPDX-License-Identifier: Apache-2.0
/** `dpusim run SCENARIO`: one migration. */
import { existsSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { resultJson, writeWhole } from "../report/json.ts";
import { resultTable } from "../report/table.ts";
import { isGood } from "../result/make.ts";
import { loadScenario } from "../scenario/resolve.ts";
import { readSource } from "../scenario/source.ts";
import { type ExitCode, InputError } from "./errors.ts";
import { execute, variantOf } from "./execute.ts";

interface RunOptions {
  readonly json?: string;
  readonly set: readonly string[];
  readonly content?: string;
  readonly seed?: string;
  readonly allowOutside?: boolean;
  readonly core: string;
}

/** Refuses a place where the result cannot be written before the run, not after it. */
export function checkOutput(option: string, file: string): void {
  if (file === "") throw new InputError(`${option}: has no value; name a file`);
  if (existsSync(file) && statSync(file).isDirectory()) {
    throw new InputError(`${option} ${file}: is a folder; name a file`);
  }
  if (!existsSync(dirname(file)))
    throw new InputError(`${option} ${file}: there is no folder ${dirname(file)}`);
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
  if (options.json !== undefined && options.json !== "-") checkOutput("--json", options.json);
  const { seed } = options;
  const number = seed !== undefined && /^\d+$/.test(seed) ? Number(seed) : seed;
  const { scenario, traceFile, name } = loadScenario(file, {
    sets: options.set,
    overrides: { content: options.content, seed: number },
    allowOutside: options.allowOutside === true,
  });
  const traceHint = traceFile === null ? null : basename(traceFile);
  const place = placeOf(file, options);
  const result = await execute({ scenario, traceFile, traceHint, version, variant, place });
  if (options.json === "-") {
    process.stdout.write(resultJson(result));
  } else {
    process.stdout.write(await resultTable(result, name));
    if (options.json !== undefined) writeWhole(options.json, resultJson(result));
  }
  return isGood(result) ? 0 : 1;
}
