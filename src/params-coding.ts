// SPDX-License-Identifier: Apache-2.0
/** How pages are given to encoders, from a resolved scenario to the parameter block. */
import * as abi from "../assembly/abi.ts";
import type { Put } from "./params-pcie.ts";
import type { ResolvedScenario } from "./scenario/types.ts";

/** Of the source's card. */
export function setCoding(p: Put, { compress }: ResolvedScenario): void {
  const { handBack, jobs } = compress;
  p(abi.S_LZ_RETURN, handBack?.cycles ?? 0);
  p(abi.S_LZ_STORES, handBack?.stores === true ? 1 : 0);
  p(abi.S_LZ_JOB_PAGES, jobs?.pages ?? 0);
  p(abi.S_LZ_JOB_WAIT, jobs?.waitTicks ?? 0);
  p(abi.S_LZ_COPIES, jobs?.copies === true ? 1 : 0);
}
