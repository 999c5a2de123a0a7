// SPDX-License-Identifier: Apache-2.0
// LZ4: the software encoder against liblz4, the decoder against damage, the hardware encoder against its
// page (docs/lz4-hardware.md) worked by hand.
import { createRequire } from "node:module";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  filePages,
  freeAddress,
  loadLz4,
  lz4js,
  NativeLz4,
  pageBytes,
  pseudoRandom,
  redisTrace,
  repetitive,
  scriptFile,
  tracePages,
} from "./lib/lz4.ts";
import { peerTest } from "./lib/peer.ts";

const napi = createRequire(import.meta.url)("lz4-napi") as typeof import("lz4-napi");
const core = await loadLz4();
const view = Buffer.from(core.memory.buffer);

const sourceAt = freeAddress + 65_536;
const blockAt = freeAddress + (2 << 20);
const targetAt = freeAddress + (4 << 20);
const guard = 64;
const guardByte = 0xa5;
const bound = (length: number): number => length + Math.floor(length / 255) + 16;

const ofTrace = tracePages(redisTrace);
const ofScript = filePages(scriptFile, 256);
const ofProgram = filePages(process.execPath, 192);
const corpus: readonly (readonly [string, readonly Buffer[]])[] = [
  ["trace", ofTrace.filter((_, index) => index % 3 === 0)],
  ["script", ofScript],
  ["program", ofProgram],
  ["random", Array.from({ length: 8 }, (_, seed) => pseudoRandom(pageBytes, seed))],
  ["few symbols", Array.from({ length: 16 }, (_, seed) => pseudoRandom(pageBytes, seed, 1 + (seed % 6)))],
  ["repetitive", Array.from({ length: 64 }, (_, seed) => repetitive(pageBytes, seed))],
];
const pages = corpus.flatMap(([, some]) => some);

/** Places guards around `length` bytes at `at` and `bytes` at its start. */
function place(at: number, length: number, bytes: Uint8Array = Buffer.alloc(0)): void {
  view.fill(guardByte, at - guard, at + length + guard);
  view.set(bytes, at);
}

function assertGuards(at: number, length: number, what: string): void {
  const isGuard = (byte: number): boolean => byte === guardByte;
  assert.ok(view.subarray(at - guard, at).every(isGuard), `${what}: wrote before the area`);
  assert.ok(view.subarray(at + length, at + length + guard).every(isGuard), `${what}: wrote behind the area`);
}

type Encoder = "lz4Compress" | "lz4hwCompress";

/** The block that an encoder makes of `bytes`, `offset` bytes off alignment; empty where it refuses. */
function encode(encoder: Encoder, bytes: Uint8Array, capacity = bound(bytes.length), offset = 0): Buffer {
  place(sourceAt + offset, bytes.length, bytes);
  place(blockAt + offset, capacity);
  const size = core[encoder](sourceAt + offset, bytes.length, blockAt + offset, capacity) >>> 0;
  assertGuards(blockAt + offset, capacity, encoder);
  assert.ok(size <= capacity);
  assert.ok(
    view.subarray(sourceAt + offset, sourceAt + offset + bytes.length).equals(bytes),
    "source changed",
  );
  return Buffer.from(view.subarray(blockAt + offset, blockAt + offset + size));
}

/** What the decoder makes of `block` in `capacity` bytes; null where it refuses. */
function decode(block: Uint8Array, capacity: number, offset = 0): Buffer | null {
  place(blockAt + offset, block.length, block);
  place(targetAt + offset, capacity);
  const length = core.lz4Decompress(blockAt + offset, block.length, targetAt + offset, capacity);
  assertGuards(targetAt + offset, capacity, "lz4Decompress");
  assertGuards(blockAt + offset, block.length, "lz4Decompress");
  if (length < 0) return null;
  assert.ok(length <= capacity);
  return Buffer.from(view.subarray(targetAt + offset, targetAt + offset + length));
}

function lz4jsDecode(block: Uint8Array, length: number): Buffer {
  const target = Buffer.alloc(length + 64);
  return target.subarray(0, lz4js.decompressBlock(block, target, 0, block.length, 0));
}

