// SPDX-License-Identifier: Apache-2.0
// How the source's front-end empties a server: rounds of one guest at a time, and which guest is next.
//
// Models: a guest's first turn starts its tracker and sends all of its pages; every turn is one round. A
//   guest whose stop rule holds is stopped, sent and resumed at once: the others wait, and run. A guest that
//   has had `maxRounds` rounds stays, and its tracker is stopped (or, with `force`, it is stopped itself).
// Order, after every round, of the guests that have neither moved nor been given up:
//   fair                  the next in the list, after the last the first
//   shortest-dirty-first  the one with the fewest pages to send: marked ones, all before its first round; the
//                         first in the list of several
//   one-after-another     the same again until it has moved, then the first in the list
// Limit: with marks D of a guest, r = pages a second, its pages take D / r; of guests whose remaining times
//   are fixed the sum of completions is least when the shortest goes first (Smith 1956).
// How long: a choice takes nothing: the tracker counts marks as it does for the stop rule.
// Leaves out: rounds of two guests at a time; a guest that is moved before others by rule.
import {
  C_NET_WIRE_BYTES,
  C_RECORD_BYTES_B,
  GT_BEGUN,
  GT_BYTES,
  GT_DEVICE_FIRST,
  GT_ENDED,
  GT_OUTSIDE,
  GT_PAGES,
  GT_PENDING,
  GT_PRECOPY,
  GT_REASON,
  GT_ROUNDS,
  GT_SUSPENDED,
  GT_TRACKED,
  GUEST_GIVEN_UP,
  GUEST_MOVED,
  GUEST_STOPPED,
  G_FORCE,
  G_ORDER,
  G_ROUNDS_MAX,
  L_REASON,
  L_STATUS,
  ORDER_FAIR,
  ORDER_SHORTEST,
  REASON_ROUNDS,
  RL_GUEST,
  STATUS_NOT_CONVERGED,
  S_HOST_PROTECT_PAGE,
  S_HOST_TLB_FLUSH,
} from "../abi";
import { guestRuns, setGuestRuns } from "./dirty";
import { COLLECT, Frontend, SUSPEND, TRACK } from "./driver";
import {
  anyRuns,
  dirtyOf,
  endBatch,
  firstBatch,
  guestCount,
  holdUpTurn,
  isOpen,
  ofGuest,
  setOfGuest,
  setStatus,
  stopVcpus,
  takeTurn,
  trackFrom,
  trackNoMore,
  turn,
} from "./guests";
import { note, noteRound } from "./log";
import { g32, p } from "./params";
import { progress } from "./progress";
import { counted } from "./stats";

// bytes of page records when the round under way began
let bytesBefore: u64 = 0;

/** Guests that have neither moved nor been given up. */
export function guestsOpen(): u32 {
  let n: u32 = 0;
  for (let k: u32 = 0; k < guestCount; k++) if (isOpen(k)) n++;
  return n;
}

/** The guest of the next round; there is one. */
function nextGuest(first: bool): u32 {
  const order = g32(G_ORDER);
  let best = guestCount;
  let least: u32 = 0xffffffff;
  for (let i: u32 = 0; i < guestCount; i++) {
    const k = order == ORDER_FAIR && !first ? (turn + 1 + i) % guestCount : i;
    if (!isOpen(k)) continue;
    if (order != ORDER_SHORTEST) {
      best = k;
      break;
    }
    const dirty = dirtyOf(k);
    if (dirty >= least) continue;
    least = dirty;
    best = k;
  }
  return best;
}

/** Takes the next guest: its tracker is started, or its round begins. */
export function chooseGuest(f: Frontend, first: bool, t: u64): void {
  if (!first) addOutside();
  takeTurn(nextGuest(first), t);
  f.final = 0;
  f.offset = <u32>ofGuest(turn, GT_DEVICE_FIRST);
  const fresh = ofGuest(turn, GT_TRACKED) == 0;
  f.told = fresh ? firstBatch(turn) : endBatch(turn);
  if (fresh) setOfGuest(turn, GT_BEGUN, t);
  f.next = fresh ? TRACK : COLLECT;
}

/** Starts the tracker of the guest: every page is protected, one flush. */
export function trackGuest(side: u32, t: u64): u64 {
  trackFrom(turn);
  holdUpTurn(p(side, S_HOST_TLB_FLUSH));
  return t + ofGuest(turn, GT_PAGES) * p(side, S_HOST_PROTECT_PAGE) + p(side, S_HOST_TLB_FLUSH);
}

/** A round of the guest begins. */
export function guestRound(round: u32, t: u64): void {
  if (ofGuest(turn, GT_TRACKED) == 0) setOfGuest(turn, GT_TRACKED, t);
  setOfGuest(turn, GT_ROUNDS, ofGuest(turn, GT_ROUNDS) + 1);
  noteRound(round, RL_GUEST, turn);
  addOutside();
  bytesBefore = counted(0, C_RECORD_BYTES_B);
}

/** Its round has been placed. */
export function guestPlaced(): void {
  addBytes();
}

/** What has gone out since the guest's last round, or since it was chosen, is its own and of no round. */
function addOutside(): void {
  const now = counted(0, C_NET_WIRE_BYTES);
  setOfGuest(turn, GT_OUTSIDE, ofGuest(turn, GT_OUTSIDE) + now - progress(0).roundWire);
  progress(0).roundWire = now;
}

/** Adds what the guest's round has sent up to now. */
function addBytes(): void {
  const now = counted(0, C_RECORD_BYTES_B);
  setOfGuest(turn, GT_BYTES, ofGuest(turn, GT_BYTES) + now - bytesBefore);
  bytesBefore = now;
}

/** The guest's vCPUs have stopped. */
export function guestStopped(t: u64): void {
  stopVcpus(turn);
  setStatus(turn, GUEST_STOPPED);
  setOfGuest(turn, GT_SUSPENDED, t);
  setOfGuest(turn, GT_PRECOPY, ofGuest(turn, GT_BYTES));
  if (guestRuns && !anyRuns()) setGuestRuns(false);
}

/** Whether the guest has had all of its rounds. */
export function roundsUp(): bool {
  return ofGuest(turn, GT_ROUNDS) >= g32(G_ROUNDS_MAX);
}

/** It has, and its stop rule does not hold: it stays, or is stopped whatever is left. */
export function guestGivenUp(f: Frontend, t: u64): void {
  note(L_REASON, REASON_ROUNDS);
  setOfGuest(turn, GT_REASON, REASON_ROUNDS);
  if (g32(G_FORCE) != 0) {
    f.next = SUSPEND;
    return;
  }
  setStatus(turn, GUEST_GIVEN_UP);
  setOfGuest(turn, GT_ENDED, t);
  setOfGuest(turn, GT_PENDING, dirtyOf(turn));
  note(L_STATUS, STATUS_NOT_CONVERGED);
  // with nobody left the run ends here
  if (guestsOpen() != 0) trackNoMore(turn);
}

/** What the end of a round tells: its number, whose it is, and whether no other guest is left. */
export function roundWord(round: u32): u32 {
  const last: u32 = guestsOpen() == 1 ? 1 : 0;
  return round | ((turn + 1) << 16) | (last << 24);
}

/** The destination has resumed the guest. */
export function guestMoved(t: u64): void {
  addBytes();
  setStatus(turn, GUEST_MOVED);
  setOfGuest(turn, GT_ENDED, t);
}
