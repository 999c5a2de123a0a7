// SPDX-License-Identifier: Apache-2.0
/** Parameters of dirty-limit from the scenario as it is written. */
import * as abi from "../../../assembly/abi.ts";
import { type Put, ticks, whole } from "./params-pcie.ts";
import { writtenAt } from "./written.ts";

export function throttleParams(p: Put, scenario: object): void {
  const of = (key: string, otherwise: unknown): unknown =>
    writtenAt(scenario, `migration.${key}`) ?? otherwise;
  const on = of("throttle", "off") === "dirty-limit";
  p(abi.G_LIMIT_RATE, on ? whole(of("throttleRate", 1)) : 0);
  p(abi.G_LIMIT_PERIOD, on ? ticks(of("throttlePeriod", "1000 ms")) : 0);
}
