// SPDX-License-Identifier: Apache-2.0
// QEMU's XBZRLE in software: the cache of pages as they were sent, and what becomes of a page.
//
// Models: page_cache.c and save_xbzrle_page(). A page has the slot index mod slots. A page whose slot is
//   another's takes it when that was neither put nor hit in this round or the one before (age + 2 > round:
//   it stays). A miss is sent whole; a hit is encoded against the slot: nothing is sent when nothing has
//   changed, its delta when that fits in a page, else the whole page (overflow). What was sent takes the
//   slot; a page of zeros does so too. In the last stage, with the guest stopped, the cache is read only.
//   Where contents are known (G_DELTA_SETS) slots have the bytes, and the board's encoder (codec/xbzrle, as
//   QEMU's) makes the delta. Where they are not, versions are: nothing is sent when no write lies between,
//   whether a delta fits is drawn from a hash of page and version with the share `overflow`, and all others
//   have `bytes`. Of a ROM, whose bytes are not known, nothing changes.
// In and out: a slot is | index + 1 u32 | version u32 | round u32 | - |; its bytes stand beside. No more
//   slots than pages are laid out.
// Leaves out: that the guest goes on writing a page while it is encoded.
// Numbers: QEMU 10.0 migration/page_cache.c (CACHED_PAGE_LIFETIME), ram.c, xbzrle.c.
import { PAGE_BYTES, QP_ROM_PAGES, QP_XBZRLE_BYTES, QP_XBZRLE_OVERFLOW, QP_XBZRLE_SLOTS } from "../abi";
import { reserve } from "./memory";
import { deltas, sourcePage } from "./pages";
import { isKnown, pages } from "./qemu-content";
import { q } from "./qemu-stream";

/** Makes the delta from `old` to `page`; returns its bytes, 0 for equal pages, -1 when it does not fit. */
export type Encode = (old: usize, page: usize, length: u32, target: usize, capacity: u32) => i32;

/** What becomes of a page. */
export const MISS: u32 = 0;
export const OVERFLOW: u32 = 1;
export const SAME: u32 = 2;
export const DELTA: u32 = 3;

const LIFETIME: u32 = 2;
const SLOT: u32 = 16;

let slots: usize = 0;
let mask: u32 = 0;
let copies: usize = 0;
let encoder: Encode = (): i32 => -1;
/** The delta that was made last, and its bytes. */
export let delta: usize = 0;
export let deltaSize: u32 = 0;

/** Lays the cache out, empty; `using` makes the deltas. False when memory does not hold it. */
export function buildCache(using: Encode): bool {
  encoder = using;
  const n = q(QP_XBZRLE_SLOTS);
  copies = delta = 0;
  deltaSize = 0;
  if (n == 0) return true;
  mask = <u32>(n - 1);
  const used = min(n, <u64>pages + q(QP_ROM_PAGES));
  slots = reserve(used * SLOT);
  if (!deltas) return slots != 0;
  copies = reserve(used * PAGE_BYTES);
  delta = reserve(PAGE_BYTES);
  return slots != 0 && copies != 0 && delta != 0;
}

// @ts-ignore: decorator
@inline
function slotOf(index: u32): usize {
  return slots + <usize>(index & mask) * SLOT;
}

/** The bytes of a page's slot. */
// @ts-ignore: decorator
@inline
function copyOf(index: u32): usize {
  return copies + <usize>(index & mask) * PAGE_BYTES;
}

/** Puts a version of a page in, unless its slot is another's that is fresh. */
export function keepPage(index: u32, version: u32, round: u32): void {
  const at = slotOf(index);
  const owner = load<u32>(at);
  if (owner != 0 && owner != index + 1 && load<u32>(at, 8) + LIFETIME > round) return;
  store<u32>(at, index + 1);
  store<u32>(at, version, 4);
  store<u32>(at, round, 8);
  if (isKnown(index)) memory.copy(copyOf(index), sourcePage(index), PAGE_BYTES);
}

/** Encodes a page; the cache is brought up to date unless it is the last stage. */
export function encodePage(index: u32, version: u32, round: u32, lastStage: bool): u32 {
  const at = slotOf(index);
  if (load<u32>(at) != index + 1) {
    if (!lastStage) keepPage(index, version, round);
    return MISS;
  }
  store<u32>(at, round, 8);
  const found = isKnown(index) ? encode(index) : draw(index, version, load<u32>(at, 4));
  if (lastStage || found == SAME) return found;
  store<u32>(at, version, 4);
  if (isKnown(index)) memory.copy(copyOf(index), sourcePage(index), PAGE_BYTES);
  return found;
}

/** Makes the delta of a page to its slot. */
function encode(index: u32): u32 {
  const size = encoder(copyOf(index), sourcePage(index), PAGE_BYTES, delta, PAGE_BYTES);
  if (size == 0) return SAME;
  if (size < 0) return OVERFLOW;
  deltaSize = <u32>size;
  return DELTA;
}

function draw(index: u32, version: u32, kept: u32): u32 {
  if (kept == version) return SAME;
  deltaSize = <u32>q(QP_XBZRLE_BYTES);
  return overflows(index, version) ? OVERFLOW : DELTA;
}

/** Bytes of an encoded page in the stream behind its header: a flag, a length, the delta. */
export function deltaBytes(): u32 {
  return 3 + deltaSize;
}

/** Whether a delta does not fit, for so many of 65,536 pairs of page and version. */
function overflows(index: u32, version: u32): bool {
  let x = (index * 0x9e3779b1) ^ (version * 0x85ebca6b);
  x = (x ^ (x >> 15)) * 0x2c1b3c6d;
  x ^= x >> 12;
  return x >> 16 < <u32>q(QP_XBZRLE_OVERFLOW);
}
