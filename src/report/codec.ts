// SPDX-License-Identifier: Apache-2.0
/** What `dpusim probe codec` prints: a line an engine, then what has to be known of some. */
import picocolors from "picocolors";
import type { EngineTotals } from "../probe/codec.ts";
import type { Compressor } from "../scenario/engines.ts";
import { columns, type Row } from "./columns.ts";
import { amount, grouped } from "./format.ts";

/** Totals of all engines over the pages of a file. */
export interface CodecReport {
  readonly file: string;
  readonly pageBytes: number;
  readonly pages: number;
  /** Pages of zeros, which no engine gets. */
  readonly zeroPages: number;
  readonly engines: readonly EngineTotals[];
}

const HEAD = ["ENGINE", "SIZES", "RATIO", "CLOCKS", "P50", "P99", "MAX", "ENGINES"];
const REST = ["PAGES/S", "GB/S", "CONFLICTS", "RAW"];
const NONE = "-";

/** A number of Hz or bytes/s with four digits and a decimal prefix. */
function scaled(value: number, unit: string): string {
  const [prefix, size] = value >= 1e9 ? ["G", 1e9] : ["M", 1e6];
  return `${Number((value / size).toPrecision(4))} ${prefix}${unit}`;
}

function enginesText(engine: Compressor): string {
  if (engine.algorithm === "none") return NONE;
  const each =
    engine.algorithm === "lz4-hw" ? scaled(engine.clockHz, "Hz") : scaled(engine.bytesPerSecond, "B/s");
  return `${engine.engines} x ${each}`;
}

function sizesText(engine: Compressor): string {
  if (engine.algorithm === "lz4-hw") return "model";
  if (engine.algorithm === "lz4-sw") return "liblz4";
  if (engine.algorithm === "none") return NONE;
  if (engine.algorithm === "ratio") return "one ratio";
  return `zlib ${engine.zlib?.level}${engine.zlib?.fixed ? " fixed" : ""}`;
}

function rowOf(engine: Compressor, totals: EngineTotals): Row {
  const { ratio, cycles, pagesPerSecond, bytesPerSecond, conflicts } = totals;
  const idle = totals.refusedPages === totals.pages;
  const clocks =
    cycles === null
      ? [NONE, NONE, NONE, NONE]
      : [cycles.mean.toFixed(1), ...[cycles.p50, cycles.p99, cycles.max].map(grouped)];
  return [
    engine.name,
    sizesText(engine),
    ratio === null || idle ? NONE : ratio.toFixed(3),
    ...clocks,
    enginesText(engine),
    pagesPerSecond === null ? NONE : grouped(pagesPerSecond),
    bytesPerSecond === null ? NONE : (bytesPerSecond / 1e9).toPrecision(4),
    conflicts === null ? NONE : grouped(conflicts),
    grouped(totals.rawPages),
  ];
}

/** What the numbers of an engine do not say. */
function noteOf(engine: Compressor, { pages, refusedPages, engine: name }: EngineTotals): string | null {
  if (engine.algorithm === "none") return `${name} does not compress: pages go raw, or software does it`;
  if (engine.algorithm === "lz4-hw" || refusedPages === 0) return null;
  if (refusedPages === pages && engine.minJobBytes > 0)
    return `${name} takes no job below ${engine.minJobBytes} B: every page is software's`;
  return `${name} cannot store what does not shrink: ${amount(refusedPages, "page")} left to software`;
}

/** The text of the command. `engines` in the order of the report's. */
export function codecTable(report: CodecReport, engines: readonly Compressor[]): string {
  const colors = picocolors.createColors(picocolors.isColorSupported);
  const pairs = engines.map((engine, index) => [engine, report.engines[index]!] as const);
  const rows = pairs.map(([engine, totals]) => rowOf(engine, totals));
  const zeros = `${grouped(report.zeroPages)} of them zero and left to a zero filter`;
  const head = `${report.file}: ${amount(report.pages, "page")} of 4 KiB, ${zeros}`;
  const notes = pairs.flatMap(([engine, totals]) => noteOf(engine, totals) ?? []);
  if (engines.some(({ algorithm }) => algorithm === "lz4-hw"))
    notes.unshift("model: the core's encoder on these pages; CLOCKS are those of an engine for a page, mean");
  if (engines.some(({ algorithm }) => algorithm !== "lz4-hw" && algorithm !== "none"))
    notes.push("without clocks: rate only; the rate is given, and sizes are of what SIZES names");
  notes.push("PAGES/S and GB/S (bytes in) are of all engines together; dpusim presets NAME has the sources");
  const table = columns([...HEAD, ...REST], rows, colors, [0, 1]);
  return `${head}\n\n${table}\n\n${notes.map((note) => `  ${note}\n`).join("")}`;
}
