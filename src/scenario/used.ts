// SPDX-License-Identifier: Apache-2.0
/** Which engines a scenario uses. */
import type { Scenario } from "./schema.ts";

/** Whether pages are compressed; `compress: off` and an engine that is off say the same. */
export function compresses({ compress }: Pick<Scenario, "compress">): boolean {
  return compress !== "off" && compress.engine !== "off";
}

/** Whether records are sealed. */
export function encrypts({ encrypt }: Pick<Scenario, "encrypt">): boolean {
  return encrypt !== "off" && encrypt.cipher !== "off";
}
