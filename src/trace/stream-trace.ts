// SPDX-License-Identifier: Apache-2.0
// A GuestStream from a trace file. Memory: one epoch, the image where deltas need it, a pool of bodies.
import { BatchAssembler, type ListedEpoch } from "./batches.ts";
import { CLASS_CONTENTS, ClassContents, type Mix, MixDraw, ZERO_CONTENT } from "./content.ts";
import { type Epoch, Kind } from "./epoch.ts";
import { GuestRefused, TraceError } from "./errors.ts";
import * as E from "./events.ts";
import { begin, pick, SALT, stir } from "./hash.ts";
import type { MdtTrace } from "./mdt-reader.ts";
import { bitOf } from "./payload.ts";
import { RecordedSizes } from "./recorded-sizes.ts";
import { epochs, initialPages } from "./replay.ts";
import { sampledEpochs } from "./sampled.ts";
import { type BodyPool, drawPool, SampledIndex } from "./sampled-index.ts";

const BLOCK_PAGES = 16384;

/** How a trace is played. */
export interface TraceStreamOptions {
  /** Copies of the trace's memory side by side: copy k has pfn + k * pages. At least 1. */
  readonly tile: number;
  /** Times are divided by this. */
  readonly speed: E.Rational;
  /** u32 behind every seeded decision. */
  readonly seed: number;
  readonly atEnd: E.AtEnd;
  /** Classes of the stand-ins for a trace that has no body at all. */
  readonly mix: Mix;
  /** Whether somebody asked for them: then they must be of use. */
  readonly mixGiven?: boolean;
  /** The compressor of which recorded sizes take the place of stand-ins. */
  readonly sizesOf?: string | null;
}

/** Bodies that stand in for ones the trace does not carry, by a hash of page and version. */
interface StandIns {
  readonly count: number;
  id(pfn: number, version: number): number;
  body(id: number): Uint8Array;
}

/** Zero state from the zero map if there is one, else by the pool's share; bodies from the pool. */
function poolStandIns(pool: BodyPool, zeroMap: Uint8Array | null, seed: number, pageBytes: number): StandIns {
  const zeroPage = new Uint8Array(pageBytes);
  const start = stir(begin(seed), SALT.standIn);
  const { length } = pool.bodies;
  const drawn = zeroMap === null ? length + pool.zeros : length;
  return {
    count: 1 + length,
    id(pfn, version) {
      if (drawn === 0 || (zeroMap !== null && bitOf(zeroMap, pfn))) return ZERO_CONTENT;
      const choice = pick(stir(stir(start, pfn), version), drawn);
      return choice < length ? 1 + choice : ZERO_CONTENT;
    },
    body: (id) => (id === ZERO_CONTENT ? zeroPage : pool.bodies[id - 1]!),
  };
}

/** Zero state from the zero map if there is one, else by weight; other pages text or random by weight. */
function mixStandIns(mix: Mix, zeroMap: Uint8Array | null, seed: number, pageBytes: number): StandIns {
  const contents = new ClassContents(seed, pageBytes);
  const draw = new MixDraw(mix);
  const classHash = stir(begin(seed), SALT.standIn);
  const bodyHash = stir(begin(seed), SALT.content);
  return {
    count: CLASS_CONTENTS,
    id(pfn, version) {
      if (zeroMap !== null && bitOf(zeroMap, pfn)) return ZERO_CONTENT;
      const h = stir(stir(classHash, pfn), version);
      const h2 = stir(stir(bodyHash, pfn), version);
      return zeroMap === null ? draw.id(h, h2) : draw.nonZeroId(h, h2);
    },
    body: (id) => contents.body(id),
  };
}

/** What forks of one stream share: everything that does not change while playing. */
interface Shared {
  readonly trace: MdtTrace;
  readonly options: TraceStreamOptions;
  readonly index: SampledIndex | null;
  readonly standIns: StandIns;
  readonly nominalTicks: number;
  readonly endTicks: bigint;
}

/**
 * Opens `trace` for playing. Throws TraceError for pages other than 4 KiB and for damage found on the way,
 * RangeError for options out of range (tile, speed, mix, more than 2^32 pages).
 */
