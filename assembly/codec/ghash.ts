// SPDX-License-Identifier: Apache-2.0
// GHASH, the hash of GCM: Y = sum of X[i] * H^(n-i) in GF(2^128). NIST SP 800-38D, sections 6.3 and 6.4.
//
// In and out: whole 16-byte blocks at raw addresses go in, the running hash Y stays in a private cell.
// How: eight blocks are hashed at a time. One table of 256 entries for each of the powers H^1..H^8 gives
//   the
//   product of a byte with that power. Bytes at equal positions ("columns") of the eight blocks are looked
//   up
//   and added; the sixteen sums are then shifted into place and reduced once. `aes.ts` stitches columns
//   into
//   rounds.
// Leaves out: protection against timing. Look-ups depend on the data, so use it with test keys only.
//
// Bit order of a block, as the standard has it: the first byte's top bit is the coefficient of x^0.

export const HASH_CONTEXTS: u32 = 8;
const POWERS: u32 = 8;
const TABLE_BYTES: u32 = 256 * 16;
const CONTEXT_BYTES: u32 = POWERS * TABLE_BYTES;

const tables = memory.data(262144, 64); // HASH_CONTEXTS * CONTEXT_BYTES
const sums = memory.data(256, 16); // one per column
const hash = memory.data(16, 16); // Y
const head = memory.data(16, 16); // first block of a batch, with Y added

if (HASH_CONTEXTS * CONTEXT_BYTES != 262144) ERROR("ghash: tables and contexts disagree");

/** Address of the tables of H^1..H^8 of one context, 4096 bytes each. */
// @ts-ignore: decorator
@inline
export function hashTables(context: u32): usize {
  return tables + context * CONTEXT_BYTES;
}

/** Address of the running hash Y, 16 bytes. */
// @ts-ignore: decorator
@inline
export function hashValue(): usize {
  return hash;
}

/** Fills the tables of `context` from the hash subkey H, 16 bytes at `subkey`. */
export function hashSetKey(context: u32, subkey: usize): void {
  const base = hashTables(context);
  v128.store(hash, v128.load(subkey));
  fillTable(base);
  for (let power: u32 = 1; power < POWERS; ++power) {
    const last = v128.load(hash);
    v128.store(hash, i64x2.splat(0));
    v128.store(head, last);
    hashFew(base, head, 1); // H^power times H
    fillTable(base + power * TABLE_BYTES);
  }
  hashReset();
}

/** Y = 0. */
export function hashReset(): void {
  v128.store(hash, i64x2.splat(0));
}

/** Hashes `count` blocks at `data`. */
export function hashBlocks(base: usize, data: usize, count: u32): void {
  while (count >= 8) {
    hashBegin(data);
    for (let column: u32 = 0; column < 16; ++column) hashColumn(base, data, column);
    hashEnd();
    data += 128;
    count -= 8;
  }
  if (count > 0) hashFew(base, data, count);
}

/** Hashes `length` bytes at `data`, the last block padded with zeros. */
export function hashPadded(base: usize, data: usize, length: u32): void {
  hashBlocks(base, data, length >> 4);
  const rest = length & 15;
  if (rest == 0) return;
  v128.store(head, i64x2.splat(0));
  memory.copy(head, data + (length - rest), rest);
  hashFew(base, head, 1);
}

/** Starts a batch of eight blocks: each of the 16 columns must follow, in any order, then `hashEnd`. */
// @ts-ignore: decorator
@inline
export function hashBegin(data: usize): void {
  v128.store(head, v128.xor(v128.load(hash), v128.load(data)));
}

