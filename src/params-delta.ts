// SPDX-License-Identifier: Apache-2.0
/** The delta stage, from a resolved scenario to the parameter block. */
import * as abi from "../assembly/abi.ts";
import type { ResolvedScenario } from "./scenario/types.ts";

export function setDelta(g: Map<number, number | bigint>, { delta }: ResolvedScenario): void {
  const off = delta === "off";
  g.set(abi.G_DELTA_SETS, off ? 0 : delta.cachePages);
  g.set(abi.G_DELTA_CYCLES, off ? 0 : Math.ceil(abi.PAGE_BYTES / delta.bytesPerCycle));
  g.set(abi.G_DELTA_MOST, off ? 0 : delta.mostBytes);
}
