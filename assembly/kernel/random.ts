// SPDX-License-Identifier: Apache-2.0
// The core's only randomness: a seeded 32-bit mixer (the finaliser of MurmurHash3, public domain), a pure
// function.

/** Mixes two words to a uniformly spread u32. */
export function mix(a: u32, b: u32): u32 {
  let h = a ^ (b * 0x9e3779b1);
  h ^= h >> 16;
  h *= 0x85ebca6b;
  h ^= h >> 13;
  h *= 0xc2b2ae35;
  return h ^ (h >> 16);
}
