// SPDX-License-Identifier: Apache-2.0
// Firmware of a migration whose guest resumes before every page is there (kernel/residual).
//
// Source: pages of a batch that go after the resume -> a record of their bitmap to the peer; its word that
//   the guest has resumed -> pages go unasked, a few at a time through address handler and scanner; a page
//   that is asked for -> before all pages found; the word that all are there -> DONE to the front-end.
// Destination: bitmaps to the front-end; a page that it asks for -> a record to the peer, unless it has been
//   handed over; such a page placed -> FILLED to the front-end; the last one -> WHOLE.
// How long: a record or event costs `roundEnd` cycles, a message `interrupt` cycles, as any does; pages that
//   go unasked cost what an address batch does.
// Leaves out: that the bytes of a bitmap are carried (their number is).
import {
  C_CROSSED,
  L_PLAIN,
  L_RAM_DONE,
  MESSAGE_SLOTS,
  M_ADDRESSES,
  M_DONE,
  M_FAULT,
  M_FILLED,
  M_MISSING,
  M_RELEASE,
  M_STALE,
  M_WHOLE,
  Q_ADDRESS,
  Q_EVENT,
  Q_FOUND,
  Q_OWN,
  R_DESC,
} from "../abi";
import { addressBytes } from "../kernel/batch";
import { completing, writesEnd } from "../kernel/completion";
import { deferring } from "../kernel/deferred";
import { EVENT_FILLED, EVENT_WHOLE, lacks, push, pushFirst, queue } from "../kernel/fifo";
import {
  JOB_FAULT,
  JOB_PAGE,
  JOB_RESUMED,
  JOB_STALE,
  JOB_WHOLE,
  Job,
  RESIDUAL,
  URGENT,
  job,
  takeJob,
} from "../kernel/jobs";
import { note } from "../kernel/log";
import { Message, NO_MESSAGE, ON_CARD, bitsOf, message, takeMessage } from "../kernel/message";
import { ABSENT } from "../kernel/pages";
import { UP_POSTED } from "../kernel/port";
import { Progress } from "../kernel/progress";
import {
  TO_ANNOUNCE,
  TO_TELL,
  anyFilled,
  awaitPage,
  beginPush,
  dueCount,
  fill,
  keepStale,
  markAgain,
  pushBatch,
  pushing,
  staleBits,
  staleHere,
  staleIn,
  takeFilled,
  takeMarked,
  takePush,
  takeStale,
} from "../kernel/residual";
import { count } from "../kernel/stats";
import { onPageAsked, onResumedHere, pollDeferred } from "./deferred";
import { next, own, tell } from "./telling";

// what the destination's firmware knows: the guest runs; the end is being handled, and has to be told
const RESUMED_HERE: u32 = 1;
const ENDING: u32 = 2;
const WHOLE: u32 = 4;
let here: u32 = 0;

export function buildResidualFirmware(): void {
  here = 0;
}

/** A message of the front-end, if it is one of these. */
export function onResidualMessage(side: u32, m: Message, t: u64): void {
  if (m.kind == M_STALE) keepStale(m.a, bitsOf(m));
  else if (m.kind == M_RELEASE) own(side, JOB_WHOLE, 0, 0, 0, t);
  else if (m.kind == M_DONE) {
    here |= RESUMED_HERE;
    if (deferring) onResumedHere(t);
  } else if (m.kind == M_FAULT && awaitPage(m.a)) {
    if (deferring) onPageAsked(m.a, t);
    else own(side, JOB_FAULT, m.a, 0, 0, t);
  }
}

/** A record of the peer, if it is one of these; true when it stands for the end of the migration. */
export function onResidualRecord(side: u32, q: Progress, j: Job, t: u64): bool {
  if (j.kind == JOB_STALE) staleHere(j.pfn);
  else if (j.kind == JOB_RESUMED) beginPush(t);
  else if (j.kind == JOB_FAULT) onFault(side, q, j.pfn, t);
  return j.kind == JOB_WHOLE;
}

