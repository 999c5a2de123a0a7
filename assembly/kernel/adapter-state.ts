// SPDX-License-Identifier: Apache-2.0
// What a storage adapter has of its queues and of its hand-over, and the state that travels with the device
// state:
//   | taken u32 | asked u32 | answered u32 | requests u32 | entries of a queue u32 | … stateBytes |
//   requests, each | slot u32 | number u32 | … 80 or 64 bytes |
// How it is handed over: kernel/adapter.
import {
  C_STORAGE_MOVED,
  G_DEVICE_BYTES,
  I_STORAGE_INDICES,
  I_STORAGE_ONCE,
  QUIESCE_CANCEL,
  STORAGE_DEPTH_MAX,
  ST_POLICY,
  ST_QUEUE,
  ST_STATE_BYTES,
  U_STORAGE,
} from "../abi";
import { addDevice, devicePlace, deviceState } from "./pages";
import { g32 } from "./params";
import { wake } from "./schedule";
import { broken, count, evaluates } from "./stats";
import * as storage from "./storage";
import { CANCELLED, FETCHING, FREE, LANDING, QUEUED, Slot, UNKNOWN, depth, slot, slotAt } from "./storage";
import { buildLines } from "./storage-lines";
import { CARRIED_BYTES, st, st32 } from "./storage-params";

// how far an adapter is
export const AWAY: u32 = 0; // the guest is at the other side
export const SERVING: u32 = 1;
export const STOPPING: u32 = 2; // told to take no more, until `until`
export const HELD: u32 = 3; // takes no more
export const COPYING: u32 = 4; // its state goes to the PF, until `until`
export const WRITING: u32 = 5; // and to the intermediary
export const STILL: u32 = 6; // the intermediary has it from `until` on
export const FALLBACK: u32 = 7; // requests go through the PF
export const CLOSING: u32 = 8; // those that have are waited for
export const GONE: u32 = 9;
export const READING: u32 = 10; // the state is read
export const LOADING: u32 = 11; // and set, known from `until` on
export const BACK: u32 = 12; // at the source again, from `until` on

const CANCELLED_BYTES: u32 = 64; // a descriptor
export const NOBODY: u32 = 0xffffffff;


@unmanaged
export class Adapter {
  until: u64;
  heldAt: u64; // nobody takes requests from then on
  hostFree: u64; // the intermediary's core
  mode: u32;
  head: u32; // place in the request queue of the next request taken
  seen: u32; // end of the request queue as far as it has been told
  answers: u32; // place in the response queue of the next response
  pfHead: u32; // the same of the PF's queues
  pfTail: u32;
  pfSeen: u32;
  pfAnswers: u32;
  fetching: u32; // requests of the read of a queue that is out
  fetchFrom: u32;
  fetchOf: u32; // what it reads: card/storage
  pushing: u32; // slot whose answer is being written, plus one
  landing: u32; // answers on their way
  moved: u32; // bytes of the state put, or asked for
  reads: u32; // reads of the state that are out
  stateBytes: u32;
  stopped: u32; // 1: the guest has stopped
  cancelling: u32; // slot, NOBODY when none
  redo: u32; // cancelled requests at the head of `redone`
  redoAt: u32;
}

const ADAPTERS = memory.data(256, 16);
// requests cancelled that are to be taken again, in order: slots
const REDONE = memory.data(1024, 16);

if (offsetof<Adapter>() > 128 || STORAGE_DEPTH_MAX * 4 != 1024) ERROR("adapter");

// @ts-ignore: decorator
@inline
export function adapter(side: u32): Adapter {
  return changetype<Adapter>(ADAPTERS + (side << 7));
}

export function buildAdapters(): void {
  memory.fill(ADAPTERS, 0, 256);
  adapter(0).mode = SERVING;
  adapter(0).cancelling = NOBODY;
  adapter(1).cancelling = NOBODY;
  buildLines();
  if (depth != 0) wake(0, U_STORAGE, storage.nextRequest(0));
}

// @ts-ignore: decorator
@inline
export function redone(i: u32): u32 {
  return load<u32>(REDONE + ((<usize>i) << 2));
}

