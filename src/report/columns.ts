// SPDX-License-Identifier: Apache-2.0
/** Tables without lines for a terminal. */
import Table from "cli-table3";
import type picocolors from "picocolors";

export type Colors = ReturnType<typeof picocolors.createColors>;
export type Row = (string | number)[];

const NO_LINES = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/** Rows in columns without lines: the first and those in `left` to the left, the others to the right. */
export function columns(
  head: Row,
  rows: readonly Row[],
  colors: Colors,
  left: readonly number[] = [0],
): string {
  const table = new Table({
    chars: NO_LINES,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
    colAligns: head.map((_, i) => (left.includes(i) ? "left" : "right")),
    head: head.map((cell) => (cell === "" ? "" : colors.dim(String(cell)))),
  });
  table.push(...rows.map((row) => row.map(String)));
  return table
    .toString()
    .split("\n")
    .map((line) => `  ${line}`.trimEnd())
    .join("\n");
}
