// SPDX-License-Identifier: Apache-2.0
/** From a resolved scenario to the parameter block of the core: one line a parameter. */
import * as abi from "../assembly/abi.ts";
import { type Carrying, keptEvery } from "./carried.ts";
import { gcmLatencyCycles, gcmRestCycles, gcmWordCycles } from "./cipher-clocks.ts";
import type { Core } from "./core.ts";
import { setAhead } from "./params-ahead.ts";
import { setCoding } from "./params-coding.ts";
import { setDecrypt } from "./params-decrypt.ts";
import { setDelta } from "./params-delta.ts";
import { setDeviceCosts, setDevices } from "./params-devices.ts";
import { downOf, setFailing, setFaults } from "./params-faults.ts";
import { setHosts } from "./params-hosts.ts";
import {
  type Put,
  putRatio,
  rootLatencyTicks,
  setAts,
  setContention,
  setEngine,
  setIommu,
  setJitter,
  setLink,
  setMemory,
} from "./params-pcie.ts";
import { setResidual } from "./params-residual.ts";
import { setScan } from "./params-scan.ts";
import { setStages } from "./params-stages.ts";
import { setStorage, storageStateMost } from "./params-storage.ts";
import { setThrottle } from "./params-throttle.ts";
import type { Ratio, ResolvedScenario, ResolvedSide, ResolvedTenant } from "./scenario/types.ts";
import type { ResolvedPause } from "./scenario/types-link.ts";

const SIDE_NAMES = ["source", "destination"] as const;

/** When a firmware acknowledges a single datagram: 100 us, assumed. */
export const FIRMWARE_DELAY_TICKS = 100_000n * 1_024_000n;

const CONTENT = { full: abi.CONTENT_FULL, sized: abi.CONTENT_SIZED, sampled: abi.CONTENT_SAMPLED } as const;
const ADDRESSES = {
  bitmap: abi.ADDRESSES_BITMAP,
  list: abi.ADDRESSES_LIST,
  runs: abi.ADDRESSES_RUNS,
  "card-scans": abi.ADDRESSES_BITMAP,
} as const;
const TRACKERS = {
  "write-protect": abi.TRACKER_WRITE_PROTECT,
  bitmap: abi.TRACKER_BITMAP,
  pml: abi.TRACKER_PML,
  "dirty-ring": abi.TRACKER_DIRTY_RING,
} as const;
const GROUPS = {
  static: abi.GROUPS_STATIC,
  counter: abi.GROUPS_COUNTER,
  contiguity: abi.GROUPS_CONTIGUITY,
} as const;
const POLICY = { drop: 0, stall: 1, coalesce: 2 } as const;
/** Delayed acknowledgement of Linux (TCP_DELACK_MIN), 40 ms. */
export const DELACK_TICKS = 40_000_000n * 1_024_000n;

/** Frames at both ends of the wire, control records and their acknowledgements. */
const FRAMES_SPARE = 64;

/** Events a vCPU's ring holds: fewer where bodies lie beside them. */
export function ringEvents(scenario: Carrying): number {
  return keptEvery(scenario) === 0 ? 8192 : 512;
}

/** Reads that fetch one descriptor batch. */
function descriptorReads(side: ResolvedSide): number {
  return Math.ceil((side.card.dma.descriptorBatch * side.card.dma.descriptorBytes) / side.pcie.mrrsBytes);
}

/** Tags kept for VSOCK, and for descriptors: every batch being fetched has its own. */
export function keptTags(side: ResolvedSide): { vsock: number; descriptors: number } {
  const ring = side.card.dma.ring === "host";
  return { vsock: 4, descriptors: ring ? side.card.dma.prefetchBatches * descriptorReads(side) : 0 };
}

/** Payload of a full segment. */
export function segmentBytes(link: ResolvedScenario["link"]): number {
  return Math.floor(link.mtuBytes / link.padToBytes) * link.padToBytes - link.packetHeaderBytes;
}

