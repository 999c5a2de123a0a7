// SPDX-License-Identifier: Apache-2.0
/**
 * Every number a preset holds: its key, what it measures, its limits, what it means.
 *
 * The schema of overrides, the check of preset files and `dpusim presets` are made from it. Dotted keys nest.
 */
import { DEVICE_KEYS } from "./device-keys.ts";
import { COMPRESSOR_KEYS, cipherKeys } from "./engine-keys.ts";
import { MEMORY_KEYS, STORE_KEYS } from "./memory-keys.ts";
import { SOFTWARE_KEYS } from "./software-keys.ts";
import { STAGE_KEYS } from "./stage-keys.ts";
import type { Dimension } from "./units.ts";

/** The kinds of preset files, and the folder of each below sim/. */
export const PRESET_FOLDERS = {
  card: "cards",
  host: "hosts",
  link: "links",
  placement: "placements",
  compressor: "engines/compressors",
  cipher: "engines/ciphers",
} as const;

export type PresetKind = keyof typeof PRESET_FOLDERS;

/**
 * What a key holds. `count` is a bare whole number; `octets` is a number of bytes that custom writes without
 * a unit (MPS, MTU), so both 256 and '256 B' are read; `choice` is one of `values`; the rest are quantities.
 * `min` and `max` are in the base unit of the dimension. `powerOfTwo` and `values` narrow further. `of`: the
 * algorithms that have the key, where a table has a key `algorithm`; all without it.
 */
export interface KeySpec {
  readonly measure: "count" | "octets" | "choice" | Dimension;
  readonly min?: number;
  readonly max?: number;
  readonly powerOfTwo?: true;
  readonly values?: readonly (number | string)[];
  readonly of?: readonly string[];
  /** Of a count that is a share or counts more than things. */
  readonly unit?: "per mille" | "cycles";
  readonly text: string;
}

export type KeyTable = Readonly<Record<string, KeySpec>>;

export const LANES = [1, 2, 4, 8, 16] as const;
export const MPS = [128, 256, 512, 1024, 2048, 4096] as const;
const MRRS = MPS;

/** The most tags of a requester by generation: 8 bits up to Gen3, 10 bits (768 usable) above, 14 with
 * FLITs, of which the core has 1024. */
export const TAGS_MAX: Readonly<Record<number, number>> = { 1: 256, 2: 256, 3: 256, 4: 768, 5: 768, 6: 1024 };

/** The limits are those of scaled flow control (PCIe Base Specification 4.0, table 3-2). */
function credits(what: string, max: number): KeySpec {
  return { measure: "count", min: 0, max, text: `${what} advertised by the receiver; 0 means unlimited` };
}

const PCIE: KeyTable = {
  "pcie.generation": { measure: "count", values: [1, 2, 3, 4, 5, 6], text: "PCI Express generation" },
  "pcie.lanes": { measure: "count", values: LANES, text: "lanes" },
  "pcie.mps": { measure: "octets", values: MPS, text: "maximum payload size of a TLP" },
  "pcie.mrrs": { measure: "octets", values: MRRS, text: "maximum read request size" },
  "pcie.phCredits": credits("posted header credits", 2047),
  "pcie.pdCredits": credits("posted data credits of 16 B", 32767),
};

function cycles(text: string, max = 1_000_000): KeySpec {
  return { measure: "cycles", min: 0, max, text };
}

