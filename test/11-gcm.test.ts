// SPDX-License-Identifier: Apache-2.0
// AES-GCM and CRC-32 of the core against NIST's vectors, node:crypto and node:zlib.
import { createCipheriv } from "node:crypto";
import { readFileSync } from "node:fs";
import * as zlib from "node:zlib";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { freeAddress, loadGcm } from "./lib/gcm.ts";

const core = await loadGcm();
const memory = new Uint8Array(core.memory.buffer);
const view = Buffer.from(core.memory.buffer);

const keyAt = freeAddress;
const ivAt = freeAddress + 64;
const aadAt = freeAddress + 128;
const tagAt = freeAddress + 1024;
const sourceAt = freeAddress + 4096;
const targetAt = freeAddress + (3 << 20);
const guard = 32;
const guardByte = 0xa5;

/** A record to seal; `source` and `target` are offsets in bytes, `target` null for in place. */
interface Sealing {
  context: number;
  key: Buffer;
  iv: Buffer;
  aad: Buffer;
  plaintext: Buffer;
  source: number;
  target: number | null;
}

interface Sealed {
  ciphertext: Buffer;
  tag: Buffer;
}

/** `length` bytes from a xorshift generator, the same in each run. */
function pseudoRandom(length: number, seed: number): Buffer {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  return Buffer.from(
    Array.from({ length }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 11) & 255;
    }),
  );
}

function record(length: number, aadLength: number, bits: number, changes: Partial<Sealing> = {}): Sealing {
  const seed = length * 131 + aadLength * 7 + bits;
  const key = pseudoRandom(bits / 8, seed);
  const [iv, aad] = [pseudoRandom(12, seed + 1), pseudoRandom(aadLength, seed + 2)];
  const plaintext = pseudoRandom(length, seed + 3);
  return { context: seed & 7, key, iv, aad, plaintext, source: 0, target: 0, ...changes };
}

function expected({ key, iv, aad, plaintext }: Sealing): Sealed {
  const cipher = createCipheriv(key.length === 16 ? "aes-128-gcm" : "aes-256-gcm", key, iv);
  cipher.setAAD(aad);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return { ciphertext, tag: cipher.getAuthTag() };
}

const setKey = (context: number, key: Buffer): number => {
  key.copy(view, keyAt);
  return core.gcmSetKey(context, keyAt, key.length * 8);
};

const sourceOf = ({ source }: Sealing): number => sourceAt + guard + source;
const targetOf = (sealing: Sealing): number =>
  sealing.target === null ? sourceOf(sealing) : targetAt + guard + sealing.target;

/** Puts `bytes` where the source is, with guards around, and guards over the target. */
function place(sealing: Sealing, bytes: Buffer): void {
  const [source, target] = [sourceOf(sealing), targetOf(sealing)];
  memory.fill(guardByte, source - guard, source + bytes.length + guard);
  if (target !== source) memory.fill(guardByte, target - guard, target + bytes.length + guard);
  memory.fill(guardByte, tagAt - guard, tagAt + 16 + guard);
  bytes.copy(view, source);
  sealing.iv.copy(view, ivAt);
  sealing.aad.copy(view, aadAt);
}

const guarded = (from: number, length: number): boolean =>
  memory.subarray(from - guard, from).every((byte) => byte === guardByte) &&
  memory.subarray(from + length, from + length + guard).every((byte) => byte === guardByte);

const read = (from: number, length: number): Buffer => Buffer.from(view.subarray(from, from + length));

function seal(sealing: Sealing): Sealed {
  const { context, aad, plaintext } = sealing;
  place(sealing, plaintext);
  const target = targetOf(sealing);
  core.gcmSeal(context, ivAt, aadAt, aad.length, sourceOf(sealing), target, plaintext.length, tagAt);
  assert.ok(guarded(target, plaintext.length) && guarded(tagAt, 16), "wrote beyond the target or the tag");
  return { ciphertext: read(target, plaintext.length), tag: read(tagAt, 16) };
}

/** The plaintext, or null when it is refused; then the target must be as it was. */
function open(sealing: Sealing, { ciphertext, tag }: Sealed): Buffer | null {
  const { context, aad } = sealing;
  const length = ciphertext.length;
  place(sealing, ciphertext);
  tag.copy(view, tagAt);
  const target = targetOf(sealing);
  const before = read(target, length);
  const ok = core.gcmOpen(context, ivAt, aadAt, aad.length, sourceOf(sealing), target, length, tagAt);
  assert.ok(guarded(target, length), "wrote beyond the target");
  if (ok !== 0) return read(target, length);
  assert.ok(before.equals(read(target, length)), "refused, yet wrote to the target");
  return null;
}

