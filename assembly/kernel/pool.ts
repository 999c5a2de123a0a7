// SPDX-License-Identifier: Apache-2.0
// A pool of equal engines: each holds one job until a time, and after it until somebody takes the job on.
//
//   engine record, 16 bytes: | done u64 | job u32 | - |
//   pool record, 16 bytes:   | engines that hold a job, a bit each u32 | idle ones whose accounts are known
//   to be in a state, a bit each u32 | that state u32 | - |
import { ENGINES_MAX } from "../abi";
import { wake } from "./schedule";
import { enter } from "./stats";
import { NEVER } from "./time";

const POOLS: u32 = 5; // seal, open, compress, decompress, cores
const ENGINE = memory.data(2560, 16);
const POOL = memory.data(160, 16);

if (<u32>(2 * 5) * ENGINES_MAX * 16 != 2560) ERROR("pools");


@unmanaged
class Pool {
  busy: u32;
  resting: u32;
  state: u32;
}

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

// @ts-ignore: decorator
@inline
function record(side: u32, pool: u32): Pool {
  return changetype<Pool>(POOL + ((side * POOLS + pool) << 4));
}

export function poolsReset(): void {
  memory.fill(ENGINE, 0, 2560);
  memory.fill(POOL, 0, 160);
}

// @ts-ignore: decorator
@inline
export function engineBusy(side: u32, pool: u32, engine: u32): bool {
  return ((record(side, pool).busy >> engine) & 1) != 0;
}

/** Engines from `first` to n - 1 that hold a job, a bit each. */
// @ts-ignore: decorator
@inline
export function busyOf(side: u32, pool: u32, first: u32, n: u32): u32 {
  return record(side, pool).busy & between(first, n);
}

/** Engines from `first` to n - 1 that hold none. */
// @ts-ignore: decorator
@inline
export function idleOf(side: u32, pool: u32, first: u32, n: u32): u32 {
  return ~record(side, pool).busy & between(first, n);
}

/** Bits `first` to n - 1. */
// @ts-ignore: decorator
@inline
function between(first: u32, n: u32): u32 {
  return (((<u32>1) << n) - 1) & (0xffffffff << first);
}

/**
 * The idle engines of a mask can begin nothing at t: their accounts, from `account` on, are in `state` until
 * they are given a job. Those that are known to be in it are passed over: nobody else may enter them.
 */
// @ts-ignore: decorator
@inline
export function rest(side: u32, pool: u32, account: u32, idle: u32, state: u32, t: u64): void {
  const q = record(side, pool);
  if (q.state != state || (idle & ~q.resting) != 0) restThese(side, q, account, idle, state, t);
}

function restThese(side: u32, q: Pool, account: u32, idle: u32, state: u32, t: u64): void {
  const known = q.state == state ? q.resting : 0;
  q.resting = known | idle;
  q.state = state;
  for (let mask = idle & ~known; mask != 0; mask &= mask - 1)
    enter(side, account + <u32>ctz<u32>(mask), state, t);
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
  const q = record(side, pool);
  q.busy |= (<u32>1) << engine;
  q.resting &= ~((<u32>1) << engine);
}

// @ts-ignore: decorator
@inline
export function engineFree(side: u32, pool: u32, engine: u32): void {
  const q = record(side, pool);
  q.busy &= ~((<u32>1) << engine);
}

/** Engines of the first n that have finished by t, a bit each; the others wake `unit` when one will have. */
export function finished(side: u32, pool: u32, n: u32, unit: u32, t: u64): u32 {
  let mask: u32 = 0;
  let next = NEVER;
  for (let busy = busyOf(side, pool, 0, n); busy != 0; busy &= busy - 1) {
    const e = <u32>ctz<u32>(busy);
    const done = engineDone(side, pool, e);
    if (t >= done) mask |= (<u32>1) << e;
    else if (done < next) next = done;
  }
  if (next != NEVER) wake(side, unit, next);
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
  for (let pool: u32 = 0; pool < POOLS; pool++) n += <u32>popcnt<u32>(record(side, pool).busy);
  return n;
}
