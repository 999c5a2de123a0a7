// SPDX-License-Identifier: Apache-2.0
/** Suite `pcie-model`: the bandwidths of pcie-bench's model, simulated with its data link layer. */
import { dllpLimitSymbols } from "../params-pcie.ts";
import { pcieTicksPerByte } from "../scenario/fill.ts";
import { ask, type IdealLink, idealSide } from "./pcie-side.ts";
import { type PublishedRow, published } from "./published.ts";
import { type Point, point, type Suite } from "./types.ts";

const NAME = "pcie-model";
const TOLERANCE = { kind: "percent", value: 0.01 } as const;
/** TLPs of a measurement, about: a whole number of operations, two at least. */
const TLPS = 3000;
const COMBINE_NEVER = 2 ** 20;
const SOURCE = "pcie-bench/pcie-model@40703cf";

function linkOf(row: PublishedRow): IdealLink {
  const [, generation, lanes] = /^gen(\d)x(\d+)$/.exec(row.link!)!;
  const combineAbove = row.completions === "MPS" ? 0 : COMBINE_NEVER;
  return {
    generation: Number(generation),
    lanes: Number(lanes),
    mps: Number(row.mps),
    mrrs: Number(row.mrrs),
    combineAbove,
  };
}

/** Mixed operations under way: enough to fill the link, few enough to settle soon. */
function mixedDepth(size: number): number {
  if (size < 256) return 32;
  if (size < 4096) return 16;
  return size <= 16384 ? 8 : 4;
}

/** Gbit/s of data in one direction. */
function simulate(link: IdealLink, size: number, op: "read" | "write" | "readwrite"): number {
  // no operation crosses a page that its size does not make it cross
  const stride = Math.ceil(size / 4096) * 4096;
  const perOperation = Math.ceil(size / Math.min(64, size));
  const both = op === "readwrite";
  const operations = 2 * Math.max(size > 65536 ? 2 : 8, Math.ceil((TLPS * (both ? 4 : 1)) / perOperation));
  const depth = both ? mixedDepth(size) : Math.min(64, Math.max(4, 2 * Math.ceil(32768 / size)));
  const answer = ask({
    side: idealSide(link),
    op,
    size,
    stride,
    window: stride,
    depth,
    dll: "pciebench",
    // until as many reads as writes end: the slower kind must first take all its workers
    warmUp: (both ? (size < 4096 ? 100 : 64) : 2) * depth,
    operations,
  });
  return answer.bandwidthBitsPerSecond / 1e9 / (op === "readwrite" ? 2 : 1);
}

function* rows(): Generator<Point> {
  for (const row of published("pcie-model")) {
    const link = linkOf(row);
    const size = Number(row.size);
    const where = `${row.link}/mps${row.mps}/mrrs${row.mrrs}/${row.completions}/${size}`;
    for (const [column, op] of [
      ["wr", "write"],
      ["rd", "read"],
      ["rdwr", "readwrite"],
    ] as const) {
      yield point({
        suite: NAME,
        id: `A14:${where}:${column}`,
        quantity: `${op} bandwidth${op === "readwrite" ? ", each direction" : ""}, ${size} B`,
        expected: Number(row[column]),
        simulated: simulate(link, size, op),
        unit: "Gbit/s",
        tolerance: TOLERANCE,
        source: SOURCE,
      });
    }
  }
}

/** Bandwidth that the line code leaves: of TLP bytes without data link layer or headers. */
function encoded(generation: number, lanes: number): number {
  return (8 * 1024 * 1000) / pcieTicksPerByte(generation, lanes);
}

/** Gbit/s of writes of 256 B with headers of three words and no data link layer. */
function shortWrites(link: IdealLink): number {
  const side = idealSide(link);
  const asked = { side, op: "write" as const, size: 256, window: 4096, depth: 64, operations: 3000 };
  return ask({ ...asked, dll: "none", link: { shortAddress: true } }).bandwidthBitsPerSecond / 1e9;
}

