// SPDX-License-Identifier: Apache-2.0
/** A result as a JSON file. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import type { Result } from "../result/schema.ts";

/**
 * The text of a result file: two blanks of indentation, lists of numbers on one line, a newline at the end.
 */
export function resultJson(result: Result): string {
  const text = JSON.stringify(result, null, 2);
  const flat = text.replace(/\[\s+((?:-?[0-9.e+-]+,?\s*)+)\]/g, (_, list: string) => {
    return `[${list
      .trim()
      .split(/\s*,\s*/)
      .join(", ")}]`;
  });
  return `${flat}\n`;
}

/** Writes a file whole or not at all: a killed process leaves no half. */
export function writeWhole(file: string, text: string): void {
  const draft = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, text);
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}
