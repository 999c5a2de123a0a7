// SPDX-License-Identifier: Apache-2.0
/**
 * The guest at the destination while pages are missing, and the front-end that serves its faults: one event
 * after the other, from docs/model.md section 19. Given are the writes as the trace has them, when the guest
 * was stopped and resumed, which pages were missing, when each landed, and when messages began to be read.
 */

/** A write of the trace, or a read. */
export interface Planned {
  at: number;
  pfn: number;
  /** Nothing is written. */
  read?: boolean;
}

/** A message that the front-end began to read after the resume. */
export interface Read {
  at: number;
  kind: "filled" | "whole";
  pfn: number;
}

export interface TouchShape {
  wall: boolean;
  fault: number;
  map: number;
  message: number;
  interrupt: number;
  suspended: number;
  resumed: number;
  /** The simulation stops the guest: what is due then is executed. */
  until: number;
}

export interface Touched {
  writes: { at: number; pfn: number }[];
  /** Times that vCPUs waited, ascending. */
  stood: number[];
  /** When the front-end rang for a page, and which. */
  asked: { at: number; pfn: number }[];
}

interface Fault {
  pfn: number;
  since: number;
}

const NEVER = Number.POSITIVE_INFINITY;

/** vCPUs and front-end, an event at a time. */
class SlowGuest {
  readonly #shape: TouchShape;
  readonly #lanes: readonly (readonly Planned[])[];
  readonly #landed: ReadonlyMap<number, number>;
  readonly #unmapped: Set<number>;
  readonly #next: number[];
  readonly #late: number[];
  /** No vCPU acts before the time at which it was let go. */
  readonly #floor: number[];
  readonly #waiting = new Map<number, Fault>();
  readonly #faults: Fault[] = [];
  readonly #front: { at: number; act: () => void }[] = [];
  /** When the front-end is free. The resumption ends with a message to the card. */
  #free: number;
  readonly out: Touched = { writes: [], stood: [], asked: [] };

  constructor(
    shape: TouchShape,
    lanes: readonly (readonly Planned[])[],
    missing: ReadonlySet<number>,
    landed: ReadonlyMap<number, number>,
  ) {
    const { resumed, suspended } = shape;
    this.#shape = shape;
    this.#lanes = lanes;
    this.#landed = landed;
    this.#unmapped = new Set(missing);
    this.#next = lanes.map(() => 0);
    this.#late = lanes.map(() => resumed - suspended);
    this.#floor = lanes.map(() => resumed);
    this.#free = resumed + shape.message;
  }

  #goOn(pfn: number, at: number): void {
    this.#unmapped.delete(pfn);
    for (const [lane, fault] of this.#waiting) {
      if (fault.pfn !== pfn) continue;
      this.#waiting.delete(lane);
      this.out.stood.push(at - fault.since);
      this.#late[lane]! += at - fault.since;
      this.#floor[lane] = at;
    }
  }

  /** When a vCPU does its next write. */
  #dueOf(lane: number): number {
    const write = this.#lanes[lane]![this.#next[lane]!];
    if (write === undefined || this.#waiting.has(lane)) return NEVER;
    return Math.max(this.#floor[lane]!, write.at + (this.#shape.wall ? 0 : this.#late[lane]!));
  }

  #read({ at: now, kind, pfn }: Read): void {
    const { interrupt, map } = this.#shape;
    if (now < this.#free)
      throw new Error(`a message is read at ${now}, the front-end is busy until ${this.#free}`);
    const at = now + interrupt + (kind === "filled" ? map : 0);
    const all = (): void => {
      this.#faults.length = 0;
      for (const page of [...this.#unmapped]) this.#goOn(page, at);
    };
    this.#begin(at, () => (kind === "filled" ? this.#goOn(pfn, at) : all()));
  }

  #serve(now: number): void {
    const { pfn } = this.#faults.shift()!;
    const there = (this.#landed.get(pfn) ?? NEVER) <= now;
    const at = now + (there ? this.#shape.map : this.#shape.message);
    this.#begin(at, () => (there ? this.#goOn(pfn, at) : this.out.asked.push({ at, pfn })));
  }

  #begin(at: number, act: () => void): void {
    this.#free = at;
    this.#front.push({ at, act });
  }

  #write(lane: number, now: number): void {
    const { pfn, read } = this.#lanes[lane]![this.#next[lane]!]!;
    if (!this.#unmapped.has(pfn)) {
      this.#next[lane]!++;
      if (read !== true) this.out.writes.push({ at: now, pfn });
      return;
    }
    const fault = { pfn, since: now };
    this.#waiting.set(lane, fault);
    this.#faults.push(fault);
  }

  run(reads: readonly Read[]): void {
    const left = [...reads];
    for (;;) {
      const fault = this.#faults[0];
      const due = this.#lanes.map((_, lane) => this.#dueOf(lane));
      const times = [
        this.#front[0]?.at ?? NEVER,
        left[0]?.at ?? NEVER,
        fault === undefined ? NEVER : Math.max(this.#free, fault.since + this.#shape.fault),
        Math.min(...due),
      ];
      const now = Math.min(...times);
      if (now > this.#shape.until || now === NEVER) return;
      // what is done ends first, a message goes before a fault, the guest comes last
      const what = times.indexOf(now);
      if (what === 0) this.#front.shift()!.act();
      else if (what === 1) this.#read(left.shift()!);
      else if (what === 2) this.#serve(now);
      else this.#write(due.indexOf(now), now);
    }
  }
}

/** What the guest does from the resume on. `lanes`: the writes that each vCPU has left. */
export function touching(
  shape: TouchShape,
  lanes: readonly (readonly Planned[])[],
  missing: ReadonlySet<number>,
  landed: ReadonlyMap<number, number>,
  reads: readonly Read[],
): Touched {
  const guest = new SlowGuest(shape, lanes, missing, landed);
  guest.run(reads);
  return guest.out;
}
