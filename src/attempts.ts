// SPDX-License-Identifier: Apache-2.0
/**
 * Attempts at one migration: when one has failed, and what broke has been repaired, the next begins from the
 * first round with keys of its own. Each is a run of a fresh core from time 0, in which the guest writes what
 * its trace says until the attempt starts.
 */
import type { Core } from "./core-instance.ts";
import type { Attempt, Result } from "./result/schema.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import type { ResolvedFault } from "./scenario/types-faults.ts";

/** Checked by the harness: no two attempts have sealed with one key. */
export const KEYS_ONCE = "attempt-has-own-keys";
const CONTEXTS = 4;
const KEY_WORDS = 8;

/** Whether a fault can still be felt at `start`: it is to come, or lasts until then. */
function isLeft({ atTicks, forTicks }: ResolvedFault, ended: bigint, start: bigint): boolean {
  const at = BigInt(atTicks);
  return at > ended || (forTicks !== null && at + BigInt(forTicks) > start);
}

/** The scenario of the attempt after one that ended at `ended`. */
export function nextScenario(s: ResolvedScenario, ended: bigint): ResolvedScenario {
  const start = ended + BigInt(s.migration.retryAfterTicks);
  const faults = s.faults.filter((fault) => isLeft(fault, ended, start));
  return { ...s, faults, migration: { ...s.migration, startAtTicks: String(start) } };
}

/** The keys that a core has been given, in hex. */
export function keysOf(core: Core): string[] {
  const word = (context: number, i: number): string =>
    (Number(core.fn("keyWord")(context, i)) >>> 0).toString(16).padStart(8, "0");
  return Array.from({ length: CONTEXTS }, (_, context) =>
    Array.from({ length: KEY_WORDS }, (_, i) => word(context, i)).join(""),
  );
}

/** What is kept of an attempt that has failed. */
export function attemptOf({ migration, fingerprint, check }: Result, startNs: number): Attempt {
  const { status, reason, totalTimeNs, ram } = migration;
  const { pagesDifferent } = check;
  return { status, reason, startNs, totalTimeNs, transferred: ram.transferred, pagesDifferent, fingerprint };
}

/** The result of the last attempt, with those before it; `keys` are of all of them. */
export function withAttempts(result: Result, attempts: readonly Attempt[], keys: readonly string[]): Result {
  const twice = keys.length - new Set(keys).size;
  const held = { name: KEYS_ONCE, held: twice === 0 };
  const entry = twice === 0 ? held : { ...held, left: `${twice} keys`, right: "0" };
  const invariants = [...result.check.invariants, entry];
  return {
    ...result,
    migration: { ...result.migration, attempts: [...attempts] },
    check: { ...result.check, invariants },
  };
}
