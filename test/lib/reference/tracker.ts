// SPDX-License-Identifier: Apache-2.0
/**
 * The slow, obvious tracker: sets of page numbers, one write after the other, from docs/model.md section 8.
 * Given are the writes as the trace has them and the instants at which batches were collected; what each
 * write did, when, and which pages each batch held, is predicted.
 */
import * as abi from "../../../assembly/abi.ts";
import { LimitRule } from "./qemu-limit.ts";

/** A write as the trace has it. */
export interface Planned {
  at: number;
  pfn: number;
  /** FREE: dirty, but nobody waits. */
  free: boolean;
  /** A read: nothing is written. */
  read?: boolean;
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

/** When all logs were brought in. */
export interface BringIn {
  at: number;
  /** Whether vCPUs ran and had to be stopped for it. */
  running: boolean;
  /** dirty-limit begins then, or one of its periods ends. */
  limit?: "begins" | "period";
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
  /** Logs of dirty pages, and whether they are KVM's rings; null without. */
  log: { entries: number; ring: boolean; exit: number; entry: number } | null;
  /** Quota of a vCPU, MiB/s, and ticks of a period; null without dirty-limit. */
  limit: { rate: number; period: number } | null;
}

export interface Predicted {
  writes: Written[];
  /** Pages that were clean and became dirty, by a write or in the group of one, and when. */
  dirtied: { at: number; pfn: number }[];
  /** Pages of each collection, ascending. */
  taken: number[][];
  faults: number;
  stall: number;
  falseDirty: number;
  /** Pages logged, and logs that were full. */
  logged: number;
  full: number;
  /** How long the front-end had to wait for the logs, each time. */
  waits: number[];
  /** By dirty-limit: ticks that vCPUs slept, and the longest sleep that is set, us. */
  slept: number;
  sleepUs: number;
}

const BATCH = 2048;
const US = 1_024_000_000;

/** Tracker and vCPUs of a guest. */
export class SlowTracker {
  readonly #shape: TrackerShape;
  readonly #dirty = new Set<number>();
  readonly #really = new Set<number>();
  readonly #again = new Map<number, number>();
  readonly #logs: number[][];
  #tracking = false;
  #together = 0;
  readonly #late: number[];
  /** Of each vCPU: what it stood for, one after the other; sleeps of dirty-limit by name. */
  readonly #stood: { from: number; to: number; sleep: boolean }[][];
  readonly #lanes: Planned[][];
  readonly #out: Predicted = {
    writes: [],
    dirtied: [],
    taken: [],
    faults: 0,
    stall: 0,
    falseDirty: 0,
    logged: 0,
    full: 0,
    waits: [],
    slept: 0,
    sleepUs: 0,
  };
  readonly #rule: LimitRule | null;
  /** Of each vCPU: its sleep, what it has ever logged, and had when the period began. */
  readonly #sleeps: { us: number; logged: number; before: number }[];

  constructor(shape: TrackerShape, lanes: readonly (readonly Planned[])[]) {
    this.#shape = shape;
    this.#lanes = lanes.map((lane) => [...lane]);
    this.#late = lanes.map(() => 0);
    this.#stood = lanes.map(() => []);
    this.#logs = lanes.map(() => []);
    this.#sleeps = lanes.map(() => ({ us: 0, logged: 0, before: 0 }));
    const { limit, log } = shape;
    this.#rule = limit === null ? null : new LimitRule(limit.rate, limit.period, log!.entries);
  }

