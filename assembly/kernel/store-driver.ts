// SPDX-License-Identifier: Apache-2.0
// Front-end of a source whose card makes records before the migration is asked for (kernel/record-store): it
// starts the tracker ahead, and tells the card of pages batch by batch, whose marks it takes in the instant
// in which it begins to: what is written later is stale.
//
// How long: the start of the tracker as ever, then a batch as in a round: 32 words x `scanWord`,
//   `protectPage` for each page that was written meanwhile and a flush, `message`, the copy. Logs are brought
//   in before the marks of a batch are taken, here and in the first round. Two batches at
//   most are with the card that it has not looked through; for each it sends a word of 16 bytes. The request
//   comes at `startAt` whatever the front-end does: it ends that first.
import {
  BATCH_PAGES,
  G_PAGES,
  G_START_AT,
  G_STORE_FROM,
  L_STARTED,
  M_ADDRESSES,
  P_ANNOUNCED,
  P_CLEARED,
  STORE_AHEAD,
  S_HOST_WORD,
  U_FRONTEND,
} from "../abi";
import { addressBytes, firstPages } from "./batch";
import { logging } from "./dirty-log";
import { Frontend, TRACK, WAIT_START, copyTicks, pagesOf, send } from "./driver";
import { TO_STORE } from "./jobs";
import { note } from "./log";
import { Message, NO_MESSAGE, bitsOf } from "./message";
import { g, g32, p } from "./params";
import { storing } from "./record-store";
import { wake } from "./schedule";
import { happenedInBatch } from "./timeline";
import { bringIn, cleanTicks, collectBatch, inAt } from "./tracker";

let tracks: bool = false; // the tracker has been started
let next: u32 = 0; // batch
let told: u32 = 0; // batches that the card has told of
let over: bool = false; // the store is full

export function buildStoreDriver(): void {
  tracks = false;
  next = 0;
  told = 0;
  over = false;
}

/** Whether the migration is still to be asked for at t. */
export function isAhead(t: u64): bool {
  return storing && t < g(G_START_AT);
}

/** What the front-end does ahead of the request; false when nothing is to be done at t. */
export function workAhead(f: Frontend, t: u64): bool {
  wake(0, U_FRONTEND, g(G_START_AT));
  if (t < g(G_STORE_FROM)) {
    wake(0, U_FRONTEND, g(G_STORE_FROM));
    return false;
  }
  if (!tracks) {
    tracks = true;
    f.next = TRACK;
    return true;
  }
  const batches = (g32(G_PAGES) + BATCH_PAGES - 1) / BATCH_PAGES;
  if (over || next == batches || next - told == STORE_AHEAD) return false;
  const m = send(0, f, M_ADDRESSES, WAIT_START, t);
  if (m == NO_MESSAGE) return false;
  const bits = bitsOf(m);
  f.done += logTicks(t);
  const cleared = collectBatch(next, bits);
  if (isDefined(TIMELINE)) happenedInBatch(P_CLEARED, t, bits, next * BATCH_PAGES, 0);
  const n = pagesOf(next);
  firstPages(bits, n);
  if (isDefined(TIMELINE)) happenedInBatch(P_ANNOUNCED, t, bits, next * BATCH_PAGES, 0);
  m.a = next++;
  m.c = n;
  m.flags = TO_STORE;
  m.bytes = addressBytes(bits, n);
  f.done += (BATCH_PAGES / 64) * p(0, S_HOST_WORD) + cleanTicks(cleared) + copyTicks(0, m.bytes);
  return true;
}

/** Logs are brought in before the marks of a batch are taken: how long the front-end is at it. */
export function logTicks(t: u64): u64 {
  if (!logging) return 0;
  bringIn(t);
  return inAt() - t;
}

/** The card has looked through a batch. */
export function batchStored(m: Message): void {
  told++;
  if (m.a != 0) over = true;
}

/** The request, which the front-end may have come to later. */
export function askedFor(): void {
  note(L_STARTED, g(G_START_AT));
}

/** What comes when the tracker runs: ahead of the request the card's batches. */
export function afterTracking(then: u32): u32 {
  return storing ? WAIT_START : then;
}
