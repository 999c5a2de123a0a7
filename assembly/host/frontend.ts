// SPDX-License-Identifier: Apache-2.0
// Front-end: the driver in the server. On the source it collects dirty addresses, decides when to stop,
// suspends the guest and hands over the device state; on the destination it sets the device state and resumes
// the guest.
//
// Models: one host core that does one thing at a time; the cost of each; VSOCK messages to the card and back.
// In and out: interrupts from Q_MSIX; messages to the card with a doorbell through the down posted port.
// How long: a batch of 2048 pages takes 32 words x `scanWord` + dirty pages x `protectPage` (kernel/tracker
//   says when), then `message` +
//   payload / copy rate; its marks are read and cleared in one instant at the beginning. Interrupt, suspend,
//   resume, device state per KiB: as the preset says. Stop rule: pages left x 4096 / (page bytes placed in
//   the last round / its duration) <= downtime limit. At the deadline of `timeout` the front-end drops what
//   it is doing: a message that is not in memory yet is not sent, and its pages are dirty again. With `force`
//   it first ends the interrupt it is handling (`interrupt`) or the message of the start (`message`).
//   A cancel drops likewise, and a guest that is stopped goes on after `resume`; it comes too late when
//   everything has been handed over, for then the destination resumes the guest.
// Leaves out: scheduling of the host but for cores that vCPUs share with it (kernel/cpu), other work.
// Numbers: host preset `frontend.*`.
import {
  ALGORITHM_POSTCOPY,
  A_FRONTEND,
  BATCH_PAGES,
  C_DIRTY_COLLECTED,
  C_RECORD_BYTES_B,
  G_ALGORITHM,
  G_PAGES,
  G_PAGES_OVER_VSOCK,
  G_ROUNDS_MAX,
  G_START_AT,
  G_TRACKER_START,
  GT_DEVICE_BYTES,
  I_ONE_GUEST,
  L_PENDING_PAGES,
  L_PRECOPY_BYTES,
  L_SETUP_DONE,
  L_STARTED,
  L_SUSPENDED,
  MESSAGE_BYTES_MAX,
  M_ADDRESSES,
  M_DEVICE,
  M_DONE,
  M_FAILED,
  M_FLUSH,
  M_FLAG_FINAL,
  M_PAGES,
  M_READY,
  M_RESUME,
  M_ROUND_DONE,
  M_ROUND_END,
  M_STALE,
  M_STORED,
  M_START,
  M_WHOLE,
  PAGE_BYTES,
  P_ANNOUNCED,
  P_CLEARED,
  Q_MSIX,
  REASON_CANCELLED,
  REASON_ROUNDS,
  RECORD_HEADER_BYTES,
  RECORD_TAG_BYTES,
  RESIDUAL_AFTER,
  RL_END,
  RL_NEW_DIRTY,
  RL_NORMAL,
  RL_START,
  RL_WIRE,
  RL_ZERO,
  STARVED,
  STATUS_CANCELLED,
  STATUS_FAILED,
  S_HOST_DEVICE_KIB,
  S_HOST_INTERRUPT,
  S_HOST_PROTECT_PAGE,
  S_HOST_RESUME,
  S_HOST_STAGES,
  S_HOST_SUSPEND,
  S_HOST_TLB_FLUSH,
  S_HOST_WORD,
  T_READ,
  U_FRONTEND,
} from "../abi";
import { gcmSeal } from "../codec/gcm";
import { handedBytes } from "../codec/handed";
import {
  guestMoves as storageMoves,
  guestStops,
  isLoaded,
  isStill,
  migrationBegins,
} from "../kernel/adapter";
import { cancelAt, goesOn } from "../kernel/abandon";
import { addressBytes, firstPages, takePage } from "../kernel/batch";
import { scans } from "../kernel/bitmap-scan";
import { buildCpu } from "../kernel/cpu";
import { limits, periodEnds } from "../kernel/dirty-limit";
import { cutStalls } from "../kernel/dirty-log";
import { checkLearnt, examineAt, learnOfDevices, seesDevices } from "../kernel/device-ring";
import { quiesceDevices, writesOut } from "../kernel/device-writes";
import { guestBack, guestRuns, holdUp, setGuestRuns } from "../kernel/dirty";
import {
  WAIT_START,
  WAIT_READY,
  TRACK,
  COLLECT,
  ROUND_END,
  WAIT_ROUND,
  SUSPEND,
  LAST,
  DEVICE,
  WAIT_DONE,
  RESUME,
  SERVE,
  RELEASE,
  BACK,
  CHOOSE,
  ENDED,
  NOTHING,
  SENDING,
  HANDLING,
  WORKING,
  MAPPING,
  CARD_READY,
  UNANSWERED,
  COLLECTING,
  STARTING,
  Frontend,
  frontend,
  work,
  send,
  doorbell,
  examines,
  copyTicks,
  deadline,
  hasDeadline,
  pagesOf,
} from "../kernel/driver";
import { breakOff, buildEnding, endsAt, giveUp, handedBits, handledTill, timeUp } from "../kernel/ending";
import {
  chooseGuest,
  guestGivenUp,
  guestPlaced,
  guestStopped,
  roundWord,
  roundsUp,
  trackGuest,
} from "../kernel/evacuation";
import { pop, queue, ready } from "../kernel/fifo";
import {
  arriving,
  deviceEnd,
  endBatch,
  firstBatch,
  ofGuest,
  resumesThere,
  runsHere,
  several,
  turn,
} from "../kernel/guests";
import { JOB_PAGE, JOB_ZERO } from "../kernel/jobs";
import { buildLimitDriver, limitDue, limitEnds, limitFrom, limitRound } from "../kernel/limit-driver";
import { logged, note, noteRound, roundNote } from "../kernel/log";
import {
  Message,
  NO_MESSAGE,
  PAGE_ENTRY,
  TO_HOST,
  bitsOf,
  bodyOf,
  freeMessage,
  message,
} from "../kernel/message";
import { deviceBytes, keeps, sizedByWord, sourcePage, sourceVersion, sourceWord } from "../kernel/pages";
import { g, g32, p, p32 } from "../kernel/params";
import { storing, tellWritten } from "../kernel/record-store";
import { buildRequest, unasked, untilRequest } from "../kernel/request";
import { residual, sourceReleased } from "../kernel/residual";
import { hostSeals } from "../kernel/ring";
import {
  askedToFlush,
  buildScanDriver,
  flushTlbs,
  flushes,
  sendScan,
  startTicks,
} from "../kernel/scan-driver";
import { beginRound, buildRounds, moved, nextTurn, toResume } from "../kernel/round";
import { headerOf, ivOf } from "../kernel/record";
import { buildSealing, numberPages, tagIn } from "../kernel/sealing";
import { wake } from "../kernel/schedule";
import { heardOfPages, mapped, readingTicks, release, resumedEarly, serve, whole } from "../kernel/serving";
import { broken, count, counted, enter, evaluates } from "../kernel/stats";
import { enough } from "../kernel/stopping";
import {
  afterTracking,
  askedFor,
  batchStored,
  buildStoreDriver,
  isAhead,
  logTicks,
  workAhead,
} from "../kernel/store-driver";
import { happened, happenedInBatch } from "../kernel/timeline";
import {
  batchCount,
  bringIn,
  cleanTicks,
  collectBatch,
  dirtyCount,
  freshPages,
  inAt,
  startTracking,
} from "../kernel/tracker";
import { beginPages, buildWorkers, codesPages, endPages, hostWorks, workAt } from "../kernel/workers";

