// SPDX-License-Identifier: Apache-2.0
// The timeline ring of the instrumented build: what happened when, for exports and for the reference models
// of the tests. In other builds every call is an empty function that the compiler removes.
//
//   record, 32 bytes: | t u64 | kind u16 | side u8 | which u8 | a u32 | b u64 | c u64 |
import { BATCH_PAGES, T_PAGE } from "../abi";
import { reserve } from "./memory";

const RECORDS: u32 = 1 << 20;

let ring: usize = 0;
let written: u64 = 0;

/** Lays out the ring, in the instrumented build. */
export function timelineReset(): void {
  written = 0;
  if (isDefined(TIMELINE)) ring = reserve((<u64>RECORDS) << 5);
}

/** Records an event. */
// @ts-ignore: decorator
@inline
export function happened(kind: u32, side: u32, which: u32, t: u64, a: u32, b: u64, c: u64): void {
  if (isDefined(TIMELINE)) {
    const at = ring + ((<usize>(written & (RECORDS - 1))) << 5);
    store<u64>(at, t);
    store<u16>(at, <u16>kind, 8);
    store<u8>(at, <u8>side, 10);
    store<u8>(at, <u8>which, 11);
    store<u32>(at, a, 12);
    store<u64>(at, b, 16);
    store<u64>(at, c, 24);
    written++;
  }
}

/** Records a step of every page whose bit is set in a batch that begins with page `first`. */
export function happenedInBatch(step: u32, t: u64, bits: usize, first: u32, b: u64): void {
  if (isDefined(TIMELINE)) {
    for (let i: u32 = 0; i < BATCH_PAGES; i++) {
      const word = load<u32>(bits + ((i >> 5) << 2));
      if ((word & ((<u32>1) << (i & 31))) != 0) happened(T_PAGE, 0, step, t, first + i, b, 0);
    }
  }
}

export function timelineAt(): usize {
  return ring;
}

/** Events recorded since the board was built; the ring holds the last 2^20 of them. */
export function timelineCount(): u64 {
  return written;
}
