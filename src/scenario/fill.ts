// SPDX-License-Identifier: Apache-2.0
/** From presets and their overrides to the typed, all-integer records of types.ts. */
import { ownCipher } from "./ciphers.ts";
import { dimensionOf, exactOf } from "./fields.ts";
import { KEY_TABLES, TAGS_MAX } from "./keys.ts";
import { loadPreset, type Preset } from "./presets.ts";
import type { Path } from "./source.ts";
import { fillStages } from "./stage-keys.ts";
import type { Ratio, RecordFormat, ResolvedCard, ResolvedCredits, ResolvedPcie } from "./types.ts";
import type { ResolvedHost } from "./types-host.ts";
import type { ResolvedLink } from "./types-link.ts";
import { divide, type Rational, show, ticksOf, ticksPer, toRatio, UnitError } from "./units.ts";

/** A time as a safe integer of ticks; times above 8.7 s do not fit. @throws UnitError */
function toTicks(seconds: Rational): number {
  const ticks = ticksOf(seconds);
  if (ticks > BigInt(Number.MAX_SAFE_INTEGER)) throw new UnitError("is too long here; write at most 8.7 s");
  return Number(ticks);
}

/**
 * Ticks per byte of a rate in bit/s; the core multiplies it by up to 2^17 bytes in 64 bits. @throws
 * UnitError
 */
export function ticksPerByte(bitsPerSecond: Rational): Ratio {
  const ratio = toRatio(ticksPer(divide(bitsPerSecond, { num: 8n, den: 1n })));
  if (ratio[0] >= 2 ** 46) throw new UnitError("has too many digits to be exact in ticks; write fewer");
  return ratio;
}

/** Ticks per cycle of a clock; the core multiplies numerator and denominator in 64 bits. @throws UnitError */
export function ticksPerCycle(hertz: Rational): Ratio {
  const ratio = toRatio(ticksPer(hertz));
  if (BigInt(ratio[0]) * BigInt(ratio[1]) >= 2n ** 62n) {
    throw new UnitError("has too many digits to be exact in ticks; write fewer, such as 333 MHz");
  }
  return ratio;
}

/** The values of a preset with overrides in place, read by dotted key. Values have been checked before. */
export class Values {
  readonly preset: string;
  /** Where the scenario names this preset; problems are reported there. */
  readonly path: Path;
  readonly #preset: Preset;
  readonly #overrides: ReadonlyMap<string, unknown>;

  constructor(preset: Preset, overrides: ReadonlyMap<string, unknown>, path: Path) {
    this.preset = preset.name;
    this.path = path;
    this.#preset = preset;
    this.#overrides = overrides;
  }