/** Pages that fit one message: each with its 8-byte address. */
const PAGES_PER_MESSAGE: u32 = 15;
// the message that the last interrupt told of and that is handled next, plus one: a word a side
const MORE = memory.data(8, 8);

export function buildFrontend(side: u32): void {
  const f = frontend(side);
  memory.fill(changetype<usize>(f), 0, 64);
  f.next = side == 0 ? WAIT_START : WAIT_DONE;
  store<u32>(MORE + (side << 2), 0);
  buildEnding();
  buildRequest(side);
  if (side == 0) {
    buildCpu();
    buildWorkers();
    buildSealing();
    buildScanDriver();
    buildStoreDriver();
    buildLimitDriver();
    buildRounds();
  }
}

/** Steps a front-end. */
export function stepFrontend(side: u32, t: u64): void {
  const f = frontend(side);
  if (unasked != 0) untilRequest(side, t);
  if (hasDeadline(side, f) && t >= deadline()) timeUp(f, t);
  if (side == 0 && t >= cancelAt()) breakOff(f, STATUS_CANCELLED, REASON_CANCELLED, t);
  if (side == 0 && limits) limitDue(f, t);
  advance(side, f, t);
  if (side == 0 && limits) wake(0, U_FRONTEND, periodEnds);
  if (hasDeadline(side, f)) wake(side, U_FRONTEND, deadline());
  if (side == 0 && examines(f) && examineAt > t) wake(0, U_FRONTEND, examineAt);
  if (side == 0 && t < cancelAt() && f.next != ENDED) wake(0, U_FRONTEND, cancelAt());
}

