// SPDX-License-Identifier: Apache-2.0
// READ, HASH and CSIZ of an MDT file, read the slow way from the tables of docs/formats.md: Node's zlib and
// crypto, BigInt, arrays of pages one by one. Reads good files only. Shares no code with src/.
import { createHash } from "node:crypto";
import { inflateRawSync } from "node:zlib";

/** A chunk as it stands in the file, its payload decoded. */
export interface SlowChunk {
  readonly type: string;
  readonly timeUs: number;
  readonly items: number;
  readonly raw: Buffer;
}

/** Every chunk before INDX. */
export function slowChunks(file: Uint8Array): SlowChunk[] {
  const bytes = Buffer.from(file);
  const chunks: SlowChunk[] = [];
  for (let at = bytes.readUInt32LE(12); ; ) {
    const type = bytes.toString("latin1", at, at + 4);
    if (type === "INDX") return chunks;
    const stored = bytes.subarray(at + 36, at + 36 + bytes.readUInt32LE(at + 8));
    const raw = bytes.readUInt16LE(at + 4) === 1 ? inflateRawSync(stored) : stored;
    const timeUs = Number(bytes.readBigUInt64LE(at + 16));
    chunks.push({ type, timeUs, items: bytes.readUInt32LE(at + 24), raw });
    at += 36 + stored.length;
  }
}

function varint(raw: Buffer, at: { at: number }): number {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = raw[at.at++]!;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return Number(value);
  }
}

function pageList(raw: Buffer, at: { at: number }): number[] {
  const pages: number[] = [];
  let next = 0;
  for (let runs = varint(raw, at); runs > 0; runs--) {
    next += varint(raw, at);
    for (let left = varint(raw, at); left >= 0; left--) pages.push(next++);
  }
  return pages;
}

/** Pages of a READ, or of the epoch of an EPOC chunk with one. */
export function slowList({ type, raw }: SlowChunk): number[] {
  return pageList(raw, { at: type === "EPOC" ? 1 : 0 });
}

/** [page, hash in hex as bytes in the file] of a HASH. */
export function slowHashes({ raw }: SlowChunk): [number, string][] {
  const at = { at: 0 };
  return pageList(raw, at).map((pfn, k) => [pfn, raw.toString("hex", at.at + 8 * k, at.at + 8 * k + 8)]);
}

/** Compressor and [page, size] of a CSIZ. */
export function slowSizes({ raw }: SlowChunk): { compressor: string; sizes: [number, number][] } {
  const at = { at: 0 };
  const length = varint(raw, at);
  const compressor = raw.toString("latin1", at.at, at.at + length);
  at.at += length;
  return { compressor, sizes: pageList(raw, at).map((pfn) => [pfn, varint(raw, at)]) };
}

/** A page's hash, in hex: the first 8 bytes of its SHA-256. */
export function slowHash(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("hex").slice(0, 16);
}
