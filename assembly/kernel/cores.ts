// SPDX-License-Identifier: Apache-2.0
// What the cores of a card's control processor run: handlers of the firmware, and stages of pages that a
// placement puts there. Each runs to completion from an edge of the control clock to another.
import { A_CORE, BUSY, C_HANDLERS, T_STAGE, U_CONTROL } from "../abi";
import { POOL_CORES, engineStart } from "./pool";
import { wake } from "./schedule";
import { count, enter } from "./stats";
import { edgeAfter } from "./time";
import { happened } from "./timeline";

//  what a core runs: | handler u32 | count u32 | queue u32 | cycles u32 |
const RUNNING = memory.data(512, 16);

/** What the core runs: its handler, and behind it the count and the queue that it was begun with. */
// @ts-ignore: decorator
@inline
export function running(side: u32, core: u32): usize {
  return RUNNING + ((side * 16 + core) << 4);
}

export function buildCores(side: u32): void {
  memory.fill(RUNNING + side * 256, 0, 256);
}

/** A core runs something for so many cycles from the edge t on; returns when it will have ended. */
export function occupy(
  side: u32,
  core: u32,
  handler: u32,
  argument: u32,
  n: u32,
  q: u32,
  cycles: u32,
  t: u64,
): u64 {
  const at = running(side, core);
  store<u32>(at, handler);
  store<u32>(at, n, 4);
  store<u32>(at, q, 8);
  store<u32>(at, cycles, 12);
  const done = edgeAfter(side * 2 + 1, t, cycles);
  engineStart(side, POOL_CORES, core, argument, done);
  if (isDefined(TIMELINE)) happened(T_STAGE, side, U_CONTROL, t, argument, done, handler);
  enter(side, A_CORE + core, BUSY, t);
  count(side, C_HANDLERS, 1);
  wake(side, U_CONTROL, done);
  return done;
}
