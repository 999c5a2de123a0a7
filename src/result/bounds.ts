// SPDX-License-Identifier: Apache-2.0
/**
 * Lower bounds on a run's time, from the bytes that it moved. What cannot be known is left out in the run's
 * favour, so a bound is never above the truth: a run that beats one shows a fault of the simulator.
 *
 * Counters tick when a unit begins something, so what may still be under way at the end (one TLP, one
 * frame, one job an engine) is taken off. Times are in ticks, as doubles: the result is shown to the
 * picosecond and compared with a margin of 1e-9.
 */
import * as abi from "../../assembly/abi.ts";
import { gcmLatencyCycles, gcmRestCycles, gcmWordCycles } from "../cipher-clocks.ts";
import type { Clairvoyant } from "../clairvoyant.ts";
import { frameBytes, keptTags, segmentBytes } from "../params.ts";
import type { Ratio, ResolvedScenario, ResolvedSide } from "../scenario/types.ts";
import { cryptOnCores, decodeOnCores, encodeOnCores, onCores, onHosts } from "./bounds-cores.ts";
import type { Reading } from "./reading.ts";

/** Bounds in ticks; null where the run has no such stage. */
export interface Bounds {
  readonly link: number;
  readonly pcie: number | null;
  readonly compress: number | null;
  readonly encrypt: number | null;
  /** Of a migration in software: its thread. */
  readonly thread: number | null;
  /** And its channels, there with multifd. */
  readonly channels?: number;
  /** What a migration that knew the future would send (src/clairvoyant); null unless a run completed. */
  readonly clairvoyant: Clairvoyance | null;
}

/** Bytes on the wire of the link, and the time that they take there at least. */
export interface Clairvoyance {
  readonly bytes: number;
  readonly ticks: number;
}

const RECORD_BYTES = 16;
/** Bytes of a write or read request, and of a completion, beside their data. */
const REQUEST_BYTES = 24;
const COMPLETION_BYTES = 20;
/** What of them FLITs do not have: framing, sequence number and LCRC of each packet. */
const FRAMING_BYTES = 8;
/** Bytes of a FLIT, and those of them that hold TLPs. */
const FLIT: Ratio = [256, 236];

const value = ([num, den]: Ratio): number => num / den;

/** A counter of a side as a double, less what may be under way at the end. */
function counted(reading: Reading, side: number, counter: number, less = 0): number {
  return Math.max(0, Number(reading.counters[side]![counter]!) - less);
}

/**
 * Link. With P payload bytes on a data link, MSS = MTU - 52, r ticks a byte, D one way, W the window:
 * frames take sum over links of (P + H ceil(P / MSS)) r, in one transmitter, H being what a full frame has
 * besides its payload (90 on Ethernet); a byte W behind another is
 * sent one round trip after it at the earliest, floor((P - 1) / W) 2 D; the last byte needs D more to
 * arrive. A rate cap spaces the starts of data frames by wire bytes x cap.
 */
function leastOnLink(
  payloads: readonly number[],
  link: ResolvedScenario["link"],
  whole: boolean,
): Clairvoyance {
  const mss = segmentBytes(link);
  const overhead = frameBytes(link, mss) - mss;
  const propagation = Math.floor(link.rttTicks / 2);
  let bytes = 0;
  let trips = 0;
  for (const payload of payloads) {
    bytes += payload + Math.ceil(payload / mss) * overhead;
    if (payload > 0) trips = Math.max(trips, Math.floor((payload - 1) / (link.windowBytes * link.streams)));
  }
  const framing = bytes * value(link.ticksPerByte);
  const cap = link.rateCapTicksPerByte;
  const capped = cap === null ? 0 : (bytes - mss - overhead) * value(cap);
  const arrival = whole && bytes > 0 ? propagation : 0;
  return { bytes, ticks: Math.max(framing, capped, trips * 2 * propagation) + arrival };
}

