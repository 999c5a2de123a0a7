// SPDX-License-Identifier: Apache-2.0
/** `migration.throttle: dirty-limit`: vCPUs that write too fast sleep. Its keys, what it needs. */
import { field, supported } from "./fields.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import type { ResolvedThrottle } from "./types-throttle.ts";
import { parseQuantity, ticksOf } from "./units.ts";

/** Entries that a ring is counted in: a MiB of pages. */
const RING_MIN = 256;

export const throttleFields = {
  throttle: supported(["off", "dirty-limit"], "any", "slowing of the guest's writes").default("off"),
  throttleRate: field({
    measure: "count",
    min: 1,
    max: 100_000,
    text: "quota of dirty-limit, MiB/s of a vCPU; default 1",
  }).optional(),
  throttlePeriod: field({
    measure: "time",
    min: 1e-3,
    max: 3600,
    text: "whole ms, in which dirty-limit counts rates; default 1000 ms",
  }).optional(),
};

type Migration = Scenario["migration"];

/** The resolved part of `migration`. */
export function fillThrottle(m: Migration): { throttle: "off" | ResolvedThrottle } {
  if (m.throttle === "off") return { throttle: "off" };
  const periodTicks = String(ticksOf(parseQuantity(m.throttlePeriod ?? "1000 ms", "time")));
  return { throttle: { kind: "dirty-limit", rateMib: Number(m.throttleRate ?? 1), periodTicks } };
}

/** What dirty-limit of the front-end needs, and what it does not go with. */
export function checkThrottle({ migration: m, tracker, guest }: Scenario, problems: Problems): void {
  if (m.throttle === "off") return;
  const need = (fits: boolean, path: readonly string[], what: string): void => {
    if (!fits) problems.add(path, what);
  };
  const rings = tracker.kind === "dirty-ring";
  need(rings, ["migration", "throttle"], "needs dirty rings; write tracker: { kind: dirty-ring }");
  const enough = !rings || Number(tracker.ring) >= RING_MIN;
  need(enough, ["tracker", "ring"], "is counted in MiB by dirty-limit; write at least 256");
  const { num, den } = parseQuantity(m.throttlePeriod ?? "1000 ms", "time");
  const whole = (num * 1000n) % den === 0n;
  need(whole, ["migration", "throttlePeriod"], "is whole ms; write e.g. 1000 ms");
  const late = guest.clock === "guest";
  need(late, ["guest", "clock"], "wall is never late, and does not sleep; write guest");
  const alone = "is not supported yet with migration.throttle";
  need(m.algorithm === "precopy", ["migration", "algorithm"], `${alone}; write precopy`);
  const early = (m.residual ?? "before-resume") === "before-resume";
  need(early, ["migration", "residual"], `${alone}; write before-resume`);
}
