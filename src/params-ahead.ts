// SPDX-License-Identifier: Apache-2.0
/** Encryption before the request, as parameters of the core. */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import type { ResolvedScenario } from "./scenario/types.ts";

/** Parameters of the run, and of the source's card. */
export function setAhead(core: Core, g: Map<number, number | bigint>, s: ResolvedScenario): void {
  const { ahead } = s.encrypt;
  if (ahead === undefined) return;
  const [num, den] = ahead.ticksPerByte ?? [0, 1];
  g.set(abi.G_STORE, 1).set(abi.G_STORE_FROM, BigInt(ahead.fromTicks));
  g.set(abi.G_STORE_NUM, num).set(abi.G_STORE_DEN, den);
  core.setSideParam(0, abi.S_STORE_BYTES, s.sides.source.card.dram.storeBytes);
}
