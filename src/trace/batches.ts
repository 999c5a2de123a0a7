// SPDX-License-Identifier: Apache-2.0
// Puts epochs' page lists into time order: seeded instants, tiles and their delays, sorting.
import { GuestRefused } from "./errors.ts";
import type { GuestBatch } from "./events.ts";
import { RECORDED_SIZE } from "./events.ts";
import { begin, hash, SALT, stir } from "./hash.ts";

const LIMIT_TICKS = 1n << 63n;
const EXACT = 2 ** 53;

/** One epoch before its writes have times. Arrays have one entry per listed page, pfns ascending. */
export interface ListedEpoch {
  /** Number of the epoch since the start of the stream. */
  readonly number: number;
  readonly startTicks: bigint;
  readonly endTicks: bigint;
  readonly pfns: Uint32Array;
  readonly flags: Uint8Array;
  /** Stable id, stableContents + index into `bodies`, RECORDED_SIZE + a size, or KEEP_CONTENT. */
  readonly contentIds: Uint32Array;
  readonly bodies: readonly Uint8Array[];
}

/** Seeded integer in 0 .. below - 1; `below` >= 1. */
export function seededBelow(h: number, low: number, below: number): number {
  const step = Math.floor(below / 2 ** 20);
  return step === 0 ? h % below : (h >>> 12) * step + (low % step);
}

/** Refuses times that no run may reach. */
export function checkTicks(endTicks: bigint): void {
  if (endTicks < LIMIT_TICKS) return;
  const what = "the trace's epochs pass 2.5 h, the longest simulated time";
  throw new GuestRefused("guest.speed", `${what}; play it faster`);
}

/** What the instants of an epoch's writes are hashed from. */
export function instantHash(seed: number, epoch: number): number {
  return stir(stir(begin(seed), SALT.instant), epoch);
}

/** Offset of a page's write from the start of its epoch: 1 .. length, which is at least 1. */
export function instantIn(epochHash: number, pfn: number, lengthTicks: number): number {
  const h = stir(epochHash, pfn);
  return 1 + seededBelow(h, Math.imul(h, 0x9e3779b1) >>> 0, lengthTicks);
}

/** Writes with their offsets from the start of a batch. */
export interface PlacedWrites {
  readonly count: number;
  readonly offsets: Float64Array;
  readonly pfns: Uint32Array;
  readonly flags: Uint8Array;
  readonly ids: Uint32Array;
}

/** Events of several epochs and tiles that wait for their batch. */
class Pending implements PlacedWrites {
  count = 0;
  offsets: Float64Array;
  pfns: Uint32Array;
  flags: Uint8Array;
  ids: Uint32Array;

  constructor(capacity: number) {
    this.offsets = new Float64Array(capacity);
    this.pfns = new Uint32Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.ids = new Uint32Array(capacity);
  }

  add(offset: number, pfn: number, flags: number, id: number): void {
    const at = this.count++;
    this.offsets[at] = offset;
    this.pfns[at] = pfn;
    this.flags[at] = flags;
    this.ids[at] = id;
  }
}

export interface TileOptions {
  readonly tile: number;
  readonly pagesPerTile: number;
  /** Delays are below this. */
  readonly nominalTicks: number;
  readonly seed: number;
  readonly stableContents: number;
  stableContent(id: number): Uint8Array;
}

/** Turns epochs, handed over in order, into batches. */
export class BatchAssembler {
  private readonly options: TileOptions;
  private readonly delays: Float64Array;
  private carried = new Pending(0);
  private carriedBodies: Uint8Array[] = [];

  constructor(options: TileOptions) {
    this.options = options;
    const { tile, nominalTicks, seed } = options;
    this.delays = Float64Array.from({ length: tile }, (_, k) =>
      k === 0
        ? 0
        : seededBelow(hash(seed, SALT.delay, k), hash(seed, SALT.delay, k, 1), Math.max(1, nominalTicks)),
    );
  }

  /** True while delayed events of earlier epochs wait for a later batch. */
  hasCarried(): boolean {
    return this.carried.count > 0;
  }

  /** Longest delay of a tile. */
  delayTicksMax(): number {
    return this.delays.reduce((a, b) => Math.max(a, b), 0);
  }

  /** The batch of (startTicks, endTicks]: this epoch's events and delayed ones that fall into it. */
  assemble(epoch: ListedEpoch): GuestBatch {
    checkTicks(epoch.endTicks);
    const lengthTicks = Number(epoch.endTicks - epoch.startTicks);
    const due =
      this.options.tile === 1 ? this.place(epoch, lengthTicks) : this.placeTiles(epoch, lengthTicks);
    return this.finish(epoch, due.events, due.bodies);
  }

  /** Offsets of an epoch's writes from its start: 1 .. length, or 0 in an epoch of no length. */
  private instants({ number, pfns }: ListedEpoch, lengthTicks: number): Float64Array {
    const offsets = new Float64Array(pfns.length);
    const start = instantHash(this.options.seed, number);
    for (let i = 0; i < pfns.length && lengthTicks > 0; i++) {
      offsets[i] = instantIn(start, pfns[i]!, lengthTicks);
    }
    return offsets;
  }

