// SPDX-License-Identifier: Apache-2.0
/** What a validation suite says: published or recorded numbers beside the model's. */

/**
 * How far a simulated value may be from the expected one: `percent` of the expected value, `absolute` in its
 * unit, both (the larger counts), `range` for published intervals, or `report` where nothing is demanded.
 */
export type Tolerance =
  | { readonly kind: "exact" }
  | { readonly kind: "percent"; readonly value: number }
  | { readonly kind: "absolute"; readonly value: number }
  | { readonly kind: "range"; readonly from: number; readonly to: number }
  | { readonly kind: "report" };

/** One published number and the model's answer to the same question. */
export interface Point {
  readonly suite: string;
  /** Unique within the suite; `B7` where the number has an id in the table it comes from. */
  readonly id: string;
  /** What is measured, under which conditions. */
  readonly quantity: string;
  readonly expected: number;
  readonly simulated: number;
  readonly unit: string;
  /** (simulated / expected - 1) in per cent; null where the expected value is 0. */
  readonly errorPercent: number | null;
  readonly tolerance: string;
  /** Whether the tolerance is a share of the expected value, so that an error in per cent says something. */
  readonly relative: boolean;
  /** Share of the tolerance that the error takes, above 1 outside; null with `exact` and `report`. */
  readonly toleranceUsed: number | null;
  /** False where nothing is demanded: the number is reported only. */
  readonly judged: boolean;
  readonly within: boolean;
  /** True when a parameter of the model was set so that this number comes out. */
  readonly calibration: boolean;
  /** Where the expected number was published. */
  readonly source: string;
}

/** A suite: its points, made one after another. */
export interface Suite {
  readonly name: string;
  readonly title: string;
  /** What the suite does not cover, in sentences, for docs/validation.md. */
  readonly limits: readonly string[];
  points(): Iterable<Point>;
}

/** What a point is made of. */
export interface Measured {
  readonly suite: string;
  readonly id: string;
  readonly quantity: string;
  readonly expected: number;
  readonly simulated: number;
  readonly unit: string;
  readonly tolerance: Tolerance;
  readonly calibration?: boolean;
  readonly source: string;
}

function describe(tolerance: Tolerance, unit: string): string {
  switch (tolerance.kind) {
    case "exact":
      return "exact";
    case "percent":
      return `${tolerance.value} %`;
    case "absolute":
      return `${tolerance.value} ${unit}`;
    case "range":
      return `${tolerance.from} to ${tolerance.to} ${unit}`;
    case "report":
      return "none, reported only";
  }
}

/** Whether `simulated` is near enough. What is not a number is not within anything, reports included. */
export function isWithin(expected: number, simulated: number, tolerance: Tolerance): boolean {
  if (!Number.isFinite(simulated)) return false;
  const off = Math.abs(simulated - expected);
  switch (tolerance.kind) {
    case "exact":
      return simulated === expected;
    case "percent":
      return off <= (Math.abs(expected) * tolerance.value) / 100;
    case "absolute":
      return off <= tolerance.value;
    case "range":
      return simulated >= tolerance.from && simulated <= tolerance.to;
    case "report":
      return true;
  }
}

/** How far `simulated` is off, over how far it may be; of a range, from its middle. */
function usedOf({ expected, simulated, tolerance }: Measured): number | null {
  const off = Math.abs(simulated - expected);
  switch (tolerance.kind) {
    case "percent":
      return expected === 0 ? null : off / ((Math.abs(expected) * tolerance.value) / 100);
    case "absolute":
      return off / tolerance.value;
    case "range":
      return Math.abs(2 * simulated - tolerance.from - tolerance.to) / (tolerance.to - tolerance.from);
    default:
      return null;
  }
}

/** A point from what was measured: its error and whether it is within its tolerance. */
export function point(m: Measured): Point {
  const { suite, id, quantity, expected, simulated, unit, source } = m;
  const errorPercent = expected === 0 ? null : (simulated / expected - 1) * 100;
  const within = isWithin(expected, simulated, m.tolerance);
  const tolerance = describe(m.tolerance, unit);
  const calibration = m.calibration === true;
  const judged = m.tolerance.kind !== "report";
  return {
    suite,
    id,
    quantity,
    expected,
    simulated,
    unit,
    errorPercent,
    tolerance,
    relative: m.tolerance.kind === "percent" || m.tolerance.kind === "exact",
    toleranceUsed: usedOf(m),
    judged,
    within,
    calibration,
    source,
  };
}
