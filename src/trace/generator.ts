// SPDX-License-Identifier: Apache-2.0
// A workload from a few numbers: which pages are written in each epoch of 20 ms, and with what.
//
// rate x 20 ms page writes are drawn per epoch (the rest of a fraction is carried); a page drawn twice in one
// epoch is dirtied once. The working set is one contiguous range at a seeded place.
//   uniform     every page of the working set alike
//   hot         nine of ten writes go to a tenth of the working set
//   sequential  one page after the other, over and over
//   zipf        rank r with weight about 1/r: an octave of ranks by equal weight (the last, partial one by
//               its size), then a rank within it; ranks are scattered over the working set
import { type Mix, MixDraw } from "./content.ts";
import { begin, hash, pick, SALT, stir } from "./hash.ts";

export type Pattern = "uniform" | "hot" | "sequential" | "zipf";

/** A generated guest. */
export interface Workload {
  /** A multiple of 4 KiB. */
  readonly memoryBytes: number;
  /** Page writes a second; three decimals count. */
  readonly ratePerSecond: number;
  /** A multiple of 4 KiB, at most the memory. */
  readonly workingSetBytes: number;
  readonly pattern: Pattern;
  readonly mix: Mix;
}

export const GENERATED_PAGE_BYTES = 4096;
/** Length of a generated epoch. */
export const GENERATED_EPOCH_US = 20_000;
const EPOCHS_PER_SECOND = 50n;
const DRAWS_MAX = 1 << 26;

/** Pages written in one epoch, ascending, and the content id (content.ts) each is given. */
export interface GeneratedEpoch {
  readonly pfns: Uint32Array;
  readonly contentIds: Uint32Array;
}

/** Deterministic source of epochs and contents: any epoch can be asked for on its own. */
export class Generator20ms {
  readonly pages: number;
  private readonly seed: number;
  private readonly pattern: Pattern;
  private readonly setPages: number;
  private readonly firstPfn: number;
  private readonly milliRate: bigint;
  private readonly draw: MixDraw;
  private readonly rankBits: number;
  private readonly classHash: number;
  private readonly bodyHash: number;

  /** Throws RangeError for sizes, rates or weights out of range. */
  constructor(workload: Workload, seed: number) {
    const { memoryBytes, workingSetBytes, ratePerSecond } = workload;
    this.pages = wholePages(memoryBytes, "memory");
    this.setPages = wholePages(workingSetBytes, "workingSet");
    if (this.setPages > this.pages) throw new RangeError("workingSet: larger than the memory");
    const rateMax = DRAWS_MAX * Number(EPOCHS_PER_SECOND);
    if (!(ratePerSecond >= 0 && ratePerSecond <= rateMax)) {
      throw new RangeError(`rate: ${ratePerSecond} pages a second; legal is 0 to ${rateMax}`);
    }
    this.milliRate = BigInt(Math.round(ratePerSecond * 1000));
    this.seed = seed;
    this.pattern = workload.pattern;
    this.firstPfn = hash(seed, SALT.place) % (this.pages - this.setPages + 1);
    this.classHash = stir(begin(seed), SALT.standIn);
    this.bodyHash = stir(begin(seed), SALT.content);
    this.draw = new MixDraw(workload.mix);
    this.rankBits = Math.max(2, 32 - Math.clz32(this.setPages - 1));
  }

  /** Content id of page `pfn` as made by epoch `version - 1`; version 0 is the initial image. */
  contentId(pfn: number, version: number): number {
    const h = stir(stir(this.classHash, pfn), version);
    return this.draw.id(h, stir(stir(this.bodyHash, pfn), version));
  }

  /** Initial content ids of `out.length` pages from `firstPfn`. */
  initialContent(firstPfn: number, out: Uint32Array): void {
    for (let i = 0; i < out.length; i++) out[i] = this.contentId(firstPfn + i, 0);
  }

  /** Epoch `number` from 0: writes of (number * 20 ms, (number + 1) * 20 ms]. */
  epoch(number: number): GeneratedEpoch {
    const from = this.drawsBefore(number);
    const count = Number(this.drawsBefore(number + 1) - from);
    const drawn = new Uint32Array(count);
    const phase = Number(from % BigInt(this.setPages));
    for (let n = 0; n < count; n++) {
      const at = this.pattern === "sequential" ? (phase + n) % this.setPages : this.drawPage(number, n);
      drawn[n] = this.firstPfn + at;
    }
    drawn.sort();
    let kept = 0;
    for (let n = 0; n < count; n++) if (n === 0 || drawn[n] !== drawn[n - 1]) drawn[kept++] = drawn[n]!;
    const pfns = drawn.slice(0, kept);
    return { pfns, contentIds: pfns.map((pfn) => this.contentId(pfn, number + 1)) };
  }

  private drawsBefore(number: number): bigint {
    return (this.milliRate * BigInt(number)) / (EPOCHS_PER_SECOND * 1000n);
  }

  private drawPage(epoch: number, n: number): number {
    const { seed, setPages } = this;
    const h = hash(seed, SALT.draw, epoch, n);
    if (this.pattern === "uniform" || setPages < 2) return pick(h, setPages);
    if (this.pattern === "zipf") return this.scatter(this.zipfRank(h, hash(seed, SALT.octave, epoch, n)));
    const hot = Math.ceil(setPages / 10);
    const toHot = pick(hash(seed, SALT.octave, epoch, n), 10) < 9;
    return this.scatter(toHot ? pick(h, hot) : hot + pick(h, setPages - hot));
  }

  /** Rank from 0. Octave j holds ranks 2^j - 1 .. 2^(j+1) - 2 and has weight 2^16. */
  private zipfRank(h: number, h2: number): number {
    const whole = 31 - Math.clz32(this.setPages + 1);
    const rest = this.setPages + 1 - 2 ** whole;
    const weight = whole * 65536 + Math.floor((rest * 65536) / 2 ** whole);
    const octave = Math.floor(pick(h2, weight) / 65536);
    return 2 ** octave - 1 + pick(h, octave < whole ? 2 ** octave : rest);
  }

  /** A seeded permutation of the working set: a Feistel network, walked until it falls inside. */
  private scatter(rank: number): number {
    const half = Math.ceil(this.rankBits / 2);
    const mask = (1 << half) - 1;
    let value = rank;
    do {
      let left = value >>> half;
      let right = value & mask;
      for (let round = 0; round < 4; round++) {
        const next = left ^ (hash(this.seed, SALT.scramble, round, right) & mask);
        left = right;
        right = next;
      }
      value = ((left << half) | right) >>> 0;
    } while (value >= this.setPages);
    return value;
  }
}

function wholePages(bytes: number, key: string): number {
  const pages = bytes / GENERATED_PAGE_BYTES;
  const legal = Number.isSafeInteger(pages) && pages >= 1 && pages < 2 ** 32;
  if (!legal)
    throw new RangeError(`${key}: ${bytes} bytes; must be whole pages of 4 KiB, below 2^32 of them`);
  return pages;
}