/** Bytes that a frame with so many payload bytes of TCP takes on the wire. */
export function frameBytes(link: ResolvedScenario["link"], payload: number): number {
  const packet = Math.ceil((link.packetHeaderBytes + payload) / link.padToBytes) * link.padToBytes;
  const frame = link.headerBytes + packet + link.fcsBytes;
  return link.preambleBytes + Math.max(link.minFrameBytes, frame) + link.gapBytes;
}

/**
 * Frames under way to one card at most, so that the core lays out a ring that holds them (docs/model.md
 * section 6): what the wire can carry while a side may be ahead, or what the windows allow. A data frame is
 * full, or ends where a record ends; a pure ACK tells of more than one MSS received or two MSS taken out, or
 * its timer has run.
 */
export function framesUnderWay(s: ResolvedScenario, quantumTicks: number): number {
  const { link, guest } = s;
  const mss = segmentBytes(link);
  const [num, den] = link.ticksPerByte;
  const propagation = Math.floor(link.rttTicks / 2);
  const byWire = Math.ceil(((propagation + quantumTicks) * den) / (frameBytes(link, 0) * num));
  const device = guest.deviceStateBytes + storageStateMost(guest.storage);
  const state = device + Math.ceil(device / 64);
  let data = 0;
  let acks = 0;
  for (const [bytes, records] of [
    [Math.min(state, link.windowBytes), abi.RECORDS_A_MAX],
    [link.windowBytes, abi.RECORDS_MAX],
  ] as const) {
    data += Math.ceil(bytes / mss) + Math.min(records, Math.ceil(bytes / abi.RECORD_HEADER_BYTES));
    acks += Math.ceil((1.5 * bytes) / mss);
  }
  const timers = 2 * Math.ceil((2 * propagation) / Number(DELACK_TICKS));
  return Math.min(byWire, Math.max(data, acks) + timers) + FRAMES_SPARE;
}

/** A path that may lose frames, as far as it bounds what is under way on it. */
export interface PathShape {
  /** Ticks per byte of the bottleneck. */
  readonly ticksPerByte: Ratio;
  readonly propagationTicks: number;
  readonly jitterTicks: number;
  readonly mssBytes: number;
  readonly bufferBytes: number;
  readonly windowBytes: number;
  /** Connections that share it. */
  readonly streams: number;
}

const powerAbove = (n: number): number => 2 ** Math.ceil(Math.log2(n));

/**
 * Segments that a connection has out at most, which is its send buffer: four times what path and queue hold,
 * since a window overshoots by as much again and its losses stay out for a round trip; or what the window
 * allows, with as many that end where a record ends.
 */
export function segmentsOut(path: PathShape): number {
  const [num, den] = path.ticksPerByte;
  const pathBytes = ((2 * path.propagationTicks + path.jitterTicks) * den) / num + path.bufferBytes;
  const most = Math.min(4 * pathBytes, 2 * path.windowBytes) / path.mssBytes;
  return powerAbove(Math.min(Math.max(1024, most + 64), 2 ** 22));
}

/** Frames under way to one card at most: what the wire carries, or what the connections have out. */
export function framesOfPath(path: PathShape, segments: number): number {
  const [num, den] = path.ticksPerByte;
  const least = 84 * num;
  const waits = (path.bufferBytes * num) / den;
  const wire = ((3 * path.propagationTicks + path.jitterTicks + waits) * den) / least;
  return Math.ceil(Math.min(wire + 1024, 4 * path.streams * segments)) + FRAMES_SPARE;
}

/** A probability as so many of 2^32. */
export function lossThreshold(probability: number): number {
  return Math.min(2 ** 32 - 1, Math.round(probability * 2 ** 32));
}

const CONGESTION = {
  none: abi.CONGESTION_NONE,
  reno: abi.CONGESTION_RENO,
  cubic: abi.CONGESTION_CUBIC,
} as const;

/** How the switch stops the port; all 0 when it does not. */
export function setPause(g: Map<number, number | bigint>, pause: ResolvedPause | null): void {
  g.set(abi.G_NET_PAUSE_HIGH, pause?.highBytes ?? 0);
  g.set(abi.G_NET_PAUSE_LOW, pause?.lowBytes ?? 0);
  g.set(abi.G_NET_PAUSE_HOP, pause?.hopTicks ?? 0);
  g.set(abi.G_NET_PAUSE_QUANTA, pause?.quanta ?? 0);
}

