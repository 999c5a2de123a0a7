// SPDX-License-Identifier: Apache-2.0
/**
 * The parameter block that a core must be given, derived a second time: from what scenario and presets say
 * and from constants of the standards, by docs/model.md. Nothing of src/params.ts or src/scenario/ is used.
 */
import * as abi from "../../../assembly/abi.ts";
import { aheadParams } from "./params-ahead.ts";
import { around, linkFault } from "./params-around.ts";
import { choiceParam, codingParams } from "./params-coding.ts";
import { deviceCosts, deviceParams } from "./params-devices.ts";
import { gcmClocks } from "./params-gcm.ts";
import { hostsParams } from "./params-hosts.ts";
import {
  type Dll,
  jitterOf,
  type Put,
  pcie,
  putAll,
  rootComplex,
  TICKS_PER_SECOND,
  ticks,
  whole,
} from "./params-pcie.ts";
import { residualParams } from "./params-residual.ts";
import { scanParams } from "./params-scan.ts";
import { stageParams } from "./params-stages.ts";
import { throttleParams } from "./params-throttle.ts";
import {
  cipherOf,
  type Exact,
  engineOf,
  exact,
  linkOf,
  type Preset,
  partOf,
  writtenAt,
  writtenScenario,
} from "./written.ts";

/** A parameter block in numbers: `G_` and `S_` constants index it. */
export interface Params {
  global: number[];
  sides: [number[], number[]];
  /** Quantiles of each side's jitter, ticks; all 0 without. */
  jitter: [number[], number[]];
}

/** Of the harness alone: what rings hold, how far a side may run ahead. They change no result. */
export const HARNESS_PARAMS: readonly number[] = [
  abi.G_RING_EVENTS,
  abi.G_QUANTUM,
  abi.G_NET_FRAMES,
  abi.G_NET_SEGMENTS,
];

const POLICIES = ["drop", "stall", "coalesce"];
const ROUNDS: Readonly<Record<string, [keyBits: number, rounds: number]>> = {
  off: [0, 0],
  "aes-128-gcm": [128, 10],
  "aes-256-gcm": [256, 14],
};

function gcd(a: bigint, b: bigint): bigint {
  return b === 0n ? a : gcd(b, a % b);
}

/** Ticks of one cycle or byte: 1.024 · 10¹⁵ over the rate, in lowest terms. */
function ticksPer({ num, den }: Exact): [number, number] {
  const [over, under] = [TICKS_PER_SECOND * den, num];
  const common = gcd(over, under);
  return [Number(over / common), Number(under / common)];
}

function pairs(p: Put, preset: Preset, rows: [number, string][]): void {
  for (const [key, name] of rows) {
    const [num, den] = ticksPer(exact(preset(name)));
    p(key, num);
    p(key + 1, den);
  }
}

function hostParams(p: Put, host: Preset, jittered: boolean): void {
  const flight = ticks(host("pcie.flight"));
  p(abi.S_PCIE_FLIGHT, flight);
  // every read misses; the latency that is published holds both flights, and is the median
  const least = jittered ? ticks(host("memory.jitterMin")) : 0;
  const latency = ticks(host("memory.readLatency")) - least + ticks(host("memory.missAdder")) - 2 * flight;
  p(abi.S_MEM_READ_LATENCY, Math.max(0, latency));
  const [num, den] = ticksPer(exact(host("cpu.clock")));
  p(abi.S_HOST_WORD, Math.ceil((whole(host("tracker.scanWordCycles")) * num) / den));
  deviceCosts(p, host, [num, den]);
  pairs(p, host, [
    [abi.S_MEM_READ_NUM, "memory.bandwidth"],
    [abi.S_MEM_WRITE_NUM, "memory.bandwidth"],
    [abi.S_HOST_COPY_NUM, "memory.copyRate"],
  ]);
  putAll(p, host, ticks, [
    [abi.S_HOST_FAULT, "tracker.writeFault"],
    [abi.S_HOST_PROTECT_PAGE, "tracker.protectPage"],
    [abi.S_HOST_TLB_FLUSH, "tracker.tlbFlush"],
    [abi.S_HOST_LOG_EXIT, "tracker.logExit"],
    [abi.S_HOST_LOG_ENTRY, "tracker.logEntry"],
    [abi.S_HOST_MESSAGE, "vsock.messageCost"],
    [abi.S_HOST_INTERRUPT, "frontend.interrupt"],
    [abi.S_HOST_SUSPEND, "frontend.suspend"],
    [abi.S_HOST_RESUME, "frontend.resume"],
    [abi.S_HOST_DEVICE_KIB, "frontend.deviceStatePerKiB"],
  ]);
}

