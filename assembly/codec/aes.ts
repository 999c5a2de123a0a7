// SPDX-License-Identifier: Apache-2.0
// AES-128 and AES-256 as the key stream of GCM's counter mode. FIPS 197; NIST SP 800-38D section 6.5.
//
// In and out: a 12-byte IV and a number go in; quad q is the key stream of the 32 counters from 32q on, in
//   four batches of eight.
// How, for the eight blocks of a batch at once:
//   * bitsliced: plane i is a v128 whose byte q holds bit i of state byte q of the blocks, one block a bit
//     (Käsper and Schwabe, CHES 2009). SubBytes is the circuit of 128 gates and depth 16 of Boyar and
//     Peralta
//     (IACR ePrint 2011/332); the one of 115 gates is deeper and was slower. Its NOTs are the constant
//     0x63,
//     which passes MixColumns unchanged and is folded into the next round key.
//   * ShiftRows is never done: the state falls behind by one a round, and MixColumns reaches for the bytes
//     where they are ("fixslicing", Adomnicai and Peyrin, TCHES 2021). Four are none, hence four kinds of
//     round.
//   * rounds 1 and 2: within 256 counters one byte of the input varies; after round 1 that is one column,
//     whose change depends on key and counter only (a 1 KiB table). In round 2 four batches share an S-box.
//   * from round 3 on a round is done for four batches in turn: independent, so that a processor overlaps
//     them.
//   * the hash of other blocks is stitched into the last eight rounds, for the load and integer units.
// Leaves out: AES-192; decryption of single blocks (counter mode needs none); hardening, see ghash.ts.

import {
  FOLD,
  addKey,
  encryptBlock,
  expandKey,
  fillSubstitutes,
  mixBlock,
  substituteBlock,
  substituteOf,
} from "./aes-bytes";
import { hashBegin, hashColumn, hashEnd } from "./ghash";

export const CIPHER_CONTEXTS: u32 = 8;
const CONTEXT_BYTES: u32 = 3328; // PLANES, then the tables below
const PLANES: u32 = 0; // round keys 3.. as planes, 128 bytes a round
const COLUMNS: u32 = 1536; // planes of the column that varies after round 1, four batches a v128
const WORDS: u32 = 2560; // round keys 0..14 as bytes, FIPS 197 section 5.2
const ROUNDS: u32 = 2816; // u32

const contexts = memory.data(26624, 64); // CIPHER_CONTEXTS * CONTEXT_BYTES
const state = memory.data(16, 16);
const column = memory.data(128, 16); // planes of the fixed part of column 0 after round 1
const fixed = memory.data(128, 16); // planes of the fixed part of the state after round 2
const quad = memory.data(512, 16); // planes after round 2 of four batches

if (CIPHER_CONTEXTS * CONTEXT_BYTES != 26624) ERROR("aes: contexts and their size disagree");

// A round's kind is a type, since the compiler drops branches on types before it inlines: u8, u16, u32 and
// u64 are rounds 1, 2, 3 and 4 (as good as none) ShiftRows behind; the others follow.
type Opening = f64; // round 2, four batches at once
type Last = f32; // without MixColumns
type Stitched = v128; // with columns of the hash
type Alone = u8; // without

/**
 * Expands the key of `bits` (128 or 256) at `key`.
 * Returns false, and changes nothing, for other sizes.
 */
export function cipherSetKey(context: u32, key: usize, bits: u32): bool {
  if (bits != 128 && bits != 256) return false;
  fillSubstitutes();
  const base = contexts + context * CONTEXT_BYTES;
  const rounds = (bits >> 5) + 6;
  store<u32>(base + ROUNDS, rounds);
  expandKey(base + WORDS, key, bits >> 5, rounds);
  const fold = i8x16.splat(<i8>FOLD);
  for (let round: u32 = 3; round < rounds; ++round) {
    const words = v128.xor(v128.load(base + WORDS + (round << 4)), fold);
    storePlanes(base + PLANES + ((round - 3) << 7), unshifted(words, (round - 2) & 3));
  }
  const last = base + WORDS + (rounds << 4);
  v128.store(last, v128.xor(v128.load(last), fold));
  fillColumns(base);
  return true;
}