  /** The same preset with more overrides on top. */
  with(overrides: ReadonlyMap<string, unknown>): Values {
    return new Values(this.#preset, new Map([...this.#overrides, ...overrides]), this.path);
  }

  /** What is given over the preset. */
  written(): ReadonlyMap<string, unknown> {
    return this.#overrides;
  }

  /** The value as written: the override's, else the preset's. */
  raw(key: string): unknown {
    return this.#overrides.get(key) ?? this.#preset.values[key]?.value;
  }

  /** The exact value in the base unit of the key's dimension. */
  exact(key: string): Rational {
    const spec = KEY_TABLES[this.#preset.kind][key];
    if (spec === undefined) throw new Error(`no key ${key} in the table of ${this.#preset.kind}`);
    return exactOf(spec, this.raw(key));
  }

  /** A whole number: counts, bytes, cycles, widths. */
  whole(key: string): number {
    return Number(this.exact(key).num);
  }

  ticks(key: string): number {
    return toTicks(this.exact(key));
  }

  /** Ticks per cycle of a clock. */
  perCycle(key: string): Ratio {
    return ticksPerCycle(this.exact(key));
  }

  /** Ticks per byte of a rate. */
  perByte(key: string): Ratio {
    return ticksPerByte(this.exact(key));
  }

  word<T extends string>(key: string): T {
    return String(this.raw(key)) as T;
  }

  /** The keys whose conversion to integers fails, with the reason; empty when all is well. */
  failures(): [key: string, message: string][] {
    const failures: [string, string][] = [];
    for (const [key, spec] of Object.entries(KEY_TABLES[this.#preset.kind])) {
      const dimension = dimensionOf(spec);
      try {
        if (dimension === "time") this.ticks(key);
        if (dimension === "rate") this.perByte(key);
        if (dimension === "clock") this.perCycle(key);
      } catch (error) {
        if (!(error instanceof UnitError)) throw error;
        failures.push([key, `${show(this.raw(key))} ${error.message}`]);
      }
    }
    return failures;
  }
}

/** Overrides as written, nested, to dotted keys. */
export function flatten(overrides: object, prefix = ""): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [key, value] of Object.entries(overrides)) {
    if (value === undefined || (prefix === "" && key === "preset")) continue;
    if (typeof value === "object" && value !== null) {
      for (const [inner, innerValue] of flatten(value, `${prefix}${key}.`)) flat.set(inner, innerValue);
    } else {
      flat.set(`${prefix}${key}`, value);
    }
  }
  return flat;
}

/** A preset by reference: its name, or { preset: NAME, ...overrides }. @throws ScenarioError */
export function valuesOf(kind: Preset["kind"], reference: string | { preset: string }, path: Path): Values {
  const name = typeof reference === "string" ? reference : reference.preset;
  const overrides = typeof reference === "string" ? new Map<string, unknown>() : flatten(reference);
  return new Values(loadPreset(kind, name), overrides, path);
}

/** Ticks per byte of a lane: 8b/10b for Gen1 and Gen2, 128b/130b above, all of it for Gen6; whole to x16. */
const LANE_TICKS_PER_BYTE: Readonly<Record<number, number>> = {
  1: 4_096_000,
  2: 2_048_000,
  3: 1_040_000,
  4: 520_000,
  5: 260_000,
  6: 128_000,
};

/** Ticks per byte of a link after line coding. @throws RangeError for a generation that is not 1 to 6 */
export function pcieTicksPerByte(generation: number, lanes: number): number {
  const lane = LANE_TICKS_PER_BYTE[generation];
  if (lane === undefined) throw new RangeError(`PCIe generation ${generation}`);
  return lane / lanes;
}

function postedCredits(values: Values): Omit<ResolvedCredits, "nph" | "npd"> {
  return { ph: values.whole("pcie.phCredits"), pd: values.whole("pcie.pdCredits") };
}

/** What a host and a card agree on: lower generation, narrower width, smaller MPS and MRRS. */
export function fillPcie(host: Values, card: Values): ResolvedPcie {
  const lower = (key: string): number => Math.min(host.whole(key), card.whole(key));
  const generation = lower("pcie.generation");
  const lanes = lower("pcie.lanes");
  return {
    generation,
    lanes,
    ticksPerByte: pcieTicksPerByte(generation, lanes),
    linkSharePerMille: card.whole("pcie.linkShare"),
    mpsBytes: lower("pcie.mps"),
    mrrsBytes: lower("pcie.mrrs"),
    rcbBytes: host.whole("pcie.rcb"),
    combineAboveBytes: host.whole("pcie.combineAbove"),
    tags: Math.min(card.whole("pcie.tags"), TAGS_MAX[generation] ?? 0),
    completionBufferBytes: card.whole("pcie.completionBuffer"),
    completionHeaders: card.whole("pcie.completionHeaders"),
    replayBufferBytes: card.whole("pcie.replayBuffer"),
    flightTicks: host.ticks("pcie.flight"),
    hostCredits: {
      ...postedCredits(host),
      nph: host.whole("pcie.nphCredits"),
      npd: host.whole("pcie.npdCredits"),
    },
    cardCredits: postedCredits(card),
  };
}

export function fillHost(values: Values): ResolvedHost {
  return {
    preset: values.preset,
    cpu: { ticksPerCycle: values.perCycle("cpu.clock"), cores: values.whole("cpu.cores") },
    memory: {
      ticksPerByte: values.perByte("memory.bandwidth"),
      readLatencyTicks: values.ticks("memory.readLatency"),
      missAdderTicks: values.ticks("memory.missAdder"),
      atomicAdderTicks: values.ticks("memory.atomicAdder"),
      remoteAdderTicks: values.ticks("memory.remoteAdder"),
      cacheBytes: values.whole("memory.cache"),
      loadPerMille: values.whole("memory.load"),
      sustainedPerMille: values.whole("memory.sustained"),
      contentionPerMille: values.whole("memory.contention"),
      jitter: {
        minTicks: values.ticks("memory.jitterMin"),
        p5Ticks: values.ticks("memory.jitterP5"),
        p95Ticks: values.ticks("memory.jitterP95"),
        p99Ticks: values.ticks("memory.jitterP99"),
        p999Ticks: values.ticks("memory.jitterP999"),
        maxTicks: values.ticks("memory.jitterMax"),
      },
      copyTicksPerByte: values.perByte("memory.copyRate"),
    },
    iommu: {
      entries: values.whole("iommu.entries"),
      ways: values.whole("iommu.ways"),
      walkTicks: values.ticks("iommu.walk"),
      recoveryTicks: values.ticks("iommu.recovery"),
      readTicksPerCompletion: values.ticks("iommu.readPerCompletion"),
      walkers: values.whole("iommu.walkers"),
      serialWalks: values.word("iommu.serialWalks") === "yes",
    },
    tracker: {
      writeFaultTicks: values.ticks("tracker.writeFault"),
      scanWordCycles: values.whole("tracker.scanWordCycles"),
      protectPageTicks: values.ticks("tracker.protectPage"),
      tlbFlushTicks: values.ticks("tracker.tlbFlush"),
      logExitTicks: values.ticks("tracker.logExit"),
      logEntryTicks: values.ticks("tracker.logEntry"),
      examineTicks: values.ticks("tracker.examine"),
      recordTicks: values.ticks("tracker.record"),
      iommuEntryCycles: values.whole("tracker.iommuEntryCycles"),
      iommuClearTicks: values.ticks("tracker.iommuClear"),
      iotlbFlushTicks: values.ticks("tracker.iotlbFlush"),
    },
    frontend: {
      suspendTicks: values.ticks("frontend.suspend"),
      resumeTicks: values.ticks("frontend.resume"),
      interruptTicks: values.ticks("frontend.interrupt"),
      deviceStatePerKibTicks: values.ticks("frontend.deviceStatePerKiB"),
    },
    stages: fillStages(values),
    vsock: {
      messageCostTicks: values.ticks("vsock.messageCost"),
    },
  };
}

function fillControl(values: Values): ResolvedCard["control"] {
  const whole = (key: string): number => values.whole(`control.${key}`);
  return {
    cores: whole("cores"),
    ticksPerCycle: values.perCycle("control.clock"),
    addressBatchCycles: whole("addressBatchCycles"),
    addressPageCycles: whole("addressPageCycles"),
    descriptorBatchCycles: whole("descriptorBatchCycles"),
    pageRecordCycles: whole("pageRecordCycles"),
    roundEndCycles: whole("roundEndCycles"),
    interruptCycles: whole("interruptCycles"),
    datagramAckCycles: whole("datagramAckCycles"),
    datagramAgainCycles: whole("datagramAgainCycles"),
  };
}

/** What `decompressor.formats` says. */
export const FORMATS: Readonly<Record<string, readonly RecordFormat[]>> = {
  lz4: ["lz4"],
  deflate: ["deflate"],
  "lz4+deflate": ["lz4", "deflate"],
  any: ["lz4", "deflate", "zstd", "xpress", "xp10"],
};

export function fillCard(
  values: Values,
  compressor: ResolvedCard["compressor"],
  crypto: ResolvedCard["crypto"] = ownCipher(values),
): ResolvedCard {
  return {
    preset: values.preset,
    ticksPerCycle: values.perCycle("clock"),
    ats: { entries: values.whole("ats.entries"), requests: values.whole("ats.requests") },
    dma: {
      readQueues: values.whole("dma.readQueues"),
      writeQueues: values.whole("dma.writeQueues"),
      prefetchBatches: values.whole("dma.prefetchBatches"),
      readIssueCycles: values.whole("dma.readIssue"),
      writeIssueCycles: values.whole("dma.writeIssue"),
      descriptorBytes: values.whole("dma.descriptorBytes"),
      descriptorBatch: values.whole("dma.descriptorBatch"),
      stagingSramBytes: values.whole("dma.stagingSram"),
      ring: values.word("dma.ring"),
      completionEvery: values.whole("dma.completionEvery"),
      completionBytes: values.whole("dma.completionBytes"),
    },
    engine: {
      workers: values.whole("engine.workers"),
      startTicks: values.ticks("engine.start"),
      tagHoldTicks: values.ticks("engine.tagHold"),
      tagRings: values.whole("engine.tagRings"),
      completions: values.whole("engine.completions"),
      copyTicksPerKib: values.ticks("engine.copyPerKiB"),
      memoryTicksPerKib: values.ticks("engine.memoryPerKiB"),
      issueTicks: values.ticks("engine.issue"),
      writeFloorTicks: values.ticks("engine.writeFloor"),
      burstBytes: values.whole("engine.burst"),
      burstGapTicks: values.ticks("engine.burstGap"),
    },
    scanner: { wordsPerCycle: values.whole("scanner.wordsPerCycle") },
    zeroFilter: { bytesPerCycle: values.whole("zeroFilter.bytesPerCycle") },
    compressor,
    decompressor: {
      formats: FORMATS[values.word("decompressor.formats")]!,
      engines: values.whole("decompressor.engines"),
      bytesPerCycle: values.whole("decompressor.bytesPerCycle"),
      setupCycles: values.whole("decompressor.setupCycles"),
    },
    crypto,
    control: fillControl(values),
    stages: fillStages(values),
    dram: { ticksPerByte: values.perByte("dram.bandwidth"), storeBytes: values.whole("dram.store") },
    tcp: { receiveWindowBytes: values.whole("tcp.receiveWindow") },
    port: { ticksPerByte: values.perByte("port.rate") },
  };
}

/** The part of a link that its preset decides. */
export function fillEthernet(
  values: Values,
): Pick<
  ResolvedLink,
  | "preset"
  | "ticksPerByte"
  | "rttTicks"
  | "mtuBytes"
  | "preambleBytes"
  | "gapBytes"
  | "fcsBytes"
  | "headerBytes"
  | "minFrameBytes"
> {
  return {
    preset: values.preset,
    ticksPerByte: values.perByte("rate"),
    rttTicks: values.ticks("rtt"),
    mtuBytes: values.whole("mtu"),
    preambleBytes: values.whole("preamble"),
    gapBytes: values.whole("gap"),
    fcsBytes: values.whole("fcs"),
    headerBytes: values.whole("header"),
    minFrameBytes: values.whole("minFrame"),
  };
}

/** The keys of `link.framing`. */
export interface FramingKeys {
  readonly vlan: number;
  readonly ip: "v4" | "v6";
  readonly vxlan: "off" | "on";
  readonly macsec: "off" | "sci" | "short";
  readonly esp: "off" | "tunnel";
  readonly tls: "off" | "v1.2" | "v1.3";
}

/** TCP with timestamps. */
const TCP_BYTES = 32;
/** UDP 8 and what the firmware recovers by, 16 (assumed): connection and position 12, acknowledgement 4. */
export const UDP_BYTES = 24;
const IP_BYTES = { v4: 20, v6: 40 } as const;
const VLAN_BYTES = 4;
/** Outer Ethernet, IPv4, UDP and VXLAN headers less the Ethernet header that every frame has. */
const VXLAN_BYTES = 50;
/** SecTAG with EtherType 8, SCI 8, ICV 16 (IEEE 802.1AE). */
const MACSEC_BYTES = { off: 0, sci: 32, short: 24 } as const;
/** Outer IPv4 20, SPI and sequence number 8, IV 8, pad length and next header 2, ICV 16 (RFC 4303, 4106). */
const ESP_BYTES = 54;
const ESP_PAD_TO = 4;
/** TLS 1.2: header 5, nonce 8, tag 16; TLS 1.3: header 5, content type 1, tag 16. */
const TLS_BYTES = { off: 0, "v1.2": 29, "v1.3": 22 } as const;

/** What encloses a payload on the wire; without keys IPv4 and TCP in a plain frame. */
export function fillFraming(
  ethernet: Pick<ResolvedLink, "headerBytes">,
  keys: FramingKeys = { vlan: 0, ip: "v4", vxlan: "off", macsec: "off", esp: "off", tls: "off" },
  udp = false,
): Pick<ResolvedLink, "headerBytes" | "packetHeaderBytes" | "padToBytes" | "tlsBytes"> {
  const tunnels = (keys.vxlan === "on" ? VXLAN_BYTES : 0) + (keys.esp === "tunnel" ? ESP_BYTES : 0);
  return {
    headerBytes: ethernet.headerBytes + keys.vlan * VLAN_BYTES + MACSEC_BYTES[keys.macsec],
    packetHeaderBytes: IP_BYTES[keys.ip] + (udp ? UDP_BYTES : TCP_BYTES) + tunnels,
    padToBytes: keys.esp === "tunnel" ? ESP_PAD_TO : 1,
    tlsBytes: TLS_BYTES[keys.tls],
  };
}
