// SPDX-License-Identifier: Apache-2.0
// Storage adapter of a card: an SR-IOV virtual function (VF) that a guest has, and the physical function (PF)
// through which an intermediary in the host may go on for it (US 2012/0042034, US 9,086,904).
//
// Models: one read of the request queue out at a time, up to 8 entries that follow each other; of a write its
//   data, read in pieces of MRRS; the back-end, which takes any number of requests and at least a tick; data
//   of a read, written in
//   pieces of 4 KiB at most, the response (16 bytes) and an interrupt (MSI-X, 4 bytes), one request after
//   another in the order in which the back-end has done with them. Tags and a share of the completion buffer
//   of
//   its own, the ports of other I/O. Reads of the queue go before those of data.
//   By way of the PF a request has the intermediary's core for `pf` (+ the copy of the data of a write), then
//   the PF does the same with its own queue and buffers in host memory, and the core has it for `pf` (+ the
//   copy of the data of a read) again, from an interrupt after the PF's on.
// In and out: doorbells from Q_STORAGE_BELL, answers from Q_STORAGE_ANSWER, interrupts that have landed from
//   Q_STORAGE_LANDED; reads and writes by requester STORAGE and the ports of TENANT.
// How long: what is put may go a byte of the wire later. A request is in service from when its entry (a
// write:
//   its data) is there, for a time drawn from 1024 quantiles; without anything in the way a read of b bytes
//   takes
//       doorbell + queue read + service + data + response + interrupt
//   of which all but the service are PCIe's. Queue and hand-over: kernel/storage, kernel/adapter.
// Leaves out: queues and banks of the back-end (its times are drawn), errors, scatter lists, other functions.
// Numbers: assumed (docs/model.md).
import {
  A_STORAGE,
  BUSY,
  C_STORAGE_HOST,
  C_STORAGE_PF,
  IO_ANSWER,
  IO_BEGUN,
  IO_FORWARD,
  IO_RETURN,
  IO_SERVICE,
  IO_TAKEN,
  LAND_STORAGE,
  PAGE_BYTES,
  QUIESCE_SUSPEND,
  Q_STORAGE_ANSWER,
  Q_STORAGE_BELL,
  Q_STORAGE_LANDED,
  R_DESC,
  R_STORAGE,
  R_TENANT,
  STARVED,
  STORAGE_BATCH,
  STORAGE_QUEUE_MAX,
  STORAGE_REQUEST_BYTES,
  STORAGE_RESPONSE_BYTES,
  ST_BYTES,
  ST_PF_TICKS,
  ST_POLICY,
  ST_STATE_BYTES,
  S_PCIE_MRRS,
  S_PCIE_RCB,
  S_PCIE_TICKS_PER_BYTE,
  TICKS_PER_NS,
  T_STORAGE,
  U_STORAGE,
  W_COMPLETION_BUFFER,
  W_PCIE,
  W_TAGS,
} from "../abi";
import { govern, interruptTicks, stateLanded } from "../kernel/adapter";
import {
  Adapter,
  CLOSING,
  COPYING,
  FALLBACK,
  GONE,
  HELD,
  READING,
  SERVING,
  WRITING,
  adapter,
  inFlight,
  redone,
  served,
  takes,
} from "../kernel/adapter-state";
import { STORAGE_AT } from "../kernel/address";
import { copyTicks } from "../kernel/driver";
import { pop, queue, ready } from "../kernel/fifo";
import { p, p32 } from "../kernel/params";
import { DOWN_POSTED, UP_POSTED, UP_READ, issueRead, portFull, put } from "../kernel/port";
import { wake } from "../kernel/schedule";
import { count, enter } from "../kernel/stats";
import * as storage from "../kernel/storage";
import {
  FETCHING,
  FORWARDING,
  IN_SERVICE,
  LANDING,
  POSTED,
  PULLING,
  PUSHING,
  RETURNING,
  Slot,
  depth,
  slot,
  slotAt,
} from "../kernel/storage";
import { PULLS, PUSHES, first, join, leave } from "../kernel/storage-lines";
import { st, st32 } from "../kernel/storage-params";
import { bufferFits, finishRead, tagsFree } from "../kernel/tags";
import { NEVER } from "../kernel/time";
import { happened } from "../kernel/timeline";