/** What the path does to frames, and the room for those that are under way. */
function setPath(g: Map<number, number | bigint>, s: ResolvedScenario, quantumTicks: number): void {
  const { link } = s;
  const path = {
    ticksPerByte: link.bottleneckTicksPerByte ?? link.ticksPerByte,
    propagationTicks: Math.floor(link.rttTicks / 2),
    jitterTicks: link.jitterTicks,
    mssBytes: segmentBytes(link),
    bufferBytes: link.bottleneckTicksPerByte === null ? 0 : link.bufferBytes,
    windowBytes: link.windowBytes,
    streams: link.streams,
  };
  const lossy = link.congestion !== "none" || link.transport === "udp";
  const segments = lossy ? segmentsOut(path) : 0;
  const congestion = link.transport === "udp" ? abi.CONGESTION_FIRMWARE : CONGESTION[link.congestion];
  g.set(abi.G_NET_CONGESTION, congestion);
  g.set(abi.G_NET_LOSS, lossThreshold(link.loss));
  g.set(abi.G_NET_LOSS_BACK, lossThreshold(link.loss));
  g.set(abi.G_NET_JITTER, link.jitterTicks);
  g.set(abi.G_NET_QUEUE_NUM, link.bottleneckTicksPerByte?.[0] ?? 0);
  g.set(abi.G_NET_QUEUE_DEN, link.bottleneckTicksPerByte?.[1] ?? 1);
  g.set(abi.G_NET_BUFFER, path.bufferBytes);
  setPause(g, link.pause);
  g.set(abi.G_NET_STREAMS, link.streams);
  g.set(abi.G_NET_SEGMENTS, segments);
  g.set(abi.G_NET_TUNED, link.windowGrowth === "auto" ? 1 : 0);
  g.set(abi.G_NET_FLIGHT, link.inFlightBytes ?? 0);
  g.set(abi.G_NET_FRAMES, lossy ? framesOfPath(path, segments) : framesUnderWay(s, quantumTicks));
}

/** How dirty pages are found. */
function setTracker(core: Core, g: Map<number, number | bigint>, s: ResolvedScenario): void {
  const { tracker } = s;
  setDevices(core, g, s);
  g.set(abi.G_TRACKER, TRACKERS[tracker.kind]);
  g.set(abi.G_TRACKER_GROUP, tracker.group);
  g.set(abi.G_TRACKER_RULE, GROUPS[tracker.groups]);
  g.set(abi.G_TRACKER_LOG, tracker.logEntries);
  g.set(abi.G_TRACKER_START, BigInt(tracker.startTicks ?? 0));
}

