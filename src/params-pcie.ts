// SPDX-License-Identifier: Apache-2.0
/** Parameters of a card's PCIe link and the host memory behind it: of a side of a migration or of a probe. */
import * as abi from "../assembly/abi.ts";
import { isAtomic, type Operation, operandsOf } from "./atomics.ts";
import type { Core } from "./core.ts";
import type { Ratio, ResolvedCard, ResolvedPcie, ResolvedScenario } from "./scenario/types.ts";
import type { ResolvedHost } from "./scenario/types-host.ts";

export type Put = (key: number, value: number) => void;
export type Dll = ResolvedScenario["internal"]["dll"];

/** Sets numerator and denominator, whose keys follow each other. */
export function putRatio(p: Put): (key: number, ratio: Ratio) => void {
  return (key, [num, den]) => {
    p(key, num);
    p(key + 1, den);
  };
}

/**
 * Symbols after which ACK and UpdateFC are due: PCIe Base Specification 3.0 tables 3-7 to 3-9 as a formula.
 */
export function dllpLimitSymbols(generation: number, lanes: number, mps: number): number {
  const factor = mps <= 256 ? (lanes <= 4 ? 1.4 : lanes <= 8 ? 2.5 : 3.0) : lanes <= 8 ? 1.0 : 2.0;
  const delay = generation === 1 ? 19 : generation === 2 ? 70 : 115;
  return Math.floor(((mps + 28) * factor) / lanes + delay);
}

/** Period and length in ticks of SKP ordered sets. */
function skp(generation: number, lanes: number, ticksPerByte: number): [period: number, length: number] {
  const symbol = ticksPerByte * lanes;
  // 8b/10b: 4 symbols a lane every 1538; 128b/130b: one 16-byte set a lane every 370 blocks of 16
  return generation <= 2 ? [1538 * symbol, 4 * symbol] : [370 * 16 * symbol, 16 * symbol];
}

/**
 * Share of the encoded rate that pcie-bench's model leaves to TLPs: 8 bytes for an ACK and for an UpdateFC
 * each `limit` symbols, as if a symbol were a byte, and SKP.
 */
function pciebenchShare(limitSymbols: number): number {
  return 1 - 16 / limitSymbols - 4 / 1538;
}

/** Ticks of a byte on the wire: what the line code leaves, the receiver takes in, a model takes off. */
function wireTicksPerByte(pcie: ResolvedPcie, dll: Dll, perMille: number): number {
  const flits = pcie.generation >= 6 ? FLIT_BYTES / FLIT_TLP_BYTES : 1;
  const filled = (pcie.ticksPerByte * flits * 1000) / perMille;
  const limit = dllpLimitSymbols(pcie.generation, pcie.lanes, pcie.mpsBytes);
  return Math.round(dll === "pciebench" ? filled / pciebenchShare(limit) : filled);
}

/** What is not usual on a link. */
export interface LinkOptions {
  /** An end-to-end CRC of 4 bytes on each TLP. */
  readonly ecrc?: boolean;
  /** Requests with addresses of 32 bits. */
  readonly shortAddress?: boolean;
  /** Probability that a bit arrives wrong. */
  readonly bitErrorRate?: number;
  /** Data writes do not wait for the translations of others. */
  readonly relaxed?: boolean;
  /** When the link is down, ticks. */
  readonly down?: { readonly atTicks: number; readonly forTicks: number } | null;
}

/** Bytes of a FLIT, and those of them that hold TLPs: PCIe Base Specification 6.0. */
const FLIT_BYTES = 256;
const FLIT_TLP_BYTES = 236;

/**
 * Bytes of a request and of a completion beside their data: framing, sequence number and LCRC of 8 bytes,
 * which a FLIT has for all its TLPs together, a header of 16 or 12.
 */
function overheads(generation: number, options: LinkOptions): [request: number, completion: number] {
  const each = (generation >= 6 ? 0 : 8) + (options.ecrc === true ? 4 : 0);
  return [each + (options.shortAddress === true ? 12 : 16), each + 12];
}

