// SPDX-License-Identifier: Apache-2.0
// How a claim fails: its name and both values on one line.

/** Throws `name: what: found …, expected …` unless both are the same. */
export function same(name: string, found: unknown, expected: unknown): void {
  if (String(found) !== String(expected)) throw new Error(`${name}: found ${found}, expected ${expected}`);
}

/** Throws unless `ok`. */
export function claim(name: string, ok: boolean, found: unknown, rule: string): void {
  if (!ok) throw new Error(`${name}: ${found} is not ${rule}`);
}