/** Address of the state of one key. */
// @ts-ignore: decorator
@inline
export function cipherContext(context: u32): usize {
  return contexts + context * CONTEXT_BYTES;
}

/**
 * Writes the key stream of quad `number` to `target`: 16 bytes for each of the counters from 32 * number
 * on, in the first `batches` (1..4) batches of eight. The numbers start at 0 for each IV and go up by one.
 * Meanwhile hashes `hashes` (0..4) times eight blocks at `data`.
 */
export function cipherQuad(
  base: usize,
  iv: usize,
  number: u32,
  batches: u32,
  target: usize,
  tables: usize,
  data: usize,
  hashes: u32,
): void {
  if ((number & 7) == 0) openCounters(base, iv, number >> 3);
  openQuad(base + COLUMNS + ((number & 7) << 7));
  const end = quad + (batches << 7);
  let key = base + PLANES;
  if (load<u32>(base + ROUNDS) == 14) {
    twoRounds<u8, u16, Alone>(key, end, 0, 0);
    twoRounds<u32, u64, Alone>(key + 256, end, 0, 0);
    key += 512;
  }
  if (hashes > 0) twoRounds<u8, u16, Stitched>(key, end, tables, data);
  else twoRounds<u8, u16, Alone>(key, end, 0, 0);
  if (hashes > 1) twoRounds<u32, u64, Stitched>(key + 256, end, tables, data + 128);
  else twoRounds<u32, u64, Alone>(key + 256, end, 0, 0);
  if (hashes > 2) twoRounds<u8, u16, Stitched>(key + 512, end, tables, data + 256);
  else twoRounds<u8, u16, Alone>(key + 512, end, 0, 0);
  if (hashes > 3) twoRounds<u32, Last, Stitched>(key + 768, end, tables, data + 384);
  else twoRounds<u32, Last, Alone>(key + 768, end, 0, 0);
  writeQuad(end, lastKey(base), target);
}

/** Encrypts the block of zeros, the hash subkey of GCM, into the 16 bytes at `target`. */
export function cipherZero(base: usize, target: usize): void {
  cipherBlock(base, 0, 0, 0, 0, target);
}

/** Writes the key stream of counter 1 alone, 16 bytes, to `target`. */
export function cipherMask(base: usize, iv: usize, target: usize): void {
  cipherBlock(base, load<u32>(iv), load<u32>(iv, 4), load<u32>(iv, 8), 0x01000000, target);
}

function cipherBlock(base: usize, a: u32, b: u32, c: u32, d: u32, target: usize): void {
  encryptBlock(base + WORDS, load<u32>(base + ROUNDS), a, b, c, d, target);
  v128.store(target, v128.xor(v128.load(target), i8x16.splat(<i8>FOLD))); // it is in the last round key
}

// --- rounds 1 and 2

/** What the 256 counters with these upper 24 bits share: `column` after round 1, `fixed` after round 2. */
function openCounters(base: usize, iv: usize, upper: u32): void {
  v128.store(state, i32x4(load<i32>(iv), load<i32>(iv, 4), load<i32>(iv, 8), bswap<u32>(upper << 8)));
  addKey(state, base + WORDS);
  substituteBlock(state);
  store<u8>(state, 0, 3); // the byte of the counter, shifted to column 0
  mixBlock(state);
  addKey(state, base + WORDS + 16);
  storePlanes(column, v128.load32_splat(state));
  substituteBlock(state);
  for (let row: usize = 0; row < 4; ++row) {
    store<u8>(state + ((row * 13) & 15), FOLD); // column 0, shifted; the circuit leaves this constant out
  }
  mixBlock(state);
  addKey(state, base + WORDS + 32);
  storePlanes(fixed, v128.load(state));
}

/** Round 2 of four batches into `quad`. After round 1 their columns are `column` plus those at `columns`. */
// prettier-ignore
function openQuad(columns: usize): void {
  subBytes<Opening>(
    x(at(columns, 0), at(column, 0)), x(at(columns, 1), at(column, 1)),
    x(at(columns, 2), at(column, 2)), x(at(columns, 3), at(column, 3)),
    x(at(columns, 4), at(column, 4)), x(at(columns, 5), at(column, 5)),
    x(at(columns, 6), at(column, 6)), x(at(columns, 7), at(column, 7)), 0, 0,
  );
}

