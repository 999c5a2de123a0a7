// SPDX-License-Identifier: Apache-2.0
// Records whose sealing engine failed before they left it: each keeps its number, so it must be sealed again
// over the very same bytes, which the tag tells. Nothing of the first time has left the engine.
//
//   record, 32 bytes: | number u64 | - | tag 16 B |; in the order in which they are begun again
import { ENGINES_MAX } from "../abi";
import { POOL_SEAL } from "./pool";
import { takeForAgain } from "./failing";

const KEPT = memory.data(512, 16);
const TAKEN = memory.data(32, 16);
if (ENGINES_MAX * 32 != 512) ERROR("sealed records");

let kept: u32 = 0;

export function buildSealed(): void {
  kept = 0;
}

/** The record of this number and tag has been lost in its engine. */
export function rememberSealed(number: u64, tag: usize): void {
  const at = KEPT + (kept++ << 5);
  store<u64>(at, number);
  memory.copy(at + 16, tag, 16);
}

/** Takes the first job that is sealed again, and what is known of it. */
export function takeSealed(): u32 {
  memory.copy(TAKEN, KEPT, 32);
  kept--;
  memory.copy(KEPT, KEPT + 32, kept << 5);
  return takeForAgain(POOL_SEAL);
}

/** The number that the job taken last was sealed with before. */
export function repeated(): u64 {
  return load<u64>(TAKEN);
}

/** Whether it has the tag that it had before. */
export function sameTag(tag: usize): bool {
  return load<u64>(tag) == load<u64>(TAKEN, 16) && load<u64>(tag, 8) == load<u64>(TAKEN, 24);
}