// arguments of reads and interrupts that are no slot
const OF_QUEUE: u32 = 0x8000;
const OF_STATE: u32 = 0x8001;
/** A doorbell of the PF. */
const PF_BELL: u32 = 0x80000000;
// what a read of requests reads
const OF_VF: u32 = 0; // the guest's queue
const OF_PF: u32 = 1; // the PF's
const OF_REDONE: u32 = 2; // a cancelled one, of the state
export const BELL: u32 = 3;
/** A store to a doorbell leaves the core after this. */
const STORE_TICKS: u64 = TICKS_PER_NS;
// host memory of the intermediary: state, queues of the PF, buffers
const PF_REQUESTS: u64 = STORAGE_AT + 0x10_0000;
const PF_RESPONSES: u64 = STORAGE_AT + 0x20_0000;
const PF_BUFFERS: u64 = STORAGE_AT + 0x100_0000;
const PF_BUFFER_BYTES: u64 = 131072;

const PF_RING = memory.data(4096, 16);

if (STORAGE_QUEUE_MAX * 4 != 4096) ERROR("queue of the PF");

export function stepStorage(side: u32, t: u64): void {
  if (depth == 0) return;
  const a = adapter(side);
  while (ready(queue(side, Q_STORAGE_LANDED), t)) landed(side, a, pop(queue(side, Q_STORAGE_LANDED)), t);
  while (ready(queue(side, Q_STORAGE_ANSWER), t)) {
    read(side, a, finishRead(side, R_STORAGE, pop(queue(side, Q_STORAGE_ANSWER))), t);
  }
  while (ready(queue(side, Q_STORAGE_BELL), t)) {
    const end = pop(queue(side, Q_STORAGE_BELL));
    if ((end & PF_BELL) != 0) a.pfSeen = end & ~PF_BELL;
    // one that was on its way when all that had been asked for was taken tells nothing new
    else if (a.mode != GONE && <i32>(end - a.seen) > 0) a.seen = end;
  }
  if (side == storage.home) {
    dueNow(side, a, t);
    while (storage.nextRequest(side) <= t) request(side, a, t);
  }
  const was = a.mode;
  govern(side, a, t);
  // what the back-end has done with in the meantime
  if (a.mode == SERVING && was != SERVING) dueNow(side, a, t);
  if (side == storage.home && a.mode == FALLBACK) while (a.head != storage.asked) forward(side, a, t);
  const cause = work(side, a, t);
  enter(side, A_STORAGE, cause != BUSY ? cause : isBusy(side, a) ? BUSY : STARVED, t);
  const next = soonest(side, a, t);
  if (next != NEVER) wake(side, U_STORAGE, next);
}

/** Whether requests may be begun and end. */
// @ts-ignore: decorator
@inline
function moves(a: Adapter): bool {
  return served(a) || a.mode == CLOSING || (a.mode == HELD && st(ST_POLICY) != QUIESCE_SUSPEND);
}

function isBusy(side: u32, a: Adapter): bool {
  if (a.mode == COPYING || a.mode == WRITING || a.mode == READING) return true;
  if (a.landing != 0 || a.pushing != 0 || a.fetching != 0) return true;
  if (side != storage.home || !moves(a)) return false;
  for (let i: u32 = 0; i < depth; i++) if (inFlight(slot(i))) return true;
  return false;
}

/** When time alone brings the next step. */
function soonest(side: u32, a: Adapter, t: u64): u64 {
  let best = a.until;
  if (best <= t) best = NEVER;
  if (side != storage.home) return best;
  best = min<u64>(best, storage.nextRequest(side));
  const serves = moves(a);
  for (let i: u32 = 0; i < depth; i++) {
    const s = slot(i);
    const waits = s.state == FORWARDING || s.state == RETURNING || (serves && s.state == IN_SERVICE);
    if (waits) best = min<u64>(best, s.due);
  }
  return best;
}

// --- the guest and the intermediary ---

function request(side: u32, a: Adapter, t: u64): void {
  storage.ask(side, served(a), t);
  if (a.mode == FALLBACK) return;
  put(side, DOWN_POSTED, 0, 4, storage.asked, BELL, t + STORE_TICKS);
}

