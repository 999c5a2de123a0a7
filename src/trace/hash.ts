// SPDX-License-Identifier: Apache-2.0
// Seeded integer hashing: every random-looking decision about traces goes through here.
//
// mix(x) is a bijection of 32 bits (xor-shift and odd multiplication, twice); hash() feeds seed and
// arguments through it one after the other, each spread by an odd constant first, as splitmix does with its
// counter. Only 32-bit integer operations: the same on every machine. Not cryptographic.

/** One round of mixing: u32 -> u32, a bijection. */
export function mix(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/**
 * Takes `value` (its low 32 bits) into a running hash `h`. A hash of a fixed beginning can be kept and
 * continued: hash(s, a, b, c) = stir(stir(stir(begin(s), a), b), c).
 */
export function stir(h: number, value: number): number {
  return mix(h ^ Math.imul(value + 1, 0x85ebca6b));
}

/** The running hash of nothing but a seed. */
export function begin(seed: number): number {
  return mix((seed + 0x9e3779b9) | 0);
}

/** Hash of up to three integers under `seed`: u32. */
export function hash(seed: number, a: number, b = 0, c = 0): number {
  return stir(stir(stir(begin(seed), a), b), c);
}

/** Maps a u32 hash to 0 .. count - 1 by its upper bits: floor(h * count / 2^32), exact for count < 2^32. */
export function pick(h: number, count: number): number {
  return Math.floor(((h >>> 16) * count + Math.floor(((h & 0xffff) * count) / 65536)) / 65536);
}

/** Separates the uses of one seed: the first argument of `hash` for each kind of decision. */
export const SALT = {
  instant: 1,
  instantLow: 2,
  delay: 3,
  standIn: 4,
  content: 5,
  place: 6,
  draw: 7,
  octave: 8,
  scramble: 9,
  read: 10,
} as const;