/** Parameters of a PCIe link with a data link layer. FLITs carry acknowledgements and credits themselves. */
export function setLink(p: Put, pcie: ResolvedPcie, asked: Dll, options: LinkOptions = {}): void {
  const dll = pcie.generation >= 6 ? "none" : asked;
  const symbol = pcie.ticksPerByte * pcie.lanes;
  const [period, length] = skp(pcie.generation, pcie.lanes, pcie.ticksPerByte);
  const explicit = dll === "explicit";
  const skips = explicit || dll === "ack-per-tlp";
  const limit = dll === "ack-per-tlp" ? 0 : dllpLimitSymbols(pcie.generation, pcie.lanes, pcie.mpsBytes);
  p(abi.S_PCIE_TICKS_PER_BYTE, wireTicksPerByte(pcie, dll, 1000));
  p(abi.S_PCIE_DOWN_TICKS_PER_BYTE, wireTicksPerByte(pcie, dll, pcie.linkSharePerMille));
  const [request, completion] = overheads(pcie.generation, options);
  p(abi.S_PCIE_REQUEST_BYTES, request);
  p(abi.S_PCIE_COMPLETION_BYTES, completion);
  p(abi.S_PCIE_ERRORS, Math.round((options.bitErrorRate ?? 0) * 8 * 2 ** 48));
  p(abi.S_PCIE_DOWN_AT, options.down?.atTicks ?? 0);
  p(abi.S_PCIE_DOWN_FOR, options.down?.forTicks ?? 0);
  p(abi.S_PCIE_RELAXED, options.relaxed === true ? 1 : 0);
  p(abi.S_PCIE_LANES, pcie.lanes);
  p(abi.S_PCIE_MPS, pcie.mpsBytes);
  p(abi.S_PCIE_MRRS, pcie.mrrsBytes);
  p(abi.S_PCIE_RCB, pcie.rcbBytes);
  p(abi.S_PCIE_COMBINE_ABOVE, pcie.combineAboveBytes);
  p(abi.S_PCIE_FLIGHT, pcie.flightTicks);
  p(abi.S_PCIE_TAGS, pcie.tags);
  p(abi.S_PCIE_CPL_BYTES, pcie.completionBufferBytes);
  p(abi.S_PCIE_CPL_HEADERS, pcie.completionHeaders);
  p(abi.S_PCIE_PH, pcie.hostCredits.ph || abi.CREDITS_ENDLESS);
  p(abi.S_PCIE_PD, pcie.hostCredits.pd || abi.CREDITS_ENDLESS);
  p(abi.S_PCIE_NPH, pcie.hostCredits.nph || abi.CREDITS_ENDLESS);
  p(abi.S_PCIE_NPD, pcie.hostCredits.npd || abi.CREDITS_ENDLESS);
  p(abi.S_PCIE_DOWN_PH, pcie.cardCredits.ph || abi.CREDITS_ENDLESS);
  p(abi.S_PCIE_DOWN_PD, pcie.cardCredits.pd || abi.CREDITS_ENDLESS);
  p(abi.S_PCIE_LIMIT, limit * symbol);
  p(abi.S_PCIE_DLL, explicit ? abi.DLL_EXPLICIT : skips ? abi.DLL_ACK_PER_TLP : abi.DLL_NONE);
  p(abi.S_PCIE_UNPADDED, dll === "pciebench" ? 1 : 0);
  p(abi.S_PCIE_SKP_PERIOD, skips ? period : 0);
  p(abi.S_PCIE_SKP_TICKS, length);
  p(abi.S_PCIE_REPLAY_BYTES, pcie.replayBufferBytes);
}

/** Rates of host memory, and the latency of a read at the root complex. */
export function setMemory(p: Put, memory: ResolvedHost["memory"], latencyTicks: number): void {
  p(abi.S_MEM_READ_LATENCY, Math.max(0, latencyTicks));
  putRatio(p)(abi.S_MEM_READ_NUM, memory.ticksPerByte);
  putRatio(p)(abi.S_MEM_WRITE_NUM, memory.ticksPerByte);
  p(abi.S_MEM_ATOMIC, memory.atomicAdderTicks);
}

/** Ticks over which the card's own bytes are counted as load of memory: 1 us, assumed. */
const LOAD_WINDOW_TICKS = 1000 * abi.TICKS_PER_NS;

/** Reads that miss wait longer the more memory has to do; not at all when off. */
export function setContention(p: Put, memory: ResolvedHost["memory"], on: boolean): void {
  const [num, den] = memory.ticksPerByte;
  const ticks = (memory.missAdderTicks * memory.contentionPerMille) / 1000;
  const bytes = BigInt(LOAD_WINDOW_TICKS * memory.sustainedPerMille) * BigInt(den);
  p(abi.S_MEM_CONTENTION, on ? Math.round(ticks) : 0);
  p(abi.S_MEM_LOAD, Math.floor((memory.loadPerMille * 2 ** 16) / 1000));
  p(abi.S_MEM_WINDOW, LOAD_WINDOW_TICKS);
  p(abi.S_MEM_WINDOW_BYTES, Number(bytes / (1000n * BigInt(Math.max(1, num)))));
}

/** Translation of a card's addresses in pages of a size; none with `off`. */
export function setIommu(p: Put, host: Pick<ResolvedHost, "iommu">, pages: "off" | "4KiB" | "2MiB"): void {
  const { iommu } = host;
  p(abi.S_IOMMU_SETS, pages === "off" ? 0 : Math.max(1, Math.floor(iommu.entries / iommu.ways)));
  p(abi.S_IOMMU_WAYS, Math.min(iommu.ways, iommu.entries));
  p(abi.S_IOMMU_WALKERS, iommu.walkers);
  p(abi.S_IOMMU_WALK, iommu.walkTicks);
  p(abi.S_IOMMU_RECOVERY, iommu.recoveryTicks);
  p(abi.S_IOMMU_READ, iommu.readTicksPerCompletion);
  p(abi.S_IOMMU_PAGE_LOG, pages === "2MiB" ? 21 : 12);
  p(abi.S_IOMMU_SERIAL, iommu.serialWalks ? 1 : 0);
}