/** Adds up one column of the batch of eight blocks at `data`. */
// @ts-ignore: decorator
@inline
export function hashColumn(base: usize, data: usize, column: u32): void {
  const at = data + column;
  let sum = v128.load(entry(base, head + column), 7 * TABLE_BYTES);
  sum = v128.xor(sum, v128.load(entry(base, at + 16), 6 * TABLE_BYTES));
  sum = v128.xor(sum, v128.load(entry(base, at + 32), 5 * TABLE_BYTES));
  sum = v128.xor(sum, v128.load(entry(base, at + 48), 4 * TABLE_BYTES));
  sum = v128.xor(sum, v128.load(entry(base, at + 64), 3 * TABLE_BYTES));
  sum = v128.xor(sum, v128.load(entry(base, at + 80), 2 * TABLE_BYTES));
  sum = v128.xor(sum, v128.load(entry(base, at + 96), TABLE_BYTES));
  sum = v128.xor(sum, v128.load(entry(base, at + 112)));
  v128.store(sums + (column << 4), sum);
}

/** Ends a batch: Y = sum over columns c of sums[c] * x^(8c), reduced by x^128 + x^7 + x^2 + x + 1. */
export function hashEnd(): void {
  const zero = i64x2.splat(0);
  let low = zero;
  let high = zero;
  for (let at: usize = sums + 240; at >= sums; at -= 16) {
    high = v128.shuffle<u8>(low, high, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
    low = v128.shuffle<u8>(zero, low, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
    low = v128.xor(low, v128.load(at));
  }
  // As big-endian numbers a factor x is a shift right; the last byte of `high` is zero, so nothing falls
  // off.
  const number = reversed(high);
  const upper = i8x16.swizzle(number, i8x16(8, 9, 10, 11, 12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1));
  let folded = v128.xor(number, v128.xor(i64x2.shr_u(number, 1), i64x2.shl(upper, 63)));
  folded = v128.xor(folded, v128.xor(i64x2.shr_u(number, 2), i64x2.shl(upper, 62)));
  folded = v128.xor(folded, v128.xor(i64x2.shr_u(number, 7), i64x2.shl(upper, 57)));
  v128.store(hash, v128.xor(low, reversed(folded)));
}

/** Hashes fewer than eight blocks; `data` may be `head`. */
function hashFew(base: usize, data: usize, count: u32): void {
  hashBegin(data);
  const first = base + (count - 1) * TABLE_BYTES;
  for (let column: u32 = 0; column < 16; ++column) {
    let sum = v128.load(entry(first, head + column));
    let table = first;
    for (let block: u32 = 1; block < count; ++block) {
      table -= TABLE_BYTES;
      sum = v128.xor(sum, v128.load(entry(table, data + (block << 4) + column)));
    }
    v128.store(sums + (column << 4), sum);
  }
  hashEnd();
}

/** Address of the table entry of the byte at `at`. */
// @ts-ignore: decorator
@inline
function entry(table: usize, at: usize): usize {
  return table + ((<usize>load<u8>(at)) << 4);
}

/** Writes byte * Y for each value of a byte, from Y * x^0 .. Y * x^7. */
function fillTable(table: usize): void {
  let high = bswap<u64>(load<u64>(hash));
  let low = bswap<u64>(load<u64>(hash, 8));
  v128.store(table, i64x2.splat(0));
  for (let bit: u32 = 128; bit > 0; bit >>= 1) {
    const at = table + (bit << 4);
    store<u64>(at, bswap<u64>(high));
    store<u64>(at, bswap<u64>(low), 8);
    const carry = low & 1;
    low = (low >> 1) | (high << 63);
    high = (high >> 1) ^ (carry * 0xe100000000000000);
  }
  for (let bit: u32 = 2; bit < 256; bit <<= 1) {
    const single = v128.load(table + (bit << 4));
    for (let value: u32 = 1; value < bit; ++value) {
      v128.store(table + ((bit + value) << 4), v128.xor(single, v128.load(table + (value << 4))));
    }
  }
}

/** The sixteen bytes in opposite order. */
// @ts-ignore: decorator
@inline
function reversed(block: v128): v128 {
  return i8x16.swizzle(block, i8x16(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
}
