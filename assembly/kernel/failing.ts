// SPDX-License-Identifier: Apache-2.0
// Engines that fail (docs/model.md section 17): encoders and sealing engines of the source's card, decoders
// and opening engines of the destination's. The first n of a pool, those that work most, take nothing from
// the first card clock edge at or after a time on, before anything else happens at it. What one of them
// held, finished or not, is begun again by the next engine that is free, before what waits in the queue.
// Pages go raw past encoders that have all failed; a card without an engine to seal, open or decode a record
// tells of it when the first record needs one, and drops all that come.
//
// Leaves out: how the card finds it out, which takes no time here; an engine that is wrong instead of still.
import {
  C_ENGINE_DROPPED,
  C_REDONE,
  ENGINES_MAX,
  REASON_ENGINES,
  REASON_ENGINES_THERE,
  S_CIPHER_FAIL_AT,
  S_CIPHER_FAIL_ENGINES,
  S_CODEC_FAIL_AT,
  S_CODEC_FAIL_ENGINES,
} from "../abi";
import { length, queue } from "./fifo";
import { NO_SLOT, freeJob, freeSlot, job } from "./jobs";
import { p, p32 } from "./params";
import { POOL_LZ, POOL_OPEN, POOL_SEAL, POOL_UNLZ, busyOf } from "./pool";
import { wake } from "./schedule";
import { count } from "./stats";
import { NEVER, edgeAt } from "./time";
import { report } from "./trouble";

//  a pool that may fail, 80 bytes: | at u64 | engines u32 | left u32 | jobs to begin again, u32 each |
@unmanaged
class Failing {
  at: u64; // the edge at which its first engines fail
  engines: u32; // how many of them
  again: u32; // jobs that wait to be begun again
  struck: u32;
  told: u32;
}

const POOLS: u32 = 4;
const FAILING = memory.data(128, 16);
const AGAIN = memory.data(256, 16);
if (offsetof<Failing>() > 32 || POOLS * ENGINES_MAX * 4 != 256) ERROR("failing pools");

/** True when engines of some pool are to fail. */
export let failing: bool = false;

// @ts-ignore: decorator
@inline
function poolOf(pool: u32): Failing {
  return changetype<Failing>(FAILING + (pool << 5));
}

/** The side whose pool it is that may fail. */
function sideOf(pool: u32): u32 {
  return pool == POOL_SEAL || pool == POOL_LZ ? 0 : 1;
}

/** Reads what is to fail; the clocks are known. */
export function buildFailing(): void {
  memory.fill(FAILING, 0, 128);
  failing = false;
  for (let pool: u32 = 0; pool < POOLS; pool++) {
    const side = sideOf(pool);
    const codec = pool == POOL_LZ || pool == POOL_UNLZ;
    const at = p(side, codec ? S_CODEC_FAIL_AT : S_CIPHER_FAIL_AT);
    const f = poolOf(pool);
    f.at = at >= NEVER ? NEVER : edgeAt(side * 2, at);
    f.engines = at >= NEVER ? 0 : p32(side, codec ? S_CODEC_FAIL_ENGINES : S_CIPHER_FAIL_ENGINES);
    if (f.engines != 0) failing = true;
  }
}

/** Engines of a pool that have failed by t: its first. */
export function failedBy(side: u32, pool: u32, t: u64): u32 {
  const f = poolOf(pool);
  return side == sideOf(pool) && t >= f.at ? f.engines : 0;
}

/** True once, at the step in which they fail. */
export function strikes(side: u32, pool: u32, t: u64): bool {
  const f = poolOf(pool);
  if (f.struck != 0 || failedBy(side, pool, t) == 0) return false;
  f.struck = 1;
  return true;
}

/** Makes sure that the unit is stepped when its engines fail, if there is anything for them. */
export function expectFailure(side: u32, pool: u32, n: u32, unit: u32, q: u32, t: u64): void {
  const f = poolOf(pool);
  if (side != sideOf(pool) || f.engines == 0 || t >= f.at) return;
  if (length(queue(side, q)) != 0 || busyOf(side, pool, 0, n) != 0) wake(side, unit, f.at);
}

/** A job is to be begun again. */
export function keepForAgain(side: u32, pool: u32, index: u32): void {
  const f = poolOf(pool);
  store<u32>(AGAIN + ((pool * ENGINES_MAX + f.again++) << 2), index);
  count(side, C_REDONE, 1);
}

/** Whether a job waits to be begun again. */
export function waitsForAgain(side: u32, pool: u32): bool {
  return side == sideOf(pool) && poolOf(pool).again != 0;
}

/** Takes the first such job. */
export function takeForAgain(pool: u32): u32 {
  const f = poolOf(pool);
  const at = AGAIN + ((pool * ENGINES_MAX) << 2);
  const index = load<u32>(at);
  f.again--;
  memory.copy(at, at + 4, f.again << 2);
  return index;
}

/** A record meets a pool without engines: it is dropped, and the firmware hears of the first. */
export function dropRecord(side: u32, pool: u32, index: u32, t: u64): void {
  const f = poolOf(pool);
  const j = job(side, index);
  if (j.slotIn != NO_SLOT) freeSlot(side, j.slotIn);
  if (j.slotOut != NO_SLOT) freeSlot(side, j.slotOut);
  freeJob(side, index);
  count(side, C_ENGINE_DROPPED, 1);
  if (f.told != 0) return;
  f.told = 1;
  report(side, side == 0 ? REASON_ENGINES : REASON_ENGINES_THERE, t);
}
