// SPDX-License-Identifier: Apache-2.0
// A batch of 2048 pages as a bitmap, as front-end and card tell each other of pages: 256 bytes, page n of the
// batch is bit n mod 8 of byte n / 8.
import { ADDRESSES_BITMAP, ADDRESSES_LIST, BATCH_PAGES, G_ADDRESSES } from "../abi";
import { g32 } from "./params";

/** The first n pages, and no others. */
export function firstPages(bits: usize, n: u32): void {
  memory.fill(bits, 0, BATCH_PAGES / 8);
  memory.fill(bits, 0xff, n >> 3);
  if (n & 7) store<u8>(bits + (n >> 3), <u8>(((<u32>1) << (n & 7)) - 1));
}

/** Takes the first page of those left out of a bitmap that has one at or after `from`; returns its bit. */
export function takePage(bits: usize, from: u32): u32 {
  let bit = from;
  while ((load<u32>(bits + ((bit >> 5) << 2)) & ((<u32>1) << (bit & 31))) == 0) bit++;
  const word = bits + ((bit >> 5) << 2);
  store<u32>(word, load<u32>(word) & ~((<u32>1) << (bit & 31)));
  return bit;
}

/** Payload of an address batch of n pages: 8 bytes of base, then a bitmap, 8 bytes a page, or 8 a run. */
export function addressBytes(bits: usize, n: u32): u32 {
  const form = g32(G_ADDRESSES);
  if (form == ADDRESSES_BITMAP) return 8 + BATCH_PAGES / 8;
  if (form == ADDRESSES_LIST) return 8 + 8 * n;
  let runs: u32 = 0;
  let carry: u64 = 0;
  for (let i: u32 = 0; i < BATCH_PAGES / 8; i += 8) {
    const w = load<u64>(bits + i);
    runs += <u32>popcnt(w & ~((w << 1) | carry));
    carry = w >> 63;
  }
  return 8 + 8 * runs;
}
