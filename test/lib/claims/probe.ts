// SPDX-License-Identifier: Apache-2.0
/** PCIe probes beside the reference model, and what a probe asks of the core beside its presets. */
import * as abi from "../../../assembly/abi.ts";
import { Core, coreModule } from "../../../src/core.ts";
import { type PcieProbe, pcieProbe } from "../../../src/probe/pcie.ts";
import { resolveSide } from "../../../src/scenario/resolve.ts";
import { type ProbeConfig, randomProbe, readProbe, sameProbe } from "../probe-pcie.ts";
import { paramsOf } from "../timeline.ts";
import { same } from "./expect.ts";

const NS = abi.TICKS_PER_NS;
/** Enough for every line of the new units to decide at least once. */
const RANDOM = 60;

/** Random configurations, every operation to the tick. */
export function checkRandomProbes(): void {
  for (let seed = 1; seed <= RANDOM; seed++) {
    const config = randomProbe(seed);
    sameProbe(config, readProbe(config, "lean"));
  }
}

type Rows = readonly (readonly [key: number, value: number])[];

/** A configuration with other values than the first random one's. */
function directed(name: string, rows: Rows, operations: number): ProbeConfig {
  const { p, jitter } = randomProbe(1);
  const off = [abi.S_ATS_ENTRIES, abi.S_PCIE_RELAXED, abi.S_MEM_CONTENTION];
  for (const key of [...off, abi.S_PCIE_ERRORS, abi.S_PCIE_DOWN_FOR]) p[key] = 0;
  p[abi.S_PCIE_TAGS] = p[abi.S_TEN_TAGS]!;
  for (const [key, value] of rows) p[key] = value;
  return { name, p, jitter, operations };
}

/** Nothing but translation takes time in the root complex; operations of a line, without pauses. */
const TRANSLATED: Rows = [
  [abi.S_PCIE_NPH, abi.CREDITS_ENDLESS],
  [abi.S_MEM_READ_NUM, 0],
  [abi.S_MEM_READ_DEN, 1],
  [abi.S_MEM_READ_LATENCY, 0],
  [abi.S_MEM_MISS_ADDER, 0],
  [abi.S_MEM_JITTER, 0],
  [abi.S_IOMMU_SETS, 1],
  [abi.S_IOMMU_WAYS, 1],
  [abi.S_IOMMU_WALKERS, 1],
  [abi.S_IOMMU_WALK, 237 * NS],
  [abi.S_IOMMU_PAGE_LOG, 12],
  [abi.S_IOMMU_SERIAL, 0],
  [abi.S_TEN_KIND, abi.TENANT_READ],
  [abi.S_TEN_BYTES, 64],
  [abi.S_TEN_TAGS, 32],
  [abi.S_PCIE_TAGS, 32],
  [abi.S_TEN_DEPTH, 16],
  [abi.S_TEN_GAP, 0],
];

/** What random configurations seldom meet. */
export function checkTranslatedProbes(): void {
  const pages: Rows = [
    [abi.S_TEN_STRIDE, 4096],
    [abi.S_TEN_PLACES, 1000],
    [abi.S_TEN_BYTES, 256],
    [abi.S_IOMMU_READ, 200 * NS],
  ];
  const lines: Rows = [
    [abi.S_TEN_STRIDE, 2048],
    [abi.S_TEN_PLACES, 6],
    [abi.S_TEN_RANDOM, 1],
  ];
  for (const config of [
    directed("reads of pages with one walker", [...TRANSLATED, ...pages], 100),
    directed("reads that wait for one walk are ready together", [...TRANSLATED, ...lines], 100),
  ]) {
    sameProbe(config, readProbe(config, "lean"));
  }
}

/** Writes with relaxed ordering, of pages of which some are translated: few credits, or several pages. */
export function checkRelaxedProbes(): void {
  const written: Rows = [
    ...TRANSLATED,
    [abi.S_PCIE_RELAXED, 1],
    [abi.S_IOMMU_SETS, 4],
    [abi.S_IOMMU_WALKERS, 8],
    [abi.S_IOMMU_WALK, 3000 * NS],
    [abi.S_TEN_KIND, abi.TENANT_WRITE],
    [abi.S_TEN_STRIDE, 4096],
    [abi.S_TEN_PLACES, 8],
    [abi.S_TEN_RANDOM, 1],
  ];
  const credits = (ph: number): Rows => [
    [abi.S_PCIE_PH, ph],
    [abi.S_PCIE_PD, abi.CREDITS_ENDLESS - 1],
  ];
  for (const dll of [abi.DLL_EXPLICIT, abi.DLL_NONE]) {
    const layer: Rows = [[abi.S_PCIE_DLL, dll]];
    for (const config of [
      directed("writes that pass with few credits", [...written, ...layer, ...credits(5)], 200),
      directed(
        "operations of three pages",
        [...written, ...layer, ...credits(100), [abi.S_TEN_BYTES, 9000]],
        100,
      ),
    ]) {
      sameProbe(config, readProbe(config, "lean"));
    }
  }
}