/** Cards. */
export const CARD_KEYS: KeyTable = {
  ...PCIE,
  "pcie.linkShare": {
    measure: "count",
    unit: "per mille",
    min: 100,
    max: 1000,
    text: "per mille of the link's rate at which the card's PCIe core takes bytes in",
  },
  "pcie.tags": { measure: "count", min: 1, max: 768, text: "read requests in flight at most" },
  "pcie.completionBuffer": {
    measure: "bytes",
    min: 4096,
    max: 2 ** 26,
    text: "bytes reserved for completions before a read is issued",
  },
  "pcie.completionHeaders": {
    measure: "count",
    min: 64,
    max: 65536,
    text: "completion headers reserved before a read is issued",
  },
  "pcie.replayBuffer": {
    measure: "bytes",
    min: 4096,
    max: 65536,
    text: "TLP bytes kept until they are acknowledged, each way",
  },
  "ats.entries": {
    measure: "count",
    min: 1,
    max: 1024,
    text: "pages that the card's translation cache holds",
  },
  "ats.requests": { measure: "count", min: 1, max: 64, text: "translation requests in flight at most" },
  clock: { measure: "clock", min: 1e6, max: 1e10, text: "clock of the card's engines" },
  "dma.readQueues": { measure: "count", min: 1, max: 8, text: "DMA read queues" },
  "dma.writeQueues": {
    measure: "count",
    min: 1,
    max: 8,
    powerOfTwo: true,
    text: "DMA write queues, a page each",
  },
  "dma.prefetchBatches": {
    measure: "count",
    min: 1,
    max: 16,
    powerOfTwo: true,
    text: "descriptor batches being fetched at most",
  },
  "dma.readIssue": cycles("clocks between two read requests", 1000),
  "dma.writeIssue": cycles("clocks between two write requests", 1000),
  "dma.descriptorBytes": { measure: "octets", values: [8, 16, 32, 64], text: "size of a DMA descriptor" },
  "dma.descriptorBatch": { measure: "count", min: 1, max: 64, text: "descriptors fetched together" },
  "dma.stagingSram": {
    measure: "bytes",
    min: 131072,
    max: 2 ** 28,
    text: "SRAM for page bodies, reserved before the read is issued",
  },
  "dma.ring": { measure: "choice", values: ["host", "card"], text: "memory that holds the descriptor rings" },
  "dma.completionEvery": { measure: "count", min: 0, max: 64, text: "descriptors a record, 0: none" },
  "dma.completionBytes": { measure: "octets", values: [4, 8, 16, 32, 64], text: "size of such a record" },
  "engine.workers": {
    measure: "count",
    min: 1,
    max: 1024,
    text: "operations of other I/O under way at most",
  },
  "engine.start": {
    measure: "time",
    min: 0,
    max: 1e-3,
    text: "other I/O: from an operation to its first tag, and its completion",
  },
  "engine.tagHold": {
    measure: "time",
    min: 0,
    max: 1e-3,
    text: "other I/O: from a tag to its request on the link",
  },
  "engine.tagRings": {
    measure: "count",
    min: 0,
    max: 8,
    text: "other I/O: rings of tags, each taken in turn, the next waited for; 0: whichever tag is free",
  },
  "engine.completions": {
    measure: "count",
    min: 0,
    max: 65536,
    text: "other I/O: completions that reads wait for at most, as the host cuts them; 0: any number",
  },
  "engine.copyPerKiB": {
    measure: "time",
    min: 0,
    max: 1e-3,
    text: "other I/O: from the last answer to the end of a read, a KiB of it",
  },
  "engine.memoryPerKiB": { measure: "time", min: 0, max: 1e-3, text: "other I/O: a KiB in card memory" },
  "engine.issue": { measure: "time", min: 0, max: 1e-3, text: "other I/O: between two requests" },
  "engine.burst": {
    measure: "octets",
    values: [64, 128, 256, 512, 1024, 2048, 4096],
    text: "other I/O: bytes in which a write is handed over",
  },
  "engine.burstGap": { measure: "time", min: 0, max: 1e-3, text: "other I/O: gap after such a burst" },
  "engine.writeFloor": { measure: "time", min: 0, max: 1e-3, text: "other I/O: between two writes at least" },
  "scanner.wordsPerCycle": {
    measure: "count",
    min: 1,
    max: 64,
    text: "64-bit bitmap words examined per clock",
  },
  "zeroFilter.bytesPerCycle": {
    measure: "bytesPerCycle",
    min: 1,
    max: 4096,
    text: "width of the zero filter",
  },
  "compressor.engines": {
    measure: "count",
    min: 0,
    max: 16,
    text: "LZ4 encoders; 0 means the card has none",
  },
  "compressor.pws": {
    measure: "count",
    values: [4, 8, 16, 32],
    text: "window: positions examined per clock",
  },
  "compressor.hashLog": { measure: "count", min: 6, max: 12, text: "log2 of the hash table's entries" },
  "compressor.banks": {
    measure: "count",
    min: 1,
    max: 256,
    powerOfTwo: true,
    text: "banks of the hash table",
  },
  "compressor.ports": { measure: "count", min: 1, max: 8, text: "accesses per bank and clock" },
  "compressor.policy": {
    measure: "choice",
    values: ["drop", "stall", "coalesce"],
    text: "what happens to an access that finds no free port",
  },
  "compressor.matchCap": {
    measure: "octets",
    min: 0,
    max: 4096,
    text: "longest match, 4 bytes at least; 0 means no cap",
  },
  "compressor.tokensPerClock": { measure: "count", min: 1, max: 32, text: "LZ4 sequences packed per clock" },
  "compressor.outBytesPerClock": { measure: "bytesPerCycle", min: 1, max: 256, text: "width of the packer" },
  "compressor.outFifoBytes": { measure: "octets", min: 64, max: 65536, text: "FIFO behind the packer" },
  "compressor.fillLatency": cycles("hash 2, read 2, compare 3, select 3, encode 4: pipeline depth"),
  "compressor.setupCycles": cycles("job set-up that is not hidden behind the previous page"),
  "compressor.bailMargin": {
    measure: "octets",
    min: 0,
    max: 4095,
    text: "a page goes out raw when LZ4 saves no more than this",
  },
  "decompressor.formats": {
    measure: "choice",
    values: ["lz4", "deflate", "lz4+deflate", "any"],
    text: "formats that the decoders take",
  },
  "decompressor.engines": {
    measure: "count",
    min: 0,
    max: 16,
    text: "decoders; 0 means the card has none",
  },
  "decompressor.bytesPerCycle": { measure: "bytesPerCycle", min: 1, max: 256, text: "output of one decoder" },
  "decompressor.setupCycles": cycles("job set-up that is not hidden behind the previous page"),
  "crypto.engines": {
    measure: "count",
    min: 0,
    max: 16,
    text: "AES-GCM engines in each direction; 0 means none",
  },
  "crypto.bitsPerCycle": {
    measure: "bitsPerCycle",
    values: [128, 256, 512, 1024, 2048],
    text: "width of one AES-GCM engine",
  },
  "crypto.keySlots": { measure: "count", min: 1, max: 65536, text: "expanded keys the card holds" },
  "crypto.cyclesPerRound": {
    measure: "count",
    unit: "cycles",
    min: 0,
    max: 16,
    text: "clocks of a round where rounds share their hardware; 0 means all rounds are a pipeline",
  },
  "crypto.stagesPerRound": {
    measure: "count",
    min: 1,
    max: 8,
    text: "registers per AES round of a pipeline",
  },
  "crypto.ghashLatency": cycles("one multiplication in GF(2^128)", 64),
  "crypto.tagCycles": cycles("the last exclusive-or of the tag", 64),
  "crypto.recordGap": cycles("between two records of an engine", 4096),
  "crypto.interleave": {
    measure: "choice",
    values: ["word", "record"],
    text: "whether a record may follow before the one before it has its tag",
  },
  "crypto.egress": {
    measure: "choice",
    values: ["hold", "admit"],
    text: "a sealed record may wait in its engine, or is begun only when there is room for it",
  },
  "crypto.keyLoad": cycles("expansion of a key that is in no slot, on the engine's time"),
  "control.cores": { measure: "count", min: 1, max: 16, text: "cores of the control processor" },
  "control.clock": { measure: "clock", min: 1e6, max: 1e10, text: "clock of the control processor" },
  "control.addressBatchCycles": cycles("handler of one address batch"),
  "control.addressPageCycles": cycles("that handler, for each page"),
  "control.descriptorBatchCycles": cycles("handler of one descriptor batch"),
  "control.pageRecordCycles": cycles("handler of one page record"),
  "control.roundEndCycles": cycles("handler of the end of a round"),
  "control.interruptCycles": cycles("entry and exit of an interrupt"),
  "control.datagramAckCycles": cycles("handler of an acknowledgement of datagrams (link.transport: udp)"),
  "control.datagramAgainCycles": cycles("for each datagram that goes again"),
  ...STAGE_KEYS,
  "dram.bandwidth": { measure: "rate", min: 1e9, max: 1e14, text: "bandwidth of the card's DRAM" },
  ...STORE_KEYS,
  "tcp.receiveWindow": { measure: "bytes", min: 65536, max: 2 ** 30, text: "receive window per connection" },
  "port.rate": { measure: "rate", min: 1e6, max: 1e12, text: "rate of the network port" },
};