/** AES-GCM engines, with a clock of their own where a preset names them. */
function ciphers(p: Put, cipher: Preset, rounds: number): void {
  const gcm = gcmClocks(rounds, cipher);
  p(abi.S_GCM_WORD, gcm.word);
  p(abi.S_GCM_REST, gcm.rest);
  p(abi.S_GCM_LATENCY, gcm.latency);
  p(abi.S_GCM_ADMIT, cipher("egress") === "admit" ? 1 : 0);
  putAll(p, cipher, whole, [
    [abi.S_GCM_ENGINES, "engines"],
    [abi.S_GCM_BITS, "bitsPerCycle"],
    [abi.S_GCM_KEY_LOAD, "keyLoad"],
    [abi.S_GCM_KEY_SLOTS, "keySlots"],
  ]);
  if (cipher("clock") !== null) pairs(p, cipher, [[abi.S_GCM_SPAN_NUM, "clock"]]);
}

function engines(p: Put, card: Preset): void {
  const atLeastOne = (value: unknown): number => Math.max(1, whole(value));
  p(abi.S_DESC_RING_ON_HOST, card("dma.ring") === "host" ? 1 : 0);
  p(abi.S_SRAM_SLOTS, Math.floor(whole(card("dma.stagingSram")) / 4096));
  p(abi.S_ZERO_CYCLES, Math.ceil(4096 / whole(card("zeroFilter.bytesPerCycle"))));
  putAll(p, card, atLeastOne, [
    [abi.S_READ_ISSUE, "dma.readIssue"],
    [abi.S_WRITE_ISSUE, "dma.writeIssue"],
  ]);
  putAll(p, card, whole, [
    [abi.S_SCANNER_WORDS, "scanner.wordsPerCycle"],
    [abi.S_READ_QUEUES, "dma.readQueues"],
    [abi.S_WRITE_QUEUES, "dma.writeQueues"],
    [abi.S_COMPLETION_EVERY, "dma.completionEvery"],
    [abi.S_COMPLETION_BYTES, "dma.completionBytes"],
    [abi.S_DESC_BYTES, "dma.descriptorBytes"],
    [abi.S_DESC_BATCH, "dma.descriptorBatch"],
    [abi.S_DESC_PREFETCH, "dma.prefetchBatches"],
    [abi.S_UNLZ_ENGINES, "decompressor.engines"],
    [abi.S_UNLZ_BYTES, "decompressor.bytesPerCycle"],
    [abi.S_UNLZ_SETUP, "decompressor.setupCycles"],
    [abi.S_CORES, "control.cores"],
    [abi.S_CTL_ADDRESS, "control.addressBatchCycles"],
    [abi.S_CTL_ADDRESS_PAGE, "control.addressPageCycles"],
    [abi.S_CTL_DESC, "control.descriptorBatchCycles"],
    [abi.S_CTL_RECORD, "control.pageRecordCycles"],
    [abi.S_CTL_ROUND_END, "control.roundEndCycles"],
    [abi.S_CTL_INTERRUPT, "control.interruptCycles"],
    [abi.S_DATAGRAM_ACK, "control.datagramAckCycles"],
    [abi.S_DATAGRAM_AGAIN, "control.datagramAgainCycles"],
  ]);
  pairs(p, card, [
    [abi.S_CARD_NUM, "clock"],
    [abi.S_CTL_NUM, "control.clock"],
    [abi.S_DRAM_NUM, "dram.bandwidth"],
  ]);
}

function encoder(p: Put, card: Preset): void {
  p(abi.S_LZ_POLICY, POLICIES.indexOf(card("compressor.policy") as string));
  p(abi.S_LZ_MULTI, 1);
  p(abi.S_LZ_INTRA, 0);
  putAll(p, card, whole, [
    [abi.S_LZ_ENGINES, "compressor.engines"],
    [abi.S_LZ_SETUP, "compressor.setupCycles"],
    [abi.S_LZ_FILL, "compressor.fillLatency"],
    [abi.S_LZ_PWS, "compressor.pws"],
    [abi.S_LZ_HASH_LOG, "compressor.hashLog"],
    [abi.S_LZ_BANKS, "compressor.banks"],
    [abi.S_LZ_PORTS, "compressor.ports"],
    [abi.S_LZ_MATCH_CAP, "compressor.matchCap"],
    [abi.S_LZ_BAIL, "compressor.bailMargin"],
    [abi.S_LZ_OUT_BYTES, "compressor.outBytesPerClock"],
    [abi.S_LZ_TOKENS, "compressor.tokensPerClock"],
    [abi.S_LZ_FIFO, "compressor.outFifoBytes"],
  ]);
}

