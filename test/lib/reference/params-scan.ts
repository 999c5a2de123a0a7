// SPDX-License-Identifier: Apache-2.0
/** Parameters of a card that scans the bitmap itself, from the scenario as it is written. */
import * as abi from "../../../assembly/abi.ts";
import { type Put, whole } from "./params-pcie.ts";
import { writtenAt } from "./written.ts";

/** Puts those of the run; returns the tags of the source's scanner. */
export function scanParams(p: Put, scenario: object): number {
  const scans = writtenAt(scenario, "internal.addresses") === "card-scans";
  const of = (key: string, otherwise: unknown): unknown =>
    writtenAt(scenario, `internal.scan.${key}`) ?? otherwise;
  p(abi.G_SCAN_CLEAR, scans ? 1 + ["atomic", "write-zero"].indexOf(`${of("clear", "atomic")}`) : 0);
  p(abi.G_SCAN_FLUSH, scans && of("flush", "batch") === "batch" ? 1 : 0);
  p(abi.G_SCAN_WORDS, scans ? whole(of("words", 512)) : 0);
  return scans ? whole(of("tags", 16)) : 0;
}
