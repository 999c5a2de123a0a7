// SPDX-License-Identifier: Apache-2.0
/** Compressor presets as numbers in base units: bytes, clocks, Hz, bytes/s. */
import { namedWindow, type WindowEncoder } from "./encoders.ts";
import { Values } from "./fill.ts";
import { loadPreset } from "./presets.ts";

/** What every compressor has. */
interface Common {
  readonly name: string;
  readonly title: string;
  readonly engines: number;
}

/** An engine that the core models: the window encoder of docs/lz4-hardware.md. */
export interface HardwareCompressor extends Common, WindowEncoder {
  readonly algorithm: "lz4-hw";
  readonly engines: number;
  readonly clockHz: number;
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
  /** Of `ratio`: bytes in for 1000 bytes out. */
  readonly ratioPerMille: number | null;
}

/** A product that does not compress. */
export interface AbsentCompressor extends Common {
  readonly algorithm: "none";
}

export type Compressor = HardwareCompressor | RatedCompressor | AbsentCompressor;

function hardware(common: Common, values: Values): HardwareCompressor {
  const { num, den } = values.exact("clock");
  return { ...common, algorithm: "lz4-hw", clockHz: Number(num) / Number(den), ...namedWindow(values) };
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
    ratioPerMille: algorithm === "ratio" ? values.whole("ratioPerMille") : null,
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
