// SPDX-License-Identifier: Apache-2.0
// Root complex and host memory, as the card sees them: a request is translated, finds its line in a cache, in
// this socket's memory or in the other's, and is served.
//
//   read:  answered at  served(arrival) + translation + where the line is + jitter; served() is a serial
//          server, kernel/server.ts. Answers of different requests may pass each other.
//          The header credit of a read is free when its service has started and its translation is there, but
//          credits come back in the order in which requests arrived.
//   write: accepted at served(arrival + translation), by a server of its own, in order of arrival.
// Where the line is: a read misses the cache with probability `missShare` / 2^32 by a hash of its line and
//   then takes `missAdder` more; with memory and line on the other socket every read takes `remoteAdder`
//   more. Jitter is drawn from a table of 1024 quantiles.
// All of it is computed when the request is committed to the one wire that feeds the root complex, in order
// of arrival; so nobody else can come between.
import {
  JITTER_STEPS,
  S_MEM_JITTER,
  S_MEM_MISS_ADDER,
  S_MEM_MISS_SHARE,
  S_MEM_REMOTE_ADDER,
  S_MEM_SEED,
} from "../abi";
import { buildIommu, hasIommu, translate } from "./iommu";
import { p, p32 } from "./params";
import { mix } from "./random";
import { admit, startOf } from "./server";

//  root of a side, 64 bytes: see the class; jitter table, u32 ticks each
const ROOTS = memory.data(128, 16);
const JITTER = memory.data(8192, 16); // 2 sides * JITTER_STEPS * 4

if (2 * JITTER_STEPS * 4 != 8192) ERROR("jitter table");


@unmanaged
class Root {
  missAdder: u64;
  remoteAdder: u64;
  waited: u64; // for the translation of the last read
  missShare: u64; // of 2^32
  seed: u32;
  drawn: u32; // random numbers drawn
  special: u32; // 1 when anything but the server counts
  translated: u32; // 1 when there is an IOMMU
  jittered: u32;
}

// @ts-ignore: decorator
@inline
function root(side: u32): Root {
  return changetype<Root>(ROOTS + (side << 6));
}

// @ts-ignore: decorator
@inline
function quantile(side: u32, step: u32): usize {
  return JITTER + ((side * JITTER_STEPS + step) << 2);
}

/** Sets a quantile of the jitter of a side, in ticks; called before buildRoot(). */
export function setJitter(side: u32, step: u32, ticks: u32): void {
  if (step < JITTER_STEPS) store<u32>(quantile(side, step), ticks);
}

/** Builds the root complex of a side; false when memory does not hold its IOTLB. */
export function buildRoot(side: u32): bool {
  const r = root(side);
  memory.fill(changetype<usize>(r), 0, 64);
  r.missAdder = p(side, S_MEM_MISS_ADDER);
  r.remoteAdder = p(side, S_MEM_REMOTE_ADDER);
  r.missShare = p(side, S_MEM_MISS_SHARE);
  r.seed = p32(side, S_MEM_SEED);
  r.jittered = p32(side, S_MEM_JITTER);
  if (!buildIommu(side)) return false;
  r.translated = <u32>hasIommu(side);
  r.special = <u32>(r.translated != 0 || r.jittered != 0 || r.missAdder != 0 || r.remoteAdder != 0);
  return true;
}

/** A read request arrives; returns when its data is there. */
// @ts-ignore: decorator
@inline
export function readAt(side: u32, address: u64, bytes: u32, arrival: u64): u64 {
  const served = admit(side * 2, arrival, bytes);
  return root(side).special == 0 ? served : later(side, address, bytes, served, arrival);
}

/** When the last read began to be served: its header credit is free then. */
// @ts-ignore: decorator
@inline
export function startedAt(side: u32): u64 {
  return startOf(side * 2) + root(side).waited;
}

function later(side: u32, address: u64, bytes: u32, served: u64, arrival: u64): u64 {
  const r = root(side);
  let t = served + r.remoteAdder;
  if (r.translated != 0) {
    r.waited = translate(side, address, arrival, bytes);
    t += r.waited;
  }
  if (r.missAdder != 0) {
    const line = address >> 6;
    if (<u64>mix((<u32>line) ^ r.seed, <u32>(line >> 32)) < r.missShare) t += r.missAdder;
  }
  if (r.jittered != 0) t += load<u32>(quantile(side, mix(r.seed, r.drawn++) >> 22));
  return t;
}

/** A posted write arrives; returns when it has landed. */
// @ts-ignore: decorator
@inline
export function writeAt(side: u32, address: u64, bytes: u32, arrival: u64): u64 {
  if (root(side).translated == 0) return admit(side * 2 + 1, arrival, bytes);
  return admit(side * 2 + 1, arrival + translate(side, address, arrival, 0), bytes);
}
