// SPDX-License-Identifier: Apache-2.0
// A GuestStream without a trace: writes and contents come from a generated workload. It does not end.
import { BatchAssembler } from "./batches.ts";
import { CLASS_CONTENTS, ClassContents, ZERO_CONTENT } from "./content.ts";
import * as E from "./events.ts";
import { GENERATED_EPOCH_US, GENERATED_PAGE_BYTES, Generator20ms, type Workload } from "./generator.ts";

const BLOCK_PAGES = 65536;
const EPOCH_TICKS = BigInt(GENERATED_EPOCH_US) * E.TICKS_PER_US;

/** Opens a generated guest. Throws RangeError for a workload out of range. */
export function generatedStream(workload: Workload, seed: number): E.GuestStream {
  const contents = new ClassContents(seed, GENERATED_PAGE_BYTES);
  return new GeneratedStream(new Generator20ms(workload, seed), contents, seed);
}

function zeroFlags(contentIds: Uint32Array, flags: Uint8Array): Uint8Array {
  for (let i = 0; i < contentIds.length; i++)
    flags[i] = contentIds[i] === ZERO_CONTENT ? E.EventFlag.zero : 0;
  return flags;
}

class GeneratedStream implements E.GuestStream {
  readonly pages: number;
  readonly pageBytes = GENERATED_PAGE_BYTES;
  readonly stableContents = CLASS_CONTENTS;
  readonly atEnd = "idle";
  readonly endTicks = null;
  private readonly generator: Generator20ms;
  private readonly contents: ClassContents;
  private readonly seed: number;
  private readonly assembler: BatchAssembler;
  private number = 0;

  constructor(generator: Generator20ms, contents: ClassContents, seed: number) {
    this.generator = generator;
    this.contents = contents;
    this.seed = seed;
    this.pages = generator.pages;
    this.assembler = new BatchAssembler({
      tile: 1,
      pagesPerTile: generator.pages,
      nominalTicks: Number(EPOCH_TICKS),
      seed,
      stableContents: CLASS_CONTENTS,
      stableContent: (id) => contents.body(id),
    });
  }

  stableContent(id: number): Uint8Array {
    return this.contents.body(id);
  }

  fork(): E.GuestStream {
    return new GeneratedStream(this.generator, this.contents, this.seed);
  }

  next(): E.GuestBatch {
    const number = this.number++;
    const { pfns, contentIds } = this.generator.epoch(number);
    const flags = zeroFlags(contentIds, new Uint8Array(pfns.length));
    const startTicks = BigInt(number) * EPOCH_TICKS;
    const endTicks = startTicks + EPOCH_TICKS;
    return this.assembler.assemble({ number, startTicks, endTicks, pfns, flags, contentIds, bodies: [] });
  }

  *initial(): Iterable<E.InitialBlock> {
    const ids = new Uint32Array(BLOCK_PAGES);
    const flags = new Uint8Array(BLOCK_PAGES);
    for (let firstPfn = 0; firstPfn < this.pages; firstPfn += BLOCK_PAGES) {
      const count = Math.min(BLOCK_PAGES, this.pages - firstPfn);
      const contentIds = ids.subarray(0, count);
      this.generator.initialContent(firstPfn, contentIds);
      const content = (i: number): Uint8Array => this.contents.body(contentIds[i]!);
      yield { firstPfn, count, contentIds, flags: zeroFlags(contentIds, flags.subarray(0, count)), content };
    }
  }
}