function linkBound(reading: Reading, { link }: ResolvedScenario, completed: boolean): number {
  const less = completed ? 0 : segmentBytes(link);
  const payloads = [abi.C_NET_PAYLOAD_A, abi.C_NET_PAYLOAD_B].map((of) => counted(reading, 0, of, less));
  return leastOnLink(payloads, link, completed).ticks;
}

/** The clairvoyant's payload on the link: pages that are asked for may share it between both data links. */
function clairvoyance(given: Clairvoyant | null, { link, migration }: ResolvedScenario): Clairvoyance | null {
  if (given === null) return null;
  const windowBytes = link.windowBytes * (migration.missing === undefined ? 1 : 2);
  return leastOnLink([given.payloadBytes], { ...link, windowBytes }, true);
}

/**
 * Period and length of SKP in ticks, as the link's encoding fixes them (PCIe Base Specification 3.0, 4.2.7).
 */
function skp(side: ResolvedSide): [number, number] {
  const { generation, lanes, ticksPerByte } = side.pcie;
  const symbol = ticksPerByte * lanes;
  return generation <= 2 ? [1538 * symbol, 4 * symbol] : [370 * 16 * symbol, 16 * symbol];
}

/** What packets and bytes cost: FLITs have no framing of their own, and a byte takes 256/236 of its time. */
function packetCosts({ pcie }: ResolvedSide): { request: number; completion: number; perByte: number } {
  const flits = pcie.generation >= 6;
  const less = flits ? FRAMING_BYTES : 0;
  const perByte = flits ? Math.round(pcie.ticksPerByte * value(FLIT)) : pcie.ticksPerByte;
  return { request: REQUEST_BYTES - less, completion: COMPLETION_BYTES - less, perByte };
}

/** Time of bytes on one PCIe wire: of every period P an SKP of length L is lost, but for one at the edge. */
function wireTicks(bytes: number, side: ResolvedSide, explicit: boolean): number {
  const ticks = bytes * packetCosts(side).perByte;
  if (!explicit) return ticks;
  const [period, length] = skp(side);
  return Math.max(0, ((ticks - length) * period) / (period - length));
}

/**
 * PCIe of one side. Down: D data bytes in completions of at most MPS (or RCB where longer requests are not
 * combined), 20 B each (Gen6: 12). Up: writes of at most MPS with 24 B each (16), and a read request of as
 * much for each MRRS of page data. Reads: N = min(tags, completion buffer) requests are out at a time, each
 * holds its tag for request + latency + completions, so n of them take floor(n / N) holds.
 */
function pcieBound(reading: Reading, index: number, s: ResolvedScenario): number {
  const side = index === 0 ? s.sides.source : s.sides.destination;
  const { pcie, host } = side;
  const costs = packetCosts(side);
  const explicit = s.internal.dll === "explicit" && pcie.generation < 6;
  const cut = pcie.mrrsBytes > pcie.combineAboveBytes ? pcie.mpsBytes : pcie.rcbBytes;
  const down = counted(reading, index, abi.C_DOWN_DATA_BYTES, cut);
  const downBytes = down + costs.completion * Math.ceil(down / cut);
  const up = counted(reading, index, abi.C_UP_DATA_BYTES, pcie.mpsBytes);
  // pages that were read before the migration was asked for are none of its time
  const ahead = counted(reading, index, abi.C_STORED);
  const pageBytes = counted(reading, index, abi.C_READ_PAGES, ahead) * abi.PAGE_BYTES;
  const upBytes =
    up +
    costs.request * Math.ceil(up / pcie.mpsBytes) +
    costs.request * Math.ceil(pageBytes / pcie.mrrsBytes);
  const request = Math.min(pcie.mrrsBytes, abi.PAGE_BYTES);
  const kept = keptTags(side);
  const asked = s.internal.ats === "on" ? side.card.ats.requests : 0;
  const byTags = pcie.tags - kept.vsock - kept.descriptors - asked;
  // three quarters of the completion buffer are the page reads'
  const byBuffer = Math.floor((6 * Math.floor(pcie.completionBufferBytes / 8)) / request);
  const outstanding = Math.max(1, Math.min(byTags, byBuffer));
  const { readLatencyTicks, missAdderTicks, remoteAdderTicks } = host.memory;
  const remote = s.internal.numa === "remote" ? remoteAdderTicks : 0;
  const latency = Math.max(2 * pcie.flightTicks, readLatencyTicks + missAdderTicks) + remote;
  const completion = request + costs.completion * Math.ceil(request / cut);
  const hold = latency + (costs.request + completion) * costs.perByte;
  const holds = Math.floor(pageBytes / request / outstanding) * hold;
  // other I/O, devices and adapters move bytes before the migration begins too
  const others =
    s.guest.storage !== undefined ||
    s.guest.devices !== undefined ||
    s.tenant !== "off" ||
    s.encrypt.ahead !== undefined;
  const before = others ? Number(s.migration.startAtTicks) : 0;
  const wires = Math.max(wireTicks(downBytes, side, explicit), wireTicks(upBytes, side, explicit));
  return Math.max(wires - before, holds);
}