/** Little's law on a link whose latency leaves no doubt: rate x the time that a read holds its buffer. */
function readsUnderWay(): number {
  const ideal = idealSide({ generation: 3, lanes: 8, mps: 128, mrrs: 128, combineAbove: 0 });
  const latencyTicks = 100_000 * 1_024_000;
  const pcie = { ...ideal.pcie, completionHeaders: 64, completionBufferBytes: 15_872 };
  const memory = { ...ideal.host.memory, readLatencyTicks: latencyTicks };
  const side = { ...ideal, pcie, host: { ...ideal.host, memory } };
  const asked = { side, op: "read" as const, size: 128, window: 4096, random: false, dll: "none" as const };
  const { transactionsPerSecond } = ask({ ...asked, depth: 256, operations: 3200, warmUp: 640 });
  return Math.round((transactionsPerSecond * latencyTicks) / 1024e12);
}

function* shares(gen3: IdealLink): Generator<Point> {
  yield point({
    suite: NAME,
    id: "A15",
    quantity: "reads of 128 B under way with 64 completion headers and 15872 B of completions",
    expected: 32,
    simulated: readsUnderWay(),
    unit: "reads",
    tolerance: { kind: "exact" },
    source: "AMD PG213, LIMIT_FC",
  });
  yield point({
    suite: NAME,
    id: "A16",
    quantity: "share of data in writes of 256 B with addresses of 32 bits",
    expected: 92.75,
    simulated: (100 * shortWrites(gen3)) / encoded(3, 8),
    unit: "%",
    tolerance: { kind: "percent", value: 0.1 },
    source: "Intel AN456 683541",
  });
}

function* singles(): Generator<Point> {
  const gen3 = { generation: 3, lanes: 8, mps: 256, mrrs: 512, combineAbove: 0 };
  const gbps = (id: string, quantity: string, expected: number, simulated: number): Point =>
    point({
      suite: NAME,
      id,
      quantity,
      expected,
      simulated,
      unit: "Gbit/s",
      tolerance: TOLERANCE,
      source: SOURCE,
    });
  yield gbps("A1", "encoded rate, Gen3 x8", 63.0154, encoded(3, 8));
  yield gbps("A2", "encoded rate, Gen4 x16", 252.0615, encoded(4, 16));
  yield gbps("A3", "encoded rate, Gen5 x16", 504.1231, encoded(5, 16));
  // a write of 256 B is 280 B of TLP
  const tlp = (simulate(gen3, 256, "write") * 280) / 256;
  yield gbps("A4", "TLP bytes, Gen3 x8, MPS 256", 57.8848, tlp);
  yield gbps("A5", "write 256 B, Gen3 x8, MPS 256", 52.9232, simulate(gen3, 256, "write"));
  yield gbps("A6", "read 512 B, Gen3 x8, MPS 256", 53.6902, simulate(gen3, 512, "read"));
  yield gbps("A7", "write 64 B, Gen3 x8, MPS 256", 42.098, simulate(gen3, 64, "write"));
  yield gbps("A8", "read 64 B, Gen3 x8, MPS 256", 44.1027, simulate(gen3, 64, "read"));
  yield gbps(
    "A9",
    "read and write 512 B, Gen3 x8, each direction",
    50.7483,
    simulate(gen3, 512, "readwrite"),
  );
  const wide = (generation: number): IdealLink => ({ ...gen3, generation, lanes: 16 });
  yield gbps("A10", "write 256 B, Gen4 x16", 207.9087, simulate(wide(4), 256, "write"));
  yield gbps("A11", "write 256 B, Gen5 x16", 415.8174, simulate(wide(5), 256, "write"));
  yield* shares(gen3);
  for (const [id, generation, lanes, mps, expected] of [
    ["A12", 3, 8, 256, 203],
    ["A13", 4, 16, 512, 182],
  ] as const) {
    yield point({
      suite: NAME,
      id,
      quantity: `limit of ACK and UpdateFC, Gen${generation} x${lanes}, MPS ${mps}`,
      expected,
      simulated: dllpLimitSymbols(generation, lanes, mps),
      unit: "symbols",
      tolerance: { kind: "exact" },
      source: "PCIe Base Specification 5.0 tables 3-7 to 3-9",
    });
  }
}

/** The suite. */
export const pcieModel: Suite = {
  name: NAME,
  title: "bandwidths of pcie-bench's model",
  limits: [
    "The model charges ACK and UpdateFC more than a link does and pads no data to words; " +
      "`internal.dll: pciebench` does the same and is no prediction.",
  ],
  *points() {
    yield* singles();
    yield* rows();
  },
};
