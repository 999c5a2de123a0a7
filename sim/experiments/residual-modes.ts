// SPDX-License-Identifier: Apache-2.0
/** When should the rest of memory move: before the resume, after it, or on demand? */
import { type Experiment, run, unless } from "./lib.ts";

/** Bytes of a raw page's record; of a full frame at MTU 9000, wire and payload. */
const RECORD = 4112;
const FRAME = [9038, 8948] as const;
const GBITS = 10;
/** Before what nobody has asked for is sent on demand. */
const PUSH_AFTER_MS = 2;
const MODES = ["before-resume", "after-resume", "on-demand"] as const;

type Mode = (typeof MODES)[number];

interface Line {
  readonly [key: string]: number | string;
  readonly residual: Mode;
  readonly algorithm: string;
  /** Pages that were left when the guest stopped, and their time on the link. */
  readonly pages: number;
  readonly pagesMs: number;
  readonly requests: number;
  readonly firstTouchP99Us: number;
  readonly totalMs: number;
  readonly downtimeMs: number;
}

function line(algorithm: string, residual: Mode): Line {
  const generate = { memory: "16 MiB", rate: "400000 /s", workingSet: "8 MiB", mix: { random: 100 } };
  const missing = residual === "on-demand" ? { missing: { pushAfter: `${PUSH_AFTER_MS} ms` } } : {};
  const { migration, guest } = run({
    guest: { generate, vcpus: 4, deviceState: "64 KiB" },
    link: { rate: `${GBITS} Gbit/s` },
    compress: "off",
    encrypt: "off",
    migration: { algorithm, residual, ...missing },
  });
  const last = migration.rounds.at(-1)!;
  const pages = last.normalPages + last.zeroPages;
  return {
    residual,
    algorithm,
    pages,
    pagesMs: (pages * 8 * RECORD * FRAME[0]) / FRAME[1] / GBITS / 1e6,
    requests: migration.ram["postcopy-requests"] ?? 0,
    firstTouchP99Us: (guest.firstTouchNs?.p99 ?? 0) / 1e3,
    totalMs: migration.totalTimeNs / 1e6,
    downtimeMs: migration.downtimeNs! / 1e6,
  };
}

export const experiment: Experiment<Line> = {
  name: "residual-modes",
  question: "The rest of memory before the resume, after it, or on demand: downtime, first touch, total?",
  expected:
    "Before the resume the downtime holds what the pages that are left take on the link, and nobody waits " +
    "later. After it the downtime does not, vCPUs wait for pages instead, most where nothing is pushed.",
  rows: () => [
    line("precopy", "before-resume"),
    line("precopy", "after-resume"),
    line("precopy", "on-demand"),
    line("postcopy", "after-resume"),
    line("postcopy", "on-demand"),
  ],
  misses: (rows) => {
    const [before, after, demand, all, allDemand] = rows as [Line, Line, Line, Line, Line];
    const free = before.downtimeMs - before.pagesMs;
    return [
      ...unless(
        before.downtimeMs > before.pagesMs && before.firstTouchP99Us === 0,
        `before the resume: down for ${before.downtimeMs} ms, pages take ${before.pagesMs} ms`,
      ),
      // without its pages, and with their bits
      ...[after, demand, all, allDemand].flatMap((row) =>
        unless(
          row.downtimeMs < free + 0.25 * before.pagesMs,
          `${row.algorithm}, ${row.residual}: down for ${row.downtimeMs} ms, ${free} ms without pages`,
        ),
      ),
      ...[after, demand, all, allDemand].flatMap((row) =>
        unless(
          row.totalMs > row.pagesMs + row.downtimeMs && row.firstTouchP99Us > 20,
          `${row.algorithm}, ${row.residual}: ${row.totalMs} ms, first touch ${row.firstTouchP99Us} us`,
        ),
      ),
      ...unless(
        demand.requests > after.requests && allDemand.requests > all.requests,
        `pages asked for: ${rows.map(({ requests }) => requests).join(", ")}`,
      ),
      ...unless(
        demand.totalMs > after.totalMs && allDemand.totalMs > all.totalMs,
        "a push that begins later ends no later",
      ),
    ];
  },
};
