// SPDX-License-Identifier: Apache-2.0
// The guest at the destination before every page is there: where it runs, and which vCPUs wait for a page.
//
// Models: a vCPU that touches a page that is not mapped faults. The front-end hears of it `fault` later and
//   serves faults one at a time, in order: a page that has landed is mapped, which takes `map`; another one
//   is asked for, and mapped when the card has told that it is there. What the vCPU does later shifts by the
//   time that it has stood still (clock guest). A page belongs to one vCPU, so nobody else waits for it.
// How long: first touch = fault + wait for the front-end + map, or
//   fault + wait + message + its way there and back + interrupt + map.
// Leaves out: reads other than a page's first, of which traces know nothing; several pages mapped by one
//   fault.
// Numbers: `migration.missing.*`, assumed.
import {
  C_DEMANDS,
  C_STALL_TICKS,
  C_TOUCHES,
  H_FIRST_TOUCH,
  L_ARRIVED,
  L_RESIDUAL_PAGES,
  L_RESUMED,
  L_SUSPENDED,
  S_HOST_MISSING,
  U_FRONTEND,
  U_GUEST,
  VCPUS_MAX,
} from "../abi";
import { holdUp } from "./dirty";
import { logged, note } from "./log";
import { p } from "./params";
import { mapAll, mapPage, missingCount } from "./residual";
import { wake } from "./schedule";
import { count, sample } from "./stats";
import { NEVER } from "./time";

/** True while the guest runs at the destination. */
export let guestThere: bool = false;
/** Set by the resumption, until the board has looked at it. */
export let justResumed: bool = false;

//  vCPU at the destination, 32 bytes, see the class
@unmanaged
class Toucher {
  since: u64; // when it touched the page that it waits for
  late: u64; // by what it has stood still for pages
  before: u64; // writes that it executed at the source
  pfn: u32;
  waits: u32;
}

const TOUCHERS = memory.data(2048, 16);
// faults that the front-end has not begun to serve, a ring of vCPUs
const FAULTS = memory.data(256, 16);
let faultFirst: u32 = 0;
let faultLast: u32 = 0;

if (offsetof<Toucher>() != 32 || VCPUS_MAX * 32 != 2048) ERROR("vCPUs at the destination");

// @ts-ignore: decorator
@inline
function toucher(v: u32): Toucher {
  return changetype<Toucher>(TOUCHERS + (v << 5));
}

export function buildTouch(): void {
  memory.fill(TOUCHERS, 0, 2048);
  faultFirst = 0;
  faultLast = 0;
  guestThere = false;
  justResumed = false;
}

/** The destination resumes the guest at t: it goes on where it stood. */
export function guestArrives(t: u64): void {
  guestThere = true;
  justResumed = true;
  holdUp(t - logged(L_SUSPENDED));
  note(L_RESUMED, t);
  note(L_ARRIVED, t);
  note(L_RESIDUAL_PAGES, missingCount());
  wake(1, U_GUEST, t);
}

/** The board has looked at the resumption. */
export function resumeSeen(): void {
  justResumed = false;
}

/** The simulation stops the guest. */
export function guestLeaves(): void {
  guestThere = false;
}

// @ts-ignore: decorator
@inline
export function waits(v: u32): bool {
  return toucher(v).waits != 0;
}

/** Ticks by which a vCPU is late for pages that it waited for. */
// @ts-ignore: decorator
@inline
export function lateFor(v: u32): u64 {
  return toucher(v).late;
}

/** A vCPU touches a page that is not mapped. */
export function touch(v: u32, pfn: u32, t: u64): void {
  const c = toucher(v);
  c.since = t;
  c.pfn = pfn;
  c.waits = 1;
  store<u32>(FAULTS + ((faultLast++ & (VCPUS_MAX - 1)) << 2), v);
  count(1, C_TOUCHES, 1);
  wake(1, U_FRONTEND, t + p(1, S_HOST_MISSING));
}

/** When the front-end has the next fault, NEVER when there is none. */
export function faultAt(): u64 {
  if (faultFirst == faultLast) return NEVER;
  return toucher(load<u32>(FAULTS + ((faultFirst & (VCPUS_MAX - 1)) << 2))).since + p(1, S_HOST_MISSING);
}

/** The page of that fault. */
export function faultPage(): u32 {
  return toucher(load<u32>(FAULTS + ((faultFirst & (VCPUS_MAX - 1)) << 2))).pfn;
}

/** The front-end begins to serve it. */
export function faultTaken(asked: bool): void {
  faultFirst++;
  if (asked) count(1, C_DEMANDS, 1);
}

/** A page is mapped: the vCPU that waits for it goes on. */
export function goesOnWith(pfn: u32, t: u64): void {
  mapPage(pfn, t);
  for (let v: u32 = 0; v < VCPUS_MAX; v++) {
    const c = toucher(v);
    if (c.waits != 0 && c.pfn == pfn) goOn(c, t);
  }
}

function goOn(c: Toucher, t: u64): void {
  const stood = t - c.since;
  c.waits = 0;
  c.late += stood;
  count(1, C_STALL_TICKS, stood);
  sample(1, H_FIRST_TOUCH, stood);
  wake(1, U_GUEST, t);
}

/** Every page is there: whoever waits goes on. */
export function allGoOn(t: u64): void {
  mapAll();
  faultFirst = faultLast;
  for (let v: u32 = 0; v < VCPUS_MAX; v++) if (toucher(v).waits != 0) goOn(toucher(v), t);
}

/** A vCPU had executed so many writes when it was stopped at the source. */
export function noteBefore(v: u32, consumed: u64): void {
  toucher(v).before = consumed;
}

/** Where the writes that vCPUs executed at the source stand: 32 bytes a vCPU, at offset 16. */
export function touchersAt(): usize {
  return TOUCHERS;
}
