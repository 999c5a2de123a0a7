// SPDX-License-Identifier: Apache-2.0
// PCIe probes of random small configurations, on any build of the core and on the reference.
import * as abi from "../../assembly/abi.ts";
import { Core, coreModule, type Variant } from "../../src/core.ts";
import { same } from "./claims/expect.ts";
import { generator } from "./random.ts";
import { packetsOf, sameLists } from "./reference/compare.ts";
import type { Packet } from "./reference/packets.ts";
import { type ProbeRun, predictProbe } from "./reference/pcie-probe.ts";
import { type Happening, timelineOf } from "./timeline.ts";

const NS = abi.TICKS_PER_NS;
const LANES = 8;

/** What a core is given: `S_` constants and quantiles of jitter, both in ticks. */
export interface ProbeConfig {
  readonly name: string;
  readonly p: number[];
  readonly jitter: number[];
  readonly operations: number;
}

type Choose = <T>(of: readonly T[]) => T;
type Rows = readonly [key: number, value: number][];

/** Gen1 x4, Gen2 x1, Gen3 x8, Gen3 x8 less pcie-bench's DLLPs, Gen5 x16. */
const RATES = [1_024_000, 2_048_000, 130_000, 141_523, 16_250];
/** Ticks a byte of memory: 42.6, 1, 7 and 200 GB/s, and no limit. */
const MEMORY: readonly [number, number][] = [
  [5_120_000, 213],
  [1_024_000, 1],
  [1_024_000, 7],
  [5120, 1],
  [0, 1],
];

/** Link, data link layer, credits; each holds what the largest packet needs. */
function linkRows(choose: Choose): Rows {
  const rate = choose(RATES);
  const mps = choose([128, 256, 512]);
  const mrrs = choose([128, 256, 512, 1024, 4096]);
  const rcb = choose([64, 128]);
  const symbol = rate * LANES;
  const dll = choose([abi.DLL_EXPLICIT, abi.DLL_EXPLICIT, abi.DLL_ACK_PER_TLP, abi.DLL_NONE]);
  const headers = Math.ceil(mrrs / rcb) + 1;
  return [
    [abi.S_PCIE_TICKS_PER_BYTE, rate],
    [abi.S_PCIE_DOWN_TICKS_PER_BYTE, choose([rate, Math.round(rate / 0.96), 3 * rate])],
    [abi.S_PCIE_LANES, LANES],
    [abi.S_PCIE_MPS, mps],
    [abi.S_PCIE_MRRS, mrrs],
    [abi.S_PCIE_RCB, rcb],
    [abi.S_PCIE_COMBINE_ABOVE, choose([0, 128, 256, 384, 4096])],
    [abi.S_PCIE_FLIGHT, choose([0, 1, 70, 333]) * NS],
    [abi.S_PCIE_CPL_BYTES, Math.max(choose([1024, 4096, 20_481, 65_536]), mrrs + 8)],
    [abi.S_PCIE_CPL_HEADERS, Math.max(choose([8, 64, 1000]), headers + 8)],
    [abi.S_PCIE_PH, choose([1, 2, 5, 127, abi.CREDITS_ENDLESS])],
    [abi.S_PCIE_PD, choose([mps / 16, mps / 16 + 1, 96, 1024, abi.CREDITS_ENDLESS])],
    [abi.S_PCIE_NPH, choose([1, 2, 7, 127, abi.CREDITS_ENDLESS])],
    [abi.S_PCIE_DOWN_PH, 64],
    [abi.S_PCIE_DOWN_PD, 64],
    [abi.S_PCIE_DLL, dll],
    [abi.S_PCIE_LIMIT, dll === abi.DLL_ACK_PER_TLP ? 0 : choose([20, 163, 203]) * symbol],
    [abi.S_PCIE_SKP_PERIOD, dll === abi.DLL_NONE ? 0 : choose([0, 200, 1538, 5920]) * symbol],
    [abi.S_PCIE_SKP_TICKS, choose([4, 16]) * symbol],
    [abi.S_PCIE_UNPADDED, dll === abi.DLL_NONE ? choose([0, 1]) : 0],
    [abi.S_PCIE_REPLAY_BYTES, choose([24 + mps, 2 * mps + 60, 5000, 32_768])],
  ];
}

