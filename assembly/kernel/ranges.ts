// SPDX-License-Identifier: Apache-2.0
// Bytes received beyond a hole: ranges in order that neither touch nor overlap. What arrives mostly extends
// the last one, what fills a hole mostly fills the first.

@unmanaged
export class Range {
  from: u64;
  to: u64;
}

// @ts-ignore: decorator
@inline
export function rangeAt(ranges: usize, index: u32): Range {
  return changetype<Range>(ranges + ((<usize>index) << 4));
}

/** Index of the first of n ranges that ends at or behind `position`. */
export function firstEndingAt(ranges: usize, n: u32, position: u64): u32 {
  if (n != 0 && rangeAt(ranges, n - 1).to < position) return n;
  let low: u32 = 0;
  let high = n;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rangeAt(ranges, middle).to < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Adds from..to to n ranges; returns how many there are then. Whoever calls has room for one more. */
export function addRange(ranges: usize, n: u32, from: u64, to: u64): u32 {
  const at = firstEndingAt(ranges, n, from);
  if (at == n || rangeAt(ranges, at).from > to) {
    memory.copy(ranges + ((<usize>at + 1) << 4), ranges + ((<usize>at) << 4), (<usize>(n - at)) << 4);
    rangeAt(ranges, at).from = from;
    rangeAt(ranges, at).to = to;
    return n + 1;
  }
  const mine = rangeAt(ranges, at);
  mine.from = min<u64>(mine.from, from);
  mine.to = max<u64>(mine.to, to);
  let past = at + 1;
  while (past < n && rangeAt(ranges, past).from <= mine.to) {
    mine.to = max<u64>(mine.to, rangeAt(ranges, past).to);
    past++;
  }
  return dropRanges(ranges, n, at + 1, past);
}

/** Takes out the ranges from..to of n; returns how many are left. */
function dropRanges(ranges: usize, n: u32, from: u32, to: u32): u32 {
  if (from == to) return n;
  memory.copy(ranges + ((<usize>from) << 4), ranges + ((<usize>to) << 4), (<usize>(n - to)) << 4);
  return n - (to - from);
}

/** What is received in order when everything up to `position` is: takes the ranges in that are reached. */
export function reached(ranges: usize, n: u32, position: u64): u64 {
  for (let i: u32 = 0; i < n && rangeAt(ranges, i).from <= position; i++) {
    position = max<u64>(position, rangeAt(ranges, i).to);
  }
  return position;
}

/** How many of n ranges end at or below `position`. */
export function countUpTo(ranges: usize, n: u32, position: u64): u32 {
  let gone: u32 = 0;
  while (gone < n && rangeAt(ranges, gone).to <= position) gone++;
  return gone;
}
