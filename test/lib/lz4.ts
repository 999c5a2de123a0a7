// SPDX-License-Identifier: Apache-2.0
// The LZ4 files of the core compiled alone, liblz4 beside them, and pages to feed both with.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";
import { compiled } from "./compiled.ts";

export { freeAddress } from "./compiled.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const entry = `
export { lz4Compress, lz4Decompress } from "./codec/lz4";
export * from "./codec/lz4hw";
`;

type Codec = (source: number, length: number, target: number, capacity: number) => number;

/** The exports; addresses and lengths are bytes in `memory`. What they do is told in assembly/codec/. */
export interface Lz4Core {
  memory: { buffer: ArrayBuffer };
  lz4Compress: Codec;
  lz4Decompress: Codec;
  lz4hwCompress: Codec;
  lz4hwConfigure(...parameters: number[]): number;
  lz4hwCycles(): number;
  lz4hwScanCycles(): number;
  lz4hwOutCycles(): number;
  lz4hwDrainCycles(): number;
  lz4hwConflicts(): number;
  lz4hwMatches(): number;
  lz4hwTokens(): number;
}

export const pageBytes = 4096;
/** Compiles and starts an instance. Throws with the compiler's words. */
export async function loadLz4(): Promise<Lz4Core> {
  return (await compiled(entry)) as Lz4Core;
}

/** lz4js has no types. Decodes a block; returns the end of what it wrote. */
export const lz4js = createRequire(import.meta.url)("lz4js") as {
  decompressBlock(
    source: Uint8Array,
    target: Uint8Array,
    sourceAt: number,
    length: number,
    targetAt: number,
  ): number;
};

/** liblz4 behind bench/native/lz4bench.c, compiled with gcc -O2. Both must be there: see `needs`. */
export class NativeLz4 {
  readonly #folder = mkdtempSync(join(tmpdir(), "dpusim-lz4-"));
  readonly #program = join(this.#folder, "lz4bench");

  constructor() {
    const source = join(root, "bench/native/lz4bench.c");
    execFileSync("gcc", ["-O2", "-o", this.#program, source, "-llz4"]);
  }

  /** The blocks that liblz4 makes, each within `capacity` bytes; empty where it refuses. */
  blocks(inputs: readonly { bytes: Uint8Array; capacity: number }[]): Buffer[] {
    const [list, out] = [join(this.#folder, "list"), join(this.#folder, "out")];
    const parts = inputs.flatMap(({ bytes, capacity }) => {
      const head = Buffer.alloc(8);
      head.writeUInt32LE(bytes.length, 0);
      head.writeUInt32LE(capacity, 4);
      return [head, bytes];
    });
    writeFileSync(list, Buffer.concat(parts));
    execFileSync(this.#program, ["blocks", list, out]);
    const all = readFileSync(out);
    let at = 0;
    return inputs.map(() => {
      const size = all.readUInt32LE(at);
      at += 4 + size;
      return all.subarray(at - size, at);
    });
  }

  /** Version of liblz4, best ns per page of `rounds` rounds each way, and the sum of the block sizes. */
  time(
    pages: readonly Uint8Array[],
    rounds: number,
  ): { version: string; ns: [number, number]; sizes: number } {
    const path = join(this.#folder, "pages");
    writeFileSync(path, Buffer.concat(pages));
    const text = execFileSync(this.#program, ["time", path, String(rounds)], { encoding: "utf8" });
    const [version = "", compress, decompress, sizes] = text.trim().split(" ");
    return { version, ns: [Number(compress), Number(decompress)], sizes: Number(sizes) };
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** `length` bytes below `symbols` from a xorshift generator, the same in each run. */
export function pseudoRandom(length: number, seed: number, symbols = 256): Buffer {
  let state = Math.imul(seed + 1, 0x9e3779b9) >>> 0 || 1;
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; ++index) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = (state >>> 9) % symbols;
  }
  return bytes;
}

/** Bytes that repeat earlier ones at distances of 1 … 40 or of up to all, mixed with new ones. */
export function repetitive(length: number, seed: number): Buffer {
  const bytes = pseudoRandom(length, seed, 64);
  const choices = pseudoRandom(length + 4, seed + 1);
  let at = 1 + (seed % 7);
  while (at < length) {
    const [kind, near, far, size] = [choices[at]!, choices[at + 1]!, choices[at + 2]!, choices[at + 3]!];
    const distance = Math.min(at, kind < 128 ? 1 + (near % 40) : 1 + near + 16 * far);
    const end = Math.min(length, at + (kind % 5 === 0 ? size : size % 24));
    for (; at < end; ++at) bytes[at] = bytes[at - distance]!;
    at += 1 + (far % 9);
  }
  return bytes;
}

/** `count` pages of a file, evenly apart. */
export function filePages(path: string, count: number): Buffer[] {
  const all = readFileSync(path);
  const step = Math.max(1, Math.floor(all.length / pageBytes / count));
  const starts = Array.from({ length: count }, (_, index) => index * step * pageBytes);
  return starts.map((at) => all.subarray(at, at + pageBytes)).filter((page) => page.length === pageBytes);
}

/** Whole pages that an MDT trace carries (its PAGE chunks; those that are zero have no body). */
export function tracePages(path: string): Buffer[] {
  const file = readFileSync(path);
  const pages: Buffer[] = [];
  let at = file.readUInt32LE(12);
  while (at < file.length - 24) {
    const stored = file.readUInt32LE(at + 8);
    const payload = file.subarray(at + 36, at + 36 + stored);
    if (file.toString("latin1", at, at + 4) === "PAGE") {
      const raw = file.readUInt16LE(at + 4) === 1 ? inflateRawSync(payload) : payload;
      const first = 12 * file.readUInt32LE(at + 24);
      for (let body = first; body < raw.length; body += pageBytes)
        pages.push(raw.subarray(body, body + pageBytes));
    }
    at += 36 + stored;
  }
  return pages;
}

export const redisTrace = join(root, "sim/traces/host-redis-small.mdt");
export const scriptFile = join(root, "node_modules/binaryen/index.js");
