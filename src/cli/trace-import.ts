// SPDX-License-Identifier: Apache-2.0
/** `dpusim trace import`: files of other programs as trace files. */
import { amount, grouped } from "../report/format.ts";
import { type Dimension, parseQuantity, printable, show, UnitError } from "../scenario/units.ts";
import type { Importer, ImportOptions } from "../trace/import/importer.ts";
import { guessImporter, IMPORTERS, importerOf } from "../trace/import/kinds.ts";
import { type FileSource, fileSource } from "../trace/source-file.ts";
import { fileError, InputError } from "./errors.ts";
import { placeOf, writeTrace } from "./trace-file.ts";

interface ImportTexts {
  readonly output: string;
  readonly epoch?: string;
  readonly rate?: string;
  readonly instructions?: string;
  readonly hashes?: boolean;
  readonly force?: boolean;
}

const HEAD_BYTES = 4096;
/** 2.5 h, the longest simulated time. */
const EPOCH_US_MAX = 9e9;
/** Above 9e9 a time in us is no exact number any more. */
const INSTRUCTIONS_MAX = 9e9;
/** *Assumed* where nothing is said: 1 Gbit/s, and one instruction a ns. */
const DEFAULTS = { rate: "1 Gbit/s", instructions: "1 G/s" };

/** A whole number of `unit` above 0. */
function whole(option: string, text: string, dimension: Dimension, unit: number, most: number): number {
  let value: number;
  try {
    const { num, den } = parseQuantity(text, dimension);
    value = (Number(num) * unit) / Number(den);
  } catch (error) {
    if (error instanceof UnitError) throw new InputError(`--${option}: ${error.message}`);
    throw error;
  }
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  const right = dimension === "time" ? "whole us, up to 2.5 h" : "whole bytes or instructions a second";
  throw new InputError(`--${option}: "${show(text)}" is out of range; write ${right}`);
}

/** The importer, and the files: the first word is a kind, or a file whose beginning tells the kind. */
function chosen(words: readonly string[]): { importer: Importer; files: readonly string[] } {
  const [first = "", ...rest] = words;
  const kinds = IMPORTERS.map(({ kind }) => kind).join(", ");
  const named = importerOf(first);
  if (named !== null) return { importer: named, files: rest };
  let source: FileSource;
  try {
    source = fileSource(first);
  } catch (error) {
    const fault = fileError(first, error);
    if (fault instanceof InputError && (error as NodeJS.ErrnoException).code === "ENOENT")
      throw new InputError(`${first}: is no kind and no file; kinds are ${kinds}`);
    throw fault;
  }
  try {
    const guessed = guessImporter(source.read(0, HEAD_BYTES));
    if (guessed !== null) return { importer: guessed, files: words };
  } finally {
    source.close();
  }
  throw new InputError(`${first}: its beginning does not tell what it is; name its kind before it: ${kinds}`);
}

function checkOptions(importer: Importer, texts: ImportTexts): void {
  const { kind } = importer;
  const of = (option: string, kinds: readonly string[]): void => {
    if (kinds.includes(kind)) return;
    throw new InputError(`--${option}: has no effect on ${kind}; it is of ${kinds.join(", ")}`);
  };
  if (texts.rate !== undefined) of("rate", ["qemu-stream"]);
  if (texts.instructions !== undefined) of("instructions", ["lackey"]);
  if (texts.hashes === true) of("hashes", ["qemu-stream", "raw", "elf"]);
  if (texts.epoch !== undefined && kind === "qemu-log")
    throw new InputError("--epoch: has no effect on qemu-log; its epochs end at the syncs");
}

function optionsOf(texts: ImportTexts, version: string): ImportOptions {
  const { epoch, rate = DEFAULTS.rate, instructions = DEFAULTS.instructions } = texts;
  return {
    epochUs: epoch === undefined ? null : whole("epoch", epoch, "time", 1e6, EPOCH_US_MAX),
    hashes: texts.hashes === true,
    bytesPerSecond: whole("rate", rate, "rate", 1 / 8, Number.MAX_SAFE_INTEGER),
    instructionsPerSecond: whole("instructions", instructions, "events", 1, INSTRUCTIONS_MAX),
    tool: `dpusim ${version}`,
  };
}

/**
 * The text of `dpusim trace import`, after the file has been written.
 * @throws InputError, ImportError, Interrupted
 */
export async function traceImportCommand(
  words: readonly string[],
  texts: ImportTexts,
  version: string,
): Promise<string> {
  const { importer, files } = chosen(words);
  const { inputsMin, inputsMax, kind, takes } = importer;
  if (files.length < inputsMin || files.length > inputsMax)
    throw new InputError(`${kind}: takes ${takes}; ${amount(files.length, "file")} given`);
  checkOptions(importer, texts);
  const options = optionsOf(texts, version);
  const sources: FileSource[] = [];
  try {
    const inputs = files.map((name) => {
      try {
        const source = fileSource(name);
        sources.push(source);
        return { name, source };
      } catch (error) {
        throw fileError(name, error);
      }
    });
    const output = placeOf("trace import", texts.output, texts.force === true, files);
    const done = await writeTrace(output, (sink) => importer.steps(sink, inputs, options));
    const what = done.contents === "complete" ? "complete" : "no contents";
    const pages = `${amount(done.pages, "page")}, ${amount(done.events, "page write")}`;
    const size = `${grouped(done.bytes)} B, ${what}, ${pages} in ${amount(done.epochs, "epoch")}`;
    return `${printable(texts.output)}: ${kind}, ${size}\n`;
  } finally {
    for (const source of sources) source.close();
  }
}
