// SPDX-License-Identifier: Apache-2.0
// State of a storage adapter, a virtual function (VF) of a card: what it has of the queues, and how it is
// handed over (US 2012/0042034 and US 9,086,904: taking of requests is suspended, the state is copied through
// the intermediary in the host by way of the physical function, PF).
//
// Models: the intermediary asks at a: before the first round, or when the guest has stopped. From a +
// `suspend`
//   on (h) no request is taken any more. What is under way by then:
//     suspend   stays with the back-end, whose answers are thrown away; its descriptors are in the state, and
//               the destination begins it again
//     drain     is waited for
//     fallback  is waited for; once the state is with the intermediary, that takes the requests and gives
//     them
//               to the PF, one after another, until the guest stops; those are waited for too
//     cancel    is cancelled, one after another from the lowest slot, `cancel` each, unless it is answered
//               before; the destination reads its descriptor again and begins anew (US 2011/0302577)
//   Nothing of it is left at f, transfers that have begun are over. The state of b bytes goes to the PF
//   (b x `rate`) and over PCIe to the intermediary, which hears of it an interrupt later: still. The last
//   round
//   is collected no sooner. Its bytes travel with the device state. At the destination the card reads them,
//   b x `rate` and `resume` later the front-end is told and resumes the guest.
//     b = stateBytes + requests in it x 80 (suspend: descriptor of 64, progress of 16), x 64 (cancel)
//   The places of the queues are compared with those that the source's adapter and the guest have.
//   A migration that ends at the source gives the requests back: `resume` later the VF goes on; a guest whose
//   requests go through the PF stays with it.
//   With `none` nothing is asked: the adapter is gone when the guest stops, the destination's begins at the
//   end
//   of the queue. Requests are lost, which storage-completes-once notices.
// Leaves out: back-ends that keep an answer for the destination, failed cancellations, VFs of other guests.
// Numbers: all assumed (docs/model.md).
import {
  C_STORAGE_DRAIN,
  C_STORAGE_STALL,
  C_STORAGE_STATE,
  IO_CANCELLED,
  IO_MODE,
  I_STORAGE_ONCE,
  L_STORAGE_ASKED,
  L_STORAGE_LOAD,
  L_STORAGE_STILL,
  QUIESCE_CANCEL,
  QUIESCE_FALLBACK,
  QUIESCE_NONE,
  QUIESCE_SUSPEND,
  ST_AT_STOP,
  ST_CANCEL,
  ST_POLICY,
  ST_RATE_DEN,
  ST_RATE_NUM,
  ST_RESUME,
  ST_SUSPEND,
  S_HOST_INTERRUPT,
  T_STORAGE,
  U_FRONTEND,
  U_STORAGE,
} from "../abi";
import {
  AWAY,
  Adapter,
  BACK,
  CLOSING,
  COPYING,
  FALLBACK,
  GONE,
  HELD,
  LOADING,
  NOBODY,
  READING,
  SERVING,
  STILL,
  STOPPING,
  WRITING,
  adapter,
  inFlight,
  redo,
  region,
  served,
  stateBytes,
  takeOver,
  writePlaces,
  writeState,
} from "./adapter-state";
import { note } from "./log";
import { devicePlace } from "./pages";
import { p } from "./params";
import { wake } from "./schedule";
import { broken, count, evaluates } from "./stats";
import * as storage from "./storage";
import { CANCELLED, FREE, IN_SERVICE, PULLING, PUSHING, depth, slot } from "./storage";
import { st } from "./storage-params";
import { NEVER, spanTicks } from "./time";
import { happened } from "./timeline";

function setMode(side: u32, a: Adapter, mode: u32, until: u64, t: u64): void {
  a.mode = mode;
  a.until = until;
  happened(T_STORAGE, side, IO_MODE, t, mode, 0, until);
}

// --- what the front-ends say ---

/** The first round begins: the adapter is told now, if it is to be. */
export function migrationBegins(t: u64): void {
  if (depth != 0 && st(ST_AT_STOP) == 0) tell(t);
}

