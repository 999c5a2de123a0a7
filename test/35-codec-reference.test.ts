// SPDX-License-Identifier: Apache-2.0
// The core's LZ4 decoder, AES-GCM and CRC-32 against the slow ones of test/lib/reference.
import { createCipheriv } from "node:crypto";
import { crc32 } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { encryptBlock, expandKey, gcmOpenReference, gcmSealReference } from "./lib/reference/aes-gcm.ts";
import { Codecs, sameBytes } from "./lib/reference/codecs.ts";
import { crc32Bitwise } from "./lib/reference/crc32.ts";
import { anyContents, Draws, KINDS, recordedPages } from "./lib/reference/inputs.ts";
import { decodeLz4Block } from "./lib/reference/lz4-block.ts";

const codecs = new Codecs();
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

// ---- LZ4 decoder ----

/** One block through both decoders: the same bytes or the same refusal. Returns what it is. */
function compareBlock(block: Uint8Array, cap: number, what: string): "refused" | "decoded" {
  const expected = decodeLz4Block(block, cap);
  sameBytes(codecs.decode(block, cap), expected?.bytes ?? null, `${what}: ${hex(block)}, room for ${cap}`);
  return expected === null ? "refused" : "decoded";
}

test("the reference decodes the format's own examples", () => {
  // 48 literals: 15, 33. 280: 15, 255, 10. 15: 15, 0. An empty input: one zero byte.
  for (const [head, literals] of [
    ["f021", 48],
    ["f0ff0a", 280],
    ["f000", 15],
    ["00", 0],
  ] as const) {
    const body = new Draws(35_000).bytes(literals);
    const decoded = decodeLz4Block(Uint8Array.of(...unhex(head), ...body), literals);
    assert.equal([decoded?.bytes, decoded?.keepsEnd], [body, true]);
  }
  // "a", 12 more by offset 1 (nibble 8), then "bcdef". Refused: nothing, offset 0, offset 2, a literal short,
  // nothing after a match.
  const block = Uint8Array.from([0x18, 97, 1, 0, 0x50, 98, 99, 100, 101, 102]);
  assert.is(Buffer.from(decodeLz4Block(block, 18)!.bytes).toString(), `${"a".repeat(13)}bcdef`);
  assert.is(decodeLz4Block(block, 17), null);
  for (const refused of [
    "",
    "18610000506263646566",
    "18610200506263646566",
    "1861010050626364",
    "18610100",
  ]) {
    assert.is(decodeLz4Block(unhex(refused), 99), null, refused);
  }
});

test("every block of one and of two bytes", () => {
  for (let a = 0; a < 256; a++) {
    compareBlock(Uint8Array.of(a), 64, "one byte");
    for (let b = 0; b < 256; b++) compareBlock(Uint8Array.of(a, b), 64, "two bytes");
  }
});

test("what the core's encoder makes decodes to its source and keeps the end of block", () => {
  const draws = new Draws(35_001);
  const recorded = recordedPages().filter((_, i) => i % 30 === 0);
  const drawn = range(0, 300).map((length) => anyContents(draws, length));
  const long = range(1, 6).map(() => anyContents(draws, draws.between(10_000, 65_536)));
  for (const source of [...recorded, ...drawn, ...long]) {
    const bound = source.length + Math.floor(source.length / 255) + 16;
    const block = codecs.encode(source, bound)!;
    const decoded = decodeLz4Block(block, source.length);
    sameBytes(decoded?.bytes ?? null, source, `${source.length} bytes`);
    assert.ok(decoded?.keepsEnd);
    assert.is(compareBlock(block, source.length, "exact room"), "decoded");
    assert.is(compareBlock(block, source.length + 77, "more room"), "decoded");
    for (const less of [1, 2, 8, 33]) {
      if (less <= source.length) assert.is(compareBlock(block, source.length - less, "less room"), "refused");
    }
    sameBytes(codecs.encode(source, block.length), block, "room for all of it");
    sameBytes(codecs.encode(source, block.length - 1), null, "a byte less");
  }
});

