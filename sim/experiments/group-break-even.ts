// SPDX-License-Identifier: Apache-2.0
/** How many pages should a write fault open, over the speed of the link? */
import { type Experiment, run, unless } from "./lib.ts";

const PAGES = 16_384;
/** Writes of a page while the first round goes, on average. */
const DENSITY = 0.4;
const GROUPS = [1, 4, 16, 64] as const;
const RATES = [10, 25, 50, 100, 200] as const;
/** Payload and wire bytes of a full frame at MTU 9000, and the record of a page with its header of 16 B. */
const FRAME = [8948, 9038] as const;
const RECORD = 4112;
/** `tracker.writeFault`, `.protectPage` and `.tlbFlush` of gen5-host. */
const FAULT_US = 2;
const OPEN_US = 0.02;
const FLUSH_US = 4;

interface Line {
  readonly [key: string]: number | string;
  readonly gbits: number;
  readonly group: number;
  readonly roundMs: number;
  readonly faults: number;
  readonly falselyDirty: number;
  readonly stallMs: number;
  readonly againMs: number;
  readonly costMs: number;
}

/** Time of a page on the wire in us. */
function pageUs(gbits: number): number {
  return (RECORD * 8 * FRAME[1]) / FRAME[0] / gbits / 1000;
}

/** Page writes a us: DENSITY of each page in the time of a round with every page. */
function writesPerUs(gbits: number): number {
  return DENSITY / pageUs(gbits);
}

function line(gbits: number, group: number): Line {
  const memory = `${4 * PAGES} KiB`;
  const rate = `${Math.round(writesPerUs(gbits) * 1e6)} /s`;
  const result = run({
    guest: {
      generate: { memory, rate, workingSet: memory, mix: { random: 100 } },
      // stalls are counted and move nothing, so that every group meets the same writes
      clock: "wall",
      vcpus: 16,
      deviceState: "4 KiB",
    },
    source: { host: "gen5-host", card: "dpu-ref" },
    destination: { host: "gen5-host", card: "dpu-ref" },
    link: { rate: `${gbits} Gbit/s` },
    compress: "off",
    encrypt: "off",
    tracker: { kind: "write-protect", group },
    // one round while the guest runs; what was opened meanwhile goes when it has stopped
    migration: { downtimeLimit: "1 us", maxRounds: 1, onTimeout: "force" },
  });
  const stallMs = result.guest.stallNs / 1e6;
  const [roundMs, againMs] = result.migration.rounds.map(({ durationNs }) => durationNs / 1e6) as [
    number,
    number,
  ];
  const { writeFaults: faults, falseDirtyPages } = result.guest;
  const falselyDirty = falseDirtyPages ?? 0;
  return { gbits, group, roundMs, faults, falselyDirty, stallMs, againMs, costMs: stallMs + againMs };
}

/** Aligned groups that n writes fall into, drawn among all pages alike. */
function opened(group: number, writes: number): number {
  const groups = PAGES / group;
  return groups * (1 - (1 - 1 / groups) ** writes);
}

/**
 * Stall and time to send again in ms, by the numbers of groups: those opened in the round are sent again.
 * That collecting the first round takes some 0.1 ms, in which writes fault, is left out.
 */
function predicted({ gbits, group, roundMs }: Line): number {
  // while every page is being protected writes fault already, and the first round takes their marks
  const before = opened(group, writesPerUs(gbits) * (PAGES * OPEN_US + FLUSH_US));
  const during = opened(group, writesPerUs(gbits) * roundMs * 1000);
  const fault = FAULT_US + (group - 1) * OPEN_US;
  return ((before + during) * fault + during * group * pageUs(gbits)) / 1000;
}

function best(rows: readonly Line[], cost: (row: Line) => number): number {
  return rows.reduce((a, b) => (cost(b) < cost(a) ? b : a)).group;
}

export const experiment: Experiment<Line> = {
  name: "group-break-even",
  question: "A guest writes anywhere, 0.4 times a page and round: how many pages should a write fault open?",
  expected:
    "With d writes a page, fault f and page time t: opening everything costs t a page, single pages " +
    "(1 - e^-d) (f + t). They are equal at t = f (e^d - 1), 34 Gbit/s here: one page below, many above.",
  rows: () => RATES.flatMap((gbits) => GROUPS.map((group) => line(gbits, group))),
  misses: (rows) => [
    ...rows.flatMap((row) => {
      const off = row.costMs / predicted(row) - 1;
      const at = `${row.gbits} Gbit/s, group ${row.group}: ${row.costMs.toFixed(2)} ms`;
      return unless(Math.abs(off) < 0.06, `${at}, ${predicted(row).toFixed(2)} by the formula`);
    }),
    ...RATES.flatMap((gbits) => {
      const found = best(
        rows.filter((row) => row.gbits === gbits),
        (row) => row.costMs,
      );
      const fault = FAULT_US * (Math.exp(DENSITY) - 1);
      const want = pageUs(gbits) > fault ? 1 : 64;
      return unless(found === want, `${gbits} Gbit/s: group ${found} costs least, expected ${want}`);
    }),
  ],
};
