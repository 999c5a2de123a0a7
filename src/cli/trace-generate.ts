// SPDX-License-Identifier: Apache-2.0
/** `dpusim trace generate`: a generated workload as a trace file. */
import { grouped } from "../report/format.ts";
import { type Dimension, parseQuantity, printable, show, UnitError } from "../scenario/units.ts";
import {
  type FileEpochs,
  fileEpochs,
  type GenerateOptions,
  generateSteps,
  TooMuchForFile,
} from "../trace/generate.ts";
import {
  GENERATED_EPOCH_US,
  GENERATED_PAGE_BYTES,
  GENERATED_RATE_MAX,
  type Pattern,
  type Workload,
} from "../trace/generator.ts";
import { InputError } from "./errors.ts";
import { placeOf, writeTrace } from "./trace-file.ts";

interface GenerateTexts {
  readonly memory: string;
  readonly rate: string;
  readonly workingSet: string;
  readonly pattern: string;
  readonly mix: string;
  readonly duration: string;
  readonly contents: string;
  readonly seed: string;
  readonly force?: boolean;
}

/** The same limits as those of a scenario's `generate`. */
const MEMORY_MAX = 2 ** 40;
/** 2.5 h, the longest simulated time. */
const DURATION_US_MAX = 9e9;

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
  if (bytes > MEMORY_MAX)
    throw new InputError(`--${option}: "${show(text)}" is too much; write at most 1 TiB`);
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

function durationUsOf(text: string): number {
  const durationUs = quantity("duration", text, "time") * 1e6;
  const whole = Math.round(durationUs / GENERATED_EPOCH_US) * GENERATED_EPOCH_US;
  if (whole < GENERATED_EPOCH_US || Math.abs(whole - durationUs) > 1e-6) {
    throw new InputError(`--duration: "${show(text)}" is not a multiple of 20 ms; write e.g. 1s`);
  }
  if (whole <= DURATION_US_MAX) return whole;
  throw new InputError(`--duration: "${show(text)}" is longer than a run may be; write at most 2.5 h`);
}

/** Epochs of the file; what it does not hold is said in the option's own words. @throws InputError */
function fileEpochsOf(options: GenerateOptions, texts: GenerateTexts): FileEpochs {
  try {
    return fileEpochs(options);
  } catch (error) {
    if (!(error instanceof TooMuchForFile)) throw error;
    const { key, most } = error;
    const right = key === "rate" ? `${most}/s` : `${most / 1000}ms`;
    throw new InputError(
      `--${key}: "${show(texts[key])}" is too much: ${error.message}; write at most ${right}`,
    );
  }
}

/** The text of `dpusim trace generate`, after the file has been written. @throws InputError, Interrupted */
export async function traceGenerateCommand(file: string, texts: GenerateTexts): Promise<string> {
  const workload: Workload = {
    memoryBytes: wholePages("memory", texts.memory),
    ratePerSecond: quantity("rate", texts.rate, "events"),
    workingSetBytes: wholePages("working-set", texts.workingSet),
    pattern: oneOf("pattern", texts.pattern, PATTERNS),
    mix: mixOf(texts.mix),
  };
  const { memoryBytes, workingSetBytes, ratePerSecond } = workload;
  if (workingSetBytes > memoryBytes) {
    throw new InputError(`--working-set: is larger than --memory; write at most ${show(texts.memory)}`);
  }
  if (ratePerSecond > GENERATED_RATE_MAX) {
    throw new InputError(`--rate: "${show(texts.rate)}" is out of range; write 0 to 1 G/s`);
  }
  const durationUs = durationUsOf(texts.duration);
  const contents = oneOf("contents", texts.contents, ["complete", "none"]);
  const seed = integer("seed", texts.seed, 2 ** 32 - 1);
  const options: GenerateOptions = { workload, seed, durationUs, contents };
  const { epochs, epochUs } = fileEpochsOf(options, texts);
  const bytes = await writeTrace(placeOf("trace generate", file, texts.force === true), (sink) =>
    generateSteps(sink, options),
  );
  const length = epochUs % 1000 === 0 ? `${epochUs / 1000} ms` : `${epochUs} us`;
  return `${printable(file)}: ${grouped(bytes)} B, ${grouped(epochs)} epochs of ${length}\n`;
}
