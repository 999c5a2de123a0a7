// SPDX-License-Identifier: Apache-2.0
// The delta stage of the source card, the DRAM that it shares, and the writes that a delta becomes, from
// docs/model.md section 5 and 7. Times are BigInt; nothing is taken from the core but what came in and when.
import { encodeXbzrle, runsOf } from "./xbzrle.ts";

const PAGE = 4096;

const ceil = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;

/** A clock: ticks per cycle, num / den. Edge k lies at ceil(k num / den). */
export class Clock {
  readonly #num: bigint;
  readonly #den: bigint;

  constructor([num, den]: readonly [number, number]) {
    this.#num = BigInt(num);
    this.#den = BigInt(den);
  }

  /** First edge at or after t. */
  edge(t: bigint): bigint {
    // the least k with ceil(k num / den) >= t
    let k = (t * this.#den) / this.#num;
    while (ceil(k * this.#num, this.#den) < t) k++;
    return ceil(k * this.#num, this.#den);
  }

  /** The edge `clocks` after the edge t. */
  after(t: bigint, clocks: number): bigint {
    let k = (t * this.#den) / this.#num;
    while (ceil(k * this.#num, this.#den) < t) k++;
    return ceil((k + BigInt(clocks)) * this.#num, this.#den);
  }
}

/** One server for all who use it: bytes pass one after another. */
export class Dram {
  #free = 0n;
  readonly #num: bigint;
  readonly #den: bigint;

  constructor([num, den]: readonly [number, number]) {
    this.#num = BigInt(num);
    this.#den = BigInt(den);
  }

  /** When `bytes` that are asked for at t have passed. Asked in the order of t. */
  serve(t: bigint, bytes: number): bigint {
    const start = t > this.#free ? t : this.#free;
    this.#free = start + ceil(BigInt(bytes) * this.#num, this.#den);
    return this.#free;
  }
}

/** What came of a page: null where it is not a delta, else the delta and the version that it is of. */
export interface Outcome {
  readonly hit: boolean;
  readonly delta: Uint8Array | null;
  readonly base: number;
}

/** The cache: whatever was sent last of the pages that share a set. */
export class Cache {
  readonly #sets = new Map<number, { pfn: number; version: number; body: Uint8Array }>();
  readonly #pages: number;
  readonly #most: number;

  constructor(pages: number, most: number) {
    this.#pages = pages;
    this.#most = most;
  }

  /** A page passes; `body` null is a page of zeros. */
  pass(pfn: number, version: number, body: Uint8Array | null): Outcome {
    const set = pfn % this.#pages;
    const there = this.#sets.get(set);
    const own = there?.pfn === pfn ? there : undefined;
    if (body === null) {
      if (own !== undefined) this.#sets.delete(set);
      return { hit: false, delta: null, base: 0 };
    }
    this.#sets.set(set, { pfn, version, body });
    if (own === undefined) return { hit: false, delta: null, base: 0 };
    const delta = encodeXbzrle(own.body, body);
    return { hit: true, delta: delta.length <= this.#most ? delta : null, base: own.version };
  }
}

/** A write on PCIe: where in the page, and how many bytes. */
export interface Write {
  readonly at: number;
  readonly bytes: number;
}

/** A run of bytes is written with the words of 4 bytes that it touches. */
export function writesOf(old: Uint8Array, page: Uint8Array): Write[] {
  return runsOf(old, page).map(({ start, bytes }) => {
    const first = Math.floor(start / 4);
    const last = Math.floor((start + bytes.length - 1) / 4);
    return { at: 4 * first, bytes: 4 * (last - first + 1) };
  });
}

/** DRAM traffic of a page in the stage: the new copy, and of a hit the old one. */
export const copiedBytes = (hit: boolean): number => (hit ? 2 * PAGE : PAGE);
