// SPDX-License-Identifier: Apache-2.0
// How a front-end ends a migration before its time: no round or time is left, it is cancelled, or the cards
// say that they cannot go on.
import {
  A_FRONTEND,
  C_DIRTY_COLLECTED,
  G_FORCE,
  L_REASON,
  L_PENDING_PAGES,
  L_SETUP_DONE,
  L_STATUS,
  M_START,
  REASON_TIMEOUT,
  STARVED,
  STATUS_NOT_CONVERGED,
} from "../abi";
import { breaksOff, brokenOff, stranded, unsend } from "./abandon";
import { devicesGoOn } from "./device-writes";
import { SUSPEND, ENDED, NOTHING, SENDING, HANDLING, FORCED, Frontend, pagesLeft } from "./driver";
import { logged, note } from "./log";
import { TO_CARD, TO_HOST, freeMessage, message } from "./message";
import { g32 } from "./params";
import { flushDropped } from "./scan-driver";
import { count, enter } from "./stats";
import { restoreBatch, settleMarks } from "./tracker";
import { hostDrops } from "./workers";

/** Pages of a batch that are still to be handed over. */
export const handedBits = memory.data(256, 16);
/** Set when the migration has ended at this time, for the board to close the books. */
export let endedAt: u64 = 0;
/** When the last message was handled: the board tells the card that a buffer is free again. */
export let handledAt: u64 = 0;

export function buildEnding(): void {
  endedAt = 0;
}

export function endsAt(t: u64): void {
  endedAt = t;
}

/** A message from the card has been handled by t. */
export function handledTill(t: u64): void {
  handledAt = t;
}

/** The rounds or the time are up: the migration ends here, or the guest is suspended whatever is left. */
export function giveUp(f: Frontend, reason: u32, t: u64): void {
  note(L_REASON, reason);
  if (g32(G_FORCE) != 0) {
    f.next = SUSPEND;
    return;
  }
  note(L_STATUS, STATUS_NOT_CONVERGED);
  settleMarks();
  note(L_PENDING_PAGES, pagesLeft(f));
  f.next = ENDED;
  endsAt(t);
}

/** The time is up: what is being done is dropped at t. */
export function timeUp(f: Frontend, t: u64): void {
  const force = g32(G_FORCE) != 0;
  const starting = f.doing == SENDING && message(0, TO_CARD, f.slot).kind == M_START;
  if (!force || (f.doing != HANDLING && !starting)) drop(f, t);
  if (force) {
    f.flags |= FORCED;
    if (logged(L_SETUP_DONE) == 0) note(L_SETUP_DONE, t);
  }
  giveUp(f, REASON_TIMEOUT, t);
  if (f.doing == NOTHING) enter(0, A_FRONTEND, STARVED, t);
}

/** The source breaks off, unless everything has been handed over. */
export function breakOff(f: Frontend, status: u32, reason: u32, t: u64): void {
  if (breaksOff(f, t)) {
    drop(f, t);
    if (brokenOff(f, status, reason, t)) {
      devicesGoOn(t);
      endsAt(t);
    }
  } else if (stranded(f, status, reason, t)) endsAt(t);
}

/** Drops what is being done; pages whose marks were taken and that are not sent are dirty again. */
function drop(f: Frontend, t: u64): void {
  if (f.doing != NOTHING) hostDrops(t, f.done);
  flushDropped(f, t);
  if (f.doing == HANDLING) {
    freeMessage(0, TO_HOST, f.slot);
    handledTill(t);
  } else if (f.doing == SENDING) {
    unsend(f, message(0, TO_CARD, f.slot));
    freeMessage(0, TO_CARD, f.slot);
  }
  f.doing = NOTHING;
  if (f.left == 0) return;
  restoreBatch(f.batch - 1, handedBits);
  f.announced -= f.left;
  count(0, C_DIRTY_COLLECTED, 0 - <u64>f.left);
  f.left = 0;
}