  private place(epoch: ListedEpoch, lengthTicks: number): { events: Pending; bodies: readonly Uint8Array[] } {
    const { pfns } = epoch;
    const events = new Pending(0);
    events.count = pfns.length;
    events.offsets = this.instants(epoch, lengthTicks);
    events.pfns = pfns;
    events.flags = epoch.flags;
    events.ids = epoch.contentIds;
    return { events, bodies: epoch.bodies };
  }

  private placeTiles(epoch: ListedEpoch, lengthTicks: number): { events: Pending; bodies: Uint8Array[] } {
    const { tile, pagesPerTile, stableContents } = this.options;
    const { pfns, flags, contentIds } = epoch;
    const offsets = this.instants(epoch, lengthTicks);
    const before = this.carried;
    const bodies = this.carriedBodies.concat(epoch.bodies);
    const shift = this.carriedBodies.length;
    const capacity = before.count + tile * pfns.length;
    const due = new Pending(capacity);
    const later = new Pending(capacity);
    const sort = (offset: number, pfn: number, flag: number, id: number) =>
      offset <= lengthTicks ? due.add(offset, pfn, flag, id) : later.add(offset - lengthTicks, pfn, flag, id);
    for (let i = 0; i < before.count; i++) {
      sort(before.offsets[i]!, before.pfns[i]!, before.flags[i]!, before.ids[i]!);
    }
    for (let i = 0; i < pfns.length; i++) {
      const at = offsets[i]!;
      const id = contentIds[i]!;
      const local = id >= stableContents && id < RECORDED_SIZE ? id + shift : id;
      for (let k = 0; k < tile; k++)
        sort(at + this.delays[k]!, pfns[i]! + k * pagesPerTile, flags[i]!, local);
    }
    this.keep(later, bodies);
    return { events: due, bodies };
  }

  /** Keeps what comes later, with only the bodies it still needs. */
  private keep(later: Pending, bodies: readonly Uint8Array[]): void {
    const { stableContents } = this.options;
    const moved = new Map<number, number>();
    const kept: Uint8Array[] = [];
    const carried = new Pending(later.count);
    for (let i = 0; i < later.count; i++) {
      let id = later.ids[i]!;
      if (id >= stableContents && id < RECORDED_SIZE) {
        let to = moved.get(id);
        if (to === undefined) {
          to = stableContents + kept.push(bodies[id - stableContents]!) - 1;
          moved.set(id, to);
        }
        id = to;
      }
      carried.add(later.offsets[i]!, later.pfns[i]!, later.flags[i]!, id);
    }
    this.carried = carried;
    this.carriedBodies = kept;
  }

  private finish(epoch: ListedEpoch, events: Pending, bodies: readonly Uint8Array[]): GuestBatch {
    const { stableContents, stableContent } = this.options;
    return timedBatch(epoch.startTicks, epoch.endTicks, events, (id) => {
      if (id >= RECORDED_SIZE) return null;
      return id < stableContents ? stableContent(id) : bodies[id - stableContents]!;
    });
  }
}

/** The batch of writes whose offsets are known, put into order. */
export function timedBatch(
  startTicks: bigint,
  endTicks: bigint,
  events: PlacedWrites,
  bodyOf: (id: number) => Uint8Array | null,
): GuestBatch {
  const { count } = events;
  const order = timeOrder(events.offsets, events.pfns, count, Number(endTicks - startTicks));
  const timeTicks = new BigUint64Array(count);
  const halves = new Uint32Array(timeTicks.buffer);
  const pfns = new Uint32Array(count);
  const flags = new Uint8Array(count);
  const contentIds = new Uint32Array(count);
  const startLow = Number(startTicks & 0xffffffffn);
  const startHigh = Number(startTicks >> 32n);
  for (let i = 0; i < count; i++) {
    const from = order[i]!;
    const offset = events.offsets[from]!;
    const offsetHigh = Math.floor(offset / 2 ** 32);
    const low = startLow + (offset - offsetHigh * 2 ** 32);
    halves[2 * i] = low;
    halves[2 * i + 1] = startHigh + offsetHigh + (low >= 2 ** 32 ? 1 : 0);
    pfns[i] = events.pfns[from]!;
    flags[i] = events.flags[from]!;
    contentIds[i] = events.ids[from]!;
  }
  const content = (i: number): Uint8Array | null => bodyOf(contentIds[i]!);
  return { startTicks, endTicks, count, timeTicks, pfns, flags, contentIds, content };
}

/**
 * Indices of the events by (offset, pfn). The key packs the offset, as coarse as must be, above the index, so
 * that a typed array sorts it without a comparison function; neighbours that the coarse key left in the wrong
 * order are then moved.
 */
function timeOrder(offsets: Float64Array, pfns: Uint32Array, count: number, offsetMax: number): Uint32Array {
  let grain = 1;
  while ((Math.floor(offsetMax / grain) + 1) * count > EXACT) grain *= 2;
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) keys[i] = Math.floor(offsets[i]! / grain) * count + i;
  keys.sort();
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const from = keys[i]! % count;
    const offset = offsets[from]!;
    let at = i;
    for (; at > 0; at--) {
      const before = order[at - 1]!;
      const later = offsets[before]! - offset || pfns[before]! - pfns[from]!;
      if (later <= 0) break;
      order[at] = before;
    }
    order[at] = from;
  }
  return order;
}