function tell(t: u64): void {
  const a = adapter(0);
  if (a.mode != SERVING || st(ST_POLICY) == QUIESCE_NONE) return;
  note(L_STORAGE_ASKED, t);
  setMode(0, a, STOPPING, t + st(ST_SUSPEND), t);
  wake(0, U_STORAGE, t);
}

/** The guest has stopped. */
export function guestStops(t: u64): void {
  if (depth == 0) return;
  const a = adapter(0);
  storage.pauseDriver(t);
  a.stopped = 1;
  tell(t);
  if (st(ST_POLICY) == QUIESCE_NONE) {
    setMode(0, a, GONE, NEVER, t);
    a.heldAt = t;
    a.fetching = 0;
    a.pushing = 0;
    a.landing = 0;
  } else if (a.mode == FALLBACK) {
    setMode(0, a, CLOSING, NEVER, t);
    a.heldAt = t;
  }
  wake(0, U_STORAGE, t);
}

/** Whether nothing of the adapter writes memory any more, and its state may be sent. */
export function isStill(t: u64): bool {
  if (depth == 0 || adapter(0).mode == GONE) return true;
  const a = adapter(0);
  if (a.mode != STILL || t < a.until) return false;
  // the guest may have asked for more since the state was copied
  a.seen = storage.asked;
  writePlaces(a);
  return true;
}

/** Whether the destination's adapter has its state; the first who asks has it begun. */
export function isLoaded(t: u64): bool {
  if (depth == 0) return true;
  const a = adapter(1);
  if (a.mode == LOADING) return t >= a.until;
  if (a.mode != AWAY) return false;
  a.heldAt = t;
  a.stateBytes = adapter(0).mode == GONE ? 0 : stateBytes(load<u32>(region(devicePlace()), 12));
  setMode(1, a, READING, NEVER, t);
  wake(1, U_STORAGE, t);
  return false;
}

/** The guest goes on at the destination. */
export function guestMoves(t: u64): void {
  if (depth == 0) return;
  const a = adapter(1);
  takeOver(a, t);
  setMode(1, a, SERVING, NEVER, t);
  storage.resumeDriver(1, t);
  count(1, C_STORAGE_STALL, t - adapter(0).heldAt);
  wake(1, U_STORAGE, t);
}

/** The guest goes on at the source: the migration is over, and has failed. */
export function guestStays(t: u64): void {
  if (depth == 0) return;
  const a = adapter(0);
  storage.resumeDriver(0, t);
  a.stopped = 0;
  a.cancelling = NOBODY;
  if (a.mode == STOPPING) setMode(0, a, SERVING, NEVER, t);
  else if (a.mode == CLOSING) {
    count(0, C_STORAGE_STALL, t - a.heldAt);
    setMode(0, a, FALLBACK, NEVER, t);
  } else if (!served(a) && a.mode != GONE) setMode(0, a, BACK, t + st(ST_RESUME), t);
  wake(0, U_STORAGE, t);
}

// --- the adapter's side of it ---

/** Takes the next steps of a hand-over that are due at t. */
export function govern(side: u32, a: Adapter, t: u64): void {
  if (a.mode == STOPPING && t >= a.until) {
    setMode(side, a, HELD, NEVER, t);
    a.heldAt = t;
  }
  if (a.mode == HELD) {
    if (st(ST_POLICY) == QUIESCE_CANCEL) cancel(side, a, t);
    if (frozen(a)) {
      count(side, C_STORAGE_DRAIN, t - a.heldAt);
      writeState(a);
      setMode(side, a, COPYING, t + acrossTicks(a.stateBytes), t);
    }
  }
  if (a.mode == COPYING && t >= a.until) {
    a.moved = 0;
    setMode(side, a, WRITING, NEVER, t);
  } else if (a.mode == STILL && t >= a.until && st(ST_POLICY) == QUIESCE_FALLBACK && a.stopped == 0) {
    count(side, C_STORAGE_STALL, t - a.heldAt);
    setMode(side, a, FALLBACK, NEVER, t);
  } else if (a.mode == CLOSING && pfIsEmpty()) {
    count(side, C_STORAGE_DRAIN, t - a.heldAt);
    storedAt(side, a, t + 1, t);
  } else if (a.mode == READING && a.moved == a.stateBytes && a.reads == 0) {
    const set = t + acrossTicks(a.stateBytes) + st(ST_RESUME);
    const heard = set + interruptTicks(side);
    note(L_STORAGE_LOAD, heard - a.heldAt);
    setMode(side, a, LOADING, heard, t);
    wake(side, U_FRONTEND, heard);
  } else if (a.mode == BACK && t >= a.until) goOn(side, a, t);
}

