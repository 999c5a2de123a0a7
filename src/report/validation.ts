// SPDX-License-Identifier: Apache-2.0
/** What `dpusim validate` prints: a line a suite, then every point that is outside, or all of them. */
import picocolors from "picocolors";
import { median } from "../validate/statistics.ts";
import type { Point, Suite } from "../validate/types.ts";
import { columns } from "./columns.ts";
import { percent } from "./format.ts";

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

/** How far a point is off: in per cent, or in its unit where that is how it is judged. */
export function offText({ relative, judged, expected, simulated, unit, errorPercent }: Point): string {
  if (relative || !judged || !Number.isFinite(simulated)) return errorText(errorPercent);
  const off = simulated - expected;
  return `${off < 0 ? "" : "+"}${brief(Number(off.toPrecision(4)))} ${unit}`;
}

/** Points of a suite, those that are judged apart from those that are reported only. */
export interface Summary {
  readonly judged: number;
  readonly reported: number;
  /** Judged points outside their tolerance, and reported ones for which the model has no number. */
  readonly outside: number;
  /** Sizes of the errors, in per cent, of numbers that are judged by such; null where there is none. */
  readonly median: number | null;
  readonly worst: number | null;
  /** The largest share of its tolerance that a judged point takes; null where none has a share. */
  readonly used: number | null;
}

/** Of a suite or of some of its points. */
export function summary(points: readonly Point[]): Summary {
  const judged = points.filter((one) => one.judged);
  const known = judged.filter(({ simulated }) => Number.isFinite(simulated));
  const errors = known.flatMap(({ errorPercent, relative }) =>
    errorPercent === null || !relative ? [] : [Math.abs(errorPercent)],
  );
  const used = known.flatMap(({ toleranceUsed }) => (toleranceUsed === null ? [] : [toleranceUsed]));
  return {
    judged: judged.length,
    reported: points.length - judged.length,
    outside: points.filter(({ within }) => !within).length,
    median: errors.length === 0 ? null : median(errors),
    worst: errors.length === 0 ? null : Math.max(...errors),
    used: used.length === 0 ? null : Math.max(...used),
  };
}

/** `365 judged, all within; 48 reported only`. */
export function verdictOf({ judged, reported, outside }: Summary): string {
  const words = judged === 0 ? [] : [`${judged} judged${outside === 0 ? ", all within" : ""}`];
  if (outside > 0) words.push(`${outside} outside`);
  const said = words.join(", ");
  if (reported === 0) return said;
  return `${said}${said === "" ? "" : "; "}${reported} reported only`;
}

/** The text of the command. @param all whether points within their tolerance are listed too */
export function validationTable(suites: readonly Suite[], points: readonly Point[], all: boolean): string {
  const colors = picocolors.createColors(picocolors.isColorSupported);
  const lines = suites.map((suite) => {
    const own = points.filter((point) => point.suite === suite.name);
    const { judged, reported, outside, median: middle, worst, used } = summary(own);
    const verdict = outside === 0 ? "ok" : `${outside} outside`;
    return [
      suite.name,
      judged,
      reported,
      errorText(middle).slice(1),
      errorText(worst).slice(1),
      used === null ? "" : percent(used),
      verdict,
      suite.title,
    ];
  });
  const head = ["SUITE", "JUDGED", "REPORTED", "MEDIAN", "WORST", "OF TOLERANCE", "", ""];
  const text = `${columns(head, lines, colors, [0, 6, 7])}\n`;
  const shown = points.filter(({ within }) => all || !within);
  if (shown.length === 0) return text;
  const rows = shown.map((p) => [
    p.suite,
    p.id,
    p.quantity,
    brief(p.expected),
    brief(p.simulated),
    p.unit,
    offText(p),
    p.tolerance,
    `${p.within ? (p.judged ? "ok" : "reported") : "OUTSIDE"}${p.calibration ? ", calibration" : ""}`,
  ]);
  const titles = ["SUITE", "ID", "QUANTITY", "PUBLISHED", "SIMULATED", "UNIT", "ERROR", "TOLERANCE", ""];
  return `${text}\n${columns(titles, rows, colors, [0, 1, 2, 5, 7, 8])}\n`;
}
