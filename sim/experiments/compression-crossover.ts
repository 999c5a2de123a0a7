// SPDX-License-Identifier: Apache-2.0
/** From which link speed on is compression a loss? */
import { type Experiment, run, unless } from "./lib.ts";

const MIB = 2 ** 20;
const MEMORY = 32 * MIB;
/** One engine of `lz4-sw`, bytes/s, and bytes of a full frame at MTU 9000: payload, wire. */
const ENGINE = 912e6;
const FRAME = [8948, 9038] as const;
/** Between calibrated hosts (Gen3 x8) the link is what limits up to here; beyond, PCIe. */
const RATES = [1, 2, 5, 10, 25] as const;

interface Line {
  readonly [key: string]: number | string;
  readonly mix: string;
  readonly gbits: number;
  readonly offMs: number;
  readonly onMs: number;
  readonly ratio: number;
  readonly gain: number;
}

function line(mix: "text" | "random", gbits: number): Line {
  const guest = {
    generate: { memory: "32 MiB", rate: "0 /s", workingSet: "4 KiB", mix: { [mix]: 100 } },
    deviceState: "4 KiB",
  };
  const base = {
    guest,
    link: { rate: `${gbits} Gbit/s` },
    encrypt: "off",
    migration: { downtimeLimit: "2 ms" },
  };
  const off = run({ ...base, compress: "off" });
  const on = run({ ...base, compress: { engine: "lz4-sw" } });
  const ms = (result: typeof off): number => result.migration.phases.precopyNs! / 1e6;
  return {
    mix,
    gbits,
    offMs: ms(off),
    onMs: ms(on),
    ratio: off.migration.ram.transferred / on.migration.ram.transferred,
    gain: ms(off) / ms(on),
  };
}

/** What compression gains by the two rates alone: pages over the wire, and pages into the engine. */
function predicted(row: Line): number {
  const wire = (row.gbits * 1e9 * FRAME[0]) / FRAME[1] / 8;
  return MEMORY / wire / Math.max(MEMORY / row.ratio / wire, MEMORY / ENGINE);
}

export const experiment: Experiment<Line> = {
  name: "compression-crossover",
  question: "One software LZ4 engine (912 MB/s): up to which link speed does it pay to compress?",
  expected:
    "Gain = min(ratio, engine / link): above 1 while the link is slower than 7.3 Gbit/s, below 1 beyond, " +
    "and never above 1 for pages that do not shrink.",
  rows: () => (["text", "random"] as const).flatMap((mix) => RATES.map((gbits) => line(mix, gbits))),
  misses: (rows) =>
    rows.flatMap((row) => {
      const at = `${row.mix}, ${row.gbits} Gbit/s: gain ${row.gain.toFixed(3)}`;
      const off = row.gain / predicted(row) - 1;
      const pays = row.mix === "text" && row.gbits < 7.3;
      return [
        ...unless(Math.abs(off) < 0.03, `${at}, ${predicted(row).toFixed(3)} by the rates`),
        ...unless(pays ? row.gain > 1.3 : row.gain < 1.01, `${at} on the wrong side of 1`),
      ];
    }),
};
