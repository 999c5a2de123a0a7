// SPDX-License-Identifier: Apache-2.0
// Writes MDT 1.1 traces that are complete or have no contents. The same calls give the same bytes anywhere.

import { ChunkTable } from "./chunks.ts";
import { crc32 } from "./crc32.ts";
import { deflateRaw } from "./deflate.ts";
import { type Sha256, sha256 } from "./digest.ts";
import * as F from "./format.ts";
import { isZero } from "./payload.ts";
import { drain, type Steps } from "./steps.ts";

/** Bodies of one PAGE or DELT chunk. */
export const PAGES_PER_CHUNK = 256;
const DELTA_BYTES_MAX = 2048;
/** Runs of a delta closer than this are joined: two varints cost as much. */
const DELTA_GAP = 4;
const HASH_PLACEHOLDER = "0".repeat(64);
const DEFLATE_FROM_BYTES = 64;

/** Where a trace is written: bytes in order, and once at the end the front again. */
export interface TraceSink {
  write(bytes: Uint8Array): void;
  /** Overwrites bytes written earlier. */
  patch(offset: number, bytes: Uint8Array): void;
}

/** What stands in the header. Metadata keys that the format defines are filled in by the writer. */
export interface WriterOptions {
  /** 1 to 2^32. */
  readonly pages: number;
  /** 12, 14, 16 or 21. */
  readonly pageShift: number;
  readonly contents: "complete" | "none";
  readonly nominalEpochNs: number;
  readonly metadata: F.Metadata;
  /** Store small changes as DELT. */
  readonly deltas: boolean;
  /** Compress payloads where that makes them smaller. */
  readonly compress: boolean;
}

/** Gathers a payload. */
class Bytes {
  private buffer = new Uint8Array(256);
  length = 0;

  reserve(more: number): void {
    if (this.length + more <= this.buffer.length) return;
    const next = new Uint8Array(Math.max(this.buffer.length * 2, this.length + more));
    next.set(this.buffer.subarray(0, this.length));
    this.buffer = next;
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.buffer[this.length++] = (rest % 128) | 128;
    this.buffer[this.length++] = rest;
  }

  done(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}

/** Encodes ascending pfns as runs. */
export function encodePageList(pfns: Uint32Array | readonly number[]): Uint8Array {
  const runs: [number, number][] = [];
  for (const pfn of pfns) {
    const last = runs[runs.length - 1];
    if (last !== undefined && pfn === last[0] + last[1]) last[1]++;
    else if (last === undefined || pfn > last[0] + last[1]) runs.push([pfn, 1]);
    else throw new RangeError(`pfn ${pfn} does not rise`);
  }
  const out = new Bytes();
  out.varint(runs.length);
  let end = 0;
  for (const [first, count] of runs) {
    out.varint(first - end);
    out.varint(count - 1);
    end = first + count;
  }
  return out.done();
}

/** The delta from `before` to `after`; empty if they are equal. */
export function encodeDelta(before: Uint8Array, after: Uint8Array): Uint8Array {
  const out = new Bytes();
  let end = 0;
  for (let at = 0; at < after.length; ) {
    if (before[at] === after[at]) {
      at++;
      continue;
    }
    let stop = at + 1;
    for (let k = stop; k < after.length && k - stop < DELTA_GAP; k++)
      if (before[k] !== after[k]) stop = k + 1;
    out.varint(at - end);
    out.varint(stop - at);
    out.append(after.subarray(at, stop));
    end = stop;
    at = stop;
  }
  return out.done();
}

interface Entry {
  readonly pfn: number;
  readonly body: Uint8Array;
}

/** A page's new contents; null = zero. */
export type ContentOf = (pfn: number) => Uint8Array | null;

function compareBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, i) => byte === b[i]));
}

/**
 * Calls in order: `initial` (complete traces), `epoch` and `checkpoint` as often as needed, `finish`.
 * Bodies are kept by reference until their page changes: callers must not write to them afterwards.
 */
export class MdtWriter {
  private readonly sink: TraceSink;
  private readonly options: WriterOptions;
  private readonly pageBytes: number;
  private readonly zeroPage: Uint8Array;
  private readonly image = new Map<number, Uint8Array>();
  private readonly chunks = new ChunkTable();
  private readonly all: Sha256 = sha256();
  private readonly metadataBytes: number;
  private initialHash = HASH_PLACEHOLDER;
  private at = 0;
  private epochs = 0;
  private versions = 0;
  private timeUs = 0;
  private wroteDelta = false;

  constructor(sink: TraceSink, options: WriterOptions) {
    this.sink = sink;
    this.options = options;
    this.pageBytes = 2 ** options.pageShift;
    this.zeroPage = new Uint8Array(this.pageBytes);
    // the longest the metadata can get, so that the front can be rewritten in place
    this.metadataBytes = Math.ceil((this.metadata(HASH_PLACEHOLDER, 2 ** 53, 2 ** 53).length + 8) / 8) * 8;
    this.put(this.front(HASH_PLACEHOLDER));
  }

