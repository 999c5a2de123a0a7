// SPDX-License-Identifier: Apache-2.0
// Decoders of chunk payloads: varints, page lists, tables of bodies, deltas, bitmaps.
import { expect } from "./errors.ts";
import { LIMITS, TABLE_ENTRY_BYTES } from "./format.ts";

/** Reads a payload from front to back; every step is checked against its end. */
export class Cursor {
  at = 0;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Unsigned LEB128 below 2^49. Throws Malformed past the end or when longer than 7 bytes. */
  varint(): number {
    let value = 0;
    for (let factor = 1, k = 0; k < 7; k++, factor *= 128) {
      expect(this.at < this.bytes.length, "a varint runs past the end of the payload");
      const byte = this.bytes[this.at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    expect(false, "a varint is longer than 7 bytes");
  }

  /** Page list: runs of (gap, length - 1) after their count. Ascending pfns below `pages`. */
  pageList(pages: number): Uint32Array {
    const runs = this.varint();
    expect(
      runs * 2 <= this.bytes.length - this.at,
      `a page list declares ${runs} runs, more than its bytes hold`,
    );
    const from = this.at;
    let total = 0;
    for (let k = 0, end = 0; k < runs; k++) {
      const gap = this.varint();
      expect(k === 0 || gap > 0, "two runs of a page list touch; they must be merged (gap >= 1)");
      const length = this.varint() + 1;
      end += gap + length;
      expect(end <= pages, `pfn ${end - 1} is not below the page count ${pages}`);
      total += length;
    }
    expect(total <= LIMITS.listPages, `a page list holds ${total} pages; the limit is ${LIMITS.listPages}`);
    const out = new Uint32Array(total);
    this.at = from;
    for (let k = 0, filled = 0, pfn = 0; k < runs; k++) {
      pfn += this.varint();
      for (let left = this.varint() + 1; left > 0; left--) out[filled++] = pfn++;
    }
    return out;
  }

  /** Throws Malformed unless everything was used. */
  end(): void {
    const left = this.bytes.length - this.at;
    expect(left === 0, `${left} bytes follow the end of the payload's contents`);
  }
}

/** A payload that is one page list and nothing else, with `count` pages as its chunk header says. */
export function onlyPageList(raw: Uint8Array, pages: number, count: number): Uint32Array {
  const cursor = new Cursor(raw);
  const list = cursor.pageList(pages);
  cursor.end();
  expect(list.length === count, `the chunk header says ${count} pages, the list holds ${list.length}`);
  return list;
}

/** Decoded PAGE or DELT payload: entry k has body bytes `at[k] .. at[k] + length[k]` of `raw`. */
export interface BodyTable {
  readonly raw: Uint8Array;
  readonly pfns: Uint32Array;
  readonly at: Uint32Array;
  readonly length: Uint32Array;
}

/** Decodes a PAGE or DELT payload; pfns must rise strictly when `rising`, after `lastPfn`. */
export function bodyTable(raw: Uint8Array, count: number, pages: number, lastPfn: number | null): BodyTable {
  let at = count * TABLE_ENTRY_BYTES;
  expect(at <= raw.length, `a table of ${count} entries does not fit the payload`);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const table = {
    raw,
    pfns: new Uint32Array(count),
    at: new Uint32Array(count),
    length: new Uint32Array(count),
  };
  let before = lastPfn ?? -1;
  for (let k = 0; k < count; k++) {
    const entry = k * TABLE_ENTRY_BYTES;
    const pfn = view.getUint32(entry, true) + view.getUint32(entry + 4, true) * 2 ** 32;
    expect(pfn < pages, `pfn ${pfn} is not below the page count ${pages}`);
    expect(lastPfn === null || pfn > before, `pfn ${pfn} follows ${before}; pfns must rise strictly`);
    before = pfn;
    table.pfns[k] = pfn;
    table.at[k] = at;
    table.length[k] = view.getUint32(entry + 8, true);
    at += table.length[k]!;
    expect(at <= raw.length, `the body of pfn ${pfn} runs past the end of the payload`);
  }
  expect(at === raw.length, `${raw.length - at} bytes follow the last body`);
  return table;
}

/** Body bytes of entry `k`. */
export function entryBody(table: BodyTable, k: number): Uint8Array {
  return table.raw.subarray(table.at[k]!, table.at[k]! + table.length[k]!);
}

/** Checks the lengths of a PAGE table; bodies that are all zero are refused when `noZeroBodies`. */
export function checkPageBodies(table: BodyTable, pageBytes: number, noZeroBodies: boolean): void {
  for (let k = 0; k < table.pfns.length; k++) {
    const length = table.length[k]!;
    expect(
      length === 0 || length === pageBytes,
      `pfn ${table.pfns[k]} has a body of ${length} bytes, not ${pageBytes}`,
    );
    const zero = noZeroBodies && length > 0 && isZero(entryBody(table, k));
    expect(!zero, `pfn ${table.pfns[k]} stores a body of zeros; a zero page has length 0`);
  }
}

/**
 * Applies a delta to `page` in place, or only checks it when `page` is null: repeated (varint skip, varint n,
 * n literal bytes); a run must not pass the page's end.
 */
export function applyDelta(delta: Uint8Array, page: Uint8Array | null, pageBytes: number): void {
  const cursor = new Cursor(delta);
  let to = 0;
  while (cursor.at < delta.length) {
    to += cursor.varint();
    const count = cursor.varint();
    expect(count > 0, "a delta run replaces no bytes");
    expect(to + count <= pageBytes, `a delta run ends at byte ${to + count}, past the page end ${pageBytes}`);
    expect(cursor.at + count <= delta.length, "a delta run has fewer literal bytes than it declares");
    if (page !== null) page.set(delta.subarray(cursor.at, cursor.at + count), to);
    cursor.at += count;
    to += count;
  }
}

/** Index of `pfn` in an ascending list, -1 if it is not there. */
export function indexOfPfn(list: Uint32Array, pfn: number): number {
  let low = 0;
  let high = list.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const value = list[middle]!;
    if (value === pfn) return middle;
    if (value < pfn) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Bit i of a bitmap, least significant bit first. */
export function bitOf(bitmap: Uint8Array, i: number): boolean {
  return ((bitmap[Math.floor(i / 8)]! >> (i % 8)) & 1) === 1;
}

/** True if every byte is 0. */
export function isZero(bytes: Uint8Array): boolean {
  const aligned = bytes.byteOffset % 4 === 0 && bytes.length % 4 === 0;
  const parts = aligned ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) : bytes;
  for (let i = 0; i < parts.length; i++) if (parts[i] !== 0) return false;
  return true;
}
