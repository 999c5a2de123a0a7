// SPDX-License-Identifier: Apache-2.0
/** Addresses as a list or as a bitmap: which is shorter? */
import { counter, type Experiment, run, unless } from "./lib.ts";

/** Pages of a batch, bytes of a bitmap of it and of an entry of a list (docs/model.md). */
const BATCH = 2048;
const BITMAP = BATCH / 8;
const ENTRY = 8;
const BREAK_EVEN = BITMAP / ENTRY / BATCH;

interface Line {
  readonly [key: string]: number;
  readonly dirtyPercent: number;
  /** Bytes that the list is longer than the bitmap, without the first round; and by the formula. */
  readonly longer: number;
  readonly formula: number;
  /** Of a card that scans: bytes on the PCIe wires of all rounds, and by the formula. */
  readonly scanned: number;
  readonly scanFormula: number;
}

/** A request of 24 B for the 256 of a bitmap, which come in pieces of a cache line with 20 B each. */
const PASS_BYTES = 24 + (BITMAP / 64) * (20 + 64);
/** A Swap of 64 bits and its answer. */
const TAKE_BYTES = 32 + 28;

const guestOf = (rate: number): object => {
  const generate = { memory: "8 MiB", workingSet: "8 MiB", pattern: "uniform", mix: { random: 100 } };
  return { generate: { ...generate, rate: `${rate} /s` }, deviceState: "4 KiB" };
};
const REST = {
  compress: "off",
  encrypt: "off",
  migration: { downtimeLimit: "1 us", maxRounds: 2, onTimeout: "force" },
};

/** The card scans: what it has on the wires for that. */
function scans(rate: number): Pick<Line, "scanned" | "scanFormula"> {
  const result = run({
    guest: guestOf(rate),
    tracker: { kind: "bitmap" },
    internal: { addresses: "card-scans" },
    ...REST,
  });
  const [taken, bytes] = ["wordsTaken", "wireBytes"].map((name) =>
    counter(result, `source.card.scan.${name}`),
  );
  // a pass to take and, but for the last round, one to count
  const passes = 2 * result.migration.rounds.length - 1;
  return { scanned: bytes!, scanFormula: passes * PASS_BYTES + taken! * TAKE_BYTES };
}

/** A guest of one batch: pages of the rounds after the first, how many those are, bytes of all messages. */
function later(addresses: "list" | "bitmap", rate: number): { pages: number; rounds: number; bytes: number } {
  const result = run({ guest: guestOf(rate), internal: { addresses }, ...REST });
  const sizes = result.migration.rounds.slice(1).map((round) => round.normalPages + round.zeroPages);
  // of a batch without a dirty page nothing is sent
  const rounds = sizes.filter((pages) => pages > 0);
  const pages = rounds.reduce((sum, one) => sum + one, 0);
  return { pages, rounds: rounds.length, bytes: counter(result, "source.vsock.bytes") };
}

export const experiment: Experiment<Line> = {
  name: "list-or-bitmap",
  question: "From which share of dirty pages on is a bitmap shorter than a list of addresses?",
  expected:
    "A page is 8 bytes of a list and a bit of a bitmap: 1/64 = 1.56 %. Below it the list is shorter, " +
    "above it the bitmap, by 8 bytes a page. A card that scans the bitmap itself has no message, but more " +
    "bytes than either: all words twice a round, and 60 bytes for every word with a mark.",
  rows: () =>
    [4000, 10_000, 20_000, 40_000, 80_000, 200_000].map((rate) => {
      const [list, bitmap] = [later("list", rate), later("bitmap", rate)];
      // in the first round every page is dirty
      const first = ENTRY * BATCH - BITMAP;
      return {
        dirtyPercent: (100 * list.pages) / (BATCH * list.rounds),
        longer: list.bytes - bitmap.bytes - first,
        formula: ENTRY * list.pages - BITMAP * list.rounds,
        ...scans(rate),
      };
    }),
  misses: (rows) => {
    const shares = rows.map(({ dirtyPercent }) => dirtyPercent / 100);
    return [
      ...unless(Math.min(...shares) < 0.8 * BREAK_EVEN, "no row lies below the break-even"),
      ...unless(Math.max(...shares) > 1.25 * BREAK_EVEN, "no row lies above the break-even"),
      ...rows.flatMap(({ dirtyPercent, scanned, scanFormula }) =>
        unless(
          scanned === scanFormula && scanned > 5 * BITMAP,
          `${dirtyPercent.toFixed(2)} % dirty: a scan of ${scanned} B, ${scanFormula} B by the formula`,
        ),
      ),
      ...rows.flatMap(({ dirtyPercent, longer, formula }) =>
        unless(
          longer === formula && longer > 0 === dirtyPercent / 100 > BREAK_EVEN,
          `${dirtyPercent.toFixed(2)} % dirty: the list is ${longer} B longer, ${formula} B by the formula`,
        ),
      ),
    ];
  },
};
