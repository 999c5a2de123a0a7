// SPDX-License-Identifier: Apache-2.0
// Requests of a storage adapter in turn: two lines a side, of those whose data is read, and of those whose
// answer is written. One that is no longer what it waits as has left its line.
import { slot } from "./storage";

const LINE: u32 = 512; // a power of two that holds all requests, and cancelled ones whose turn is to come


@unmanaged
class Line {
  head: u32;
  tail: u32;
}

const LINES = memory.data(32, 16);
const TURNS = memory.data(8192, 16);
export const PULLS: u32 = 0;
export const PUSHES: u32 = 1;

if (2 * 2 * LINE * 4 != 8192) ERROR("lines of the storage adapter");

// @ts-ignore: decorator
@inline
function line(side: u32, which: u32): Line {
  return changetype<Line>(LINES + ((side * 2 + which) << 3));
}

// @ts-ignore: decorator
@inline
function turn(side: u32, which: u32, at: u32): usize {
  return TURNS + (((side * 2 + which) * LINE + (at & (LINE - 1))) << 2);
}

export function buildLines(): void {
  memory.fill(LINES, 0, 32);
}

export function join(side: u32, which: u32, index: u32): void {
  const l = line(side, which);
  store<u32>(turn(side, which, l.tail), index);
  l.tail++;
}

/** The first of a line, plus one; 0 when there is none. */
export function first(side: u32, which: u32, state: u32): u32 {
  const l = line(side, which);
  while (l.head != l.tail) {
    const index = load<u32>(turn(side, which, l.head));
    if (slot(index).state == state) return index + 1;
    l.head++;
  }
  return 0;
}

/** The first leaves. */
export function leave(side: u32, which: u32): void {
  line(side, which).head++;
}
