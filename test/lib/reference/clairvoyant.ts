// SPDX-License-Identifier: Apache-2.0
// What a migration that knew the future would send, slowly: every version of every page is kept, and the last
// one coded by the slow encoders. How often a page has been written is what the source's memory says at the
// end, when the guest stands still.

import type { GuestStream } from "../../../src/index.ts";
import { KEEP_CONTENT } from "../../../src/trace/events.ts";
import { encodeXbzrle } from "./xbzrle.ts";

/** Contents of a page from a time on; null: all zero. */
export interface Version {
  readonly at: bigint;
  readonly body: Uint8Array | null;
}

const copied = (body: Uint8Array): Uint8Array | null =>
  body.some((byte) => byte !== 0) ? Uint8Array.from(body) : null;

/** The first `writes[pfn]` versions of each page behind its initial contents. */
export function versionsOf(stream: GuestStream, writes: readonly number[]): Version[][] {
  const pages: Version[][] = [];
  for (const block of stream.initial()) {
    for (let i = 0; i < block.count; i++) {
      const body = block.contentIds[i] === 0 ? null : copied(block.content(i));
      pages[block.firstPfn + i] = [{ at: -1n, body }];
    }
  }
  let left = writes.reduce((sum, n) => sum + n, 0);
  while (left > 0) {
    const batch = stream.next()!;
    for (let i = 0; i < batch.count; i++) {
      const versions = pages[batch.pfns[i]!]!;
      if (versions.length > writes[batch.pfns[i]!]!) continue;
      left--;
      const id = batch.contentIds[i]!;
      const at = batch.timeTicks[i]!;
      if (id === KEEP_CONTENT) versions.push({ at, body: versions.at(-1)!.body });
      else versions.push({ at, body: id === 0 ? null : copied(batch.content(i)!) });
    }
  }
  return pages;
}

/** The least delta to the last version from one that the page had at `since` or later and that is another. */
function leastDelta(versions: readonly Version[], since: bigint): number {
  const page = versions.at(-1)!.body!;
  const bases = versions.filter((_, n) => n + 1 < versions.length && versions[n + 1]!.at >= since);
  const sizes = bases.flatMap(({ body }) => {
    if (body === null || Buffer.compare(body, page) === 0) return [];
    return [encodeXbzrle(body, page).length];
  });
  return Math.min(4096, ...sizes);
}

/**
 * Payload bytes of all records.
 * @param sizeOf what the run's encoder makes of a page
 * @param since when deltas begin to have a base; null without
 * @param around bytes of a record besides the page
 */
export function payloadOf(
  pages: readonly (readonly Version[])[],
  sizeOf: (body: Uint8Array) => number,
  since: bigint | null,
  around: number,
): number {
  let sum = 0;
  for (const versions of pages) {
    const { body } = versions.at(-1)!;
    const whole = body === null ? 0 : sizeOf(body);
    sum += around + (since === null || body === null ? whole : Math.min(whole, leastDelta(versions, since)));
  }
  return sum;
}

/** Bytes on the wire of so many bytes of payload, a full frame after another. */
export function wireOf(payload: number, mss: number, overhead: number): number {
  let wire = 0;
  for (let left = payload; left > 0; left -= mss) wire += Math.min(left, mss) + overhead;
  return wire;
}