/**
 * Reads of 4 KiB answered in 64 packets each, which keep the wire down busy beyond a `limit` of 211 ns, and
 * requests that arrive spoilt: a NAK goes between two packets of an answer, at once.
 */
export function checkSpoiltReads(): void {
  const rows: Rows = [
    [abi.S_PCIE_TICKS_PER_BYTE, 130_000],
    [abi.S_PCIE_DOWN_TICKS_PER_BYTE, 130_000],
    [abi.S_PCIE_MPS, 128],
    [abi.S_PCIE_MRRS, 4096],
    [abi.S_PCIE_RCB, 64],
    [abi.S_PCIE_COMBINE_ABOVE, 4096],
    [abi.S_PCIE_FLIGHT, 10 * NS],
    [abi.S_PCIE_CPL_BYTES, 65_536],
    [abi.S_PCIE_CPL_HEADERS, 1024],
    [abi.S_PCIE_NPH, 127],
    [abi.S_PCIE_DLL, abi.DLL_EXPLICIT],
    [abi.S_PCIE_LIMIT, 203 * 8 * 130_000],
    [abi.S_PCIE_SKP_PERIOD, 0],
    [abi.S_PCIE_REPLAY_BYTES, 32_768],
    [abi.S_PCIE_TAGS, 8],
    [abi.S_TEN_TAGS, 8],
    [abi.S_TEN_KIND, abi.TENANT_READ],
    [abi.S_TEN_BYTES, 4096],
    [abi.S_TEN_DEPTH, 8],
    [abi.S_IOMMU_SETS, 0],
    // of 24 bytes one in 52
    [abi.S_PCIE_ERRORS, 8 * 1e-4 * 2 ** 48],
    [abi.S_PCIE_DOWN_FOR, 0],
  ].map(([key, value]) => [key!, Math.round(value!)] as const);
  const config = directed("reads whose requests arrive spoilt", rows, 200);
  sameProbe(config, readProbe(config, "lean"));
}

/**
 * 1,024 workers write 9,000 bytes to pages of their own, three each, with credits without a limit and one
 * walker: all 3,072 walks are asked for before the second is over.
 */
export function checkWalksAhead(): void {
  const rows: Rows = [
    [abi.S_PCIE_TICKS_PER_BYTE, 16_250],
    [abi.S_PCIE_PH, abi.CREDITS_ENDLESS],
    [abi.S_PCIE_PD, abi.CREDITS_ENDLESS],
    [abi.S_PCIE_DLL, abi.DLL_NONE],
    [abi.S_PCIE_SKP_PERIOD, 0],
    [abi.S_MEM_WRITE_NUM, 0],
    [abi.S_MEM_WRITE_DEN, 1],
    [abi.S_IOMMU_SETS, 16],
    [abi.S_IOMMU_WAYS, 1],
    [abi.S_IOMMU_WALKERS, 1],
    [abi.S_IOMMU_WALK, 1500 * NS],
    [abi.S_IOMMU_RECOVERY, 0],
    [abi.S_IOMMU_PAGE_LOG, 12],
    [abi.S_IOMMU_SERIAL, 0],
    [abi.S_TEN_KIND, abi.TENANT_WRITE],
    [abi.S_TEN_BYTES, 9000],
    [abi.S_TEN_STRIDE, 3 * 4096],
    [abi.S_TEN_PLACES, 1000],
    [abi.S_TEN_RANDOM, 0],
    [abi.S_TEN_DEPTH, 1024],
    [abi.S_TEN_GAP, 0],
    [abi.S_TEN_FLOOR, 0],
    [abi.S_TEN_ISSUE, 0],
    [abi.S_TEN_BURST_GAP, 0],
  ];
  const { stops } = readProbe(directed("walks ahead", rows, 100), "lean");
  // 9,000 bytes end in the third page of operation n: 3 n walks of 1.5 us one after another, the first behind
  // a packet and its flight
  const [first, last] = [stops[0]![2], stops[99]![2]];
  same("walks ahead: 99 operations of three walks", last - first, 99 * 3 * 1500 * NS);
}

/** The side of the calibration: 422 ns, flights of 70 ns, 15 MiB of cache. */
const side = (): PcieProbe["side"] => resolveSide({ host: "snb-e5-2630", card: "nfp6000-e5" }, "probe");

const ASKED: Omit<PcieProbe, "side"> = {
  op: "read",
  size: 100,
  window: 30 * 2 ** 20,
  random: true,
  cache: "warm",
  numa: "remote",
  iommu: "4KiB",
  dll: "explicit",
  depth: 2,
  jitter: true,
  seed: 5,
  warmUp: 4,
  operations: 6,
};

