// SPDX-License-Identifier: Apache-2.0
// QEMU's migration bitmap: pages that are still to be sent, and the scan that goes round them. Behind the
// guest's pages stand those of other blocks. Whole batches, so that marks can be moved in as they lie.
import { BATCH_PAGES } from "../abi";
import { collectBatch } from "./dirty";
import { reserve } from "./memory";

const TAKEN = memory.data(256, 16);
if (BATCH_PAGES / 8 != 256) ERROR("batch");

let bits: usize = 0;
let all: u32 = 0;
let cursor: u32 = 0;
/** Pages to be sent. */
export let pending: u32 = 0;

/** Lays it out with every page to be sent; false when memory does not hold it. */
export function buildBitmap(pages: u32): bool {
  const batches = (<u64>pages + BATCH_PAGES - 1) / BATCH_PAGES;
  bits = reserve(batches * (BATCH_PAGES / 8));
  if (bits == 0) return false;
  all = pages;
  cursor = 0;
  pending = 0;
  for (let i: u32 = 0; i < pages; i++) addPage(i);
  return true;
}

/** Adds a page; true when it was not there. */
export function addPage(index: u32): bool {
  const at = bits + (((<usize>index) >> 5) << 2);
  const bit = (<u32>1) << (index & 31);
  if ((load<u32>(at) & bit) != 0) return false;
  store<u32>(at, load<u32>(at) | bit);
  pending++;
  return true;
}

/** Moves the guest's dirty marks in, of its first `pages` pages; returns how many were not there. */
export function addMarks(pages: u32): u64 {
  let fresh: u64 = 0;
  for (let batch: u32 = 0; batch * BATCH_PAGES < pages; batch++) {
    if (collectBatch(batch, TAKEN) == 0) continue;
    const at = bits + <usize>batch * (BATCH_PAGES / 8);
    for (let i: u32 = 0; i < BATCH_PAGES / 8; i += 8) {
      const was = load<u64>(at + i);
      const now = was | load<u64>(TAKEN + i);
      fresh += popcnt(now ^ was);
      store<u64>(at + i, now);
    }
  }
  pending += <u32>fresh;
  return fresh;
}

/** Whether a page is to be sent. */
export function isPending(index: u32): bool {
  return (load<u32>(bits + (((<usize>index) >> 5) << 2)) & ((<u32>1) << (index & 31))) != 0;
}

/** Takes a page out that is to be sent; the scan goes on behind it. */
export function takePage(index: u32): void {
  const at = bits + (((<usize>index) >> 5) << 2);
  store<u32>(at, load<u32>(at) & ~((<u32>1) << (index & 31)));
  cursor = index + 1 == all ? 0 : index + 1;
  pending--;
}

/** The scan begins anew. */
export function rewind(): void {
  cursor = 0;
}

/** Takes the next page of the scan out; there is one. */
export function takeNext(): u32 {
  const words = (all + 63) >> 6;
  let word = cursor >> 6;
  let left = load<u64>(bits + ((<usize>word) << 3)) & (u64.MAX_VALUE << (cursor & 63));
  while (left == 0) {
    word = word + 1 == words ? 0 : word + 1;
    left = load<u64>(bits + ((<usize>word) << 3));
  }
  const index = (word << 6) + <u32>ctz(left);
  const at = bits + ((<usize>word) << 3);
  store<u64>(at, load<u64>(at) & ~((<u64>1) << (index & 63)));
  cursor = index + 1 == all ? 0 : index + 1;
  pending--;
  return index;
}