/** Sealing equals node:crypto, and opening gives the plaintext back. */
function check(sealing: Sealing): void {
  const { key, aad, plaintext, context, source, target } = sealing;
  const name = `${key.length * 8} bits, ${plaintext.length} + ${aad.length} bytes at ${source}, ${target}`;
  assert.is(setKey(context, key), 1);
  const want = expected(sealing);
  const got = seal(sealing);
  assert.ok(got.ciphertext.equals(want.ciphertext), `ciphertext: ${name}`);
  assert.is(got.tag.toString("hex"), want.tag.toString("hex"), `tag: ${name}`);
  assert.ok(open(sealing, want)?.equals(plaintext), `open: ${name}`);
}

const gcm = suite("AES-GCM");

gcm("gives NIST's answers, and refuses what NIST says fails", () => {
  const { vectors } = JSON.parse(readFileSync(new URL("./lib/nist-gcm.json", import.meta.url), "utf8")) as {
    vectors: Record<"key" | "iv" | "aad" | "ciphertext" | "tag" | "plaintext", string | null>[];
  };
  let refused = 0;
  for (const vector of vectors) {
    const bytes = (name: keyof typeof vector): Buffer => Buffer.from(vector[name] ?? "", "hex");
    const plaintext = bytes("plaintext");
    const [key, iv, aad] = [bytes("key"), bytes("iv"), bytes("aad")];
    const sealing = { context: 3, key, iv, aad, plaintext, source: 0, target: 0 };
    const sealed = { ciphertext: bytes("ciphertext"), tag: bytes("tag") };
    setKey(3, key);
    if (vector.plaintext === null) {
      assert.is(open(sealing, sealed), null, `refuse tag ${vector.tag}`);
      refused += 1;
      continue;
    }
    assert.equal(seal(sealing), sealed, `seal, tag ${vector.tag}`);
    assert.equal(open(sealing, sealed), plaintext, `open, tag ${vector.tag}`);
  }
  assert.ok(
    vectors.length - refused >= 30 && refused >= 8,
    `${vectors.length} vectors, ${refused} to refuse`,
  );
});

for (const bits of [128, 256]) {
  gcm(`AES-${bits}: every length from 0 to 600`, () => {
    for (let length = 0; length <= 600; ++length) check(record(length, length % 65, bits));
  });

  gcm(`AES-${bits}: every length of associated data from 0 to 300`, () => {
    for (let aadLength = 0; aadLength <= 300; ++aadLength) check(record(aadLength % 23, aadLength, bits));
  });

  // Data starts at block 2 of the key stream: a batch ends after 96 + 128n bytes, a quad after 480 + 512n,
  // and the upper counter bytes change after 16 * 254 = 4064 bytes, then each 4096. One pass opens 8160.
  gcm(`AES-${bits}: each side of every seam up to three pages`, () => {
    for (let seam = 608; seam <= 12_352; seam += 32) {
      const near =
        seam % 512 === 480 || seam % 4096 === 0 ? [-17, -16, -15, -1, 0, 1, 15, 16, 17] : [-1, 0, 1];
      for (const step of near) check(record(seam + step, seam % 33, bits));
    }
  });

  gcm(`AES-${bits}: every pair of offsets from alignment, and in place`, () => {
    for (let source = 0; source < 16; ++source) {
      for (let target = 0; target < 16; ++target) check(record(625 + source, 20, bits, { source, target }));
      for (const length of [1, 95, 97, 479, 481, 993, 4096, 9000]) {
        check(record(length, 13, bits, { source, target: null }));
      }
    }
  });

  gcm(`AES-${bits}: counters beyond two bytes`, () => {
    // Counter 65536 is that of the block 32 bytes before 1 MiB.
    check(record((1 << 20) + 1000, 16, bits));
    check(record((1 << 20) + 1000, 16, bits, { target: null }));
  });
}

gcm("any record: length, associated data, key size, context, offsets", () => {
  const place16 = fc.integer({ min: 0, max: 15 });
  const shape = fc.record({
    length: fc.integer({ min: 0, max: 5000 }),
    aadLength: fc.integer({ min: 0, max: 64 }),
    bits: fc.constantFrom(128, 256),
    context: fc.integer({ min: 0, max: 7 }),
    source: place16,
    target: fc.option(place16),
  });
  const holds = fc.property(shape, ({ length, aadLength, bits, ...places }) =>
    check(record(length, aadLength, bits, places)),
  );
  fc.assert(holds, { numRuns: 600, seed: 38 });
});

