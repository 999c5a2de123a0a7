// SPDX-License-Identifier: Apache-2.0
/**
 * Software LZ4: the encoder that liblz4 1.9.4 is at acceleration 1, and a decoder that trusts no block.
 *
 * Models     nothing: pure functions on bytes, the "software" arm beside the hardware encoder (lz4hw.ts).
 * In, out    addresses and lengths in linear memory; a block without frame.
 * Time       none here; the caller charges cycles per byte.
 * Leaves out inputs above 64 KiB (liblz4 changes its table there), dictionaries, streams, acceleration.
 * Source     LZ4 block format; test/10-lz4.test.ts holds the output byte for byte against liblz4 1.9.4.
 *
 * Encoder: 8192 entries of 16 bits hold epoch + position. A new job starts at a higher epoch instead of
 * clearing 16 KiB. An entry below its epoch is nothing; liblz4's cleared entry, position 0, is a candidate
 * that always fails: were the four bytes equal, position 0 would have overwritten that very entry.
 */
import {
  LAST_LITERALS,
  LZ4_INPUT_BYTES_MAX,
  MATCH_START_MARGIN,
  MIN_MATCH,
  lz4CopyWild,
  lz4CountEqual,
  lz4PutExtra,
  lz4PutLast,
  lz4PutLiterals,
} from "./lz4-parts";

const TABLE_LOG: u32 = 13;
const TABLE_BYTES: u32 = 2 << TABLE_LOG;
const TABLE = memory.data(16384, 16);
/** Failed probes before the step grows by one, as a power of two. */
const SKIP_LOG: u32 = 6;

/** First table value of the next job. */
let epochNext: u32 = 0;

// @ts-ignore: decorator
@inline
function slotOf(at: usize): usize {
  return TABLE + <usize>(((load<u32>(at) * 2654435761) >>> (32 - TABLE_LOG)) << 1);
}

/** Candidate of the match that findMatch returned. */
let foundCandidate: usize = 0;

/** The first position from `ip` on whose table entry matches; 0: none before `startEnd`. */
// @ts-ignore: decorator
@inline
function findMatch(ip: usize, base: usize, src: usize, startEnd: usize): usize {
  let probes: u32 = 1 << SKIP_LOG;
  let step: u32 = 1;
  let slot = slotOf(ip);
  let ahead = ip;
  while (true) {
    ip = ahead;
    ahead += step;
    step = probes++ >> SKIP_LOG;
    if (ahead > startEnd) return 0;
    const at = slot;
    const candidate = base + <usize>load<u16>(at);
    slot = slotOf(ahead);
    store<u16>(at, <u32>(ip - base));
    if (load<u32>(candidate) == load<u32>(ip) && candidate >= src) {
      foundCandidate = candidate;
      return ip;
    }
  }
}

/**
 * Takes the next epoch for `length` positions at `src`. Candidates of older epochs lie below `src`; they are
 * read before they are rejected (the other order costs a quarter on ELF pages), so they must be addresses.
 * @returns the epoch's first table value
 */
function takeEpoch(src: usize, length: u32): u32 {
  if (epochNext + length > 65536 || src < <usize>epochNext) {
    memory.fill(TABLE, 0, TABLE_BYTES);
    epochNext = 0;
  }
  const epoch = epochNext;
  epochNext += length;
  return epoch;
}

/**
 * Compresses one block exactly as liblz4 1.9.4's LZ4_compress_default does.
 * @param src, len input; at most 65536 bytes
 * @param dst, cap output area; len + len / 255 + 16 bytes always suffice
 * @returns bytes written; 0 when the block does not fit (or len is too large)
 */
