// SPDX-License-Identifier: Apache-2.0
// The CSIZ chunks of one compressor, in time order beside the epochs of a trace that does not carry every
// version: what it made of pages of which the contents were not recorded. One chunk is held at a time.
import { sizeTable } from "./annotations.ts";
import { expect } from "./errors.ts";
import { atChunk, loadChunk, type MdtTrace } from "./mdt-reader.ts";
import { indexOfPfn } from "./payload.ts";
import { chunksByTime } from "./timeline.ts";

/** Sizes of the initial image, then of epoch after epoch. */
export class RecordedSizes {
  private next = 0;
  private readonly trace: MdtTrace;
  private readonly compressor: string;
  private readonly order: Uint32Array;

  constructor(trace: MdtTrace, compressor: string) {
    this.trace = trace;
    this.compressor = compressor;
    this.order = chunksByTime(trace, "CSIZ");
  }

  /** Pages and sizes up to a time that have not been asked for, ascending within an epoch. */
  *upTo(timeUs: number): Generator<readonly [pfn: number, size: number]> {
    const { trace, order } = this;
    for (; this.next < order.length && trace.chunks.timeUs(order[this.next]!) <= timeUs; this.next++) {
      const k = order[this.next]!;
      const { chunk, raw } = loadChunk(trace, k);
      const table = atChunk(trace, k, undefined, () =>
        sizeTable(raw, chunk.items, trace.pages, trace.pageBytes),
      );
      if (table.compressor !== this.compressor) continue;
      for (let i = 0; i < table.pfns.length; i++) yield [table.pfns[i]!, table.sizes[i]!];
    }
  }

  /** Sizes of the pages of an epoch, each plus one, 0 where there is none; null when it has none. */
  ofEpoch(pfns: Uint32Array, endUs: number): Uint16Array | null {
    let sizes: Uint16Array | null = null;
    for (const [pfn, size] of this.upTo(endUs)) {
      const at = indexOfPfn(pfns, pfn);
      expect(at >= 0, `CSIZ: pfn ${pfn} is not in the list of its epoch`);
      sizes ??= new Uint16Array(pfns.length);
      sizes[at] = size + 1;
    }
    return sizes;
  }
}