function advance(side: u32, f: Frontend, t: u64): void {
  while (true) {
    if (f.doing != NOTHING) {
      if (t < f.done) {
        wake(side, U_FRONTEND, f.done);
        return;
      }
      const was = f.doing;
      f.doing = NOTHING;
      if (was == SENDING) doorbell(side, f, t);
      else if (was == HANDLING) handle(side, f, t);
      else if (was == MAPPING) mapped(f, t);
      else f.next = f.then;
    }
    if (!begin(side, f, t)) return;
    hostWorks(side, t, f.done);
  }
}

/** Begins what comes next; false when there is nothing to do at t. */
function begin(side: u32, f: Frontend, t: u64): bool {
  if (f.next == SUSPEND && f.final != 0 && writesOut == 0) suspended(side, f, t);
  if (side == 0 && seesDevices && examines(f) && t >= examineAt) learnOfDevices(t, max<u64>(t, inAt()));
  if (side == 0 && inAt() > t) return work(f, WORKING, f.next, inAt());
  if (side == 0 && flushes(f)) return flushTlbs(f, t);
  const more = load<u32>(MORE + (side << 2));
  if (more != 0 || ready(queue(side, Q_MSIX), t)) {
    // one interrupt may tell of several messages: what follows the first costs its copy alone
    const entry = more != 0 ? 0 : p(side, S_HOST_INTERRUPT);
    f.slot = more != 0 ? more - 1 : pop(queue(side, Q_MSIX));
    const m = message(side, TO_HOST, f.slot);
    store<u32>(MORE + (side << 2), <u32>m.then);
    const done = t + entry + readingTicks(side, m);
    if (isDefined(TIMELINE) && residual != 0) happened(T_READ, side, m.kind, t, m.a, done, 0);
    return work(f, HANDLING, f.next, done);
  }
  if (f.next == WAIT_START) {
    if (isAhead(t) && workAhead(f, t)) return f.next != TRACK || begin(side, f, t);
    if (t < g(G_START_AT)) {
      enter(side, A_FRONTEND, STARVED, t);
      wake(side, U_FRONTEND, g(G_START_AT));
      return false;
    }
    if (storing) askedFor();
    else note(L_STARTED, t);
    return send(side, f, M_START, WAIT_READY, t) != NO_MESSAGE;
  }
  if (f.next == TRACK) return startTracker(f, t) || work(f, WORKING, afterTracking(COLLECT), track(side, t));
  if (f.next == COLLECT) return collect(side, f, t);
  if (f.next == ROUND_END) return roundEnd(side, f, t);
  if (f.next == SUSPEND && f.final == 0) {
    f.final = 1;
    quiesceDevices(t);
    return work(f, WORKING, SUSPEND, t + p(side, S_HOST_SUSPEND));
  }
  if (f.next == LAST) return last(side, f, t);
  if (f.next == DEVICE) return device(side, f, t);
  if (f.next == RESUME) return resume(side, f, t);
  if (f.next == SERVE) return serve(side, f, t);
  if (f.next == RELEASE) return release(side, f, t);
  if (f.next == BACK) return back(f, t);
  enter(side, A_FRONTEND, STARVED, t);
  return false;
}

// --- the source ---

