// SPDX-License-Identifier: Apache-2.0
/**
 * Suite `pcie-bench`: DMA of a real card on real hosts (raw data of Neugebauer et al., SIGCOMM 2018) beside
 * the model with the presets of card and hosts. Only Sandy Bridge, local memory, warm cache is calibrated.
 */
import type { PcieAnswer, PcieProbe } from "../probe/pcie.ts";
import { ask, presetSide } from "./pcie-side.ts";
import { type PublishedRow, published } from "./published.ts";
import { median } from "./statistics.ts";
import { type Measured, type Point, point, type Suite, type Tolerance } from "./types.ts";

const NAME = "pcie-bench";
const CARD = "nfp6000-e5";
const SOURCE = "pcie-bench/data@b2abf2f, SIGCOMM 2018";
const percent = (value: number): Tolerance => ({ kind: "percent", value });
const absolute = (value: number): Tolerance => ({ kind: "absolute", value });

/** A host of the data set as presets say it. */
interface System {
  readonly host: string;
  readonly numa: "local" | "remote";
  readonly iommu: "off" | "4KiB";
}

/** The E5 hosts. E3-1226v3 is noise: its link is in row B13, its latencies nowhere. */
const SYSTEMS: Readonly<Record<string, System>> = {
  "snb-Xeon-E5-2630_dell-t620": { host: "snb-e5-2630", numa: "local", iommu: "off" },
  "snb-Xeon-E5-2630_dell-t620-iommu": { host: "snb-e5-2630", numa: "local", iommu: "4KiB" },
  "hsw-Xeon-E5-2637v3_supermicro": { host: "hsw-e5-2637v3", numa: "local", iommu: "off" },
  "hsw-Xeon-E5-2637v3_supermicro-iommu-nosp": { host: "hsw-e5-2637v3", numa: "local", iommu: "4KiB" },
  "ib-Xeon-E5-2620v2_dell-t620-s0-s0-s0": { host: "ivb-e5-2620v2", numa: "local", iommu: "off" },
  "ib-Xeon-E5-2620v2_dell-t620-s0-s1-s1": { host: "ivb-e5-2620v2", numa: "remote", iommu: "off" },
};
const CALIBRATED = "snb-Xeon-E5-2630_dell-t620";

const sides = new Map<string, PcieProbe["side"]>();

function sideOf(host: string, pcie: object = {}): PcieProbe["side"] {
  const key = `${host} ${JSON.stringify(pcie)}`;
  const side = sides.get(key) ?? presetSide(host, CARD, pcie);
  sides.set(key, side);
  return side;
}

/** A bandwidth with all of the engine's workers. */
function bandwidth(
  system: System,
  op: PcieProbe["op"],
  size: number,
  rest: Partial<PcieProbe> = {},
): PcieAnswer {
  const side = rest.side ?? sideOf(system.host);
  const { numa, iommu } = system;
  return ask({ side, op, size, numa, iommu, depth: 88, operations: 20_000, jitter: true, ...rest });
}

/** Median latency of single reads, ns. */
function latency(system: System, size: number, rest: Partial<PcieProbe> = {}): Float64Array {
  const { host, numa, iommu } = system;
  const asked = {
    side: sideOf(host),
    op: "read" as const,
    size,
    numa,
    iommu,
    depth: 1,
    jitter: true,
    ...rest,
  };
  return ask({ ...asked, operations: 2000, warmUp: 200 }).latenciesNs.toSorted();
}

const quantile = (sorted: Float64Array, q: number): number => sorted[Math.floor((sorted.length - 1) * q)]!;

function make(m: Omit<Measured, "suite" | "source">): Point {
  return point({ suite: NAME, source: SOURCE, ...m });
}

const OPS: readonly (readonly [string, "read" | "write"])[] = [
  ["BW_DMA_RD", "read"],
  ["BW_DMA_WR", "write"],
];

/** Bandwidths of the calibrated host from which numbers of the card and of that host were derived. */
const CALIBRATIONS: Readonly<Record<string, readonly number[]>> = {
  // tags' hold; where completions are combined; what the card takes in
  read: [64, 256, 512, 1024, 1536, 2048],
  // floor, and the gap between bursts
  write: [64, 128, 256, 512, 768, 1024, 1536, 2048],
  // what the card's memory takes
  readwrite: [512, 2048],
};

function isCalibration(system: string, op: string, size: number): boolean {
  return system === CALIBRATED && CALIBRATIONS[op]!.includes(size);
}

/**
 * Windows from which numbers were derived: walkers and what a read keeps them for, from the widest; whether
 * walks follow each other, and recovery, from reads of 64 B; order of the tags and completions, of the
 * calibrated host alone, from 512 KiB.
 */