/** The intermediary takes the next request of the queue for the PF. */
function forward(side: u32, a: Adapter, t: u64): void {
  const index = slotAt(a.head++);
  const s = slot(index);
  s.state = FORWARDING;
  s.pf = 1;
  s.due = hostWork(side, a, s.write != 0, t);
  happened(T_STORAGE, side, IO_FORWARD, t, index, s.n, s.due);
}

/** The intermediary's core does something for a request, from t on; returns when it has. */
function hostWork(side: u32, a: Adapter, copies: bool, t: u64): u64 {
  const ticks = max<u64>(1, st(ST_PF_TICKS) + (copies ? copyTicks(side, st(ST_BYTES)) : 0));
  a.hostFree = (a.hostFree > t ? a.hostFree : t) + ticks;
  count(side, C_STORAGE_HOST, ticks);
  return a.hostFree;
}

/** Requests whose time has come, in order of slots. */
function dueNow(side: u32, a: Adapter, t: u64): void {
  const serves = moves(a);
  for (let i: u32 = 0; i < depth; i++) {
    const s = slot(i);
    if (s.due > t) continue;
    if (s.state == FORWARDING) {
      s.state = POSTED;
      store<u32>(PF_RING + ((a.pfTail & (STORAGE_QUEUE_MAX - 1)) << 2), i);
      a.pfTail++;
      put(side, DOWN_POSTED, 0, 4, a.pfTail | PF_BELL, BELL, t + STORE_TICKS);
    } else if (s.state == RETURNING) {
      s.entry = a.answers++;
      count(side, C_STORAGE_PF, 1);
      storage.answer(side, i, t);
    } else if (serves && s.state == IN_SERVICE) {
      s.state = PUSHING;
      join(side, PUSHES, i);
    }
  }
}

// --- what PCIe brings ---

function landed(side: u32, a: Adapter, argument: u32, t: u64): void {
  if (argument == OF_STATE) {
    stateLanded(side, a, t);
    return;
  }
  if (a.mode == GONE) return;
  a.landing--;
  const s = slot(argument);
  if (s.pf == 0) {
    storage.answer(side, argument, t);
    return;
  }
  s.state = RETURNING;
  s.due = hostWork(side, a, s.write == 0, t + interruptTicks(side));
  happened(T_STORAGE, side, IO_RETURN, t, argument, s.n, s.due);
}

/** A read has been answered: of the queue, of the state, or of a request's data. */
function read(side: u32, a: Adapter, argument: u32, t: u64): void {
  if (argument == OF_STATE) a.reads--;
  else if (a.mode == GONE) return;
  else if (argument == OF_QUEUE) {
    for (let i: u32 = 0; i < a.fetching; i++) begin(side, taken(a, a.fetchFrom + i), t);
    a.fetching = 0;
  } else {
    const s = slot(argument);
    if (--s.left == 0 && s.cut == st32(ST_BYTES)) serve(side, argument, t);
  }
}

/** Slot of the request at a place of the queue that is read. */
function taken(a: Adapter, place: u32): u32 {
  if (a.fetchOf == OF_VF) return slotAt(place);
  if (a.fetchOf == OF_REDONE) return redone(place);
  return load<u32>(PF_RING + ((place & (STORAGE_QUEUE_MAX - 1)) << 2));
}

/** A request is known to the adapter. */
function begin(side: u32, index: u32, t: u64): void {
  const s = slot(index);
  happened(T_STORAGE, side, IO_BEGUN, t, index, s.n, s.write);
  s.cut = 0;
  s.left = 0;
  if (s.write == 0) {
    serve(side, index, t);
    return;
  }
  s.state = PULLING;
  join(side, PULLS, index);
}

/** The back-end has a request from t on. */
function serve(side: u32, index: u32, t: u64): void {
  const s = slot(index);
  s.cut = 0;
  s.state = IN_SERVICE;
  s.due = t + max<u64>(1, storage.serviceTicks(s));
  happened(T_STORAGE, side, IO_SERVICE, t, index, s.n, s.due);
}

// --- what the adapter does ---

