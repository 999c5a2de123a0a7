// SPDX-License-Identifier: Apache-2.0
/** `dpusim probe codec FILE`: what compressors make of the pages of a file. */
import { Core, coreModule } from "../core.ts";
import { PAGE_BYTES, type PageOutcome, type PageRow, probePages } from "../probe/codec.ts";
import { type CodecReport, codecTable } from "../report/codec.ts";
import { type Compressor, loadCompressor } from "../scenario/engines.ts";
import { presetNames } from "../scenario/presets.ts";
import { suggest } from "../scenario/source.ts";
import { printable } from "../scenario/units.ts";
import { MAGIC } from "../trace/format.ts";
import { type MdtTrace, openMdt } from "../trace/mdt-reader.ts";
import { epochs, initialPages } from "../trace/replay.ts";
import { SampledIndex } from "../trace/sampled-index.ts";
import type { ByteSource } from "../trace/source.ts";
import { type FileSource, fileSource } from "../trace/source-file.ts";
import { fileError, InputError } from "./errors.ts";
import { shortPath } from "./execute.ts";
import { untilInterrupted } from "./interrupt.ts";
import { wholeOf } from "./options.ts";
import { outputAt, writeOutput } from "./output.ts";
import { reporter } from "./progress.ts";

const READ_PAGES = 256;
const PAGES_MAX = 2 ** 40;

interface ProbeOptions {
  readonly engine: readonly string[];
  /** A file, or true (as `-`) for stdout. */
  readonly json?: string | true;
  readonly pages?: string;
}

const ORDER = ["lz4-hw", "lz4-sw", "zlib", "ratio", "none"];

/** The engines named; without a name all, those that are modelled first. @throws InputError */
function chosen(names: readonly string[]): Compressor[] {
  const known = presetNames("compressor");
  for (const name of names) {
    if (known.includes(name)) continue;
    const shown = printable(name);
    if (presetNames("cipher").includes(name))
      throw new InputError(`--engine ${shown}: is a cipher; dpusim validate codec measures ciphers`);
    throw new InputError(`--engine ${shown}: is no compressor preset; ${suggest(name, known)}`);
  }
  if (names.length > 0) return [...new Set(names)].map(loadCompressor);
  const rank = (engine: Compressor): number => ORDER.indexOf(engine.algorithm);
  return known.map(loadCompressor).sort((a, b) => rank(a) - rank(b));
}

/** Pages of a plain file; the last one is filled up with zeros. */
function* filePages(source: ByteSource): Generator<Uint8Array> {
  for (let at = 0; at < source.size; at += READ_PAGES * PAGE_BYTES) {
    const block = source.read(at, READ_PAGES * PAGE_BYTES);
    for (let from = 0; from < block.length; from += PAGE_BYTES) {
      const page = block.subarray(from, from + PAGE_BYTES);
      if (page.length === PAGE_BYTES) {
        yield page;
        continue;
      }
      const filled = new Uint8Array(PAGE_BYTES);
      filled.set(page);
      yield filled;
    }
  }
}

/** Bodies of a trace in time order: the initial image, then what was written. */
function* tracePages(trace: MdtTrace): Generator<Uint8Array> {
  for (const { body } of initialPages(trace)) if (body !== null) yield body;
  const index = trace.contents === "complete" ? null : new SampledIndex(trace);
  for (const { bodies } of epochs(trace, index)) {
    for (const body of bodies ?? []) if (body !== null) yield body;
  }
}

/** The pages of a file of either kind. @throws InputError, TraceError */
function pagesOf(source: ByteSource, label: string): Iterable<Uint8Array> {
  if (source.size === 0) throw new InputError(`${label}: is empty; name a file with contents`);
  const head = new TextDecoder("latin1").decode(source.read(0, MAGIC.length));
  if (head !== MAGIC) return filePages(source);
  const trace = openMdt(source, label);
  if (trace.contents === "none") throw new InputError(`${label}: has no contents; name another trace`);
  if (trace.pageBytes === PAGE_BYTES) return tracePages(trace);
  throw new InputError(`${label}: has pages of ${trace.pageBytes} B; only pages of 4096 B are probed`);
}

function open(file: string): FileSource {
  try {
    return fileSource(file);
  } catch (error) {
    throw fileError(shortPath(file), error);
  }
}

type RowJson = { page: number; zero: boolean; engines: Record<string, PageOutcome> | null };

/** What `--json` writes: totals, and a row for each page. */
interface CodecJson extends CodecReport {
  readonly rows: readonly RowJson[];
}

/** The first of the pages, with their rows where they are asked for; yields the number done. */
function* measure(
  engines: readonly Compressor[],
  pages: Iterable<Uint8Array>,
  limit: number,
  rows: RowJson[] | null,
): Generator<number, Pick<CodecReport, "pages" | "zeroPages" | "engines">> {
  function* first(): Generator<Uint8Array> {
    let left = limit;
    for (const page of pages) {
      if (left-- <= 0) return;
      yield page;
    }
  }
  const steps = probePages(new Core(coreModule()), engines, first());
  let zeroPages = 0;
  let done = 0;
  for (;;) {
    const step = steps.next();
    if (step.done) return { pages: done, zeroPages, engines: step.value };
    zeroPages += Number(step.value.zero);
    rows?.push(rowOf(engines, step.value));
    yield ++done;
  }
}

function rowOf(engines: readonly Compressor[], { page, zero, outcomes }: PageRow): RowJson {
  if (outcomes === null) return { page, zero, engines: null };
  const named = engines.map(({ name }, index) => [name, outcomes[index]!] as const);
  return { page, zero, engines: Object.fromEntries(named) };
}

/** Runs the command. @throws InputError, TraceError, Interrupted */
export async function probeCodecCommand(file: string, options: ProbeOptions): Promise<void> {
  const engines = chosen(options.engine);
  const { pages } = options;
  const limit = pages === undefined ? Number.POSITIVE_INFINITY : wholeOf("pages", pages, 1, PAGES_MAX);
  const toStdout = options.json === true || options.json === "-";
  const output =
    typeof options.json !== "string" || toStdout ? null : outputAt("--json", options.json, [file]);
  const source = open(file);
  const label = shortPath(file);
  const rows: RowJson[] | null = options.json === undefined ? null : [];
  let report: CodecReport;
  try {
    const pages = pagesOf(source, label);
    const found = await untilInterrupted(
      measure(engines, pages, limit, rows),
      reporter((done) => `${done} pages`),
    );
    report = { file: label, pageBytes: PAGE_BYTES, ...found };
  } catch (error) {
    throw fileError(label, error);
  } finally {
    source.close();
  }
  const json: CodecJson = { ...report, rows: rows ?? [] };
  if (output !== null) writeOutput(output, `${JSON.stringify(json)}\n`);
  process.stdout.write(toStdout ? `${JSON.stringify(json)}\n` : codecTable(report, engines));
}
