// SPDX-License-Identifier: Apache-2.0
// Root complex and host memory, as the card sees them: a request is translated, finds its line in a cache, in
// this socket's memory or in the other's, and is served.
//
//   read:  answered at  served(arrival) + translation + where the line is + jitter; served() is a serial
//          server, kernel/server.ts. Answers of different requests may pass each other.
//          The header credit of a read is free when its service has started and its translation is there, but
//          credits come back in the order in which requests arrived.
//   write: accepted at served(arrival + translation), by a server of its own, in order of arrival.
//          With relaxed ordering (the RO attribute of the PCIe Base Specification, section 2.4) a write of
//          data does not wait for the translations of others: it has landed at
//            max(served(arrival), arrival + translation + service);
//          a control write (descriptors, rings, interrupts) no earlier than one service behind all earlier
//          writes. Services are charged in order of arrival. Without an IOMMU it is all the same.
// Where the line is: a read misses the cache with probability `missShare` / 2^32 by a hash of its line and
//   then takes `missAdder` more; with memory and line on the other socket every read takes `remoteAdder`
//   more. Jitter is drawn from a table of 1024 quantiles.
// Contention: a read that misses waits longer the more of its sustained bandwidth the memory gives,
//     extra = floor(t0 * a * rho / (2^16 - rho))
//     rho = min(0.95 * 2^16, load + floor(moved * 2^16 / sustained))
//   t0 is the latency of a miss, `load` the share of others, `moved` the bytes of missing reads and of writes
//   that arrived in the window of time before this one, `sustained` what memory moves in a window. So it is 0
//   with nothing else going on, t0 * a at rho 1/2, 19 t0 * a at most. Form: tMem = t0 * (1 + a * rho /
//   (1 - rho)), the wait of a queue with one server (a = 1), assumed; sustained is 0.80 to 0.88 of the peak.
//   Leaves out: what others take of the rate itself (the server keeps the peak), waits of writes (they go to
//   the cache first), banks, refresh, turns between reading and writing.
// With ATS the card asks for translations itself (kernel/atc): such a request is answered at arrival +
//   translation + the latency of a read, its header credit is free when it is translated; requests that are
//   translated pass the IOMMU.
// All of it is computed when the request is committed to the one wire that feeds the root complex, in order
// of arrival; so nobody else can come between.
import {
  JITTER_STEPS,
  S_MEM_JITTER,
  LOAD_MOST,
  S_ATS_ENTRIES,
  S_IOMMU_SETS,
  S_MEM_CONTENTION,
  S_MEM_LOAD,
  S_MEM_MISS_ADDER,
  S_MEM_MISS_SHARE,
  S_MEM_READ_LATENCY,
  S_MEM_REMOTE_ADDER,
  S_MEM_SEED,
  S_MEM_WINDOW,
  S_MEM_WINDOW_BYTES,
  S_PCIE_RELAXED,
} from "../abi";
import { buildIommu, hasIommu, translate } from "./iommu";
import { p, p32 } from "./params";
import { mix } from "./random";
import { admit, startOf } from "./server";
import { completionsOf } from "./tags";

//  root of a side, 256 bytes: see the class; jitter table, u32 ticks each
const ROOTS = memory.data(512, 16);
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
  translated: u32; // 1 when there is an IOMMU that requests do not pass
  jittered: u32;
  plain: u32; // 1 when nothing but the server counts for writes
  relaxed: u32; // 1 when data writes do not wait for the translations of others
  load: u32; // of 2^16, of others
  rho: u32; // of 2^16, in this window
  contention: u64; // t0 * a, ticks; 0 without
  window: u64; // ticks, and the number of the one at hand
  windowAt: u64;
  sustained: u64; // bytes in a window
  moved: u64; // bytes in the one at hand
  latency: u64;
  walked: u64; // when the last translation request was translated
  landed: u64; // when all writes so far have
}

if (offsetof<Root>() > 256) ERROR("root record");