/** Begins and goes on with what may be at t; BUSY, or what is in the way. */
function work(side: u32, a: Adapter, t: u64): u32 {
  if (a.mode == GONE) return BUSY;
  if (a.mode == READING) return readState(side, a, t);
  if (a.mode == WRITING) return writeState(side, a, t);
  if (side != storage.home) return a.pushing != 0 ? push(side, a, t) : BUSY;
  const fetched = fetch(side, a, t);
  const pulled = pull(side, a, t);
  const pushed = push(side, a, t);
  return pushed != BUSY ? pushed : pulled != BUSY ? pulled : fetched;
}

/** What stands in the way of a read, BUSY when nothing does. */
function gate(side: u32, address: u64, bytes: u32): u32 {
  if (tagsFree(side, R_STORAGE) == 0) return W_TAGS;
  if (!bufferFits(side, R_STORAGE, bytes, headersOf(side, address, bytes))) return W_COMPLETION_BUFFER;
  return portFull(side, UP_READ + R_TENANT) ? W_PCIE : BUSY;
}

function headersOf(side: u32, address: u64, bytes: u32): u32 {
  const rcb = p32(side, S_PCIE_RCB);
  return (((<u32>address) & (rcb - 1)) + bytes + rcb - 1) / rcb;
}

function ask(side: u32, address: u64, bytes: u32, argument: u32, t: u64): void {
  const headers = headersOf(side, address, bytes);
  const from = t + p(side, S_PCIE_TICKS_PER_BYTE);
  issueRead(side, R_STORAGE, address, bytes, headers, argument, from);
}

/** Begins those that the state carried, or reads the queue. */
function fetch(side: u32, a: Adapter, t: u64): u32 {
  if (a.redoAt != a.redo && takes(a) && st(ST_POLICY) == QUIESCE_SUSPEND) {
    while (a.redoAt != a.redo) begin(side, redone(a.redoAt++), t);
  }
  if (a.fetching != 0) return BUSY;
  const mrrs = p32(side, S_PCIE_MRRS);
  let address: u64 = 0;
  let from: u32 = 0;
  let n: u32 = 0;
  const again = takes(a) && a.redoAt != a.redo;
  const pf = !again && a.pfHead != a.pfSeen;
  if (again) {
    from = a.redoAt;
    address = STORAGE_AT + st(ST_STATE_BYTES) + <u64>from * STORAGE_REQUEST_BYTES;
    n = 1;
  } else if (pf) {
    from = a.pfHead;
    const place = from & (STORAGE_QUEUE_MAX - 1);
    address = PF_REQUESTS + <u64>(place * STORAGE_REQUEST_BYTES);
    n = min<u32>(a.pfSeen - from, STORAGE_QUEUE_MAX - place);
  } else if (takes(a) && a.head != a.seen) {
    from = a.head;
    address = storage.requestAddress(from);
    n = min<u32>(a.seen - from, storage.toWrap(from));
  } else return BUSY;
  const toPage = (PAGE_BYTES - ((<u32>address) & (PAGE_BYTES - 1))) / STORAGE_REQUEST_BYTES;
  n = min<u32>(min<u32>(n, STORAGE_BATCH), min<u32>(mrrs / STORAGE_REQUEST_BYTES, toPage));
  const cause = gate(side, address, n * STORAGE_REQUEST_BYTES);
  if (cause != BUSY) return cause;
  a.fetching = n;
  a.fetchFrom = from;
  a.fetchOf = again ? OF_REDONE : pf ? OF_PF : OF_VF;
  if (again) a.redoAt++;
  else if (pf) a.pfHead += n;
  else a.head += n;
  for (let i: u32 = 0; i < n; i++) claim(slot(taken(a, from + i)), t);
  ask(side, address, n * STORAGE_REQUEST_BYTES, OF_QUEUE, t);
  happened(T_STORAGE, side, IO_TAKEN, t, taken(a, from), n, a.fetchOf);
  return BUSY;
}

function claim(s: Slot, t: u64): void {
  storage.takenOnce(s, t);
  s.state = FETCHING;
}

