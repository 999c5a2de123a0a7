// SPDX-License-Identifier: Apache-2.0
// Built-in firmware: what the handlers of the control processor do when they end. The engines do the work;
// this decides which work, and what the other card and the front-end are told. Every handler has cost its
// cycles before it acts.
//
// Source: START -> handshake -> READY; address batches to the scanner; descriptors for the pages found; page
// records to the crypto; ROUND END to the peer; its answer PLACED -> ROUND DONE to the front-end.
// Destination: records to the engines; a ROUND END is answered when that many pages have been placed; device
// state goes up to the front-end in messages; after the last round and all device state, RESUME.
import {
  C_NET_WIRE_BYTES,
  C_ZERO_PAGES,
  F_ADDRESSES,
  F_DESCRIPTORS,
  F_INTERRUPT,
  F_PAGE_RECORD,
  F_ROUND_END,
  G_SILENCE,
  L_DEVICE_DONE,
  L_FOUND,
  L_RAM_DONE,
  MESSAGE_BYTES_MAX,
  M_DEVICE,
  M_DONE,
  M_FAILED,
  M_FLAG_FINAL,
  M_READY,
  M_RESUME,
  M_ROUND_DONE,
  M_ROUND_END,
  M_START,
  PAGE_BYTES,
  P_POSTED,
  Q_EVENT,
  Q_FETCH,
  Q_FOUND,
  Q_OWN,
  Q_PENDING,
  Q_READ,
  Q_SCAN,
  REASON_SILENCE,
  REASON_TAG,
  RESIDUAL_AFTER,
  R_DESC,
  S_DESC_BYTES,
  S_DESC_RING_ON_HOST,
  S_PCIE_MPS,
  S_PCIE_MRRS,
  S_PCIE_RCB,
  U_CONTROL,
} from "../abi";
import { DESCRIPTORS_AT } from "../kernel/address";
import { asking, askedFor, nextAsked, nextRead, remember, toAsk, toRead } from "../kernel/again";
import { marksLeft, scans } from "../kernel/bitmap-scan";
import { batchBegun, completing, writesEnd } from "../kernel/completion";
import { beginResumeSet, deferring, mayResume } from "../kernel/deferred";
import { choose } from "../kernel/choice";
import {
  EVENT_CHOICE,
  EVENT_COUNTED,
  EVENT_MESSAGE,
  EVENT_ROUND,
  push,
  pushHeld,
  queue,
  lacks,
} from "../kernel/fifo";
import {
  FINAL,
  JOB_ABORT,
  JOB_AGAIN,
  JOB_PLACED,
  JOB_RESUMED,
  JOB_ROUND_END,
  freeJob,
  freeSlot,
  job,
  NO_SLOT,
  onItsWay,
} from "../kernel/jobs";
import { fetchBegun } from "../kernel/fetch";
import { deviceDue, deviceThere, lastRoundThere, several } from "../kernel/guests";
import { logged, note } from "../kernel/log";
import { NO_MESSAGE, ON_CARD, freeMessage, message } from "../kernel/message";
import { deviceBytes } from "../kernel/pages";
import { g, g32, p32 } from "../kernel/params";
import { path } from "../kernel/path";
import { UP_POSTED, issueRead, put } from "../kernel/port";
import { Progress, progress } from "../kernel/progress";
import { giveNumber } from "../kernel/record";
import { storing } from "../kernel/record-store";
import { residual } from "../kernel/residual";
import { forgotten, restarting } from "../kernel/restart";
import { sealedByHost } from "../kernel/ring";
import { wake } from "../kernel/schedule";
import { booksClosed, counted } from "../kernel/stats";
import { report, troubleOf, troubleTold, troubled } from "../kernel/trouble";
import {
  buildResidualFirmware,
  onResidualEvent,
  onResidualMessage,
  onResidualRecord,
  pollResidual,
} from "./residual";
import { buildScanFirmware, countsFirst, onScanEvent, onScanMessage, pollScan } from "./scanning";
import { numberRecord, onRequest, pollStoring } from "./storing";
import { guestOf, next, own, resumeOneOf, tell } from "./telling";

/** Flags of Progress. */
const ROUND_HERE: u32 = 1;
const ROUND_ANSWERING: u32 = 2;
const ROUND_FINAL: u32 = 4;
const FINAL_PLACED: u32 = 8;
const RESUME_SENT: u32 = 16;

let handshake: u64 = 0;
// the source listens for its peer, from then on
let watching: bool = false;
let watchedFrom: u64 = 0;

/** Tells the firmware how long the transport's handshake takes. */
export function buildFirmware(handshakeTicks: u64): void {
  handshake = handshakeTicks;
  watching = false;
  buildResidualFirmware();
  buildScanFirmware();
}