  /** Initial image of a complete trace: `resident` pages, ascending; all others are zero. */
  initial(resident: Uint32Array, contentOf: ContentOf): void {
    drain(this.initialSteps(resident, contentOf));
  }

  /** The same, a PAGE chunk a step. */
  *initialSteps(resident: Uint32Array, contentOf: ContentOf): Steps<void> {
    const { pages } = this.options;
    const zeroMap = new Uint8Array(Math.floor((pages + 7) / 8)).fill(255);
    if (pages % 8 !== 0) zeroMap[zeroMap.length - 1] = (1 << (pages % 8)) - 1;
    for (const pfn of resident)
      if (contentOf(pfn) !== null) zeroMap[Math.floor(pfn / 8)]! &= ~(1 << (pfn % 8));
    this.chunk("ZMAP", pages % 2 ** 32, zeroMap);
    const entries: Entry[] = [];
    for (const pfn of resident) {
      this.apply(pfn, contentOf(pfn));
      entries.push({ pfn, body: this.image.get(pfn) ?? new Uint8Array(0) });
      if (entries.length < PAGES_PER_CHUNK) continue;
      this.bodies("PAGE", entries.splice(0));
      yield;
    }
    this.bodies("PAGE", entries);
    this.initialHash = this.imageHash();
  }

  /**
   * One epoch ending at `endUs` (later than the one before): `pfns` ascending, of which `freed` were given
   * back (they must be zero now). Contents only for complete traces.
   */
  epoch(endUs: number, pfns: Uint32Array, contentOf: ContentOf | null, freed: readonly number[] = []): void {
    if (endUs <= this.timeUs) throw new RangeError(`epoch end ${endUs} us is not after ${this.timeUs} us`);
    this.timeUs = endUs;
    this.epochs++;
    const list = encodePageList(pfns);
    const raw = new Uint8Array(1 + list.length);
    raw.set(list, 1);
    this.chunk("EPOC", 1, raw);
    if (freed.length > 0) this.chunk("FREE", freed.length, encodePageList(freed));
    if (contentOf === null) return;
    const same: number[] = [];
    const whole: Entry[] = [];
    const deltas: Entry[] = [];
    for (const pfn of pfns) {
      const before = this.image.get(pfn) ?? this.zeroPage;
      this.place(pfn, before, contentOf(pfn), freed.includes(pfn), { same, whole, deltas });
    }
    if (same.length > 0) this.chunk("SAME", same.length, encodePageList(same));
    while (whole.length > 0) this.bodies("PAGE", whole.splice(0, PAGES_PER_CHUNK));
    while (deltas.length > 0) this.bodies("DELT", deltas.splice(0, PAGES_PER_CHUNK));
  }

  /** The hash of the image after the last epoch, as a MARK. */
  checkpoint(): void {
    const mark = { type: "checkpoint", epoch: this.epochs - 1, imageSha256: this.imageHash() };
    this.chunk("MARK", 1, new TextEncoder().encode(JSON.stringify(mark)));
  }

  /** Writes index, tail and the final front. Returns the file's length in bytes. */
  finish(): number {
    const indexAt = this.at;
    const count = this.chunks.length;
    const raw = new Uint8Array(count * F.INDEX_ENTRY_BYTES);
    const view = new DataView(raw.buffer);
    for (let k = 0; k < count; k++) {
      const o = k * F.INDEX_ENTRY_BYTES;
      view.setBigUint64(o, BigInt(this.chunks.at(k)), true);
      raw.set(new TextEncoder().encode(this.chunks.type(k)), o + 8);
      view.setUint32(o + 12, this.chunks.itemsOf(k), true);
      view.setBigUint64(o + 16, BigInt(this.chunks.timeUs(k)), true);
    }
    this.timeUs = 0;
    const endUs = count > 0 ? this.chunks.timeUs(count - 1) : 0;
    this.chunk("INDX", count, raw);
    const tail = new Uint8Array(F.TAIL_BYTES);
    const tailView = new DataView(tail.buffer);
    tailView.setBigUint64(0, BigInt(indexAt), true);
    tailView.setBigUint64(8, BigInt(this.at + F.TAIL_BYTES), true);
    tail.set(new TextEncoder().encode(F.TAIL_MAGIC), 16);
    this.put(tail);
    this.timeUs = endUs;
    this.sink.patch(
      0,
      this.front(this.options.contents === "complete" ? this.imageHash() : HASH_PLACEHOLDER),
    );
    return this.at;
  }

  private place(
    pfn: number,
    before: Uint8Array,
    after: Uint8Array | null,
    freed: boolean,
    out: { same: number[]; whole: Entry[]; deltas: Entry[] },
  ): void {
    const now = after ?? this.zeroPage;
    this.apply(pfn, after);
    if (compareBytes(before, now)) out.same.push(pfn);
    else if (isZero(now)) out.whole.push({ pfn, body: new Uint8Array(0) });
    else if (freed) throw new RangeError(`pfn ${pfn} is given back and not zero`);
    else {
      const delta = this.options.deltas ? encodeDelta(before, now) : null;
      if (delta !== null && delta.length <= DELTA_BYTES_MAX) out.deltas.push({ pfn, body: delta });
      else out.whole.push({ pfn, body: now });
    }
  }