function rootRows(choose: Choose, seed: number): Rows {
  const [reads, writes] = [choose(MEMORY), choose(MEMORY)];
  return [
    [abi.S_MEM_READ_LATENCY, choose([0, 100, 422, 2000]) * NS],
    [abi.S_MEM_READ_NUM, reads[0]],
    [abi.S_MEM_READ_DEN, reads[1]],
    [abi.S_MEM_WRITE_NUM, writes[0]],
    [abi.S_MEM_WRITE_DEN, writes[1]],
    [abi.S_MEM_MISS_ADDER, choose([0, 56, 700]) * NS],
    [abi.S_MEM_MISS_SHARE, choose([0, 2 ** 30, 2 ** 31, 2 ** 32])],
    [abi.S_MEM_REMOTE_ADDER, choose([0, 115]) * NS],
    [abi.S_MEM_CONTENTION, choose([0, 56, 700]) * NS],
    [abi.S_MEM_LOAD, choose([0, 1, 40_000, 62_259])],
    [abi.S_MEM_WINDOW, choose([100, 1000, 7000.5]) * NS],
    [abi.S_MEM_WINDOW_BYTES, choose([64, 1000, 36_210, 10_000_000])],
    [abi.S_MEM_SEED, seed],
    [abi.S_MEM_JITTER, choose([0, 1])],
    [abi.S_IOMMU_SETS, choose([0, 1, 1, 4, 16])],
    [abi.S_IOMMU_WAYS, choose([1, 2, 8])],
    [abi.S_IOMMU_WALKERS, choose([1, 2, 5, abi.WALKERS_MAX])],
    [abi.S_IOMMU_WALK, choose([50, 237, 1500]) * NS],
    [abi.S_IOMMU_RECOVERY, choose([0, 33]) * NS],
    [abi.S_IOMMU_READ, choose([0, 19 * NS])],
    [abi.S_IOMMU_PAGE_LOG, choose([12, 12, 21])],
    [abi.S_PCIE_RELAXED, choose([0, 1])],
    [abi.S_IOMMU_SERIAL, choose([0, 1])],
  ];
}

function tenantRows(choose: Choose): Rows {
  const kind = choose([abi.TENANT_READ, abi.TENANT_WRITE, abi.TENANT_BOTH]);
  const bytes = choose([1, 8, 64, 65, 200, 256, 512, 1000, 2048, 4096, 9000]);
  const tags = choose([1, 2, 7, 32, 256]);
  const [entries, requests] = [choose([0, 0, 1, 2, 16, 64]), choose([1, 2, 8])];
  return [
    [abi.S_ATS_ENTRIES, entries],
    [abi.S_ATS_REQUESTS, requests],
    [abi.S_PCIE_TAGS, tags],
    [abi.S_TEN_TAGS, tags],
    [abi.S_TEN_KIND, kind],
    [abi.S_TEN_BYTES, bytes],
    [abi.S_TEN_STRIDE, choose([64, 100, 4096, bytes, 2 ** 21 + 64])],
    [abi.S_TEN_PLACES, choose([1, 3, 64, 1000])],
    [abi.S_TEN_RANDOM, choose([0, 1])],
    // of one worker that reads and writes in turn there is none
    [abi.S_TEN_DEPTH, Math.max(choose([1, 2, 3, 16, 64]), kind === abi.TENANT_BOTH ? 2 : 1)],
    [abi.S_TEN_GAP, choose([0, 0, 5, 300]) * NS],
    [abi.S_TEN_START, choose([0, 38]) * NS],
    [abi.S_TEN_ISSUE, choose([0, 1, 4]) * NS],
    [abi.S_TEN_TAG, choose([0, 75]) * NS],
    [abi.S_TEN_TAG_RINGS, choose([0, 1, 2, 3])],
    [abi.S_TEN_COMPLETIONS, choose([0, 64, 100])],
    [abi.S_TEN_COPY_NUM, choose([0, 148 * NS])],
    [abi.S_TEN_COPY_DEN, 1024],
    [abi.S_TEN_FLOOR, choose([0, 21.1]) * NS],
    [abi.S_TEN_BURST, choose([64, 512, 4096])],
    [abi.S_TEN_BURST_GAP, choose([0, 4.4]) * NS],
  ];
}