/**
 * Compressor: a job of n bytes takes an engine for setup + ceil(n / window) clocks at least, or for n / rate;
 * decompressor:
 * setup + ceil(n / bytes per clock). Jobs are pages, but for the last piece of each device state, which is
 * left out.
 */
function compressBound(reading: Reading, s: ResolvedScenario, completed: boolean): number | null {
  const [codes, decodes] = [onHosts(s, "compress"), onHosts(s, "decompress")];
  if (s.compress.engine === "off" || (codes && (decodes || !completed))) return null;
  const { source, destination } = s.sides;
  const lz = source.card.compressor;
  const jobs = counted(
    reading,
    0,
    abi.C_LZ_PAGES,
    (s.guests?.length ?? 1) + (completed ? 0 : lz.engines * (s.compress.jobs?.pages ?? 1)),
  );
  const stored = counted(reading, 0, abi.C_STORED);
  const clock = value(lz.ticksPerCycle ?? source.card.ticksPerCycle);
  const most = s.compress.jobs?.pages ?? 1;
  const window = (lz.setupCycles / most + Math.ceil(abi.PAGE_BYTES / lz.pws)) * clock;
  const taken = lz.rated === null || lz.rated.minJobBytes <= abi.PAGE_BYTES;
  const job = lz.rated === null ? window : taken ? abi.PAGE_BYTES * value(lz.rated.ticksPerByte) : 0;
  const encode = onCores(s, "compress")
    ? encodeOnCores(reading, s)
    : Math.ceil(Math.max(0, jobs - stored) / Math.max(1, lz.engines)) * job;
  if (!completed) return encode;
  const unlz = destination.card.decompressor;
  const raw = counted(reading, 0, abi.C_LZ_RAW);
  // where a newer version replaces a sealed one, that one is never decoded; device state is left out there
  const eager = s.encrypt.decrypt === "eager";
  const stale = counted(reading, 0, abi.C_STORE_STALE);
  const coded = eager ? Math.max(0, jobs - raw - stale) : counted(reading, 1, abi.C_DECRYPTED_CODED);
  if (decodes) return encode;
  if (onCores(s, "decompress")) return Math.max(encode, decodeOnCores(s, coded));
  const one = unlz.setupCycles + Math.ceil(abi.PAGE_BYTES / unlz.bytesPerCycle);
  const decode = Math.ceil(coded / Math.max(1, unlz.engines)) * one * value(destination.card.ticksPerCycle);
  return Math.max(encode, decode);
}

/**
 * Crypto, each way: a record of n bytes takes an engine of b bits a clock for ceil(128 / b) + ceil(8 n / b)
 * + 1 words of so many clocks and a rest; the sum over r records of N bytes is at least
 * r (ceil(128 / b) + 1) + 8 N / b words. The last record's latency is added once, less the rest it is in.
 */
