// SPDX-License-Identifier: Apache-2.0
// Descriptor batches being fetched, oldest first. The reads of a batch may be answered in any order; batches
// are handed on in the order in which they were posted, each when all its reads are there.
//
//   ring of a side: | head u32 | tail u32 | 16 x { queue u32 | descriptors u32 | reads to come u32 | - } |
const FETCHES: u32 = 16; // the most that card preset `dma.prefetchBatches` may say
const RING: u32 = 264;
const RINGS = memory.data(528, 8);

if (8 + FETCHES * 16 != RING) ERROR("fetches");

// @ts-ignore: decorator
@inline
function ring(side: u32): usize {
  return RINGS + <usize>(side * RING);
}

// @ts-ignore: decorator
@inline
function fetch(side: u32, slot: u32): usize {
  return ring(side) + 8 + ((<usize>(slot & (FETCHES - 1))) << 4);
}

export function fetchesReset(): void {
  memory.fill(RINGS, 0, 528);
}

/** A batch of n descriptors for a read queue begins to be fetched in so many reads; returns its number. */
export function fetchBegun(side: u32, queue: u32, n: u32, reads: u32): u32 {
  const slot = load<u32>(ring(side), 4);
  assert(slot - load<u32>(ring(side)) < FETCHES, "too many descriptor batches");
  store<u32>(fetch(side, slot), queue);
  store<u32>(fetch(side, slot), n, 4);
  store<u32>(fetch(side, slot), reads, 8);
  store<u32>(ring(side), slot + 1, 4);
  return slot & (FETCHES - 1);
}

/** One read of a batch has been answered. */
export function fetchAnswered(side: u32, slot: u32): void {
  store<u32>(fetch(side, slot), load<u32>(fetch(side, slot), 8) - 1, 8);
}

/** Takes the oldest batch if it is there: its queue above 16 bits of its descriptors; 0 when it is not. */
export function fetchTaken(side: u32): u32 {
  const head = load<u32>(ring(side));
  if (head == load<u32>(ring(side), 4) || load<u32>(fetch(side, head), 8) != 0) return 0;
  store<u32>(ring(side), head + 1);
  return (load<u32>(fetch(side, head)) << 16) | load<u32>(fetch(side, head), 4);
}
