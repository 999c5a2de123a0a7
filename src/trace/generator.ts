// SPDX-License-Identifier: Apache-2.0
// A workload from a few numbers: which pages are written in each epoch, and with what.
//
// rate x epoch page writes are drawn per epoch, the rest of a fraction is carried: after k epochs exactly
// floor(rate x k x epoch) were drawn. A page is written once an epoch, as in a trace; a page drawn again is
// written in the next epoch instead, so that no write is lost. The epoch is 20 ms where that is rare, and
// else a whole part of 20 ms, so short that no page is drawn more than once in 16 epochs on average, or
// that an epoch has at most one draw. The working set is one contiguous range at a seeded place.
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
/** Longest generated epoch; the others divide it. */
export const GENERATED_EPOCH_US = 20_000;
/** Most page writes a second. */
export const GENERATED_RATE_MAX = 1e9;
const PS_PER_US = 1e6;
/** Draws of an epoch, which bounds memory, and how often the page drawn most may be among them. */
const DRAWS_MAX = 4096;
const DRAWS_OF_A_PAGE = 1 / 16;
const MILLI_PS_PER_SECOND = 10n ** 15n;
/** An octave of ranks in the zipf pattern weighs this much. */
const OCTAVE_WEIGHT = 65_536;

/** Page writes, one epoch behind the other: page and content id (content.ts). */
export class GeneratedWrites {
  count = 0;
  pfns = new Uint32Array(64);
  contentIds = new Uint32Array(64);

  /** Makes room for `more` writes. */
  reserve(more: number): void {
    while (this.pfns.length < this.count + more) {
      this.pfns = doubled(this.pfns);
      this.contentIds = doubled(this.contentIds);
    }
  }

  /** Adds a write that room was made for. */
  add(pfn: number, contentId: number): void {
    this.pfns[this.count] = pfn;
    this.contentIds[this.count++] = contentId;
  }
}

function doubled(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(2 * array.length);
  next.set(array);
  return next;
}

/** Probability of the page that is drawn most. */
function likeliest(pattern: Pattern, setPages: number): number {
  if (setPages === 1) return 1;
  if (pattern === "hot") return 0.9 / Math.ceil(setPages / 10);
  return pattern === "zipf" ? OCTAVE_WEIGHT / zipfWeight(setPages) : 1 / setPages;
}

/** Weight of all ranks together. Octave j holds ranks 2^j - 1 .. 2^(j+1) - 2. */
function zipfWeight(setPages: number): number {
  const whole = 31 - Math.clz32(setPages + 1);
  const rest = setPages + 1 - 2 ** whole;
  return whole * OCTAVE_WEIGHT + Math.floor((rest * OCTAVE_WEIGHT) / 2 ** whole);
}

function drawsMax({ pattern, workingSetBytes }: Workload): number {
  const setPages = workingSetBytes / GENERATED_PAGE_BYTES;
  const draws = Math.floor(DRAWS_OF_A_PAGE / likeliest(pattern, setPages));
  return Math.min(DRAWS_MAX, Math.max(1, draws));
}

/** Most page writes a second for which the epochs are whole microseconds, as a trace file wants them. */
export function fileRateMax(workload: Workload): number {
  return Math.min(GENERATED_RATE_MAX, drawsMax(workload) * 1e6);
}

/** Length of the epochs in ps: 20 ms by the least whole number that makes them short enough. */
export function generatedEpochPs(workload: Workload): number {
  const longest = GENERATED_EPOCH_US * PS_PER_US;
  let parts = Math.max(1, Math.ceil((workload.ratePerSecond * longest) / (drawsMax(workload) * 1e12)));
  if (parts <= GENERATED_EPOCH_US) {
    while (GENERATED_EPOCH_US % parts !== 0) parts++;
    return (GENERATED_EPOCH_US / parts) * PS_PER_US;
  }
  parts = Math.ceil(parts / GENERATED_EPOCH_US);
  while (PS_PER_US % parts !== 0) parts++;
  return PS_PER_US / parts;
}

/** Deterministic source of epochs, one after the other, and of contents. */
export class Generator {
  readonly pages: number;
  /** Length of the epochs; their writes lie in (k epochPs, (k + 1) epochPs]. */
  readonly epochPs: number;
  private readonly seed: number;
  private readonly pattern: Pattern;
  private readonly setPages: number;
  private readonly firstPfn: number;
  private readonly draw: MixDraw;
  private readonly rankBits: number;
  private readonly zipfWeight: number;
  private readonly classHash: number;
  private readonly bodyHash: number;
  // draws of an epoch: a whole number and a fraction in 1e-15
  private readonly wholeDraws: number;
  private readonly fraction: number;
  private fractionCarried = 0;
  private number = 0;
  private phase = 0;
  // draws of an epoch, which begin with those that the epoch before had twice
  private drawn = new Uint32Array(64);
  private again = 0;

