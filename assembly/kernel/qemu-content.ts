// SPDX-License-Identifier: Apache-2.0
// What QEMU's threads see of a page when they look at it: zero or not, its version, its size, its bytes; and
// what the destination makes of what it is sent. Behind the guest's memory stand the pages of BIOS, option
// ROM and tables, which nobody writes: the first `romNormal` of them are not zero, and their bytes are not
// known.
import { G_PAGES, I_DESTINATION_EQUALS_SOURCE, PAGE_BYTES, QP_ROM_NORMAL, WORD_ZERO } from "../abi";
import { carries, deltas, placedPage, setPlaced, sourcePage, sourceVersion, sourceWord } from "./pages";
import { g32 } from "./params";
import { q } from "./qemu-stream";
import { broken } from "./stats";

/** Applies a delta of so many bytes to a page of so many; returns where it has written last, or -1. */
export type Decode = (delta: usize, bytes: u32, page: usize, length: u32) => i32;

/** Pages of the guest's memory. */
export let pages: u32 = 0;
let decode: Decode = (): i32 => -1;

/** `using` is what the destination applies deltas with. */
export function buildContent(using: Decode): void {
  pages = g32(G_PAGES);
  decode = using;
}

function holdsZeros(page: usize): bool {
  let any: u64 = 0;
  for (let i: usize = 0; i < PAGE_BYTES && any == 0; i += 8) any = load<u64>(page + i);
  return any == 0;
}

/** True when the bytes of a page are known. */
// @ts-ignore: decorator
@inline
export function isKnown(index: u32): bool {
  return deltas && index < pages;
}

// @ts-ignore: decorator
@inline
export function isZero(index: u32): bool {
  if (index >= pages) return index - pages >= <u32>q(QP_ROM_NORMAL);
  return deltas ? holdsZeros(sourcePage(index)) : sourceWord(index) == WORD_ZERO;
}

// @ts-ignore: decorator
@inline
export function versionOf(index: u32): u32 {
  return index < pages ? sourceVersion(index) : 0;
}

/** Content word of a page of the guest; 0 of a ROM's. */
// @ts-ignore: decorator
@inline
export function sizeWord(index: u32): u32 {
  return index < pages ? sourceWord(index) : 0;
}

/** The destination has the page as it is now. */
// @ts-ignore: decorator
@inline
export function place(index: u32): void {
  if (index >= pages) return;
  setPlaced(index, sourceVersion(index));
  if (carries(index)) memory.copy(placedPage(index), sourcePage(index), PAGE_BYTES);
}

/** The destination is told that the page is zero. */
export function placeZero(index: u32): void {
  if (index >= pages) return;
  setPlaced(index, sourceVersion(index));
  if (carries(index)) memory.fill(placedPage(index), 0, PAGE_BYTES);
}

/** The destination has the page already: it is sent nothing. */
export function placeSame(index: u32): void {
  if (index < pages) setPlaced(index, sourceVersion(index));
}

/** The destination applies a delta of so many bytes to what it has of the page; 0: its bytes are drawn. */
export function placeDelta(t: u64, index: u32, delta: usize, bytes: u32): void {
  placeSame(index);
  if (bytes == 0 || index >= pages || !carries(index)) return;
  const end = decode(delta, bytes, placedPage(index), PAGE_BYTES);
  if (end <= 0) broken(I_DESTINATION_EQUALS_SOURCE, index, bytes, t);
}
