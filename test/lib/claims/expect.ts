// SPDX-License-Identifier: Apache-2.0
// How a claim fails: its name and both values on one line.
import * as abi from "../../../assembly/abi.ts";
import { invariantName } from "../../../src/result/invariants.ts";
import type { Run } from "../timeline.ts";

/** Throws `name: what: found …, expected …` unless both are the same. */
export function same(name: string, found: unknown, expected: unknown): void {
  if (String(found) !== String(expected)) throw new Error(`${name}: found ${found}, expected ${expected}`);
}

/** Throws unless `ok`. */
export function claim(name: string, ok: boolean, found: unknown, rule: string): void {
  if (!ok) throw new Error(`${name}: ${found} is not ${rule}`);
}

/** Throws unless a run came to its end with every invariant whole and everything home. */
export function ended(what: string, { core, stop }: Run): void {
  const number = Number(core.global("brokenInvariant"));
  const values = `${core.global("brokenLeft")} beside ${core.global("brokenRight")}`;
  if (number !== 0) throw new Error(`invariant ${invariantName(number)}: ${what}: ${values}`);
  same(`stop: ${what}`, stop, abi.STOP_DONE);
  same(`invariant everything-home: ${what}`, core.notHome(), 0);
}
