// SPDX-License-Identifier: Apache-2.0
/** The part of params.ts that is about the PCIe link and the root complex behind it. */
import * as abi from "../../../assembly/abi.ts";
import { exact, type Preset, writtenAt } from "./written.ts";

export const TICKS_PER_SECOND = 1_024_000_000_000_000n;

/** Transfers a second of a lane in millions, and bits on the wire for so many bits of data. */
const CODING: Readonly<Record<number, [mts: number, wire: number, data: number]>> = {
  1: [2500, 10, 8],
  2: [5000, 10, 8],
  3: [8000, 130, 128],
  4: [16000, 130, 128],
  5: [32000, 130, 128],
  // PAM4: no line code, what FLITs take is below
  6: [64000, 1, 1],
};

/**
 * Ack transmission latency limits in symbol times, PCI Express Base Specification 3.0 tables 3-7 (2.5 GT/s),
 * 3-8 (5 GT/s) and 3-9 (8 GT/s; Gen4 and Gen5 keep it): a row for MPS 128, 256 … 4096, columns x1, x2, x4,
 * x8, x16.
 */
export const ACK_LIMITS: Readonly<Record<number, readonly (readonly number[])[]>> = {
  1: [
    [237, 128, 73, 67, 48],
    [416, 217, 118, 107, 72],
    [559, 289, 154, 86, 86],
    [1071, 545, 282, 150, 150],
    [2095, 1057, 538, 278, 278],
    [4143, 2081, 1050, 534, 534],
  ],
  2: [
    [288, 179, 124, 118, 99],
    [467, 268, 169, 158, 123],
    [610, 340, 205, 137, 137],
    [1122, 596, 333, 201, 201],
    [2146, 1108, 589, 329, 329],
    [4194, 2132, 1101, 585, 585],
  ],
  3: [
    [333, 224, 169, 163, 144],
    [512, 313, 214, 203, 168],
    [655, 385, 250, 182, 182],
    [1167, 641, 378, 246, 246],
    [2191, 1153, 634, 374, 374],
    [4239, 2177, 1146, 630, 630],
  ],
};

interface Skp {
  readonly every: number;
  readonly symbols: number;
}

/** SKP ordered sets: one of 4 symbols every 1538 in 8b/10b; of 16, a block, every 370 blocks in 128b/130b. */
const SKP: Readonly<Record<"coded10" | "coded130", Skp>> = {
  coded10: { every: 1538, symbols: 4 },
  coded130: { every: 370 * 16, symbols: 16 },
};

/** Tags of a requester: 8 bits to Gen3, 10 bits (768 of 1024 usable) above, all 1024 of the core at Gen6. */
const TAGS: readonly number[] = [0, 256, 256, 256, 768, 768, 1024];
const VSOCK_TAGS = 4;

/** Ticks of a time, which must be whole. */
export function ticks(value: unknown): number {
  const { num, den } = exact(value);
  if ((num * TICKS_PER_SECOND) % den !== 0n) throw new Error(`${value} is no whole number of ticks`);
  return Number((num * TICKS_PER_SECOND) / den);
}

export function whole(value: unknown): number {
  const { num, den } = exact(value);
  if (num % den !== 0n) throw new Error(`${value} is not whole`);
  return Number(num / den);
}

/** Ticks a byte of a link: 8 bits in their coding over the rate of a lane, over the lanes. */
export function linkTicksPerByte(generation: number, lanes: number): number {
  const [mts, wire, data] = CODING[generation]!;
  return (8 * wire * Number(TICKS_PER_SECOND / 1_000_000n)) / (data * mts * lanes);
}

/** Symbols until an ACK or an UpdateFC is due. */
export function ackLimit(generation: number, lanes: number, mps: number): number {
  return ACK_LIMITS[Math.min(generation, 3)]![Math.log2(mps / 128)]![Math.log2(lanes)]!;
}

export type Put = (key: number, value: number) => void;

/** Puts rows of S_ constant and preset key as they are. */
export function putAll(
  p: Put,
  preset: Preset,
  read: (value: unknown) => number,
  rows: [number, string][],
): void {
  for (const [key, name] of rows) p(key, read(preset(name)));
}

/** What a data link layer takes of the wire, and when a receiver answers. */
export type Dll = "explicit" | "pciebench" | "ack-per-tlp" | "none";

/**
 * Ticks a byte at `perMille` of a link's rate. pcie-bench's model takes off two DLLPs of 8 bytes each limit,
 * as if a symbol were one byte, and 4 in 1538 for SKP: rate x (1 - 8/limit - 8/limit - 4/1538).
 */