/** Servers. */
export const HOST_KEYS: KeyTable = {
  ...PCIE,
  "pcie.nphCredits": credits("non-posted header credits", 2047),
  "pcie.npdCredits": credits("non-posted data credits, of AtomicOps", 2047),
  "pcie.rcb": { measure: "octets", values: [64, 128], text: "read completion boundary of the root complex" },
  "pcie.flight": {
    measure: "time",
    min: 1e-9,
    max: 1e-5,
    text: "both PHYs and the wire, one way; part of memory.readLatency, once each way",
  },
  "pcie.combineAbove": {
    measure: "octets",
    min: 0,
    max: 4096,
    text: "reads longer than this are completed in pieces of MPS, others in pieces of RCB",
  },
  "cpu.clock": { measure: "clock", min: 1e8, max: 1e10, text: "clock of a core" },
  "cpu.cores": {
    measure: "count",
    min: 0,
    max: 1024,
    text: "cores that vCPUs share with the migration's work; 0 means one for each",
  },
  ...MEMORY_KEYS,
  "memory.copyRate": { measure: "rate", min: 1e8, max: 1e13, text: "memcpy of one core" },
  "tracker.writeFault": {
    measure: "time",
    min: 0,
    max: 1e-3,
    text: "stall of a vCPU that writes a protected page",
  },
  "tracker.scanWordCycles": cycles("read and clear of one 64-bit word of the dirty bitmap", 1000),
  "tracker.protectPage": {
    measure: "time",
    min: 0,
    max: 1e-4,
    text: "write protection (or clearing of the dirty bit) of one page",
  },
  "tracker.tlbFlush": {
    measure: "time",
    min: 0,
    max: 1e-3,
    text: "TLB flush of all vCPUs after a batch has been protected; all of them stall",
  },
  "tracker.logExit": {
    measure: "time",
    min: 0,
    max: 1e-3,
    text: "exit and entry of a vCPU whose log of dirty pages is brought in",
  },
  "tracker.logEntry": {
    measure: "time",
    min: 0,
    max: 1e-4,
    text: "one entry of such a log, moved to its mark",
  },
  ...DEVICE_KEYS,
  "frontend.interrupt": { measure: "time", min: 0, max: 1e-3, text: "from MSI-X to the driver's handler" },
  "frontend.deviceStatePerKiB": { measure: "time", min: 0, max: 1e-3, text: "setting 1 KiB of device state" },
  "frontend.suspend": {
    measure: "time",
    min: 0,
    max: 1,
    text: "stopping the vCPUs and reading device state",
  },
  "frontend.resume": { measure: "time", min: 0, max: 1, text: "setting device state and starting the vCPUs" },
  "vsock.messageCost": { measure: "time", min: 0, max: 1e-3, text: "host software per message, each way" },
  ...STAGE_KEYS,
  ...SOFTWARE_KEYS,
};

