// SPDX-License-Identifier: Apache-2.0
// A storage adapter from docs/model.md section 20, one request after another. What PCIe does is given: when
// an entry (and a write's data) is there, when an answer has landed. All the rest is worked out: when the
// guest asks, how long the back-end has a request, in which order it is answered, when the adapter is told,
// takes no more, is empty, still, set, and what its state holds.
import type { ResolvedScenario } from "../../../src/scenario/types.ts";

/** The finaliser of MurmurHash3 over two words, in exact integers. */
export function mix(a: number, b: number): number {
  const word = (n: bigint): bigint => n & 0xffffffffn;
  let h = BigInt(a >>> 0) ^ word(BigInt(b >>> 0) * 0x9e3779b1n);
  h = word((h ^ (h >> 16n)) * 0x85ebca6bn);
  h = word((h ^ (h >> 13n)) * 0xc2b2ae35n);
  return Number(h ^ (h >> 16n));
}

const SALTS = { gap: 0x67617073, write: 0x72647772, service: 0x73657276 } as const;

/** What is drawn for a request, in ticks. */
export class Draws {
  readonly #storage: NonNullable<ResolvedScenario["guest"]["storage"]>;
  readonly #seed: number;

  constructor(scenario: ResolvedScenario) {
    this.#storage = scenario.guest.storage!;
    this.#seed = scenario.seed;
  }

  #of(salt: number, n: number): bigint {
    return BigInt(mix(this.#seed ^ salt, n));
  }

  gap(n: number): bigint {
    return (BigInt(this.#storage.everyTicks) * (this.#of(SALTS.gap, n) >> 12n)) >> 19n;
  }

  writes(n: number): boolean {
    return (this.#of(SALTS.write, n) * 100n) >> 32n >= BigInt(this.#storage.readPercent);
  }

  /** Of a request begun for the so-manieth time, from 0: at least a tick. */
  service(n: number, again: number): bigint {
    const place = (this.#of(SALTS.service + again, n) >> 22n) + 1n;
    const { minTicks, medianTicks, p99Ticks, maxTicks } = this.#storage.service;
    // shares in parts of 102,400: a quantile is 100 of them
    const points: [bigint, bigint][] = [
      [0n, BigInt(minTicks)],
      [51_200n, BigInt(medianTicks)],
      [101_376n, BigInt(p99Ticks)],
      [102_400n, BigInt(maxTicks)],
    ];
    let ticks = 0n;
    for (let k = 1; k < points.length; k++) {
      const [x0, y0] = points[k - 1]!;
      const [x1, y1] = points[k]!;
      const x = place * 100n;
      if (x > x0 && x <= x1) ticks = y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
    }
    return ticks === 0n ? 1n : ticks;
  }
}

/** Free buffers over time, and the requests that the guest asks for: time and slot of each. */
export class Driver {
  readonly #free: Set<number>;
  readonly #draws: Draws;
  #next: bigint;
  #n = 0;

  constructor(draws: Draws, depth: number) {
    this.#draws = draws;
    this.#free = new Set(Array.from({ length: depth }, (_, i) => i));
    this.#next = draws.gap(0);
  }

  /** When it asks next, if no answer comes before; null while all buffers are out. */
  get next(): bigint | null {
    return this.#free.size === 0 ? null : this.#next;
  }

  /** Asks: the number and the slot, the lowest that is free. */
  ask(t: bigint): { n: number; slot: number } {
    const slot = Math.min(...this.#free);
    this.#free.delete(slot);
    const n = this.#n++;
    this.#next = t + this.#draws.gap(this.#n);
    return { n, slot };
  }

  /** An answer frees a buffer; a guest that was waiting for one asks at once. */
  answered(slot: number, t: bigint): void {
    const waited = this.#free.size === 0;
    this.#free.add(slot);
    if (waited && this.#next < t) this.#next = t;
  }

  /** The guest stands from `from` to `to`: what was left of a gap is left then. */
  stood(from: bigint, to: bigint): void {
    this.#next = this.#next > from ? to + (this.#next - from) : to;
  }
}

/**
 * Requests that a cancelling adapter has at h; `answers`: slots and times of those that are answered
 * first.
 */
export function cancelled(
  here: readonly number[],
  h: bigint,
  each: bigint,
  leaves: (slot: number) => bigint | null,
): { slot: number; t: bigint }[] {
  const list: { slot: number; t: bigint }[] = [];
  const left = new Set(here);
  let t = h;
  for (;;) {
    // those that the back-end has done with by now are being answered
    const open = [...left].filter((slot) => (leaves(slot) ?? t + 1n) > t);
    if (open.length === 0) return list;
    const slot = Math.min(...open);
    t += each;
    const gone = leaves(slot);
    left.delete(slot);
    if (gone === null || gone > t) list.push({ slot, t });
  }
}

/** Ticks of n bytes at num/den ticks each. */
export function spanOf(n: number, [num, den]: readonly [number, number]): bigint {
  return (BigInt(n) * BigInt(num) + BigInt(den) - 1n) / BigInt(den);
}
