// SPDX-License-Identifier: Apache-2.0
// CSV and JSONL of page writes: `t_us,pfn,count` says that at t_us the pages pfn to pfn + count − 1 were
// written. Lines are in order of time. Optional: `hash`, 16 hex digits, the first 8 bytes of the SHA-256 of
// the page's contents then (HASH), and `size:NAME`, what compressor NAME makes of them (CSIZ); both of lines
// with count 1. The trace has no contents; pages are as many as the highest pfn asks for.
// Left out: how often a page was written within an epoch. A file cut between two lines looks whole.
import { LIMITS } from "../format.ts";
import { MdtWriter } from "../mdt-writer.ts";
import type { TraceSink } from "../sink.ts";
import type { Steps } from "../steps.ts";
import { EpochGatherer, TIME_US_MAX } from "./epochs.ts";
import {
  type Imported,
  type Importer,
  type ImportOptions,
  type Input,
  latin,
  PAGE_BYTES,
  PAGE_SHIFT,
  provenance,
} from "./importer.ts";
import { eachLine, type Line, refuseLine } from "./lines.ts";

const EPOCH_US = 20_000;
const COLUMNS = ["t_us", "pfn", "count"] as const;
const SIZE_NAME = /^size:[\x21-\x2b\x2d-\x7e]{1,64}$/;

/** Fields of one line by column, as text. */
type Fields = ReadonlyMap<string, string>;
type Parser = (line: Line) => Fields | null;

function checkColumns(name: string, line: Line, columns: readonly string[]): void {
  const known = (column: string): boolean =>
    (COLUMNS as readonly string[]).includes(column) || column === "hash" || SIZE_NAME.test(column);
  const missing = COLUMNS.find((column) => !columns.includes(column));
  const strange = columns.find((column, i) => !known(column) || columns.indexOf(column) < i);
  if (missing !== undefined) refuseLine(name, line, `${missing} is missing; a line has t_us, pfn and count`);
  if (strange === undefined) return;
  const legal = "t_us, pfn, count, hash, size:NAME";
  refuseLine(name, line, `"${strange}" is not known here; known, each once, are ${legal}`);
}

/** The first line may name the columns; without it they are t_us, pfn, count. */
function csvParser(name: string): Parser {
  let columns: readonly string[] = COLUMNS;
  return (line) => {
    const cells = line.text.split(",").map((cell) => cell.trim());
    if (line.number === 1 && /^[A-Za-z]/.test(line.text)) {
      checkColumns(name, line, cells);
      columns = cells;
      return null;
    }
    const { length } = columns;
    if (cells.length !== length)
      refuseLine(name, line, `${cells.length} cells; a line has ${length}: ${columns.join(",")}`);
    return new Map(cells.map((cell, i) => [columns[i]!, cell]));
  };
}

function jsonParser(name: string): Parser {
  return (line) => {
    let value: unknown;
    try {
      value = JSON.parse(line.text);
    } catch {
      refuseLine(name, line, 'this is not JSON; write e.g. {"t_us":20000,"pfn":7,"count":1}');
    }
    if (typeof value !== "object" || value === null || Array.isArray(value))
      refuseLine(name, line, "this is no JSON object");
    checkColumns(name, line, Object.keys(value));
    return new Map(Object.entries(value).map(([key, one]) => [key, String(one)]));
  };
}

function whole(name: string, line: Line, fields: Fields, key: string, least: number, most: number): number {
  const text = fields.get(key)!;
  if (/^\d{1,15}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
  return refuseLine(
    name,
    line,
    `${key} is "${text.slice(0, 40)}"; legal are whole numbers ${least} to ${most}`,
  );
}

/** Takes lines into epochs. */
class Rows {
  private timeUs = 0;
  private readonly name: string;
  private readonly epochs: EpochGatherer;

  constructor(name: string, epochs: EpochGatherer) {
    this.name = name;
    this.epochs = epochs;
  }

  take(line: Line, fields: Fields): void {
    const { name, epochs } = this;
    const timeUs = whole(name, line, fields, "t_us", 0, TIME_US_MAX);
    const pfn = whole(name, line, fields, "pfn", 0, LIMITS.pages - 2);
    const count = whole(name, line, fields, "count", 1, LIMITS.listPages);
    if (timeUs < this.timeUs)
      refuseLine(name, line, `t_us goes back from ${this.timeUs} to ${timeUs}; sort the lines by time`);
    if (pfn + count > LIMITS.pages - 1)
      refuseLine(name, line, `the pages end at ${pfn + count}; at most ${LIMITS.pages - 1}`);
    this.timeUs = timeUs;
    epochs.at(timeUs);
    for (let k = 0; k < count; k++) epochs.write(pfn + k);
    for (const key of fields.keys())
      if (!(COLUMNS as readonly string[]).includes(key)) this.note(line, fields, key);
  }

  private note(line: Line, fields: Fields, key: string): void {
    const { name, epochs } = this;
    const text = fields.get(key)!;
    if (text === "") return;
    const pfn = Number(fields.get("pfn"));
    if (Number(fields.get("count")) !== 1) refuseLine(name, line, `${key} is of one page; count must be 1`);
    if (key !== "hash") {
      epochs.size(key.slice(5), pfn, whole(name, line, fields, key, 0, PAGE_BYTES));
      return;
    }
    if (!/^[0-9a-f]{16}$/.test(text))
      refuseLine(name, line, `hash is "${text.slice(0, 40)}"; write 16 hex digits`);
    epochs.hash(pfn, BigInt(`0x${text.match(/../g)!.reverse().join("")}`));
  }
}

function* tableSteps(
  kind: string,
  parser: (name: string) => Parser,
  sink: TraceSink,
  input: Input,
  options: ImportOptions,
): Steps<Imported> {
  const epochUs = options.epochUs ?? EPOCH_US;
  const metadata = yield* provenance(kind, [input], options.tool, {
    pfn_mapping: "as in the source",
    clock: "t_us of the source",
  });
  const shape = {
    pages: 1,
    pageShift: PAGE_SHIFT,
    contents: "none",
    nominalEpochNs: epochUs * 1000,
  } as const;
  const writer = new MdtWriter(sink, { ...shape, metadata, deltas: false, compress: true });
  const epochs = new EpochGatherer(writer, epochUs);
  const rows = new Rows(input.name, epochs);
  const parse = parser(input.name);
  yield* eachLine(input, (line) => {
    const fields = parse(line);
    if (fields !== null) rows.take(line, fields);
  });
  epochs.finish();
  const { counts } = epochs;
  if (counts.epochs === 0) refuseLine(input.name, { number: 1, at: 0 }, "the file has no writes");
  writer.setPages(counts.pages);
  return { bytes: yield* writer.finishSteps(), contents: "none", ...counts };
}

export const csv: Importer = {
  kind: "csv",
  takes: "one file of lines t_us,pfn,count",
  inputsMin: 1,
  inputsMax: 1,
  begins: (head) => latin(head).startsWith("t_us,pfn,count"),
  steps: (sink, inputs, options) => tableSteps("csv", csvParser, sink, inputs[0]!, options),
};

export const jsonl: Importer = {
  kind: "jsonl",
  takes: 'one file of lines {"t_us":…,"pfn":…,"count":…}',
  inputsMin: 1,
  inputsMax: 1,
  begins: (head) => latin(head).startsWith('{"t_us":'),
  steps: (sink, inputs, options) => tableSteps("jsonl", jsonParser, sink, inputs[0]!, options),
};
