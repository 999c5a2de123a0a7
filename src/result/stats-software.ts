// SPDX-License-Identifier: Apache-2.0
/** Statistics of what software does to the source's guest; `src/result/stats.ts` has the others. */
import * as abi from "../../assembly/abi.ts";
import { row, SOURCE } from "./stat-rows.ts";

export const SOFTWARE_COUNTERS = [
  row(
    "guest.limitNs",
    abi.C_LIMIT_TICKS,
    "ns",
    SOURCE,
    "time that vCPUs slept by dirty-limit, summed over vCPUs",
  ),
  row(
    "guest.limitPeriods",
    abi.C_LIMIT_PERIODS,
    "periods",
    SOURCE,
    "in which dirty-limit counted what vCPUs had written",
  ),
];
