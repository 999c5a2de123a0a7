// SPDX-License-Identifier: Apache-2.0
// Cores of the source's host, where they are counted (`cpu.cores`): vCPUs share them with the migration.
//
// Models: what the migration works has a core at once; vCPUs have what is left, in equal parts. With V vCPUs
//   on C cores, b of them busy for a time w: before, a vCPU had min(1, C / V); now b - max(0, C - V) of the
//   cores that vCPUs had are gone, if that is above 0. So every vCPU loses
//     lost = floor(w x (b - max(0, C - V)) / min(V, C))
//   of its own time, at the beginning of the work. No loss with a core for each; all of w with one for both.
// Leaves out: shares and wake-ups of a scheduler, hyper-threads, caches, cores of the destination.
import { C_GUEST_CPU, G_VCPUS, S_HOST_CORES, U_GUEST } from "../abi";
import { giveBack, guestRuns, holdUp } from "./dirty";
import { g, p } from "./params";
import { wake } from "./schedule";
import { count } from "./stats";

/** True where cores are counted. */
export let shared: bool = false;
let spare: u64 = 0;
let among: u64 = 1;

export function buildCpu(): void {
  const cores = p(0, S_HOST_CORES);
  const vcpus = g(G_VCPUS);
  shared = cores != 0;
  spare = cores > vcpus ? cores - vcpus : 0;
  among = cores < vcpus ? cores : vcpus;
}

/** What each vCPU loses while one core of the migration works for so long. */
function lostTo(ticks: u64): u64 {
  return spare == 0 ? ticks / among : 0;
}

/** A core of the source works for the migration for so many ticks from now on. */
export function coreWorks(ticks: u64): void {
  if (!guestRuns) return;
  const lost = lostTo(ticks);
  holdUp(lost);
  count(0, C_GUEST_CPU, lost * g(G_VCPUS));
}

/** Cores of the source work for the migration from now on, each of n for so many ticks as stand at `ends`. */
export function coresWork(ends: usize, n: u32): void {
  if (!guestRuns) return;
  // the integral of max(0, cores busy - spare ones): all but the longest, which have the spare ones
  let sum: u64 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const mine = load<u64>(ends + (i << 3));
    let longer: u64 = 0;
    for (let j: u32 = 0; j < n; j++) {
      const other = load<u64>(ends + (j << 3));
      if (other > mine || (other == mine && j < i)) longer++;
    }
    if (longer >= spare) sum += mine;
  }
  const lost = sum / among;
  holdUp(lost);
  count(0, C_GUEST_CPU, lost * g(G_VCPUS));
}

/** Of such work so many ticks are dropped at t. */
export function coreStops(ticks: u64, t: u64): void {
  if (!guestRuns) return;
  const lost = lostTo(ticks);
  giveBack(lost);
  count(0, C_GUEST_CPU, 0 - lost * g(G_VCPUS));
  wake(0, U_GUEST, t);
}