/** lz4-napi wants the length in front of the block. */
function napiDecode(block: Uint8Array, length: number): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(length);
  return napi.uncompressSync(Buffer.concat([head, block]));
}

const same = (a: Uint8Array | null, b: Uint8Array): boolean => a !== null && Buffer.compare(a, b) === 0;

const software = suite("lz4 encoder");

function compareWithLiblz4(inputs: { bytes: Uint8Array; capacity: number }[]): void {
  const native = new NativeLz4();
  try {
    const expected = native.blocks(inputs);
    inputs.forEach(({ bytes, capacity }, index) => {
      const block = encode("lz4Compress", bytes, capacity, index % 19);
      const what = `input ${index}: ${bytes.length} bytes into ${capacity}`;
      assert.ok(block.equals(expected[index]!), `${what}, ${block.length} B, not ${expected[index]!.length}`);
    });
  } finally {
    native.close();
  }
}

peerTest(software, ["gcc", "lz4.h"], "equals liblz4 on pages, on every length to 300 and on odd ones", () => {
  const text = Buffer.concat(ofScript.slice(0, 4));
  const lengths = Array.from({ length: 301 }, (_, length) => length);
  const odd = Array.from({ length: 300 }, (_, seed) => 300 + ((seed * 7919) % 4700));
  const all = [
    ...pages,
    ...lengths.flatMap((n) => [text.subarray(n, 2 * n), repetitive(n, n), pseudoRandom(n, n, 2)]),
    ...odd.flatMap((n) => [text.subarray(n % 97, (n % 97) + n), repetitive(n, n)]),
    ...[65_536, 65_535, 32_768, 20_000].map((n) => Buffer.concat(ofProgram).subarray(5, 5 + n)),
    Buffer.alloc(65_536),
    repetitive(65_536, 5),
  ];
  compareWithLiblz4(all.map((bytes) => ({ bytes, capacity: bound(bytes.length) })));
});

peerTest(
  software,
  ["gcc", "lz4.h"],
  "fits and refuses where liblz4 does, for every capacity near the size",
  () => {
    const inputs = [repetitive(700, 3), ofScript[3]!, ofProgram[7]!, pseudoRandom(90, 1), Buffer.alloc(400)];
    const spread = inputs.flatMap((bytes) => {
      const size = encode("lz4Compress", bytes).length;
      const capacities = Array.from({ length: 60 }, (_, index) => size - 30 + index).filter((n) => n > 0);
      return capacities.map((capacity) => ({ bytes, capacity }));
    });
    compareWithLiblz4(spread);
  },
);

software("makes blocks that three decoders read", () => {
  for (const [name, some] of corpus) {
    for (const page of some) {
      const block = encode("lz4Compress", page);
      assert.ok(same(decode(block, pageBytes), page), `${name}: own decoder`);
      assert.ok(same(lz4jsDecode(block, pageBytes), page), `${name}: lz4js`);
      assert.ok(same(napiDecode(block, pageBytes), page), `${name}: lz4-napi`);
    }
  }
});

software("gives one block for one input, whatever was encoded before and wherever it lies", () => {
  const page = ofScript[9]!;
  const first = encode("lz4Compress", page);
  for (let offset = 0; offset < 40; ++offset) {
    encode("lz4Compress", pages[offset * 11]!);
    assert.ok(encode("lz4Compress", page, bound(pageBytes), offset).equals(first), `offset ${offset}`);
  }
  // At a low address, here below the static data, older candidates would have none: the table is cleared.
  const few = page.subarray(0, 900);
  const expected = encode("lz4Compress", few);
  encode("lz4Compress", pages[77]!);
  view.set(few, 64);
  const size = core.lz4Compress(64, few.length, blockAt, bound(few.length));
  assert.ok(expected.equals(view.subarray(blockAt, blockAt + size)), "low address");
  assert.is(encode("lz4Compress", Buffer.alloc(65_537)).length, 0, "above 64 KiB is refused");
});

software.run();

const decoder = suite("lz4 decoder");