/**
 * Spreads the planes after SubBytes over the states of the four batches. Byte 4n + r of a plane is row r of
 * batch n: ShiftRows puts it into column -r mod 4, MixColumns adds it to each row of that column once,
 * twice or three times.
 */
// prettier-ignore
// @ts-ignore: decorator
@inline
function spreadColumns(a0: v128, a1: v128, a2: v128, a3: v128, a4: v128, a5: v128, a6: v128, a7: v128): void {
  spreadPlane(0, a0, a7);
  spreadPlane(16, a1, x(a0, a7));
  spreadPlane(32, a2, a1);
  spreadPlane(48, a3, x(a2, a7));
  spreadPlane(64, a4, x(a3, a7));
  spreadPlane(80, a5, a4);
  spreadPlane(96, a6, a5);
  spreadPlane(112, a7, a6);
}

/** One plane: `once` of the bytes, `twice` of the bytes doubled in GF(2^8). Row -1 reads as zero. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function spreadPlane(plane: usize, once: v128, twice: v128): void {
  const rest = v128.load(fixed + plane);
  const to = quad + plane;
  const a0 = i8x16.swizzle(once, i8x16(-1, 0, 0, 0, 3, 3, 3, -1, 2, 2, -1, 2, 1, -1, 1, 1));
  const a1 = i8x16.swizzle(once, i8x16(-1, 4, 4, 4, 7, 7, 7, -1, 6, 6, -1, 6, 5, -1, 5, 5));
  const a2 = i8x16.swizzle(once, i8x16(-1, 8, 8, 8, 11, 11, 11, -1, 10, 10, -1, 10, 9, -1, 9, 9));
  const a3 = i8x16.swizzle(once, i8x16(-1, 12, 12, 12, 15, 15, 15, -1, 14, 14, -1, 14, 13, -1, 13, 13));
  const b0 = i8x16.swizzle(twice, i8x16(0, -1, -1, 0, -1, -1, 3, 3, -1, 2, 2, -1, 1, 1, -1, -1));
  const b1 = i8x16.swizzle(twice, i8x16(4, -1, -1, 4, -1, -1, 7, 7, -1, 6, 6, -1, 5, 5, -1, -1));
  const b2 = i8x16.swizzle(twice, i8x16(8, -1, -1, 8, -1, -1, 11, 11, -1, 10, 10, -1, 9, 9, -1, -1));
  const b3 = i8x16.swizzle(twice, i8x16(12, -1, -1, 12, -1, -1, 15, 15, -1, 14, 14, -1, 13, 13, -1, -1));
  v128.store(to, x(x(a0, b0), rest));
  v128.store(to, x(x(a1, b1), rest), 128);
  v128.store(to, x(x(a2, b2), rest), 256);
  v128.store(to, x(x(a3, b3), rest), 384);
}

// --- the other rounds

/** Two rounds of the batches in `quad`, with the hash of the eight blocks at `data` if stitched. */
function twoRounds<K, L, G>(key: usize, end: usize, tables: usize, data: usize): void {
  if (isVector<G>()) hashBegin(data);
  round<K, G>(key, end, tables, data, 0);
  round<L, G>(key + 128, end, tables, data, 8);
  if (isVector<G>()) hashEnd();
}

/** One round of the batches up to `end`, with eight columns of the hash from `first` on. */
// prettier-ignore
function round<K, G>(key: usize, end: usize, tables: usize, data: usize, first: u32): void {
  let next = first;
  for (let from: usize = quad; from < end; from += 128) {
    if (isVector<G>()) {
      hashColumn(tables, data, next++);
      hashColumn(tables, data, next++);
    }
    subBytes<K>(
      at(from, 0), at(from, 1), at(from, 2), at(from, 3), at(from, 4), at(from, 5), at(from, 6), at(from, 7),
      key, from,
    );
  }
  if (isVector<G>()) while (next < first + 8) hashColumn(tables, data, next++);
}

