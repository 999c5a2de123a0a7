// SPDX-License-Identifier: Apache-2.0
/** `dpusim replay RESULT`: runs a result again from itself alone and compares bit for bit. */
import { readFileSync, statSync } from "node:fs";
import { hashJson } from "../result/canonical.ts";
import { differences } from "../result/compare.ts";
import { type Result, resultSchema } from "../result/schema.ts";
import { type ExitCode, fileError, InputError } from "./errors.ts";
import { execute, variantOf } from "./execute.ts";
import { findTrace } from "./find-trace.ts";

const FILE_BYTES_MAX = 64 * 2 ** 20;
const SHOWN_MAX = 20;

interface ReplayOptions {
  readonly trace?: string;
  readonly core: string;
}

/** `line:column` of an offset in a text. */
function position(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `${before.length}:${before.at(-1)!.length + 1}`;
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = (error as Error).message;
    const offset = Number(
      /position (\d+)/.exec(message)?.[1] ?? (/end of JSON/.test(message) ? text.length : 0),
    );
    throw new InputError(`${file}:${position(text, offset)}: is not JSON; give a result that dpusim wrote`);
  }
}

/** Reads a result file and proves that it is whole. @throws InputError */
export function readResult(file: string): Result {
  let text: string;
  try {
    if (statSync(file).size > FILE_BYTES_MAX)
      throw new InputError(`${file}: has more than 64 MiB; give a result`);
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw error instanceof InputError ? error : fileError(file, error);
  }
  const data = parse(file, text);
  const parsed = resultSchema.safeParse(data);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const key = issue.path.join(".");
    const keys = issue.code === "unrecognized_keys" ? ` (${issue.keys.join(", ")})` : "";
    throw new InputError(
      `${file}${key === "" ? "" : ` ${key}`}: ${issue.message}${keys}; give a dpusim.result/1 file`,
    );
  }
  const result = parsed.data as unknown as Result;
  const hash = hashJson(result.scenario);
  if (hash !== result.provenance.scenario) {
    throw new InputError(
      `${file} scenario: hashes to ${hash}, provenance.scenario says otherwise; it was changed`,
    );
  }
  return result;
}

/** Runs the command. Prints on stdout; returns the exit code. */
export async function replayCommand(
  file: string,
  options: ReplayOptions,
  version: string,
): Promise<ExitCode> {
  const variant = variantOf(options.core);
  const before = readResult(file);
  const { trace, traceHint } = before.provenance;
  const traceFile =
    trace === null
      ? null
      : findTrace({ hash: trace, hint: traceHint, resultFile: file, given: options.trace });
  const scenario = before.scenario;
  const after = await execute({ scenario, traceFile, traceHint, version, variant, place: () => file });
  const found = differences(before, JSON.parse(JSON.stringify(after)));
  if (after.provenance.build !== before.provenance.build) {
    process.stderr.write(
      `dpusim: the result was made by another build (version ${before.provenance.version})\n`,
    );
  }
  if (found.length === 0) {
    process.stdout.write(`${file}: equal, fingerprint ${after.fingerprint}\n`);
    return 0;
  }
  const show = (value: unknown): string => (value === undefined ? "nothing" : JSON.stringify(value));
  process.stdout.write(`${file}: ${found.length} values differ (in the file, now)\n`);
  for (const { path, left, right } of found.slice(0, SHOWN_MAX)) {
    process.stdout.write(`  ${path}: ${show(left)}, ${show(right)}\n`);
  }
  if (found.length > SHOWN_MAX) process.stdout.write(`  and ${found.length - SHOWN_MAX} more\n`);
  return 1;
}