const RATED = ["lz4-sw", "zlib", "ratio"];

/** What a compressor preset says in the place of a card's encoders. */
function namedEncoder(p: Put, engine: Preset): void {
  p(abi.S_LZ_ENGINES, whole(engine("engines")));
  p(abi.S_LZ_BAIL, whole(engine("bailMargin")));
  if (RATED.includes(engine("algorithm") as string)) {
    const isOurs = engine("algorithm") === "lz4-sw";
    p(abi.S_LZ_SETUP, 0);
    p(abi.S_LZ_ENCODER, isOurs ? 1 : 2);
    p(abi.S_LZ_JOB_MIN, isOurs ? 0 : whole(engine("minJob")));
    pairs(p, engine, [[abi.S_LZ_SPAN_NUM, "rate"]]);
    return;
  }
  p(abi.S_LZ_POLICY, POLICIES.indexOf(engine("policy") as string));
  p(abi.S_LZ_MULTI, engine("matchesPerWindow") === "any" ? 1 : 0);
  p(abi.S_LZ_INTRA, engine("intraForward") === "yes" ? 1 : 0);
  pairs(p, engine, [[abi.S_LZ_SPAN_NUM, "clock"]]);
  putAll(p, engine, whole, [
    [abi.S_LZ_SETUP, "setupCycles"],
    [abi.S_LZ_PWS, "pws"],
    [abi.S_LZ_HASH_LOG, "hashLog"],
    [abi.S_LZ_BANKS, "banks"],
    [abi.S_LZ_PORTS, "ports"],
    [abi.S_LZ_MATCH_CAP, "matchCap"],
    [abi.S_LZ_OUT_BYTES, "outBytesPerClock"],
    [abi.S_LZ_TOKENS, "tokensPerClock"],
    [abi.S_LZ_FIFO, "outFifoBytes"],
  ]);
}

/** A switch that is written as a word or as a mapping with that word at a key. */
function switched(scenario: object, key: string, word: string, otherwise: string): string {
  const value = writtenAt(scenario, key);
  return `${typeof value === "string" ? value : (writtenAt(value, word) ?? otherwise)}`;
}

function linkParams(p: Put, scenario: object, link: Preset, window: unknown): void {
  const of = (key: string, otherwise: unknown): unknown => writtenAt(scenario, `link.${key}`) ?? otherwise;
  const [num, den] = ticksPer(exact(link("rate")));
  p(abi.G_NET_TICKS_NUM, num);
  p(abi.G_NET_TICKS_DEN, den);
  const propagation = Math.floor(ticks(link("rtt")) / 2);
  p(abi.G_NET_PROPAGATION, propagation);
  p(abi.G_NET_MTU, whole(link("mtu")));
  // IEEE 802.3: preamble and inter-frame gap around a frame of header, packet and FCS that has a least length
  p(abi.G_NET_OUTSIDE, whole(link("preamble")) + whole(link("gap")));
  p(abi.G_NET_FRAMING, whole(link("header")) + whole(link("fcs")));
  p(abi.G_NET_FRAME_MIN, whole(link("minFrame")));
  p(abi.G_NET_WINDOW, whole(of("window", window)));
  const cap = of("rateCap", "none");
  const [capNum, capDen] = cap === "none" ? [0, 1] : ticksPer(exact(cap));
  p(abi.G_NET_CAP_NUM, capNum);
  p(abi.G_NET_CAP_DEN, capDen);
  const weighted = of("arbitration", "strict") === "weighted";
  p(abi.G_NET_WEIGHT_A, weighted ? whole(of("weights.state", 1)) : 0);
  p(abi.G_NET_WEIGHT_B, weighted ? whole(of("weights.pages", 1)) : 0);
  pathParams(p, of);
  linkFault(p, scenario);
}

