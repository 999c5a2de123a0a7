// SPDX-License-Identifier: Apache-2.0
/**
 * The slow, obvious devices: each write an object, the ring a list, sets of page numbers, from docs/model.md
 * section 8. Given are the times at which something landed or was heard of, and at which the host looked;
 * what each device did and when, what each record said, and which pages were marked, is predicted.
 */
import type { DeviceShape } from "./params-devices.ts";

/** What sees the devices. */
export interface Seen {
  kind: "none" | "ring" | "bits";
  slots: number;
  order: "after" | "before" | "before-freed";
  full: "stall" | "overflow" | "spill" | "fail";
}

/** What is given, in the order in which it happened; at one time landings come first, devices last. */
export type Given =
  /** Data of the n-th write of a device. */
  | { what: "data"; at: number; device: number; n: number }
  /** A record, or what tells behind the data. */
  | { what: "record" | "told"; at: number; device: number; n: number }
  /** The host looks at all there is; a scan of bits flushes the IOTLB at `flushed`. */
  | { what: "look"; at: number; flushed: number | null }
  /** The card hears of it. */
  | { what: "freed"; at: number; index: number }
  | { what: "start" | "quiesce" | "goOn"; at: number }
  /** The marks of a batch are taken. */
  | { what: "take"; at: number; batch: number }
  /** The ports have room again. */
  | { what: "room"; at: number };

/** What a device did. */
export interface Did {
  at: number;
  what: "taken" | "put" | "recorded";
  device: number;
  n: number;
  pfn: number;
  /** Of a record. */
  index: number | null;
}

interface OneWrite {
  device: number;
  n: number;
  pfn: number;
  dataAt: number;
  put: boolean;
  by: "record" | "flag" | "bitmap" | "flush" | null;
  index: number | null;
  behind: boolean;
  landings: number;
}

/** What the model says of a run. */
export interface DevicesSaid {
  did: Did[];
  /** Records examined at each look, the first of them, and the first that is kept. */
  looks: { n: number; first: number; kept: number; words: number; bits: number }[];
  /** Marks of each batch that was taken, ascending. */
  taken: number[][];
  counters: {
    writes: number;
    records: number;
    high: number;
    stall: number;
    overflows: number;
    examined: number;
  };
}

const BATCH = 2048;

/** The finaliser of MurmurHash3 over two words, in exact arithmetic. */
function mixed(a: number, b: number): number {
  const word = 2n ** 32n;
  let h = BigInt(a) ^ ((BigInt(b) * 0x9e3779b1n) % word);
  h = ((h ^ (h >> 16n)) * 0x85ebca6bn) % word;
  h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) % word;
  return Number(h ^ (h >> 16n));
}

/** The page of the n-th write of a device. */
export function pageOf(d: DeviceShape, n: number): number {
  const place = d.random ? Math.floor((mixed(d.seed, n) * d.pages) / 2 ** 32) : n % d.pages;
  return d.first + place;
}

/** Devices, ring and marks. */
export class SlowDevices {
  readonly #shapes: readonly DeviceShape[];
  readonly #seen: Seen;
  readonly #next: { at: number; rest: bigint; n: number; out: number; since: number | null }[];
  readonly #writes: OneWrite[] = [];
  #tracking = false;
  #still = false;
  readonly #marks = new Set<number>();
  /** Records by index; null when its write is not complete. */
  readonly #ring: { pfn: number; complete: boolean }[] = [];
  #produced = 0;
  #promised = 0;
  #freed = 0;
  #kept = 0;
  readonly #flags = new Set<number>();
  readonly #bitmap: Set<number>[];
  readonly #bits = new Set<number>();
  readonly #cached = new Set<number>();
  #flushed: number | null = null;
  readonly said: DevicesSaid = {
    did: [],
    looks: [],
    taken: [],
    counters: { writes: 0, records: 0, high: 0, stall: 0, overflows: 0, examined: 0 },
  };

