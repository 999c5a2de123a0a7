// SPDX-License-Identifier: Apache-2.0
// `dpusim trace verify`: READ, HASH and CSIZ chunks against the epochs that they belong to, and hashes
// against the contents, where the trace has them.
import { hashTable, pageHash, sizeTable } from "./annotations.ts";
import type { Epoch } from "./epoch.ts";
import { expect } from "./errors.ts";
import { atChunk, loadChunk, type MdtTrace } from "./mdt-reader.ts";
import { indexOfPfn } from "./payload.ts";
import { chunksByTime } from "./timeline.ts";

const TYPES = ["READ", "HASH", "CSIZ"] as const;

/** Follows a replay: `checkInitial`, then each epoch, then `finish`. All throw TraceError. */
export class AnnotationCheck {
  /** Hashes that were compared with contents. */
  compared = 0;
  private readonly trace: MdtTrace;
  private readonly order: readonly Uint32Array[];
  private readonly next = [0, 0, 0];

  constructor(trace: MdtTrace) {
    this.trace = trace;
    this.order = TYPES.map((type) => chunksByTime(trace, type));
  }

  /** Chunks at time 0; `contentOf` a page of the initial image, null where it is not known. */
  checkInitial(contentOf: (pfn: number) => Uint8Array | null): void {
    this.each(0, (k) => {
      if (this.trace.chunks.type(k) === "HASH") this.compare(k, undefined, contentOf);
    });
  }

  /** Chunks at the end of an epoch; `contentOf` its i-th page, null where it is not known. */
  check(epoch: Epoch, contentOf: (i: number) => Uint8Array | null): void {
    const { pfns, index, endUs } = epoch;
    const good = index > 0 ? index - 1 : undefined;
    this.each(endUs, (k) => {
      const type = this.trace.chunks.type(k);
      atChunk(this.trace, k, good, () => {
        const timeUs = this.trace.chunks.timeUs(k);
        expect(timeUs === endUs, `${type} is at ${timeUs} us, where no epoch ends`);
      });
      if (type === "READ") return;
      for (const pfn of this.pagesOf(k)) {
        atChunk(this.trace, k, good, () => {
          expect(indexOfPfn(pfns, pfn) >= 0, `${type}: pfn ${pfn} is not in the list of epoch ${index}`);
        });
      }
      if (type === "HASH") this.compare(k, good, (pfn) => contentOf(indexOfPfn(pfns, pfn)));
    });
  }

  /** Nothing may stand behind the last epoch. */
  finish(): void {
    this.each(Number.POSITIVE_INFINITY, (k) => {
      const type = this.trace.chunks.type(k);
      atChunk(this.trace, k, undefined, () => expect(false, `${type} stands after the last epoch`));
    });
  }

  private each(untilUs: number, visit: (k: number) => void): void {
    this.order.forEach((chunks, type) => {
      for (; this.next[type]! < chunks.length; this.next[type]!++) {
        const k = chunks[this.next[type]!]!;
        if (this.trace.chunks.timeUs(k) > untilUs) break;
        visit(k);
      }
    });
  }

  private pagesOf(k: number): Uint32Array {
    const { chunk, raw } = loadChunk(this.trace, k);
    const { pages, pageBytes } = this.trace;
    return atChunk(this.trace, k, undefined, () =>
      chunk.type === "HASH"
        ? hashTable(raw, chunk.items, pages).pfns
        : sizeTable(raw, chunk.items, pages, pageBytes).pfns,
    );
  }

  private compare(k: number, good: number | undefined, contentOf: (pfn: number) => Uint8Array | null): void {
    const { chunk, raw } = loadChunk(this.trace, k);
    atChunk(this.trace, k, good, () => {
      const { pfns, hashes } = hashTable(raw, chunk.items, this.trace.pages);
      pfns.forEach((pfn, i) => {
        const body = contentOf(pfn);
        if (body === null) return;
        const [given, actual] = [hashes[i]!, pageHash(body)].map((hash) =>
          hash.toString(16).padStart(16, "0"),
        );
        expect(given === actual, `HASH of pfn ${pfn} is ${given}, the contents hash to ${actual}`);
        this.compared++;
      });
    });
  }
}