/** A page is asked for: it goes before all that have been found, unless it is on its way. */
function onFault(side: u32, q: Progress, pfn: u32, t: u64): void {
  if (!takeStale(pfn)) {
    count(side, C_CROSSED, 1);
    return;
  }
  const index = takeJob(side, JOB_PAGE);
  const j = job(side, index);
  j.pfn = pfn;
  j.round = q.round;
  j.flags = RESIDUAL | URGENT;
  pushFirst(queue(side, Q_FOUND), index, next(side, t));
}

/** An event that this firmware has made itself; true when it was one. */
export function onResidualEvent(side: u32, argument: u32, t: u64): bool {
  if (argument == EVENT_WHOLE) {
    if (completing(side)) writesEnd(side, UP_POSTED + R_DESC, t, next(side, t));
    note(deferring ? L_PLAIN : L_RAM_DONE, t);
    here |= WHOLE;
    return true;
  }
  if ((argument & EVENT_FILLED) == 0) return false;
  const pfn = argument & ~EVENT_FILLED;
  const m = tell(side, M_FILLED, 16, next(side, t));
  if (m == NO_MESSAGE) fill(pfn);
  else m.a = pfn;
  return true;
}

/** Looks at what has changed. */
export function pollResidual(side: u32, q: Progress, t: u64): void {
  if (side == 0) {
    announce(t);
    pushPages(q, t);
    return;
  }
  tellMissing(q, t);
  if (deferring) pollDeferred(t);
  while (anyFilled() && !lacks(queue(1, Q_EVENT), 1)) push(queue(1, Q_EVENT), EVENT_FILLED | takeFilled(), t);
  const done = dueCount() == 0 && !anyFilled() && (here & (RESUMED_HERE | ENDING)) == RESUMED_HERE;
  if (done && !lacks(queue(1, Q_EVENT), 1)) {
    here |= ENDING;
    push(queue(1, Q_EVENT), EVENT_WHOLE, t);
  }
  if ((here & WHOLE) == 0) return;
  if (tell(1, M_WHOLE, 16, next(1, t)) != NO_MESSAGE) here &= ~WHOLE;
}

/** Records with the bitmaps of stale pages, as long as there is room for them. */
function announce(t: u64): void {
  while (!lacks(queue(0, Q_OWN), 4)) {
    const batch = takeMarked(TO_ANNOUNCE);
    if (batch == ABSENT) return;
    const index = takeJob(0, JOB_STALE);
    const j = job(0, index);
    j.pfn = batch;
    j.bytes = addressBytes(staleBits(batch), staleIn(batch));
    push(queue(0, Q_OWN), index, next(0, t));
  }
}

/** Messages with them to the destination's host, as long as it has buffers. */
function tellMissing(q: Progress, t: u64): void {
  for (let batch = takeMarked(TO_TELL); batch != ABSENT; batch = takeMarked(TO_TELL)) {
    const n = staleIn(batch);
    const m = tell(1, M_MISSING, addressBytes(staleBits(batch), n), next(1, t));
    if (m == NO_MESSAGE) {
      markAgain(batch, TO_TELL);
      return;
    }
    m.a = batch;
    q.told += n;
  }
}

/** Pages that nobody has asked for, a few at a time. */
function pushPages(q: Progress, t: u64): void {
  while (pushing) {
    const slot = takeMessage(0, ON_CARD, M_ADDRESSES);
    if (slot == MESSAGE_SLOTS) return;
    const m = message(0, ON_CARD, slot);
    const n = takePush(bitsOf(m), t);
    if (n == 0) {
      m.used = 0;
      return;
    }
    m.a = pushBatch;
    m.b = q.round;
    m.c = n;
    m.flags = RESIDUAL;
    push(queue(0, Q_ADDRESS), slot, next(0, t));
  }
}
