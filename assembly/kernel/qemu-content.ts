// SPDX-License-Identifier: Apache-2.0
// What QEMU's threads see of a page when they look at it: zero or not, its version, its size. Behind the
// guest's memory stand the pages of BIOS, option ROM and tables, which nobody writes: the first `romNormal`
// of them are not zero.
import { G_PAGES, QP_ROM_NORMAL, WORD_ZERO } from "../abi";
import { setPlaced, sourceVersion, sourceWord } from "./pages";
import { g32 } from "./params";
import { q } from "./qemu-stream";

/** Pages of the guest's memory. */
export let pages: u32 = 0;

export function buildContent(): void {
  pages = g32(G_PAGES);
}

// @ts-ignore: decorator
@inline
export function isZero(index: u32): bool {
  return index < pages ? sourceWord(index) == WORD_ZERO : index - pages >= <u32>q(QP_ROM_NORMAL);
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
  if (index < pages) setPlaced(index, sourceVersion(index));
}