// @ts-ignore: decorator
@inline
function root(side: u32): Root {
  return changetype<Root>(ROOTS + (side << 8));
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
  memory.fill(changetype<usize>(r), 0, 256);
  r.missAdder = p(side, S_MEM_MISS_ADDER);
  r.remoteAdder = p(side, S_MEM_REMOTE_ADDER);
  r.missShare = p(side, S_MEM_MISS_SHARE);
  r.seed = p32(side, S_MEM_SEED);
  r.jittered = p32(side, S_MEM_JITTER);
  r.contention = p(side, S_MEM_CONTENTION);
  r.relaxed = p32(side, S_PCIE_RELAXED);
  r.load = p32(side, S_MEM_LOAD);
  r.rho = r.load;
  r.window = p(side, S_MEM_WINDOW);
  r.sustained = p(side, S_MEM_WINDOW_BYTES);
  if (!buildIommu(side)) return false;
  r.latency = p(side, S_MEM_READ_LATENCY);
  r.translated = <u32>(hasIommu(side) && p(side, S_ATS_ENTRIES) == 0);
  r.plain = <u32>(r.translated == 0 && r.contention == 0);
  r.special = <u32>(r.plain == 0 || r.jittered != 0 || r.missAdder != 0 || r.remoteAdder != 0);
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
    r.waited = translate(side, address, arrival, completionsOf(side, address, bytes));
    t += r.waited;
  }
  if (r.missAdder != 0 || r.contention != 0) {
    const line = address >> 6;
    if (<u64>mix((<u32>line) ^ r.seed, <u32>(line >> 32)) < r.missShare) {
      t += r.missAdder;
      if (r.contention != 0) t += contended(r, bytes, arrival);
    }
  }
  if (r.jittered != 0) t += load<u32>(quantile(side, mix(r.seed, r.drawn++) >> 22));
  return t;
}

/** A translation request arrives; returns when its answer is there. */
export function translationAt(side: u32, address: u64, arrival: u64): u64 {
  const r = root(side);
  r.walked = arrival + translate(side, address, arrival, 0);
  return r.walked + r.latency;
}

/** When the last translation request was translated: its header credit is free then. */
export function walkedAt(side: u32): u64 {
  return root(side).walked;
}

/** Whether the writes of a side land as they arrive: no translation and no load stands between. */
export function inOrder(side: u32): bool {
  return p(side, S_IOMMU_SETS) == 0 && p(side, S_MEM_CONTENTION) == 0;
}

/** A posted write arrives where they land in order; returns when it has landed. */
// @ts-ignore: decorator
@inline
export function writeInOrder(side: u32, bytes: u32, arrival: u64): u64 {
  return admit(side * 2 + 1, arrival, bytes);
}

/** A posted write arrives, of data or control; returns when it has landed. */
export function writeAt(side: u32, address: u64, bytes: u32, arrival: u64, data: bool): u64 {
  const r = root(side);
  if (r.plain != 0) return admit(side * 2 + 1, arrival, bytes);
  if (r.contention != 0) contended(r, bytes, arrival);
  if (r.translated == 0) return admit(side * 2 + 1, arrival, bytes);
  const wait = translate(side, address, arrival, 0);
  return r.relaxed != 0
    ? passing(side, r, bytes, arrival, wait, data)
    : admit(side * 2 + 1, arrival + wait, bytes);
}

/** A write with relaxed ordering: only control writes land behind all others. */
function passing(side: u32, r: Root, bytes: u32, arrival: u64, wait: u64, data: bool): u64 {
  let landed = admit(side * 2 + 1, arrival, bytes);
  const service = landed - startOf(side * 2 + 1);
  if (arrival + wait + service > landed) landed = arrival + wait + service;
  if (!data && r.landed + service > landed) landed = r.landed + service;
  if (landed > r.landed) r.landed = landed;
  return landed;
}

/** Bytes for memory arrive; returns what a read waits longer in this window for its load. */
function contended(r: Root, bytes: u32, arrival: u64): u64 {
  const at = arrival / r.window;
  if (at != r.windowAt) {
    const moved = at == r.windowAt + 1 ? r.moved : 0;
    const rho = <u64>r.load + (moved << 16) / r.sustained;
    r.rho = rho < <u64>LOAD_MOST ? <u32>rho : LOAD_MOST;
    r.windowAt = at;
    r.moved = 0;
  }
  r.moved += bytes;
  return (r.contention * r.rho) / (65536 - r.rho);
}
