// SPDX-License-Identifier: Apache-2.0
/** Trace files that a command writes. */
import { closeSync, existsSync, openSync, writeSync } from "node:fs";
import type { TraceSink } from "../trace/sink.ts";
import type { Steps } from "../trace/steps.ts";
import { fileError, InputError } from "./errors.ts";
import { untilInterrupted } from "./interrupt.ts";
import { dropDraft, keepDraft, type Output, outputAt } from "./output.ts";

/** Where the trace goes: a new file, unless an old one may be replaced. @throws InputError */
export function placeOf(
  option: string,
  file: string,
  force: boolean,
  inputs: readonly string[] = [],
): Output {
  const output = outputAt(option, file, inputs);
  if (output.target === null) {
    throw new InputError(`${output.label}: is a pipe or a device; a trace needs a file, name one`);
  }
  if (!force && existsSync(output.target)) {
    throw new InputError(`${output.label}: is there already; name a new file, or give --force to replace it`);
  }
  return output;
}

/** A sink over a file, from its beginning; `close` it. */
function fileSink(file: string): TraceSink & { close(): void } {
  const fd = openSync(file, "w");
  const write = (bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done);
  };
  const patch = (offset: number, bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
    }
  };
  return { write, patch, close: () => closeSync(fd) };
}

/**
 * Writes a trace to its draft, which takes its place when all of it is there.
 * @throws InputError, Interrupted, and what the work throws
 */
export async function writeTrace<T>(output: Output, steps: (sink: TraceSink) => Steps<T>): Promise<T> {
  try {
    const sink = fileSink(output.draft);
    let done: T;
    try {
      done = await untilInterrupted(steps(sink));
    } finally {
      sink.close();
    }
    keepDraft(output);
    return done;
  } catch (error) {
    dropDraft(output);
    throw fileError(output.label, error);
  }
}