/** SubBytes without its constant; the circuit counts from the top bit. Then the rest of the round. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function subBytes<K>(
  x7: v128, x6: v128, x5: v128, x4: v128, x3: v128, x2: v128, x1: v128, x0: v128,
  key: usize, to: usize,
): void {
  const t1 = x(x0, x3), t2 = x(x0, x5), t3 = x(x0, x6), t4 = x(x3, x5), t5 = x(x4, x6), t6 = x(t1, t5),
    t7 = x(x1, x2), t8 = x(x7, t6), t9 = x(x7, t7), t10 = x(t6, t7), t11 = x(x1, x5), t12 = x(x2, x5),
    t13 = x(t3, t4), t14 = x(t6, t11), t15 = x(t5, t11), t16 = x(t5, t12), t17 = x(t9, t16), t18 = x(x3, x7),
    t19 = x(t7, t18), t20 = x(t1, t19), t21 = x(x6, x7), t22 = x(t7, t21), t23 = x(t2, t22),
    t24 = x(t2, t10), t25 = x(t20, t17), t26 = x(t3, t16), t27 = x(t1, t12), m1 = n(t13, t6),
    m2 = n(t23, t8), m3 = x(t14, m1), m4 = n(t19, x7), m5 = x(m4, m1), m6 = n(t3, t16), m7 = n(t22, t9),
    m8 = x(t26, m6), m9 = n(t20, t17), m10 = x(m9, m6), m11 = n(t1, t15), m12 = n(t4, t27),
    m13 = x(m12, m11), m14 = n(t2, t10), m15 = x(m14, m11), m16 = x(m3, m2), m17 = x(m5, t24),
    m18 = x(m8, m7), m19 = x(m10, m15), m20 = x(m16, m13), m21 = x(m17, m15), m22 = x(m18, m13),
    m23 = x(m19, t25), m24 = x(m22, m23), m25 = n(m22, m20), m26 = x(m21, m25), m27 = x(m20, m21),
    m28 = x(m23, m25), m29 = n(m28, m27), m30 = n(m26, m24), m31 = n(m20, m23), m32 = n(m27, m31),
    m33 = x(m27, m25), m34 = n(m21, m22), m35 = n(m24, m34), m36 = x(m24, m25), m37 = x(m21, m29),
    m38 = x(m32, m33), m39 = x(m23, m30), m40 = x(m35, m36), m41 = x(m38, m40), m42 = x(m37, m39),
    m43 = x(m37, m38), m44 = x(m39, m40), m45 = x(m42, m41), m46 = n(m44, t6), m47 = n(m40, t8),
    m48 = n(m39, x7), m49 = n(m43, t16), m50 = n(m38, t9), m51 = n(m37, t17), m52 = n(m42, t15),
    m53 = n(m45, t27), m54 = n(m41, t10), m55 = n(m44, t13), m56 = n(m40, t23), m57 = n(m39, t19),
    m58 = n(m43, t3), m59 = n(m38, t22), m60 = n(m37, t20), m61 = n(m42, t1), m62 = n(m45, t4),
    m63 = n(m41, t2), l0 = x(m61, m62), l1 = x(m50, m56), l2 = x(m46, m48), l3 = x(m47, m55),
    l4 = x(m54, m58), l5 = x(m49, m61), l6 = x(m62, l5), l7 = x(m46, l3), l8 = x(m51, m59), l9 = x(m52, m53),
    l10 = x(m53, l4), l11 = x(m60, l2), l12 = x(m48, m51), l13 = x(m50, l0), l14 = x(m52, m61),
    l15 = x(m55, l1), l16 = x(m56, l0), l17 = x(m57, l1), l18 = x(m58, l8), l19 = x(m63, l4),
    l20 = x(l0, l1), l21 = x(l1, l7), l22 = x(l3, l12), l23 = x(l18, l2), l24 = x(l15, l9), l25 = x(l6, l10),
    l26 = x(l7, l9), l27 = x(l8, l10), l28 = x(l11, l14), l29 = x(l11, l17), s0 = x(l6, l24),
    s1 = x(l16, l26), s2 = x(l19, l28), s3 = x(l6, l21), s4 = x(l20, l22), s5 = x(l25, l29),
    s6 = x(l13, l27), s7 = x(l6, l23);
  if (sizeof<K>() == 8 && isFloat<K>()) spreadColumns(s7, s6, s5, s4, s3, s2, s1, s0);
  else if (isFloat<K>()) storeState(to, s7, s6, s5, s4, s3, s2, s1, s0);
  else mixColumns<K>(s7, s6, s5, s4, s3, s2, s1, s0, key, to);
}

/** MixColumns (with w the row below and t = a + w: 2t + w + t of two rows below), AddRoundKey. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function mixColumns<K>(
  a0: v128, a1: v128, a2: v128, a3: v128, a4: v128, a5: v128, a6: v128, a7: v128, key: usize, to: usize,
): void {
  const w0 = below<K>(a0), w1 = below<K>(a1), w2 = below<K>(a2), w3 = below<K>(a3);
  const w4 = below<K>(a4), w5 = below<K>(a5), w6 = below<K>(a6), w7 = below<K>(a7);
  const t0 = x(a0, w0), t1 = x(a1, w1), t2 = x(a2, w2), t3 = x(a3, w3);
  const t4 = x(a4, w4), t5 = x(a5, w5), t6 = x(a6, w6), t7 = x(a7, w7);
  v128.store(to, x(x(x(w0, twoBelow<K>(t0)), t7), at(key, 0)));
  v128.store(to, x(x(x(w1, twoBelow<K>(t1)), x(t0, t7)), at(key, 1)), 16);
  v128.store(to, x(x(x(w2, twoBelow<K>(t2)), t1), at(key, 2)), 32);
  v128.store(to, x(x(x(w3, twoBelow<K>(t3)), x(t2, t7)), at(key, 3)), 48);
  v128.store(to, x(x(x(w4, twoBelow<K>(t4)), x(t3, t7)), at(key, 4)), 64);
  v128.store(to, x(x(x(w5, twoBelow<K>(t5)), t4), at(key, 5)), 80);
  v128.store(to, x(x(x(w6, twoBelow<K>(t6)), t5), at(key, 6)), 96);
  v128.store(to, x(x(x(w7, twoBelow<K>(t7)), t6), at(key, 7)), 112);
}

/** The row below of each byte, the state being 1, 2, 3 or 0 ShiftRows behind in the rounds of a group. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function below<K>(a: v128): v128 {
  if (sizeof<K>() == 1) return i8x16.swizzle(a, i8x16(5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12, 1, 2, 3, 0));
  if (sizeof<K>() == 2) return i8x16.swizzle(a, i8x16(9, 10, 11, 8, 13, 14, 15, 12, 1, 2, 3, 0, 5, 6, 7, 4));
  if (sizeof<K>() == 4) return i8x16.swizzle(a, i8x16(13, 14, 15, 12, 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8));
  return i8x16.swizzle(a, i8x16(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12));
}

/** Two rows below. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function twoBelow<K>(a: v128): v128 {
  if (sizeof<K>() == 1 || sizeof<K>() == 4) {
    return i8x16.swizzle(a, i8x16(10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1, 6, 7, 4, 5));
  }
  return i8x16.swizzle(a, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}

// --- into and out of planes

// prettier-ignore
// @ts-ignore: decorator
@inline
function storeState(
  to: usize, a0: v128, a1: v128, a2: v128, a3: v128, a4: v128, a5: v128, a6: v128, a7: v128,
): void {
  v128.store(to, a0); v128.store(to, a1, 16); v128.store(to, a2, 32); v128.store(to, a3, 48);
  v128.store(to, a4, 64); v128.store(to, a5, 80); v128.store(to, a6, 96); v128.store(to, a7, 112);
}

/** Turns the planes of `quad` into blocks by swapping bits 1, 2 and 4 apart, and adds the last round key. */
// prettier-ignore
function writeQuad(end: usize, last: usize, target: usize): void {
  const key = v128.load(last);
  for (let from: usize = quad; from < end; from += 128) {
    let a0 = at(from, 0), a1 = at(from, 1), a2 = at(from, 2), a3 = at(from, 3);
    let a4 = at(from, 4), a5 = at(from, 5), a6 = at(from, 6), a7 = at(from, 7);
    const ones = i8x16.splat(0x55), twos = i8x16.splat(0x33), fours = i8x16.splat(0x0f);
    let t = n(x(i64x2.shr_u(a0, 1), a1), ones); a1 = x(a1, t); a0 = x(a0, i64x2.shl(t, 1));
    t = n(x(i64x2.shr_u(a2, 1), a3), ones); a3 = x(a3, t); a2 = x(a2, i64x2.shl(t, 1));
    t = n(x(i64x2.shr_u(a4, 1), a5), ones); a5 = x(a5, t); a4 = x(a4, i64x2.shl(t, 1));
    t = n(x(i64x2.shr_u(a6, 1), a7), ones); a7 = x(a7, t); a6 = x(a6, i64x2.shl(t, 1));
    t = n(x(i64x2.shr_u(a0, 2), a2), twos); a2 = x(a2, t); a0 = x(a0, i64x2.shl(t, 2));
    t = n(x(i64x2.shr_u(a1, 2), a3), twos); a3 = x(a3, t); a1 = x(a1, i64x2.shl(t, 2));
    t = n(x(i64x2.shr_u(a4, 2), a6), twos); a6 = x(a6, t); a4 = x(a4, i64x2.shl(t, 2));
    t = n(x(i64x2.shr_u(a5, 2), a7), twos); a7 = x(a7, t); a5 = x(a5, i64x2.shl(t, 2));
    t = n(x(i64x2.shr_u(a0, 4), a4), fours); a4 = x(a4, t); a0 = x(a0, i64x2.shl(t, 4));
    t = n(x(i64x2.shr_u(a1, 4), a5), fours); a5 = x(a5, t); a1 = x(a1, i64x2.shl(t, 4));
    t = n(x(i64x2.shr_u(a2, 4), a6), fours); a6 = x(a6, t); a2 = x(a2, i64x2.shl(t, 4));
    t = n(x(i64x2.shr_u(a3, 4), a7), fours); a7 = x(a7, t); a3 = x(a3, i64x2.shl(t, 4));
    a0 = x(a0, key); a1 = x(a1, key); a2 = x(a2, key); a3 = x(a3, key);
    a4 = x(a4, key); a5 = x(a5, key); a6 = x(a6, key); a7 = x(a7, key);
    storeState(target, a0, a1, a2, a3, a4, a5, a6, a7);
    target += 128;
  }
}

