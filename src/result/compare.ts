// SPDX-License-Identifier: Apache-2.0
/** Where two results differ, bit for bit. */

/** A place and what stands there in each; undefined where there is nothing. */
export interface Difference {
  readonly path: string;
  readonly left: unknown;
  readonly right: unknown;
}

/** Not part of what was simulated: the program's version and build. */
const APART: ReadonlySet<string> = new Set(["provenance.version", "provenance.build"]);

function walk(path: string, left: unknown, right: unknown, found: Difference[]): void {
  if (Object.is(left, right) || APART.has(path)) return;
  const both = typeof left === "object" && typeof right === "object" && left !== null && right !== null;
  if (!both || Array.isArray(left) !== Array.isArray(right)) {
    found.push({ path, left, right });
    return;
  }
  const a = left as Record<string, unknown>;
  const b = right as Record<string, unknown>;
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    walk(path === "" ? key : `${path}.${key}`, a[key], b[key], found);
  }
}

/**
 * All differences of two results (or any plain data) except version and build, in the order of their keys.
 */
export function differences(left: unknown, right: unknown): Difference[] {
  const found: Difference[] = [];
  walk("", left, right, found);
  return found;
}
