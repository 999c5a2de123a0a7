// SPDX-License-Identifier: Apache-2.0
/** A result as the text of a JSON file. */
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
