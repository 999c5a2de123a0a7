// SPDX-License-Identifier: Apache-2.0
/**
 * The resolved scenario: every default spelt out, every preset filled in, every quantity an integer.
 *
 * It is plain JSON: numbers are safe integers, times that can pass 8.7 s are decimal strings of ticks, ratios
 * are pairs. It holds no path and no name, so that its hash says what was simulated, not where the file lay.
 * A tick is 2^-10 ps; a second is 1 024 000 000 000 000 ticks.
 */

import type { Operation } from "../atomics.ts";
import type { Placement } from "./presets.ts";
import type { ResolvedAhead } from "./types-ahead.ts";
import type { ResolvedCoding } from "./types-coding.ts";
import type { ResolvedDecrypt } from "./types-decrypt.ts";
import type { ResolvedDelta } from "./types-delta.ts";
import type { ResolvedFault } from "./types-faults.ts";
import type { ResolvedEvacuation } from "./types-guests.ts";
import type { ResolvedHost } from "./types-host.ts";
import type { ResolvedLink } from "./types-link.ts";
import type { ResolvedOnHosts, ResolvedStages } from "./types-placement.ts";
import type { Algorithm, Residual, ResolvedMissing } from "./types-residual.ts";
import type { ResolvedScan } from "./types-scan.ts";
import type { ResolvedSoftware } from "./types-software.ts";
import type { ResolvedStorage } from "./types-storage.ts";
import type { ResolvedThrottle } from "./types-throttle.ts";
import type { ResolvedDevice, ResolvedTracker } from "./types-tracker.ts";

/** An exact ratio num / den in lowest terms; num < 2^53, 0 < den < 2^32. */
export type Ratio = [num: number, den: number];

/** Receive credits one end of the PCIe link advertises: headers are TLPs, data is 16 B; 0 is unlimited. */
export interface ResolvedCredits {
  ph: number;
  pd: number;
  nph: number;
  npd: number;
}

/** The link between a host and its card, as the two agree on it. */
export interface ResolvedPcie {
  /** 1 to 5: the lower of the two. */
  generation: number;
  /** 1, 2, 4, 8 or 16: the narrower of the two. */
  lanes: number;
  /** Ticks per byte after line coding (8b/10b or 128b/130b), before SKP: 130000 for Gen3 x8. */
  ticksPerByte: number;
  /** Per mille of that rate at which the card takes bytes in. */
  linkSharePerMille: number;
  /** Maximum payload of a TLP in bytes: the smaller of the two. */
  mpsBytes: number;
  /** Maximum read request in bytes: the smaller of the two. */
  mrrsBytes: number;
  /** Read completion boundary of the host in bytes: 64 or 128. */
  rcbBytes: number;
  /** Reads longer than this many bytes are completed in pieces of MPS, others in pieces of RCB. */
  combineAboveBytes: number;
  /** Reads in flight at most: the card's tags, and no more than the agreed generation allows. */
  tags: number;
  /** Bytes the card reserves for completions before it issues a read. */
  completionBufferBytes: number;
  /** Completion headers the card reserves before it issues a read. */
  completionHeaders: number;
  /** TLP bytes kept until they are acknowledged, each way. */
  replayBufferBytes: number;
  /** Both PHYs and the wire, one way. */
  flightTicks: number;
  /** What the host's root port advertises: it limits writes and reads of the card. */
  hostCredits: ResolvedCredits;
  /** What the card advertises: it limits doorbells and other host writes. Completions are unlimited. */
  cardCredits: Omit<ResolvedCredits, "nph" | "npd">;
}

/** What a coded page is written in. */
export type RecordFormat = "lz4" | "deflate" | "zstd" | "xpress" | "xp10";

/** An engine of a given rate, and where its sizes come from. */
export interface RatedEngine {
  readonly sizes: "liblz4" | "zlib" | "ratio";
  readonly ticksPerByte: Ratio;
  /** Shortest job that it takes, bytes. */
  readonly minJobBytes: number;
  /** Of `zlib`: effort of the stand-in. */
  readonly level: number | null;
  /** Of `ratio`: bytes in for 1000 bytes out. */
  readonly ratioPerMille: number | null;
}

