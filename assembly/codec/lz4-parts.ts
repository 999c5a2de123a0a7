// SPDX-License-Identifier: Apache-2.0
/**
 * What the LZ4 encoders share: limits of the block format, comparing, writing sequences.
 *
 * In, out    addresses in linear memory; the caller sees to the room unless a line says otherwise.
 * Source     LZ4 block format.
 */

/** Shortest match. */
export const MIN_MATCH: u32 = 4;
/** No match starts within this many bytes of the end. */
export const MATCH_START_MARGIN: u32 = 12;
/** These bytes at the end are always literals. */
export const LAST_LITERALS: u32 = 5;
/** Largest input of either encoder, bytes. */
export const LZ4_INPUT_BYTES_MAX: u32 = 65536;

/**
 * Equal bytes from `a` and `b` on, `a < limit`; `b` lies before `a`.
 * @returns count in bytes, 0 … limit − a
 */
// @ts-ignore: decorator
@inline
export function lz4CountEqual(a: usize, b: usize, limit: usize): u32 {
  const start = a;
  while (a + 8 <= limit) {
    const differ = load<u64>(a) ^ load<u64>(b);
    if (differ != 0) return <u32>(a - start) + <u32>(ctz(differ) >>> 3);
    a += 8;
    b += 8;
  }
  while (a < limit && load<u8>(a) == load<u8>(b)) {
    ++a;
    ++b;
  }
  return <u32>(a - start);
}

/** Bytes that a length takes beyond its nibble: 0 below 15. */
// @ts-ignore: decorator
@inline
export function lz4ExtraBytes(length: u32): u32 {
  return length < 15 ? 0 : (length - 15) / 255 + 1;
}

/** Writes what is left of a length of 15 or more. @returns the address after it */
// @ts-ignore: decorator
@inline
export function lz4PutExtra(op: usize, length: u32): usize {
  length -= 15;
  while (length >= 255) {
    store<u8>(op++, 255);
    length -= 255;
  }
  store<u8>(op, length);
  return op + 1;
}

/**
 * Copies `bytes` literals 16 at a time. Both areas must have up to 15 further bytes that may be touched.
 * @returns the address after the literals
 */
// @ts-ignore: decorator
@inline
export function lz4CopyWild(to: usize, from: usize, bytes: u32): usize {
  const end = to + bytes;
  do {
    v128.store(to, v128.load(from));
    to += 16;
    from += 16;
  } while (to < end);
  return end;
}

/** Literal length and literals of a sequence, behind its token. @returns the address after them */
export function lz4PutLiterals(token: usize, from: usize, bytes: u32, from16: usize, to16: usize): usize {
  let op = token + 1;
  if (bytes >= 15) op = lz4PutExtra(op, bytes);
  if (from + bytes + 16 <= from16 && op + bytes + 16 <= to16) return lz4CopyWild(op, from, bytes);
  memory.copy(op, from, bytes);
  return op + bytes;
}

/**
 * Writes a sequence with a match; there must be room up to `to16`.
 * @param more length of the match beyond the shortest
 * @param from16, to16 ends of the areas, which copies of 16 bytes may touch. @returns the address after it
 */
export function lz4PutSequence(
  op: usize,
  from: usize,
  literals: u32,
  offset: u32,
  more: u32,
  from16: usize,
  to16: usize,
): usize {
  store<u8>(op, (min<u32>(literals, 15) << 4) | min<u32>(more, 15));
  op = lz4PutLiterals(op, from, literals, from16, to16);
  store<u16>(op, offset);
  op += 2;
  return more >= 15 ? lz4PutExtra(op, more) : op;
}

/** The closing sequence: literals only. @returns the address after it, 0 when it does not fit */
export function lz4PutLast(op: usize, from: usize, bytes: u32, dstEnd: usize): usize {
  if (op + 1 + lz4ExtraBytes(bytes) + bytes > dstEnd) return 0;
  store<u8>(op, min<u32>(bytes, 15) << 4);
  return lz4PutLiterals(op, from, bytes, from + bytes, dstEnd);
}