/** By hand, from sim/hosts/snb-e5-2630.yaml and sim/cards/nfp6000-e5.yaml. */
const GIVEN: readonly [asked: Partial<PcieProbe>, name: string, key: number, value: number][] = [
  [{}, "least latency less both flights", abi.S_MEM_READ_LATENCY, (422 - 40 - 2 * 70) * NS],
  [{}, "half of the window is cached", abi.S_MEM_MISS_SHARE, 2 ** 31],
  [{}, "a miss", abi.S_MEM_MISS_ADDER, 56 * NS],
  [{ window: 2 ** 20 }, "all is cached", abi.S_MEM_MISS_SHARE, 0],
  [{ window: 2 ** 20 }, "no miss", abi.S_MEM_MISS_ADDER, 0],
  [{ window: 2 ** 20, cache: "cold" }, "nothing is cached", abi.S_MEM_MISS_SHARE, 2 ** 32],
  [{}, "the other socket", abi.S_MEM_REMOTE_ADDER, 115 * NS],
  [{ numa: "local" }, "this socket", abi.S_MEM_REMOTE_ADDER, 0],
  [{}, "whole lines", abi.S_TEN_STRIDE, 128],
  [{}, "places of whole lines", abi.S_TEN_PLACES, (30 * 2 ** 20) / 128],
  [{ stride: 100, window: 1050 }, "places", abi.S_TEN_PLACES, 10],
  [{ window: 1 }, "one place at least", abi.S_TEN_PLACES, 1],
  [{}, "all tags", abi.S_TEN_TAGS, 32],
  [{}, "no tags of VSOCK", abi.S_PCIE_TAGS_VSOCK, 0],
  [{}, "entries", abi.S_IOMMU_SETS, 1],
  [{ iommu: "off" }, "no IOMMU", abi.S_IOMMU_SETS, 0],
  [{ iommu: "2MiB" }, "super-pages", abi.S_IOMMU_PAGE_LOG, 21],
  [{}, "start", abi.S_TEN_START, 69 * NS],
  [{}, "tag", abi.S_TEN_TAG, 44 * NS],
  [{}, "copy", abi.S_TEN_COPY_NUM, 148 * NS],
  [{}, "write floor", abi.S_TEN_FLOOR, 21_606_400],
  [{}, "burst gap", abi.S_TEN_BURST_GAP, 4_505_600],
  [{}, "burst", abi.S_TEN_BURST, 512],
  // 130,000 / 0.96
  [{}, "the card's share of the link", abi.S_PCIE_DOWN_TICKS_PER_BYTE, 135_417],
];

/** What a probe asks of the core, and that its answer is that of the core's operations. */
export function checkProbeParams(): void {
  const core = new Core(coreModule("lean"));
  for (const [asked, name, key, value] of GIVEN) {
    pcieProbe(core, { side: side(), ...ASKED, ...asked });
    same(`probe: ${name}`, paramsOf(core).sides[0][key], value);
  }
  const answer = pcieProbe(core, { side: side(), ...ASKED });
  const { p: _, ...config } = randomProbe(1);
  const p = paramsOf(core).sides[0];
  const jitter = Array.from({ length: abi.JITTER_STEPS }, (_unused, step) => jitterTicks(step));
  const reading = readProbe({ ...config, p, jitter, operations: 10 }, "lean");
  const run = sameProbe({ ...config, p, jitter, operations: 10 }, reading);
  const last = run.ended.slice(4, 10);
  same(
    "probe: latencies",
    [...answer.latenciesNs],
    last.map(({ latencyTicks }) => latencyTicks / NS),
  );
  const ticks = last.at(-1)!.endAt - run.ended[3]!.endAt;
  same("probe: ticks", answer.ticks, ticks);
  same(
    "probe: bits a second",
    Math.round(answer.bandwidthBitsPerSecond),
    Math.round((6 * 800 * 1e9 * NS) / ticks),
  );
  same("probe: misses", answer.counters.iotlbMisses, run.lookups.misses);
}

/** Jitter of snb-e5-2630: 40 ns below the median, 13 at 5 %; 13 above at 95 and 99 %, 160 at 99.9 %, 213. */
function jitterTicks(step: number): number {
  const at = (step + 1) / abi.JITTER_STEPS;
  const line = (from: number, to: number, low: number, high: number): number =>
    Math.round((low + ((high - low) * (at - from)) / (to - from)) * NS);
  if (at <= 0.05) return line(0, 0.05, 0, 27);
  if (at <= 0.5) return line(0.05, 0.5, 27, 40);
  if (at <= 0.95) return line(0.5, 0.95, 40, 53);
  if (at <= 0.99) return 53 * NS;
  return at <= 0.999 ? line(0.99, 0.999, 53, 200) : line(0.999, 1, 200, 253);
}
