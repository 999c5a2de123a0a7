// SPDX-License-Identifier: Apache-2.0
/**
 * The slow, obvious tracker: sets of page numbers, one write after the other, from docs/model.md section 8.
 * Given are the writes as the trace has them and the instants at which batches were collected; what each
 * write did, when, and which pages each batch held, is predicted.
 */
import * as abi from "../../../assembly/abi.ts";

/** A write as the trace has it. */
export interface Planned {
  at: number;
  pfn: number;
  /** FREE: dirty, but nobody waits. */
  free: boolean;
}

/** A write as it was. */
export interface Written {
  at: number;
  pfn: number;
  marked: boolean;
}

/** When marks of a batch were taken; `again` when its pages had been announced before. */
export interface Collection {
  at: number;
  batch: number;
  again: boolean;
}

/** What a tracker is and costs; times in ticks. */
export interface TrackerShape {
  pages: number;
  wall: boolean;
  /** Of a write that finds its page protected; null where none is. */
  fault: number | null;
  openPage: number;
  flush: number;
  group: number;
  rule: "static" | "counter" | "contiguity";
}

export interface Predicted {
  writes: Written[];
  /** Pages of each collection, ascending. */
  taken: number[][];
  faults: number;
  stall: number;
  falseDirty: number;
}

const BATCH = 2048;

/** Tracker and vCPUs of a guest. */
export class SlowTracker {
  readonly #shape: TrackerShape;
  readonly #dirty = new Set<number>();
  readonly #really = new Set<number>();
  readonly #again = new Map<number, number>();
  #tracking = false;
  #together = 0;
  readonly #late: number[];
  readonly #lanes: Planned[][];
  readonly #out: Predicted = { writes: [], taken: [], faults: 0, stall: 0, falseDirty: 0 };

  constructor(shape: TrackerShape, lanes: readonly (readonly Planned[])[]) {
    this.#shape = shape;
    this.#lanes = lanes.map((lane) => [...lane]);
    this.#late = lanes.map(() => 0);
  }

  /** Everything up to the guest's suspension; `startAt` is when tracking began. */
  run(startAt: number, collections: readonly Collection[], until: number): Predicted {
    this.#writesBefore(startAt);
    this.#tracking = true;
    this.#together += this.#shape.flush;
    for (const one of collections) {
      this.#writesBefore(Math.min(one.at, until));
      this.#collect(one);
    }
    this.#writesBefore(until);
    return this.#out;
  }

  /** The writes whose time comes before t, in their order; at one time the lower vCPU goes first. */
  #writesBefore(t: number): void {
    for (;;) {
      let who = -1;
      let soonest = t;
      this.#lanes.forEach((lane, v) => {
        const at = this.#timeOf(lane, v);
        if (at >= soonest) return;
        soonest = at;
        who = v;
      });
      if (who < 0) return;
      this.#write(this.#lanes[who]!.shift()!, who, soonest);
    }
  }

  #timeOf(lane: readonly Planned[], v: number): number {
    if (lane.length === 0) return Infinity;
    return lane[0]!.at + (this.#shape.wall ? 0 : this.#late[v]! + this.#together);
  }

  #write(w: Planned, v: number, at: number): void {
    const marked = this.#tracking && !this.#dirty.has(w.pfn);
    this.#out.writes.push({ at, pfn: w.pfn, marked });
    if (!this.#tracking) return;
    this.#dirty.add(w.pfn);
    this.#really.add(w.pfn);
    if (!marked || w.free || this.#shape.fault === null) return;
    const beside = this.#groupOf(w.pfn).filter((pfn) => !this.#dirty.has(pfn));
    for (const pfn of beside) this.#dirty.add(pfn);
    const stall = this.#shape.fault + beside.length * this.#shape.openPage;
    this.#out.faults++;
    this.#out.stall += stall;
    this.#late[v]! += stall;
  }

  /** The pages that a fault opens. */
  #groupOf(pfn: number): number[] {
    const { group, rule, pages } = this.#shape;
    let [from, size] = [pfn, group];
    if (rule === "contiguity") {
      let below = 0;
      while (this.#dirty.has(pfn - below - 1)) below++;
      size = Math.min(group, 1 + below);
    } else {
      const again = this.#again.get(Math.floor(pfn / group)) ?? 0;
      if (rule === "counter") size = Math.min(group, 2 ** again);
      from = Math.floor(pfn / size) * size;
    }
    return Array.from({ length: size }, (_, i) => from + i).filter((q) => q < pages);
  }

  #collect({ batch, again }: Collection): void {
    const pages = [...this.#dirty].filter((pfn) => Math.floor(pfn / BATCH) === batch).sort((a, b) => a - b);
    this.#out.taken.push(pages);
    if (pages.length > 0) this.#together += this.#shape.flush;
    if (again) {
      this.#out.falseDirty += pages.filter((pfn) => !this.#really.has(pfn)).length;
      const blocks = new Set(pages.map((pfn) => Math.floor(pfn / this.#shape.group)));
      for (const block of blocks) this.#again.set(block, (this.#again.get(block) ?? 0) + 1);
    }
    for (const pfn of pages) {
      this.#dirty.delete(pfn);
      this.#really.delete(pfn);
    }
  }
}

/** The shape by the parameters that a core was given. */
export function trackerShape(global: readonly number[], source: readonly number[]): TrackerShape {
  const rules = ["static", "counter", "contiguity"] as const;
  return {
    pages: global[abi.G_PAGES]!,
    wall: global[abi.G_CLOCK_WALL] === 1,
    fault: global[abi.G_TRACKER] === abi.TRACKER_WRITE_PROTECT ? source[abi.S_HOST_FAULT]! : null,
    openPage: source[abi.S_HOST_PROTECT_PAGE]!,
    flush: source[abi.S_HOST_TLB_FLUSH]!,
    group: global[abi.G_TRACKER_GROUP]!,
    rule: rules[global[abi.G_TRACKER_RULE]!]!,
  };
}
