// SPDX-License-Identifier: Apache-2.0
/** What a scenario says of how pages are given to encoders, a second time. */
import * as abi from "../../../assembly/abi.ts";
import { type Put, ticks, whole } from "./params-pcie.ts";
import { type Preset, writtenAt } from "./written.ts";

const coding = (scenario: object, key: string, otherwise: unknown): unknown =>
  writtenAt(scenario, `compress.${key}`) ?? otherwise;

/** Of the run. */
export function choiceParam(p: Put, scenario: object): void {
  const chooses = coding(scenario, "choose", "always") === "throughput";
  p(abi.G_CHOOSE, chooses ? whole(coding(scenario, "chooseEvery", 64)) : 0);
}

/** Of the source's card; `engine` is a preset, or null for the card's own encoders. */
export function codingParams(p: Put, scenario: object, engine: Preset | null): void {
  const charged = coding(scenario, "handBack", "free") === "charged";
  p(abi.S_LZ_RETURN, charged && engine !== null ? whole(engine("returnCycles")) : 0);
  p(abi.S_LZ_STORES, charged && engine !== null && engine("storedBlocks") === "yes" ? 1 : 0);
  const pages = whole(coding(scenario, "jobPages", 1));
  if (pages === 1) return;
  p(abi.S_LZ_JOB_PAGES, pages);
  p(abi.S_LZ_JOB_WAIT, ticks(coding(scenario, "jobWait", "5 us")));
  p(abi.S_LZ_COPIES, engine !== null && engine("gather") === "no" ? 1 : 0);
}