  /** Throws RangeError for sizes, rates or weights out of range. */
  constructor(workload: Workload, seed: number) {
    const { memoryBytes, workingSetBytes, ratePerSecond } = workload;
    this.pages = wholePages(memoryBytes, "memory");
    this.setPages = wholePages(workingSetBytes, "workingSet");
    if (this.setPages > this.pages) throw new RangeError("workingSet: larger than the memory");
    if (!(ratePerSecond >= 0 && ratePerSecond <= GENERATED_RATE_MAX)) {
      throw new RangeError(
        `rate: ${ratePerSecond} page writes a second; legal is 0 to ${GENERATED_RATE_MAX}`,
      );
    }
    this.epochPs = generatedEpochPs(workload);
    const draws = BigInt(Math.round(ratePerSecond * 1000)) * BigInt(this.epochPs);
    this.wholeDraws = Number(draws / MILLI_PS_PER_SECOND);
    this.fraction = Number(draws % MILLI_PS_PER_SECOND);
    this.seed = seed;
    this.pattern = workload.pattern;
    this.firstPfn = hash(seed, SALT.place) % (this.pages - this.setPages + 1);
    this.classHash = stir(begin(seed), SALT.standIn);
    this.bodyHash = stir(begin(seed), SALT.content);
    this.draw = new MixDraw(workload.mix);
    this.rankBits = Math.max(2, 32 - Math.clz32(this.setPages - 1));
    this.zipfWeight = zipfWeight(this.setPages);
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

  /** Appends the writes of the next epoch: each page once, ascending. Returns the epoch's number from 0. */
  next(out: GeneratedWrites): number {
    const number = this.number++;
    const first = this.again;
    const count = first + this.drawsOfNext();
    while (this.drawn.length < count) this.drawn = doubled(this.drawn);
    const { drawn } = this;
    for (let n = first; n < count; n++) drawn[n] = this.firstPfn + this.place(number, n - first);
    sort(drawn, count);
    this.again = 0;
    out.reserve(count);
    let before = -1;
    for (let n = 0; n < count; n++) {
      const pfn = drawn[n]!;
      if (pfn === before) drawn[this.again++] = pfn;
      else out.add(pfn, this.contentId(pfn, number + 1));
      before = pfn;
    }
    return number;
  }

  private drawsOfNext(): number {
    this.fractionCarried += this.fraction;
    if (this.fractionCarried < Number(MILLI_PS_PER_SECOND)) return this.wholeDraws;
    this.fractionCarried -= Number(MILLI_PS_PER_SECOND);
    return this.wholeDraws + 1;
  }

  /** Draw `n` of an epoch: a page of the working set from 0. */
  private place(epoch: number, n: number): number {
    if (this.pattern !== "sequential") return this.drawPage(epoch, n);
    const at = this.phase;
    this.phase = at + 1 === this.setPages ? 0 : at + 1;
    return at;
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

  /** Rank from 0. */
  private zipfRank(h: number, h2: number): number {
    const whole = 31 - Math.clz32(this.setPages + 1);
    const rest = this.setPages + 1 - 2 ** whole;
    const octave = Math.floor(pick(h2, this.zipfWeight) / OCTAVE_WEIGHT);
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

/** Sorts the first `count` pages. A few are not worth the call into the engine. */
function sort(pages: Uint32Array, count: number): void {
  if (count > 32) {
    pages.subarray(0, count).sort();
    return;
  }
  for (let i = 1; i < count; i++) {
    const page = pages[i]!;
    let at = i;
    for (; at > 0 && pages[at - 1]! > page; at--) pages[at] = pages[at - 1]!;
    pages[at] = page;
  }
}

function wholePages(bytes: number, key: string): number {
  const pages = bytes / GENERATED_PAGE_BYTES;
  const legal = Number.isSafeInteger(pages) && pages >= 1 && pages < 2 ** 32;
  if (!legal)
    throw new RangeError(`${key}: ${bytes} bytes; must be whole pages of 4 KiB, below 2^32 of them`);
  return pages;
}