function isIommuCalibration(system: string, op: string, size: number, window: number): boolean {
  const widest = window === 64 * 2 ** 20;
  const calibrated = system === `${CALIBRATED}-iommu`;
  // whether walks of one page table follow each other: a dip between 1 and 4 MiB, or none
  const dips = op === "read" && size === 64 && window >= 2 ** 20 && (calibrated || window <= 4 * 2 ** 20);
  return (widest && size <= 256) || dips || (calibrated && op === "read" && window === 512 * 2 ** 10);
}

/** Bandwidth by size, and the median error of each system. */
function* bandwidths(): Generator<Point> {
  const rows = published("pcie-bench-bandwidth");
  for (const [name, system] of Object.entries(SYSTEMS)) {
    const errors: number[] = [];
    for (const [column, op] of OPS) {
      for (const row of rows.filter((one) => one.system === name && one.op === column)) {
        const size = Number(row.size);
        const expected = Number(row.gbps);
        const side = sideOf(system.host, { mps: Number(row.mps), mrrs: Number(row.mrrs) });
        const simulated = bandwidth(system, op, size, { side }).bandwidthBitsPerSecond / 1e9;
        errors.push(Math.abs(simulated / expected - 1) * 100);
        const engine = op === "read" && size === 1024 && row.mrrs === "512";
        yield make({
          id: `bandwidth:${name}:${op}:${size}`,
          quantity: `${op} bandwidth, ${size} B`,
          expected,
          simulated,
          unit: "Gbit/s",
          tolerance: percent(engine ? 20 : 15),
          calibration: isCalibration(name, op, size),
        });
      }
    }
    yield make({
      id: `median:${name}`,
      quantity: "median error of bandwidths by size",
      expected: 0,
      simulated: median(errors),
      unit: "%",
      tolerance: absolute(5),
    });
  }
}

/**
 * Reads and writes in turn. The published figure is that of one direction: the control program halves the
 * operations (nfpbench.py). No reference gives a tolerance.
 */
function* mixed(): Generator<Point> {
  const rows = published("pcie-bench-bandwidth");
  for (const [name, system] of Object.entries(SYSTEMS)) {
    for (const row of rows.filter((one) => one.system === name && one.op === "BW_DMA_RW")) {
      const size = Number(row.size);
      const side = sideOf(system.host, { mps: Number(row.mps), mrrs: Number(row.mrrs) });
      yield make({
        id: `bandwidth:${name}:readwrite:${size}`,
        quantity: `bandwidth of reads and writes in turn, each direction, ${size} B`,
        expected: Number(row.gbps),
        simulated: bandwidth(system, "readwrite", size, { side }).bandwidthBitsPerSecond / 2e9,
        unit: "Gbit/s",
        tolerance: { kind: "report" },
        calibration: isCalibration(name, "readwrite", size),
      });
    }
  }
}

/** Latency by size. */
function* latencies(): Generator<Point> {
  const rows = published("pcie-bench-latency");
  for (const [name, system] of Object.entries(SYSTEMS)) {
    for (const row of rows.filter((one) => one.system === name && one.pattern === "Seq")) {
      const size = Number(row.size);
      yield make({
        id: `latency:${name}:${size}`,
        quantity: `median latency of a read, ${size} B, warm`,
        expected: Number(row.median),
        simulated: quantile(latency(system, size, { random: false }), 0.5),
        unit: "ns",
        tolerance: percent(8),
        // the ends of the calibrated curve; the socket hop is that of the Ivy Bridge host
        calibration:
          name === CALIBRATED ? size === 64 || size === 2048 : system.numa === "remote" && size === 64,
      });
    }
  }
}

/** Rows of one sweep over windows, smallest first. */
function sweep(system: string, op: string, size: string): PublishedRow[] {
  return published("pcie-bench-windows")
    .filter((row) => row.system === system && row.op === op && row.size === size)
    .toSorted((a, b) => Number(a.window) - Number(b.window));
}

/** Change of bandwidth by the IOMMU over windows, in percentage points of what there is without it. */
function* windows(): Generator<Point> {
  for (const [name, system] of Object.entries(SYSTEMS)) {
    if (system.iommu === "off") continue;
    for (const [column, op] of OPS) {
      for (const size of ["64", "128", "256", "512"]) {
        const base = sweep(name.replace(/-iommu(-nosp)?$/, ""), column, size);
        const rows = sweep(name, column, size);
        const measured = rows.map((row, i) => (Number(row.gbps) / Number(base[i]!.gbps) - 1) * 100);
        for (const [i, row] of rows.entries()) {
          const window = Number(row.window);
          const rate = (iommu: "off" | "4KiB"): number =>
            bandwidth({ ...system, iommu }, op, Number(size), { window }).bandwidthBitsPerSecond;
          yield make({
            id: `iommu:${name}:${op}:${size}:${window}`,
            quantity: `change of ${op} bandwidth by the IOMMU, ${size} B over ${window / 1024} KiB`,
            expected: measured[i]!,
            simulated: (rate("4KiB") / rate("off") - 1) * 100,
            unit: "pp",
            tolerance: absolute(10),
            calibration: isIommuCalibration(name, op, Number(size), window),
          });
        }
      }
    }
  }
}