/** Writes the parameter block. */
export function setParams(core: Core, s: ResolvedScenario, pages: number, quantum: bigint | null): void {
  core.clearParams();
  const ratio = (r: Ratio | null): [number, number] => r ?? [0, 1];
  const g = new Map<number, number | bigint>();
  const propagation = BigInt(s.link.rttTicks) / 2n;
  g.set(abi.G_PAGES, pages);
  g.set(abi.G_CONTENT, CONTENT[s.content.mode]);
  g.set(abi.G_SAMPLE_EVERY, Math.max(1, s.content.sampleEvery));
  g.set(abi.G_SEED, s.seed);
  g.set(abi.G_VCPUS, s.guest.vcpus);
  g.set(abi.G_CLOCK_WALL, s.guest.clock === "wall" ? 1 : 0);
  g.set(abi.G_RING_EVENTS, ringEvents(s));
  g.set(abi.G_DEVICE_BYTES, s.guest.deviceStateBytes);
  g.set(abi.G_START_AT, BigInt(s.migration.startAtTicks));
  setTracker(core, g, s);
  setDelta(g, s);
  g.set(abi.G_CHOOSE, s.compress.choosePages ?? 0);
  g.set(abi.G_ADDRESSES, ADDRESSES[s.internal.addresses]);
  g.set(abi.G_PAGES_OVER_VSOCK, s.internal.pages === "vsock" ? 1 : 0);
  g.set(abi.G_COMPRESS, s.compress.engine === "off" ? 0 : 1);
  g.set(abi.G_ENCRYPT_BITS, s.encrypt.keyBits);
  g.set(abi.G_DOWNTIME_LIMIT, BigInt(s.migration.downtimeLimitTicks));
  g.set(abi.G_ROUNDS_MAX, s.migration.maxRounds);
  g.set(abi.G_TIMEOUT, s.migration.timeoutTicks === null ? 0 : BigInt(s.migration.timeoutTicks));
  g.set(abi.G_FORCE, s.migration.onTimeout === "force" ? 1 : 0);
  const { interrupts } = s.internal;
  g.set(abi.G_INTERRUPT_EVERY, interrupts === "each" ? 0 : interrupts.everyTicks);
  g.set(abi.G_INTERRUPT_AFTER, interrupts === "each" ? 1 : interrupts.after);
  const [num, den] = s.link.ticksPerByte;
  g.set(abi.G_NET_TICKS_NUM, num).set(abi.G_NET_TICKS_DEN, den);
  g.set(abi.G_NET_PROPAGATION, propagation);
  g.set(abi.G_NET_MTU, s.link.mtuBytes);
  g.set(abi.G_NET_WINDOW, s.link.windowBytes);
  g.set(abi.G_NET_OUTSIDE, s.link.preambleBytes + s.link.gapBytes);
  g.set(abi.G_NET_FRAMING, s.link.headerBytes + s.link.fcsBytes);
  g.set(abi.G_NET_FRAME_MIN, s.link.minFrameBytes);
  g.set(abi.G_NET_HEADERS, s.link.packetHeaderBytes);
  g.set(abi.G_NET_PAD_TO, s.link.padToBytes);
  g.set(abi.G_NET_TLS, s.link.tlsBytes);
  const [capNum, capDen] = ratio(s.link.rateCapTicksPerByte);
  g.set(abi.G_NET_CAP_NUM, capNum).set(abi.G_NET_CAP_DEN, capDen);
  const weighted = s.link.arbitration === "weighted";
  g.set(abi.G_NET_WEIGHT_A, weighted ? s.link.weights.state : 0);
  g.set(abi.G_NET_WEIGHT_B, weighted ? s.link.weights.pages : 0);
  g.set(abi.G_NET_DELACK, s.link.transport === "udp" ? FIRMWARE_DELAY_TICKS : DELACK_TICKS);
  g.set(abi.G_SERIES_WINDOW, 1_024_000_000);
  g.set(abi.G_QUANTUM, quantum ?? propagation);
  setPath(g, s, Number(quantum ?? propagation));
  setFaults(g, s);
  setResidual(core, g, s);
  setDecrypt(g, s);
  setAhead(core, g, s);
  setScan(core, g, s);
  setHosts(g, s);
  setThrottle(g, s);
  setStorage(core, s.guest.storage, pages);
  for (const [index, value] of g) core.setGlobalParam(index, value);
  setSide(core, 0, s.sides.source, s);
  setSide(core, 1, s.sides.destination, s);
}

/** Other I/O of a side's card. */
function setTenant(p: Put, side: ResolvedSide, tenant: ResolvedTenant, index: number): void {
  const here = tenant !== "off" && (tenant.side === "both" || tenant.side === SIDE_NAMES[index]);
  p(abi.S_TEN_TAGS, here ? tenant.tags : 0);
  if (!here) {
    p(abi.S_TEN_KIND, abi.TENANT_OFF);
    return;
  }
  const { op, sizeBytes, windowBytes, workers, everyTicks } = tenant;
  setEngine(p, side.card.engine, {
    op,
    sizeBytes,
    windowBytes,
    random: true,
    workers,
    everyTicks: Number(everyTicks),
  });
}