/** Network links. */
export const LINK_KEYS: KeyTable = {
  rate: { measure: "rate", min: 1e6, max: 1e12, text: "rate on the wire, after line coding" },
  rtt: { measure: "time", min: 0, max: 2, text: "propagation there and back" },
  mtu: { measure: "octets", min: 576, max: 9216, text: "largest IP packet" },
  preamble: { measure: "octets", min: 0, max: 64, text: "preamble and start of frame" },
  gap: { measure: "octets", min: 0, max: 64, text: "gap between frames" },
  fcs: { measure: "octets", min: 0, max: 16, text: "frame check sequence" },
  header: { measure: "octets", min: 0, max: 64, text: "Ethernet header" },
  minFrame: { measure: "octets", min: 0, max: 256, text: "shortest frame, header to FCS" },
};

/** Keys of the tables' subjects that nothing in this version depends on, and why; they are refused. */
export const REFUSED_KEYS: Readonly<Record<"card" | "host", Readonly<Record<string, string>>>> = {
  card: {
    "pcie.nphCredits": "has no effect: the host never reads from the card; remove it",
    "pcie.npdCredits": "has no effect: the host never reads from the card; remove it",
  },
  host: {},
};

/** The tables by kind; a placement has stages instead of numbers. */
export const KEY_TABLES: Readonly<Record<Exclude<PresetKind, "placement">, KeyTable>> = {
  card: CARD_KEYS,
  host: HOST_KEYS,
  link: LINK_KEYS,
  compressor: COMPRESSOR_KEYS,
  cipher: cipherKeys(CARD_KEYS),
};
