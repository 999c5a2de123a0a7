// SPDX-License-Identifier: Apache-2.0
// Lines of a text file, a block at a time: memory does not grow with the file. One byte is one character.
import { ImportError } from "../errors.ts";
import type { Steps } from "../steps.ts";
import { bytesAt, type Input, latin } from "./importer.ts";

const BLOCK_BYTES = 1 << 18;
const LINE_BYTES_MAX = 1 << 16;

/** A line without its line feed. */
export interface Line {
  readonly text: string;
  /** From 1. */
  readonly number: number;
  /** Offset of its first byte. */
  readonly at: number;
}

/** Refuses a line of a text file. */
export function refuseLine(name: string, { number, at }: Omit<Line, "text">, reason: string): never {
  throw new ImportError(`${name}:${number}: offset ${at}`, reason);
}

/**
 * Hands every line to `take`. A file whose last line has no line feed was cut, and is refused. Throws
 * ImportError.
 */
export function* eachLine(input: Input, take: (line: Line) => void): Steps<void> {
  const { name, source } = input;
  let rest = "";
  let number = 1;
  let at = 0;
  for (let from = 0; from < source.size; from += BLOCK_BYTES) {
    const length = Math.min(BLOCK_BYTES, source.size - from);
    const parts = (rest + latin(bytesAt(input, from, length, "its contents"))).split("\n");
    rest = parts.pop()!;
    for (const part of parts) {
      take({ text: part.endsWith("\r") ? part.slice(0, -1) : part, number, at });
      number++;
      at += part.length + 1;
    }
    if (rest.length > LINE_BYTES_MAX) {
      refuseLine(name, { number, at }, `the line is longer than ${LINE_BYTES_MAX} bytes: this is no text`);
    }
    yield;
  }
  if (rest.length === 0) return;
  refuseLine(name, { number, at }, "the file ends inside this line: a whole file ends with a line feed");
}