export function wireTicksPerByte(perByte: number, limit: number, dll: Dll, perMille: number): number {
  const rate = perMille / 1000 / perByte;
  const left = dll === "pciebench" ? rate * (1 - 8 / limit - 8 / limit - 4 / 1538) : rate;
  return Math.round(1 / left);
}

const DLL_WORDS: Readonly<Record<Dll, number>> = {
  explicit: abi.DLL_EXPLICIT,
  "ack-per-tlp": abi.DLL_ACK_PER_TLP,
  pciebench: abi.DLL_NONE,
  none: abi.DLL_NONE,
};

function dataLink(p: Put, perByte: number, symbol: number, limit: number, dll: Dll, skp: Skp): void {
  const skips = dll === "explicit" || dll === "ack-per-tlp";
  // an ACK for every packet is due at once
  p(abi.S_PCIE_LIMIT, dll === "ack-per-tlp" ? 0 : limit * symbol);
  p(abi.S_PCIE_DLL, DLL_WORDS[dll]);
  p(abi.S_PCIE_UNPADDED, dll === "pciebench" ? 1 : 0);
  p(abi.S_PCIE_SKP_PERIOD, skips ? skp.every * symbol : 0);
  p(abi.S_PCIE_SKP_TICKS, skp.symbols * symbol);
  p(abi.S_PCIE_TICKS_PER_BYTE, wireTicksPerByte(perByte, limit, dll, 1000));
}

/** The link of a host and a card. */
export function pcie(p: Put, host: Preset, card: Preset, asked: Dll, ecrc: boolean): void {
  const lower = (key: string): number => Math.min(whole(host(key)), whole(card(key)));
  const [generation, lanes] = [lower("pcie.generation"), lower("pcie.lanes")];
  const [mps, mrrs] = [lower("pcie.mps"), lower("pcie.mrrs")];
  const perByte = linkTicksPerByte(generation, lanes);
  // FLITs of 256 bytes carry 236 of TLPs, their acknowledgements and credits, and need no framing each
  const dll = generation === 6 ? "none" : asked;
  const framing = generation === 6 ? 0 : 4 + 4;
  p(abi.S_PCIE_REQUEST_BYTES, framing + 16 + (ecrc ? 4 : 0));
  p(abi.S_PCIE_COMPLETION_BYTES, framing + 12 + (ecrc ? 4 : 0));
  const symbol = perByte * lanes;
  const skp = generation <= 2 ? SKP.coded10 : SKP.coded130;
  const credits = (value: unknown): number => whole(value) || abi.CREDITS_ENDLESS;
  const batch = whole(card("dma.descriptorBatch")) * whole(card("dma.descriptorBytes"));
  const fetches = whole(card("dma.prefetchBatches")) * Math.ceil(batch / mrrs);
  const limit = ackLimit(generation, lanes, mps);
  const taken = generation === 6 ? (perByte * 256) / 236 : perByte;
  dataLink(p, taken, symbol, limit, dll, skp);
  p(abi.S_PCIE_DOWN_TICKS_PER_BYTE, wireTicksPerByte(taken, limit, dll, whole(card("pcie.linkShare"))));
  p(abi.S_PCIE_LANES, lanes);
  p(abi.S_PCIE_MPS, mps);
  p(abi.S_PCIE_MRRS, mrrs);
  p(abi.S_PCIE_TAGS, Math.min(whole(card("pcie.tags")), TAGS[generation]!));
  p(abi.S_PCIE_TAGS_VSOCK, VSOCK_TAGS);
  p(abi.S_PCIE_TAGS_DESC, card("dma.ring") === "host" ? fetches : 0);
  putAll(p, host, whole, [
    [abi.S_PCIE_RCB, "pcie.rcb"],
    [abi.S_PCIE_COMBINE_ABOVE, "pcie.combineAbove"],
  ]);
  putAll(p, host, credits, [
    [abi.S_PCIE_PH, "pcie.phCredits"],
    [abi.S_PCIE_PD, "pcie.pdCredits"],
    [abi.S_PCIE_NPH, "pcie.nphCredits"],
    [abi.S_PCIE_NPD, "pcie.npdCredits"],
  ]);
  putAll(p, card, credits, [
    [abi.S_PCIE_DOWN_PH, "pcie.phCredits"],
    [abi.S_PCIE_DOWN_PD, "pcie.pdCredits"],
  ]);
  putAll(p, card, whole, [
    [abi.S_PCIE_CPL_BYTES, "pcie.completionBuffer"],
    [abi.S_PCIE_CPL_HEADERS, "pcie.completionHeaders"],
    [abi.S_PCIE_REPLAY_BYTES, "pcie.replayBuffer"],
  ]);
}

