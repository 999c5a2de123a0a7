// SPDX-License-Identifier: Apache-2.0
// Engines that presets name.
import type { Row } from "./row.ts";

export const engines: readonly Row[] = [
  [
    "exact",
    "card/crypto",
    "a cipher with a clock of its own is taken for clocks of the card",
    "  if (den == 0) return edgeAfter(side * 2, t, n);",
    "  if (den != u64.MAX_VALUE) return edgeAfter(side * 2, t, n);",
    "chain: page in the source card",
  ],
  [
    "choice",
    "kernel/choice",
    "encoders are taken for one",
    " / (n * p32(0, S_LZ_ENGINES));",
    " / n;",
    "choice",
  ],
  [
    "choice",
    "kernel/choice",
    "the port's idle time counts as its own",
    "    linkTicks = (t - lookedAt - (starved - starvedThen)) >> SHIFT;",
    "    linkTicks = (t - lookedAt) >> SHIFT;",
    "choice",
  ],
  [
    "jobs",
    "card/compressor",
    "every page of a job has a setup",
    "    span += cycles;",
    "    span += cycles + (i == 0 ? 0 : p32(side, S_LZ_SETUP));",
    "time of encoders",
  ],
  [
    "jobs",
    "card/compressor",
    "a job is copied for nothing",
    "    begun = edgeAt(side * 2, dramDone(side, t, 2 * bytes));",
    "    begun = edgeAt(side * 2, max<u64>(t, dramDone(side, t, 0)));",
    "time of encoders",
  ],
  [
    "choice",
    "card/control",
    "a page that is handed back is charged twice",
    "    job(side, index).flags &= ~RETURNED;\n    cycles += p32(side, S_LZ_RETURN);",
    "    job(side, index).flags &= ~RETURNED;\n    cycles += 2 * p32(side, S_LZ_RETURN);",
    "time of cores",
  ],
];
