// SPDX-License-Identifier: Apache-2.0
// XBZRLE: a page as what has changed since an older copy of it.
//
//   delta  = one or more of:  | zero run: its length | non-zero run: its length, the new bytes |
//   length = ULEB128 of at most 14 bits: 7 bits a byte, low ones first, bit 7 set where another follows
//
// A zero run is bytes that are the same in both, a non-zero run bytes that differ; runs are as long as they
// can be, and what is the same behind the last change is left out. So a page that has changed in n places by
// k bytes together takes k bytes and 2 to 4 for each place; one that has not changed takes none. The bytes
// are the new ones, not their XOR: who has the old page needs only to write them.
// Pure functions on bytes, no time. The format is QEMU's (docs/devel/migration/xbzrle.rst); its encoder also
// gives up when it begins a run with fewer than 2 bytes left, if only to find that nothing more has changed:
// `xbzrleEncodeAsQemu`. This one does where the delta does not fit.

const LENGTH_MAX: u32 = 1 << 14;
const ONES: u64 = 0x0101010101010101;

/** The non-zero run that nextRun has read: where it begins in the page, its bytes, and where they stand. */
export let runStart: u32 = 0;
export let runBytes: u32 = 0;
export let runFrom: u32 = 0;

/** First place from i on at which the two differ, `length` where they do not. */
function skipSame(old: usize, page: usize, i: u32, length: u32): u32 {
  for (; i + 8 <= length; i += 8) {
    const x = load<u64>(old + i) ^ load<u64>(page + i);
    if (x != 0) return i + ((<u32>ctz<u64>(x)) >> 3);
  }
  while (i < length && load<u8>(old + i) == load<u8>(page + i)) i++;
  return i;
}

/** First place from i on at which the two are equal, `length` where they are not. */
function skipChanged(old: usize, page: usize, i: u32, length: u32): u32 {
  for (; i + 8 <= length; i += 8) {
    const x = load<u64>(old + i) ^ load<u64>(page + i);
    // bit 7 of the lowest byte that is zero, and of none below it
    const equal = (x - ONES) & ~x & (ONES << 7);
    if (equal != 0) return i + ((<u32>ctz<u64>(equal)) >> 3);
  }
  while (i < length && load<u8>(old + i) != load<u8>(page + i)) i++;
  return i;
}

// @ts-ignore: decorator
@inline
function lengthBytes(n: u32): u32 {
  return n < 128 ? 1 : 2;
}

function putLength(at: usize, n: u32): u32 {
  if (n < 128) {
    store<u8>(at, <u8>n);
    return 1;
  }
  store<u8>(at, <u8>((n & 127) | 128));
  store<u8>(at, <u8>(n >> 7), 1);
  return 2;
}

/**
 * Writes the delta from `old` to `page`, both of `length` bytes, to `target`.
 * @returns its bytes, 0 when nothing has changed, -1 when it takes more than `capacity`
 */
export function xbzrleEncode(old: usize, page: usize, length: u32, target: usize, capacity: u32): i32 {
  assert(length < LENGTH_MAX, "a run's length has 14 bits");
  let size: u32 = 0;
  let i: u32 = 0;
  while (true) {
    const from = skipSame(old, page, i, length);
    if (from == length) return <i32>size;
    const to = skipChanged(old, page, from, length);
    const n = to - from;
    if (size + lengthBytes(from - i) + lengthBytes(n) + n > capacity) return -1;
    size += putLength(target + size, from - i);
    size += putLength(target + size, n);
    memory.copy(target + size, page + from, n);
    size += n;
    i = to;
  }
}

/**
 * The same as QEMU's `xbzrle_encode_buffer` does it: a delta that leaves less than 2 bytes of the capacity is
 * given up as well (-1) where the page's end has not changed.
 */
export function xbzrleEncodeAsQemu(old: usize, page: usize, length: u32, target: usize, capacity: u32): i32 {
  const size = xbzrleEncode(old, page, length, target, capacity);
  if (size <= 0 || <u32>size + 2 <= capacity) return size;
  return load<u8>(old + length - 1) == load<u8>(page + length - 1) ? -1 : size;
}

let lengthRead: u32 = 0;

/** Reads a length at `at` of a delta of `bytes`; returns where it ends, 0 when it does not end in time. */
function takeLength(delta: usize, bytes: u32, at: u32): u32 {
  if (at >= bytes) return 0;
  const low = <u32>load<u8>(delta + at);
  lengthRead = low & 127;
  if (low < 128) return at + 1;
  if (at + 1 >= bytes) return 0;
  const high = <u32>load<u8>(delta + at, 1);
  if (high > 127) return 0;
  lengthRead |= high << 7;
  return at + 2;
}

/**
 * Reads the pair of runs at `at` of a delta for a page of `length` bytes, of which the first `done` are
 * passed; runStart, runBytes and runFrom tell of it.
 * @returns where the next pair stands, 0 when this one is malformed
 */
export function nextRun(delta: usize, bytes: u32, at: u32, done: u32, length: u32): u32 {
  let next = takeLength(delta, bytes, at);
  if (next == 0 || (at != 0 && lengthRead == 0)) return 0;
  runStart = done + lengthRead;
  next = takeLength(delta, bytes, next);
  if (next == 0 || lengthRead == 0) return 0;
  runBytes = lengthRead;
  runFrom = next;
  if (runStart + runBytes > length || next + runBytes > bytes) return 0;
  return next + runBytes;
}

/**
 * Brings a page of `length` bytes, which is the old one, up to date by a delta.
 * @returns the place behind the last byte written, 0 for an empty delta, -1 when it is malformed: what is
 * before the fault has been applied then, and nothing outside the page
 */
export function xbzrleDecode(delta: usize, bytes: u32, page: usize, length: u32): i32 {
  let done: u32 = 0;
  for (let at: u32 = 0; at < bytes;) {
    const next = nextRun(delta, bytes, at, done, length);
    if (next == 0) return -1;
    memory.copy(page + runStart, delta + runFrom, runBytes);
    done = runStart + runBytes;
    at = next;
  }
  return <i32>done;
}
