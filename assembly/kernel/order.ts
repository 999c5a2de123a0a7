// SPDX-License-Identifier: Apache-2.0
// What the ports of a side's bus have in common: which of them hold something, how many writes were put into
// them and have gone (writes keep their order, reads do not pass them), and when their wires are free.

// when the wire of a side and direction is free: there is no use in waking it before
const WIRE_FREE = memory.data(32, 8);

// @ts-ignore: decorator
@inline
export function wireFree(side: u32, dir: u32): u64 {
  return load<u64>(WIRE_FREE + ((side * 2 + dir) << 3));
}

// @ts-ignore: decorator
@inline
export function setWireFree(side: u32, dir: u32, t: u64): void {
  store<u64>(WIRE_FREE + ((side * 2 + dir) << 3), t);
}

// one bit a port of a side: set while something is in it
const FILLED = memory.data(8, 8);

/** Ports of a side that hold something, a bit each. */
// @ts-ignore: decorator
@inline
export function filled(side: u32): u32 {
  return load<u32>(FILLED + (side << 2));
}

// @ts-ignore: decorator
@inline
export function setFilled(side: u32, ports: u32): void {
  store<u32>(FILLED + (side << 2), ports);
}

// posted transactions of a side put and gone
const ORDER = memory.data(16, 16);

// @ts-ignore: decorator
@inline
export function postedPut(side: u32): u32 {
  return load<u32>(ORDER + (side << 3));
}

// @ts-ignore: decorator
@inline
export function setPostedPut(side: u32, n: u32): void {
  store<u32>(ORDER + (side << 3), n);
}

// @ts-ignore: decorator
@inline
export function postedGone(side: u32): u32 {
  return load<u32>(ORDER + (side << 3), 4);
}

export function setPostedGone(side: u32, n: u32): void {
  store<u32>(ORDER + (side << 3), n, 4);
}

/** Starts the count of posted writes anew. */
export function orderReset(): void {
  memory.fill(ORDER, 0, 16);
  memory.fill(FILLED, 0, 8);
  memory.fill(WIRE_FREE, 0, 32);
}