test("blocks cut short after every byte, whatever lies behind", () => {
  const draws = new Draws(35_002);
  for (const surroundings of [0, 0xff, 0xa5]) {
    codecs.surroundings = surroundings;
    for (const make of Object.values(KINDS)) {
      const source = make(draws, draws.between(20, 700));
      const block = codecs.encode(source, source.length + 100)!;
      for (let length = 0; length < block.length; length++) {
        compareBlock(block.subarray(0, length), source.length, "cut short");
      }
    }
  }
});

test("blocks with bytes changed, taken out and put in", () => {
  const draws = new Draws(35_003);
  const count = { refused: 0, decoded: 0 };
  for (let i = 0; i < 6000; i++) {
    const source = anyContents(draws, draws.between(0, 400));
    const block = [...codecs.encode(source, source.length + 100)!];
    for (let faults = draws.between(1, 3); faults > 0 && block.length > 0; faults--) {
      const at = draws.between(0, block.length - 1);
      const byte = draws.oneOf([0, 1, 15, 240, 255, draws.word() & 255]);
      const [taken, put] = draws.oneOf([
        [1, [byte]],
        [1, [byte]],
        [draws.between(1, 4), []],
        [0, [byte]],
      ] as const);
      block.splice(at, taken, ...put);
    }
    count[
      compareBlock(Uint8Array.from(block), source.length + draws.oneOf([0, 1, 300, 5000]), `case ${i}`)
    ]++;
  }
  assert.ok(count.refused > 1000 && count.decoded > 1000, JSON.stringify(count));
});

/** A drawn block, mostly legal: lengths around the ends of nibble and byte, offsets from 1 to all so far. */
function drawBlock(draws: Draws): { block: Uint8Array; length: number } {
  const block: number[] = [];
  let length = 0;
  const extend = (x: number): void => {
    if (x < 15) return;
    let left = x - 15;
    for (; left >= 255; left -= 255) block.push(255);
    block.push(left);
  };
  const lengths = [0, 1, 3, 7, 8, 14, 15, 16, 17, 31, 32, 33, 64, 65, 269, 270, 271, 524, 525, 526];
  for (let sequences = draws.between(0, 6); sequences > 0; sequences--) {
    const literals = length === 0 ? draws.between(1, 40) : draws.oneOf(lengths);
    const match = draws.oneOf(lengths);
    block.push(16 * Math.min(literals, 15) + Math.min(match, 15));
    extend(literals);
    block.push(...draws.bytes(literals));
    length += literals;
    const near = draws.between(1, Math.min(length, draws.oneOf([1, 2, 3, 4, 7, 8, 15, 16, 17, 33])));
    const offset = draws.oneOf([
      near,
      near,
      length,
      draws.between(1, length),
      ...(draws.word() % 40 ? [] : [0]),
    ]);
    const written = draws.word() % 40 === 0 ? length + 1 : offset;
    block.push(written & 255, written >>> 8);
    extend(match);
    length += match + 4;
  }
  const last = draws.oneOf([0, 4, 5, 5, 5, 11, 12, ...lengths]);
  block.push(16 * Math.min(last, 15) + (draws.word() % 4 === 0 ? draws.between(1, 15) : 0));
  extend(last);
  block.push(...draws.bytes(last));
  return { block: Uint8Array.from(block), length: length + last };
}

test("drawn blocks with every room around their length, at every place in memory", () => {
  const draws = new Draws(35_004);
  const count = { refused: 0, decoded: 0 };
  for (let i = 0; i < 2500; i++) {
    const { block, length } = drawBlock(draws);
    for (const cap of [length, length + 1, length + 40, length - 1, draws.between(0, length)]) {
      if (cap < 0) continue;
      const expected = decodeLz4Block(block, cap)?.bytes ?? null;
      const found = codecs.decode(block, cap, i % 64);
      count[expected === null ? "refused" : "decoded"]++;
      sameBytes(found, expected, `case ${i}: ${hex(block)}, room for ${cap}`);
    }
  }
  assert.ok(count.refused > 1000 && count.decoded > 1000, JSON.stringify(count));
});

// ---- AES-GCM ----