decoder("round trip: every length to 300, random ones to 5000, every alignment", () => {
  const lengths = Array.from({ length: 301 }, (_, length) => length);
  const longer = Array.from({ length: 250 }, (_, seed) => 301 + ((seed * 4241) % 4700));
  for (const length of [...lengths, ...longer]) {
    for (const bytes of [repetitive(length, length), pseudoRandom(length, length, 3)]) {
      const block = encode("lz4Compress", bytes, bound(length), length % 16);
      assert.ok(same(decode(block, length, (length * 5) % 32), bytes), `${length} bytes`);
      assert.ok(same(decode(block, length + 100), bytes), `${length} bytes, room to spare`);
      assert.is(length === 0 ? null : decode(block, length - 1), null, `${length} bytes, one too few`);
    }
  }
});

decoder("a hand-made block: literals, overlap at each distance, long lengths", () => {
  for (let distance = 1; distance <= 40; ++distance) {
    for (const length of [4, 5, 18, 19, 20, 273, 274, 529, 3000]) {
      const start = pseudoRandom(distance, distance);
      const more = length - 4;
      const extra = (value: number): number[] =>
        value < 15 ? [] : [...Array(Math.floor((value - 15) / 255)).fill(255), (value - 15) % 255];
      const token = (Math.min(distance, 15) << 4) | Math.min(more, 15);
      const block = [token, ...extra(distance), ...start, distance, 0, ...extra(more), 0x10, 7];
      const expected = Array.from({ length: distance + length }, (_, index) => start[index % distance]!);
      expected.push(7);
      assert.equal(decode(Buffer.from(block), expected.length), Buffer.from(expected));
      assert.equal(decode(Buffer.from(block), expected.length + 70), Buffer.from(expected));
    }
  }
});

decoder("refuses what is not a block", () => {
  const bad: [string, number[]][] = [
    ["nothing", []],
    ["ends in the literals", [0x20, 1]],
    ["ends before the offset", [0x10, 1, 1]],
    ["offset 0", [0x10, 1, 0, 0, 0x10, 1]],
    ["offset before the start", [0x10, 1, 2, 0, 0x10, 1]],
    ["ends after a match", [0x10, 1, 1, 0]],
    ["ends in a length", [0xf0, 255, 255]],
    ["length beyond any area", [0xf0, ...Array(3000).fill(255), 0]],
    ["match beyond the area", [0x1f, 1, 1, 0, 255, 255, 255, 0, 0x10, 1]],
  ];
  for (const [what, bytes] of bad) assert.is(decode(Buffer.from(bytes), 600), null, what);
  // Once more far from both ends, where the decoder is quick: 70 literals before, 70 after.
  const literals = [0xf0, 55, ...Array(70).fill(9)];
  for (const [offset, length] of [
    [0, null],
    [71, null],
    [70, 144],
    [1, 144],
  ] as const) {
    const block = Buffer.from([...literals, offset, 0, ...literals]);
    assert.is(decode(block, 600)?.length ?? null, length, `offset ${offset}`);
  }
  assert.equal(decode(Buffer.from([0]), 0), Buffer.alloc(0), "the empty block is a block");
});

decoder("never leaves its areas: mutated and cut blocks", () => {
  const blocks = pages.filter((_, index) => index % 40 === 0).map((page) => encode("lz4Compress", page));
  const damage = fc.record({
    which: fc.nat(blocks.length - 1),
    cut: fc.option(fc.nat(4200), { nil: undefined }),
    changes: fc.array(fc.tuple(fc.nat(4200), fc.oneof(fc.nat(255), fc.constantFrom(0, 15, 240, 255))), {
      maxLength: 6,
    }),
    capacity: fc.oneof(fc.constant(pageBytes), fc.nat(pageBytes + 80)),
  });
  let refused = 0;
  fc.assert(
    fc.property(damage, ({ which, cut, changes, capacity }) => {
      const block = Buffer.from(blocks[which]!.subarray(0, cut ?? blocks[which]!.length));
      for (const [at, value] of changes) if (at < block.length) block[at] = value;
      const decoded = decode(block, capacity);
      if (decoded === null) ++refused;
      else assert.ok(same(lz4jsDecode(block, pageBytes + 100), decoded), "lz4js reads it otherwise");
    }),
    { numRuns: 6000, seed: 7 },
  );
  assert.ok(refused > 1000, `${refused} refused`);
});

decoder.run();