/** Translations that the card keeps, and asks for; none unless on. */
export function setAts(p: Put, ats: ResolvedCard["ats"], on: boolean): void {
  p(abi.S_ATS_ENTRIES, on ? ats.entries : 0);
  p(abi.S_ATS_REQUESTS, ats.requests);
}

/** Latency of a read at the root complex, published with both flights: of the median, or the least one. */
export function rootLatencyTicks(
  host: Pick<ResolvedHost, "memory">,
  pcie: ResolvedPcie,
  jitter: boolean,
): number {
  const { readLatencyTicks, jitter: spread } = host.memory;
  return readLatencyTicks - 2 * pcie.flightTicks - (jitter && spread.maxTicks > 0 ? spread.minTicks : 0);
}

/**
 * The table from which a read's jitter is drawn, beginning with the least: straight lines between the
 * quantiles, the last step the most. The latency of reads is then the least one, rootLatencyTicks().
 */
export function setJitter(
  core: Core,
  side: number,
  p: Put,
  host: Pick<ResolvedHost, "memory">,
  on: boolean,
): void {
  const { minTicks, p5Ticks, p95Ticks, p99Ticks, p999Ticks, maxTicks } = host.memory.jitter;
  p(abi.S_MEM_JITTER, on && maxTicks > 0 ? 1 : 0);
  if (!on) return;
  const known: [at: number, ticks: number][] = [
    [0.05, minTicks - p5Ticks],
    [0.5, minTicks],
    [0.95, minTicks + p95Ticks],
    [0.99, minTicks + p99Ticks],
    [0.999, minTicks + p999Ticks],
    [1, minTicks + maxTicks],
  ];
  for (let step = 0; step < abi.JITTER_STEPS; step++) {
    const at = (step + 1) / abi.JITTER_STEPS;
    const i = known.findIndex(([to]) => at <= to);
    const [to, above] = known[i]!;
    const [from, below] = known[i - 1] ?? [0, 0];
    const ticks = below + ((above - below) * (at - from)) / (to - from);
    core.fn("setJitter")(side, step, Math.round(ticks));
  }
}

const LINE_BYTES = 64;
const KINDS = { read: abi.TENANT_READ, write: abi.TENANT_WRITE, readwrite: abi.TENANT_BOTH };

/** What a DMA engine is asked to do. */
export interface Work {
  readonly op: Operation;
  readonly sizeBytes: number;
  readonly windowBytes: number;
  readonly random: boolean;
  readonly workers: number;
  /** Bytes between two places where an operation may begin; the next whole cache line by default. */
  readonly stride?: number | undefined;
  /** Ticks between two operations at least; 0 by default. */
  readonly everyTicks?: number;
}

const KIB = 1024;

/** Work for the engine of a card's other I/O. */
export function setEngine(p: Put, engine: ResolvedCard["engine"], work: Work): void {
  const stride = work.stride ?? Math.ceil(work.sizeBytes / LINE_BYTES) * LINE_BYTES;
  p(abi.S_TEN_KIND, isAtomic(work.op) ? abi.TENANT_READ : KINDS[work.op]);
  p(abi.S_TEN_ATOMIC, operandsOf(work.op));
  p(abi.S_TEN_BYTES, work.sizeBytes);
  p(abi.S_TEN_STRIDE, stride);
  p(abi.S_TEN_PLACES, Math.max(1, Math.floor(work.windowBytes / stride)));
  p(abi.S_TEN_RANDOM, work.random ? 1 : 0);
  p(abi.S_TEN_DEPTH, work.workers);
  // an operation begins when the card's memory is done with the one before
  const passes = Math.ceil((work.sizeBytes * engine.memoryTicksPerKib) / KIB);
  p(abi.S_TEN_GAP, Math.max(work.everyTicks ?? 0, passes));
  p(abi.S_TEN_START, engine.startTicks);
  p(abi.S_TEN_ISSUE, engine.issueTicks);
  p(abi.S_TEN_TAG, engine.tagHoldTicks);
  p(abi.S_TEN_TAG_RINGS, engine.tagRings);
  p(abi.S_TEN_COMPLETIONS, engine.completions);
  p(abi.S_TEN_COPY_NUM, engine.copyTicksPerKib);
  p(abi.S_TEN_COPY_DEN, KIB);
  p(abi.S_TEN_FLOOR, engine.writeFloorTicks);
  p(abi.S_TEN_BURST, engine.burstBytes);
  p(abi.S_TEN_BURST_GAP, engine.burstGapTicks);
}
