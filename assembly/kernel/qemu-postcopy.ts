// SPDX-License-Identifier: Apache-2.0
// QEMU's post-copy: the guest goes on at the destination, and pages come after it.
//
// Models: postcopy_start(), ram_postcopy_send_discard_bitmap(), postcopy-ram.c. The guest is stopped, the
//   bitmap synchronised and what of it is to come is told in ranges; device state follows, and the guest goes
//   on there. The scan begins anew and pages are sent without limit; each is placed by the destination, one
//   after another. A vCPU that writes to a page that is not there, or reads it, waits until it is; the source
//   is asked for it, sends it next, and goes on behind it. A request overtakes no page that has been sent.
// In and out: the bitmap; writes of the guest, found by their marks after each of its steps, and its reads as
//   it makes them; the time at which each page is there. A page that comes after the guest wrote to it has
//   the write upon it.
// How long: pages come `flight` after the connection has taken them and are placed in `place` each; a request
//   takes `request`. So n pages take no less than n x `place`, and a fault no less than `request` + `flight`
//   + `place`, and what lies before it; `socket` bytes of pages that are not placed lie there at most.
// Leaves out: reads of pages that the guest has read before, its kernel's other faults, huge pages, recovery
//   of a lost connection, preemption; iterations of 50 ms are one.
// Numbers: QEMU 10.0 migration/savevm.c (MAX_DISCARDS_PER_COMMAND), migration.c.
import {
  C_READ_TOUCHES,
  PAGE_BYTES,
  QP_FLIGHT,
  QP_NORMAL,
  QP_PLACE,
  QP_POSTCOPY,
  QP_REQUEST,
  QP_ROM_PAGES,
  QP_SOCKET_BYTES,
  QP_ZERO,
  QR_FAULT_TICKS,
  QR_NORMAL,
  QR_PENDING,
  QR_READ_REQUESTS,
  QR_REQUESTS,
  QR_RESUMED,
  QR_ZERO,
  BATCH_PAGES,
  G_CLOCK_WALL,
  G_VCPUS,
  U_FRONTEND,
  U_GUEST,
  VCPUS_MAX,
} from "../abi";
import { isPending, pending, rewind, takeNext, takePage } from "./bitmap";
import { collectBatch, dirtyCount, holdUp, setGuestRuns } from "./dirty";
import { reserve } from "./memory";
import { g32 } from "./params";
import { isZero, pages, place } from "./qemu-content";
import {
  flush,
  HEADER,
  holdsNothing,
  putPage,
  putZero,
  q,
  tell,
  tellMore,
  wireIsFree,
  work,
} from "./qemu-stream";
import { wake } from "./schedule";
import { count } from "./stats";
import { NEVER } from "./time";

const RANGES: u32 = 12; // MAX_DISCARDS_PER_COMMAND
const COMMAND: u64 = 14; // its header, version, and the name pc.ram
const HELD: u64 = (<u64>1) << 61; // a vCPU is this late while it waits
const SKEW: usize = 32; // bytes of a vCPU of the guest; by how much it is late stands first
const COMING: u64 = NEVER - 1; // in the buffer

//  wait of a vCPU, 32 bytes: | page + 1 u32 | - | since u64 | asked at u64 | there at u64, NEVER: not known |
const WAITS = memory.data(2048, 16);
const TAKEN = memory.data(256, 16);
const BUFFERED = memory.data(16384, 16);
if (VCPUS_MAX * 32 != 2048 || BATCH_PAGES / 8 != 256) ERROR("waits");

let vcpus: usize = 0; // where the guest's are
let thereAt: usize = 0; // u64 a page: when it is there; NEVER: it is to be sent
let buffered: u32 = 0;
let placeFree: u64 = 0;
let stoppedAt: u64 = 0;
let resumeAt: u64 = NEVER;
/** True from when the guest is stopped to go over. */
export let moves: bool = false;
let runsThere: bool = false;

/** The guest is one that does not move so, until a board that lets it is built. */
export function stays(): void {
  moves = runsThere = false;
}

/** Lays it out; false when memory does not hold it. */
export function buildPostcopy(guestAt: usize): bool {
  vcpus = guestAt;
  stays();
  resumeAt = NEVER;
  buffered = 0;
  placeFree = stoppedAt = 0;
  memory.fill(WAITS, 0, 2048);
  if (q(QP_POSTCOPY) == 0) return true;
  thereAt = reserve((<u64>pages + q(QP_ROM_PAGES)) * 8);
  return thereAt != 0;
}

// @ts-ignore: decorator
@inline
function there(index: u32): u64 {
  return load<u64>(thereAt + ((<usize>index) << 3));
}

// @ts-ignore: decorator
@inline
function setThere(index: u32, t: u64): void {
  store<u64>(thereAt + ((<usize>index) << 3), t);
}

/** The guest has been stopped; returns the bytes that tell what of its memory is to come. */
export function leave(t: u64): u64 {
  moves = true;
  stoppedAt = t;
  rewind();
  let ranges: u64 = 0;
  let before = false;
  const all = pages + <u32>q(QP_ROM_PAGES);
  for (let index: u32 = 0; index < all; index++) {
    const is = isPending(index);
    setThere(index, is ? NEVER : 0);
    if (is && (!before || index == pages)) ranges++;
    before = is;
  }
  return 16 * ranges + COMMAND * ((ranges + RANGES - 1) / RANGES);
}

/** It goes on at the destination at t. */
export function goesOnAt(t: u64): void {
  resumeAt = t;
}

// @ts-ignore: decorator
@inline
function waitOf(v: u32): usize {
  return WAITS + ((<usize>v) << 5);
}

