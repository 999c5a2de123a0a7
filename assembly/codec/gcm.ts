// SPDX-License-Identifier: Apache-2.0
// AES-GCM with a 96-bit IV and a 128-bit tag. NIST SP 800-38D.
//
// In and out: bytes at raw addresses. A key belongs to one of eight contexts and stays until the next one
//   is
//   set.
// How: counters are taken 32 at a time (a "quad", aes.ts) from 0. Block 0 is unused, block 1 masks the tag,
//   data starts at block 2; so the first quad carries 480 bytes of data and the others 512. Sealing hashes
//   finished ciphertext while it makes the next quad of key stream. Opening makes the key stream while it
//   hashes, and decrypts only when the tag is right: no byte of plaintext exists before. A record without
//   data needs nothing but the mask, which then is encrypted alone.
// Leaves out: other lengths of IV and tag; 192-bit keys; resistance to timing (ghash.ts); the uniqueness of
//   the IV, which is the caller's.

import { CIPHER_CONTEXTS, cipherContext, cipherMask, cipherQuad, cipherSetKey, cipherZero } from "./aes";
import { HASH_CONTEXTS, hashBlocks, hashPadded, hashReset, hashSetKey, hashTables, hashValue } from "./ghash";

export const GCM_CONTEXTS: u32 = 8;
const AHEAD: u32 = 32; // bytes of key stream before the data's: block 0, and the mask of the tag
const QUAD: u32 = 512;
const STREAM: u32 = 8192; // bytes of key stream at hand; a longer record is opened in two passes

const mask = memory.data(16, 16);
const block = memory.data(16, 16);
const ending = memory.data(32, 16); // the last blocks that are hashed
const stream = memory.data(8192, 16); // STREAM

if (CIPHER_CONTEXTS != GCM_CONTEXTS || HASH_CONTEXTS != GCM_CONTEXTS) ERROR("gcm: contexts differ");

/** Contexts that have a key, a bit each: without one nothing is sealed or opened. */
let keyed: u32 = 0;

/**
 * Sets the key of `context` (0..7): `bits` (128 or 256) of key at `key`.
 * Returns false, and changes nothing, for another context or size.
 */
export function gcmSetKey(context: u32, key: usize, bits: u32): bool {
  if (context >= GCM_CONTEXTS || !cipherSetKey(context, key, bits)) return false;
  cipherZero(cipherContext(context), block);
  hashSetKey(context, block);
  keyed |= (<u32>1) << context;
  return true;
}

/**
 * Encrypts `length` bytes from `source` to `target` and writes the 16-byte tag of them and of the
 * associated data. `iv` is 12 bytes, never used twice under one key. `target` may be `source`; else the two
 * do not overlap.
 */
export function gcmSeal(
  context: u32,
  iv: usize,
  aad: usize,
  aadLength: u32,
  source: usize,
  target: usize,
  length: u32,
  tag: usize,
): void {
  assert(((keyed >> context) & 1) != 0 && context < GCM_CONTEXTS, "gcm: a context without a key");
  if (length == 0) {
    tagAlone(context, iv, aad, aadLength);
    v128.store(tag, v128.load(block));
    return;
  }
  const cipher = cipherContext(context);
  const tables = hashTables(context);
  hashReset();
  hashPadded(tables, aad, aadLength);
  let done: u32 = 0;
  let hashed: u32 = 0;
  for (let number: u32 = 0; done < length; ++number) {
    const skip = number == 0 ? AHEAD : 0;
    const bytes = min(length - done, QUAD - skip);
    const hashes = min((done - hashed) >> 7, 4);
    cipherQuad(cipher, iv, number, (bytes + skip + 127) >> 7, stream, tables, target + hashed, hashes);
    if (number == 0) v128.store(mask, v128.load(stream, 16));
    addBytes(source + done, stream + skip, target + done, bytes);
    done += bytes;
    hashed += hashes << 7;
  }
  hashEnding(tables, target + hashed, length - hashed, aadLength, length);
  v128.store(tag, v128.load(block));
}

/**
 * Checks the 16-byte tag at `tag` and decrypts `length` bytes from `source` to `target`.
 * Returns false, and leaves the target untouched, if tag, IV, associated data or ciphertext were changed.
 */
