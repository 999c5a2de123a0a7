// SPDX-License-Identifier: Apache-2.0
/** `dpusim replay RESULT`: runs a result again from itself alone and compares bit for bit. */
import { readFileSync, statSync } from "node:fs";
import type * as z from "zod";
import { amount } from "../report/format.ts";
import { hashJson } from "../result/canonical.ts";
import { differences } from "../result/compare.ts";
import { RESULT_SCHEMA, type Result, resultSchema } from "../result/schema.ts";
import { valueAt } from "../scenario/problems.ts";
import { show } from "../scenario/units.ts";
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

/** What is wrong with a value of a result, and where. */
function objection(issue: z.core.$ZodIssue, data: unknown): string {
  const unknown = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const path = [...issue.path, ...(unknown === undefined ? [] : [unknown])] as (string | number)[];
  const key = path.length === 0 ? "" : ` ${path.join(".")}`;
  const value = valueAt(data, path);
  const what =
    unknown !== undefined
      ? "is not a key of a result"
      : value === undefined
        ? "is missing"
        : `${show(value)} is not possible here`;
  return `${key}: ${what}; give the file as dpusim wrote it`;
}

/** Reads a result file and proves that it is whole. @throws InputError */
export function readResult(file: string): Result {
  let text: string;
  try {
    const stat = statSync(file);
    if (stat.size > FILE_BYTES_MAX) throw new InputError(`${file}: has more than 64 MiB; give a result`);
    if (!stat.isFile() && !stat.isDirectory()) {
      throw new InputError(`${file}: is not a file; give a result that dpusim wrote`);
    }
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw error instanceof InputError ? error : fileError(file, error);
  }
  const data = parse(file, text);
  const schema = valueAt(data, ["schema"]);
  if (schema !== RESULT_SCHEMA) {
    const found = schema === undefined ? "is missing" : `is ${show(schema)}, which this dpusim does not read`;
    throw new InputError(`${file} schema: ${found}; give a ${RESULT_SCHEMA} file`);
  }
  const parsed = resultSchema.safeParse(data);
  if (!parsed.success) throw new InputError(`${file}${objection(parsed.error.issues[0]!, data)}`);
  const result = parsed.data as unknown as Result;
  const hash = hashJson(result.scenario);
  if (hash !== result.provenance.scenario) {
    throw new InputError(
      `${file} scenario: hashes to ${hash}, provenance.scenario says otherwise; give the file unchanged`,
    );
  }
  const played = result.scenario.guest.writes === "trace";
  if (played !== (result.provenance.trace !== null)) {
    const what = played
      ? "is null and the guest plays a trace"
      : "is given and the guest generates its writes";
    throw new InputError(`${file} provenance.trace: ${what}; give the file unchanged`);
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
  // what --follow adds is told of a run, and no part of it
  const { follow: _, ...before } = readResult(file);
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
  const text = (value: unknown): string => (value === undefined ? "nothing" : JSON.stringify(value));
  process.stdout.write(
    `${file}: ${amount(found.length, "value")} differ${found.length === 1 ? "s" : ""} (in the file, now)\n`,
  );
  for (const { path, left, right } of found.slice(0, SHOWN_MAX)) {
    process.stdout.write(`  ${path}: ${text(left)}, ${text(right)}\n`);
  }
  if (found.length > SHOWN_MAX) process.stdout.write(`  and ${found.length - SHOWN_MAX} more\n`);
  return 1;
}