/** The VF has its requests again. */
function goOn(side: u32, a: Adapter, t: u64): void {
  a.seen = storage.asked;
  count(side, C_STORAGE_STALL, t - a.heldAt);
  a.redoAt = 0;
  a.redo = 0;
  for (let i: u32 = 0; i < depth; i++) if (slot(i).state == CANCELLED) redo(a, i);
  setMode(side, a, SERVING, NEVER, t);
}

/** Ticks in which a state goes from one function of a card to another. */
function acrossTicks(bytes: u32): u64 {
  return spanTicks(bytes, st(ST_RATE_NUM), st(ST_RATE_DEN));
}

/** An interrupt, and never no time. */
export function interruptTicks(side: u32): u64 {
  const ticks = p(side, S_HOST_INTERRUPT);
  return ticks == 0 ? 1 : ticks;
}

/** The state has landed: the intermediary hears of it. */
export function stateLanded(side: u32, a: Adapter, t: u64): void {
  if (a.mode != WRITING) return;
  count(side, C_STORAGE_STATE, a.stateBytes);
  storedAt(side, a, t + interruptTicks(side), t);
}

function storedAt(side: u32, a: Adapter, heard: u64, t: u64): void {
  note(L_STORAGE_STILL, heard);
  setMode(side, a, STILL, heard, t);
  wake(side, U_FRONTEND, heard);
}

/** Nothing that was taken is left but what the state carries, and no transfer has begun. */
function frozen(a: Adapter): bool {
  if (a.fetching != 0 || a.pushing != 0 || a.landing != 0) return false;
  const carries = st(ST_POLICY) == QUIESCE_SUSPEND;
  for (let i: u32 = 0; i < depth; i++) {
    const s = slot(i);
    if (inFlight(s) && (!carries || s.cut != 0)) return false;
  }
  return true;
}

/** No request is with the intermediary or the PF. */
function pfIsEmpty(): bool {
  for (let i: u32 = 0; i < depth; i++) if (slot(i).pf != 0 && slot(i).state != FREE) return false;
  return true;
}

/** Whether a request may be cancelled: nothing of its data is on the way. */
function cancellable(a: Adapter, i: u32): bool {
  const s = slot(i);
  if (s.state == PULLING) return s.cut == 0;
  return s.state == IN_SERVICE || (s.state == PUSHING && a.pushing != i + 1);
}

/** Cancels the request whose time has come, and turns to the next. */
function cancel(side: u32, a: Adapter, t: u64): void {
  while (true) {
    const i = a.cancelling;
    if (i != NOBODY) {
      if (t < a.until) return;
      if (cancellable(a, i)) {
        slot(i).state = CANCELLED;
        slot(i).cut = 0;
        happened(T_STORAGE, side, IO_CANCELLED, t, i, slot(i).n, 0);
      }
    }
    let next: u32 = 0;
    while (next < depth && !cancellable(a, next)) next++;
    a.cancelling = next == depth ? NOBODY : next;
    a.until = next == depth ? NEVER : t + st(ST_CANCEL);
    if (next == depth) return;
  }
}

// --- the end ---

/** Whether requests of the hand-over are still to be answered, or one that the guest has asked for since. */
export function storageOpen(): bool {
  if (depth == 0 || storage.home != 1) return false;
  return storage.movedLeft != 0 || storage.answered - storage.answeredAtSource == storage.movedAnswered;
}

/** After the drain: whether every request has been answered, unless the guest stands still for ever. */
export function storageHome(t: u64): bool {
  if (depth == 0 || (storage.home == 0 && adapter(0).stopped != 0)) return true;
  evaluates(I_STORAGE_ONCE);
  if (storage.asked == storage.answered) return true;
  broken(I_STORAGE_ONCE, storage.answered, storage.asked, t);
  return false;
}
