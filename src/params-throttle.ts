// SPDX-License-Identifier: Apache-2.0
/** What slows a guest down that cards move, as parameters of the core. */
import * as abi from "../assembly/abi.ts";
import type { ResolvedScenario } from "./scenario/types.ts";

/** dirty-limit of the source's front-end; none without `migration.throttle`. */
export function setThrottle(g: Map<number, number | bigint>, { migration }: ResolvedScenario): void {
  const { throttle } = migration;
  g.set(abi.G_LIMIT_RATE, throttle === "off" ? 0 : throttle.rateMib);
  g.set(abi.G_LIMIT_PERIOD, throttle === "off" ? 0 : BigInt(throttle.periodTicks));
}
