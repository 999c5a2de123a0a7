// SPDX-License-Identifier: Apache-2.0
// `dpusim trace generate`: a generated workload as a trace file. Playing the file with the same seed gives
// the same events as playing the workload.
import { ClassContents, ZERO_CONTENT } from "./content.ts";
import * as F from "./format.ts";
import {
  fileRateMax,
  GENERATED_EPOCH_US,
  GENERATED_PAGE_BYTES,
  GeneratedWrites,
  Generator,
  generatedEpochPs,
  type Workload,
} from "./generator.ts";
import { MdtWriter, PAGES_PER_CHUNK } from "./mdt-writer.ts";
import type { TraceSink } from "./sink.ts";
import { drain, type Steps } from "./steps.ts";

/** What `writeGenerated` writes. */
export interface GenerateOptions {
  readonly workload: Workload;
  /** u32. */
  readonly seed: number;
  /** A multiple of 20 ms. */
  readonly durationUs: number;
  readonly contents: "complete" | "none";
}

/** How a file of a workload is divided. */
export interface FileEpochs {
  readonly epochUs: number;
  readonly epochs: number;
}

/** What a file cannot hold of a workload. */
export class TooMuchForFile extends RangeError {
  readonly key: "rate" | "duration";
  /** The most that it holds: page writes a second, or us. */
  readonly most: number;
  constructor(key: "rate" | "duration", most: number, message: string) {
    super(message);
    this.key = key;
    this.most = most;
  }
}

/** Epochs of a file. Throws TooMuchForFile. */
export function fileEpochs({ workload, durationUs, contents }: Omit<GenerateOptions, "seed">): FileEpochs {
  const rateMax = fileRateMax(workload);
  if (workload.ratePerSecond > rateMax)
    throw new TooMuchForFile("rate", rateMax, "a file has a page once in an epoch of whole us");
  const epochUs = generatedEpochPs(workload) / 1e6;
  const complete = contents === "complete";
  // EPOC, and with contents SAME and the bodies; before them the initial image
  const draws = Math.ceil((workload.ratePerSecond * epochUs) / 1e6);
  const perEpoch = complete ? 2 + Math.ceil((2 * draws) / PAGES_PER_CHUNK) : 1;
  const initial = complete ? 2 + workload.memoryBytes / GENERATED_PAGE_BYTES / PAGES_PER_CHUNK : 0;
  const epochsMax = Math.floor((F.LIMITS.chunks - initial) / perEpoch);
  const epochs = durationUs / epochUs;
  if (epochs > epochsMax) {
    const most = Math.floor((epochsMax * epochUs) / GENERATED_EPOCH_US) * GENERATED_EPOCH_US;
    throw new TooMuchForFile(
      "duration",
      most,
      `${epochs} epochs of ${epochUs} us have more chunks than a file`,
    );
  }
  return { epochUs, epochs };
}

/**
 * Writes a generated trace; returns its length in bytes. Deterministic to the byte. Memory: a reference per
 * page. Throws RangeError for a workload out of range.
 */
export function writeGenerated(sink: TraceSink, options: GenerateOptions): number {
  return drain(generateSteps(sink, options));
}

/** The same in steps: a part of the initial image, or an epoch. */
export function* generateSteps(sink: TraceSink, options: GenerateOptions): Steps<number> {
  const { workload, seed, durationUs, contents } = options;
  if (!(durationUs > 0) || durationUs % GENERATED_EPOCH_US !== 0)
    throw new RangeError(`durationUs: ${durationUs}; must be a multiple of ${GENERATED_EPOCH_US}`);
  const generator = new Generator(workload, seed);
  const { epochs, epochUs } = fileEpochs(options);
  const bodies = new ClassContents(seed, GENERATED_PAGE_BYTES);
  const complete = contents === "complete";
  const bodyOf = (id: number): Uint8Array | null => (id === ZERO_CONTENT ? null : bodies.body(id));
  const writer = new MdtWriter(sink, {
    pages: generator.pages,
    pageShift: 12,
    contents,
    nominalEpochNs: epochUs * 1000,
    metadata: { kind: "generated", workload: describe(workload, seed) },
    deltas: false,
    compress: true,
  });
  if (complete) {
    const resident = Uint32Array.from({ length: generator.pages }, (_, pfn) => pfn);
    yield* writer.initialSteps(resident, (pfn) => bodyOf(generator.contentId(pfn, 0)));
  }
  const writes = new GeneratedWrites();
  for (let k = 0; k < epochs; k++) {
    writes.count = 0;
    const number = generator.next(writes);
    const contentOf = (pfn: number) => bodyOf(generator.contentId(pfn, number + 1));
    writer.epoch((k + 1) * epochUs, writes.pfns.subarray(0, writes.count), complete ? contentOf : null);
    yield;
  }
  return yield* writer.finishSteps();
}

function describe(workload: Workload, seed: number): string {
  const { memoryBytes, ratePerSecond, workingSetBytes, pattern, mix } = workload;
  const weights = `${mix.zero}/${mix.text}/${mix.random}`;
  const writes = `${ratePerSecond} page writes/s in ${workingSetBytes} B`;
  return `${pattern}, ${memoryBytes} B, ${writes}, mix ${weights}, seed ${seed}`;
}
