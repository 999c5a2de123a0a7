// SPDX-License-Identifier: Apache-2.0
// Writes MDT 1.1 traces that are complete or have no contents. The same calls give the same bytes anywhere.

import { pageHash } from "./annotations.ts";
import { ChunkTable } from "./chunks.ts";
import { crc32 } from "./crc32.ts";
import { deflateRaw } from "./deflate.ts";
import { type Sha256, sha256 } from "./digest.ts";
import { encodeDelta, encodeHashes, encodePageList, encodeSizes } from "./encode.ts";
import * as F from "./format.ts";
import { isZero } from "./payload.ts";
import type { TraceSink } from "./sink.ts";
import { drain, type Steps } from "./steps.ts";

/** Bodies of one PAGE or DELT chunk. */
export const PAGES_PER_CHUNK = 256;
/** Pages of one HASH or CSIZ chunk: 8 MiB of hashes. */
const NOTES_PER_CHUNK = 1 << 20;
const PAGES_PER_STEP = 1024;
const DELTA_BYTES_MAX = 2048;
const HASH_PLACEHOLDER = "0".repeat(64);
const DEFLATE_FROM_BYTES = 64;

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
  /** HASH chunks of the initial image and of every epoch (complete traces). */
  readonly hashes?: boolean;
  /**
   * Holds the pages; the caller brings it up to date after `initial` and after each `epoch`. Without it the
   * writer keeps a reference to each page that is not zero.
   */
  readonly image?: PageImage;
}

/** The memory after the last epoch that was written. */
export interface PageImage {
  /** Undefined for a page of zeros. */
  get(pfn: number): Uint8Array | undefined;
}

interface Entry {
  readonly pfn: number;
  readonly body: Uint8Array;
}

/** A page's new contents; null = zero. Asked several times for a page, and must answer the same. */
export type ContentOf = (pfn: number) => Uint8Array | null;

function compareBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, i) => byte === b[i]));
}

/** What an epoch does to a page. */
const Change = { same: 0, zero: 1, whole: 2, delta: 3 } as const;

/** The image of a writer that is given none. */
class KeptImage implements PageImage {
  private readonly bodies = new Map<number, Uint8Array>();

  get(pfn: number): Uint8Array | undefined {
    return this.bodies.get(pfn);
  }

  set(pfn: number, body: Uint8Array | null): void {
    if (body === null || isZero(body)) this.bodies.delete(pfn);
    else this.bodies.set(pfn, body);
  }
}

/**
 * Calls in order: `initial` (complete traces), `epoch` and what belongs to it (`reads`, `sizes`,
 * `hashesOf`, `checkpoint`) as often as needed, `finish`. Memory: a chunk, an epoch's list, and the image.
 * Bodies are kept by reference until their page changes: callers must not write to them afterwards.
 */
export class MdtWriter {
  private readonly sink: TraceSink;
  private readonly options: WriterOptions;
  private readonly pageBytes: number;
  private readonly zeroPage: Uint8Array;
  private readonly image: PageImage;
  private readonly kept: KeptImage | null;
  private readonly chunks = new ChunkTable();
  private readonly all: Sha256 = sha256();
  private readonly metadataBytes: number;
  private initialHash = HASH_PLACEHOLDER;
  private pages: number;
  private at = 0;
  private epochs = 0;
  private versions = 0;
  private timeUs = 0;
  private wroteDelta = false;