/** A tracker that is not resident is started first, and nothing is tracked until it is there. */
function startTracker(f: Frontend, t: u64): bool {
  if (g(G_TRACKER_START) == 0 || (f.flags & STARTING) != 0) return false;
  f.flags |= STARTING;
  return work(f, WORKING, TRACK, t + g(G_TRACKER_START));
}

/** Starts the tracker: every page is protected, one flush. */
function track(side: u32, t: u64): u64 {
  if (several) return trackGuest(side, t);
  startTracking(t);
  holdUp(p(side, S_HOST_TLB_FLUSH));
  return t + g(G_PAGES) * p(side, S_HOST_PROTECT_PAGE) + p(side, S_HOST_TLB_FLUSH) + startTicks();
}

/** Collects the next batch and begins to tell the card of it. */
function collect(side: u32, f: Frontend, t: u64): bool {
  if (logged(L_SETUP_DONE) == 0) {
    note(L_SETUP_DONE, t);
    migrationBegins(t);
    if (limits) limitFrom(t);
    beginRound(f, t);
  } else if (several && (f.flags & COLLECTING) == 0) beginRound(f, t);
  if (scans) return sendScan(f, t);
  if (f.left != 0) return sendPages(side, f, t);
  const pages = g32(G_PAGES);
  const batches = several ? endBatch(turn) : (pages + BATCH_PAGES - 1) / BATCH_PAGES;
  if (f.batch == batches) {
    f.next = ROUND_END;
    return roundEnd(side, f, t);
  }
  const first = f.batch >= f.told;
  const inBatch = pagesOf(f.batch);
  const scan = (BATCH_PAGES / 64) * p(side, S_HOST_WORD);
  const n = first ? inBatch : batchCount(f.batch);
  if (n == 0) {
    f.batch++;
    return work(f, WORKING, COLLECT, t + scan);
  }
  const over = g32(G_PAGES_OVER_VSOCK) != 0;
  const kind = residual == RESIDUAL_AFTER && f.final != 0 ? M_STALE : M_ADDRESSES;
  const m = over ? NO_MESSAGE : send(side, f, kind, COLLECT, t);
  if (!over && m == NO_MESSAGE) return false;
  const bits = over ? handedBits : bitsOf(m);
  if (first && storing) f.done += logTicks(t);
  const cleared = collectBatch(f.batch, bits, !first);
  if (isDefined(TIMELINE)) happenedInBatch(P_CLEARED, t, bits, f.batch * BATCH_PAGES, f.round);
  const told: u32 = first && storing ? tellWritten(f.batch, bits) : 0;
  if (first) firstPages(bits, inBatch);
  if (isDefined(TIMELINE)) happenedInBatch(P_ANNOUNCED, t, bits, f.batch * BATCH_PAGES, f.round);
  f.batch++;
  if (first) f.told = f.batch;
  f.announced += n;
  count(side, C_DIRTY_COLLECTED, n);
  const cost = scan + cleanTicks(cleared);
  if (m == NO_MESSAGE) {
    f.left = n;
    return work(f, WORKING, COLLECT, t + cost);
  }
  m.a = f.batch - 1;
  m.b = f.round;
  m.c = n;
  m.bytes = told != 0 ? told : addressBytes(bits, n);
  f.done += cost + copyTicks(side, m.bytes);
  return true;
}

