// SPDX-License-Identifier: Apache-2.0
// Front-end: the driver in the server. On the source it collects dirty addresses, decides when to stop,
// suspends the guest and hands over the device state; on the destination it sets the device state and resumes
// the guest.
//
// Models: one host core that does one thing at a time; the cost of each; VSOCK messages to the card and back.
// In and out: interrupts from Q_MSIX; messages to the card with a doorbell through the down posted port.
// How long: a batch of 2048 pages takes 32 words x `scanWord` + dirty pages x `protectPage`, then `message` +
//   payload / copy rate; its marks are read and cleared in one instant at the beginning. Interrupt, suspend,
//   resume, device state per KiB: as the preset says. Stop rule: pages left x 4096 / (page bytes placed in
//   the last round / its duration) <= downtime limit.
// Leaves out: scheduling of the host, other work of the driver.
// Numbers: host preset `frontend.*`.
import {
  ADDRESSES_BITMAP,
  ADDRESSES_LIST,
  A_FRONTEND,
  BATCH_PAGES,
  BLOCKED,
  BUSY,
  C_DIRTY_COLLECTED,
  C_HOST_TICKS,
  C_RECORD_BYTES_B,
  G_ADDRESSES,
  G_DEVICE_BYTES,
  G_DOWNTIME_LIMIT,
  G_FORCE,
  G_PAGES,
  G_PAGES_OVER_VSOCK,
  G_ROUNDS_MAX,
  G_START_AT,
  G_TIMEOUT,
  L_REASON,
  L_PENDING_PAGES,
  L_PRECOPY_BYTES,
  L_ROUNDS,
  L_SETUP_DONE,
  L_STARTED,
  L_STATUS,
  L_SUSPENDED,
  MESSAGE_BYTES_MAX,
  MESSAGE_SLOTS,
  M_ADDRESSES,
  M_DEVICE,
  M_DONE,
  M_FLAG_FINAL,
  M_PAGES,
  M_READY,
  M_RESUME,
  M_ROUND_DONE,
  M_ROUND_END,
  M_START,
  PAGE_BYTES,
  P_ANNOUNCED,
  P_CLEARED,
  Q_MSIX,
  REASON_ROUNDS,
  REASON_TIMEOUT,
  RL_END,
  RL_NEW_DIRTY,
  RL_NORMAL,
  RL_START,
  RL_WIRE,
  RL_ZERO,
  STARVED,
  STATUS_NOT_CONVERGED,
  S_HOST_COPY_DEN,
  S_HOST_COPY_NUM,
  S_HOST_DEVICE_KIB,
  S_HOST_INTERRUPT,
  S_HOST_MESSAGE,
  S_HOST_PROTECT_PAGE,
  S_HOST_RESUME,
  S_HOST_SUSPEND,
  S_HOST_TLB_FLUSH,
  S_HOST_WORD,
  TICKS_PER_NS,
  U_FRONTEND,
} from "../abi";
import {
  batchCount,
  collectBatch,
  dirtyCount,
  holdUp,
  marksSet,
  setGuestRuns,
  startTracking,
} from "../kernel/dirty";
import { pop, queue, ready } from "../kernel/fifo";
import { logged, note, noteRound, roundNote } from "../kernel/log";
import {
  Message,
  NO_MESSAGE,
  TO_CARD,
  TO_HOST,
  bitsOf,
  bodyOf,
  freeMessage,
  message,
  takeMessage,
} from "../kernel/message";
import { carries, sourcePage, sourceVersion, sourceWord } from "../kernel/pages";
import { g, g32, p } from "../kernel/params";
import { DOWN_POSTED, put } from "../kernel/port";
import { wake } from "../kernel/schedule";
import { count, counted, enter } from "../kernel/stats";
import { productAtMost, spanTicks } from "../kernel/time";
import { happenedInBatch } from "../kernel/timeline";

// what comes next
const WAIT_START: u32 = 0;
const WAIT_READY: u32 = 1;
const TRACK: u32 = 2;
const COLLECT: u32 = 3;
const ROUND_END: u32 = 4;
const WAIT_ROUND: u32 = 5;
const SUSPEND: u32 = 6;
const DEVICE: u32 = 7;
const WAIT_DONE: u32 = 8;
const RESUME: u32 = 9;
const ENDED: u32 = 10;

// what is being done
const NOTHING: u32 = 0;
const SENDING: u32 = 1; // `slot` goes to the card at the end
const HANDLING: u32 = 2; // the message in `slot` from the card
const WORKING: u32 = 3; // goes to `then` at the end

