// SPDX-License-Identifier: Apache-2.0
// Tables over all pages of a memory that take room only where something was stored.

const SEGMENT_BITS = 16;
const SEGMENT_MASK = (1 << SEGMENT_BITS) - 1;

/** u32 per page; 0 where nothing was stored. */
export class SparseU32 {
  private readonly segments = new Map<number, Uint32Array>();

  get(pfn: number): number {
    return this.segments.get(pfn >>> SEGMENT_BITS)?.[pfn & SEGMENT_MASK] ?? 0;
  }

  /** Stores `value` for each of `pfns`. */
  setAll(pfns: Uint32Array, value: number): void {
    let key = -1;
    let segment: Uint32Array = new Uint32Array(0);
    for (const pfn of pfns) {
      if (pfn >>> SEGMENT_BITS !== key) {
        key = pfn >>> SEGMENT_BITS;
        segment = this.segments.get(key) ?? new Uint32Array(1 << SEGMENT_BITS);
        this.segments.set(key, segment);
      }
      segment[pfn & SEGMENT_MASK] = value;
    }
  }
}

/** A double per page; 0 where nothing was stored. */
export class SparseF64 {
  private readonly segments = new Map<number, Float64Array>();

  get(pfn: number): number {
    return this.segments.get(pfn >>> SEGMENT_BITS)?.[pfn & SEGMENT_MASK] ?? 0;
  }

  set(pfn: number, value: number): void {
    const key = pfn >>> SEGMENT_BITS;
    let segment = this.segments.get(key);
    if (segment === undefined) {
      segment = new Float64Array(1 << SEGMENT_BITS);
      this.segments.set(key, segment);
    }
    segment[pfn & SEGMENT_MASK] = value;
  }
}

/** A set of pages, one bit each. */
export class PageSet {
  /** Number of pages in the set. */
  size = 0;
  private readonly segments = new Map<number, Uint8Array>();

  /** All pages, ascending. */
  list(): Uint32Array {
    const out = new Uint32Array(this.size);
    let filled = 0;
    for (const [key, segment] of [...this.segments].sort(([a], [b]) => a - b)) {
      for (let at = 0; at < segment.length; at++) {
        for (let bits = segment[at]!, bit = 0; bits !== 0; bits >>= 1, bit++) {
          if (bits & 1) out[filled++] = key * 2 ** SEGMENT_BITS + at * 8 + bit;
        }
      }
    }
    return out;
  }

  has(pfn: number): boolean {
    const segment = this.segments.get(pfn >>> SEGMENT_BITS);
    return segment !== undefined && ((segment[(pfn & SEGMENT_MASK) >>> 3]! >> (pfn & 7)) & 1) === 1;
  }

  add(pfn: number): void {
    const key = pfn >>> SEGMENT_BITS;
    let segment = this.segments.get(key);
    if (segment === undefined) {
      segment = new Uint8Array(1 << (SEGMENT_BITS - 3));
      this.segments.set(key, segment);
    }
    const at = (pfn & SEGMENT_MASK) >>> 3;
    const bit = 1 << (pfn & 7);
    if ((segment[at]! & bit) === 0) this.size++;
    segment[at]! |= bit;
  }
}
