// SPDX-License-Identifier: Apache-2.0
// The parameter block of a storage adapter, written by the harness before build(), and what follows from it.
import { ST_COUNT, ST_DEPTH, ST_STATE_BYTES } from "../abi";

const PARAMS = memory.data(256, 16);
/** Bytes of a request that is carried in an adapter's state: its descriptor, and how far it has come. */
export const CARRIED_BYTES: u32 = 80;

if (<u32>(ST_COUNT * 8) > 256) ERROR("parameters of the storage adapter");

/** Address of the parameters, u64 each. */
export function storageParams(): usize {
  return PARAMS;
}

// @ts-ignore: decorator
@inline
export function st(index: u32): u64 {
  return load<u64>(PARAMS + (index << 3));
}

// @ts-ignore: decorator
@inline
export function st32(index: u32): u32 {
  return <u32>st(index);
}

/** Bytes that an adapter's state may take at most; 0 without an adapter. */
export function stateRoom(): u64 {
  const depth = st(ST_DEPTH);
  return depth == 0 ? 0 : st(ST_STATE_BYTES) + depth * CARRIED_BYTES;
}
