// SPDX-License-Identifier: Apache-2.0
// Writes at points in time, gathered into epochs of one length: epoch k has those in (k E, (k + 1) E], time
// 0 is the first epoch's. Epochs without writes are left out but for one before the next that has some, so
// that its writes are not spread over the gap. Memory: the pages of one epoch, a bit a page once read.
import { ImportError } from "../errors.ts";
import { LIMITS } from "../format.ts";
import type { MdtWriter } from "../mdt-writer.ts";
import { PageSet } from "../sparse.ts";

/** Pages of one epoch, such that its list and its READ fit a chunk. */
const PAGES_MAX = LIMITS.listPages / 4;

/** What an imported trace of writes counted. */
export interface EpochCounts {
  epochs: number;
  events: number;
  /** One more than the highest page. */
  pages: number;
}

export class EpochGatherer {
  readonly counts: EpochCounts = { epochs: 0, events: 0, pages: 0 };
  private readonly writer: MdtWriter;
  private readonly epochUs: number;
  private written = new PageSet();
  private readonly read = new PageSet();
  private firstRead = new PageSet();
  private readonly hashes = new Map<number, bigint>();
  private readonly sizes = new Map<string, Map<number, number>>();
  private epoch = 1;
  private endUs = 0;

  constructor(writer: MdtWriter, epochUs: number) {
    this.writer = writer;
    this.epochUs = epochUs;
  }

  /** Moves on to the epoch of `timeUs`, which is not before the one before. */
  at(timeUs: number): void {
    const epoch = Math.max(1, Math.ceil(timeUs / this.epochUs));
    if (epoch === this.epoch) return;
    this.flush();
    this.epoch = epoch;
  }

  /** A page is written in the epoch at hand. */
  write(pfn: number): void {
    this.written.add(pfn);
    if (pfn >= this.counts.pages) this.counts.pages = pfn + 1;
  }

  /** A page is read in the epoch at hand. */
  reads(pfn: number): void {
    if (this.read.has(pfn)) return;
    this.read.add(pfn);
    this.firstRead.add(pfn);
    if (pfn >= this.counts.pages) this.counts.pages = pfn + 1;
  }

  /** Contents of a page that is written in the epoch at hand; the last that is said of it holds. */
  hash(pfn: number, hash: bigint): void {
    this.hashes.set(pfn, hash);
  }

  size(compressor: string, pfn: number, bytes: number): void {
    let sizes = this.sizes.get(compressor);
    if (sizes === undefined) {
      sizes = new Map();
      this.sizes.set(compressor, sizes);
    }
    sizes.set(pfn, bytes);
  }

  /** Writes what is left. */
  finish(): void {
    this.flush();
  }

  private put(endUs: number, pfns: Uint32Array): void {
    if (pfns.length > PAGES_MAX) {
      const what = `${this.epochUs} us is too long: ${pfns.length} pages are written in one`;
      throw new ImportError("--epoch", `${what}, at most ${PAGES_MAX} fit a list; write a shorter one`);
    }
    if (this.counts.epochs >= LIMITS.chunks / 4) {
      const what = `more than ${Math.floor(LIMITS.chunks / 4)} epochs do not fit a trace`;
      throw new ImportError("--epoch", `${this.epochUs} us is too short: ${what}; write a longer one`);
    }
    this.writer.epoch(endUs, pfns, null);
    this.counts.epochs++;
    this.counts.events += pfns.length;
    this.endUs = endUs;
  }

  private flush(): void {
    if (this.written.size === 0 && this.firstRead.size === 0) return;
    const startUs = (this.epoch - 1) * this.epochUs;
    if (startUs > this.endUs) this.put(startUs, new Uint32Array(0));
    this.put(this.epoch * this.epochUs, this.written.list());
    this.writer.reads(this.firstRead.list());
    const hashed = [...this.hashes].sort(([a], [b]) => a - b);
    this.writer.hashesOf(
      Uint32Array.from(hashed, ([pfn]) => pfn),
      hashed.map(([, hash]) => hash),
    );
    for (const [compressor, sizes] of this.sizes) {
      const sized = [...sizes].sort(([a], [b]) => a - b);
      this.writer.sizes(
        compressor,
        Uint32Array.from(sized, ([pfn]) => pfn),
        sized.map(([, bytes]) => bytes),
      );
    }
    this.written = new PageSet();
    this.firstRead = new PageSet();
    this.hashes.clear();
    this.sizes.clear();
  }
}

/** Refuses what no run may reach: times beyond 2^63 ticks (2.5 h), in whole us. */
export const TIME_US_MAX = 9_000_000_000;