/** Packets that arrive spoilt, and a link that goes down: of half of the configurations each. */
function aroundRows(choose: Choose): Rows {
  const errors = choose([0, 0, 1e-5, 1e-4]);
  const [downAt, downFor] = [choose([0, 1, 2.5, 7]), choose([0, 0, 0.1, 3])];
  return [
    [abi.S_PCIE_ERRORS, 8 * errors * 2 ** 48],
    [abi.S_PCIE_DOWN_AT, 1000 * downAt * NS],
    [abi.S_PCIE_DOWN_FOR, 1000 * downFor * NS],
  ];
}

/** A configuration by its seed. */
export function randomProbe(seed: number): ProbeConfig {
  const next = generator(seed);
  const choose: Choose = (of) => of[Math.floor(next() * of.length)]!;
  const rows = [...linkRows(choose), ...rootRows(choose, seed), ...tenantRows(choose)];
  const more: Rows = [
    [abi.S_CARD_NUM, NS],
    [abi.S_CARD_DEN, 1],
    [abi.S_WRITE_QUEUES, 2],
    [abi.S_PCIE_NPD, abi.CREDITS_ENDLESS],
    [abi.S_PCIE_REQUEST_BYTES, 24],
    [abi.S_PCIE_COMPLETION_BYTES, 20],
  ];
  const p: number[] = new Array(abi.S_COUNT).fill(0);
  for (const [key, value] of [...rows, ...more]) p[key] = Math.round(value);
  // without an IOMMU nothing is translated; translation requests have tags beside the others
  if (p[abi.S_IOMMU_SETS] === 0) p[abi.S_ATS_ENTRIES] = 0;
  else if (p[abi.S_ATS_ENTRIES] !== 0) p[abi.S_PCIE_TAGS]! += p[abi.S_ATS_REQUESTS]!;
  const jitter = Array.from({ length: abi.JITTER_STEPS }, () => Math.floor(next() ** 4 * 500 * NS));
  const operations = choose([40, 100, 200]);
  for (const [key, value] of aroundRows(choose)) p[key] = Math.round(value);
  return { name: `configuration ${seed}`, p, jitter, operations };
}

/** What a core says of a probe. */
export interface ProbeReading {
  /** After each stop for one operation more: those that had ended, those that wrote, when the last did. */
  readonly stops: readonly (readonly [done: number, writes: number, endAt: number])[];
  readonly latencies: readonly number[];
  readonly counters: readonly number[];
  /** Ticks of every account in every state. */
  readonly books: readonly bigint[];
  readonly events: readonly Happening[];
}

/** Runs a probe on a build of the core, an operation at a time. */
export function readProbe({ name, p, jitter, operations }: ProbeConfig, variant: Variant): ProbeReading {
  const core = new Core(coreModule(variant));
  for (const [key, value] of p.entries()) core.setSideParam(0, key, value);
  for (const [step, ticks] of jitter.entries()) core.fn("setJitter")(0, step, ticks);
  if (Number(core.fn("buildPcieProbe")()) === 0) throw new Error(`${name}: not built`);
  const at = core.address("probeMarks");
  const stops: [number, number, number][] = [];
  for (let done = 0; done < operations; done = stops.at(-1)![0]) {
    const ran = Number(core.fn("runPcieProbe")(done + 1));
    if (ran === 0) throw new Error(`invariant ${core.global("brokenInvariant")}: ${name}`);
    stops.push([Number(core.u64(at + 8)), Number(core.u64(at + 16)), Number(core.u64(at))]);
  }
  const from = core.address("probeLatencies");
  const latencies = Array.from({ length: stops.at(-1)![0] }, (_, i) => Number(core.u64(from + 8 * i)));
  core.fn("closePcieProbe")();
  const counters = Array.from({ length: abi.COUNTERS }, (_, i) => core.counter(0, i));
  const books: bigint[] = [];
  const accounts = core.address("accountsAt");
  for (let account = 0; account < abi.ACCOUNTS; account++) {
    for (let state = 0; state < abi.STATES; state++)
      books.push(core.u64(accounts + account * abi.ACCOUNT_BYTES + 16 + 8 * state));
  }
  return { stops, latencies, counters, books, events: variant === "instrumented" ? timelineOf(core) : [] };
}

