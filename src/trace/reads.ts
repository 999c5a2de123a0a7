// SPDX-License-Identifier: Apache-2.0
// First reads of a trace's pages (READ chunks) beside its writes: each at a seeded instant of the epoch that
// its chunk ends, behind the writes of that instant. A page read is an event without contents. Left out: a
// page that has been read once is read again, of which traces know nothing; reads after the last epoch.
import { instantHash, instantIn, timedBatch } from "./batches.ts";
import { GuestRefused } from "./errors.ts";
import {
  EventFlag,
  type GuestBatch,
  type GuestStream,
  KEEP_CONTENT,
  type Rational,
  ticksOfUs,
} from "./events.ts";
import { SALT, stir } from "./hash.ts";
import { atChunk, loadChunk, type MdtTrace } from "./mdt-reader.ts";
import { onlyPageList } from "./payload.ts";
import { chunksByTime } from "./timeline.ts";

/** How the trace is played. */
export interface ReadOptions {
  readonly speed: Rational;
  readonly seed: number;
}

/** A played trace of one tile with the reads of its trace. Throws GuestRefused when it has none. */
export function withReads(stream: GuestStream, trace: MdtTrace, options: ReadOptions): GuestStream {
  const order = chunksByTime(trace, "READ");
  if (order.length === 0) {
    throw new GuestRefused("guest.reads", "the trace does not say what was read (no READ chunk); write off");
  }
  return new ReadingStream(stream, trace, order, options);
}

class ReadingStream implements GuestStream {
  readonly pages: number;
  readonly pageBytes: number;
  readonly stableContents: number;
  readonly isKnown: boolean;
  readonly atEnd: GuestStream["atEnd"];
  readonly endTicks: bigint | null;
  private readonly of: GuestStream;
  private readonly trace: MdtTrace;
  private readonly order: Uint32Array;
  private readonly options: ReadOptions;
  private chunk = 0;
  private epoch = 0;

  constructor(of: GuestStream, trace: MdtTrace, order: Uint32Array, options: ReadOptions) {
    this.of = of;
    this.trace = trace;
    this.order = order;
    this.options = options;
    this.pages = of.pages;
    this.pageBytes = of.pageBytes;
    this.stableContents = of.stableContents;
    this.isKnown = of.isKnown === true;
    this.atEnd = of.atEnd;
    this.endTicks = of.endTicks;
  }

  stableContent(id: number): Uint8Array {
    return this.of.stableContent(id);
  }

  initial(): ReturnType<GuestStream["initial"]> {
    return this.of.initial();
  }

  fork(): GuestStream {
    return new ReadingStream(this.of.fork(), this.trace, this.order, this.options);
  }

  next(): GuestBatch | null {
    const batch = this.of.next();
    if (batch === null) return null;
    const hash = stir(instantHash(this.options.seed, this.epoch++), SALT.read);
    const read = this.upTo(batch.endTicks);
    return read.length === 0 ? batch : merged(batch, read, hash);
  }

  /** Pages of chunks up to a time that have not been handed out. */
  private upTo(endTicks: bigint): number[] {
    const { trace, order } = this;
    const read: number[] = [];
    for (; this.chunk < order.length; this.chunk++) {
      const k = order[this.chunk]!;
      if (ticksOfUs(trace.chunks.timeUs(k), this.options.speed) > endTicks) break;
      const { chunk, raw } = loadChunk(trace, k);
      read.push(...atChunk(trace, k, undefined, () => onlyPageList(raw, trace.pages, chunk.items)));
    }
    return read;
  }
}

/** An epoch's writes and reads in order of time, at one instant writes first. */
function merged(batch: GuestBatch, read: readonly number[], hash: number): GuestBatch {
  const { startTicks, endTicks, count: writes } = batch;
  const length = Number(endTicks - startTicks);
  const offsets = Float64Array.from(read, (pfn) => (length > 0 ? instantIn(hash, pfn, length) : 0));
  const pfns = Uint32Array.from(read);
  const flags = new Uint8Array(read.length).fill(EventFlag.read);
  const ids = new Uint32Array(read.length).fill(KEEP_CONTENT);
  const reads = timedBatch(
    startTicks,
    endTicks,
    { count: read.length, offsets, pfns, flags, ids },
    () => null,
  );
  const count = writes + reads.count;
  /** Index of the write that event i is, -1 for a read. */
  const from = new Int32Array(count).fill(-1);
  const out = {
    timeTicks: new BigUint64Array(count),
    pfns: new Uint32Array(count),
    flags: new Uint8Array(count),
    contentIds: new Uint32Array(count),
  };
  let [w, r] = [0, 0];
  for (let i = 0; i < count; i++) {
    const isWrite = r === reads.count || (w < writes && batch.timeTicks[w]! <= reads.timeTicks[r]!);
    const [one, at] = isWrite ? [batch, w] : [reads, r];
    if (isWrite) from[i] = w++;
    else r++;
    out.timeTicks[i] = one.timeTicks[at]!;
    out.pfns[i] = one.pfns[at]!;
    out.flags[i] = one.flags[at]!;
    out.contentIds[i] = one.contentIds[at]!;
  }
  const content = (i: number): Uint8Array | null => (from[i]! < 0 ? null : batch.content(from[i]!));
  return { startTicks, endTicks, count, ...out, content };
}