/** PAUSE: marks a headroom below the buffer, and half of that, where none are given. */
function pauseParams(p: Put, of: (key: string, otherwise: unknown) => unknown, slower: unknown): void {
  const written = of("pause", "off");
  const own = (key: string, otherwise: unknown): unknown => writtenAt(written, key) ?? otherwise;
  const names = [abi.G_NET_PAUSE_HIGH, abi.G_NET_PAUSE_LOW, abi.G_NET_PAUSE_HOP, abi.G_NET_PAUSE_QUANTA];
  if (written === "off" || slower === "none") {
    for (const name of names) p(name, 0);
    return;
  }
  // the rate in bytes a second; a frame of the MTU; Ethernet's 38 bytes around a packet, 84 of a PAUSE
  const { num, den } = exact(of("rate", "100 Gbit/s"));
  const rate = Number(num) / Number(den);
  const hopNs = Number(ticks(own("hop", "500 ns"))) / 1_024_000;
  const headroom = (rate * 2 * hopNs) / 1e9 + 84 + whole(of("mtu", 9000)) + 38;
  const high = whole(own("high", `${Math.floor(whole(of("buffer", "1 MiB")) - headroom)} B`));
  const low = whole(own("low", `${Math.floor(high / 2)} B`));
  for (const [i, value] of [high, low, ticks(own("hop", "500 ns")), whole(own("quanta", 65_535))].entries())
    p(names[i]!, value);
}

/** A path that may lose frames, and what encloses a payload on it. */
function pathParams(p: Put, of: (key: string, otherwise: unknown) => unknown): void {
  const congestion = ["none", "reno", "cubic"].indexOf(`${of("congestion", "none")}`);
  const udp = of("transport", "tcp") === "udp";
  p(abi.G_NET_CONGESTION, udp ? abi.CONGESTION_FIRMWARE : congestion);
  // Linux's TCP_DELACK_MIN; of the firmware, assumed
  p(abi.G_NET_DELACK, ticks(udp ? "100 us" : "40 ms"));
  const lost = Math.round(Number(of("loss", 0)) * 2 ** 32);
  p(abi.G_NET_LOSS, lost);
  p(abi.G_NET_LOSS_BACK, lost);
  p(abi.G_NET_JITTER, ticks(of("jitter", "0 s")));
  const slower = of("bottleneck", "none");
  const [num, den] = slower === "none" ? [0, 1] : ticksPer(exact(slower));
  p(abi.G_NET_QUEUE_NUM, num);
  p(abi.G_NET_QUEUE_DEN, den);
  p(abi.G_NET_BUFFER, slower === "none" ? 0 : whole(of("buffer", "1 MiB")));
  pauseParams(p, of, slower);
  p(abi.G_NET_STREAMS, whole(of("streams", 1)));
  p(abi.G_NET_TUNED, of("windowGrowth", "fixed") === "auto" ? 1 : 0);
  const flight = of("inFlight", "none");
  p(abi.G_NET_FLIGHT, flight === "none" ? 0 : whole(flight));
  // IPv4 20, TCP 20, timestamps 12; or UDP 8 and the firmware's 16
  p(abi.G_NET_HEADERS, udp ? 44 : 52);
  p(abi.G_NET_PAD_TO, 1);
}

