// SPDX-License-Identifier: Apache-2.0
/**
 * What pages of recorded guests become in XBZRLE and multifd. The traces carry no contents, so sizes are of
 * two classes: pages that the trace never lists hold the guest's image, the others what the workload writes.
 *
 * Sizes under multifd, zstd and zlib of level 1, as one stream a channel, 128 pages a packet: words of the
 * recorded stream qemu-10.0-stream-96MiB (2,679 pages: 818 and 912 B, sent again 737 and 840 B), pages that
 * are written in qemu-A-bw24 (807 known ones, a third each of words, noise, counters: 1,663 and 1,802 B), in
 * qemu-H-redis-bw32 and S-redis-bw48 (887 pages: 236 and 320 B). Pages of the image: 1,553 and 1,464 B in
 * that stream of another guest, 1,818 and 1,683 B in the pages of A-bw24 that are known, which are not
 * neighbours; 1,700 and 1,600 B fit both recorded runs with zstd. XBZRLE, of the recorded runs, their hits
 * less those that the model finds unchanged: of gdirty's pages 6 (noise) and 7 of 100 fit (words), in 209 and
 * 96 bytes, of redis' 99, in 304; of a mix a third are counters, which fit (assumed).
 *
 * Costs of multifd: the 1.9 us of a zero page and the 6.5 us of a normal one are taken apart, 1.5 us for the
 * thread that finds and queues them.
 */
import { TICKS_PER_NS } from "../../assembly/abi.ts";
import type { WordOf } from "../given-sizes.ts";
import type { Multifd, Xbzrle } from "../software-features.ts";
import { type GuestBatch, type GuestStream, type InitialBlock, KEEP_CONTENT } from "../trace/events.ts";
import type { RecordedRun } from "./qemu-truth.ts";

const PAGE = 4096;
const us = (n: number): number => n * 1000 * TICKS_PER_NS;

/** Contents that a workload writes. */
type Written = "words" | "noise" | "mix" | "redis";

/** Bytes of a page, by what compresses. */
const SIZES: Readonly<Record<string, Readonly<Record<Written | "image", number>>>> = {
  zstd: { image: 1700, words: 737, noise: 4106, mix: 1663, redis: 236 },
  zlib: { image: 1600, words: 840, noise: 4102, mix: 1802, redis: 320 },
};

/** Of a channel for a page with contents, beyond what `none` costs: both measured on one core at 2.1 GHz. */
const COMPRESS_US: Readonly<Record<string, number>> = { none: 0, zstd: 9, zlib: 38 };

/** Of 65,536 hits those that do not fit, and bytes of the others. */
const DELTAS: Readonly<Record<Written, readonly [number, number]>> = {
  words: [0.93 * 65_536, 96],
  noise: [0.94 * 65_536, 209],
  mix: [0.62 * 65_536, 150],
  redis: [0.012 * 65_536, 304],
};

/** `gdirty,MiB,writes/s,pattern,content,seed`, or redis. */
function writtenBy(workload: string): Written {
  const [kind, , , , content] = workload.split(",");
  if (kind === "redis") return "redis";
  if (content === "text") return "words";
  return content === "rnd" ? "noise" : "mix";
}

/** QEMU's defaults: 64 MiB of cache, 2 channels that do not compress. */
const CACHE_BYTES = 64 * 2 ** 20;
const CHANNELS = 2;

/** XBZRLE of a recorded run, null where it has none. */
export function xbzrleOf({ caps, params, workload }: RecordedRun): Xbzrle | null {
  if (!caps.includes("xbzrle")) return null;
  const [overflow, deltaBytes] = DELTAS[writtenBy(workload)];
  const cachePages = Number(params["xbzrle-cache-size"] ?? CACHE_BYTES) / PAGE;
  return { cachePages, overflowOf65536: Math.round(overflow), deltaBytes, encodeTicks: us(2) };
}

/** multifd of a recorded run, null where it has none. */
export function multifdOf({ caps, params }: RecordedRun): Multifd | null {
  if (!caps.includes("multifd")) return null;
  const by = String(params["multifd-compression"] ?? "none");
  return {
    channels: Number(params["multifd-channels"] ?? CHANNELS),
    queueTicks: us(1.5),
    normalTicks: us(5 + COMPRESS_US[by]!),
    zeroTicks: us(0.4),
    romBytes: SIZES[by]?.image ?? PAGE,
  };
}

/** Ids of the classes; 0 is a zero page everywhere. */
const IMAGE = 1;
const WRITTEN = 2;

/** A stream of which only the class of a page is left. */
class Classed implements GuestStream {
  readonly pages: number;
  readonly pageBytes: number;
  readonly stableContents = 3;
  readonly atEnd: GuestStream["atEnd"];
  readonly endTicks: bigint | null;
  readonly #of: GuestStream;
  readonly #listed: Uint8Array;
  readonly #bodies: readonly Uint8Array[];

  constructor(of: GuestStream, listed: Uint8Array, bodies: readonly Uint8Array[]) {
    this.#of = of;
    this.#listed = listed;
    this.#bodies = bodies;
    this.pages = of.pages;
    this.pageBytes = of.pageBytes;
    this.atEnd = of.atEnd;
    this.endTicks = of.endTicks;
  }

  stableContent(id: number): Uint8Array {
    return this.#bodies[id]!;
  }

  #classes(ids: Uint32Array, count: number, pfnOf: (i: number) => number): Uint32Array {
    const classOf = (id: number, i: number): number => {
      if (id === 0 || id === KEEP_CONTENT) return id;
      return this.#listed[pfnOf(i)] === 1 ? WRITTEN : IMAGE;
    };
    return Uint32Array.from(ids.subarray(0, count), classOf);
  }

  *initial(): Iterable<InitialBlock> {
    for (const block of this.#of.initial()) {
      const contentIds = this.#classes(block.contentIds, block.count, (i) => block.firstPfn + i);
      yield { ...block, contentIds, content: (i) => this.#bodies[contentIds[i]!]! };
    }
  }

  next(): GuestBatch | null {
    const batch = this.#of.next();
    if (batch === null) return null;
    const contentIds = this.#classes(batch.contentIds, batch.count, (i) => batch.pfns[i]!);
    return { ...batch, contentIds, content: (i) => this.#bodies[contentIds[i]!] ?? null };
  }

  fork(): GuestStream {
    return new Classed(this.#of.fork(), this.#listed, this.#bodies);
  }
}

/** A recorded guest whose pages have the sizes of their classes. */
export function classed(stream: GuestStream, run: RecordedRun): { stream: GuestStream; wordOf: WordOf } {
  const sizes = SIZES[String(run.params["multifd-compression"] ?? "none")];
  const listed = new Uint8Array(stream.pages);
  const all = stream.fork();
  for (let batch = all.next(); batch !== null; batch = all.next())
    for (let i = 0; i < batch.count; i++) listed[batch.pfns[i]!] = 1;
  const bodies = [0, IMAGE, WRITTEN].map(() => new Uint8Array(PAGE));
  const written = writtenBy(run.workload);
  const wordOf: WordOf = (body) => sizes?.[body === bodies[IMAGE] ? "image" : written] ?? PAGE;
  return { stream: new Classed(stream, listed, bodies), wordOf };
}