export function traceStream(trace: MdtTrace, options: TraceStreamOptions): E.GuestStream {
  const { tile, speed, seed } = options;
  if (trace.pageShift !== 12) {
    throw new TraceError(
      trace.name,
      16,
      `page_shift is ${trace.pageShift}; only traces of 4 KiB pages (12) can be played`,
    );
  }
  if (!Number.isSafeInteger(tile) || tile < 1 || tile * trace.pages >= 2 ** 32) {
    const most = Math.floor((2 ** 32 - 1) / trace.pages);
    const right = most > 0 ? `write at most ${most}` : "only traces of fewer than 2^32 pages can be played";
    throw new GuestRefused("guest.tile", `${tile} times ${trace.pages} pages are too many; ${right}`);
  }
  const positive = (n: number) => Number.isSafeInteger(n) && n > 0;
  if (!positive(speed.numerator) || !positive(speed.denominator)) {
    throw new RangeError("speed: must be a positive ratio of integers");
  }
  const complete = trace.contents === "complete";
  const index = complete ? null : new SampledIndex(trace);
  const pool = complete ? { bodies: [], zeros: 0 } : drawPool(trace);
  const zeroMap = index?.zeroMap ?? null;
  const hasBodies = complete || pool.bodies.length + pool.zeros > 0;
  if (hasBodies && options.mixGiven === true) {
    throw new GuestRefused("guest.mix", "has no effect: the trace carries bodies of its own; remove it");
  }
  const standIns = hasBodies
    ? poolStandIns(pool, zeroMap, seed, trace.pageBytes)
    : mixStandIns(options.mix, zeroMap, seed, trace.pageBytes);
  const endTicks = E.ticksOfUs(trace.endTimeUs, speed);
  const nominal =
    trace.nominalEpochNs > 0
      ? E.ticksOfUs(trace.nominalEpochNs, speed) / 1000n
      : endTicks / BigInt(Math.max(1, trace.epochs));
  return new TraceStream({ trace, options, index, standIns, nominalTicks: Number(nominal), endTicks });
}

class TraceStream implements E.GuestStream {
  readonly pages: number;
  readonly pageBytes: number;
  readonly stableContents: number;
  readonly isKnown: boolean;
  readonly atEnd: E.AtEnd;
  readonly endTicks: bigint | null;
  private readonly shared: Shared;
  private readonly assembler: BatchAssembler;
  private feed: Generator<Epoch>;
  private number = 0;
  private loopStartTicks = 0n;
  private lastTicks = 0n;
  private done = false;

  constructor(shared: Shared) {
    const { trace, options, standIns } = shared;
    this.shared = shared;
    this.pages = trace.pages * options.tile;
    this.pageBytes = trace.pageBytes;
    this.stableContents = standIns.count;
    this.isKnown = trace.contents === "complete";
    this.atEnd = options.atEnd;
    this.assembler = new BatchAssembler({
      tile: options.tile,
      pagesPerTile: trace.pages,
      nominalTicks: shared.nominalTicks,
      seed: options.seed,
      stableContents: standIns.count,
      stableContent: standIns.body,
    });
    const delay = options.tile > 1 ? BigInt(this.assembler.delayTicksMax()) : 0n;
    this.endTicks = options.atEnd === "loop" && shared.endTicks > 0n ? null : shared.endTicks + delay;
    this.feed = this.open();
  }

  /** The epochs from the beginning. */
  private open(): Generator<Epoch> {
    const { trace, index, options } = this.shared;
    if (trace.contents === "complete") return epochs(trace, index);
    return sampledEpochs(trace, index, options.sizesOf ?? null);
  }

  stableContent(id: number): Uint8Array {
    return this.shared.standIns.body(id);
  }

  fork(): E.GuestStream {
    return new TraceStream(this.shared);
  }

  next(): E.GuestBatch | null {
    if (this.done) return null;
    let step = this.feed.next();
    if (step.done === true && this.endTicks === null) {
      this.loopStartTicks += this.shared.endTicks;
      this.feed = this.open();
      step = this.feed.next();
    }
    if (step.done === true) return this.flush();
    return this.assembler.assemble(this.listed(step.value));
  }

  *initial(): Iterable<E.InitialBlock> {
    const { trace, options } = this.shared;
    const blocks = trace.contents === "complete" ? this.completeInitial() : this.estimatedInitial();
    for (const block of blocks) {
      for (let k = 0; k < options.tile; k++) yield { ...block, firstPfn: block.firstPfn + k * trace.pages };
    }
  }

  /** What delayed tiles still have to write after the last epoch. */
  private flush(): E.GuestBatch | null {
    this.done = true;
    if (!this.assembler.hasCarried()) return null;
    return this.assembler.assemble({
      number: this.number,
      startTicks: this.lastTicks,
      endTicks: this.lastTicks + BigInt(this.assembler.delayTicksMax()),
      pfns: new Uint32Array(0),
      flags: new Uint8Array(0),
      contentIds: new Uint32Array(0),
      bodies: [],
    });
  }

