// SPDX-License-Identifier: Apache-2.0
// AES (FIPS 197) and GCM (NIST SP 800-38D) as the standards write them: bytes, bits, no tables but the
// S-box.

/** Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, 4.2). */
function times(a: number, b: number): number {
  let product = 0;
  let shifted = a;
  for (let bit = 0; bit < 8; bit++) {
    if ((b >>> bit) & 1) product ^= shifted;
    shifted <<= 1;
    if (shifted & 0x100) shifted ^= 0x11b;
  }
  return product;
}

/** The inverse in GF(2^8), 0 for 0: searched. */
function inverse(a: number): number {
  for (let b = 1; b < 256; b++) if (times(a, b) === 1) return b;
  return 0;
}

/** The affine map: b'_i = b_i + b_(i+4) + b_(i+5) + b_(i+6) + b_(i+7) + c_i, c = 0x63 (FIPS 197, 5.1.1). */
function affine(b: number): number {
  let mapped = 0;
  for (let i = 0; i < 8; i++) {
    let bit = (0x63 >>> i) & 1;
    for (const step of [0, 4, 5, 6, 7]) bit ^= (b >>> ((i + step) % 8)) & 1;
    mapped |= bit << i;
  }
  return mapped;
}

const SBOX = Array.from({ length: 256 }, (_, b) => affine(inverse(b)));

/** KeyExpansion (FIPS 197, 5.2): 4-byte words, 44 for a key of 16 bytes, 60 for one of 32. */
export function expandKey(key: Uint8Array): number[][] {
  if (key.length !== 16 && key.length !== 32)
    throw new RangeError(`key: ${key.length} bytes; legal is 16 or 32`);
  const keyWords = key.length / 4;
  const rounds = keyWords + 6;
  const words: number[][] = [];
  let roundConstant = 1;
  for (let i = 0; i < 4 * (rounds + 1); i++) {
    if (i < keyWords) {
      words.push([...key.subarray(4 * i, 4 * i + 4)]);
      continue;
    }
    let word = [...words[i - 1]!];
    if (i % keyWords === 0) {
      word = [word[1]!, word[2]!, word[3]!, word[0]!].map((b) => SBOX[b]!);
      word[0]! ^= roundConstant;
      roundConstant = times(roundConstant, 2);
    } else if (keyWords > 6 && i % keyWords === 4) {
      word = word.map((b) => SBOX[b]!);
    }
    words.push(word.map((b, k) => b ^ words[i - keyWords]![k]!));
  }
  return words;
}

/** ShiftRows: row r, the bytes r, r + 4, r + 8, r + 12 of the state, turns left by r (5.1.2). */
function shiftRows(state: number[]): number[] {
  return state.map((_, at) => state[(at + 4 * (at % 4)) % 16]!);
}

/** MixColumns: each column times {03}x^3 + {01}x^2 + {01}x + {02} (5.1.3). */
function mixColumns(state: number[]): number[] {
  const mixed: number[] = [];
  for (let column = 0; column < 4; column++) {
    for (let row = 0; row < 4; row++) {
      const byte = (down: number): number => state[4 * column + ((row + down) % 4)]!;
      mixed.push(times(byte(0), 2) ^ times(byte(1), 3) ^ byte(2) ^ byte(3));
    }
  }
  return mixed;
}

/** Cipher (FIPS 197, 5.1): one block of 16 bytes under an expanded key. */
export function encryptBlock(words: readonly number[][], block: Uint8Array | readonly number[]): Uint8Array {
  const rounds = words.length / 4 - 1;
  const addRoundKey = (state: readonly number[], round: number): number[] =>
    state.map((b, at) => b ^ words[4 * round + (at >> 2)]![at & 3]!);
  let state = addRoundKey([...block], 0);
  for (let round = 1; round <= rounds; round++) {
    state = shiftRows(state.map((b) => SBOX[b]!));
    if (round < rounds) state = mixColumns(state);
    state = addRoundKey(state, round);
  }
  return Uint8Array.from(state);
}

/** R = 11100001 || 0^120 (SP 800-38D, 6.3). The leftmost bit of a block is the highest of the number. */
const R = 0xe1n << 120n;

/** Product of two blocks (SP 800-38D, algorithm 1), one bit of x after the other. */
function blockTimes(x: bigint, y: bigint): bigint {
  let z = 0n;
  let v = y;
  for (let bit = 127n; bit >= 0n; bit--) {
    if ((x >> bit) & 1n) z ^= v;
    v = v & 1n ? (v >> 1n) ^ R : v >> 1n;
  }
  return z;
}

const numberOf = (bytes: Uint8Array): bigint => bytes.reduce((sum, b) => (sum << 8n) | BigInt(b), 0n);

const bytesOf = (block: bigint): Uint8Array =>
  Uint8Array.from({ length: 16 }, (_, at) => Number((block >> BigInt(8 * (15 - at))) & 0xffn));

/** GHASH (algorithm 2) over aad and text, each filled up with zeros to blocks, and both lengths in bits. */
function ghash(h: bigint, aad: Uint8Array, text: Uint8Array): bigint {
  let y = 0n;
  for (const part of [aad, text]) {
    for (let at = 0; at < part.length; at += 16) {
      const block = new Uint8Array(16);
      block.set(part.subarray(at, at + 16));
      y = blockTimes(y ^ numberOf(block), h);
    }
  }
  const lengths = (BigInt(8 * aad.length) << 64n) | BigInt(8 * text.length);
  return blockTimes(y ^ lengths, h);
}

/** GCTR (algorithm 3): `text` xor the encrypted counters from `counter` on; the lowest 32 bits count. */
function gctr(words: readonly number[][], counter: bigint, text: Uint8Array): Uint8Array {
  const out = new Uint8Array(text.length);
  let block = counter;
  for (let at = 0; at < text.length; at += 16) {
    const mask = encryptBlock(words, bytesOf(block));
    for (let i = at; i < Math.min(at + 16, text.length); i++) out[i] = text[i]! ^ mask[i - at]!;
    block = (block & ~0xffffffffn) | ((block + 1n) & 0xffffffffn);
  }
  return out;
}

/** Ciphertext and 16-byte tag. */
export interface Sealed {
  readonly text: Uint8Array;
  readonly tag: Uint8Array;
}

/** GCM-AE (algorithm 4) with a 12-byte iv: J0 = iv || 0^31 1. The key is 16 or 32 bytes. */
export function gcmSealReference(
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  plain: Uint8Array,
): Sealed {
  if (iv.length !== 12) throw new RangeError(`iv: ${iv.length} bytes; legal is 12`);
  const words = expandKey(key);
  const h = numberOf(encryptBlock(words, new Uint8Array(16)));
  const j0 = (numberOf(iv) << 32n) | 1n;
  const text = gctr(words, j0 + 1n, plain);
  return { text, tag: gctr(words, j0, bytesOf(ghash(h, aad, text))) };
}

/** GCM-AD (algorithm 5): the plaintext, null if the tag is not that of aad and text. */
export function gcmOpenReference(
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  sealed: Sealed,
): Uint8Array | null {
  if (iv.length !== 12) throw new RangeError(`iv: ${iv.length} bytes; legal is 12`);
  const words = expandKey(key);
  const h = numberOf(encryptBlock(words, new Uint8Array(16)));
  const j0 = (numberOf(iv) << 32n) | 1n;
  const tag = gctr(words, j0, bytesOf(ghash(h, aad, sealed.text)));
  if (numberOf(tag) !== numberOf(sealed.tag)) return null;
  return gctr(words, j0 + 1n, sealed.text);
}
