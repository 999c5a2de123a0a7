// SPDX-License-Identifier: Apache-2.0
/** A resolved `migration.throttle`. */

export interface ResolvedThrottle {
  kind: "dirty-limit";
  /** Quota of a vCPU, MiB/s. */
  rateMib: number;
  /** In which rates are counted, decimal ticks, whole ms. */
  periodTicks: string;
}
