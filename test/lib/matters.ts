// SPDX-License-Identifier: Apache-2.0
/** Whether a key of a scenario moves a run. */
import type { Other } from "./keys.ts";
import { generated, migrate, redis } from "./migrate.ts";

// the guest has been writing for a while
const RULES = { downtimeLimit: "1 ns", maxRounds: 3, onTimeout: "force", startAt: "2 ms" };
export const MIX = { zero: 20, text: 60, random: 20 };
export const GENERATED = { guest: generated(256, 400_000, MIX), migration: RULES, content: "sized" };
export const PLAYED = {
  guest: { ...redis, speed: 4000 },
  migration: { ...RULES, startAt: "0 s" },
  content: "sized",
};

const known = new Map<string, string>();

/** Fingerprint of a run to its end, drained or not. */
function of(scenario: object, sets: readonly string[]): string {
  const key = JSON.stringify([scenario, sets]);
  const before = known.get(key);
  if (before !== undefined) return before;
  const found = migrate(scenario, { sets }).fingerprint;
  known.set(key, found);
  return found;
}

/** Whether another value makes another run; true for a key with a reason. */
export function matters(scenario: object, key: string, other: Other, side = ""): boolean {
  const [value, ...sets] = typeof other === "string" ? [other] : other;
  if (value!.startsWith("(")) return true;
  const both = sets.map((text) => text.replaceAll("SIDE", side));
  return of(scenario, both) !== of(scenario, [...both, `${key}=${value}`]);
}
