// SPDX-License-Identifier: Apache-2.0
/** What happens after the resume, as parameters of the core. */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import type { ResolvedScenario } from "./scenario/types.ts";

const ALGORITHM = {
  precopy: abi.ALGORITHM_PRECOPY,
  postcopy: abi.ALGORITHM_POSTCOPY,
  hybrid: abi.ALGORITHM_HYBRID,
} as const;

/** Parameters of the run, and of the destination's front-end. */
export function setResidual(core: Core, g: Map<number, number | bigint>, s: ResolvedScenario): void {
  const { algorithm, missing, thresholdPages } = s.migration;
  g.set(abi.G_ALGORITHM, ALGORITHM[algorithm]);
  g.set(abi.G_THRESHOLD, thresholdPages ?? 0);
  g.set(abi.G_RESIDUAL, missing === undefined ? abi.RESIDUAL_BEFORE : abi.RESIDUAL_AFTER);
  if (missing === undefined) return;
  const [num, den] = missing.pushTicksPerByte ?? [0, 1];
  g.set(abi.G_PUSH_AFTER, BigInt(missing.pushAfterTicks));
  g.set(abi.G_PUSH_NUM, num).set(abi.G_PUSH_DEN, den);
  g.set(abi.G_PUSH_AHEAD, missing.ahead);
  core.setSideParam(1, abi.S_HOST_MISSING, missing.faultTicks);
  core.setSideParam(1, abi.S_HOST_MAP, missing.mapTicks);
}
