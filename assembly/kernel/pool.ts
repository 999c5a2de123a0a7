// SPDX-License-Identifier: Apache-2.0
// A pool of equal engines: each holds one job until a time, and after it until somebody takes the job on.
//
//   engine record, 16 bytes: | done u64 | job u32 | busy u32 |
import { ENGINES_MAX } from "../abi";
import { wake } from "./schedule";

const POOLS: u32 = 5; // seal, open, compress, decompress, cores
const ENGINE = memory.data(2560, 16);

if (<u32>(2 * 5) * ENGINES_MAX * 16 != 2560) ERROR("pools");

export const POOL_SEAL: u32 = 0;
export const POOL_OPEN: u32 = 1;
export const POOL_LZ: u32 = 2;
export const POOL_UNLZ: u32 = 3;
export const POOL_CORES: u32 = 4;

// @ts-ignore: decorator
@inline
function at(side: u32, pool: u32, engine: u32): usize {
  return ENGINE + (((side * POOLS + pool) * ENGINES_MAX + engine) << 4);
}

export function poolsReset(): void {
  memory.fill(ENGINE, 0, 2560);
}

// @ts-ignore: decorator
@inline
export function engineBusy(side: u32, pool: u32, engine: u32): bool {
  return load<u32>(at(side, pool, engine), 12) != 0;
}

// @ts-ignore: decorator
@inline
export function engineDone(side: u32, pool: u32, engine: u32): u64 {
  return load<u64>(at(side, pool, engine));
}

// @ts-ignore: decorator
@inline
export function engineJob(side: u32, pool: u32, engine: u32): u32 {
  return load<u32>(at(side, pool, engine), 8);
}

/** The engine works on a job until `done`. */
export function engineStart(side: u32, pool: u32, engine: u32, job: u32, done: u64): void {
  const e = at(side, pool, engine);
  store<u64>(e, done);
  store<u32>(e, job, 8);
  store<u32>(e, 1, 12);
}

export function engineFree(side: u32, pool: u32, engine: u32): void {
  store<u32>(at(side, pool, engine), 0, 12);
}

/** Engines of the first n that have finished by t, a bit each; the others wake `unit` when they will have. */
export function finished(side: u32, pool: u32, n: u32, unit: u32, t: u64): u32 {
  let mask: u32 = 0;
  for (let e: u32 = 0; e < n; e++) {
    if (!engineBusy(side, pool, e)) continue;
    const done = engineDone(side, pool, e);
    if (t < done) wake(side, unit, done);
    else mask |= (<u32>1) << e;
  }
  return mask;
}

/**
 * The engine of a mask that finished first, of equals the lowest. Results leave in this order: where there is
 * room for one at a time, an engine that always came second would never be asked.
 */
export function firstFinished(side: u32, pool: u32, mask: u32): u32 {
  let first = <u32>ctz<u32>(mask);
  for (mask &= mask - 1; mask != 0; mask &= mask - 1) {
    const e = <u32>ctz<u32>(mask);
    if (engineDone(side, pool, e) < engineDone(side, pool, first)) first = e;
  }
  return first;
}

/** Engines of a side's pools that still hold a job. */
export function poolsLeft(side: u32): u32 {
  let n: u32 = 0;
  const all = POOLS * ENGINES_MAX;
  for (let i = side * all; i < (side + 1) * all; i++) n += load<u32>(ENGINE + (i << 4), 12);
  return n;
}
