// SPDX-License-Identifier: Apache-2.0
/**
 * Compressors on pages: size, clocks and conflicts of each page under each engine, and what that comes to.
 *
 * Engines of `lz4-hw` are the core's model, with the clocks that a card would take them for (set-up and
 * initiation interval, docs/lz4-hardware.md section 7). Others are rate only: their sizes are liblz4's,
 * those of Node's zlib, or a ratio. Pages of zeros are a zero filter's business and are not compressed here.
 */
import { constants, deflateRawSync } from "node:zlib";
import type { Core } from "../core-instance.ts";
import { keptBytes, ratioBytes } from "../given-sizes.ts";
import type { Compressor, HardwareCompressor, RatedCompressor } from "../scenario/engines.ts";
import { isZero } from "../trace/payload.ts";

export const PAGE_BYTES = 4096;
const POLICY = { drop: 0, stall: 1, coalesce: 2 } as const;

/** What an engine makes of a page. */
export interface PageOutcome {
  /** Bytes as they go out; 4096 for a page that stays raw. */
  readonly sizeBytes: number;
  readonly raw: boolean;
  /** The engine does not take the page, or leaves it to software: it is raw. */
  readonly refused: boolean;
  /** Clocks that an engine is taken for; null where clocks are not modelled. */
  readonly cycles: number | null;
  /** Accesses to the hash table that found no free port; null where there is none. */
  readonly conflicts: number | null;
}

const REFUSED: PageOutcome = {
  sizeBytes: PAGE_BYTES,
  raw: true,
  refused: true,
  cycles: null,
  conflicts: null,
};

function kept(size: number, margin: number): Pick<PageOutcome, "sizeBytes" | "raw" | "refused"> {
  const sizeBytes = size === 0 ? PAGE_BYTES : keptBytes(size, margin);
  return { sizeBytes, raw: sizeBytes === PAGE_BYTES, refused: false };
}

/** The core as a codec: a page is laid into its scratch room, what it becomes goes behind. */
export class PageCodec {
  readonly #core: Core;
  readonly #at: number;
  #configured: HardwareCompressor | null = null;

  constructor(core: Core) {
    this.#core = core;
    this.#at = core.address("scratch");
  }

  #call(name: string, ...args: number[]): number {
    return Number(this.#core.fn(name)(...args));
  }

  #compress(name: string, page: Uint8Array): number {
    this.#core.u8.set(page, this.#at);
    // the room behind the page holds 8192 bytes, more than any block of a page
    return this.#call(name, this.#at, PAGE_BYTES, this.#at + PAGE_BYTES, 2 * PAGE_BYTES);
  }

  #configure(e: HardwareCompressor): void {
    if (this.#configured === e) return;
    const scan = [e.pws, e.hashLog, e.banks, e.ports, POLICY[e.policy], e.matchCap];
    const rest = [Number(e.multi), Number(e.intraForward), e.bailMarginBytes];
    const packer = [e.outBytesPerClock, e.tokensPerClock, e.outFifoBytes];
    if (this.#call("lz4hwConfigure", ...scan, ...rest, ...packer) === 0)
      throw new RangeError(`${e.name}: no such encoder can be built`);
    this.#configured = e;
  }

  #hardware(engine: HardwareCompressor, page: Uint8Array): PageOutcome {
    this.#configure(engine);
    const size = this.#compress("lz4hwCompress", page);
    return {
      ...kept(size, engine.bailMarginBytes),
      cycles: engine.setupCycles + this.#call("lz4hwCycles"),
      conflicts: this.#call("lz4hwConflicts"),
    };
  }

  #rated(engine: RatedCompressor, page: Uint8Array): PageOutcome {
    if (PAGE_BYTES < engine.minJobBytes) return REFUSED;
    const size =
      engine.zlib !== null
        ? zlibBytes(engine.zlib, page)
        : engine.ratioPerMille !== null
          ? ratioBytes(engine.ratioPerMille)
          : this.#compress("lz4Compress", page);
    const made = kept(size, engine.bailMarginBytes);
    return { ...made, refused: made.raw && engine.softwareStores, cycles: null, conflicts: null };
  }

  /** One page of 4096 bytes under an engine. @throws RangeError for another length */
  page(engine: Compressor, page: Uint8Array): PageOutcome {
    if (page.length !== PAGE_BYTES) throw new RangeError(`a page of ${page.length} bytes`);
    if (engine.algorithm === "none") return REFUSED;
    return engine.algorithm === "lz4-hw" ? this.#hardware(engine, page) : this.#rated(engine, page);
  }
}

function zlibBytes(zlib: NonNullable<RatedCompressor["zlib"]>, page: Uint8Array): number {
  const strategy = zlib.fixed ? constants.Z_FIXED : constants.Z_DEFAULT_STRATEGY;
  return deflateRawSync(page, { level: zlib.level, windowBits: zlib.historyLog, strategy }).length;
}