function setSide(core: Core, index: number, side: ResolvedSide, s: ResolvedScenario): void {
  const p = (key: number, value: number): void => core.setSideParam(index, key, value);
  const pair = putRatio(p);
  pair(abi.S_CARD_NUM, side.card.ticksPerCycle);
  pair(abi.S_CTL_NUM, side.card.control.ticksPerCycle);
  const kept = keptTags(side);
  const { dll, bitErrorRate, ecrc, relaxedOrdering } = s.internal;
  const relaxed = relaxedOrdering === "on";
  setLink(p, side.pcie, dll, { bitErrorRate, ecrc: ecrc === "on", relaxed, down: downOf(s, index) });
  setTenant(p, side, s.tenant, index);
  setFailing(p, s, index);
  p(abi.S_PCIE_TAGS_VSOCK, kept.vsock);
  p(abi.S_PCIE_TAGS_DESC, kept.descriptors);
  setIommu(p, side.host, s.internal.iommu);
  setAts(p, side.card.ats, s.internal.ats === "on");
  setJitter(core, index, p, side.host, s.internal.jitter === "on");
  p(abi.S_MEM_SEED, s.seed);
  setContention(p, side.host.memory, s.internal.contention === "on");
  // reads of guest memory all miss: part of the latency
  p(abi.S_MEM_MISS_SHARE, 2 ** 32);
  p(abi.S_MEM_MISS_ADDER, 0);
  p(abi.S_MEM_REMOTE_ADDER, s.internal.numa === "remote" ? side.host.memory.remoteAdderTicks : 0);
  setHost(p, pair, side, s.internal.jitter === "on");
  setEngines(p, side, s);
  setLz(p, side);
  setStages(p, side, s, index);
  if (index === 0) setCoding(p, s);
  const control = side.card.control;
  p(abi.S_CORES, control.cores);
  p(abi.S_CTL_ADDRESS, control.addressBatchCycles);
  p(abi.S_CTL_ADDRESS_PAGE, control.addressPageCycles);
  p(abi.S_CTL_DESC, control.descriptorBatchCycles);
  p(abi.S_CTL_RECORD, control.pageRecordCycles);
  p(abi.S_CTL_ROUND_END, control.roundEndCycles);
  p(abi.S_CTL_INTERRUPT, control.interruptCycles);
  p(abi.S_DATAGRAM_ACK, control.datagramAckCycles);
  p(abi.S_DATAGRAM_AGAIN, control.datagramAgainCycles);
  pair(abi.S_DRAM_NUM, side.card.dram.ticksPerByte);
}

function setHost(p: Put, pair: (key: number, r: Ratio) => void, side: ResolvedSide, jitter: boolean): void {
  const { host, pcie } = side;
  const [cycleNum, cycleDen] = host.cpu.ticksPerCycle;
  // guest memory is far larger than the cache: every read misses; both flights are part of the published
  // latency
  setMemory(p, host.memory, host.memory.missAdderTicks + rootLatencyTicks(host, pcie, jitter));
  p(abi.S_HOST_FAULT, host.tracker.writeFaultTicks);
  p(abi.S_HOST_WORD, Math.ceil((host.tracker.scanWordCycles * cycleNum) / cycleDen));
  p(abi.S_HOST_PROTECT_PAGE, host.tracker.protectPageTicks);
  p(abi.S_HOST_TLB_FLUSH, host.tracker.tlbFlushTicks);
  p(abi.S_HOST_LOG_EXIT, host.tracker.logExitTicks);
  p(abi.S_HOST_LOG_ENTRY, host.tracker.logEntryTicks);
  setDeviceCosts(p, host);
  p(abi.S_HOST_MESSAGE, host.vsock.messageCostTicks);
  pair(abi.S_HOST_COPY_NUM, host.memory.copyTicksPerByte);
  p(abi.S_HOST_INTERRUPT, host.frontend.interruptTicks);
  p(abi.S_HOST_SUSPEND, host.frontend.suspendTicks);
  p(abi.S_HOST_RESUME, host.frontend.resumeTicks);
  p(abi.S_HOST_DEVICE_KIB, host.frontend.deviceStatePerKibTicks);
}

