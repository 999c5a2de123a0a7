// SPDX-License-Identifier: Apache-2.0
/** What is claimed of a storage adapter that moves with its guest. */
import { isGood, type Result } from "../../../src/index.ts";
import { migrate, stat } from "../migrate.ts";
import { same } from "./expect.ts";

export const STORAGE_POLICIES = ["suspend", "drain", "pf-fallback", "cancel"] as const;

/** A guest of 2 MiB that writes, and asks for storage in the meantime. */
export function storing(storage: object, migration: object = {}, more: object = {}): object {
  const generate = {
    memory: "2 MiB",
    rate: "400000 /s",
    workingSet: "1 MiB",
    mix: { zero: 0, text: 50, random: 50 },
  };
  return {
    guest: { generate, deviceState: "64 KiB", storage },
    migration: { downtimeLimit: "100 us", maxRounds: 4, onTimeout: "force", startAt: "1 ms", ...migration },
    content: "sized",
    ...more,
  };
}

/** A run in which everything held; else the invariant's name is in the error. */
export function stored(storage: object, migration: object = {}, more: object = {}): Result {
  const result = migrate(storing(storage, migration, more));
  const broken = result.check.invariants.filter(({ held }) => !held).map(({ name }) => name);
  if (!isGood(result)) throw new Error(`invariant ${broken.join(" ")} ${result.migration.reason}`);
  return result;
}

/** Each request is answered once, and the state carries what the policy says. */
export function checkStorage(): void {
  for (const quiesce of STORAGE_POLICIES) {
    const result = stored({ quiesce });
    const carried = stat(result, "source.storage.carried");
    const each = quiesce === "suspend" ? 80 : quiesce === "cancel" ? 64 : 0;
    same(`storage: ${quiesce}: requests in the state`, carried > 0, each > 0);
    same(
      `storage: ${quiesce}: bytes of the state`,
      stat(result, "source.storage.stateBytes"),
      4096 + each * carried,
    );
    same(`storage: ${quiesce}: requests begun again`, stat(result, "destination.storage.carried"), carried);
    const through = stat(result, "source.storage.throughPf");
    same(`storage: ${quiesce}: requests through the PF`, through > 0, quiesce === "pf-fallback");
  }
}