export interface ResolvedCard {
  /** Name of the preset it started from. */
  preset: string;
  /** Ticks per clock cycle of the engines. */
  ticksPerCycle: Ratio;
  dma: {
    readQueues: number;
    writeQueues: number;
    /** Descriptor batches being fetched at most. */
    prefetchBatches: number;
    /** Clocks between two read requests, and between two write requests. */
    readIssueCycles: number;
    writeIssueCycles: number;
    descriptorBytes: number;
    /** Descriptors fetched together. */
    descriptorBatch: number;
    /** Memory for page bodies, reserved before a read is issued. */
    stagingSramBytes: number;
    /** Where the descriptor rings lie. */
    ring: "host" | "card";
    completionEvery: number;
    completionBytes: number;
  };
  /** Translations that the card keeps, and asks for at a time. */
  ats: { entries: number; requests: number };
  /** The DMA engine for I/O that is not the migration's. */
  engine: {
    /** Operations under way at most. */
    workers: number;
    /** From an operation to its first tag, and its completion. */
    startTicks: number;
    /** From a tag to its request on the link. */
    tagHoldTicks: number;
    /** Rings of tags that are taken in turn; 0: a read takes any that is free. */
    tagRings: number;
    /** Completions that reads wait for at most; 0: any number. */
    completions: number;
    /** From the last answer to the end of a read, a KiB of it. */
    copyTicksPerKib: number;
    /** A KiB of an operation of either kind in the card's memory, which has one at a time. */
    memoryTicksPerKib: number;
    /** Between two requests, and between two writing operations. */
    issueTicks: number;
    writeFloorTicks: number;
    /** Bytes in which a write is handed to the PCIe core, and the gap after each. */
    burstBytes: number;
    burstGapTicks: number;
  };
  scanner: {
    /** 64-bit words per clock. */
    wordsPerCycle: number;
  };
  zeroFilter: { bytesPerCycle: number };
  /** The encoders: the card's own with the overrides of `compress` in place, or those of a preset. */
  compressor: {
    /** Of the records it makes. */
    format: RecordFormat;
    /** Ticks of the encoders' own clock; null: the card's. */
    ticksPerCycle: Ratio | null;
    /** Of an engine of which only the rate is known; null: the core models the encoder. */
    rated: RatedEngine | null;
    /** 0: the card has none. */
    engines: number;
    /** Window: positions per clock. */
    pws: number;
    /** log2 of the table's entries. */
    hashLog: number;
    banks: number;
    /** Accesses per bank and clock. */
    ports: number;
    policy: "drop" | "stall" | "coalesce";
    /** Longest match in bytes; 0 is no cap. */
    matchCap: number;
    tokensPerClock: number;
    outBytesPerClock: number;
    outFifoBytes: number;
    fillLatencyCycles: number;
    setupCycles: number;
    /** Matches that begin in a window: any number, or the longest alone. */
    multi: boolean;
    /** Whether a position sees lower ones of its own window. */
    intraForward: boolean;
    /** A page goes out raw when LZ4 saves no more than this many bytes. */
    bailMarginBytes: number;
  };
  decompressor: {
    /** Formats that the card takes. */
    formats: readonly RecordFormat[];
    /** 0: the card has none. */
    engines: number;
    bytesPerCycle: number;
    setupCycles: number;
  };
  /** The card's own engines, or those of a cipher preset. */
  crypto: {
    /** Ticks of the engines' own clock; null: the card's. */
    ticksPerCycle: Ratio | null;
    /** Engines in each direction; 0: the card has none. */
    engines: number;
    bitsPerCycle: number;
    keySlots: number;
    /** Clocks of a round where rounds share their hardware; 0 is a pipeline of all rounds. */
    cyclesPerRound: number;
    stagesPerRound: number;
    ghashLatencyCycles: number;
    tagCycles: number;
    /** Clocks between two records. */
    recordGapCycles: number;
    /** Records may follow each other in the pipeline, or one at a time is in it. */
    interleave: "word" | "record";
    /** A result may wait in the engine, or a record is begun only when its place behind is reserved. */
    egress: "hold" | "admit";
    /** Expansion of a key that is in no slot, on the engine's time. */
    keyLoadCycles: number;
  };
  control: {
    cores: number;
    ticksPerCycle: Ratio;
    addressBatchCycles: number;
    addressPageCycles: number;
    descriptorBatchCycles: number;
    pageRecordCycles: number;
    roundEndCycles: number;
    interruptCycles: number;
    /** Of an acknowledgement of datagrams, and of one that goes again; 0: the port does it in no time. */
    datagramAckCycles: number;
    datagramAgainCycles: number;
  };
  /** What stages of pages cost its cores. */
  stages: ResolvedStages;
  dram: { ticksPerByte: Ratio; storeBytes: number };
  tcp: { receiveWindowBytes: number };
  port: { ticksPerByte: Ratio };
}

/** A server, its card, and the PCIe link between them. */
export interface ResolvedSide {
  host: ResolvedHost;
  card: ResolvedCard;
  pcie: ResolvedPcie;
}

/** Per cent of pages of each class; the sum is 100. */
export interface ResolvedMix {
  zero: number;
  text: number;
  random: number;
}

