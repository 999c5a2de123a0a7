// SPDX-License-Identifier: Apache-2.0
/** `dpusim run SCENARIO`: one migration. */
import { basename } from "node:path";
import { journeysText } from "../report/journey.ts";
import { resultJson } from "../report/json.ts";
import { resultTable } from "../report/table.ts";
import { isGood } from "../result/make.ts";
import { loadScenario } from "../scenario/resolve.ts";
import { readSource } from "../scenario/source.ts";
import { show } from "../scenario/units.ts";
import { type ExitCode, InputError } from "./errors.ts";
import { execute, variantOf } from "./execute.ts";
import { outputAt, writeOutput } from "./output.ts";

/** Each is asked of every packet. */
const FOLLOWED_MAX = 64;

interface RunOptions {
  readonly json?: string;
  readonly set: readonly string[];
  readonly content?: string;
  readonly seed?: string;
  readonly allowOutside?: boolean;
  readonly follow: readonly string[];
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

/** Page numbers of `--follow`, each once. @throws InputError */
function pagesOf(texts: readonly string[]): number[] {
  const pages = texts.map((text) => {
    const page = /^(\d{1,10}|0x[0-9a-f]{1,8})$/i.test(text) ? Number(text) : Number.NaN;
    if (page < 2 ** 32) return page;
    throw new InputError(`--follow ${show(text)}: is not a page number; write e.g. 300 or 0x12c`);
  });
  if (new Set(pages).size <= FOLLOWED_MAX) return [...new Set(pages)];
  throw new InputError(`--follow: ${pages.length} pages are too many; follow at most ${FOLLOWED_MAX}`);
}

/** Runs the command. Prints on stdout; returns the exit code. */
export async function runCommand(file: string, options: RunOptions, version: string): Promise<ExitCode> {
  const variant = variantOf(options.core);
  const follow = pagesOf(options.follow);
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
  const result = await execute({ scenario, traceFile, traceHint, version, variant, place, follow });
  if (json === "-") {
    process.stdout.write(resultJson(result));
  } else {
    process.stdout.write(resultTable(result, name));
    process.stdout.write(journeysText(result.follow ?? [], result.migration));
    if (output !== null) writeOutput(output, resultJson(result));
  }
  return isGood(result) ? 0 : 1;
}