/** What an engine has made of all pages. Rates are of bytes in, all its engines together. */
export interface EngineTotals {
  readonly engine: string;
  /** "model", or what the sizes are: then the rate is given. */
  readonly sizes: "model" | "liblz4" | "zlib" | "ratio" | "none";
  readonly pages: number;
  readonly bytesOut: number;
  /** Bytes in for one byte out; null without pages. */
  readonly ratio: number | null;
  readonly cycles: { mean: number; p50: number; p99: number; max: number } | null;
  readonly pagesPerSecond: number | null;
  readonly bytesPerSecond: number | null;
  readonly conflicts: number | null;
  readonly rawPages: number;
  readonly refusedPages: number;
}

const SIZES = { "lz4-hw": "model", "lz4-sw": "liblz4", zlib: "zlib", ratio: "ratio", none: "none" } as const;

/** Adds up the outcomes of one engine. */
export class EngineTally {
  readonly engine: Compressor;
  #pages = 0;
  #bytesOut = 0;
  #conflicts = 0;
  #raw = 0;
  #refused = 0;
  /** How many pages took so many clocks. */
  readonly #cycles = new Map<number, number>();

  constructor(engine: Compressor) {
    this.engine = engine;
  }

  add(outcome: PageOutcome): void {
    this.#pages++;
    this.#bytesOut += outcome.sizeBytes;
    this.#conflicts += outcome.conflicts ?? 0;
    this.#raw += Number(outcome.raw);
    this.#refused += Number(outcome.refused);
    const { cycles } = outcome;
    if (cycles !== null) this.#cycles.set(cycles, (this.#cycles.get(cycles) ?? 0) + 1);
  }

  /** Clocks of the page of rank ceil(share · pages). */
  #quantile(sorted: readonly (readonly [number, number])[], share: number): number {
    let left = Math.ceil(share * this.#pages);
    for (const [cycles, pages] of sorted) {
      left -= pages;
      if (left <= 0) return cycles;
    }
    return 0;
  }

  #clocks(): EngineTotals["cycles"] {
    if (this.engine.algorithm !== "lz4-hw" || this.#pages === 0) return null;
    const sorted = [...this.#cycles].sort(([a], [b]) => a - b);
    const sum = sorted.reduce((total, [cycles, pages]) => total + cycles * pages, 0);
    const [p50, p99] = [this.#quantile(sorted, 0.5), this.#quantile(sorted, 0.99)];
    return { mean: sum / this.#pages, p50, p99, max: sorted.at(-1)![0] };
  }

  /** Pages that all engines take in a second. */
  #pagesPerSecond(cycles: EngineTotals["cycles"]): number | null {
    const { engine } = this;
    if (engine.algorithm === "none" || this.#refused === this.#pages) return null;
    if (engine.algorithm !== "lz4-hw") return (engine.engines * engine.bytesPerSecond) / PAGE_BYTES;
    return cycles === null ? null : (engine.engines * engine.clockHz) / cycles.mean;
  }

  totals(): EngineTotals {
    const { engine } = this;
    const cycles = this.#clocks();
    const pagesPerSecond = this.#pagesPerSecond(cycles);
    return {
      engine: engine.name,
      sizes: SIZES[engine.algorithm],
      pages: this.#pages,
      bytesOut: this.#bytesOut,
      ratio: this.#pages === 0 ? null : (this.#pages * PAGE_BYTES) / this.#bytesOut,
      cycles,
      pagesPerSecond,
      bytesPerSecond: pagesPerSecond === null ? null : pagesPerSecond * PAGE_BYTES,
      conflicts: engine.algorithm === "lz4-hw" ? this.#conflicts : null,
      rawPages: this.#raw,
      refusedPages: this.#refused,
    };
  }
}

/** A page's rows: null for a page of zeros, which no engine gets. */
export interface PageRow {
  readonly page: number;
  readonly zero: boolean;
  /** In the order of the engines. */
  readonly outcomes: readonly PageOutcome[] | null;
}

/**
 * Runs pages through engines; yields a row for each page and returns the totals.
 * @param core any instance; its encoder is configured anew
 */
export function* probePages(
  core: Core,
  engines: readonly Compressor[],
  pages: Iterable<Uint8Array>,
): Generator<PageRow, EngineTotals[]> {
  const codec = new PageCodec(core);
  const tallies = engines.map((engine) => new EngineTally(engine));
  let page = 0;
  for (const body of pages) {
    const zero = isZero(body);
    const outcomes = zero ? null : engines.map((engine) => codec.page(engine, body));
    outcomes?.forEach((outcome, index) => {
      tallies[index]!.add(outcome);
    });
    yield { page: page++, zero, outcomes };
  }
  return tallies.map((tally) => tally.totals());
}
