// SPDX-License-Identifier: Apache-2.0
// The board of a migration in software: a guest and QEMU's migration thread, no cards.
import {
  G_SERIES_WINDOW,
  STOP_DEADLOCK,
  STOP_DONE,
  STOP_INPUT,
  STOP_INVARIANT,
  STOP_UNTIL,
  UNITS,
  U_FRONTEND,
  U_GUEST,
} from "./abi";
import { xbzrleEncodeAsQemu } from "./codec/xbzrle";
import { buildGuest, stepGuest, unprotect, vcpusAt, wantsInput } from "./host/guest";
import { buildQemu, qemuDone, stepQemu } from "./host/qemu";
import { buildGuests } from "./kernel/guests";
import { buildTracker } from "./kernel/tracker";
import { logReset } from "./kernel/log";
import { arenaReset } from "./kernel/memory";
import { buildPages, deltas } from "./kernel/pages";
import { g } from "./kernel/params";
import { buildCache } from "./kernel/qemu-cache";
import { buildPostcopy, guestWrote, moves } from "./kernel/qemu-postcopy";
import { buildRounds } from "./kernel/round";
import {
  earliest,
  nextDue,
  nextPresent,
  scheduleReset,
  setClock,
  setCurrent,
  setNow,
  somePresent,
  wake,
} from "./kernel/schedule";
import { brokenInvariant, statsReset } from "./kernel/stats";
import { NEVER, NO_CLOCK } from "./kernel/time";
import { timelineReset } from "./kernel/timeline";

/** Builds the board from both parameter blocks; 0, or who is not held: 1 the guest, 2 the cache of XBZRLE. */
export function buildSoftware(): u32 {
  arenaReset();
  statsReset();
  scheduleReset();
  logReset(g(G_SERIES_WINDOW));
  timelineReset();
  buildGuests();
  buildRounds();
  for (let u: u32 = 0; u < UNITS; u++) setClock(0, u, NO_CLOCK);
  if (!buildPages() || !buildTracker() || !buildGuest(deltas) || !buildQemu()) return 1;
  if (!buildPostcopy(vcpusAt())) return 1;
  if (!buildCache(xbzrleEncodeAsQemu)) return 2;
  wake(0, U_GUEST, 0);
  return 0;
}

/** Runs until the time `until`, or until there is a reason to come back. */
export function runSoftware(until: u64): u32 {
  while (brokenInvariant == 0) {
    if (wantsInput) return STOP_INPUT;
    if (qemuDone()) return STOP_DONE;
    const t = earliest(0);
    if (t == NEVER) return STOP_DEADLOCK;
    if (t > until) return STOP_UNTIL;
    visit(nextDue(0, until));
  }
  return STOP_INVARIANT;
}

/** Steps the guest, wherever it is. */
function stepMoving(t: u64): void {
  if (moves) unprotect();
  stepGuest(t);
  // all that it does at t, whatever it is given at once
  if (moves && !wantsInput) guestWrote(t);
}

/** Steps what is due at t; NAIVE: both units at each visit. */
function visit(t: u64): void {
  setNow(t);
  setCurrent(0, UNITS);
  if (isDefined(NAIVE)) {
    while (somePresent()) nextPresent(0);
    setCurrent(0, U_FRONTEND);
    stepQemu(t);
    setCurrent(0, U_GUEST);
    stepMoving(t);
  } else {
    while (somePresent()) {
      const u = nextPresent(0);
      if (u == U_GUEST) stepMoving(t);
      else stepQemu(t);
    }
  }
  setCurrent(2, UNITS);
}