export function gcmOpen(
  context: u32,
  iv: usize,
  aad: usize,
  aadLength: u32,
  source: usize,
  target: usize,
  length: u32,
  tag: usize,
): bool {
  assert(((keyed >> context) & 1) != 0 && context < GCM_CONTEXTS, "gcm: a context without a key");
  if (length == 0) {
    tagAlone(context, iv, aad, aadLength);
    return isTag(tag);
  }
  const cipher = cipherContext(context);
  const tables = hashTables(context);
  hashReset();
  hashPadded(tables, aad, aadLength);
  let hashed: u32 = 0;
  let batches = (length + AHEAD + 127) >> 7;
  const one = batches <= STREAM >> 7;
  if (!one) batches = 1;
  for (let number: u32 = 0; batches > 0; ++number) {
    const count = min(batches, 4);
    const hashes = min((length - hashed) >> 7, 4);
    cipherQuad(cipher, iv, number, count, stream + number * QUAD, tables, source + hashed, hashes);
    batches -= count;
    hashed += hashes << 7;
  }
  v128.store(mask, v128.load(stream, 16));
  hashEnding(tables, source + hashed, length - hashed, aadLength, length);
  if (!isTag(tag)) return false;
  if (one) addBytes(source, stream + AHEAD, target, length);
  else decrypt(cipher, iv, source, target, length);
  return true;
}

/** Whether the 16 bytes at `tag` are the tag in `block`. */
// @ts-ignore: decorator
@inline
function isTag(tag: usize): bool {
  return !v128.any_true(v128.xor(v128.load(block), v128.load(tag)));
}

/** Decrypts a record whose tag is right, when its key stream is not at hand. */
function decrypt(cipher: usize, iv: usize, source: usize, target: usize, length: u32): void {
  let done: u32 = 0;
  for (let number: u32 = 0; done < length; ++number) {
    const skip = number == 0 ? AHEAD : 0;
    const bytes = min(length - done, QUAD - skip);
    cipherQuad(cipher, iv, number, (bytes + skip + 127) >> 7, stream, 0, 0, 0);
    addBytes(source + done, stream + skip, target + done, bytes);
    done += bytes;
  }
}

/** The tag of a record without data, in `block`. */
function tagAlone(context: u32, iv: usize, aad: usize, aadLength: u32): void {
  const tables = hashTables(context);
  cipherMask(cipherContext(context), iv, mask);
  hashReset();
  // The usual header, a block: hashed in one go with the lengths.
  const usual = aadLength == 16;
  if (usual) v128.store(ending, v128.load(aad));
  else hashPadded(tables, aad, aadLength);
  finishTag(tables, usual ? 1 : 0, aadLength, 0);
}

/** Hashes the last `rest` bytes of `length`, at `data`, padded with zeros, and leaves the tag in `block`. */
function hashEnding(tables: usize, data: usize, rest: u32, aadLength: u32, length: u32): void {
  hashBlocks(tables, data, rest >> 4);
  const odd = rest & 15;
  if (odd != 0) {
    v128.store(ending, i64x2.splat(0));
    memory.copy(ending, data + (rest - odd), odd);
  }
  finishTag(tables, odd != 0 ? 1 : 0, aadLength, length);
}

/** Hashes `blocks` (0 or 1) in `ending` and the two lengths in bits, and leaves the tag in `block`. */
function finishTag(tables: usize, blocks: u32, aadLength: u32, length: u32): void {
  store<u64>(ending, bswap<u64>((<u64>aadLength) << 3), 16);
  store<u64>(ending, bswap<u64>((<u64>length) << 3), 24);
  hashBlocks(tables, ending + 16 - (blocks << 4), blocks + 1);
  v128.store(block, v128.xor(v128.load(hashValue()), v128.load(mask)));
}

/** target = source + stream in GF(2), `length` bytes. */
function addBytes(source: usize, stream: usize, target: usize, length: u32): void {
  for (; length >= 64; length -= 64) {
    const a = v128.xor(v128.load(source), v128.load(stream));
    const b = v128.xor(v128.load(source, 16), v128.load(stream, 16));
    const c = v128.xor(v128.load(source, 32), v128.load(stream, 32));
    const d = v128.xor(v128.load(source, 48), v128.load(stream, 48));
    v128.store(target, a);
    v128.store(target, b, 16);
    v128.store(target, c, 32);
    v128.store(target, d, 48);
    source += 64;
    stream += 64;
    target += 64;
  }
  for (; length >= 16; length -= 16) {
    v128.store(target, v128.xor(v128.load(source), v128.load(stream)));
    source += 16;
    stream += 16;
    target += 16;
  }
  for (; length > 0; --length) store<u8>(target++, load<u8>(source++) ^ load<u8>(stream++));
}