function encryptBound(reading: Reading, s: ResolvedScenario, completed: boolean): number | null {
  if (s.encrypt.cipher === "off" || (onHosts(s, "encrypt") && onHosts(s, "decrypt"))) return null;
  let bound = 0;
  for (const [index, side] of [s.sides.source, s.sides.destination].entries()) {
    const { crypto } = side.card;
    if (onHosts(s, index === 0 ? "encrypt" : "decrypt")) continue;
    const counter = index === 0 ? abi.C_RECORDS_SEALED : abi.C_RECORDS_OPENED;
    const all = counted(reading, index, counter);
    // at the source those made before the request are none of the migration's time, nor their bytes
    const before = index === 0 ? counted(reading, 0, abi.C_STORED) : 0;
    const records = Math.max(0, all - before - crypto.engines);
    const sent = counted(reading, 0, abi.C_RECORD_BYTES_A) + counted(reading, 0, abi.C_RECORD_BYTES_B);
    const sentRecords = counted(reading, 0, abi.C_RECORDS_SEALED) + counted(reading, 0, abi.C_HOST_SEALED);
    // what the engines have certainly taken in: the records framed, less those that may still be under way
    const kept = counted(reading, 0, abi.C_STORE_SENT);
    const longest = abi.STORE_NONCE_BYTES + (index === 0 ? abi.PAGE_BYTES : 0);
    const framed = sent - sentRecords * (RECORD_BYTES + abi.RECORD_TAG_BYTES) - kept * longest;
    const later = index === 1 && s.encrypt.decrypt !== "eager";
    const through = later ? counted(reading, 1, abi.C_DECRYPTED_BYTES) : framed;
    const bytes = completed ? Math.max(0, through - crypto.engines * abi.PAGE_BYTES) : 0;
    if (onCores(s, index === 0 ? "encrypt" : "decrypt")) {
      bound = Math.max(bound, cryptOnCores(s, side, all, completed ? through : 0));
      continue;
    }
    const { rounds } = s.encrypt;
    const rest = gcmRestCycles(rounds, crypto);
    const words = records * (Math.ceil(128 / crypto.bitsPerCycle) + 1) + (8 * bytes) / crypto.bitsPerCycle;
    const clocks = words * gcmWordCycles(rounds, crypto) + records * rest;
    const latency = all > 0 && completed ? Math.max(0, gcmLatencyCycles(rounds, crypto) - rest) : 0;
    const clock = value(crypto.ticksPerCycle ?? side.card.ticksPerCycle);
    const ticks = (clocks / Math.max(1, crypto.engines) + latency) * clock;
    bound = Math.max(bound, ticks);
  }
  return bound;
}

/** All bounds of a run. `completed`: everything that was sent has arrived and been placed. */
export function boundsOf(
  reading: Reading,
  scenario: ResolvedScenario,
  completed: boolean,
  clairvoyant: Clairvoyant | null,
): Bounds {
  return {
    link: linkBound(reading, scenario, completed),
    pcie: Math.max(pcieBound(reading, 0, scenario), pcieBound(reading, 1, scenario)),
    compress: compressBound(reading, scenario, completed),
    encrypt: encryptBound(reading, scenario, completed),
    thread: null,
    clairvoyant: clairvoyance(clairvoyant, scenario),
  };
}

/** Whether the elapsed ticks are no less than every bound, and the bytes no fewer than the clairvoyant's. */
export function boundsHold(bounds: Bounds, elapsedTicks: bigint, wireBytes: number): boolean {
  const elapsed = Number(elapsedTicks) * (1 + 1e-9);
  const { clairvoyant, ...times } = bounds;
  const least = [...Object.values(times), clairvoyant?.ticks ?? null];
  return wireBytes >= (clairvoyant?.bytes ?? 0) && least.every((bound) => bound === null || elapsed >= bound);
}
