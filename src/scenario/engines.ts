// SPDX-License-Identifier: Apache-2.0
/** Compressor presets as numbers in base units: bytes, clocks, Hz, bytes/s. */
import { Values } from "./fill.ts";
import { loadPreset } from "./presets.ts";

/** What every compressor has. */
interface Common {
  readonly name: string;
  readonly title: string;
  readonly engines: number;
}

/** An engine that the core models: the window encoder of docs/lz4-hardware.md. */
export interface HardwareCompressor extends Common {
  readonly algorithm: "lz4-hw";
  readonly clockHz: number;
  readonly pws: number;
  readonly hashLog: number;
  readonly banks: number;
  readonly ports: number;
  readonly policy: "drop" | "stall" | "coalesce";
  /** Longest match in bytes; 0 is no cap. */
  readonly matchCap: number;
  readonly multi: boolean;
  readonly intraForward: boolean;
  readonly bailMarginBytes: number;
  readonly outBytesPerClock: number;
  readonly tokensPerClock: number;
  readonly outFifoBytes: number;
  readonly setupCycles: number;
}

/** An engine of a given rate: liblz4's sizes, those of zlib in its place, or one ratio for all. */
export interface RatedCompressor extends Common {
  readonly algorithm: "lz4-sw" | "zlib" | "ratio";
  /** Bytes that one engine takes in. */
  readonly bytesPerSecond: number;
  readonly bailMarginBytes: number;
  /** Shortest job that is taken; 0 for liblz4. */
  readonly minJobBytes: number;
  /** Whether what does not shrink is software's business. */
  readonly softwareStores: boolean;
  /** Of `zlib`. */
  readonly zlib: { readonly level: number; readonly fixed: boolean; readonly historyLog: number } | null;
  /** Of `ratio`: bytes in for one byte out. */
  readonly ratio: number | null;
}

/** A product that does not compress. */
export interface AbsentCompressor extends Common {
  readonly algorithm: "none";
}

export type Compressor = HardwareCompressor | RatedCompressor | AbsentCompressor;

function hardware(common: Common, values: Values): HardwareCompressor {
  const { num, den } = values.exact("clock");
  return {
    ...common,
    algorithm: "lz4-hw",
    clockHz: Number(num) / Number(den),
    pws: values.whole("pws"),
    hashLog: values.whole("hashLog"),
    banks: values.whole("banks"),
    ports: values.whole("ports"),
    policy: values.word("policy"),
    matchCap: values.whole("matchCap"),
    multi: values.word("matchesPerWindow") === "any",
    intraForward: values.word("intraForward") === "yes",
    bailMarginBytes: values.whole("bailMargin"),
    outBytesPerClock: values.whole("outBytesPerClock"),
    tokensPerClock: values.whole("tokensPerClock"),
    outFifoBytes: values.whole("outFifoBytes"),
    setupCycles: values.whole("setupCycles"),
  };
}

function rated(algorithm: RatedCompressor["algorithm"], common: Common, values: Values): RatedCompressor {
  const { num, den } = values.exact("rate");
  const limited = algorithm !== "lz4-sw";
  return {
    ...common,
    algorithm,
    bytesPerSecond: Number(num) / Number(den) / 8,
    bailMarginBytes: values.whole("bailMargin"),
    minJobBytes: limited ? values.whole("minJob") : 0,
    softwareStores: limited && values.word("storedBlocks") === "no",
    zlib:
      algorithm !== "zlib"
        ? null
        : {
            level: values.whole("zlibLevel"),
            fixed: values.word("huffman") === "fixed",
            historyLog: values.whole("historyLog"),
          },
    ratio: algorithm === "ratio" ? values.whole("ratioPerMille") / 1000 : null,
  };
}

/** A compressor preset by name. @throws ScenarioError */
export function loadCompressor(name: string): Compressor {
  const preset = loadPreset("compressor", name);
  const values = new Values(preset, new Map(), []);
  const common = { name, title: preset.title, engines: values.whole("engines") };
  const algorithm = values.word<Compressor["algorithm"]>("algorithm");
  if (algorithm === "none") return { ...common, algorithm };
  return algorithm === "lz4-hw" ? hardware(common, values) : rated(algorithm, common, values);
}
