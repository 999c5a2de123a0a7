// SPDX-License-Identifier: Apache-2.0
// A GuestStream without a trace: writes and contents come from a generated workload. It does not end.
import { checkTicks, instantHash, instantIn, timedBatch } from "./batches.ts";
import { CLASS_CONTENTS, ClassContents, ZERO_CONTENT } from "./content.ts";
import * as E from "./events.ts";
import {
  GENERATED_EPOCH_US,
  GENERATED_PAGE_BYTES,
  GeneratedWrites,
  Generator,
  type Workload,
} from "./generator.ts";

const BLOCK_PAGES = 65536;
const TICKS_PER_PS = 1024;
/** A batch is of whole epochs: 20 ms, or less when it has as many writes as this. */
const BATCH_WRITES = 4096;
const BATCH_PS = GENERATED_EPOCH_US * 1e6;

/** Opens a generated guest. Throws RangeError for a workload out of range. */
export function generatedStream(workload: Workload, seed: number): E.GuestStream {
  const contents = new ClassContents(seed, GENERATED_PAGE_BYTES);
  return new GeneratedStream(workload, contents, seed);
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
  readonly isKnown = true;
  readonly atEnd = "idle";
  readonly endTicks = null;
  private readonly workload: Workload;
  private readonly generator: Generator;
  private readonly contents: ClassContents;
  private readonly seed: number;
  private startTicks = 0n;

  constructor(workload: Workload, contents: ClassContents, seed: number) {
    this.workload = workload;
    this.generator = new Generator(workload, seed);
    this.contents = contents;
    this.seed = seed;
    this.pages = this.generator.pages;
  }

  stableContent(id: number): Uint8Array {
    return this.contents.body(id);
  }

  fork(): E.GuestStream {
    return new GeneratedStream(this.workload, this.contents, this.seed);
  }

  next(): E.GuestBatch {
    const { startTicks, seed, generator } = this;
    const epochTicks = generator.epochPs * TICKS_PER_PS;
    const writes = new GeneratedWrites();
    let offsets = new Float64Array(64);
    let epochs = 0;
    for (; writes.count < BATCH_WRITES && epochs * generator.epochPs < BATCH_PS; epochs++) {
      const from = writes.count;
      const start = instantHash(seed, generator.next(writes));
      if (writes.count > offsets.length) {
        const longer = new Float64Array(writes.pfns.length);
        longer.set(offsets);
        offsets = longer;
      }
      for (let i = from; i < writes.count; i++) {
        offsets[i] = epochs * epochTicks + instantIn(start, writes.pfns[i]!, epochTicks);
      }
    }
    this.startTicks = startTicks + BigInt(epochs * epochTicks);
    checkTicks(this.startTicks);
    const { count, pfns, contentIds: ids } = writes;
    const flags = zeroFlags(ids.subarray(0, count), new Uint8Array(count));
    const body = (id: number): Uint8Array => this.contents.body(id);
    return timedBatch(startTicks, this.startTicks, { count, offsets, pfns, flags, ids }, body);
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
