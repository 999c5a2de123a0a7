// SPDX-License-Identifier: Apache-2.0
// State of a front-end, and how it works: one host core that does one thing at a time, a message that is in
// memory before the doorbell is rung.
import {
  A_FRONTEND,
  BATCH_PAGES,
  BLOCKED,
  G_PAGES,
  G_TIMEOUT,
  L_STARTED,
  MESSAGE_SLOTS,
  M_ROUND_END,
  M_SCAN,
  S_HOST_COPY_DEN,
  S_HOST_COPY_NUM,
  S_HOST_MESSAGE,
  TICKS_PER_NS,
} from "../abi";
import { examineAt } from "./device-ring";
import { pagesIn, several } from "./guests";
import { logged } from "./log";
import { Message, NO_MESSAGE, TO_CARD, message, takeMessage } from "./message";
import { g, g32, p } from "./params";
import { DOWN_POSTED, put } from "./port";
import { enter } from "./stats";
import { NEVER, spanTicks } from "./time";
import { batchCount, dirtyCount } from "./tracker";

// what comes next
export const WAIT_START: u32 = 0;
export const WAIT_READY: u32 = 1;
export const TRACK: u32 = 2;
export const COLLECT: u32 = 3;
export const ROUND_END: u32 = 4;
export const WAIT_ROUND: u32 = 5;
export const SUSPEND: u32 = 6;
export const LAST: u32 = 7; // the last round, as soon as the card is ready for it
export const DEVICE: u32 = 8;
export const WAIT_DONE: u32 = 9;
export const RESUME: u32 = 10;
export const ENDED: u32 = 11;
export const SERVE: u32 = 13; // pages are missing, the guest runs (kernel/serving)
export const RELEASE: u32 = 14; // none is any more
export const CHOOSE: u32 = 15; // a guest has moved, and the placement of its last round is awaited
export const BACK: u32 = 12; // broken off, the guest is resumed at the source

// what is being done
export const NOTHING: u32 = 0;
export const SENDING: u32 = 1; // `slot` goes to the card at the end
export const HANDLING: u32 = 2; // the message in `slot` from the card
export const WORKING: u32 = 3; // goes to `then` at the end
export const MAPPING: u32 = 4; // the page in `offset`, which has landed

// flags
export const CARD_READY: u32 = 1; // the handshake is done
export const UNANSWERED: u32 = 2; // the end of a round has been told, and its placement is awaited
export const COLLECTING: u32 = 4; // a round has begun, and its end has not been told
export const STARTING: u32 = 16; // a tracker that is not resident has been started
export const FORCED: u32 = 8; // the time is up, the guest is suspended as soon as may be

/** A store to the doorbell leaves the core after this. */
const STORE_TICKS: u32 = TICKS_PER_NS;

//  front-end of a side, 64 bytes, see the class

@unmanaged
export class Frontend {
  done: u64;
  next: u32;
  doing: u32;
  slot: u32;
  then: u32;
  round: u32;
  batch: u32;
  announced: u32; // pages of this round so far
  final: u32;
  offset: u32; // of device state
  left: u32; // pages of the batch not yet sent (pages over VSOCK)
  told: u32; // batches of which every page has been announced or is marked
  flags: u32;
}

const FRONTENDS = memory.data(128, 16);

if (offsetof<Frontend>() > 64) ERROR("front-end record");

// @ts-ignore: decorator
@inline
export function frontend(side: u32): Frontend {
  return changetype<Frontend>(FRONTENDS + (side << 6));
}

/** Whether the records of devices are examined by the clock. */
// @ts-ignore: decorator
@inline
export function examines(f: Frontend): bool {
  return examineAt != NEVER && f.final == 0 && f.next != ENDED;
}

/** Begins something that is done at a time; `then` comes next. */
export function work(f: Frontend, doing: u32, then: u32, done: u64): bool {
  f.doing = doing;
  f.then = then;
  f.done = done;
  return true;
}

/** Takes a message slot and begins to fill it; NO_MESSAGE when all are in use. */
export function send(side: u32, f: Frontend, kind: u32, then: u32, t: u64): Message {
  const slot = takeMessage(side, TO_CARD, kind);
  if (slot == MESSAGE_SLOTS) {
    enter(side, A_FRONTEND, BLOCKED, t);
    return NO_MESSAGE;
  }
  f.slot = slot;
  f.next = then;
  work(f, SENDING, then, t + p(side, S_HOST_MESSAGE));
  return message(side, TO_CARD, slot);
}

/** The message is in memory: rings the card's doorbell. */
export function doorbell(side: u32, f: Frontend, t: u64): void {
  const m = message(side, TO_CARD, f.slot);
  m.sent = t;
  if (m.kind == M_ROUND_END || m.kind == M_SCAN) f.flags = (f.flags & ~COLLECTING) | UNANSWERED;
  put(side, DOWN_POSTED, 0, 4, f.slot, 1, t + STORE_TICKS);
}

/** Time in which a core copies so many bytes. */
export function copyTicks(side: u32, bytes: u64): u64 {
  return spanTicks(bytes, p(side, S_HOST_COPY_NUM), p(side, S_HOST_COPY_DEN));
}

/** Pages in the batch of this number. */
export function pagesOf(batch: u32): u32 {
  if (several) return pagesIn(batch);
  const left = g32(G_PAGES) - batch * BATCH_PAGES;
  return left < BATCH_PAGES ? left : BATCH_PAGES;
}

/** Pages marked, and pages that no round has announced yet. */
export function pagesLeft(f: Frontend): u32 {
  const batches = (g32(G_PAGES) + BATCH_PAGES - 1) / BATCH_PAGES;
  let n = dirtyCount();
  for (let b = f.told; b < batches; b++) n += pagesOf(b) - batchCount(b);
  return n;
}

/** A migration under way has one until its guest is being suspended. */
export function hasDeadline(side: u32, f: Frontend): bool {
  const pending = f.next != WAIT_START && f.next != ENDED && f.final == 0 && (f.flags & FORCED) == 0;
  return side == 0 && g(G_TIMEOUT) != 0 && pending;
}

/** When its time is up. */
export function deadline(): u64 {
  return logged(L_STARTED) + g(G_TIMEOUT);
}