/** Pages that fit one message: each with its 8-byte address. */
const PAGES_PER_MESSAGE: u32 = 15;
/** A store to the doorbell leaves the core after this. */
const STORE_TICKS: u32 = TICKS_PER_NS;


@unmanaged
class Frontend {
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
  marks: u64; // marks set when the round began
}

const FRONTENDS = memory.data(128, 16);
const BITS = memory.data(256, 16);

// @ts-ignore: decorator
@inline
function frontend(side: u32): Frontend {
  return changetype<Frontend>(FRONTENDS + (side << 6));
}

/** Set when the migration has ended at this time, for the board to close the books. */
export let endedAt: u64 = 0;

export function buildFrontend(side: u32): void {
  const f = frontend(side);
  memory.fill(changetype<usize>(f), 0, 64);
  f.next = side == 0 ? WAIT_START : WAIT_DONE;
  endedAt = 0;
}

/** Steps a front-end. */
export function stepFrontend(side: u32, t: u64): void {
  const f = frontend(side);
  while (true) {
    if (f.doing != NOTHING) {
      if (t < f.done) {
        wake(side, U_FRONTEND, f.done);
        return;
      }
      const was = f.doing;
      f.doing = NOTHING;
      if (was == SENDING) doorbell(side, f.slot, t);
      else if (was == HANDLING) handle(side, f, t);
      else f.next = f.then;
    }
    if (!begin(side, f, t)) return;
    enter(side, A_FRONTEND, BUSY, t);
    count(side, C_HOST_TICKS, f.done - t);
  }
}

/** Begins what comes next; false when there is nothing to do at t. */
function begin(side: u32, f: Frontend, t: u64): bool {
  if (f.next != ENDED && timeout(side, f, t)) return false;
  if (ready(queue(side, Q_MSIX), t)) {
    f.slot = pop(queue(side, Q_MSIX));
    const m = message(side, TO_HOST, f.slot);
    const copy = m.kind == M_DEVICE ? copyTicks(side, m.bytes) : 0;
    return work(f, HANDLING, f.next, t + p(side, S_HOST_INTERRUPT) + copy);
  }
  if (f.next == WAIT_START) {
    if (t < g(G_START_AT)) {
      enter(side, A_FRONTEND, STARVED, t);
      wake(side, U_FRONTEND, g(G_START_AT));
      return false;
    }
    note(L_STARTED, t);
    return send(side, f, M_START, WAIT_READY, t) != NO_MESSAGE;
  }
  if (f.next == TRACK) return work(f, WORKING, COLLECT, track(side, f, t));
  if (f.next == COLLECT) return collect(side, f, t);
  if (f.next == ROUND_END) return roundEnd(side, f, t);
  if (f.next == SUSPEND) return suspend(side, f, t);
  if (f.next == DEVICE) return device(side, f, t);
  if (f.next == RESUME) return resume(side, f, t);
  enter(side, A_FRONTEND, STARVED, t);
  return false;
}

function work(f: Frontend, doing: u32, then: u32, done: u64): bool {
  f.doing = doing;
  f.then = then;
  f.done = done;
  return true;
}