export function lz4Compress(src: usize, len: u32, dst: usize, cap: u32): u32 {
  if (len > LZ4_INPUT_BYTES_MAX) return 0;
  let anchor = src;
  let op = dst;
  const srcEnd = src + len;
  const dstEnd = dst + cap;
  if (len > MATCH_START_MARGIN) {
    const base = src - <usize>takeEpoch(src, len);
    const startEnd = srcEnd - MATCH_START_MARGIN + 1;
    const matchEnd = srcEnd - LAST_LITERALS;
    store<u16>(slotOf(src), <u32>(src - base));
    let ip = src + 1;
    while (true) {
      ip = findMatch(ip, base, src, startEnd);
      if (ip == 0) break;
      let candidate = foundCandidate;
      while (ip > anchor && candidate > src && load<u8>(ip - 1) == load<u8>(candidate - 1)) {
        --ip;
        --candidate;
      }
      const literals = <u32>(ip - anchor);
      let token = op;
      if (op + literals + literals / 255 + 9 > dstEnd) return 0;
      if (literals <= 14 && op + 17 <= dstEnd && anchor + 16 <= srcEnd) {
        v128.store(op, v128.load(anchor), 1);
        op += 1 + literals;
      } else op = lz4PutLiterals(op, anchor, literals, srcEnd, dstEnd);
      let nibble = min<u32>(literals, 15) << 4;
      // Matches that follow each other without literals between them.
      while (true) {
        store<u16>(op, <u32>(ip - candidate));
        op += 2;
        const more = lz4CountEqual(ip + MIN_MATCH, candidate + MIN_MATCH, matchEnd);
        ip += more + MIN_MATCH;
        if (op + (1 + LAST_LITERALS) + (more + 240) / 255 > dstEnd) return 0;
        store<u8>(token, nibble | min<u32>(more, 15));
        if (more >= 15) op = lz4PutExtra(op, more);
        anchor = ip;
        if (ip >= startEnd) break;
        store<u16>(slotOf(ip - 2), <u32>(ip - 2 - base));
        const slot = slotOf(ip);
        candidate = base + <usize>load<u16>(slot);
        store<u16>(slot, <u32>(ip - base));
        if (load<u32>(candidate) != load<u32>(ip) || candidate < src) break;
        token = op++;
        nibble = 0;
      }
      if (ip >= startEnd) break;
      ++ip;
    }
  }
  op = lz4PutLast(op, anchor, <u32>(srcEnd - anchor), dstEnd);
  return op == 0 ? 0 : <u32>(op - dst);
}

/** Byte masks for i8x16.swizzle: row r repeats bytes 0 … r − 1; row 0 is unused. */
const REPEAT = memory.data(256, 16);
/** Bytes that a store of row r's pattern advances: the greatest multiple of r up to 16. */
const REPEAT_STEP = memory.data(16, 16);
let repeatReady: bool = false;

function prepareRepeat(): void {
  for (let offset: u32 = 1; offset < 16; ++offset) {
    for (let i: u32 = 0; i < 16; ++i) store<u8>(REPEAT + offset * 16 + i, i % offset);
    store<u8>(REPEAT_STEP + offset, 16 - (16 % offset));
  }
  repeatReady = true;
}

/** Copies a match; up to 15 bytes behind it may be overwritten. @returns the end of the match */
// @ts-ignore: decorator
@inline
function copyMatchWild(op: usize, offset: u32, bytes: u32): usize {
  const end = op + bytes;
  let from = op - offset;
  if (offset >= 16) {
    do {
      v128.store(op, v128.load(from));
      op += 16;
      from += 16;
    } while (op < end);
  } else {
    const pattern = i8x16.swizzle(v128.load(from), v128.load(REPEAT + offset * 16));
    const step: usize = load<u8>(REPEAT_STEP + offset);
    do {
      v128.store(op, pattern);
      op += step;
    } while (op < end);
  }
  return end;
}

/** Copies a match that may end at the very end of the area. @returns the end of the match */
function copyMatchExact(op: usize, offset: u32, bytes: u32, dstEnd: usize): usize {
  const end = op + bytes;
  if (op + 32 <= dstEnd) {
    const wild = min<usize>(end, dstEnd - 16) - op;
    op = copyMatchWild(op, offset, <u32>wild);
  }
  while (op < end) {
    store<u8>(op, load<u8>(op - offset));
    ++op;
  }
  return end;
}

/** Largest area the decoder takes, so that no sum of lengths and addresses wraps. */
const DECODE_BYTES_MAX: u32 = 1 << 30;
/**
 * What the decoder's unchecked copies may touch beyond a sequence: 14 + 18 bytes and a store of 16,
 * rounded up.
 */
const FAST_DST_BYTES: u32 = 64;
const FAST_SRC_BYTES: u32 = 32;

/** Where the bytes of the length end that readExtra returned; 0: the block ended inside it. */
let extraEnd: usize = 0;

/** Reads the bytes after a nibble of 15. @returns their sum; stops above DECODE_BYTES_MAX */
function readExtra(ip: usize, srcEnd: usize): u32 {
  let sum: u32 = 0;
  while (ip < srcEnd && sum <= DECODE_BYTES_MAX) {
    const byte: u32 = load<u8>(ip++);
    sum += byte;
    if (byte != 255) {
      extraEnd = ip;
      return sum;
    }
  }
  extraEnd = 0;
  return 0;
}