export interface ResolvedGuest {
  /** Whether the scenario gives the mix; a trace that carries bodies has no use for it, and it is refused. */
  mixGiven: boolean;
  /** Whether the writes come from a trace or a generator. */
  writes: "trace" | "generate";
  /** The generator; null with a trace. Pages are 4096 bytes. */
  generate: {
    memoryPages: number;
    /** Mean ticks between two page writes; null when the guest writes nothing. */
    ticksPerWrite: Ratio | null;
    workingSetPages: number;
    pattern: "uniform" | "hot" | "sequential" | "zipf";
  } | null;
  /** Bodies of a generator's pages, and of a trace that has none. */
  mix: ResolvedMix;
  vcpus: number;
  deviceStateBytes: number;
  clock: "guest" | "wall";
  atEnd: "idle" | "loop" | "fail";
  /** Copies of the trace's memory side by side. */
  tile: number;
  /** Factor on the trace's speed: a recorded time t is played at t / speed. */
  speed: Ratio;
  /** Whether first reads are played. */
  reads?: true;
  devices?: ResolvedDevice[];
  /** There when the guest has one. */
  storage?: ResolvedStorage;
}

/** I/O of a card that is not the migration's. */
export type ResolvedTenant =
  | "off"
  | {
      side: "source" | "destination" | "both";
      op: Operation;
      /** Bytes of an operation, and of the memory that operations are spread over. */
      sizeBytes: number;
      windowBytes: number;
      /** Operations under way at most. */
      workers: number;
      /** Between two operations at least. */
      everyTicks: string;
      tags: number;
    };

export interface ResolvedScenario {
  schema: "dpusim.scenario/1";
  /** Of `guests` what they are together: sums of vCPUs and device state. */
  guest: ResolvedGuest;
  /** There when the scenario has a list of them. */
  guests?: ResolvedGuest[];
  evacuation?: ResolvedEvacuation;
  sides: { source: ResolvedSide; destination: ResolvedSide };
  internal: {
    transport: "vsock";
    pages: "dma" | "vsock";
    addresses: "bitmap" | "list" | "runs" | "card-scans";
    /** There where the card scans the bitmap itself. */
    scan?: ResolvedScan;
    dll: "explicit" | "pciebench" | "ack-per-tlp" | "none";
    iommu: "off" | "4KiB" | "2MiB";
    ats: "on" | "off";
    relaxedOrdering: "on" | "off";
    jitter: "on" | "off";
    numa: "local" | "remote";
    contention: "on" | "off";
    ecrc: "on" | "off";
    interrupts: "each" | { everyTicks: number; after: number };
    /** Probability that a bit on a PCIe link arrives wrong. */
    bitErrorRate: number;
  };
  /** `workers`: cores of the source's host that work at stages put there. */
  placement: { name: string; stages: Placement["stages"]; workers: number } & ResolvedOnHosts;
  /** There with placement qemu alone. */
  software?: ResolvedSoftware;
  tracker: ResolvedTracker;
  /** `lz4-hw` is the card's own, another name that of a compressor preset. */
  compress: { engine: string } & ResolvedCoding;
  delta: "off" | ResolvedDelta;
  encrypt: {
    cipher: "aes-128-gcm" | "aes-256-gcm" | "off";
    /** 128, 256, or 0 when off. */
    keyBits: number;
    /** AES rounds: 10, 14, or 0 when off. */
    rounds: number;
    decrypt: ResolvedDecrypt;
    /** There where pages are encrypted before the request. */
    ahead?: ResolvedAhead;
  };
  link: ResolvedLink;
  migration: {
    algorithm: Algorithm;
    /** Decimal ticks. */
    downtimeLimitTicks: string;
    maxRounds: number;
    residual: Residual;
    /** Pages left below which the guest is stopped, where the downtime limit does not say. */
    thresholdPages?: number;
    /** There unless every page is there, and plain, when the guest resumes. */
    missing?: ResolvedMissing;
    /** Decimal ticks, or null for none. */
    timeoutTicks: string | null;
    onTimeout: "fail" | "force";
    /** Attempts after one that has failed, and the time before each, decimal ticks. */
    retries: number;
    retryAfterTicks: string;
    /** Longest time without a frame of the other card, decimal ticks; null: any. */
    silenceTicks: string | null;
    /** Records that may be asked for again; absent where a tag that does not fit ends the migration. */
    askAgain?: number;
    throttle: "off" | ResolvedThrottle;
    /** Guest time of the start in decimal ticks. */
    startAtTicks: string;
  };
  tenant: ResolvedTenant;
  firmware: "built-in";
  faults: ResolvedFault[];
  content: {
    mode: "full" | "sized" | "sampled";
    /** One page in so many has its body carried: 1 in full, 0 (none) in sized. */
    sampleEvery: number;
  };
  /** Unsigned 32 bit. */
  seed: number;
}
