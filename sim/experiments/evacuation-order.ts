// SPDX-License-Identifier: Apache-2.0
/** In which order should a server's guests leave? */
import { type Experiment, run, unless } from "./lib.ts";

const ORDERS = ["one-after-another", "shortest-dirty-first", "fair"] as const;
/** Guests with much memory first: the order of the list is the worst for those that follow. */
const MIB = [24, 16, 8, 4, 2, 1] as const;
const GBITS = 10;
/** Of a raw page, Mbit on the wire: its record in full frames. */
const PAGE_MBIT = (8 * 4112 * 9038) / 8948 / 1e6;

interface Line {
  readonly [key: string]: number | string;
  readonly order: string;
  readonly pages: number;
  readonly rounds: number;
  /** All pages that were sent, at the link's rate. */
  readonly linkMs: number;
  readonly lastMs: number;
  readonly worstDowntimeMs: number;
  readonly sumMs: number;
}

function line(order: (typeof ORDERS)[number]): Line {
  const guests = MIB.map((mib) => ({
    generate: {
      memory: `${mib} MiB`,
      rate: `${4000 * mib} /s`,
      workingSet: `${mib / 4} MiB`,
      mix: { random: 100 },
    },
    deviceState: "64 KiB",
  }));
  const { migration, evacuation } = run({
    guests,
    evacuation: { order },
    source: { host: "gen5-host", card: "dpu-ref" },
    destination: { host: "gen5-host", card: "dpu-ref" },
    link: { rate: `${GBITS} Gbit/s` },
    compress: "off",
    encrypt: "off",
    migration: { downtimeLimit: "200 us" },
  });
  const pages = migration.rounds.reduce((n, { normalPages }) => n + normalPages, 0);
  return {
    order,
    pages,
    rounds: migration.rounds.length,
    linkMs: (pages * PAGE_MBIT) / GBITS,
    lastMs: evacuation!.lastNs! / 1e6,
    worstDowntimeMs: evacuation!.worstDowntimeNs! / 1e6,
    sumMs: evacuation!.sumNs / 1e6,
  };
}

export const experiment: Experiment<Line> = {
  name: "evacuation-order",
  question: "Six guests leave a server: one after another, the shortest first, or in turns?",
  expected:
    "The sum of completions is least with the shortest first, for what comes first is waited for by all " +
    "behind it; the list, longest first, is the reverse. In turns marks grow while others have theirs: " +
    "more pages, the last no sooner, and a sum near six times it. Downtimes follow the stop rule, not " +
    "the order.",
  rows: () => ORDERS.map(line),
  misses: (rows) => {
    const [list, shortest, fair] = rows as [Line, Line, Line];
    // nobody's own time depends much on the order: pages of the guest at the link's rate
    const own = MIB.map((mib) => (mib * 256 * PAGE_MBIT) / GBITS);
    const sumOf = (times: readonly number[]): number =>
      times.reduce((sum, ms, k) => sum + ms * (times.length - k), 0);
    const least = sumOf([...own].reverse());
    const most = sumOf(own);
    return [
      ...rows.flatMap((row) => unless(row.lastMs > row.linkMs, `${row.order}: faster than the link`)),
      ...unless(
        shortest.sumMs > least && shortest.sumMs < 1.5 * least,
        `shortest first: ${shortest.sumMs} ms, ${least} ms without what is sent twice`,
      ),
      ...unless(
        list.sumMs > most && list.sumMs < 1.3 * most,
        `one after another: ${list.sumMs} ms, ${most} ms without what is sent twice`,
      ),
      ...unless(
        fair.sumMs > list.sumMs && fair.sumMs > 0.7 * MIB.length * fair.lastMs,
        `in turns: ${fair.sumMs} ms, the last after ${fair.lastMs} ms`,
      ),
      ...unless(fair.pages > 1.05 * list.pages, `pages: ${rows.map(({ pages }) => pages).join(", ")}`),
      ...unless(fair.lastMs > list.lastMs, `in turns the last is there after ${fair.lastMs} ms`),
      ...unless(
        Math.max(...rows.map((row) => row.worstDowntimeMs)) <
          0.2 + Math.min(...rows.map((row) => row.worstDowntimeMs)),
        `worst downtimes: ${rows.map((row) => row.worstDowntimeMs).join(", ")}`,
      ),
    ];
  },
};