/** Takes a message slot and begins to fill it; NO_MESSAGE when all are in use. */
function send(side: u32, f: Frontend, kind: u32, then: u32, t: u64): Message {
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
function doorbell(side: u32, slot: u32, t: u64): void {
  message(side, TO_CARD, slot).sent = t;
  put(side, DOWN_POSTED, 0, 4, slot, 1, t + STORE_TICKS);
}

function copyTicks(side: u32, bytes: u64): u64 {
  return spanTicks(bytes, p(side, S_HOST_COPY_NUM), p(side, S_HOST_COPY_DEN));
}

// --- the source ---

/** Starts the tracker: every page is protected, one flush. */
function track(side: u32, f: Frontend, t: u64): u64 {
  startTracking();
  holdUp(p(side, S_HOST_TLB_FLUSH));
  beginRound(f, t);
  return t + g(G_PAGES) * p(side, S_HOST_PROTECT_PAGE) + p(side, S_HOST_TLB_FLUSH);
}

function beginRound(f: Frontend, t: u64): void {
  f.round++;
  f.batch = 0;
  f.left = 0;
  f.announced = 0;
  f.marks = marksSet();
  noteRound(f.round - 1, RL_START, t);
  note(L_ROUNDS, f.round);
}

/** Collects the next batch and begins to tell the card of it. */
function collect(side: u32, f: Frontend, t: u64): bool {
  if (logged(L_SETUP_DONE) == 0) {
    note(L_SETUP_DONE, t);
    noteRound(0, RL_START, t);
  }
  if (f.left != 0) return sendPages(side, f, t);
  const pages = g32(G_PAGES);
  const batches = (pages + BATCH_PAGES - 1) / BATCH_PAGES;
  if (f.batch == batches) {
    f.next = ROUND_END;
    return roundEnd(side, f, t);
  }
  const first = f.round == 1;
  const inBatch = pages - f.batch * BATCH_PAGES < BATCH_PAGES ? pages - f.batch * BATCH_PAGES : BATCH_PAGES;
  const scan = (BATCH_PAGES / 64) * p(side, S_HOST_WORD);
  const n = first ? inBatch : batchCount(f.batch);
  if (n == 0) {
    f.batch++;
    return work(f, WORKING, COLLECT, t + scan);
  }
  const over = g32(G_PAGES_OVER_VSOCK) != 0;
  const m = over ? NO_MESSAGE : send(side, f, M_ADDRESSES, COLLECT, t);
  if (!over && m == NO_MESSAGE) return false;
  const bits = over ? BITS : bitsOf(m);
  const cleared = collectBatch(f.batch, bits);
  if (isDefined(TIMELINE)) happenedInBatch(P_CLEARED, t, bits, f.batch * BATCH_PAGES, f.round);
  if (first) setBits(bits, inBatch);
  if (isDefined(TIMELINE)) happenedInBatch(P_ANNOUNCED, t, bits, f.batch * BATCH_PAGES, f.round);
  if (cleared != 0) holdUp(p(side, S_HOST_TLB_FLUSH));
  f.batch++;
  f.announced += n;
  count(side, C_DIRTY_COLLECTED, n);
  const cost = scan + cleared * p(side, S_HOST_PROTECT_PAGE) + (cleared != 0 ? p(side, S_HOST_TLB_FLUSH) : 0);
  if (m == NO_MESSAGE) {
    f.left = n;
    return work(f, WORKING, COLLECT, t + cost);
  }
  m.a = f.batch - 1;
  m.b = f.round;
  m.c = n;
  m.bytes = addressBytes(bits, n);
  f.done += cost + copyTicks(side, m.bytes);
  return true;
}

function setBits(bits: usize, n: u32): void {
  memory.fill(bits, 0, BATCH_PAGES / 8);
  memory.fill(bits, 0xff, n >> 3);
  if (n & 7) store<u8>(bits + (n >> 3), <u8>(((<u32>1) << (n & 7)) - 1));
}

/** Payload of an address batch: 8 bytes of base, then a bitmap, 8 bytes a page, or 8 bytes a run. */
function addressBytes(bits: usize, n: u32): u32 {
  const form = g32(G_ADDRESSES);
  if (form == ADDRESSES_BITMAP) return 8 + BATCH_PAGES / 8;
  if (form == ADDRESSES_LIST) return 8 + 8 * n;
  let runs: u32 = 0;
  let carry: u64 = 0;
  for (let i: u32 = 0; i < BATCH_PAGES / 8; i += 8) {
    const w = load<u64>(bits + i);
    runs += <u32>popcnt(w & ~((w << 1) | carry));
    carry = w >> 63;
  }
  return 8 + 8 * runs;
}

/** Copies the next pages of a batch into a message: their versions are fixed now. */
function sendPages(side: u32, f: Frontend, t: u64): bool {
  const m = send(side, f, M_PAGES, COLLECT, t);
  if (m == NO_MESSAGE) return false;
  const n = f.left < PAGES_PER_MESSAGE ? f.left : PAGES_PER_MESSAGE;
  let bit: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    while ((load<u32>(BITS + ((bit >> 5) << 2)) & ((<u32>1) << (bit & 31))) == 0) bit++;
    const word = BITS + ((bit >> 5) << 2);
    store<u32>(word, load<u32>(word) & ~((<u32>1) << (bit & 31)));
    const pfn = (f.batch - 1) * BATCH_PAGES + bit;
    const at = bitsOf(m) + i * 12;
    store<u32>(at, pfn);
    store<u32>(at, sourceVersion(pfn), 4);
    store<u32>(at, sourceWord(pfn), 8);
    if (carries(pfn)) memory.copy(bodyOf(f.slot) + i * PAGE_BYTES, sourcePage(pfn), PAGE_BYTES);
  }
  f.left -= n;
  m.a = n;
  m.b = f.round;
  m.bytes = n * (8 + PAGE_BYTES);
  f.done += copyTicks(side, m.bytes);
  return true;
}