  constructor(sink: TraceSink, options: WriterOptions) {
    this.sink = sink;
    this.options = options;
    this.kept = options.image === undefined ? new KeptImage() : null;
    this.image = options.image ?? this.kept!;
    this.pages = options.pages;
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
      const body = contentOf(pfn);
      this.version(body);
      this.kept?.set(pfn, body);
      entries.push({ pfn, body: body === null ? new Uint8Array(0) : body });
      if (entries.length < PAGES_PER_CHUNK) continue;
      this.bodies("PAGE", entries.splice(0));
      yield;
    }
    this.bodies("PAGE", entries);
    if (this.options.hashes === true) this.hashAll(resident, contentOf);
    this.initialHash = yield* this.imageHash();
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
    const changes = this.changesOf(pfns, contentOf, new Set(freed));
    const same = pfns.filter((_, i) => changes[i] === Change.same);
    if (same.length > 0) this.chunk("SAME", same.length, encodePageList(same));
    this.changed("PAGE", pfns, (pfn, i) => {
      if (changes[i] === Change.zero) return new Uint8Array(0);
      return changes[i] === Change.whole ? contentOf(pfn)! : null;
    });
    this.changed("DELT", pfns, (pfn, i) =>
      changes[i] === Change.delta ? encodeDelta(this.before(pfn), contentOf(pfn)!) : null,
    );
    pfns.forEach((pfn, i) => {
      if (changes[i] !== Change.same) this.kept?.set(pfn, contentOf(pfn));
    });
    if (this.options.hashes === true) this.hashAll(pfns, contentOf);
  }

  /** Number of pages of a trace without contents, where it is known only when its epochs are. */
  setPages(pages: number): void {
    if (this.options.contents !== "none") throw new RangeError("an image has the pages that it began with");
    this.pages = pages;
  }

  /** Pages that are read in the last epoch for the first time, ascending. */
  reads(pfns: Uint32Array): void {
    if (pfns.length > 0) this.chunk("READ", pfns.length, encodePageList(pfns));
  }

  /** Hashes of contents of the last epoch's pages (of the initial image before the first), ascending. */
  hashesOf(pfns: Uint32Array, hashes: readonly bigint[]): void {
    for (let from = 0; from < pfns.length; from += NOTES_PER_CHUNK) {
      const part = pfns.subarray(from, from + NOTES_PER_CHUNK);
      this.chunk("HASH", part.length, encodeHashes(part, hashes.slice(from, from + NOTES_PER_CHUNK)));
    }
  }

  /** Compressed sizes of the last epoch's pages (of the initial image before the first), ascending. */
  sizes(compressor: string, pfns: Uint32Array, sizes: readonly number[]): void {
    for (let from = 0; from < pfns.length; from += NOTES_PER_CHUNK) {
      const part = pfns.subarray(from, from + NOTES_PER_CHUNK);
      const raw = encodeSizes(compressor, part, sizes.slice(from, from + NOTES_PER_CHUNK));
      this.chunk("CSIZ", part.length, raw);
    }
  }

  /** The hash of the image after the last epoch, as a MARK. */
  checkpoint(): void {
    const imageSha256 = drain(this.imageHash());
    const mark = { type: "checkpoint", epoch: this.epochs - 1, imageSha256 };
    this.chunk("MARK", 1, new TextEncoder().encode(JSON.stringify(mark)));
  }

  /** Writes index, tail and the final front. Returns the file's length in bytes. */
  finish(): number {
    return drain(this.finishSteps());
  }

  /** The same, some thousand pages that are hashed a step. */
  *finishSteps(): Steps<number> {
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
    const complete = this.options.contents === "complete";
    this.sink.patch(0, this.front(complete ? yield* this.imageHash() : HASH_PLACEHOLDER));
    return this.at;
  }

  private before(pfn: number): Uint8Array {
    return this.image.get(pfn) ?? this.zeroPage;
  }

  /** What the epoch does to each page; every page is a version, whether it changes or not. */
  private changesOf(pfns: Uint32Array, contentOf: ContentOf, freed: ReadonlySet<number>): Uint8Array {
    return Uint8Array.from(pfns, (pfn) => {
      const before = this.before(pfn);
      const body = contentOf(pfn);
      const now = body ?? this.zeroPage;
      this.version(body);
      if (compareBytes(before, now)) return Change.same;
      if (isZero(now)) return Change.zero;
      if (freed.has(pfn)) throw new RangeError(`pfn ${pfn} is given back and not zero`);
      const small = this.options.deltas && encodeDelta(before, now).length <= DELTA_BYTES_MAX;
      return small ? Change.delta : Change.whole;
    });
  }

  /** Chunks of the pages that have a body here, and no more of them in memory than one chunk has. */
  private changed(
    type: "PAGE" | "DELT",
    pfns: Uint32Array,
    bodyOf: (pfn: number, i: number) => Uint8Array | null,
  ): void {
    const entries: Entry[] = [];
    pfns.forEach((pfn, i) => {
      const body = bodyOf(pfn, i);
      if (body === null) return;
      entries.push({ pfn, body });
      if (entries.length === PAGES_PER_CHUNK) this.bodies(type, entries.splice(0));
    });
    this.bodies(type, entries);
  }

  private version(body: Uint8Array | null): void {
    this.versions++;
    this.all.update(body ?? this.zeroPage);
  }

  private hashAll(pfns: Uint32Array, contentOf: ContentOf): void {
    for (let from = 0; from < pfns.length; from += NOTES_PER_CHUNK) {
      const part = pfns.subarray(from, from + NOTES_PER_CHUNK);
      this.hashesOf(
        part,
        Array.from(part, (pfn) => pageHash(contentOf(pfn) ?? this.zeroPage)),
      );
    }
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
  private *imageHash(): Steps<string> {
    const running = sha256();
    for (let pfn = 0; pfn < this.options.pages; pfn++) {
      running.update(this.before(pfn));
      if (pfn % PAGES_PER_STEP === 0) yield;
    }
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
    const { pageShift, nominalEpochNs } = this.options;
    const front = new Uint8Array(F.HEADER_BYTES + this.metadataBytes).fill(0x20, F.HEADER_BYTES);
    const view = new DataView(front.buffer);
    front.set(this.metadata(finalHash, this.versions, this.timeUs), F.HEADER_BYTES);
    front.set(new TextEncoder().encode(F.MAGIC));
    view.setUint16(8, F.MAJOR, true);
    view.setUint16(10, F.MINOR, true);
    view.setUint32(12, front.length, true);
    view.setUint32(16, pageShift, true);
    view.setUint32(20, this.wroteDelta ? F.FLAG_DELTAS : 0, true);
    view.setBigUint64(24, BigInt(this.pages), true);
    view.setBigUint64(40, BigInt(nominalEpochNs), true);
    view.setUint32(48, this.metadataBytes, true);
    view.setUint32(52, crc32(front.subarray(F.HEADER_BYTES)), true);
    view.setUint32(60, crc32(front.subarray(0, 60)), true);
    return front;
  }
}