/** Copies the next pages of a batch into a message: their versions are fixed now. */
function sendPages(side: u32, f: Frontend, t: u64): bool {
  const m = send(side, f, M_PAGES, COLLECT, t);
  if (m == NO_MESSAGE) return false;
  const n = f.left < PAGES_PER_MESSAGE ? f.left : PAGES_PER_MESSAGE;
  const staged = p32(side, S_HOST_STAGES) != 0;
  const compresses = staged && codesPages();
  let bytes: u32 = n * (8 + PAGE_BYTES);
  if (staged) {
    // each with its length
    bytes = n * (hostSeals ? RECORD_HEADER_BYTES + RECORD_TAG_BYTES : 12);
    if (hostSeals) m.c = numberPages(n, t);
    beginPages();
  }
  let bit: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    bit = takePage(handedBits, bit);
    const pfn = (f.batch - 1) * BATCH_PAGES + bit;
    const at = bitsOf(m) + i * PAGE_ENTRY;
    store<u32>(at, pfn);
    store<u32>(at, sourceVersion(pfn), 4);
    store<u32>(at, sourceWord(pfn), 8);
    const from = keeps(pfn) ? sourcePage(pfn) : 0;
    const to = bodyOf(f.slot) + i * PAGE_BYTES;
    if (staged) {
      const size = handedBytes(sourceWord(pfn), sizedByWord(), from, to, compresses);
      store<u32>(at, size, 12);
      workAt(size);
      bytes += size;
      if (hostSeals && from != 0) sealPage(m, i, to);
    } else if (from != 0) memory.copy(to, from, PAGE_BYTES);
  }
  if (staged) f.done += endPages(t) - t;
  f.left -= n;
  m.a = n;
  m.b = f.round;
  m.bytes = bytes;
  f.done += copyTicks(side, m.bytes);
  return true;
}

/** Seals page i of a message, which lies at `to`. */
function sealPage(m: Message, i: u32, to: usize): void {
  const at = bitsOf(m) + i * PAGE_ENTRY;
  const size = load<u32>(at, 12);
  const number = m.c + i;
  const coded = size != 0 && size < PAGE_BYTES;
  const kind = size == 0 ? JOB_ZERO : JOB_PAGE;
  const header = headerOf(load<u32>(at), number, size, coded ? 1 : 0, kind, load<u32>(at, 4));
  const tag = tagIn(to - i * PAGE_BYTES, i);
  gcmSeal(1, ivOf(1, number), header, RECORD_HEADER_BYTES, to, to, size, tag);
}

/** All addresses of the round have been sent: says how many pages they were. */
function roundEnd(side: u32, f: Frontend, t: u64): bool {
  const m = send(side, f, M_ROUND_END, f.final != 0 ? DEVICE : WAIT_ROUND, t);
  if (m == NO_MESSAGE) return false;
  m.a = f.announced;
  m.b = several ? roundWord(f.round) : f.round;
  m.flags = f.final != 0 ? M_FLAG_FINAL : 0;
  m.bytes = 16;
  return true;
}

/**
 * The vCPUs stop at the end of `suspend`, when devices, which begin no write from its beginning on, have
 * none under way; what is dirty then is the last round.
 */
function suspended(side: u32, f: Frontend, t: u64): void {
  if (several) guestStopped(t);
  else setGuestRuns(false);
  guestStops(t);
  note(L_SUSPENDED, t);
  cutStalls(t);
  if (limits) limitEnds();
  bringIn(t);
  if (seesDevices) checkLearnt(t);
  note(L_PRECOPY_BYTES, counted(side, C_RECORD_BYTES_B));
  f.next = LAST;
}

/**
 * What is dirty goes as the last round. A stop that was forced may find the card not ready, or a round not
 * placed: both are awaited. It may have cut a round short: that one is the last then, and all of memory is
 * looked at again.
 */
function last(side: u32, f: Frontend, t: u64): bool {
  if ((f.flags & (CARD_READY | UNANSWERED)) != CARD_READY || !isStill(t)) {
    enter(side, A_FRONTEND, STARVED, t);
    return false;
  }
  if ((f.flags & COLLECTING) == 0) beginRound(f, t);
  f.batch = several ? firstBatch(turn) : 0;
  f.next = COLLECT;
  return collect(side, f, t);
}

/** Hands over the device state, a message of at most 60 KiB at a time. */
function device(side: u32, f: Frontend, t: u64): bool {
  const all = several ? deviceEnd(turn) : deviceBytes;
  if (f.offset == all) {
    f.next = WAIT_DONE;
    enter(side, A_FRONTEND, STARVED, t);
    return false;
  }
  const m = send(side, f, M_DEVICE, DEVICE, t);
  if (m == NO_MESSAGE) return false;
  const most = MESSAGE_BYTES_MAX - PAGE_BYTES;
  m.a = f.offset;
  m.bytes = all - f.offset < most ? all - f.offset : most;
  f.offset += m.bytes;
  f.done += copyTicks(side, m.bytes);
  return true;
}

