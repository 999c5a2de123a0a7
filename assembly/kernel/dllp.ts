// SPDX-License-Identifier: Apache-2.0
// Data link layer of a credit-based link: what a receiver owes its peer (an acknowledgement for every packet,
// the credits that it has freed), when it is due, and the 8-byte packets that carry it over the opposite
// wire.
import {
  C_DOWN_DLLP_BYTES,
  C_UP_DLLP_BYTES,
  DLL_ACK_PER_TLP,
  DLL_EXPLICIT,
  DLL_NONE,
  T_DLLP,
  U_UP,
} from "../abi";
import { wake } from "./schedule";
import { count } from "./stats";
import { NEVER } from "./time";
import { happened } from "./timeline";
import {
  KIND_ACK,
  KIND_N,
  KIND_NAK,
  KIND_P,
  RETURNS_KEPT,
  Ring,
  UP,
  Way,
  collect,
  ringDue,
  ringItem,
  ringPlace,
  ringPut,
  way,
} from "./way";

const DLLP_BYTES: u32 = 8;
// @ts-ignore: decorator
@inline
export function after(at: u64, delay: u64): u64 {
  return at == NEVER ? NEVER : at + delay;
}

// @ts-ignore: decorator
@inline
export function min3(a: u64, b: u64, c: u64): u64 {
  const m = a < b ? a : b;
  return m < c ? m : c;
}

// @ts-ignore: decorator
@inline
export function unitOf(dir: u32): u32 {
  return U_UP + dir;
}

/** Sends the DLLP that is due at t: NAK first, then ACK, UpdateFC-P, UpdateFC-NP. */
export function sendDue(side: u32, dir: u32, w: Way, t: u64): void {
  const back = way(side, 1 - dir); // its TLPs are acknowledged on this wire
  if (w.nakDue <= t) {
    w.nakDue = NEVER;
    sendDllp(side, dir, w, back, KIND_NAK << 30, 0, t);
  } else if (after(ringDue(back.sent), w.limit) <= t) sendAck(side, dir, w, back, t);
  else if (after(ringDue(back.freedP), w.limit) <= t) sendCredits(side, dir, w, back, back.freedP, KIND_P, t);
  else sendCredits(side, dir, w, back, back.freedN, KIND_N, t);
  w.dllpDue =
    w.dll == DLL_EXPLICIT
      ? after(min3(ringDue(back.sent), ringDue(back.freedP), ringDue(back.freedN)), w.limit)
      : ringDue(back.sent);
  if (w.nakDue < w.dllpDue) w.dllpDue = w.nakDue;
}

/**
 * A packet of the other wire arrives spoilt at `at`: a NAK is owed at once. Without a data link layer the
 * transmitter hears of it a flight later.
 */
export function owesNak(side: u32, dir: u32, back: Way, at: u64): void {
  if (back.dll == DLL_NONE) {
    ringPut(back.returns, at + back.flight, KIND_NAK << 30, 0);
    wake(side, unitOf(1 - dir), at + back.flight);
    return;
  }
  const w = way(side, dir);
  w.nakDue = at;
  if (at < w.dllpDue) w.dllpDue = at;
  wake(side, unitOf(dir), at > w.free ? at : w.free);
}

/**
 * Something is on its way over the other wire that this direction's receiver will answer `limit` after `at`.
 */
// @ts-ignore: decorator
@inline
export function owes(side: u32, dir: u32, at: u64): void {
  const w = way(side, dir);
  const due = at + w.limit;
  if (due >= w.dllpDue) return;
  w.dllpDue = due;
  wake(side, unitOf(dir), due > w.free ? due : w.free);
}

function sendAck(side: u32, dir: u32, w: Way, back: Way, t: u64): void {
  const r = back.sent;
  const tail = w.dll == DLL_ACK_PER_TLP ? r.head + 1 : r.tail;
  let bytes: u32 = 0;
  let head = r.head;
  while (head != tail) {
    const item = ringItem(r, head);
    if (load<u64>(item) > t) break;
    bytes += load<u32>(item, 8);
    head++;
  }
  r.head = head;
  sendDllp(side, dir, w, back, (KIND_ACK << 30) | bytes, 0, t);
}

function sendCredits(side: u32, dir: u32, w: Way, back: Way, r: Ring, kind: u32, t: u64): void {
  const tail = r.tail;
  let headers: u32 = 0;
  let units: u32 = 0;
  let head = r.head;
  while (head != tail) {
    const item = ringItem(r, head);
    if (load<u64>(item) > t) break;
    headers += load<u32>(item, 8);
    units += load<u32>(item, 12);
    head++;
  }
  r.head = head;
  sendDllp(side, dir, w, back, (kind << 30) | headers, units, t);
}

function sendDllp(side: u32, dir: u32, w: Way, back: Way, a: u32, b: u32, t: u64): void {
  w.free = t + DLLP_BYTES * w.ticksPerByte;
  count(side, dir == UP ? C_UP_DLLP_BYTES : C_DOWN_DLLP_BYTES, DLLP_BYTES);
  const at = w.free + w.flight;
  happened(T_DLLP, side, dir, t, a >> 30, a & 0x3fffffff, b);
  if (back.returns.tail - back.returns.head > RETURNS_KEPT) collect(back, t);
  ringPut(back.returns, at, a, b);
  if (back.waits != 0) wake(side, unitOf(1 - dir), at);
}

/**
 * The receiver frees credits at `at`: they come back with an UpdateFC, or one flight later without a data
 * link. Of credits that are freed before the first the wire hears with the ACK of their packet, due before.
 */
export function freed(side: u32, dir: u32, w: Way, r: Ring, at: u64, headers: u32, units: u32): void {
  if (w.dll != DLL_EXPLICIT) {
    if (w.waits != 0) wake(side, unitOf(dir), at + w.flight);
  } else if (r.head == r.tail) owes(side, 1 - dir, at);
  // posted credits come back as they are freed, those of reads in the order of the reads
  if (r == w.freedP) ringPlace(r, at, headers, units);
  else ringPut(r, at, headers, units);
}

/** The same of posted credits that are freed in the order of their packets. */
// @ts-ignore: decorator
@inline
export function freedInOrder(side: u32, dir: u32, w: Way, at: u64, units: u32): void {
  const r = w.freedP;
  if (w.dll != DLL_EXPLICIT) {
    if (w.waits != 0) wake(side, unitOf(dir), at + w.flight);
  } else if (r.head == r.tail) owes(side, 1 - dir, at);
  ringPut(r, at, 1, units);
}
