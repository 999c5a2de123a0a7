// SPDX-License-Identifier: Apache-2.0
// Builds MDT files chunk by chunk, right or wrong, with Node's own CRC and DEFLATE: shares no code with
// src/.
import * as zlib from "node:zlib";

export interface ChunkSpec {
  type: string;
  timeUs: number;
  items: number;
  raw: Uint8Array | readonly number[];
  /** 0 by default; 1 = compress. */
  codec?: number;
  /** Payload as stored, in place of the one made from `raw`. */
  stored?: Uint8Array;
  /** Declared raw length, in place of the true one. */
  rawBytes?: number;
}

export interface FileSpec {
  pages: number;
  chunks: ChunkSpec[];
  metadata?: unknown;
  metadataBytes?: Uint8Array;
  major?: number;
  minor?: number;
  pageShift?: number;
  flags?: number;
  nominalEpochNs?: number;
  /** Changes the INDX entries before they are written. */
  index?: (entries: Buffer) => Buffer;
  /** false: no INDX, no tail. */
  tail?: boolean;
}

export const crc = (bytes: Uint8Array): number => zlib.crc32(bytes);

export function buildChunk(spec: ChunkSpec): Buffer {
  const raw = Buffer.from(spec.raw);
  const codec = spec.codec ?? 0;
  const stored = spec.stored ?? (codec === 1 ? zlib.deflateRawSync(raw) : raw);
  const head = Buffer.alloc(36);
  head.write(spec.type, 0, "latin1");
  head.writeUInt16LE(codec, 4);
  head.writeUInt32LE(stored.length, 8);
  head.writeUInt32LE(spec.rawBytes ?? raw.length, 12);
  head.writeBigUInt64LE(BigInt(spec.timeUs), 16);
  head.writeUInt32LE(spec.items, 24);
  head.writeUInt32LE(crc(stored), 28);
  head.writeUInt32LE(crc(head.subarray(0, 32)), 32);
  return Buffer.concat([head, stored]);
}

export function buildFile(spec: FileSpec): Buffer {
  const meta = Buffer.from(spec.metadataBytes ?? Buffer.from(JSON.stringify(spec.metadata ?? {})));
  const head = Buffer.alloc(64);
  head.write("MDTRACE\0", 0, "latin1");
  head.writeUInt16LE(spec.major ?? 1, 8);
  head.writeUInt16LE(spec.minor ?? 1, 10);
  head.writeUInt32LE(64 + meta.length, 12);
  head.writeUInt32LE(spec.pageShift ?? 12, 16);
  head.writeUInt32LE(spec.flags ?? 0, 20);
  head.writeBigUInt64LE(BigInt(spec.pages), 24);
  head.writeBigUInt64LE(BigInt(spec.nominalEpochNs ?? 20_000_000), 40);
  head.writeUInt32LE(meta.length, 48);
  head.writeUInt32LE(crc(meta), 52);
  head.writeUInt32LE(crc(head.subarray(0, 60)), 60);
  const parts: Buffer[] = [head, meta];
  const entries: Buffer[] = [];
  let at = 64 + meta.length;
  for (const chunk of spec.chunks) {
    const bytes = buildChunk(chunk);
    const entry = Buffer.alloc(24);
    entry.writeBigUInt64LE(BigInt(at), 0);
    entry.write(chunk.type, 8, "latin1");
    entry.writeUInt32LE(chunk.items, 12);
    entry.writeBigUInt64LE(BigInt(chunk.timeUs), 16);
    entries.push(entry);
    parts.push(bytes);
    at += bytes.length;
  }
  if (spec.tail === false) return Buffer.concat(parts);
  const listed = (spec.index ?? ((b) => b))(Buffer.concat(entries));
  const index = buildChunk({ type: "INDX", timeUs: 0, items: Math.floor(listed.length / 24), raw: listed });
  const tail = Buffer.alloc(24);
  tail.writeBigUInt64LE(BigInt(at), 0);
  tail.writeBigUInt64LE(BigInt(at + index.length + 24), 8);
  tail.write("MDTEND\0\0", 16, "latin1");
  return Buffer.concat([...parts, index, tail]);
}

/** A page table and its bodies, for PAGE and DELT; an empty body has length 0. */
export function bodies(
  entries: readonly (readonly [pfn: number, body: Uint8Array | readonly number[]])[],
): Buffer {
  const table = Buffer.alloc(12 * entries.length);
  entries.forEach(([pfn, body], k) => {
    table.writeBigUInt64LE(BigInt(pfn), 12 * k);
    table.writeUInt32LE(body.length, 12 * k + 8);
  });
  return Buffer.concat([table, ...entries.map(([, body]) => Buffer.from(body))]);
}

export const page = (byte: number): Buffer => Buffer.alloc(4096, byte);