/** All addresses of the round have been sent: says how many pages they were. */
function roundEnd(side: u32, f: Frontend, t: u64): bool {
  const m = send(side, f, M_ROUND_END, f.final != 0 ? DEVICE : WAIT_ROUND, t);
  if (m == NO_MESSAGE) return false;
  m.a = f.announced;
  m.b = f.round;
  m.flags = f.final != 0 ? M_FLAG_FINAL : 0;
  m.bytes = 16;
  return true;
}

/** The vCPUs and devices stop at the end of `suspend`; what is dirty then is the last round. */
function suspend(side: u32, f: Frontend, t: u64): bool {
  if (f.final == 0) {
    f.final = 1;
    return work(f, WORKING, SUSPEND, t + p(side, S_HOST_SUSPEND));
  }
  setGuestRuns(false);
  note(L_SUSPENDED, t);
  note(L_PRECOPY_BYTES, counted(side, C_RECORD_BYTES_B));
  beginRound(f, t);
  f.next = COLLECT;
  return collect(side, f, t);
}

/** Hands over the device state, a message of at most 60 KiB at a time. */
function device(side: u32, f: Frontend, t: u64): bool {
  const all = g32(G_DEVICE_BYTES);
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
  noteRound(r, RL_END, t);
  noteRound(r, RL_NORMAL, m.a);
  noteRound(r, RL_ZERO, m.b);
  noteRound(r, RL_WIRE, m.sent);
  noteRound(r, RL_NEW_DIRTY, marksSet() - f.marks);
  note(L_PENDING_PAGES, dirtyCount());
  if (f.next != WAIT_ROUND) return;
  // pages left / (pages placed / duration) <= limit
  if (
    dirtyCount() == 0 ||
    productAtMost(dirtyCount(), t - roundNote(r, RL_START), g(G_DOWNTIME_LIMIT), m.c)
  ) {
    f.next = SUSPEND;
  } else if (f.round >= g32(G_ROUNDS_MAX)) {
    giveUp(f, REASON_ROUNDS, t);
  } else if (g(G_TIMEOUT) != 0 && t >= logged(L_STARTED) + g(G_TIMEOUT)) {
    giveUp(f, REASON_TIMEOUT, t);
  } else {
    beginRound(f, t);
    f.next = COLLECT;
  }
}

function giveUp(f: Frontend, reason: u32, t: u64): void {
  if (g32(G_FORCE) != 0) {
    note(L_REASON, reason);
    f.next = SUSPEND;
    return;
  }
  note(L_STATUS, STATUS_NOT_CONVERGED);
  note(L_REASON, reason);
  note(L_PENDING_PAGES, dirtyCount());
  f.next = ENDED;
  endedAt = t;
}

/** True when the time is up before the guest was suspended, and the migration has been given up. */
function timeout(side: u32, f: Frontend, t: u64): bool {
  if (side != 0 || g(G_TIMEOUT) == 0 || f.next == WAIT_START || f.final != 0 || g32(G_FORCE) != 0)
    return false;
  const deadline = logged(L_STARTED) + g(G_TIMEOUT);
  if (t < deadline) {
    wake(side, U_FRONTEND, deadline);
    return false;
  }
  giveUp(f, REASON_TIMEOUT, t);
  enter(side, A_FRONTEND, STARVED, t);
  return true;
}

// --- messages from the card ---

function handle(side: u32, f: Frontend, t: u64): void {
  const m = message(side, TO_HOST, f.slot);
  if (m.kind == M_READY) f.next = TRACK;
  else if (m.kind == M_ROUND_DONE) roundDone(f, m, t);
  else if (m.kind == M_RESUME) f.next = RESUME;
  else if (m.kind == M_DONE) f.next = ENDED;
  freeMessage(side, TO_HOST, f.slot);
  handledAt = t;
}

/** When the last message was handled: the board tells the card that a buffer is free again. */
export let handledAt: u64 = 0;

// --- the destination ---

/** Sets the device state, then resumes the guest. */
function resume(side: u32, f: Frontend, t: u64): bool {
  if (f.final == 0) {
    f.final = 1;
    const kib = (g(G_DEVICE_BYTES) + 1023) / 1024;
    return work(f, WORKING, RESUME, t + kib * p(side, S_HOST_DEVICE_KIB) + p(side, S_HOST_RESUME));
  }
  f.next = ENDED;
  endedAt = t;
  const m = send(side, f, M_DONE, ENDED, t);
  if (m == NO_MESSAGE) return false;
  m.bytes = 16;
  return true;
}
