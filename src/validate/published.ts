// SPDX-License-Identifier: Apache-2.0
/**
 * The published numbers in sim/published: CSV files whose first lines, after `#`, say where they are from.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../scenario/presets.ts";

export type PublishedRow = Readonly<Record<string, string>>;

export interface Published {
  /** Where the numbers are from: the file's comment lines. */
  readonly origin: string;
  readonly rows: readonly PublishedRow[];
}

/** Cells of a line; a cell in double quotes may hold commas. */
function cells(line: string): string[] {
  return [...line.matchAll(/("([^"]*)"|[^,]*)(,|$)/g)]
    .slice(0, -1)
    .map((found) => found[2] ?? found[1] ?? "");
}

/**
 * Reads a table of sim/published.
 * @param name the file without its ending
 */
export function published(name: string): Published {
  const lines = readFileSync(join(packageRoot(), "sim/published", `${name}.csv`), "utf8")
    .trimEnd()
    .split("\n");
  const comments = lines.filter((line) => line.startsWith("#"));
  const [head, ...body] = lines.filter((line) => !line.startsWith("#"));
  const names = cells(head!);
  return {
    origin: comments.map((line) => line.slice(1).trim()).join(" "),
    rows: body.map((line) => Object.fromEntries(cells(line).map((cell, i) => [names[i]!, cell]))),
  };
}