  private listed(epoch: Epoch): ListedEpoch {
    const { standIns, options } = this.shared;
    const { pfns, kinds } = epoch;
    const number = this.number++;
    const flags = new Uint8Array(pfns.length);
    const contentIds = new Uint32Array(pfns.length);
    const bodies: Uint8Array[] = [];
    for (let i = 0; i < pfns.length; i++) {
      const kind = kinds[i]!;
      const recorded = epoch.sizes?.[i] ?? 0;
      if (kind === Kind.unknown && recorded > 0) {
        contentIds[i] = recorded === 1 ? ZERO_CONTENT : E.RECORDED_SIZE + recorded - 1;
        flags[i] = recorded === 1 ? E.EventFlag.zero : 0;
      } else if (kind === Kind.unknown) {
        const id = standIns.id(pfns[i]!, number + 1);
        contentIds[i] = id;
        flags[i] = id === ZERO_CONTENT ? E.EventFlag.estimated | E.EventFlag.zero : E.EventFlag.estimated;
      } else if (kind === Kind.same) {
        contentIds[i] = E.KEEP_CONTENT;
        flags[i] = E.EventFlag.same;
      } else if (kind === Kind.body) {
        contentIds[i] = this.stableContents + bodies.push(epoch.bodies![i]!) - 1;
      } else flags[i] = kind === Kind.free ? E.EventFlag.free | E.EventFlag.zero : E.EventFlag.zero;
    }
    const startTicks = this.loopStartTicks + E.ticksOfUs(epoch.startUs, options.speed);
    const endTicks = this.loopStartTicks + E.ticksOfUs(epoch.endUs, options.speed);
    this.lastTicks = endTicks;
    return { number, startTicks, endTicks, pfns, flags, contentIds, bodies };
  }

  private *completeInitial(): Generator<E.InitialBlock> {
    const block = new BlockBuilder(this.shared.trace.pages, this.stableContents, this.shared.standIns);
    for (const { pfn, body } of initialPages(this.shared.trace)) {
      while (pfn >= block.end()) {
        yield block.take();
        block.move();
      }
      if (body !== null) block.setBody(pfn, body);
    }
    for (; block.firstPfn < this.shared.trace.pages; block.move()) yield block.take();
  }

  private *estimatedInitial(): Generator<E.InitialBlock> {
    const { trace, standIns } = this.shared;
    const index = this.shared.index!;
    const { sizesOf = null } = this.shared.options;
    const sizes = sizesOf === null ? null : new RecordedSizes(trace, sizesOf).upTo(0);
    let size = sizes?.next();
    const block = new BlockBuilder(trace.pages, this.stableContents, standIns);
    let next = 0;
    for (; block.firstPfn < trace.pages; block.move()) {
      for (let pfn = block.firstPfn; pfn < block.end(); pfn++) {
        const untouched = index.touchedMap !== null && !bitOf(index.touchedMap, pfn);
        block.setEstimate(pfn, untouched ? ZERO_CONTENT : standIns.id(pfn, 0));
      }
      for (; size?.done === false && size.value[0] < block.end(); size = sizes!.next()) {
        block.setSize(...size.value);
      }
      for (; next < index.late.length; next++) {
        const late = index.late[next]!;
        if (late.version > 0 || late.pfn >= block.end()) break;
        const body = index.lateBody(late);
        if (body === null) block.setZero(late.pfn);
        else block.setBody(late.pfn, body);
      }
      yield block.take();
    }
  }
}

/** One block of an initial image, filled and handed out again and again. All pages start as zero. */
class BlockBuilder {
  firstPfn = 0;
  private readonly pages: number;
  private readonly stable: number;
  private readonly standIns: StandIns;
  private readonly ids = new Uint32Array(BLOCK_PAGES);
  private readonly flags = new Uint8Array(BLOCK_PAGES).fill(E.EventFlag.zero);
  private bodies: Uint8Array[] = [];

  constructor(pages: number, stable: number, standIns: StandIns) {
    this.pages = pages;
    this.stable = stable;
    this.standIns = standIns;
  }

  end(): number {
    return Math.min(this.pages, this.firstPfn + BLOCK_PAGES);
  }

  setBody(pfn: number, body: Uint8Array): void {
    this.ids[pfn - this.firstPfn] = this.stable + this.bodies.push(body) - 1;
    this.flags[pfn - this.firstPfn] = 0;
  }

  setZero(pfn: number): void {
    this.ids[pfn - this.firstPfn] = ZERO_CONTENT;
    this.flags[pfn - this.firstPfn] = E.EventFlag.zero;
  }

  setSize(pfn: number, size: number): void {
    this.ids[pfn - this.firstPfn] = size === 0 ? ZERO_CONTENT : E.RECORDED_SIZE + size;
    this.flags[pfn - this.firstPfn] = size === 0 ? E.EventFlag.zero : 0;
  }

  setEstimate(pfn: number, id: number): void {
    this.ids[pfn - this.firstPfn] = id;
    this.flags[pfn - this.firstPfn] = E.EventFlag.estimated | (id === ZERO_CONTENT ? E.EventFlag.zero : 0);
  }

  take(): E.InitialBlock {
    const { firstPfn, bodies, stable, standIns } = this;
    const count = this.end() - firstPfn;
    const contentIds = this.ids.subarray(0, count);
    const content = (i: number): Uint8Array => {
      const id = contentIds[i]!;
      return id < stable ? standIns.body(id) : bodies[id - stable]!;
    };
    return { firstPfn, count, contentIds, flags: this.flags.subarray(0, count), content };
  }

  move(): void {
    this.firstPfn += BLOCK_PAGES;
    this.ids.fill(ZERO_CONTENT);
    this.flags.fill(E.EventFlag.zero);
    this.bodies = [];
  }
}