function runParams(p: Put, scenario: object): void {
  const of = (key: string, otherwise: unknown): unknown => writtenAt(scenario, key) ?? otherwise;
  const which = (words: string[], key: string): number => words.indexOf(of(key, words[0]) as string);
  const content = of("content", "full");
  p(abi.G_PAGES, whole(of("guest.generate.memory", 0)) / 4096);
  p(abi.G_CONTENT, ["full", "sized", "sampled"].indexOf(content as string));
  p(abi.G_SAMPLE_EVERY, content === "sampled" ? whole(of("sampleEvery", 64)) : 1);
  p(abi.G_SEED, whole(of("seed", 1)));
  p(abi.G_VCPUS, whole(of("guest.vcpus", 1)));
  p(abi.G_CLOCK_WALL, which(["guest", "wall"], "guest.clock"));
  p(abi.G_DEVICE_BYTES, whole(of("guest.deviceState", "2 MiB")));
  p(abi.G_START_AT, ticks(of("migration.startAt", "0 s")));
  p(abi.G_TRACKER, which(["write-protect", "bitmap", "pml", "dirty-ring"], "tracker.kind"));
  const kind = of("tracker.kind", "write-protect");
  // a PML log is a page of 8 bytes each
  p(
    abi.G_TRACKER_LOG,
    kind === "pml" ? 4096 / 8 : kind === "dirty-ring" ? whole(of("tracker.ring", 4096)) : 0,
  );
  p(abi.G_TRACKER_GROUP, whole(of("tracker.group", 1)));
  p(abi.G_TRACKER_RULE, which(["static", "counter", "contiguity"], "tracker.groups"));
  p(abi.G_ADDRESSES, Math.max(0, which(["bitmap", "list", "runs"], "internal.addresses")));
  const held = of("internal.interrupts", "each");
  p(abi.G_INTERRUPT_EVERY, held === "each" ? 0 : ticks(writtenAt(held, "every") ?? "50 us"));
  p(abi.G_INTERRUPT_AFTER, held === "each" ? 1 : whole(writtenAt(held, "after") ?? 32));
  p(abi.G_PAGES_OVER_VSOCK, which(["dma", "vsock"], "internal.pages"));
  p(abi.G_COMPRESS, switched(scenario, "compress", "engine", "lz4-hw") === "off" ? 0 : 1);
  const stage = writtenAt(of("delta", {}), "xbzrle");
  const xbzrle = (key: string, otherwise: unknown): unknown => writtenAt(stage, key) ?? otherwise;
  // a power of two of pages, and as many clocks as begin on a page
  const pages = whole(xbzrle("cache", "64 MiB")) / 4096;
  p(abi.G_DELTA_SETS, stage === undefined ? 0 : 1 << (31 - Math.clz32(pages)));
  p(abi.G_DELTA_CYCLES, stage === undefined ? 0 : Math.ceil(4096 / whole(xbzrle("width", "32 B/cycle"))));
  p(abi.G_DELTA_MOST, stage === undefined ? 0 : whole(xbzrle("most", 4096)));
  p(abi.G_DOWNTIME_LIMIT, ticks(of("migration.downtimeLimit", "300 ms")));
  p(abi.G_ROUNDS_MAX, whole(of("migration.maxRounds", 30)));
  const timeout = of("migration.timeout", "none");
  p(abi.G_TIMEOUT, timeout === "none" ? 0 : ticks(timeout));
  p(abi.G_FORCE, which(["fail", "force"], "migration.onTimeout"));
  // a bin of a series at the start
  p(abi.G_SERIES_WINDOW, ticks("1 us"));
}

/** The block for scenario text with `key=value` overrides. Its guest is generated. */
export function deriveParams(text: string, sets: readonly string[]): Params {
  const scenario = writtenScenario(text, sets);
  const cards = ["source", "destination"].map((side) => partOf(scenario, side, "card"));
  const global: number[] = new Array(abi.G_COUNT).fill(0);
  const put: Put = (key, value) => {
    global[key] = value;
  };
  runParams(put, scenario);
  choiceParam(put, scenario);
  deviceParams(put, scenario);
  const scanTags = scanParams(put, scenario);
  throttleParams(put, scenario);
  const late = residualParams(put, scenario, ticksPer);
  const store = aheadParams(put, scenario, ticksPer, cards[0]!("dram.store"));
  const [keyBits, rounds] = ROUNDS[switched(scenario, "encrypt", "cipher", "aes-128-gcm")]!;
  hostsParams(put, scenario, rounds);
  put(abi.G_ENCRYPT_BITS, keyBits);
  linkParams(put, scenario, linkOf(scenario), cards[1]!("tcp.receiveWindow"));
  const dll = (writtenAt(scenario, "internal.dll") ?? "explicit") as Dll;
  const jitter: number[][] = [];
  const sides = ["source", "destination"].map((side, i) => {
    const block: number[] = new Array(abi.S_COUNT).fill(0);
    const p: Put = (key, value) => {
      block[key] = value;
    };
    const host = partOf(scenario, side, "host");
    pcie(p, host, cards[i]!, dll, writtenAt(scenario, "internal.ecrc") === "on");
    rootComplex(p, host, cards[i]!, scenario);
    around(p, scenario, i, cards[i]!);
    hostParams(p, host, block[abi.S_MEM_JITTER] === 1);
    jitter.push(jitterOf(host, block[abi.S_MEM_JITTER] === 1));
    p(abi.S_SCAN_TAGS, i === 0 ? scanTags : 0);
    p(abi.S_STORE_BYTES, i === 0 ? store : 0);
    if (i === 1) for (const [key, value] of late) p(key, value);
    engines(p, cards[i]!);
    ciphers(p, cipherOf(scenario, side as "source", cards[i]!), rounds);
    encoder(p, cards[i]!);
    const engine = engineOf(scenario);
    if (i === 0 && engine !== null) namedEncoder(p, engine);
    if (i === 0) codingParams(p, scenario, engine);
    stageParams(p, scenario, i, [host, cards[i]!], rounds);
    return block;
  }) as [number[], number[]];
  return { global, sides, jitter: jitter as [number[], number[]] };
}