/** The next time at which the guest goes on, or a vCPU does. */
export function nextMove(): u64 {
  if (!runsThere) return resumeAt;
  let next = NEVER;
  for (let v: u32 = 0; v < g32(G_VCPUS); v++)
    if (load<u32>(waitOf(v)) != 0) next = min(next, load<u64>(waitOf(v), 24));
  return next;
}

/** Does what is due at t. */
export function move(t: u64): void {
  if (!runsThere && resumeAt <= t) {
    runsThere = true;
    holdUp(resumeAt - stoppedAt);
    setGuestRuns(true);
    tell(QR_RESUMED, resumeAt);
    wake(0, U_GUEST, t);
  }
  for (let v: u32 = 0; v < g32(G_VCPUS); v++) {
    const at = waitOf(v);
    if (load<u32>(at) == 0 || load<u64>(at, 24) > t) continue;
    const waited = load<u64>(at, 24) - load<u64>(at, 8);
    tellMore(QR_FAULT_TICKS, waited);
    store<u32>(at, 0);
    if (g32(G_CLOCK_WALL) != 0) continue;
    const skew = vcpus + <usize>v * SKEW;
    store<u64>(skew, load<u64>(skew) - HELD + waited);
    wake(0, U_GUEST, t);
  }
}

/** The guest has been stepped at t: what it wrote at the destination. */
export function guestWrote(t: u64): void {
  if (!runsThere || dirtyCount() == 0) return;
  for (let batch: u32 = 0; batch * BATCH_PAGES < pages; batch++) {
    if (collectBatch(batch, TAKEN) == 0) continue;
    for (let i: u32 = 0; i < BATCH_PAGES / 64; i++) {
      let word = load<u64>(TAKEN + ((<usize>i) << 3));
      for (; word != 0; word &= word - 1) wrote(t, batch * BATCH_PAGES + (i << 6) + <u32>ctz(word));
    }
  }
}

function wrote(t: u64, index: u32): void {
  const at = there(index);
  if (at != NEVER) place(index);
  if (at > t) waitFor(t, index, at);
}

/** The guest reads a page at t. */
export function readsThere(t: u64, index: u32): void {
  if (!runsThere) return;
  const at = there(index);
  if (at <= t || !waitFor(t, index, at)) return;
  tellMore(QR_READ_REQUESTS, 1);
  count(0, C_READ_TOUCHES, 1);
}

/** The vCPU of a page that is there at `at` waits for it from t on; false when it waits already. */
function waitFor(t: u64, index: u32, at: u64): bool {
  const v = vcpuOf(index);
  const wait = waitOf(v);
  if (load<u32>(wait) != 0) return false; // at recorded times
  store<u32>(wait, index + 1);
  store<u64>(wait, t, 8);
  store<u64>(wait, t + q(QP_REQUEST), 16);
  store<u64>(wait, at < COMING ? at : NEVER, 24);
  tellMore(QR_REQUESTS, 1);
  if (at < COMING) wake(0, U_FRONTEND, at);
  if (g32(G_CLOCK_WALL) != 0) return true;
  const skew = vcpus + <usize>v * SKEW;
  store<u64>(skew, load<u64>(skew) + HELD);
  return true;
}

/** The vCPU of a page: the harness's hash (src/feeder). */
function vcpuOf(pfn: u32): u32 {
  return (((pfn ^ (pfn >> 15)) * 0x9e3779b1) >> 8) % g32(G_VCPUS);
}

/** The page that has been asked for first and is to be sent, from 1; 0 for none. */
function asked(t: u64): u32 {
  let first = NEVER;
  let page: u32 = 0;
  for (let v: u32 = 0; v < g32(G_VCPUS); v++) {
    const at = waitOf(v);
    const wanted = load<u32>(at);
    if (wanted == 0 || load<u64>(at, 16) > t || load<u64>(at, 16) >= first) continue;
    if (there(wanted - 1) != NEVER) continue;
    first = load<u64>(at, 16);
    page = wanted;
  }
  return page;
}

/** Sends a page at t; returns when the thread may go on. */
export function pushPage(t: u64): u64 {
  const wanted = asked(t);
  let index = wanted - 1;
  if (wanted == 0) index = takeNext();
  else takePage(index);
  tell(QR_PENDING, pending);
  place(index);
  setThere(index, COMING);
  store<u32>(BUFFERED + ((<usize>buffered) << 2), index);
  buffered++;
  const zero = isZero(index);
  tellMore(zero ? QR_ZERO : QR_NORMAL, 1);
  const done = zero ? putZero(work(t, q(QP_ZERO))) : putPage(work(t, q(QP_NORMAL)), PAGE_BYTES);
  return holdsNothing() ? arrive(done) : done;
}

/** The last of them are given away at t; returns when the source knows that all are there, and the guest. */
export function pushLast(t: u64): u64 {
  arrive(flush(t));
  return max(max(placeFree, t) + q(QP_FLIGHT), resumeAt);
}

/** What was in the buffer is placed after it has been given away at t; returns when the thread may go on. */
function arrive(t: u64): u64 {
  placeFree = max(placeFree, max(wireIsFree(), t) + q(QP_FLIGHT));
  for (let i: u32 = 0; i < buffered; i++) {
    const index = load<u32>(BUFFERED + ((<usize>i) << 2));
    placeFree += q(QP_PLACE);
    setThere(index, placeFree);
    if (index >= pages) continue;
    const wait = waitOf(vcpuOf(index));
    if (load<u32>(wait) == index + 1) store<u64>(wait, placeFree, 24);
  }
  buffered = 0;
  // so many pages lie in the socket while the destination is busy
  const lie = (q(QP_SOCKET_BYTES) / (PAGE_BYTES + HEADER)) * q(QP_PLACE) + q(QP_FLIGHT);
  return placeFree > t + lie ? placeFree - lie : t;
}