/** A request is to be begun again, after those before. */
export function redo(a: Adapter, i: u32): void {
  slot(i).again++;
  store<u32>(REDONE + ((<usize>a.redo) << 2), i);
  a.redo++;
}

/** Whether the VF takes requests. */
// @ts-ignore: decorator
@inline
export function takes(a: Adapter): bool {
  return a.mode == SERVING || a.mode == STOPPING;
}

/** Whether somebody takes requests. */
// @ts-ignore: decorator
@inline
export function served(a: Adapter): bool {
  return takes(a) || a.mode == FALLBACK;
}

// --- the state ---

/** Where the adapter's part of a device state begins. */
// @ts-ignore: decorator
@inline
export function region(state: usize): usize {
  return state + g32(G_DEVICE_BYTES);
}

/** Bytes of a state with so many requests. */
export function stateBytes(requests: u32): u32 {
  const each = st(ST_POLICY) == QUIESCE_CANCEL ? CANCELLED_BYTES : CARRIED_BYTES;
  return st32(ST_STATE_BYTES) + requests * each;
}

export function writePlaces(a: Adapter): void {
  const at = region(deviceState());
  store<u32>(at, a.head);
  store<u32>(at, a.seen, 4);
  store<u32>(at, a.answers, 8);
}

/** Writes the state into the device state to be sent: places, number of requests, requests. */
export function writeState(a: Adapter): void {
  const at = region(deviceState());
  const each = st(ST_POLICY) == QUIESCE_CANCEL ? CANCELLED_BYTES : CARRIED_BYTES;
  writePlaces(a);
  let n: u32 = 0;
  for (let i: u32 = 0; i < depth; i++) {
    const s = slot(i);
    if (!travels(s)) continue;
    const entry = at + st32(ST_STATE_BYTES) + n * each;
    store<u32>(entry, i);
    store<u32>(entry, s.n, 4);
    n++;
  }
  store<u32>(at, n, 12);
  store<u32>(at, st32(ST_QUEUE), 16);
  a.stateBytes = stateBytes(n);
  addDevice(a.stateBytes);
  count(0, C_STORAGE_MOVED, n);
}

/** Whether a request has been taken and not answered. */
// @ts-ignore: decorator
@inline
function travels(s: Slot): bool {
  return s.state == CANCELLED || inFlight(s);
}

// @ts-ignore: decorator
@inline
export function inFlight(s: Slot): bool {
  return s.state >= FETCHING && s.state <= LANDING;
}

/** The destination's adapter begins with the places and requests of the state it has been sent. */
export function takeOver(a: Adapter, t: u64): void {
  const lost = adapter(0).mode == GONE;
  const at = region(devicePlace());
  a.head = lost ? storage.asked : load<u32>(at);
  a.seen = lost ? storage.asked : load<u32>(at, 4);
  a.answers = lost ? storage.answered : load<u32>(at, 8);
  for (let i: u32 = 0; i < depth; i++) if (slot(i).state != FREE) slot(i).state = UNKNOWN;
  const requests: u32 = lost ? 0 : load<u32>(at, 12);
  const each = (a.stateBytes - st32(ST_STATE_BYTES)) / (requests == 0 ? 1 : requests);
  for (let n: u32 = 0; n < requests; n++) {
    const i = load<u32>(at + st32(ST_STATE_BYTES) + n * each);
    const s = slot(i);
    if (s.state != UNKNOWN) broken(I_STORAGE_ONCE, s.n, s.state, t);
    s.state = CANCELLED;
    s.pf = 0;
    storage.known(s);
    redo(a, i);
  }
  for (let i = a.head; <i32>(a.seen - i) > 0; i++) {
    const s = slot(slotAt(i));
    if (s.state != UNKNOWN) broken(I_STORAGE_ONCE, s.n, s.state, t);
    s.state = QUEUED;
    storage.known(s);
  }
  count(1, C_STORAGE_MOVED, requests);
  if (lost) return;
  const b = adapter(0);
  evaluates(I_STORAGE_INDICES);
  if (a.head != b.head) broken(I_STORAGE_INDICES, a.head, b.head, t);
  if (a.answers != b.answers) broken(I_STORAGE_INDICES, a.answers, b.answers, t);
  if (a.seen != storage.asked) broken(I_STORAGE_INDICES, a.seen, storage.asked, t);
}
