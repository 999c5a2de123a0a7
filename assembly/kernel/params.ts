// SPDX-License-Identifier: Apache-2.0
// The parameter block: written once by the harness before build(), read by units when they are built.
import { G_COUNT, S_COUNT } from "../abi";

const GLOBAL = memory.data(1024, 16);
const SIDES = memory.data(3328, 16);

if (<u32>(G_COUNT * 8) > 1024 || <u32>(S_COUNT * 16) > 3328) ERROR("parameter block too small");

/** Address of the global parameters, u64 each. */
export function globalParams(): usize {
  return GLOBAL;
}

/** Address of the parameters of a side, u64 each. */
export function sideParams(side: u32): usize {
  return SIDES + side * S_COUNT * 8;
}

// @ts-ignore: decorator
@inline
export function g(index: u32): u64 {
  return load<u64>(GLOBAL + (index << 3));
}

// @ts-ignore: decorator
@inline
export function p(side: u32, index: u32): u64 {
  return load<u64>(SIDES + ((side * S_COUNT + index) << 3));
}

// @ts-ignore: decorator
@inline
export function g32(index: u32): u32 {
  return <u32>g(index);
}

// @ts-ignore: decorator
@inline
export function p32(side: u32, index: u32): u32 {
  return <u32>p(side, index);
}