test("the reference cipher meets FIPS 197, appendix C, and node's GCM", () => {
  const plain = unhex("00112233445566778899aabbccddeeff");
  const cipher = (bytes: number): string =>
    hex(encryptBlock(expandKey(Uint8Array.from(range(0, bytes - 1))), plain));
  assert.is(cipher(16), "69c4e0d86a7b0430d8cdb78070b4c55a");
  assert.is(cipher(32), "8ea2b7ca516745bfeafc49904b496089");
  const draws = new Draws(35_005);
  for (const keyBytes of [16, 32] as const) {
    const [key, iv, aad] = [draws.bytes(keyBytes), draws.bytes(12), draws.bytes(21)];
    const text = draws.bytes(1000);
    const sealed = gcmSealReference(key, iv, aad, text);
    const peer = createCipheriv(keyBytes === 16 ? "aes-128-gcm" : "aes-256-gcm", key, iv).setAAD(aad);
    assert.is(hex(sealed.text), Buffer.concat([peer.update(text), peer.final()]).toString("hex"));
    assert.is(hex(sealed.tag), peer.getAuthTag().toString("hex"));
    assert.equal(gcmOpenReference(key, iv, aad, sealed), text);
  }
});

/** Seals with both and opens with the core: text, tag and plaintext again. */
function compareSeal(
  context: number,
  key: Uint8Array,
  draws: Draws,
  aadBytes: number,
  textBytes: number,
): void {
  const [iv, aad, plain] = [draws.bytes(12), draws.bytes(aadBytes), draws.bytes(textBytes)];
  const expected = gcmSealReference(key, iv, aad, plain);
  const what = `${8 * key.length} bits, aad ${aadBytes}, text ${textBytes}`;
  const sealed = codecs.seal(context, iv, aad, plain);
  sameBytes(sealed.text, expected.text, `${what}: text`);
  sameBytes(sealed.tag, expected.tag, `${what}: tag`);
  const opened = codecs.open(context, iv, aad, expected);
  assert.ok(opened.accepted, what);
  sameBytes(opened.target, plain, `${what}: opened`);
}

for (const keyBytes of [16, 32]) {
  const keyed = (seed: number): { draws: Draws; key: Uint8Array } => {
    const draws = new Draws(seed + keyBytes);
    const key = draws.bytes(keyBytes);
    assert.ok(codecs.setKey(0, key));
    return { draws, key };
  };

  test(`AES-${8 * keyBytes}: every length from 0 to 200, random ones up to 5000`, () => {
    const { draws, key } = keyed(35_100);
    for (let length = 0; length <= 200; length++) compareSeal(0, key, draws, draws.between(0, 40), length);
    for (let i = 0; i < 12; i++) compareSeal(0, key, draws, draws.between(0, 300), draws.between(200, 5000));
  });

  test(`AES-${8 * keyBytes}: every aad from 0 to 34 bytes with every text from 0 to 34`, () => {
    const { draws, key } = keyed(35_200);
    for (let aad = 0; aad <= 34; aad++) {
      for (let text = 0; text <= 34; text++) compareSeal(0, key, draws, aad, text);
    }
  });

  test(`AES-${8 * keyBytes}: every split of 160 bytes into aad and text`, () => {
    const { draws, key } = keyed(35_300);
    for (let aad = 0; aad <= 160; aad++) compareSeal(0, key, draws, aad, 160 - aad);
  });

  test(`AES-${8 * keyBytes}: every single bit changed is refused, and nothing is given away`, () => {
    const { draws, key } = keyed(35_400);
    const [iv, aad, plain] = [draws.bytes(12), draws.bytes(13), draws.bytes(37)];
    const sealed = gcmSealReference(key, iv, aad, plain);
    const untouched = new Uint8Array(plain.length).fill(codecs.surroundings);
    const flip = (bytes: Uint8Array, bit: number): Uint8Array =>
      bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    const refused = (...forged: Parameters<typeof codecs.open>): void =>
      assert.equal(codecs.open(...forged), { accepted: false, target: untouched });
    for (let bit = 0; bit < 8 * 16; bit++) refused(0, iv, aad, { ...sealed, tag: flip(sealed.tag, bit) });
    for (let bit = 0; bit < 8 * 37; bit++) refused(0, iv, aad, { ...sealed, text: flip(sealed.text, bit) });
    for (let bit = 0; bit < 8 * 13; bit++) refused(0, iv, flip(aad, bit), sealed);
    for (let bit = 0; bit < 8 * 12; bit++) refused(0, flip(iv, bit), aad, sealed);
    assert.equal(codecs.open(0, iv, aad, sealed), { accepted: true, target: plain });
  });
}

