// SPDX-License-Identifier: Apache-2.0
/** A card that scans the bitmap of dirty pages itself, as parameters of the core. */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import type { ResolvedScenario } from "./scenario/types.ts";

/** Parameters of the run, and of the source's card. */
export function setScan(core: Core, g: Map<number, number | bigint>, s: ResolvedScenario): void {
  const { scan } = s.internal;
  const clear = scan?.clear === "write-zero" ? abi.SCAN_WRITE_ZERO : abi.SCAN_ATOMIC;
  g.set(abi.G_SCAN_CLEAR, scan === undefined ? 0 : clear);
  g.set(abi.G_SCAN_FLUSH, scan?.flush === "batch" ? 1 : 0);
  g.set(abi.G_SCAN_WORDS, scan?.words ?? 0);
  core.setSideParam(0, abi.S_SCAN_TAGS, scan?.tags ?? 0);
}