/** A handler has ended at t: its effect. */
export function onHandler(side: u32, handler: u32, argument: u32, n: u32, q: u32, t: u64): void {
  if (handler == F_PAGE_RECORD) onRecord(side, argument, q, t);
  else if (handler == F_DESCRIPTORS) onDescriptors(side, argument, n, q, t);
  else if (handler == F_ADDRESSES) pushHeld(queue(side, Q_SCAN), argument, next(side, t));
  else if (handler == F_INTERRUPT) onMessage(side, argument & ~EVENT_MESSAGE, t);
  else if (handler == F_ROUND_END) onRoundEnd(side, argument, t);
}

/** A record is made, or one received is sent on its way. */
function onRecord(side: u32, index: u32, q: u32, t: u64): void {
  const j = job(side, index);
  if (j.link == 0) {
    if (storing) numberRecord(side, j);
    else if (!sealedByHost(j)) giveNumber(side, j);
    if (asking && side == 0) remember(j);
  }
  pushHeld(queue(side, q), index, next(side, t));
}

/**
 * Posts the descriptors of a batch to the ring in host memory and has them fetched; on a card ring they are
 * there.
 */
function onDescriptors(side: u32, first: u32, n: u32, q: u32, t: u64): void {
  const at = next(side, t);
  let index = first;
  const onHost = p32(side, S_DESC_RING_ON_HOST) != 0;
  const batch: u64 = completing(side) ? batchBegun(side, n) : 0;
  for (let i: u32 = 0; i < n; i++) {
    const then = job(side, index).wait;
    job(side, index).wait = 0;
    job(side, index).nonce = batch;
    if (isDefined(TIMELINE)) onItsWay(P_POSTED, side, job(side, index), at, i, n);
    pushHeld(queue(side, onHost ? Q_PENDING : Q_READ + q), index, at);
    index = then;
  }
  if (!onHost) return;
  pushHeld(queue(side, Q_FETCH), n, at);
  const bytes = n * p32(side, S_DESC_BYTES);
  const mps = p32(side, S_PCIE_MPS);
  const mrrs = p32(side, S_PCIE_MRRS);
  const rcb = p32(side, S_PCIE_RCB);
  for (let o: u32 = 0; o < bytes; o += mps) {
    put(side, UP_POSTED + R_DESC, DESCRIPTORS_AT + o, bytes - o < mps ? bytes - o : mps, 0, 0, at);
  }
  const slot = fetchBegun(side, q, n, (bytes + mrrs - 1) / mrrs);
  for (let o: u32 = 0; o < bytes; o += mrrs) {
    const part = bytes - o < mrrs ? bytes - o : mrrs;
    issueRead(side, R_DESC, DESCRIPTORS_AT + o, part, (part + rcb - 1) / rcb, slot, at);
  }
}

// --- messages of the front-end ---

function onMessage(side: u32, slot: u32, t: u64): void {
  const m = message(side, ON_CARD, slot);
  if (m.kind == M_START) {
    if (storing) onRequest(t);
    tell(side, M_READY, 16, next(side, t + handshake));
    watching = g(G_SILENCE) != 0;
    watchedFrom = next(side, t + handshake);
  } else if (m.kind == M_ROUND_END) {
    const q = progress(side);
    q.round = m.b;
    q.roundPages = m.a;
    own(side, JOB_ROUND_END, m.a, m.b, m.flags == M_FLAG_FINAL ? FINAL : 0, t);
  } else if (m.kind == M_DONE) {
    own(side, JOB_RESUMED, 0, 0, 0, t);
  }
  if (residual != 0) onResidualMessage(side, m, t);
  if (scans && side == 0) onScanMessage(progress(0), m, t);
  freeMessage(side, ON_CARD, slot);
}

// --- records of the peer and ends of rounds ---

function onRoundEnd(side: u32, argument: u32, t: u64): void {
  const q = progress(side);
  if (argument == EVENT_CHOICE) {
    choose(t);
    return;
  }
  if (argument == EVENT_ROUND) {
    answerRound(side, q, t);
    return;
  }
  if (residual != 0 && onResidualEvent(side, argument, t)) return;
  if (scans && argument == EVENT_COUNTED) {
    roundDone(side, q, t);
    return;
  }
  if (scans && onScanEvent(q, argument, t)) return;
  const j = job(side, argument);
  const ends = residual == 0 ? j.kind == JOB_RESUMED : onResidualRecord(side, q, j, t);
  if (j.kind == JOB_ROUND_END) {
    q.flags |= ROUND_HERE | ((j.flags & FINAL) != 0 ? ROUND_FINAL : 0);
    q.round = j.round;
    q.roundPages = j.pfn;
  } else if (j.kind == JOB_PLACED) {
    if (!scans || !countsFirst(q, t)) roundDone(side, q, t);
  } else if (ends) {
    tell(side, M_DONE, 16, next(side, t));
    watching = false;
  } else if (j.kind == JOB_ABORT) {
    report(side, j.pfn, t);
  } else if (j.kind == JOB_AGAIN && !askedFor(j.pfn)) {
    report(side, REASON_TAG, t);
  }
  if (j.slotIn != NO_SLOT) freeSlot(side, j.slotIn);
  freeJob(side, argument);
}

