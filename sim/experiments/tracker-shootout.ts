// SPDX-License-Identifier: Apache-2.0
/** What do trackers of the CPU and of devices cost, side by side, for one guest with a NIC? */
import { counter, type Experiment, run, unless } from "./lib.ts";

const PAGES = 8192;
/** A record of 16 B is a posted write of 24 + 16 B. */
const RECORD_BYTES = 40;
/** What sees the CPU, and the NIC. */
const TRACKERS = [
  ["write-protect", "wilson-ring"],
  ["bitmap", "wilson-ring"],
  ["pml", "wilson-ring"],
  ["dirty-ring", "wilson-ring"],
  ["bitmap", "iommu-dirty-bits"],
] as const;

interface Line {
  readonly [key: string]: number | string;
  readonly cpu: string;
  readonly devices: string;
  readonly faults: number;
  readonly slowdownPercent: number;
  readonly pagesAgain: number;
  readonly downtimeUs: number;
  readonly hostMs: number;
  readonly records: number;
  readonly recordBytes: number;
}

function line(cpu: string, devices: string): Line {
  const result = run({
    guest: {
      generate: { memory: `${4 * PAGES} KiB`, rate: "300000 /s", workingSet: "8 MiB", mix: { random: 100 } },
      deviceState: "4 KiB",
      devices: [
        { name: "nic", writes: { rate: "200000 /s", bytes: "2 KiB", at: "16 MiB", workingSet: "4 MiB" } },
      ],
    },
    source: { host: "gen5-host", card: "dpu-ref" },
    // the same for all: bits need an IOMMU
    internal: { iommu: "4KiB" },
    link: { rate: "25 Gbit/s" },
    compress: "off",
    encrypt: "off",
    tracker: { kind: cpu, devices },
    migration: { downtimeLimit: "1 ms", maxRounds: 4, onTimeout: "force" },
  });
  const { rounds, phases } = result.migration;
  const again = rounds.slice(1).reduce((sum, one) => sum + one.normalPages + one.zeroPages, 0);
  return {
    cpu,
    devices,
    faults: result.guest.writeFaults,
    slowdownPercent: 100 * (result.guest.slowdown ?? 0),
    pagesAgain: again,
    downtimeUs: phases.stopNs! / 1000,
    hostMs: result.hostCpu.sourceCoreSeconds * 1000,
    records: counter(result, "source.guest.devices.records"),
    recordBytes: counter(result, "source.guest.devices.recordBytes"),
  };
}

const named = ({ cpu, devices }: Line): string => `${cpu} with ${devices}`;

export const experiment: Experiment<Line> = {
  name: "tracker-shootout",
  question: "One guest with a NIC: what do trackers of its CPU and of its device cost?",
  expected:
    "Pages fault where they are protected, and there alone; a fault of 2 us holds the guest up, which then " +
    "writes fewer pages. Trackers without faults find the same pages, within 5 %, and the stop fits the " +
    "same limit. Each record takes 40 B of PCIe, bits take none.",
  rows: () => TRACKERS.map(([cpu, devices]) => line(cpu, devices)),
  misses: (rows) => {
    const protects = (row: Line) => row.cpu === "write-protect" || row.cpu === "dirty-ring";
    const free = rows.filter((row) => !protects(row)).map((row) => row.pagesAgain);
    const most = Math.max(...rows.filter(protects).map((row) => row.pagesAgain));
    const down = rows.map((row) => row.downtimeUs);
    const spread = (of: readonly number[]): number => Math.max(...of) / Math.min(...of);
    return [
      ...rows.flatMap((row) => {
        const recorded = row.devices === "wilson-ring";
        return [
          ...unless(row.faults > 0 === protects(row), `${named(row)}: ${row.faults} faults`),
          ...unless(row.records > 0 === recorded, `${named(row)}: ${row.records} records`),
          ...unless(
            row.recordBytes === RECORD_BYTES * row.records,
            `${named(row)}: ${row.recordBytes} B of ${row.records} records`,
          ),
        ];
      }),
      ...rows.flatMap((row) =>
        unless(protects(row) === row.slowdownPercent > 5, `${named(row)}: ${row.slowdownPercent} % slower`),
      ),
      ...unless(spread(free) < 1.05, `pages sent again without faults: ${free.join(", ")}`),
      ...unless(
        most < Math.min(...free),
        `pages sent again: ${most} with faults, ${free.join(", ")} without`,
      ),
      ...unless(spread(down) < 1.1, `downtimes: ${down.join(", ")} us`),
    ];
  },
};
