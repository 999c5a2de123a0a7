// SPDX-License-Identifier: Apache-2.0
// What a receiver makes of segments that do not come in order: blocks beyond holes, which it reports, and,
// when
// several connections carry one data link, their bytes in the link's order.
//
//   held, 8 bytes: | ranges | n |, of a link that has several connections, by receiving side and link
import { G_NET_SEGMENTS } from "../abi";
import { Connection } from "./connection";
import { Arrival } from "./frames";
import { reserve } from "./memory";
import { g } from "./params";
import { addRange, countUpTo, firstEndingAt, rangeAt, reached } from "./ranges";
import { Stream } from "./stream";

const HELD = memory.data(32, 8);

// @ts-ignore: decorator
@inline
function held(side: u32, link: u32): usize {
  return HELD + ((side * 2 + link) << 3);
}

/** Lays out what links with several connections need; false when it does not fit. */
export function buildReassembly(streams: u32): bool {
  memory.fill(HELD, 0, 32);
  for (let i: u32 = 0; streams > 1 && i < 4; i++) {
    const ranges = reserve((g(G_NET_SEGMENTS) * streams) << 4);
    if (ranges == 0) return false;
    store<u32>(HELD + (i << 3), <u32>ranges);
  }
  return true;
}

/** A segment that begins at or before what is received in order. */
export function inOrder(c: Connection, e: Arrival): void {
  c.received = e.end;
  if (c.rangeCount == 0) return;
  c.received = reached(c.ranges, c.rangeCount, e.end);
  const gone = countUpTo(c.ranges, c.rangeCount, c.received);
  c.rangeCount -= gone;
  c.ranges = c.rangeCount == 0 ? c.rangesAt : c.ranges + ((<usize>gone) << 4);
}

/** A segment beyond a hole. */
export function beyondHole(c: Connection, e: Arrival): void {
  const room = <u32>((c.rangesAt + ((<usize>c.rangeRoom) << 4) - c.ranges) >> 4);
  if (c.rangeCount == room) {
    memory.copy(c.rangesAt, c.ranges, (<usize>c.rangeCount) << 4);
    c.ranges = c.rangesAt;
  }
  c.rangeCount = addRange(c.ranges, c.rangeCount, e.end - e.bytes, e.end);
  // a block that grew stays the newest of the three
  const newest = firstEndingAt(c.ranges, c.rangeCount, e.end);
  const from = rangeAt(c.ranges, newest).from;
  if (c.recent0 < from || c.recent0 > rangeAt(c.ranges, newest).to) {
    c.recent2 = c.recent1;
    c.recent1 = c.recent0;
  }
  c.recent0 = e.end;
}

/** Several connections bring the bytes of a link: they are in order when all before them are there. */
export function place(s: Stream, side: u32, link: u32, e: Arrival): void {
  const ranges = <usize>load<u32>(held(side, link));
  let n = load<u32>(held(side, link), 4);
  if (e.data + e.bytes > s.received) n = addRange(ranges, n, max<u64>(e.data, s.received), e.data + e.bytes);
  s.received = n != 0 && rangeAt(ranges, 0).from <= s.received ? rangeAt(ranges, 0).to : s.received;
  const gone = countUpTo(ranges, n, s.received);
  memory.copy(ranges, ranges + ((<usize>gone) << 4), (<usize>(n - gone)) << 4);
  store<u32>(held(side, link), n - gone, 4);
}

/** Blocks as they were told last: three of | from u32 | to u32 |. */
export const BLOCKS = memory.data(24, 8);

/** Puts the blocks that grew last into BLOCKS, as offsets from what is acknowledged (RFC 2018, 4). */
export function tellHoles(c: Connection): u32 {
  let n: u32 = 0;
  memory.fill(BLOCKS, 0, 24);
  for (let k: u32 = 0; k < 3; k++) {
    const position = k == 0 ? c.recent0 : k == 1 ? c.recent1 : c.recent2;
    if (position <= c.received) continue;
    const i = firstEndingAt(c.ranges, c.rangeCount, position);
    if (i == c.rangeCount) continue;
    const from = <u32>(rangeAt(c.ranges, i).from - c.received);
    let told = false;
    for (let j: u32 = 0; j < n; j++) told = told || load<u32>(BLOCKS + (j << 3)) == from;
    if (told) continue;
    store<u32>(BLOCKS + (n << 3), from);
    store<u32>(BLOCKS + (n << 3), <u32>(rangeAt(c.ranges, i).to - c.received), 4);
    n++;
  }
  return n;
}