  constructor(shapes: readonly DeviceShape[], seen: Seen) {
    this.#shapes = shapes;
    this.#seen = seen;
    this.#bitmap = shapes.map(() => new Set());
    this.#next = shapes.map((shape) => {
      const own = { at: 0, rest: 0n, n: 0, out: 0, since: null };
      return { ...own, at: Number(shape.gap[0] / shape.gap[1]), rest: shape.gap[0] % shape.gap[1] };
    });
  }

  /** Everything up to a time. */
  run(given: readonly Given[], until: number): DevicesSaid {
    let i = 0;
    for (;;) {
      const own = this.#soonest();
      const at = Math.min(own, i < given.length ? given[i]!.at : Infinity);
      if (at > until || at === Infinity) return this.said;
      while (i < given.length && given[i]!.at === at) this.#hear(given[i++]!);
      this.#devicesAct(at);
    }
  }

  /** When a device does something by the clock alone. */
  #soonest(): number {
    let best = Infinity;
    for (const w of this.#writes) if (!w.put && w.dataAt > this.#acted) best = Math.min(best, w.dataAt);
    if (!this.#still) for (const one of this.#next) if (one.at > this.#acted) best = Math.min(best, one.at);
    return best;
  }

  #acted = -1;

  #devicesAct(at: number): void {
    this.#acted = at;
    for (const device of this.#shapes.keys()) {
      this.#putData(device, at);
      this.#begin(device, at);
    }
  }

  #putData(device: number, at: number): void {
    for (const w of this.#writes) {
      if (w.device !== device || w.put || w.dataAt > at) continue;
      w.put = true;
      this.said.did.push({ at, what: "put", device, n: w.n, pfn: w.pfn, index: null });
      if (w.by === "record" && w.index === null) {
        w.behind = true;
        this.#record(w, at);
      } else if (w.by === "record" ? this.#seen.order === "before" : w.by !== null) w.landings++;
    }
  }

  #begin(device: number, at: number): void {
    const shape = this.#shapes[device]!;
    const own = this.#next[device]!;
    while (!this.#still && own.at <= at && own.out < shape.most) {
      const ring = this.#tracking && this.#seen.kind === "ring";
      const full = this.#produced + this.#promised - this.#freed >= this.#seen.slots;
      if (ring && full && this.#seen.full === "stall") {
        own.since ??= at;
        return;
      }
      this.#stallEnds(device, at);
      const n = own.n++;
      const pfn = pageOf(shape, n);
      const w: OneWrite = {
        ...{ device, n, pfn, dataAt: at + shape.fetch },
        ...{ put: false, by: null, index: null, behind: false, landings: 1 },
      };
      this.#writes.push(w);
      own.out++;
      const ticks = shape.gap[0] + own.rest;
      own.at = at + Number(ticks / shape.gap[1]);
      own.rest = ticks % shape.gap[1];
      this.said.did.push({ at, what: "taken", device, n, pfn, index: null });
      if (ring) {
        w.by = !full ? "record" : this.#seen.full === "spill" ? "bitmap" : "flag";
        if (full) this.said.counters.overflows++;
        else this.#promised++;
        if (!full && this.#seen.order !== "after") this.#record(w, at);
      }
      this.#putData(device, at);
    }
  }

  #stallEnds(device: number, at: number): void {
    const own = this.#next[device]!;
    if (own.since !== null) this.said.counters.stall += at - own.since;
    own.since = null;
  }

  #record(w: OneWrite, at: number): void {
    this.#promised--;
    w.index = this.#produced++;
    w.landings++;
    this.said.counters.records++;
    this.said.counters.high = Math.max(this.said.counters.high, this.#produced - this.#freed);
    this.said.did.push({ at, what: "recorded", device: w.device, n: w.n, pfn: w.pfn, index: w.index });
  }

  #hear(g: Given): void {
    if (g.what === "data" || g.what === "record" || g.what === "told") this.#landed(g);
    else if (g.what === "freed") this.#freed = g.index;
    else if (g.what === "look") this.#look(g);
    else if (g.what === "take") this.#take(g.batch);
    else if (g.what === "start") this.#start();
    else if (g.what === "goOn") this.#still = false;
    else if (g.what === "quiesce") {
      this.#still = true;
      for (const device of this.#shapes.keys()) this.#stallEnds(device, g.at);
    }
  }

  #landed(g: Given & { device: number; n: number }): void {
    const w = this.#writes.find(({ device, n }) => device === g.device && n === g.n);
    if (w === undefined)
      throw new Error(`write ${g.n} of device ${g.device} landed at ${g.at} before it began`);
    if (g.what === "data") {
      this.said.counters.writes++;
      if (w.by === "flush") this.#marks.add(w.pfn);
      if (this.#tracking && this.#seen.kind === "bits") this.#setBit(w.pfn, g.at);
    } else if (g.what === "record") this.#ring[w.index!] = { pfn: w.pfn, complete: w.behind };
    else if (w.by === "record") this.#ring[w.index!]!.complete = true;
    else if (w.by === "flag") this.#flags.add(w.device);
    else this.#bitmap[w.device]!.add(w.pfn);
    w.landings--;
    if (w.landings > 0) return;
    this.#next[w.device]!.out--;
    this.#writes.splice(this.#writes.indexOf(w), 1);
  }

  /** The IOMMU sets a bit unless the IOTLB holds the page as dirty; a flush empties that. */
  #setBit(pfn: number, at: number): void {
    if (this.#flushed !== null && at >= this.#flushed) {
      this.#cached.clear();
      this.#flushed = null;
    }
    if (!this.#cached.has(pfn)) this.#bits.add(pfn);
    this.#cached.add(pfn);
  }

  /** What is under way when tracking begins will be known too. */
  #start(): void {
    this.#tracking = true;
    if (this.#seen.kind !== "ring") return;
    for (const w of this.#writes) {
      w.by = w.put ? "flush" : "record";
      if (!w.put) this.#promised++;
    }
  }

  #look({ at, flushed }: Given & { what: "look" }): void {
    if (!this.#tracking) return;
    const { counters, looks } = this.said;
    if (this.#seen.kind === "bits") {
      if (this.#flushed !== null && at >= this.#flushed) {
        this.#cached.clear();
        this.#flushed = null;
      }
      const bits = this.#bits.size;
      for (const pfn of this.#bits) this.#marks.add(pfn);
      this.#bits.clear();
      if (bits > 0) this.#flushed = flushed;
      counters.examined += bits;
      looks.push({ n: 0, first: 0, kept: 0, words: 0, bits });
      return;
    }
    const first = this.#kept;
    const fresh = this.#ring.slice(first);
    for (const { pfn } of fresh) this.#marks.add(pfn);
    const stays = fresh.findIndex(({ complete }) => this.#seen.order === "before" && !complete);
    this.#kept = stays < 0 ? this.#ring.length : first + stays;
    let words = 0;
    for (const device of this.#flags) {
      const { first: from, pages } = this.#shapes[device]!;
      for (let i = 0; i < pages; i++) this.#marks.add(from + i);
      words += Math.ceil(pages / 64);
    }
    this.#flags.clear();
    for (const [device, map] of this.#bitmap.entries()) {
      if (map.size > 0) words += Math.ceil(this.#shapes[device]!.pages / 64);
      for (const pfn of map) this.#marks.add(pfn);
      map.clear();
    }
    counters.examined += fresh.length;
    looks.push({ n: fresh.length, first, kept: this.#kept, words, bits: 0 });
  }

  #take(batch: number): void {
    const pages = [...this.#marks].filter((pfn) => Math.floor(pfn / BATCH) === batch).sort((a, b) => a - b);
    for (const pfn of pages) this.#marks.delete(pfn);
    this.said.taken.push(pages);
  }
}
