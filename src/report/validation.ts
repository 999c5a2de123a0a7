// SPDX-License-Identifier: Apache-2.0
/** What `dpusim validate` prints: a line a suite, then every point that is outside, or all of them. */
import picocolors from "picocolors";
import { median } from "../validate/statistics.ts";
import type { Point, Suite } from "../validate/types.ts";
import { columns } from "./columns.ts";

/** A number as short as it can be said with six digits. */
export function brief(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "nothing";
}

/** A signed error in per cent. */
export function errorText(errorPercent: number | null): string {
  if (errorPercent === null) return "";
  const digits = Math.abs(errorPercent) < 0.1 ? 4 : 1;
  return `${errorPercent >= 0 ? "+" : ""}${errorPercent.toFixed(digits)} %`;
}

/** Of a suite: how many points, how many within, and the sizes of the errors in per cent. */
export function summary(points: readonly Point[]): { within: number; median: number; worst: number } {
  const errors = points.flatMap(({ errorPercent }) =>
    errorPercent === null ? [] : [Math.abs(errorPercent)],
  );
  return {
    within: points.filter(({ within }) => within).length,
    median: median(errors),
    worst: errors.reduce((a, b) => Math.max(a, b), 0),
  };
}

/** The text of the command. @param all whether points within their tolerance are listed too */
export function validationTable(suites: readonly Suite[], points: readonly Point[], all: boolean): string {
  const colors = picocolors.createColors(picocolors.isColorSupported);
  const lines = suites.map((suite) => {
    const own = points.filter((point) => point.suite === suite.name);
    const { within, median: middle, worst } = summary(own);
    const verdict = within === own.length ? "ok" : `${own.length - within} outside`;
    return [
      suite.name,
      own.length,
      errorText(middle).slice(1),
      errorText(worst).slice(1),
      verdict,
      suite.title,
    ];
  });
  const head = ["SUITE", "POINTS", "MEDIAN", "WORST", "", ""];
  const text = `${columns(head, lines, colors, [0, 4, 5])}\n`;
  const shown = points.filter(({ within }) => all || !within);
  if (shown.length === 0) return text;
  const rows = shown.map((p) => [
    p.suite,
    p.id,
    p.quantity,
    brief(p.expected),
    brief(p.simulated),
    p.unit,
    errorText(p.errorPercent),
    p.tolerance,
    `${p.within ? "ok" : "OUTSIDE"}${p.calibration ? ", calibration" : ""}`,
  ]);
  const titles = ["SUITE", "ID", "QUANTITY", "PUBLISHED", "SIMULATED", "UNIT", "ERROR", "TOLERANCE", ""];
  return `${text}\n${columns(titles, rows, colors, [0, 1, 2, 5, 7, 8])}\n`;
}
