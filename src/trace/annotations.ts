// SPDX-License-Identifier: Apache-2.0
// READ, HASH and CSIZ chunks: what is known of pages beside their contents (docs/formats.md). A page list
// comes first in all three; HASH has 8 bytes a page behind it, CSIZ a varint a page and a name before it.
// Sizes are played (recorded-sizes), and so are reads (reads); hashes are not. Left out: a size is not held
// against what a compressor makes of the body.
import type { Chunk } from "./chunks.ts";
import { sha256 } from "./digest.ts";
import { expect, Malformed } from "./errors.ts";
import { Cursor, indexOfPfn, onlyPageList } from "./payload.ts";
import { PageSet } from "./sparse.ts";

/** Longest name of a compressor, in bytes. */
export const NAME_BYTES_MAX = 64;

/** The first 8 bytes of the SHA-256 of a page's contents, as a little-endian number. */
export function pageHash(body: Uint8Array): bigint {
  const running = sha256();
  running.update(body);
  const bytes = running.hex().slice(0, 16).match(/../g)!;
  return BigInt(`0x${bytes.reverse().join("")}`);
}

/** Decoded HASH payload. */
export interface HashTable {
  readonly pfns: Uint32Array;
  readonly hashes: BigUint64Array;
}

/** Decodes a HASH payload of `count` pages below `pages`. Throws Malformed. */
export function hashTable(raw: Uint8Array, count: number, pages: number): HashTable {
  const cursor = new Cursor(raw);
  const pfns = counted(cursor, count, pages);
  const left = raw.length - cursor.at;
  expect(left === 8 * count, `${left} bytes of hashes follow the list; ${count} pages have ${8 * count}`);
  const view = new DataView(raw.buffer, raw.byteOffset + cursor.at, left);
  return { pfns, hashes: BigUint64Array.from(pfns, (_, k) => view.getBigUint64(8 * k, true)) };
}

/** Decoded CSIZ payload: 0 for a page of zeros, the page's size for one that does not shrink. */
export interface SizeTable {
  readonly compressor: string;
  readonly pfns: Uint32Array;
  readonly sizes: Uint32Array;
}

/** Decodes a CSIZ payload of `count` pages below `pages`. Throws Malformed. */
export function sizeTable(raw: Uint8Array, count: number, pages: number, pageBytes: number): SizeTable {
  const cursor = new Cursor(raw);
  const length = cursor.varint();
  const named = length >= 1 && length <= NAME_BYTES_MAX && length <= raw.length - cursor.at;
  expect(named, `the compressor's name has ${length} bytes; legal are 1 to ${NAME_BYTES_MAX}`);
  const name = raw.subarray(cursor.at, cursor.at + length);
  const compressor = String.fromCharCode(...name);
  expect(/^[\x21-\x7e]+$/.test(compressor), "the compressor's name is not printable ASCII without spaces");
  cursor.at += length;
  const pfns = counted(cursor, count, pages);
  const sizes = pfns.map((pfn) => {
    const size = cursor.varint();
    expect(size <= pageBytes, `pfn ${pfn} has a compressed size of ${size}; at most ${pageBytes}`);
    return size;
  });
  cursor.end();
  return { compressor, pfns, sizes };
}

function counted(cursor: Cursor, count: number, pages: number): Uint32Array {
  const pfns = cursor.pageList(pages);
  const { length } = pfns;
  expect(length === count, `the chunk header says ${count} pages, the list holds ${length}`);
  return pfns;
}

/** Sums over the CSIZ chunks of one compressor. */
export interface SizeCount {
  pages: number;
  bytes: number;
}

/** Sums over the annotations of a file. */
export interface AnnotationCounts {
  reads: number;
  hashes: number;
  readonly sizes: Map<string, SizeCount>;
}

/** The rules of annotations, chunk by chunk in file order. Memory: a bit a page once there is a READ. */
export class Annotations {
  readonly counts: AnnotationCounts = { reads: 0, hashes: 0, sizes: new Map() };
  private readonly pages: number;
  private readonly pageBytes: number;
  private readonly read = new PageSet();
  /** Last pfn by chunk type, and by compressor, in the epoch at hand. */
  private readonly last = new Map<string, number>();
  private timeUs = -1;

  constructor(pages: number, pageBytes: number) {
    this.pages = pages;
    this.pageBytes = pageBytes;
  }

  /**
   * Checks a READ, HASH or CSIZ chunk. `listed` are the pages of the epoch that it belongs to, null where
   * any page will do. Throws Malformed.
   */
  accept(chunk: Chunk, raw: Uint8Array, listed: Uint32Array | null): void {
    const { type, items } = chunk;
    if (type === "READ") {
      this.acceptReads(onlyPageList(raw, this.pages, items));
      return;
    }
    if (chunk.timeUs !== this.timeUs) this.last.clear();
    this.timeUs = chunk.timeUs;
    const table = type === "HASH" ? hashTable(raw, items, this.pages) : this.sizesOf(raw, items);
    const key = "compressor" in table ? `CSIZ ${table.compressor}` : "HASH";
    if (type === "HASH") this.counts.hashes += items;
    if (items === 0) return;
    const before = this.last.get(key) ?? -1;
    expect(table.pfns[0]! > before, `${key}: pfn ${table.pfns[0]} follows ${before} in one epoch`);
    this.last.set(key, table.pfns[items - 1]!);
    const stray = listed === null ? undefined : table.pfns.find((pfn) => indexOfPfn(listed, pfn) < 0);
    if (stray !== undefined) throw new Malformed(`${type}: pfn ${stray} is not in the list of its epoch`);
  }

  private acceptReads(pfns: Uint32Array): void {
    for (const pfn of pfns) {
      const before = this.read.size;
      this.read.add(pfn);
      expect(this.read.size > before, `READ: pfn ${pfn} was read before; a page is first read but once`);
    }
    this.counts.reads += pfns.length;
  }

  private sizesOf(raw: Uint8Array, items: number): SizeTable {
    const table = sizeTable(raw, items, this.pages, this.pageBytes);
    const sum = this.counts.sizes.get(table.compressor) ?? { pages: 0, bytes: 0 };
    sum.pages += items;
    for (const size of table.sizes) sum.bytes += size;
    this.counts.sizes.set(table.compressor, sum);
    return table;
  }
}
