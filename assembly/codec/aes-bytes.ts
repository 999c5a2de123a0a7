// SPDX-License-Identifier: Apache-2.0
// AES on bytes: key expansion, SubBytes and single rounds (FIPS 197), for what is done once a key or once
//   in
// 256 counters. `aes.ts` does the rounds that every block needs.
//
// In and out: raw addresses.

export const FOLD: u32 = 0x63; // the constant of SubBytes

const substitutes = memory.data(256, 16); // SubBytes of a byte
const mixed = memory.data(1024, 64); // u32: SubBytes of a byte of row 0, times the column of MixColumns

/** Key expansion, FIPS 197 section 5.2: `length` words of key into 4 * (rounds + 1) words at `words`. */
export function expandKey(words: usize, key: usize, length: u32, rounds: u32): void {
  memory.copy(words, key, length << 2);
  let constant: u32 = 1;
  for (let i = length; i < (rounds + 1) << 2; ++i) {
    const to = words + (i << 2);
    let word = load<u32>(to - 4);
    if (i % length == 0) {
      word = substitutedWord(rotr<u32>(word, 8)) ^ constant;
      constant = (constant << 1) ^ (constant >= 128 ? 0x11b : 0);
    } else if (length > 6 && i % length == 4) word = substitutedWord(word);
    store<u32>(to, word ^ load<u32>(to - (length << 2)));
  }
}

function substitutedWord(word: u32): u32 {
  for (let i = 0; i < 4; ++i) word = rotr<u32>((word & 0xffffff00) | substituteOf(word & 255), 8);
  return word;
}

/**
 * Encrypts one block, given as its four columns, to `block`: for what needs no more. Tables of 32 bits do
 * SubBytes, ShiftRows and MixColumns together (Daemen and Rijmen, The Design of Rijndael, section 4.2).
 */
export function encryptBlock(words: usize, rounds: u32, a: u32, b: u32, c: u32, d: u32, block: usize): void {
  a ^= load<u32>(words);
  b ^= load<u32>(words, 4);
  c ^= load<u32>(words, 8);
  d ^= load<u32>(words, 12);
  for (; rounds > 1; --rounds) {
    words += 16;
    const e = mixedColumn(a, b, c, d) ^ load<u32>(words);
    const f = mixedColumn(b, c, d, a) ^ load<u32>(words, 4);
    const g = mixedColumn(c, d, a, b) ^ load<u32>(words, 8);
    d = mixedColumn(d, a, b, c) ^ load<u32>(words, 12);
    a = e;
    b = f;
    c = g;
  }
  store<u32>(block, lastColumn(a, b, c, d) ^ load<u32>(words, 16));
  store<u32>(block, lastColumn(b, c, d, a) ^ load<u32>(words, 20), 4);
  store<u32>(block, lastColumn(c, d, a, b) ^ load<u32>(words, 24), 8);
  store<u32>(block, lastColumn(d, a, b, c) ^ load<u32>(words, 28), 12);
}

/** A column after MixColumns: one byte each of four columns of the state, the first from row 0. */
// @ts-ignore: decorator
@inline
function mixedColumn(a: u32, b: u32, c: u32, d: u32): u32 {
  const low = mixedByte(a & 255) ^ rotl<u32>(mixedByte((b >> 8) & 255), 8);
  return low ^ rotl<u32>(mixedByte((c >> 16) & 255), 16) ^ rotl<u32>(mixedByte(d >> 24), 24);
}

// @ts-ignore: decorator
@inline
function mixedByte(byte: u32): u32 {
  return load<u32>(mixed + (byte << 2));
}

/** As mixedColumn, without MixColumns. */
// @ts-ignore: decorator
@inline
function lastColumn(a: u32, b: u32, c: u32, d: u32): u32 {
  const low = substituteOf(a & 255) | (substituteOf((b >> 8) & 255) << 8);
  return low | (substituteOf((c >> 16) & 255) << 16) | (substituteOf(d >> 24) << 24);
}

/** AddRoundKey of the block at `block` in place. */
// @ts-ignore: decorator
@inline
export function addKey(block: usize, words: usize): void {
  v128.store(block, v128.xor(v128.load(block), v128.load(words)));
}

/** SubBytes of one byte. */
// @ts-ignore: decorator
@inline
export function substituteOf(byte: u32): u32 {
  return load<u8>(substitutes + byte);
}

/** SubBytes and ShiftRows of the block at `block` in place. */
export function substituteBlock(block: usize): void {
  for (let i: usize = 0; i < 16; ++i) store<u8>(block + i, load<u8>(substitutes + load<u8>(block + i)));
  const from = i8x16(0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11);
  v128.store(block, i8x16.swizzle(v128.load(block), from));
}

/** MixColumns of a block in place: with w the row below and t = a + w, 2t + w + t of two rows below. */
export function mixBlock(block: usize): void {
  const a = v128.load(block);
  const w = i8x16.swizzle(a, i8x16(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12));
  const t = v128.xor(a, w);
  const reduction = v128.and(i8x16.shr_s(t, 7), i8x16.splat(0x1b));
  const twice = v128.xor(i8x16.shl(t, 1), reduction);
  const twoBelow = i8x16.swizzle(t, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
  v128.store(block, v128.xor(v128.xor(twice, w), twoBelow));
}

/** SubBytes by its definition: the inverse in GF(2^8), then an affine map. Walks through 3^k and 3^-k. */
export function fillSubstitutes(): void {
  if (load<u8>(substitutes) != 0) return;
  let power: u32 = 1;
  let inverse: u32 = 1;
  do {
    power = (power ^ (power << 1) ^ (power >= 128 ? 0x11b : 0)) & 255;
    inverse ^= inverse << 1;
    inverse ^= inverse << 2;
    inverse = (inverse ^ (inverse << 4)) & 255;
    if (inverse >= 128) inverse ^= 9;
    const twin = inverse * 0x0101;
    store<u8>(
      substitutes + power,
      (inverse ^ (twin >> 7) ^ (twin >> 6) ^ (twin >> 5) ^ (twin >> 4) ^ FOLD) & 255,
    );
  } while (power != 1);
  store<u8>(substitutes, FOLD);
  for (let byte: u32 = 0; byte < 256; ++byte) {
    const s = substituteOf(byte);
    const twice = (s << 1) ^ (s >= 128 ? 0x11b : 0);
    store<u32>(mixed + (byte << 2), twice | (s << 8) | (s << 16) | ((twice ^ s) << 24));
  }
}
