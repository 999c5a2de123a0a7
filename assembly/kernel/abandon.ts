// SPDX-License-Identifier: Apache-2.0
// How the source's front-end breaks a migration off: what it notes, which pages are dirty again, and how the
// guest goes on.
//
// Breaks off: at any time from START until everything has been handed over (the doorbell of the last piece of
//   device state has been rung), from when on the destination resumes the guest whatever the source would
//   like. A guest that is stopped is resumed, which takes `resume`, and goes on where it was: what its vCPUs
//   do later shifts by the time that they stood still (clock guest). The tracker stays on, for pages that
//   are announced are still being read.
//   A failure after the point of no return leaves the guest suspended at the source: nobody there knows
//   whether it runs at the destination.
// Leaves out: telling the destination, whose half of a guest waits for ever.
import {
  C_DIRTY_COLLECTED,
  G_CANCEL_AT,
  L_BROKEN_OFF,
  L_ENDED,
  L_PENDING_PAGES,
  L_REASON,
  L_RESUMED,
  L_STATUS,
  L_SUSPENDED,
  L_TOO_LATE,
  M_ADDRESSES,
  M_PAGES,
  M_STALE,
  REASON_RESTART,
  STATUS_FAILED,
  S_HOST_RESUME,
  U_GUEST,
} from "../abi";
import { guestGoesOn, guestRuns } from "./dirty";
import { devicesGoOn } from "./device-writes";
import { BACK, ENDED, Frontend, WAIT_DONE, WAIT_START, WORKING, pagesLeft, work } from "./driver";
import { logged, note } from "./log";
import { Message, PAGE_ENTRY, bitsOf } from "./message";
import { g, p } from "./params";
import { hostSeals } from "./ring";
import { wake } from "./schedule";
import { count } from "./stats";
import { restoreBatch, restorePage, settleMarks } from "./tracker";
import { recordDropped } from "./trouble";

/** When the migration is cancelled; no earlier than NEVER when it is not. */
// @ts-ignore: decorator
@inline
export function cancelAt(): u64 {
  return g(G_CANCEL_AT);
}

/** Whether the source may break off at t; that it comes too late is noted. */
export function breaksOff(f: Frontend, t: u64): bool {
  if (f.next == WAIT_DONE && logged(L_TOO_LATE) == 0) note(L_TOO_LATE, t);
  return f.next != WAIT_START && f.next != WAIT_DONE && f.next != BACK && f.next != ENDED;
}

/**
 * The source cannot go on and does not know whether the destination has the guest: it stays suspended, which
 * is the end unless the destination has resumed it.
 */
export function stranded(f: Frontend, status: u32, reason: u32, t: u64): bool {
  if (status != STATUS_FAILED || f.next != WAIT_DONE || logged(L_ENDED) != 0) return false;
  // its card has handed everything over, and will hear of the destination's guest as ever
  if (reason == REASON_RESTART) return false;
  f.next = ENDED;
  note(L_STATUS, STATUS_FAILED);
  note(L_REASON, reason);
  note(L_BROKEN_OFF, t);
  return true;
}

/** What was being done has been dropped: true when that is the end, for the guest runs. */
export function brokenOff(f: Frontend, status: u32, reason: u32, t: u64): bool {
  note(L_STATUS, status);
  note(L_REASON, reason);
  note(L_BROKEN_OFF, t);
  settleMarks();
  note(L_PENDING_PAGES, pagesLeft(f));
  f.final = 2; // no deadline any more
  f.next = guestRuns ? ENDED : BACK;
  return guestRuns;
}

/** Resumes the guest: true while that takes its time. */
export function goesOn(f: Frontend, t: u64): bool {
  if (f.final == 2) {
    f.final = 3;
    return work(f, WORKING, BACK, t + p(0, S_HOST_RESUME));
  }
  f.next = ENDED;
  guestGoesOn(t - logged(L_SUSPENDED));
  devicesGoOn(t);
  note(L_RESUMED, t);
  wake(0, U_GUEST, t);
  return false;
}

/** A message to the card is not sent: its pages are not announced. */
export function unsend(f: Frontend, m: Message): void {
  let n: u64 = 0;
  if (m.kind == M_ADDRESSES || m.kind == M_STALE) {
    n = m.c;
    // the first round announces every page of a batch, whatever its marks
    if (f.round == 1) f.told = <u32>m.a;
    else restoreBatch(<u32>m.a, bitsOf(m));
  } else if (m.kind == M_PAGES) {
    n = m.a;
    // numbers that were used are not used again
    if (hostSeals) for (let i: u32 = 0; i < <u32>n; i++) recordDropped();
    for (let i: u32 = 0; i < <u32>n; i++) restorePage(load<u32>(bitsOf(m) + i * PAGE_ENTRY));
  }
  f.announced -= <u32>n;
  count(0, C_DIRTY_COLLECTED, 0 - n);
}