for (const [length, bits] of [
  [37, 128],
  [700, 256],
  [8200, 128],
] as const) {
  gcm(`any one bit changed in a record of ${length} bytes is refused, and the target is untouched`, () => {
    const sealing = record(length, 20, bits, { source: 3, target: 5 });
    setKey(sealing.context, sealing.key);
    const sealed = expected(sealing);
    const stride = length > 1000 ? 61 : 1;
    const parts = { ciphertext: sealed.ciphertext, tag: sealed.tag, aad: sealing.aad, iv: sealing.iv };
    for (const [name, bytes] of Object.entries(parts)) {
      for (let bit = 0; bit < bytes.length * 8; bit += name === "ciphertext" ? stride : 1) {
        const changed = Buffer.from(bytes);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        const all = { ...parts, [name]: changed };
        const forged = { ...sealing, aad: all.aad, iv: all.iv };
        assert.is(open(forged, all), null, `${name} bit ${bit}`);
      }
    }
    const inPlace = { ...sealing, target: null };
    assert.is(open(inPlace, { ...sealed, tag: Buffer.alloc(16) }), null);
    assert.ok(open(inPlace, sealed)?.equals(sealing.plaintext), "the record itself is accepted");
  });
}

gcm("bytes moved between associated data and ciphertext are refused", () => {
  const sealing = record(64, 32, 128);
  setKey(sealing.context, sealing.key);
  const { ciphertext, tag } = expected(sealing);
  const all = Buffer.concat([sealing.aad, ciphertext]);
  for (let split = 0; split <= all.length; ++split) {
    const moved = { ...sealing, aad: all.subarray(0, split) };
    const plaintext = open(moved, { ciphertext: all.subarray(split), tag });
    assert.is(plaintext !== null, split === 32, `split at ${split}`);
  }
});

gcm("eight contexts keep their keys, and a refused key changes none", () => {
  const sealings = Array.from({ length: 8 }, (_, context) =>
    record(500 + context, 16, context % 3 === 0 ? 256 : 128, { context }),
  );
  for (const { context, key } of sealings) setKey(context, key);
  for (const bits of [0, 64, 127, 129, 192, 512])
    assert.is(core.gcmSetKey(2, keyAt, bits), 0, `${bits} bits`);
  for (const context of [8, 9, 0x7fffffff, -1]) assert.is(core.gcmSetKey(context, keyAt, 128), 0);
  for (const sealing of [...sealings, ...sealings.toReversed()]) {
    assert.equal(seal(sealing), expected(sealing), `context ${sealing.context}`);
  }
  const first = sealings[0]!;
  assert.throws(() => seal({ ...first, context: 8 }), /aborted/);
  assert.throws(() => open({ ...first, context: 8 }, expected(first)), /aborted/);
});

gcm.run();

const crc = suite("CRC-32");

/** The definition, a bit at a time: RFC 1952 section 8. */
function crcByBits(seed: number, bytes: Uint8Array): number {
  let rest = ~seed;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; ++bit) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return ~rest >>> 0;
}

const crcAt = (seed: number, offset: number, bytes: Uint8Array): number => {
  memory.set(bytes, sourceAt + offset);
  return core.crc32(seed, sourceAt + offset, bytes.length) >>> 0;
};

crc("gives the check value, and that of nothing", () => {
  // The check value of CRC-32/ISO-HDLC, as catalogues of CRCs list it.
  assert.is(crcAt(0, 0, Buffer.from("123456789")), 0xcbf43926);
  assert.is(crcAt(0, 0, Buffer.alloc(0)), 0);
  assert.is(crcAt(0x12345678, 0, Buffer.alloc(0)), 0x12345678);
});

crc("every length to 300 at every offset equals the definition", () => {
  for (let length = 0; length <= 300; ++length) {
    const bytes = pseudoRandom(length, length);
    assert.is(crcAt(length * 77, length & 15, bytes), crcByBits(length * 77, bytes), `${length} bytes`);
  }
});

crc("every split of 100 bytes gives the same", () => {
  const bytes = pseudoRandom(100, 5);
  const whole = crcByBits(0, bytes);
  for (let split = 0; split <= 100; ++split) {
    const left = crcAt(0, 3, bytes.subarray(0, split));
    assert.is(crcAt(left, 1, bytes.subarray(split)), whole, `split at ${split}`);
  }
});

crc("equals node:zlib on pages, where this Node has it", () => {
  const peer = (zlib as { crc32?: (bytes: Uint8Array, seed?: number) => number }).crc32 ?? null;
  for (let page = 0; page < 8; ++page) {
    const bytes = pseudoRandom(4096 + page, page);
    const want = peer === null ? crcByBits(page, bytes) : peer(bytes, page);
    assert.is(crcAt(page, page, bytes), want);
  }
});

crc.run();