/** Bit i of each byte, as 255 or 0, into plane i. */
function storePlanes(target: usize, bytes: v128): void {
  for (let bit: u32 = 0; bit < 8; ++bit) {
    const mask = i8x16.splat(<i8>((<u32>1) << bit));
    v128.store(target + (bit << 4), i8x16.eq(v128.and(bytes, mask), mask));
  }
}

// --- keys

/** Moves the bytes of a round key to where a state `owed` ShiftRows behind keeps them. */
function unshifted(words: v128, owed: u32): v128 {
  for (; owed > 0; --owed)
    words = i8x16.swizzle(words, i8x16(0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3));
  return words;
}

/** Round 1 moves the counter's byte s to row 3 of column 0, where MixColumns makes (s, s, 3s, 2s) of it. */
function fillColumns(base: usize): void {
  const key = <u32>load<u8>(base + WORDS + 15);
  memory.fill(base + COLUMNS, 0, 1024);
  for (let counter: u32 = 0; counter < 256; ++counter) {
    const s = substituteOf(counter ^ key);
    const twice = (s << 1) ^ (s >= 128 ? 0x11b : 0);
    const rows = s | (s << 8) | ((s ^ twice) << 16) | (twice << 24);
    const to = base + COLUMNS + ((counter >> 5) << 7) + (((counter >> 3) & 3) << 2);
    for (let bit: u32 = 0; bit < 8; ++bit) {
      const at = to + (bit << 4);
      store<u32>(at, load<u32>(at) | (((rows >> bit) & 0x01010101) << (counter & 7)));
    }
  }
}

// @ts-ignore: decorator
@inline
function lastKey(base: usize): usize {
  return base + WORDS + (load<u32>(base + ROUNDS) << 4);
}

// @ts-ignore: decorator
@inline
function at(address: usize, index: usize): v128 {
  return v128.load(address + (index << 4));
}

// @ts-ignore: decorator
@inline
function x(a: v128, b: v128): v128 {
  return v128.xor(a, b);
}

// @ts-ignore: decorator
@inline
function n(a: v128, b: v128): v128 {
  return v128.and(a, b);
}
