// SPDX-License-Identifier: Apache-2.0
// DRAM of a card: bytes pass at a rate. Where it keeps a cache of pages (`delta`, the source's card), or
// jobs of encoders are copied into it, the units that use it share it as one serial server, in the order in
// which they ask, of equal times the one that is stepped first: end = max(t, end of the one before) +
// ceil(bytes x ticks a byte). Elsewhere each has its own rate: end = t + ceil(bytes x ticks a byte).
// Leaves out: banks, refresh, turning from reads to writes, latency (every user reads ahead in order).
import { S_DRAM_DEN, S_DRAM_NUM, S_LZ_COPIES } from "../abi";
import { deltas } from "./pages";
import { p, p32 } from "./params";
import { spanTicks } from "./time";

let free: u64 = 0;
let shared: bool = false;

export function buildDram(): void {
  free = 0;
  shared = deltas || p32(0, S_LZ_COPIES) != 0;
}

/** When the DRAM of a side's card has moved `bytes` for a unit that asks at t. */
export function dramDone(side: u32, t: u64, bytes: u32): u64 {
  const span = spanTicks(bytes, p(side, S_DRAM_NUM), p(side, S_DRAM_DEN));
  if (!shared || side != 0) return t + span;
  free = max<u64>(t, free) + span;
  return free;
}