/** Reads the data of writes. */
function pull(side: u32, a: Adapter, t: u64): u32 {
  const size = st32(ST_BYTES);
  for (let next = first(side, PULLS, PULLING); next != 0; next = first(side, PULLS, PULLING)) {
    const s = slot(next - 1);
    if (s.cut == 0 && !moves(a)) return BUSY;
    const address = buffer(s, next - 1) + s.cut;
    const toPage: u32 = PAGE_BYTES - ((<u32>address) & (PAGE_BYTES - 1));
    const bytes = min<u32>(min<u32>(size - s.cut, toPage), p32(side, S_PCIE_MRRS));
    const cause = gate(side, address, bytes);
    if (cause != BUSY) return cause;
    s.left++;
    s.cut += bytes;
    ask(side, address, bytes, next - 1, t);
    if (s.cut == size) leave(side, PULLS);
  }
  return BUSY;
}

/** Where the data of a request lies. */
function buffer(s: Slot, index: u32): u64 {
  return s.pf != 0 ? PF_BUFFERS + <u64>index * PF_BUFFER_BYTES : storage.bufferAddress(index);
}

/** Writes data, response and interrupt, one request after another. */
function push(side: u32, a: Adapter, t: u64): u32 {
  const size = st32(ST_BYTES);
  const from = t + p(side, S_PCIE_TICKS_PER_BYTE);
  while (true) {
    if (a.pushing == 0) {
      if (!moves(a) || side != storage.home) return BUSY;
      a.pushing = first(side, PUSHES, PUSHING);
      if (a.pushing == 0) return BUSY;
      leave(side, PUSHES);
    }
    const index = a.pushing - 1;
    const s = slot(index);
    const data = s.write == 0 && s.cut != size;
    // a response and an interrupt are control: they pass no data
    const through = UP_POSTED + (data ? R_TENANT : R_DESC);
    if (portFull(side, through)) return W_PCIE;
    if (data) {
      const bytes = min<u32>(size - s.cut, PAGE_BYTES);
      put(side, through, buffer(s, index) + s.cut, bytes, 0, 0, from);
      s.cut += bytes;
    } else if (s.left == 0) {
      s.entry = s.pf != 0 ? a.pfAnswers++ : a.answers++;
      const pf = PF_RESPONSES + <u64>((s.entry & (STORAGE_QUEUE_MAX - 1)) * STORAGE_RESPONSE_BYTES);
      const address = s.pf != 0 ? pf : storage.responseAddress(s.entry);
      put(side, through, address, STORAGE_RESPONSE_BYTES, 0, 0, from);
      s.left = 1;
    } else {
      put(side, through, STORAGE_AT, 4, index, LAND_STORAGE, from);
      happened(T_STORAGE, side, IO_ANSWER, t, index, s.n, s.entry);
      s.state = LANDING;
      s.cut = 0;
      s.left = 0;
      a.landing++;
      a.pushing = 0;
    }
  }
}

// --- the state ---

/** Writes the state to the intermediary. */
function writeState(side: u32, a: Adapter, t: u64): u32 {
  const from = t + p(side, S_PCIE_TICKS_PER_BYTE);
  while (a.moved != a.stateBytes) {
    if (portFull(side, UP_POSTED + R_TENANT)) return W_PCIE;
    const bytes = min<u32>(a.stateBytes - a.moved, PAGE_BYTES);
    const last = a.moved + bytes == a.stateBytes;
    const flags: u32 = last ? LAND_STORAGE : 0;
    put(side, UP_POSTED + R_TENANT, STORAGE_AT + a.moved, bytes, OF_STATE, flags, from);
    a.moved += bytes;
  }
  return BUSY;
}

/** Reads the state from the intermediary. */
function readState(side: u32, a: Adapter, t: u64): u32 {
  while (a.moved != a.stateBytes) {
    const address = STORAGE_AT + a.moved;
    const toPage: u32 = PAGE_BYTES - ((<u32>address) & (PAGE_BYTES - 1));
    const bytes = min<u32>(min<u32>(a.stateBytes - a.moved, toPage), p32(side, S_PCIE_MRRS));
    const cause = gate(side, address, bytes);
    if (cause != BUSY) return cause;
    a.reads++;
    a.moved += bytes;
    ask(side, address, bytes, OF_STATE, t);
  }
  return BUSY;
}