/** Rows of the table of published figures that stand for themselves. */
function* singles(): Generator<Point> {
  const hsw = SYSTEMS["hsw-Xeon-E5-2637v3_supermicro"]!;
  const snb = SYSTEMS[CALIBRATED]!;
  const gbps = (op: "read" | "write", size: number): number =>
    bandwidth(hsw, op, size).bandwidthBitsPerSecond / 1e9;
  for (const [id, op, size, expected, tolerance] of [
    ["B1", "write", 64, 24.27, 3],
    ["B2", "write", 128, 42.4, 15],
    ["B3", "write", 256, 50.55, 10],
    ["B4", "write", 512, 54.44, 10],
    ["B5", "write", 1024, 54.44, 10],
    ["B6", "write", 2048, 54.44, 10],
    ["B7", "read", 64, 28.65, 10],
    ["B8", "read", 128, 42.96, 15],
    ["B9", "read", 256, 46.89, 10],
    ["B10", "read", 512, 55.11, 10],
    ["B11", "read", 1536, 55.34, 10],
    ["B12", "read", 2048, 55.25, 10],
  ] as const) {
    const quantity = `${op} bandwidth, ${size} B, E5-2637v3`;
    yield make({
      id,
      quantity,
      expected,
      simulated: gbps(op, size),
      unit: "Gbit/s",
      tolerance: percent(tolerance),
    });
  }
  const e3 = bandwidth(snb, "read", 512, { side: sideOf(snb.host, { mps: 128 }) });
  yield make({
    id: "B13",
    quantity: "read bandwidth, 512 B, MPS 128: the link of E3-1226v3",
    expected: 51.3,
    simulated: e3.bandwidthBitsPerSecond / 1e9,
    unit: "Gbit/s",
    tolerance: percent(10),
  });
  yield* inFlight();
  const idle = latency(snb, 64);
  const cold = quantile(latency(snb, 64, { cache: "cold" }), 0.5) - quantile(idle, 0.5);
  const [unit, calibration] = ["ns", true];
  yield make({
    id: "B16",
    quantity: "95 % quantile less median of a read, 64 B, idle host: 27 at most",
    expected: 13.3,
    simulated: quantile(idle, 0.95) - quantile(idle, 0.5),
    unit,
    tolerance: { kind: "report" },
    calibration,
  });
  const ddio: Tolerance = { kind: "range", from: 35, to: 72 };
  const quantity = "cold less warm, read of 64 B: 50 to 57 published, +-15";
  yield make({ id: "B19", quantity, expected: 53.5, simulated: cold, unit, tolerance: ddio, calibration });
}

/** Little's law: operations under way are rate x latency, about the 32 tags. */
function* inFlight(): Generator<Point> {
  for (const [name, expected] of [
    [CALIBRATED, 34.98],
    ["hsw-Xeon-E5-2637v3_supermicro", 33.42],
    ["ib-Xeon-E5-2620v2_dell-t620-s0-s0-s0", 34.95],
    ["ib-Xeon-E5-2620v2_dell-t620-s0-s1-s1", 32.58],
  ] as const) {
    const system = SYSTEMS[name]!;
    const rate = bandwidth(system, "read", 64).transactionsPerSecond;
    yield make({
      id: `B14:${name}`,
      quantity: "reads of 64 B under way: rate x latency",
      expected,
      simulated: (rate * quantile(latency(system, 64), 0.5)) / 1e9,
      unit: "reads",
      tolerance: percent(10),
      calibration: name === CALIBRATED,
    });
  }
}

/** The suite. */
export const pcieBench: Suite = {
  name: NAME,
  title: "DMA of an NFP-6000 on E5 hosts",
  limits: [
    "Reads and writes in turn (BW_DMA_RW) are 9 % too slow to 14 % too fast, by size alone: the card " +
      "serves them 10 to 26 % below what the wires leave, on every host alike. One rate of the card's " +
      "memory is inferred from that; 128 B, 512 B and 2 KiB do not fit one rate.",
    "Reads of 128, 768 and 1024 B are 5 to 16 % too fast: artefacts of the card's engine that no single " +
      "parameter explains.",
    "Reads of 64 B over windows of 1 and 1.5 MiB of Haswell are faster than measured: its misses come at " +
      "16 to 18 million a second there, at 19 where nearly all reads miss, and no mechanism of the model " +
      "says why.",
    "How many completions the card's reads may wait for is bounded by Sandy Bridge (52 at least): " +
      "Haswell and the remote socket of Ivy Bridge, not used, would say 56 to 58, the preset has 56.",
    "Reads of 256 B of the calibrated host are 5 % too slow: the model's wire is slower than measured there.",
    "E3-1226v3 is not compared but for its link: its latencies are those of power management.",
    "Direct (command) reads and write-then-read latencies are not modelled.",
  ],
  *points() {
    yield* singles();
    yield* bandwidths();
    yield* mixed();
    yield* latencies();
    yield* windows();
  },
};
