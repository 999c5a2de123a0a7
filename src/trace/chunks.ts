// SPDX-License-Identifier: Apache-2.0
// The container below its contents: header, metadata, chunk headers, index, tail. Every checksum is
// verified.
import { crc32 } from "./crc32.ts";
import { expect, Malformed, TraceError } from "./errors.ts";
import * as F from "./format.ts";
import { inflateRaw } from "./inflate.ts";
import type { ByteSource } from "./source.ts";

/** The fixed header and the metadata behind it. */
export interface Header {
  readonly minor: number;
  readonly pageShift: number;
  readonly hasDeltas: boolean;
  readonly pages: number;
  /** UNIX time in ns of t_us = 0. */
  readonly startUnixNs: bigint;
  /** Nominal epoch length in ns; 0 = event trace. */
  readonly nominalEpochNs: number;
  readonly metadata: F.Metadata;
  readonly firstChunkAt: number;
}

/** Header of one chunk, its checksums not yet looked at beyond its own. */
export interface Chunk {
  /** File offset of the chunk header. */
  readonly at: number;
  readonly type: string;
  readonly codec: number;
  readonly storedBytes: number;
  readonly rawBytes: number;
  readonly timeUs: number;
  readonly items: number;
  readonly payloadCrc: number;
}

function text(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/** u64 that must be an exact number. */
function u64(view: DataView, at: number, what: string): number {
  const value = Number(view.getBigUint64(at, true));
  expect(Number.isSafeInteger(value), `${what} is ${value}, beyond 2^53`);
  return value;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads exactly `length` bytes or says that the file is cut short. */
export function readExactly(source: ByteSource, at: number, length: number, what: string): Uint8Array {
  const bytes = at + length <= source.size ? source.read(at, length) : null;
  expect(
    bytes !== null && bytes.length === length,
    `the file ends inside ${what}: ${length} bytes expected, ${Math.max(0, source.size - at)} left`,
  );
  return bytes;
}

/** Reads and checks the header and metadata. Throws Malformed. */
export function readHeader(source: ByteSource): Header {
  const bytes = readExactly(source, 0, F.HEADER_BYTES, "the header");
  const view = viewOf(bytes);
  expect(text(bytes, 0, 8) === F.MAGIC, "this is not an MDT trace; it must begin with MDTRACE\\0");
  const major = view.getUint16(8, true);
  expect(major === F.MAJOR, `format version ${major}.x is not known; this reader knows ${F.MAJOR}.x`);
  expect(crc32(bytes.subarray(0, 60)) === view.getUint32(60, true), "the CRC of the header does not match");
  const pageShift = view.getUint32(16, true);
  expect(
    F.PAGE_SHIFTS.includes(pageShift),
    `page_shift is ${pageShift}; legal are ${F.PAGE_SHIFTS.join(", ")}`,
  );
  const required = view.getUint32(20, true) & 0xffff;
  const unknown = required & ~F.FLAG_DELTAS;
  expect(unknown === 0, `required features 0x${unknown.toString(16)} are not known; known is 0x1 (DELT)`);
  const pages = u64(view, 24, "the page count");
  expect(pages > 0 && pages <= F.LIMITS.pages, `the page count is ${pages}; legal is 1 to 2^32`);
  const metadataBytes = view.getUint32(48, true);
  expect(metadataBytes <= F.LIMITS.metadataBytes, `${metadataBytes} bytes of metadata; the limit is 1 MiB`);
  const firstChunkAt = view.getUint32(12, true);
  expect(
    firstChunkAt === F.HEADER_BYTES + metadataBytes,
    `the first chunk is said to be at ${firstChunkAt}; the metadata end at ${F.HEADER_BYTES + metadataBytes}`,
  );
  return {
    minor: view.getUint16(10, true),
    pageShift,
    hasDeltas: (required & F.FLAG_DELTAS) !== 0,
    pages,
    startUnixNs: view.getBigUint64(32, true),
    nominalEpochNs: u64(view, 40, "the nominal epoch length"),
    metadata: readMetadata(source, metadataBytes, view.getUint32(52, true)),
    firstChunkAt,
  };
}

function readMetadata(source: ByteSource, length: number, crc: number): F.Metadata {
  const bytes = readExactly(source, F.HEADER_BYTES, length, "the metadata");
  expect(crc32(bytes) === crc, "the CRC of the metadata does not match");
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Malformed("the metadata are not JSON in UTF-8");
  }
  expect(
    typeof value === "object" && value !== null && !Array.isArray(value),
    "the metadata are no JSON object",
  );
  return value as F.Metadata;
}

/** Reads and checks the chunk header at `at`. Throws Malformed. */
export function readChunk(source: ByteSource, at: number): Chunk {
  const bytes = readExactly(source, at, F.CHUNK_HEADER_BYTES, "a chunk header");
  const view = viewOf(bytes);
  const type = text(bytes, 0, 4);
  expect(
    crc32(bytes.subarray(0, 32)) === view.getUint32(32, true),
    "the CRC of the chunk header does not match",
  );
  const chunk = {
    at,
    type,
    codec: view.getUint16(4, true),
    storedBytes: view.getUint32(8, true),
    rawBytes: view.getUint32(12, true),
    timeUs: u64(view, 16, "t_us"),
    items: view.getUint32(24, true),
    payloadCrc: view.getUint32(28, true),
  };
  expect(/^[\x21-\x7e]{4}$/.test(type), "the chunk type is not four ASCII characters");
  expect(
    chunk.rawBytes <= F.LIMITS.chunkRawBytes,
    `${type}: ${chunk.rawBytes} raw bytes; the limit is 64 MiB`,
  );
  expect(
    chunk.storedBytes <= F.LIMITS.chunkStoredBytes,
    `${type}: ${chunk.storedBytes} stored bytes are too many`,
  );
  return chunk;
}

/** File offset just behind a chunk. */
export function chunkEnd(chunk: Chunk): number {
  return chunk.at + F.CHUNK_HEADER_BYTES + chunk.storedBytes;
}

/** Reads, checks and decompresses a chunk's payload. Throws Malformed. Unknown types come back as stored. */
export function readPayload(source: ByteSource, chunk: Chunk): Uint8Array {
  const { type } = chunk;
  const stored = readExactly(
    source,
    chunk.at + F.CHUNK_HEADER_BYTES,
    chunk.storedBytes,
    `the payload of a ${type} chunk`,
  );
  expect(crc32(stored) === chunk.payloadCrc, `the CRC of the ${type} payload does not match`);
  if (!F.KNOWN_TYPES.has(type)) return stored;
  if (chunk.codec === F.CODEC_DEFLATE) return inflateRaw(stored, chunk.rawBytes);
  expect(chunk.codec === F.CODEC_NONE, `${type}: codec ${chunk.codec} is not known; known are 0 and 1`);
  expect(
    stored.length === chunk.rawBytes,
    `${type}: ${chunk.rawBytes} raw bytes declared, ${stored.length} stored without compression`,
  );
  return stored;
}

/** Where every chunk lies, in file order: 32 bytes of memory a chunk, at most the index limit. */
export class ChunkTable {
  length = 0;
  private offsets = new Float64Array(64);
  private times = new Float64Array(64);
  private items = new Uint32Array(64);
  private readonly types: string[] = [];

  push(chunk: Chunk): void {
    expect(this.length < F.LIMITS.chunks, `more than ${F.LIMITS.chunks} chunks`);
    if (this.length === this.offsets.length) {
      this.offsets = grown(this.offsets, Float64Array);
      this.times = grown(this.times, Float64Array);
      this.items = grown(this.items, Uint32Array);
    }
    this.offsets[this.length] = chunk.at;
    this.times[this.length] = chunk.timeUs;
    this.items[this.length] = chunk.items;
    this.types[this.length++] = chunk.type;
  }

  at(k: number): number {
    return this.offsets[k]!;
  }
  timeUs(k: number): number {
    return this.times[k]!;
  }
  itemsOf(k: number): number {
    return this.items[k]!;
  }
  type(k: number): string {
    return this.types[k]!;
  }

  /** Compares an INDX payload with the chunks that were walked. Throws Malformed. */
  checkIndex(raw: Uint8Array, items: number): void {
    expect(items === this.length, `INDX lists ${items} chunks, the file has ${this.length} before it`);
    expect(raw.length === items * F.INDEX_ENTRY_BYTES, `INDX has ${raw.length} bytes for ${items} entries`);
    const view = viewOf(raw);
    for (let k = 0; k < items; k++) {
      const o = k * F.INDEX_ENTRY_BYTES;
      const same =
        view.getBigUint64(o, true) === BigInt(this.at(k)) &&
        text(raw, o + 8, o + 12) === this.type(k) &&
        view.getUint32(o + 12, true) === this.itemsOf(k) &&
        view.getBigUint64(o + 16, true) === BigInt(this.timeUs(k));
      expect(same, `INDX entry ${k} does not describe the ${this.type(k)} chunk at offset ${this.at(k)}`);
    }
  }
}

function grown<T extends Float64Array | Uint32Array>(from: T, make: new (length: number) => T): T {
  const to = new make(from.length * 2);
  to.set(from);
  return to;
}

/** Checks the 24 bytes behind INDX and that the file ends with them. Throws Malformed. */
export function checkTail(source: ByteSource, at: number, indexAt: number): void {
  const bytes = readExactly(source, at, F.TAIL_BYTES, "the tail");
  const view = viewOf(bytes);
  expect(text(bytes, 16, 24) === F.TAIL_MAGIC, "the tail does not end with MDTEND\\0\\0");
  expect(
    view.getBigUint64(0, true) === BigInt(indexAt),
    `the tail does not point at INDX, which is at ${indexAt}`,
  );
  expect(
    view.getBigUint64(8, true) === BigInt(source.size),
    `the tail gives another file length than ${source.size}`,
  );
  expect(at + F.TAIL_BYTES === source.size, `${source.size - at - F.TAIL_BYTES} bytes follow the tail`);
}

/** Runs `work`; a Malformed out of it becomes a TraceError at `at`. */
export function located<T>(name: string, at: number, lastGoodEpoch: number | undefined, work: () => T): T {
  try {
    return work();
  } catch (fault) {
    if (fault instanceof Malformed) throw new TraceError(name, at, fault.message, lastGoodEpoch);
    throw fault;
  }
}