/** Destination: every page of the round has been placed. */
function answerRound(side: u32, q: Progress, t: u64): void {
  if (completing(side)) writesEnd(side, UP_POSTED + R_DESC, t, next(side, t));
  const early = residual == RESIDUAL_AFTER && (q.flags & ROUND_FINAL) != 0;
  if (!early) own(side, JOB_PLACED, <u32>q.roundPages, q.round, 0, t);
  q.roundBase += q.roundPages;
  if ((q.flags & ROUND_FINAL) != 0) {
    q.flags |= FINAL_PLACED;
    if (!early) note(L_RAM_DONE, t);
    if (deferring) beginResumeSet(t);
    if (several) lastRoundThere(guestOf(q.round), t);
  }
  q.flags &= ~(ROUND_HERE | ROUND_ANSWERING);
}

/** Source: the peer has placed the round. */
function roundDone(side: u32, q: Progress, t: u64): void {
  const zero = counted(side, C_ZERO_PAGES);
  const wire = counted(side, C_NET_WIRE_BYTES);
  const m = tell(side, M_ROUND_DONE, 32, next(side, t));
  if (m != NO_MESSAGE) {
    m.b = <u32>(zero - q.roundZero);
    m.a = <u32>q.roundPages - m.b;
    m.c = q.roundPages;
    m.sent = wire - q.roundWire;
    m.d = marksLeft;
  }
  q.roundZero = zero;
  q.roundWire = wire;
}

/** Source: the peer is given up when no frame of it has arrived for too long. */
function watch(t: u64): void {
  const until = max<u64>(path(1).heardAt, watchedFrom) + g(G_SILENCE);
  if (booksClosed || t >= until) {
    watching = false;
    if (!booksClosed) report(0, REASON_SILENCE, t);
  } else wake(0, U_CONTROL, until);
}

/** Tells what is wrong: the source's front-end, or the peer. */
function tellTrouble(side: u32, t: u64): void {
  const reason = troubleOf(side);
  if (reason == 0) return;
  if (side == 0) {
    const m = tell(side, M_FAILED, 16, next(side, t));
    if (m == NO_MESSAGE) return;
    m.a = reason;
    if (logged(L_FOUND) == 0) note(L_FOUND, t);
    watching = false;
  } else if (reason >= REASON_TAG) own(side, JOB_ABORT, reason, 0, 0, t);
  troubleTold(side);
}

/** What has been asked for again: by the destination, and of the source, as far as there is room. */
function goAgain(side: u32, t: u64): void {
  while (side == 1 && toAsk() && !lacks(queue(side, Q_OWN), 1)) own(side, JOB_AGAIN, nextAsked(), 0, 0, t);
  while (side == 0 && toRead() && !lacks(queue(side, Q_FOUND), 1))
    push(queue(side, Q_FOUND), nextRead(side), next(side, t));
}

/**
 * Looks at what the engines have counted, at each edge of the control clock at which something has changed.
 */
export function poll(side: u32, t: u64): void {
  const q = progress(side);
  if (watching && side == 0) watch(t);
  if (troubled) tellTrouble(side, t);
  if (asking) goAgain(side, t);
  if (restarting && forgotten(side)) return;
  if (residual != 0) pollResidual(side, q, t);
  if (scans && side == 0) pollScan(t);
  if (storing && side == 0) pollStoring(t);
  if (
    (q.flags & ROUND_HERE) != 0 &&
    (q.flags & ROUND_ANSWERING) == 0 &&
    q.placed + q.told - q.roundBase == q.roundPages
  ) {
    if (!lacks(queue(side, Q_EVENT), 1)) {
      q.flags |= ROUND_ANSWERING;
      push(queue(side, Q_EVENT), EVENT_ROUND, t);
    }
  }
  if (side == 0) return;
  const all = several ? deviceDue() : <u64>deviceBytes;
  const most = MESSAGE_BYTES_MAX - PAGE_BYTES;
  while (q.deviceSent < q.device && (q.device - q.deviceSent >= most || q.device == all)) {
    const n = q.device - q.deviceSent < most ? q.device - q.deviceSent : most;
    if (tell(side, M_DEVICE, <u32>n, next(side, t)) == NO_MESSAGE) return;
    q.deviceSent += n;
    if (q.deviceSent == all) note(L_DEVICE_DONE, t);
    if (several && q.deviceSent == all) deviceThere(t);
  }
  const there = (q.flags & FINAL_PLACED) != 0 && q.deviceSent == all && mayResume();
  if (there && (q.flags & RESUME_SENT) == 0) {
    const m = tell(side, M_RESUME, 16, next(side, t));
    if (m == NO_MESSAGE) return;
    if (several) q.flags &= ~resumeOneOf(m, q.round, ROUND_FINAL | FINAL_PLACED);
    else q.flags |= RESUME_SENT;
  }
}
