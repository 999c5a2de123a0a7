// SPDX-License-Identifier: Apache-2.0
// The destination's front-end after the resume: it serves the faults of the guest (kernel/touch) until the
// card tells that every page is there, and lets the source go then.
//
// How long: pages that are announced as missing cost the copy of their bitmap, and `protectPage` each that
//   the guest had been given before; a page that has landed costs `map`; another one the message that asks
//   for it, and the interrupt + `map` when it is there. The end costs the interrupt.
import {
  A_FRONTEND,
  M_DEVICE,
  M_DONE,
  M_FAULT,
  M_FILLED,
  M_MISSING,
  M_RELEASE,
  STARVED,
  S_HOST_MAP,
  S_HOST_PROTECT_PAGE,
  U_FRONTEND,
} from "../abi";
import { ENDED, Frontend, MAPPING, RELEASE, SERVE, copyTicks, send, work } from "./driver";
import { Message, NO_MESSAGE } from "./message";
import { p } from "./params";
import { isMissing, mappedIn, unmapBatch } from "./residual";
import { wake } from "./schedule";
import { enter } from "./stats";
import { NEVER } from "./time";
import { allGoOn, faultAt, faultPage, faultTaken, goesOnWith, guestArrives } from "./touch";

/** What a message costs its reader beyond the interrupt. */
export function readingTicks(side: u32, m: Message): u64 {
  if (m.kind == M_DEVICE) return copyTicks(side, m.bytes);
  if (m.kind == M_FILLED) return p(side, S_HOST_MAP);
  if (m.kind != M_MISSING) return 0;
  return copyTicks(side, m.bytes) + <u64>mappedIn(m.a) * p(side, S_HOST_PROTECT_PAGE);
}

/** A message about pages that are missing has been read. */
export function heardOfPages(m: Message, t: u64): void {
  if (m.kind == M_MISSING) unmapBatch(m.a);
  else if (m.kind == M_FILLED) goesOnWith(m.a, t);
}

/** The guest has been resumed, and pages are missing: the card is told. */
export function resumedEarly(side: u32, f: Frontend, t: u64): bool {
  guestArrives(t);
  f.next = SERVE;
  const m = send(side, f, M_DONE, SERVE, t);
  if (m == NO_MESSAGE) return false;
  m.bytes = 16;
  return true;
}

/** Serves the next fault. */
export function serve(side: u32, f: Frontend, t: u64): bool {
  const at = faultAt();
  if (at > t) {
    enter(side, A_FRONTEND, STARVED, t);
    if (at != NEVER) wake(side, U_FRONTEND, at);
    return false;
  }
  const pfn = faultPage();
  if (!isMissing(pfn)) {
    faultTaken(false);
    f.offset = pfn;
    return work(f, MAPPING, SERVE, t + p(side, S_HOST_MAP));
  }
  const m = send(side, f, M_FAULT, SERVE, t);
  if (m == NO_MESSAGE) return false;
  faultTaken(true);
  m.a = pfn;
  m.bytes = 16;
  return true;
}

/** A page that had landed is mapped. */
export function mapped(f: Frontend, t: u64): void {
  goesOnWith(f.offset, t);
  f.next = f.then;
}

/** Every page is there, which is the end: it is at t. */
export function whole(f: Frontend, t: u64): u64 {
  allGoOn(t);
  f.next = RELEASE;
  return t;
}

/** The source may go. */
export function release(side: u32, f: Frontend, t: u64): bool {
  const m = send(side, f, M_RELEASE, ENDED, t);
  if (m == NO_MESSAGE) return false;
  m.bytes = 16;
  return true;
}