  /**
   * Everything up to the guest's suspension; `startAt` is when tracking began. What vCPUs stand for counts up
   * to `cut`, where pages are logged and the guest's clock is its own.
   */
  run(
    startAt: number,
    collections: readonly Collection[],
    brought: readonly BringIn[],
    until: number,
    cut = until,
  ) {
    this.#writesBefore(startAt);
    this.#tracking = true;
    this.#together += this.#shape.flush;
    // logs come in before anything is collected
    const both = [...brought, ...collections].sort((a, b) => a.at - b.at);
    for (const one of both) {
      this.#writesBefore(Math.min(one.at, until));
      if ("batch" in one) this.#collect(one);
      else this.#bringIn(one.running, one.at);
      if ("limit" in one) this.#limit(one.limit === "period");
    }
    this.#writesBefore(until);
    const cuts = this.#shape.log !== null && !this.#shape.wall;
    for (const { from, to, sleep } of this.#stood.flat()) {
      const ticks = cuts ? Math.max(0, Math.min(to, cut) - from) : to - from;
      this.#out.stall += ticks;
      if (sleep) this.#out.slept += ticks;
    }
    this.#out.sleepUs = Math.max(...this.#sleeps.map(({ us }) => us));
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
    const marked = this.#tracking && !this.#isSeen(w.pfn);
    this.#out.writes.push({ at, pfn: w.pfn, marked });
    if (!this.#tracking) return;
    if (marked) this.#out.dirtied.push({ at, pfn: w.pfn });
    this.#really.add(w.pfn);
    if (marked && this.#shape.log !== null) this.#log(w, v, at);
    if (this.#shape.log === null) this.#dirty.add(w.pfn);
    if (!marked || w.free || this.#shape.fault === null) return;
    this.#stall(v, this.#shape.fault, at);
    this.#out.faults++;
    if (this.#shape.group === 1) return;
    const beside = this.#groupOf(w.pfn).filter((pfn) => !this.#dirty.has(pfn));
    for (const pfn of beside) this.#dirty.add(pfn);
    this.#out.dirtied.push(...beside.map((pfn) => ({ at, pfn })));
    this.#stall(v, beside.length * this.#shape.openPage, at);
  }

  #stall(v: number, ticks: number, at: number, sleep = false): void {
    const from = Math.max(at, this.#stood[v]!.at(-1)?.to ?? 0);
    this.#stood[v]!.push({ from, to: from + ticks, sleep });
    this.#late[v]! += ticks;
  }

  /** Whether a write of the page leaves no trace: it is writable, or dirty in the page table. */
  #isSeen(pfn: number): boolean {
    const { log } = this.#shape;
    if (log === null) return this.#dirty.has(pfn);
    return this.#logs.some((one) => one.includes(pfn)) || (!log.ring && this.#dirty.has(pfn));
  }

  /** Puts a page into the log of its vCPU; one that is full is brought in before, by that vCPU. */
  #log({ pfn, free }: Planned, v: number, at: number): void {
    const { entries, ring, exit, entry } = this.#shape.log!;
    const log = this.#logs[v]!;
    if (log.length === entries) {
      this.#out.full++;
      for (const one of log.splice(0)) this.#dirty.add(one);
      if (ring) this.#together += this.#shape.flush;
      if (!free) {
        this.#stall(v, exit + entries * (ring ? entry + this.#shape.openPage : entry), at);
        this.#stall(v, this.#sleeps[v]!.us * US, at, true);
      }
    }
    log.push(pfn);
    this.#sleeps[v]!.logged++;
    this.#out.logged++;
  }

  /** All logs are brought in: by their vCPUs with PML, by the front-end with rings. */
  #bringIn(running: boolean, at: number): void {
    const { ring, exit, entry } = this.#shape.log!;
    const lengths = this.#logs.map((log, v) => {
      if (running) this.#stall(v, exit + (ring ? 0 : log.length * entry), at);
      return log.length;
    });
    for (const log of this.#logs) for (const one of log.splice(0)) this.#dirty.add(one);
    const sum = lengths.reduce((a, b) => a + b, 0);
    const flush = ring && sum > 0 ? this.#shape.flush : 0;
    this.#together += flush;
    const work = ring ? sum * (entry + this.#shape.openPage) : Math.max(...lengths) * entry;
    this.#out.waits.push(exit + work + flush);
  }

  /** A period begins, and one may have ended. */
  #limit(ended: boolean): void {
    for (const one of this.#sleeps) {
      if (ended) one.us = this.#rule!.next(one.us, one.logged - one.before);
      one.before = one.logged;
    }
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
    // the pages of a ring have been cleaned when it was brought in
    if (pages.length > 0 && this.#shape.log?.ring !== true) this.#together += this.#shape.flush;
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
    fault: [abi.TRACKER_WRITE_PROTECT, abi.TRACKER_DIRTY_RING].includes(global[abi.G_TRACKER]!)
      ? source[abi.S_HOST_FAULT]!
      : null,
    openPage: source[abi.S_HOST_PROTECT_PAGE]!,
    flush: source[abi.S_HOST_TLB_FLUSH]!,
    group: global[abi.G_TRACKER_GROUP]!,
    rule: rules[global[abi.G_TRACKER_RULE]!]!,
    log:
      global[abi.G_TRACKER_LOG] === 0
        ? null
        : {
            entries: global[abi.G_TRACKER_LOG]!,
            ring: global[abi.G_TRACKER] === abi.TRACKER_DIRTY_RING,
            exit: source[abi.S_HOST_LOG_EXIT]!,
            entry: source[abi.S_HOST_LOG_ENTRY]!,
          },
    limit:
      global[abi.G_LIMIT_RATE] === 0
        ? null
        : { rate: global[abi.G_LIMIT_RATE]!, period: Number(global[abi.G_LIMIT_PERIOD]) },
  };
}
