// SPDX-License-Identifier: Apache-2.0
/** The published numbers in sim/published: CSV files whose first lines, after `#`, say whence they are. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { packageRoot } from "../scenario/presets.ts";
import type { Tolerance } from "./types.ts";

export type PublishedRow = Readonly<Record<string, string>>;

const tables = new Map<string, readonly PublishedRow[]>();

function textOf(name: string): string {
  return readFileSync(join(packageRoot(), "sim/published", `${name}.csv`), "utf8");
}

/** Where the numbers of a table are from: its comment lines. */
export function publishedOrigin(name: string): string {
  const comments = textOf(name)
    .split("\n")
    .filter((line) => line.startsWith("#"));
  return comments.map((line) => line.slice(1).trim()).join(" ");
}

/**
 * Rows of a table of sim/published, by column.
 * @param name the file without its ending
 */
export function published(name: string): readonly PublishedRow[] {
  const known = tables.get(name);
  if (known !== undefined) return known;
  const rows: PublishedRow[] = parse(textOf(name), { columns: true, comment: "#", comment_no_infix: true });
  tables.set(name, rows);
  return rows;
}

/** What a row allows: `from` to `to` where it has them, else `percent`, where nothing means exact. */
export function publishedTolerance({ from, to = "", percent }: PublishedRow): Tolerance {
  if (to !== "") return { kind: "range", from: Number(from), to: Number(to) };
  if (percent === "report") return { kind: "report" };
  return percent === "" ? { kind: "exact" } : { kind: "percent", value: Number(percent) };
}
