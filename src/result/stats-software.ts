// SPDX-License-Identifier: Apache-2.0
/** Statistics of what software does to the source's guest; `src/result/stats.ts` has the others. */
import * as abi from "../../assembly/abi.ts";

export const SOFTWARE_COUNTERS = [
  {
    name: "guest.limitNs",
    at: abi.C_LIMIT_TICKS,
    unit: "ns",
    text: "time that vCPUs slept by dirty-limit, summed over vCPUs",
    sides: [0],
  },
  {
    name: "guest.limitPeriods",
    at: abi.C_LIMIT_PERIODS,
    unit: "periods",
    text: "in which dirty-limit counted what vCPUs had written",
    sides: [0],
  },
];
