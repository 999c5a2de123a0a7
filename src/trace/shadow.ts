// SPDX-License-Identifier: Apache-2.0
// The memory image of a complete trace while it is replayed; memory only where pages have been non-zero.
import { expect } from "./errors.ts";
import { LIMITS } from "./format.ts";

const SEGMENT_PAGES = 256;

/** Page contents by pfn; a page never written reads as zeros. */
export class ShadowImage {
  readonly pageBytes: number;
  private readonly segments = new Map<number, Uint8Array>();
  private readonly zeroPage: Uint8Array;

  constructor(pageBytes: number) {
    this.pageBytes = pageBytes;
    this.zeroPage = new Uint8Array(pageBytes);
  }

  /** Current contents of `pfn`: a view that later writes change. Not to be written to. */
  page(pfn: number): Uint8Array {
    const segment = this.segments.get(Math.floor(pfn / SEGMENT_PAGES));
    return segment === undefined ? this.zeroPage : this.within(segment, pfn);
  }

  /** Contents of `pfn` to be changed in place. Throws Malformed beyond the limit of held pages. */
  writable(pfn: number): Uint8Array {
    const key = Math.floor(pfn / SEGMENT_PAGES);
    let segment = this.segments.get(key);
    if (segment === undefined) {
      const held = (this.segments.size + 1) * SEGMENT_PAGES;
      expect(held <= LIMITS.shadowPages, `the image to replay passes ${LIMITS.shadowPages} pages`);
      segment = new Uint8Array(SEGMENT_PAGES * this.pageBytes);
      this.segments.set(key, segment);
    }
    return this.within(segment, pfn);
  }

  /** Sets `pfn` to `body`, or to zeros. */
  set(pfn: number, body: Uint8Array | null): void {
    if (body !== null) this.writable(pfn).set(body);
    else if (this.segments.has(Math.floor(pfn / SEGMENT_PAGES))) this.writable(pfn).fill(0);
  }

  private within(segment: Uint8Array, pfn: number): Uint8Array {
    const at = (pfn % SEGMENT_PAGES) * this.pageBytes;
    return segment.subarray(at, at + this.pageBytes);
  }
}