test("forgeries that move a boundary are refused", () => {
  const draws = new Draws(35_006);
  const key = draws.bytes(16);
  codecs.setKey(0, key);
  const [iv, aad, plain] = [draws.bytes(12), new Uint8Array(16), new Uint8Array(32)];
  const { text, tag } = codecs.seal(0, iv, aad, plain);
  // The same blocks to GHASH but for the lengths: zeros more or less, a block moved from text to aad.
  const moved = { text: text.subarray(16), tag };
  assert.not.ok(codecs.open(0, iv, Uint8Array.of(...aad, ...text.subarray(0, 16)), moved).accepted);
  assert.not.ok(codecs.open(0, iv, aad.subarray(0, 15), { text, tag }).accepted);
  assert.not.ok(codecs.open(0, iv, aad, { text: text.subarray(0, 16), tag }).accepted);
  assert.not.ok(codecs.open(0, iv, aad, { text: Uint8Array.of(...text, 0), tag }).accepted);
});

test("contexts do not disturb each other; a key is replaced by one of the other size", () => {
  const draws = new Draws(35_007);
  const keys: Uint8Array[] = [];
  for (let round = 0; round < 40; round++) {
    const context = draws.between(0, 7);
    keys[context] = draws.bytes(draws.oneOf([16, 32]));
    assert.ok(codecs.setKey(context, keys[context]!));
    for (let other = 0; other < 8; other++) {
      const key = keys[other];
      if (key !== undefined) compareSeal(other, key, draws, draws.between(0, 20), draws.between(0, 100));
    }
  }
  for (const bits of [0, 1, 64, 192, 512])
    assert.not.ok(codecs.setKey(0, draws.bytes(64), bits), `${bits} bits`);
  assert.not.ok(codecs.setKey(8, draws.bytes(16)));
  for (let context = 0; context < 8; context++) compareSeal(context, keys[context]!, draws, 20, 50);
});

test("sealing in place and at every place in memory", () => {
  const draws = new Draws(35_008);
  const key = draws.bytes(16);
  codecs.setKey(0, key);
  for (const length of [0, 1, 15, 16, 17, 64, 100, 300]) {
    for (let misalign = 0; misalign < 32; misalign++) {
      const [iv, aad, plain] = [draws.bytes(12), draws.bytes(misalign), draws.bytes(length)];
      const expected = gcmSealReference(key, iv, aad, plain);
      for (const inPlace of [false, true]) {
        assert.equal(codecs.seal(0, iv, aad, plain, inPlace, misalign), expected, `${length} at ${misalign}`);
      }
    }
  }
});

// ---- CRC-32 ----

test("CRC-32: the check value, zlib's, every length, every split", () => {
  assert.is(crc32Bitwise(0, new TextEncoder().encode("123456789")), 0xcbf43926);
  const draws = new Draws(35_009);
  for (let length = 0; length <= 300; length++) {
    const [bytes, seed] = [draws.bytes(length), draws.oneOf([0, 1, 0xffffffff, draws.word()])];
    const expected = crc32Bitwise(seed, bytes);
    assert.is(crc32Bitwise(0, bytes), crc32(bytes));
    assert.is(codecs.crc32(seed, bytes, length % 64), expected, `${length} bytes, seed ${seed}`);
  }
  const whole = draws.bytes(150);
  for (let at = 0; at <= 150; at++) {
    const first = codecs.crc32(0, whole.subarray(0, at));
    assert.is(codecs.crc32(first, whole.subarray(at)), crc32Bitwise(0, whole), `split at ${at}`);
  }
  const page = draws.bytes(65_537);
  assert.is(codecs.crc32(0, page), crc32Bitwise(0, page));
});

test.run();
