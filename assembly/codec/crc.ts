// SPDX-License-Identifier: Apache-2.0
// CRC-32 of zlib, PNG and Ethernet: polynomial 0xEDB88320 (reflected). RFC 1952 section 8; ITU-T V.42.
//
// In and out: bytes at a raw address go in, the checksum comes out; a result is the seed for the bytes that
//   follow.
// How: sixteen tables take sixteen bytes a step ("slicing": Kounavis and Berry, A Systematic Approach to
//   Building High Performance, Software-based, CRC Generators, 2005).

const SLICES: u32 = 16;
const tables = memory.data(16384, 64); // SLICES * 256 * 4
let ready: bool = false;

/**
 * CRC-32 of `length` bytes at `source`.
 * `seed` is 0 for the first bytes, or the result for the bytes before these, as in zlib's crc32().
 */
export function crc32(seed: u32, source: usize, length: u32): u32 {
  if (!ready) fillTables();
  let crc = ~seed;
  while (length >= 16) {
    const a = load<u64>(source) ^ (<u64>crc);
    const b = load<u64>(source, 8);
    crc =
      slice(15, a) ^
      slice(14, a >> 8) ^
      slice(13, a >> 16) ^
      slice(12, a >> 24) ^
      (slice(11, a >> 32) ^ slice(10, a >> 40) ^ slice(9, a >> 48) ^ slice(8, a >> 56)) ^
      (slice(7, b) ^ slice(6, b >> 8) ^ slice(5, b >> 16) ^ slice(4, b >> 24)) ^
      (slice(3, b >> 32) ^ slice(2, b >> 40) ^ slice(1, b >> 48) ^ slice(0, b >> 56));
    source += 16;
    length -= 16;
  }
  while (length > 0) {
    crc = (crc >> 8) ^ slice(0, (<u64>crc) ^ (<u64>load<u8>(source)));
    source += 1;
    length -= 1;
  }
  return ~crc;
}

/** Entry of one table for the low byte of `word`: that byte followed by `table` zero bytes. */
// @ts-ignore: decorator
@inline
function slice(table: u32, word: u64): u32 {
  return load<u32>(tables + (table << 10) + (((<usize>word) & 255) << 2));
}

function fillTables(): void {
  for (let value: u32 = 0; value < 256; ++value) {
    let crc = value;
    for (let bit: u32 = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320 & (0 - (crc & 1)));
    store<u32>(tables + (value << 2), crc);
  }
  for (let at: u32 = 256; at < SLICES * 256; ++at) {
    const before = load<u32>(tables + ((at - 256) << 2));
    store<u32>(tables + (at << 2), (before >> 8) ^ load<u32>(tables + ((before & 255) << 2)));
  }
  ready = true;
}