function setEngines(p: Put, side: ResolvedSide, s: ResolvedScenario): void {
  const { card } = side;
  p(abi.S_SCANNER_WORDS, card.scanner.wordsPerCycle);
  p(abi.S_READ_QUEUES, card.dma.readQueues);
  p(abi.S_DESC_BYTES, card.dma.descriptorBytes);
  p(abi.S_DESC_BATCH, card.dma.descriptorBatch);
  p(abi.S_DESC_RING_ON_HOST, card.dma.ring === "host" ? 1 : 0);
  p(abi.S_DESC_PREFETCH, card.dma.prefetchBatches);
  p(abi.S_SRAM_SLOTS, Math.floor(card.dma.stagingSramBytes / abi.PAGE_BYTES));
  p(abi.S_READ_ISSUE, Math.max(1, card.dma.readIssueCycles));
  p(abi.S_COMPLETION_EVERY, card.dma.completionEvery);
  p(abi.S_COMPLETION_BYTES, card.dma.completionBytes);
  p(abi.S_WRITE_QUEUES, card.dma.writeQueues);
  p(abi.S_WRITE_ISSUE, Math.max(1, card.dma.writeIssueCycles));
  p(abi.S_ZERO_CYCLES, Math.ceil(abi.PAGE_BYTES / card.zeroFilter.bytesPerCycle));
  p(abi.S_UNLZ_ENGINES, card.decompressor.engines);
  p(abi.S_UNLZ_BYTES, card.decompressor.bytesPerCycle);
  p(abi.S_UNLZ_SETUP, card.decompressor.setupCycles);
  p(abi.S_GCM_ENGINES, card.crypto.engines);
  p(abi.S_GCM_BITS, card.crypto.bitsPerCycle);
  const rest = gcmRestCycles(s.encrypt.rounds, card.crypto);
  p(abi.S_GCM_WORD, gcmWordCycles(s.encrypt.rounds, card.crypto));
  p(abi.S_GCM_REST, rest);
  p(abi.S_GCM_ADMIT, card.crypto.egress === "admit" ? 1 : 0);
  // the tag is made while the engine rests
  p(abi.S_GCM_LATENCY, Math.max(0, gcmLatencyCycles(s.encrypt.rounds, card.crypto) - rest));
  p(abi.S_GCM_KEY_LOAD, card.crypto.keyLoadCycles);
  p(abi.S_GCM_KEY_SLOTS, card.crypto.keySlots);
  const [num, den] = card.crypto.ticksPerCycle ?? [0, 0];
  p(abi.S_GCM_SPAN_NUM, num);
  p(abi.S_GCM_SPAN_DEN, den);
}

const ENCODER = { liblz4: abi.ENCODER_LIBLZ4, zlib: abi.ENCODER_GIVEN, ratio: abi.ENCODER_GIVEN } as const;

function setLz(p: Put, side: ResolvedSide): void {
  const lz = side.card.compressor;
  p(abi.S_LZ_ENGINES, lz.engines);
  p(abi.S_LZ_SETUP, lz.setupCycles);
  p(abi.S_LZ_FILL, lz.fillLatencyCycles);
  p(abi.S_LZ_PWS, lz.pws);
  p(abi.S_LZ_HASH_LOG, lz.hashLog);
  p(abi.S_LZ_BANKS, lz.banks);
  p(abi.S_LZ_PORTS, lz.ports);
  p(abi.S_LZ_POLICY, POLICY[lz.policy]);
  p(abi.S_LZ_MATCH_CAP, lz.matchCap);
  p(abi.S_LZ_MULTI, lz.multi ? 1 : 0);
  p(abi.S_LZ_INTRA, lz.intraForward ? 1 : 0);
  p(abi.S_LZ_BAIL, lz.bailMarginBytes);
  p(abi.S_LZ_OUT_BYTES, lz.outBytesPerClock);
  p(abi.S_LZ_TOKENS, lz.tokensPerClock);
  p(abi.S_LZ_FIFO, lz.outFifoBytes);
  p(abi.S_LZ_ENCODER, lz.rated === null ? abi.ENCODER_WINDOW : ENCODER[lz.rated.sizes]);
  const [num, den] = lz.rated?.ticksPerByte ?? lz.ticksPerCycle ?? [0, 0];
  p(abi.S_LZ_SPAN_NUM, num);
  p(abi.S_LZ_SPAN_DEN, den);
  p(abi.S_LZ_JOB_MIN, lz.rated?.minJobBytes ?? 0);
}
