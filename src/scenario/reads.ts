// SPDX-License-Identifier: Apache-2.0
/** `guest.reads`: what it needs, and what it does not go with. */
import { defers } from "./decrypt.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";

/** Reads matter to a guest that goes on before every page is there, or plain. */
function goesOnBefore(scenario: Scenario): boolean {
  const { migration, placement, software } = scenario;
  if (placement === "qemu") return software.postcopy !== "off";
  return (migration.residual ?? "before-resume") !== "before-resume" || defers(scenario);
}

export function checkReads(scenario: Scenario, problems: Problems): void {
  const { guest } = scenario;
  if (guest?.reads !== "trace" || guest.generate !== undefined) return;
  const add = (what: string): void => problems.add(["guest", "reads"], what);
  if (!goesOnBefore(scenario))
    add("has no effect where the guest goes on when every page is there; write off");
  if (guest.tile !== 1) add("is not supported yet with tile; write off, or tile: 1");
  if (guest.atEnd === "loop") add("is not supported yet with atEnd: loop; write off, or atEnd: idle");
}
