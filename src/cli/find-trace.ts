// SPDX-License-Identifier: Apache-2.0
/**
 * Finds the trace of a result by its hash: `--trace`, the result's folder, the current one, the shipped
 * traces.
 */
import { readdirSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { packageRoot } from "../scenario/presets.ts";
import { sha256 } from "../trace/digest.ts";
import { fileSource } from "../trace/source-file.ts";
import { fileError, InputError } from "./errors.ts";

const BLOCK_BYTES = 1 << 20;

/** SHA-256 of a file, read in blocks. */
function hashFile(file: string): string {
  const running = sha256();
  const source = fileSource(file);
  try {
    for (let at = 0; at < source.size; at += BLOCK_BYTES) running.update(source.read(at, BLOCK_BYTES));
    return running.hex();
  } finally {
    source.close();
  }
}

/** Files of a folder to look at: the hinted name first, then traces. */
function candidates(folder: string, hint: string | null): string[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return [];
  }
  const traces = names.filter((name) => name.endsWith(".mdt") || name === hint);
  traces.sort((a, b) => Number(b === hint) - Number(a === hint));
  return traces.map((name) => join(folder, name));
}

function matches(file: string, hash: string): boolean {
  try {
    return hashFile(file) === hash;
  } catch {
    return false;
  }
}

/** What a trace is looked for by. */
export interface Wanted {
  /** SHA-256 in hex. */
  readonly hash: string;
  /** Base name that it had; no path is taken from a result. */
  readonly hint: string | null;
  /** The result's file. */
  readonly resultFile: string;
  /** `--trace`. */
  readonly given?: string | undefined;
}

/** The real path of the trace. @throws InputError */
export function findTrace({ hash, hint, resultFile, given }: Wanted): string {
  if (given !== undefined) {
    let found: string;
    try {
      found = hashFile(given);
    } catch (error) {
      throw fileError(given, error);
    }
    if (found === hash) return realpathSync(given);
    throw new InputError(`${given}: hashes to ${found}, the result was made with ${hash}; give that trace`);
  }
  const name = hint === null ? null : basename(hint);
  const folders = [dirname(realpathSync(resultFile)), ".", join(packageRoot(), "sim/traces")];
  for (const folder of folders) {
    for (const file of candidates(folder, name)) if (matches(file, hash)) return realpathSync(file);
  }
  const called = name === null ? "" : ` (${name})`;
  const places = "beside the result, here, or among the shipped traces";
  throw new InputError(`${resultFile}: its trace${called} ${hash} is not ${places}; give --trace FILE`);
}
