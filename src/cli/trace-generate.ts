// SPDX-License-Identifier: Apache-2.0
/** `dpusim trace generate`: a generated workload as a trace file. */
import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { grouped } from "../report/format.ts";
import { type Dimension, parseQuantity, UnitError } from "../scenario/units.ts";
import { writeGenerated } from "../trace/generate.ts";
import { GENERATED_EPOCH_US, GENERATED_PAGE_BYTES, type Pattern, type Workload } from "../trace/generator.ts";
import type { TraceSink } from "../trace/mdt-writer.ts";
import { fileError, InputError } from "./errors.ts";
import { checkOutput } from "./run.ts";

interface GenerateTexts {
  readonly memory: string;
  readonly rate: string;
  readonly workingSet: string;
  readonly pattern: string;
  readonly mix: string;
  readonly duration: string;
  readonly contents: string;
  readonly seed: string;
}

const PATTERNS: readonly Pattern[] = ["uniform", "hot", "sequential", "zipf"];

function quantity(option: string, text: string, dimension: Dimension): number {
  try {
    const { num, den } = parseQuantity(text, dimension);
    return Number(num) / Number(den);
  } catch (error) {
    if (error instanceof UnitError) throw new InputError(`--${option}: ${error.message}`);
    throw error;
  }
}

function wholePages(option: string, text: string): number {
  const bytes = quantity(option, text, "bytes");
  if (bytes > 0 && bytes % GENERATED_PAGE_BYTES === 0) return bytes;
  throw new InputError(`--${option}: "${text}" is not a multiple of 4 KiB above 0; write e.g. 64MiB`);
}

function mixOf(text: string): Workload["mix"] {
  const parts = text.split("/").map((part) => (/^\d+$/.test(part) ? Number(part) : Number.NaN));
  const [zero = Number.NaN, words = Number.NaN, random = Number.NaN] = parts;
  if (parts.length === 3 && zero + words + random === 100) return { zero, text: words, random };
  throw new InputError(`--mix: "${text}" is not three per cents that add up to 100; write e.g. 30/40/30`);
}

function oneOf<T extends string>(option: string, text: string, known: readonly T[]): T {
  const found = known.find((one) => one === text);
  if (found === undefined)
    throw new InputError(`--${option}: "${text}" is not known; there are ${known.join(", ")}`);
  return found;
}

function integer(option: string, text: string, most: number): number {
  if (/^\d+$/.test(text) && Number(text) <= most) return Number(text);
  throw new InputError(`--${option}: "${text}" is not a whole number from 0 to ${most}`);
}

/** A sink over a draft file that takes the file's place when all of it is written. */
function fileSink(file: string): TraceSink & { keep(): void; drop(): void } {
  const draft = `${file}.${process.pid}.tmp`;
  const fd = openSync(draft, "w");
  const write = (bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done);
  };
  const patch = (offset: number, bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
    }
  };
  const keep = (): void => {
    closeSync(fd);
    renameSync(draft, file);
  };
  const drop = (): void => {
    closeSync(fd);
    rmSync(draft, { force: true });
  };
  return { write, patch, keep, drop } as TraceSink & { keep(): void; drop(): void };
}

/** The text of `dpusim trace generate`, after the file has been written. @throws InputError */
export function traceGenerateCommand(file: string, texts: GenerateTexts): string {
  const workload: Workload = {
    memoryBytes: wholePages("memory", texts.memory),
    ratePerSecond: quantity("rate", texts.rate, "events"),
    workingSetBytes: wholePages("working-set", texts.workingSet),
    pattern: oneOf("pattern", texts.pattern, PATTERNS),
    mix: mixOf(texts.mix),
  };
  const durationUs = quantity("duration", texts.duration, "time") * 1e6;
  const epochs = Math.round(durationUs / GENERATED_EPOCH_US);
  if (epochs < 1 || Math.abs(epochs * GENERATED_EPOCH_US - durationUs) > 1e-6) {
    throw new InputError(`--duration: "${texts.duration}" is not a multiple of 20 ms; write e.g. 1s`);
  }
  const contents = oneOf("contents", texts.contents, ["complete", "none"]);
  const seed = integer("seed", texts.seed, 2 ** 32 - 1);
  checkOutput("trace generate", file);
  let sink: ReturnType<typeof fileSink>;
  try {
    sink = fileSink(file);
  } catch (error) {
    throw fileError(file, error);
  }
  try {
    const bytes = writeGenerated(sink, { workload, seed, epochs, contents });
    sink.keep();
    return `${file}: ${grouped(bytes)} B, ${epochs} epochs of 20 ms\n`;
  } catch (error) {
    sink.drop();
    if (error instanceof RangeError) throw new InputError(`trace generate: ${error.message}`);
    throw error;
  }
}