/** The stops that a predicted run makes. */
function stopsOf(run: ProbeRun): [number, number, number][] {
  return run.ended.flatMap((e, i) => {
    const last = run.ended[i + 1]?.seenAt !== e.seenAt;
    const writes = run.ended.slice(0, i + 1).filter(({ kind }) => kind === "write").length;
    return last ? [[i + 1, writes, e.endAt] as [number, number, number]] : [];
  });
}

const kindsOf = (packets: readonly Packet[], ...kinds: number[]): Packet[] =>
  packets.filter((e) => kinds.includes(e.kind));
const sumOf = (packets: readonly Packet[], key: "what" | "amount"): number =>
  packets.reduce((sum, e) => sum + e[key], 0);

/** What must have been counted; of the wire down, completions may have been sent ahead. */
function countersOf(p: readonly number[], run: ProbeRun): [name: string, index: number, value: number][] {
  const [up, down] = run.link.wires;
  const tlps = kindsOf(up, abi.T_TLP, abi.T_SPOILT);
  // what a read asks for is no data of the wire up, nor what arrives spoilt
  const data = tlps.filter((e) => e.port < 4);
  // but the operands of an AtomicOp are
  const operands =
    p[abi.S_TEN_ATOMIC]! * p[abi.S_TEN_BYTES]! * kindsOf(up, abi.T_TLP).filter((e) => e.port === 7).length;
  return [
    ["operations", abi.C_TENANT_OPS, run.ended.length],
    ["their bytes", abi.C_TENANT_BYTES, run.ended.length * p[abi.S_TEN_BYTES]!],
    ["IOTLB hits", abi.C_IOTLB_HITS, run.lookups.hits],
    ["IOTLB misses", abi.C_IOTLB_MISSES, run.lookups.misses],
    ["ATC hits", abi.C_ATC_HITS, run.translations.hits],
    ["ATC misses", abi.C_ATC_MISSES, run.translations.misses],
    ["TLPs up", abi.C_UP_TLPS, tlps.length],
    ["bytes up", abi.C_UP_TLP_BYTES, sumOf(tlps, "what")],
    ["data up", abi.C_UP_DATA_BYTES, sumOf(data, "amount") + operands],
    ["replays up", abi.C_UP_REPLAYS, kindsOf(up, abi.T_SPOILT).length],
    ["DLLPs up", abi.C_UP_DLLP_BYTES, 8 * kindsOf(up, abi.T_DLLP).length],
    ["DLLPs down", abi.C_DOWN_DLLP_BYTES, 8 * kindsOf(down, abi.T_DLLP).length],
    ["SKPs up", abi.C_UP_SKP, kindsOf(up, abi.T_SKP).length],
    ["SKPs down", abi.C_DOWN_SKP, kindsOf(down, abi.T_SKP).length],
  ];
}

/** Compares a core's probe with the reference: when each operation ended, its latency, what was counted. */
export function sameProbe(config: ProbeConfig, reading: ProbeReading): ProbeRun {
  const { name, p, jitter } = config;
  const run = predictProbe(p, jitter, reading.stops.at(-1)![0]);
  sameLists(`${name}: stop`, reading.stops, stopsOf(run));
  sameLists(
    `${name}: latency`,
    reading.latencies,
    run.ended.map((e) => e.latencyTicks),
  );
  for (const [what, index, value] of countersOf(p, run))
    same(`${name}: ${what}`, reading.counters[index], value);
  return run;
}

/** Compares every packet of both wires of an instrumented run, and when memory had what was read. */
export function samePackets({ name }: ProbeConfig, reading: ProbeReading, run: ProbeRun): number {
  const until = (e: Packet): boolean => e.startAt <= run.untilAt;
  const events = [...reading.events];
  let compared = 0;
  for (const wire of [0, 1] as const) {
    const mine = packetsOf({ events }, 0, wire).filter(until);
    compared += sameLists(
      `${name}: packet ${wire ? "down" : "up"}`,
      mine,
      run.link.wires[wire].filter(until),
    );
  }
  const ready = events.filter((e) => e.kind === abi.T_PUT && e.which === 9).map((e) => [e.t, e.a, e.b]);
  const predicted = run.link.completions.map((e) => [e.readyAt, e.bytes, e.address]);
  return compared + sameLists(`${name}: completion`, ready, predicted);
}