/** As readExtra, quick for a single byte; the byte at `ip` must be readable. */
// @ts-ignore: decorator
@inline
function readExtraFast(ip: usize, srcEnd: usize): u32 {
  const byte: u32 = load<u8>(ip);
  if (byte == 255) return readExtra(ip, srcEnd);
  extraEnd = ip + 1;
  return byte;
}

/** Decodes from any sequence on, every access checked. @returns bytes from dst on, or -1 */
function decodeChecked(ip: usize, op: usize, dst: usize, srcEnd: usize, dstEnd: usize): i32 {
  while (ip < srcEnd) {
    const token: u32 = load<u8>(ip++);
    let bytes = token >> 4;
    if (bytes == 15) {
      bytes += readExtra(ip, srcEnd);
      ip = extraEnd;
      if (ip == 0) return -1;
    }
    if (bytes > <u32>(srcEnd - ip) || bytes > <u32>(dstEnd - op)) return -1;
    memory.copy(op, ip, bytes);
    ip += bytes;
    op += bytes;
    if (ip == srcEnd) return <i32>(op - dst);
    if (srcEnd - ip < 2) return -1;
    const offset: u32 = load<u16>(ip);
    ip += 2;
    bytes = (token & 15) + MIN_MATCH;
    if (bytes == 15 + MIN_MATCH) {
      bytes += readExtra(ip, srcEnd);
      ip = extraEnd;
      if (ip == 0) return -1;
    }
    if (offset == 0 || offset > <u32>(op - dst) || bytes > <u32>(dstEnd - op)) return -1;
    op = copyMatchExact(op, offset, bytes, dstEnd);
  }
  return -1;
}

/**
 * Decompresses one block from an untrusted source. Reads only [src, src + len), writes only [dst, dst + cap),
 * whatever the block says; bytes of the area beyond the result may have been overwritten.
 * @param src, len the block; @param dst, cap the output area; at most 2^30 bytes each, not overlapping
 * @returns the exact length, or -1 when the block is malformed or does not fit
 */
export function lz4Decompress(src: usize, len: u32, dst: usize, cap: u32): i32 {
  if (len > DECODE_BYTES_MAX || cap > DECODE_BYTES_MAX) return -1;
  if (!repeatReady) prepareRepeat();
  const srcEnd = src + len;
  const dstEnd = dst + cap;
  let ip = src;
  let op = dst;
  if (len < FAST_SRC_BYTES || cap < FAST_DST_BYTES) return decodeChecked(ip, op, dst, srcEnd, dstEnd);
  const srcFast = srcEnd - FAST_SRC_BYTES;
  const dstFast = dstEnd - FAST_DST_BYTES;
  // A sequence that comes near an end is left, unread, to decodeChecked.
  while (ip <= srcFast && op <= dstFast) {
    const token: u32 = load<u8>(ip);
    const literals = token >> 4;
    let from = ip + 1;
    let to = op;
    if (literals < 15) {
      v128.store(to, v128.load(from));
      from += literals;
      to += literals;
    } else {
      const bytes: u32 = 15 + readExtraFast(from, srcEnd);
      from = extraEnd;
      if (from == 0) return -1;
      if (bytes + FAST_SRC_BYTES > <u32>(srcEnd - from)) break;
      if (bytes + FAST_DST_BYTES > <u32>(dstEnd - to)) break;
      to = lz4CopyWild(to, from, bytes);
      from += bytes;
    }
    const offset: u32 = load<u16>(from);
    from += 2;
    if (offset - 1 >= <u32>(to - dst)) return -1;
    let bytes = token & 15;
    if (bytes < 15 && offset >= 8) {
      const match = to - offset;
      store<u64>(to, load<u64>(match));
      store<u64>(to, load<u64>(match, 8), 8);
      store<u16>(to, load<u16>(match, 16), 16);
      op = to + bytes + MIN_MATCH;
      ip = from;
      continue;
    }
    if (bytes == 15) {
      bytes += readExtraFast(from, srcEnd);
      from = extraEnd;
      if (from == 0) return -1;
    }
    bytes += MIN_MATCH;
    if (bytes + 16 > <u32>(dstEnd - to)) break;
    op = copyMatchWild(to, offset, bytes);
    ip = from;
  }
  return decodeChecked(ip, op, dst, srcEnd, dstEnd);
}
