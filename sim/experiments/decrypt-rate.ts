// SPDX-License-Identifier: Apache-2.0
/** How fast should a destination decrypt what nobody asks for? */
import { type Experiment, run, unless } from "./lib.ts";

/** An engine that opens a raw page in (1 + 256 + 1) x 11 clocks of 1 ns: 1.44 GB/s. */
const ENGINE = { engines: 1, bitsPerCycle: "128 bit/cycle", cyclesPerRound: 1 };
const ENGINE_PAGE_NS = (1 + 256 + 1) * 11;
/** Pages that may stand in the card before one that is asked for, where no rate holds them back. */
const AHEAD = 64;
/** Enough of them to hide what a page takes beside the engine, two reads of host memory above all. */
const FEW = 4;
/** MB/s. */
const RATES = [125, 250, 500, 1000];

interface Line {
  readonly [key: string]: number | string;
  readonly rate: string;
  readonly downtimeMs: number;
  readonly asked: number;
  readonly unasked: number;
  readonly dutyPercent: number;
  readonly firstTouchP50Us: number;
  readonly firstTouchP99Us: number;
  readonly stallMs: number;
  readonly fullyPlainMs: number;
}

function line(rate: string, decrypt: object | "eager", ahead = AHEAD): Line {
  const generate = { memory: "16 MiB", rate: "200000 /s", workingSet: "8 MiB", mix: { random: 100 } };
  const { migration, guest } = run({
    guest: { generate, vcpus: 4, deviceState: "64 KiB" },
    destination: { card: { preset: "dpu-ref", crypto: ENGINE } },
    link: { rate: "25 Gbit/s" },
    compress: "off",
    encrypt: { decrypt },
    migration: {
      ...{ maxRounds: 2, onTimeout: "force", downtimeLimit: "1 us" },
      ...(decrypt === "eager" ? {} : { missing: { ahead } }),
    },
  });
  const { decryption } = migration;
  const asked = decryption?.decryptedAsked ?? 0;
  return {
    rate,
    downtimeMs: migration.downtimeNs! / 1e6,
    asked,
    unasked: (decryption?.sealedAtResume ?? 0) - asked,
    dutyPercent: decryption?.engineDutyPercent ?? 0,
    firstTouchP50Us: (guest.firstTouchNs?.p50 ?? 0) / 1e3,
    firstTouchP99Us: (guest.firstTouchNs?.p99 ?? 0) / 1e3,
    stallMs: guest.stallNs / 1e6,
    fullyPlainMs: (decryption?.fullyPlainNs ?? 0) / 1e6,
  };
}

const demand = (rate: string): object => ({ demand: true, rate, resumeSet: "none" });

export const experiment: Experiment<Line> = {
  name: "decrypt-rate",
  question: "How fast should a destination decrypt unasked: first touch, waits, time until all is plain?",
  expected:
    "The time until all is plain is that of the pages that nobody asks for, at the rate. A faster rate " +
    "leaves fewer pages to wait for. One that is asked for waits for no more than a page before it, until " +
    "the rate is what the engine does: then for all that are in hand, p99 rises by their time in the " +
    "engine, and so do all waits together. A few in hand keep the engine as busy without that.",
  rows: () => [
    line("eager", "eager"),
    ...RATES.map((rate) => line(`${rate} MB/s`, demand(`${rate} MB/s`))),
    line("none", demand("none")),
    line(`none, ${FEW} in hand`, demand("none"), FEW),
  ],
  misses: (rows) => {
    const [eager, ...later] = rows as [Line, ...Line[]];
    const paced = later.slice(0, -2);
    const [unpaced, few] = later.slice(-2) as [Line, Line];
    const inHand = (AHEAD * ENGINE_PAGE_NS) / 1e3;
    return [
      ...unless(
        eager.firstTouchP99Us === 0 && later.every((row) => row.downtimeMs < 0.5 * eager.downtimeMs),
        `eager: down for ${eager.downtimeMs} ms, first touch ${eager.firstTouchP99Us} us`,
      ),
      ...paced.flatMap((row, i) => {
        const ms = (row.unasked * 4096) / RATES[i]! / 1e3;
        return unless(
          Math.abs(row.fullyPlainMs - ms) < 0.02 * ms,
          `${row.rate}: plain after ${row.fullyPlainMs} ms, ${row.unasked} pages take ${ms} ms`,
        );
      }),
      ...later
        .slice(1, -1)
        .flatMap((row, i) =>
          unless(
            row.asked < later[i]!.asked && row.dutyPercent > later[i]!.dutyPercent,
            `${row.rate}: ${row.asked} asked for, ${later[i]!.asked} at ${later[i]!.rate}`,
          ),
        ),
      // a few of the four vCPUs' pages and one unasked in the engine at a time, beside all fixed costs
      ...paced.flatMap((row) =>
        unless(
          row.firstTouchP99Us < paced[0]!.firstTouchP50Us + (4 * ENGINE_PAGE_NS) / 1e3 + 20,
          `${row.rate}: first touch p99 ${row.firstTouchP99Us} us`,
        ),
      ),
      ...unless(
        unpaced.firstTouchP99Us > paced[0]!.firstTouchP50Us + 0.7 * inHand &&
          unpaced.firstTouchP99Us < paced[0]!.firstTouchP99Us + 1.3 * inHand,
        `without a rate: first touch p99 ${unpaced.firstTouchP99Us} us, ${inHand} us in hand`,
      ),
      ...unless(
        unpaced.stallMs > paced.at(-1)!.stallMs && paced[0]!.stallMs > paced.at(-1)!.stallMs,
        `waits together: ${later.map(({ stallMs }) => stallMs).join(", ")} ms`,
      ),
      ...unless(
        eager.fullyPlainMs === 0 &&
          unpaced.fullyPlainMs > ((unpaced.asked + unpaced.unasked) * ENGINE_PAGE_NS) / 1e6,
        `plain ${eager.fullyPlainMs} ms after an eager resume, ${unpaced.fullyPlainMs} ms without a rate`,
      ),
      ...unless(
        few.dutyPercent > 97 &&
          few.firstTouchP99Us < paced[0]!.firstTouchP50Us + ((FEW + 4) * ENGINE_PAGE_NS) / 1e3 + 20 &&
          few.fullyPlainMs < 1.03 * unpaced.fullyPlainMs,
        `${FEW} in hand: duty ${few.dutyPercent} %, first touch p99 ${few.firstTouchP99Us} us`,
      ),
      ...unless(unpaced.dutyPercent > 99, `without a rate the engine works ${unpaced.dutyPercent} %`),
    ];
  },
};