/** A round has been placed: stop, go on, or give up. */
function roundDone(f: Frontend, m: Message, t: u64): void {
  const r = f.round - 1;
  f.flags &= ~UNANSWERED;
  bringIn(t);
  noteRound(r, RL_END, t);
  noteRound(r, RL_NORMAL, m.a);
  noteRound(r, RL_ZERO, m.b);
  noteRound(r, RL_WIRE, m.sent);
  if (several) guestPlaced();
  const fresh = freshPages();
  noteRound(r, RL_NEW_DIRTY, fresh);
  if (limits) limitRound(m.a + m.b, fresh, t);
  note(L_PENDING_PAGES, dirtyCount());
  if (f.next == CHOOSE) nextTurn(f, t);
  if (f.next != WAIT_ROUND) return;
  if (enough(t - roundNote(r, RL_START), m.c, m.d)) {
    f.next = SUSPEND;
  } else if (several) {
    if (roundsUp()) guestGivenUp(f, t);
    if (f.next != SUSPEND) nextTurn(f, t);
  } else if (f.round >= g32(G_ROUNDS_MAX)) {
    giveUp(f, REASON_ROUNDS, t);
  } else {
    beginRound(f, t);
    f.next = COLLECT;
  }
}

/** The guest goes on at the source, which is the end. */
function back(f: Frontend, t: u64): bool {
  if (goesOn(f, t)) return true;
  endsAt(t);
  return begin(0, f, t);
}

// --- messages from the card ---

function handle(side: u32, f: Frontend, t: u64): void {
  const m = message(side, TO_HOST, f.slot);
  // what arrives after the end is read and forgotten
  if (f.next != ENDED) {
    if (m.kind == M_READY) cardReady(f, t);
    else if (m.kind == M_ROUND_DONE) roundDone(f, m, t);
    else if (m.kind == M_RESUME) toResume(f, m);
    else if (m.kind == M_DONE) moved(f, t);
    else if (m.kind == M_WHOLE) endsAt(whole(f, t));
    else if (m.kind == M_FAILED) breakOff(f, STATUS_FAILED, m.a, t);
    else if (m.kind == M_FLUSH) askedToFlush();
    else if (m.kind == M_STORED) batchStored(m);
    if (residual != 0) heardOfPages(m, t);
  }
  if (residual != 0 && side == 0 && m.kind == M_DONE) sourceReleased(t);
  freeMessage(side, TO_HOST, f.slot);
  handledTill(t);
}

/** The card has shaken hands: the tracker is started, or (post-copy) the guest stopped, if it is not yet. */
function cardReady(f: Frontend, t: u64): void {
  f.flags |= CARD_READY;
  if (f.next != WAIT_READY) return;
  f.next = storing ? COLLECT : TRACK;
  if (several) chooseGuest(f, true, t);
  if (g32(G_ALGORITHM) != ALGORITHM_POSTCOPY) return;
  note(L_SETUP_DONE, t);
  f.next = SUSPEND;
}

// --- the destination ---

/** Sets the device state, then resumes the guest, which runs nowhere else. */
function resume(side: u32, f: Frontend, t: u64): bool {
  if (!isLoaded(t)) {
    enter(side, A_FRONTEND, STARVED, t);
    return false;
  }
  if (f.final == 0) {
    f.final = 1;
    const bytes = several ? ofGuest(arriving, GT_DEVICE_BYTES) : <u64>deviceBytes;
    const kib = (bytes + 1023) / 1024;
    return work(f, WORKING, RESUME, t + kib * p(side, S_HOST_DEVICE_KIB) + p(side, S_HOST_RESUME));
  }
  evaluates(I_ONE_GUEST);
  if (several ? runsHere(arriving) : guestRuns || guestBack) broken(I_ONE_GUEST, t, logged(L_SUSPENDED), t);
  if (residual != 0) return resumedEarly(side, f, t);
  const over = !several || resumesThere(t);
  if (over) endsAt(t);
  else f.final = 0;
  storageMoves(t);
  const m = send(side, f, M_DONE, over ? ENDED : WAIT_DONE, t);
  if (m == NO_MESSAGE) return false;
  m.bytes = 16;
  return true;
}