  private apply(pfn: number, body: Uint8Array | null): void {
    this.versions++;
    this.all.update(body ?? this.zeroPage);
    if (body === null || isZero(body)) this.image.delete(pfn);
    else this.image.set(pfn, body);
  }

  private bodies(type: "PAGE" | "DELT", entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    if (type === "DELT") this.wroteDelta = true;
    const table = entries.length * F.TABLE_ENTRY_BYTES;
    const raw = new Uint8Array(entries.reduce((sum, { body }) => sum + body.length, table));
    const view = new DataView(raw.buffer);
    let at = table;
    entries.forEach(({ pfn, body }, k) => {
      view.setUint32(k * F.TABLE_ENTRY_BYTES, pfn, true);
      view.setUint32(k * F.TABLE_ENTRY_BYTES + 8, body.length, true);
      raw.set(body, at);
      at += body.length;
    });
    this.chunk(type, entries.length, raw);
  }

  private chunk(type: F.ChunkType, items: number, raw: Uint8Array): void {
    const packed = this.options.compress && raw.length >= DEFLATE_FROM_BYTES ? deflateRaw(raw) : raw;
    const stored = packed.length < raw.length ? packed : raw;
    const header = new Uint8Array(F.CHUNK_HEADER_BYTES);
    const view = new DataView(header.buffer);
    header.set(new TextEncoder().encode(type));
    view.setUint16(4, stored === raw ? F.CODEC_NONE : F.CODEC_DEFLATE, true);
    view.setUint32(8, stored.length, true);
    view.setUint32(12, raw.length, true);
    view.setBigUint64(16, BigInt(this.timeUs), true);
    view.setUint32(24, items, true);
    view.setUint32(28, crc32(stored), true);
    view.setUint32(32, crc32(header.subarray(0, 32)), true);
    if (type !== "INDX") {
      const chunk = { at: this.at, type, codec: 0, storedBytes: stored.length, rawBytes: raw.length };
      this.chunks.push({ ...chunk, timeUs: this.timeUs, items, payloadCrc: 0 });
    }
    this.put(header);
    this.put(stored);
  }

  private put(bytes: Uint8Array): void {
    this.sink.write(bytes);
    this.at += bytes.length;
  }

  /** SHA-256 over all page bodies in pfn order. */
  private imageHash(): string {
    const running = sha256();
    for (let pfn = 0; pfn < this.options.pages; pfn++) running.update(this.image.get(pfn) ?? this.zeroPage);
    return running.hex();
  }

  private metadata(finalHash: string, versions: number, endTimeUs: number): Uint8Array {
    const { contents, metadata } = this.options;
    const hashes = {
      finalImageSha256: finalHash,
      initialImageSha256: this.initialHash,
      allVersionsSha256: finalHash === HASH_PLACEHOLDER ? finalHash : this.all.hex(),
      versions,
      initialTimeUs: 0,
    };
    const known = { ...metadata, contents, ...(contents === "complete" ? hashes : {}), endTimeUs };
    return new TextEncoder().encode(JSON.stringify(known));
  }

  private front(finalHash: string): Uint8Array {
    const { pages, pageShift, nominalEpochNs } = this.options;
    const front = new Uint8Array(F.HEADER_BYTES + this.metadataBytes).fill(0x20, F.HEADER_BYTES);
    const view = new DataView(front.buffer);
    front.set(this.metadata(finalHash, this.versions, this.timeUs), F.HEADER_BYTES);
    front.set(new TextEncoder().encode(F.MAGIC));
    view.setUint16(8, F.MAJOR, true);
    view.setUint16(10, F.MINOR, true);
    view.setUint32(12, front.length, true);
    view.setUint32(16, pageShift, true);
    view.setUint32(20, this.wroteDelta ? F.FLAG_DELTAS : 0, true);
    view.setBigUint64(24, BigInt(pages), true);
    view.setBigUint64(40, BigInt(nominalEpochNs), true);
    view.setUint32(48, this.metadataBytes, true);
    view.setUint32(52, crc32(front.subarray(F.HEADER_BYTES)), true);
    view.setUint32(60, crc32(front.subarray(0, 60)), true);
    return front;
  }
}

/** A sink in memory; `bytes()` is the file so far. */
export function memorySink(): TraceSink & { bytes(): Uint8Array } {
  const parts = new Bytes();
  const patches: [number, Uint8Array][] = [];
  return {
    write: (bytes) => parts.append(bytes),
    patch: (offset, bytes) => void patches.push([offset, bytes.slice()]),
    bytes() {
      const out = parts.done();
      for (const [offset, bytes] of patches) out.set(bytes, offset);
      return out;
    },
  };
}
