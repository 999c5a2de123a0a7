// SPDX-License-Identifier: Apache-2.0
// `dpusim trace generate`: a generated workload as a trace file. Playing the file with the same seed gives
// the same events as playing the workload.
import { ClassContents, ZERO_CONTENT } from "./content.ts";
import { GENERATED_EPOCH_US, GENERATED_PAGE_BYTES, Generator20ms, type Workload } from "./generator.ts";
import { MdtWriter, type TraceSink } from "./mdt-writer.ts";
import { drain, type Steps } from "./steps.ts";

/** What `writeGenerated` writes. */
export interface GenerateOptions {
  readonly workload: Workload;
  /** u32. */
  readonly seed: number;
  /** Epochs of 20 ms, at least 1. */
  readonly epochs: number;
  readonly contents: "complete" | "none";
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
  const { workload, seed, epochs, contents } = options;
  if (!Number.isSafeInteger(epochs) || epochs < 1)
    throw new RangeError(`epochs: ${epochs}; must be 1 or more`);
  const generator = new Generator20ms(workload, seed);
  const bodies = new ClassContents(seed, GENERATED_PAGE_BYTES);
  const complete = contents === "complete";
  const bodyOf = (id: number): Uint8Array | null => (id === ZERO_CONTENT ? null : bodies.body(id));
  const writer = new MdtWriter(sink, {
    pages: generator.pages,
    pageShift: 12,
    contents,
    nominalEpochNs: GENERATED_EPOCH_US * 1000,
    metadata: { kind: "generated", workload: describe(workload, seed) },
    deltas: false,
    compress: true,
  });
  if (complete) {
    const resident = Uint32Array.from({ length: generator.pages }, (_, pfn) => pfn);
    yield* writer.initialSteps(resident, (pfn) => bodyOf(generator.contentId(pfn, 0)));
  }
  for (let number = 0; number < epochs; number++) {
    const { pfns } = generator.epoch(number);
    const contentOf = (pfn: number) => bodyOf(generator.contentId(pfn, number + 1));
    writer.epoch((number + 1) * GENERATED_EPOCH_US, pfns, complete ? contentOf : null);
    yield;
  }
  return writer.finish();
}

function describe(workload: Workload, seed: number): string {
  const { memoryBytes, ratePerSecond, workingSetBytes, pattern, mix } = workload;
  const weights = `${mix.zero}/${mix.text}/${mix.random}`;
  const writes = `${ratePerSecond} pages/s in ${workingSetBytes} B`;
  return `${pattern}, ${memoryBytes} B, ${writes}, mix ${weights}, seed ${seed}`;
}
