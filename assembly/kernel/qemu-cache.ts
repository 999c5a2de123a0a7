// SPDX-License-Identifier: Apache-2.0
// QEMU's XBZRLE in software: the cache of pages as they were sent, and what becomes of a page.
//
// Models: page_cache.c and save_xbzrle_page(). A page has the slot index mod slots. A page whose slot is
//   another's takes it when that was neither put nor hit in this round or the one before (age + 2 > round:
//   it stays). A miss is sent whole; a hit is encoded against the slot: nothing is sent when no write lies
//   between, its delta when that fits in a page, else the whole page (overflow). In the last stage, with the
//   guest stopped, the cache is read only. Contents are not known here, versions are: whether a delta fits is
//   drawn from a hash of page and version with the share `overflow`, all others have `bytes`.
// In and out: a slot is | index + 1 u32 | version u32 | round u32 | - |.
// Leaves out: the delta of given contents; that hits within one iteration are encoded against a page that
//   the guest goes on writing.
// Numbers: QEMU 10.0 migration/page_cache.c (CACHED_PAGE_LIFETIME), ram.c.
import { QP_XBZRLE_BYTES, QP_XBZRLE_OVERFLOW, QP_XBZRLE_SLOTS } from "../abi";
import { reserve } from "./memory";
import { q } from "./qemu-stream";

/** What becomes of a page. */
export const MISS: u32 = 0;
export const OVERFLOW: u32 = 1;
export const SAME: u32 = 2;
export const DELTA: u32 = 3;

const LIFETIME: u32 = 2;
const SLOT: u32 = 16;

let slots: usize = 0;
let mask: u32 = 0;

/** Lays the cache out, empty; false when memory does not hold it. */
export function buildCache(): bool {
  const n = q(QP_XBZRLE_SLOTS);
  if (n == 0) return true;
  mask = <u32>(n - 1);
  slots = reserve(n * SLOT);
  return slots != 0;
}

// @ts-ignore: decorator
@inline
function slotOf(index: u32): usize {
  return slots + <usize>(index & mask) * SLOT;
}

/** Puts a version of a page in, unless its slot is another's that is fresh. */
export function keepPage(index: u32, version: u32, round: u32): void {
  const at = slotOf(index);
  const owner = load<u32>(at);
  if (owner != 0 && owner != index + 1 && load<u32>(at, 8) + LIFETIME > round) return;
  store<u32>(at, index + 1);
  store<u32>(at, version, 4);
  store<u32>(at, round, 8);
}

/** Encodes a page; the cache is brought up to date unless it is the last stage. */
export function encodePage(index: u32, version: u32, round: u32, lastStage: bool): u32 {
  const at = slotOf(index);
  if (load<u32>(at) != index + 1) {
    if (!lastStage) keepPage(index, version, round);
    return MISS;
  }
  store<u32>(at, round, 8);
  if (load<u32>(at, 4) == version) return SAME;
  if (!lastStage) store<u32>(at, version, 4);
  return overflows(index, version) ? OVERFLOW : DELTA;
}

/** Bytes of an encoded page in the stream behind its header: a flag, a length, the delta. */
export function deltaBytes(): u32 {
  return 3 + <u32>q(QP_XBZRLE_BYTES);
}

/** Whether a delta does not fit, for so many of 65,536 pairs of page and version. */
function overflows(index: u32, version: u32): bool {
  let x = (index * 0x9e3779b1) ^ (version * 0x85ebca6b);
  x = (x ^ (x >> 15)) * 0x2c1b3c6d;
  x ^= x >> 12;
  return x >> 16 < <u32>q(QP_XBZRLE_OVERFLOW);
}