/** A request's address is translated in pages of 4 KiB or 2 MiB, or not at all. */
function iommu(p: Put, host: Preset, pages: string): void {
  const [entries, ways] = [whole(host("iommu.entries")), whole(host("iommu.ways"))];
  // no more ways than entries, one set at least
  p(abi.S_IOMMU_WAYS, ways < entries ? ways : entries);
  p(abi.S_IOMMU_SETS, pages === "off" ? 0 : ways < entries ? Math.floor(entries / ways) : 1);
  p(abi.S_IOMMU_PAGE_LOG, pages === "2MiB" ? 12 + 9 : 12);
  p(abi.S_IOMMU_SERIAL, host("iommu.serialWalks") === "yes" ? 1 : 0);
  putAll(p, host, whole, [[abi.S_IOMMU_WALKERS, "iommu.walkers"]]);
  putAll(p, host, ticks, [
    [abi.S_IOMMU_WALK, "iommu.walk"],
    [abi.S_IOMMU_RECOVERY, "iommu.recovery"],
    [abi.S_IOMMU_READ, "iommu.readPerCompletion"],
  ]);
}

/** Load of memory: of thousandths, over 1 us of the bandwidth that it sustains. Every read misses. */
function load(p: Put, host: Preset, on: boolean): void {
  const { num, den } = exact(host("memory.bandwidth"));
  const thousandths = (key: string): bigint => BigInt(whole(host(`memory.${key}`)));
  const miss = BigInt(ticks(host("memory.missAdder")));
  // half a tick up
  p(abi.S_MEM_CONTENTION, on ? Number((miss * thousandths("contention") + 500n) / 1000n) : 0);
  p(abi.S_MEM_LOAD, Number((thousandths("load") * 65536n) / 1000n));
  p(abi.S_MEM_WINDOW, Number(TICKS_PER_SECOND / 1_000_000n));
  p(abi.S_MEM_WINDOW_BYTES, Number((num * thousandths("sustained")) / (den * 1000n * 1_000_000n)));
  p(abi.S_MEM_MISS_SHARE, 2 ** 32);
}

/** Of a migration: every line misses; the rest is the seed's. */
export function rootComplex(p: Put, host: Preset, card: Preset, scenario: object): void {
  p(abi.S_PCIE_RELAXED, writtenAt(scenario, "internal.relaxedOrdering") === "on" ? 1 : 0);
  p(abi.S_ATS_ENTRIES, writtenAt(scenario, "internal.ats") === "on" ? whole(card("ats.entries")) : 0);
  putAll(p, card, whole, [[abi.S_ATS_REQUESTS, "ats.requests"]]);
  iommu(p, host, `${writtenAt(scenario, "internal.iommu") ?? "off"}`);
  const remote = writtenAt(scenario, "internal.numa") === "remote";
  p(abi.S_MEM_ATOMIC, ticks(host("memory.atomicAdder")));
  p(abi.S_MEM_REMOTE_ADDER, remote ? ticks(host("memory.remoteAdder")) : 0);
  p(abi.S_MEM_SEED, whole(writtenAt(scenario, "seed") ?? 1));
  const jitter = writtenAt(scenario, "internal.jitter") === "on" && ticks(host("memory.jitterMax")) > 0;
  p(abi.S_MEM_JITTER, jitter ? 1 : 0);
  load(p, host, writtenAt(scenario, "internal.contention") === "on");
}

/**
 * Quantile i of 1024 stands for all up to (i + 1)/1024: straight lines through those that the host has, at
 * 0 (the least), 50, 500, 950, 990, 999 and 1000 of 1000.
 */
export function jitterOf(host: Preset, on: boolean): number[] {
  const of = (key: string): number => ticks(host(`memory.${key}`));
  const corners: [at: number, ticks: number][] = [
    [0, 0],
    [50, of("jitterMin") - of("jitterP5")],
    [500, of("jitterMin")],
    [950, of("jitterMin") + of("jitterP95")],
    [990, of("jitterMin") + of("jitterP99")],
    [999, of("jitterMin") + of("jitterP999")],
    [1000, of("jitterMin") + of("jitterMax")],
  ];
  return Array.from({ length: abi.JITTER_STEPS }, (_, i) => {
    const perMille = ((i + 1) * 1000) / abi.JITTER_STEPS;
    const above = corners.findIndex(([at]) => perMille <= at);
    if (!on) return 0;
    const [[from, low], [to, high]] = [corners[above - 1]!, corners[above]!];
    return Math.round(low + ((high - low) * (perMille - from)) / (to - from));
  });
}
