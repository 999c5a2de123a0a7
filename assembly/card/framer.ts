// SPDX-License-Identifier: Apache-2.0
// Framer and receiver: records into the streams of the data links, and out of them.
//
// Models: the copy of a record into the send buffer in card DRAM and out of the receive buffer, one record at
//   a time each way; the sender's buffer of one window and its table of records; the receiver's SRAM.
// In and out: records from Q_FRAME, appended to link A or B (their SRAM and job are freed); whole records
//   from the peer's stream to Q_RECORD.
// How long: ceil(2 * bytes / DRAM bandwidth) to the next clock edge: each byte is written to DRAM and read
//   from it once. The wire sees the record one clock after that; the window opens one clock after a record is
//   taken. A record for the store (kernel/record-store) is written to it with its entry, once; one that comes
//   from there is read once, entry and payload: ceil((40 + bytes) / bandwidth) either way. It lies there
//   until it is acknowledged.
// Leaves out: DRAM banks and refresh, interleaving of records of the two links.
// Numbers: card preset `dram.bandwidth`; records as kernel/record.ts.
import {
  A_FRAMER,
  A_RECEIVE,
  BLOCKED,
  BUSY,
  C_DEVICE_BYTES,
  C_RECORD_BYTES_A,
  G_ENCRYPT_BITS,
  G_NET_WINDOW,
  H_PAGE_TOTAL,
  P_FRAMED,
  P_RECEIVED,
  Q_FRAME,
  Q_RECORD,
  RECORD_HEADER_BYTES,
  RECORD_TAG_BYTES,
  STARVED,
  STORE_ENTRY_BYTES,
  STORE_NONCE_BYTES,
  S_SRAM_SLOTS,
  T_APPEND,
  T_STAGE,
  T_TAKEN,
  U_FRAMER,
  U_NET_TX,
  U_RECEIVE,
  W_SRAM,
  W_WINDOW,
} from "../abi";
import { dramDone } from "../kernel/dram";
import { freeAt } from "../kernel/egress";
import { head, hold, pop, pushHeld, queue, ready, lacks } from "../kernel/fifo";
import {
  CARRIED,
  CODED,
  FROM_STORE,
  JOB_DEVICE,
  JOB_PAGE,
  JOB_ZERO,
  Job,
  NO_SLOT,
  RESIDUAL,
  SPOILT,
  TO_STORE,
  freeJob,
  freeSlot,
  job,
  onItsWay,
  slotAt,
  slotsShort,
  takeJob,
  takeSlot,
} from "../kernel/jobs";
import { g, g32, p32 } from "../kernel/params";
import { linkOf, receiveNumber, tagAt, writeHeader } from "../kernel/record";
import { keepStored, numberStored, receiveStored, storedAt, storing } from "../kernel/record-store";
import { residualFramed } from "../kernel/residual";
import { wake } from "../kernel/schedule";
import { count, enter, sample } from "../kernel/stats";
import {
  LINK_A,
  LINK_B,
  Record,
  Stream,
  append,
  recordAt,
  recordBytes,
  recordThere,
  ringFit,
  ringFlip,
  ringRead,
  ringWrite,
  stream,
  tableFits,
  takeOut,
} from "../kernel/stream";
import { edgeAfter, edgeAt } from "../kernel/time";
import { happened } from "../kernel/timeline";
import { linkClosed, recordDropped, spoilsFrom, spoiltOne } from "../kernel/trouble";

//  copier of a direction, 24 bytes: | done u64 | job u32 | busy u32 | link u32 | - |
@unmanaged
class Copier {
  done: u64;
  index: u32;
  busy: u32;
  link: u32;
  total: u32;
}

const COPIERS = memory.data(128, 16);
/** In place of a link: the record is written to the store. */
const STORE: u32 = 2;
const NONCE: usize = offsetof<Record>("nonce");

// @ts-ignore: decorator
@inline
function copier(side: u32, receiving: u32): Copier {
  return changetype<Copier>(COPIERS + ((side * 2 + receiving) << 5));
}

export function buildFramer(side: u32): void {
  memory.fill(changetype<usize>(copier(side, 0)), 0, 64);
}

// @ts-ignore: decorator
@inline
function tagBytes(): u32 {
  return g32(G_ENCRYPT_BITS) != 0 ? RECORD_TAG_BYTES : 0;
}

function copyDone(side: u32, t: u64, bytes: u32): u64 {
  const at = edgeAt(side * 2, dramDone(side, t, bytes));
  const next = edgeAfter(side * 2, t, 1);
  return at > next ? at : next;
}

/** Bytes behind the header of a record that comes from the store. */
// @ts-ignore: decorator
@inline
function nonceBytes(flags: u32): u32 {
  return (flags & FROM_STORE) != 0 ? STORE_NONCE_BYTES : 0;
}

// --- sending ---

export function stepFramer(side: u32, t: u64): void {
  const f = copier(side, 0);
  if (f.busy != 0) {
    if (t < f.done) {
      wake(side, U_FRAMER, f.done);
      return;
    }
    finishFrame(side, f, t);
    f.busy = 0;
  }
  if (!ready(queue(side, Q_FRAME), t)) {
    enter(side, A_FRAMER, STARVED, t);
    return;
  }
  const j = job(side, head(queue(side, Q_FRAME)));
  if (storing && (j.flags & TO_STORE) != 0) {
    beginStore(side, f, j, t);
    return;
  }
  const link = linkOf(j);
  const s = stream(side, link);
  const extra = nonceBytes(j.flags);
  const total = recordBytes(j.bytes, tagBytes()) + extra;
  if (g(G_NET_WINDOW) - (s.appended - s.una) < total || !tableFits(s)) {
    if (linkClosed) {
      discard(side, pop(queue(side, Q_FRAME)));
      wake(side, U_FRAMER, edgeAfter(side * 2, t, 1));
      return;
    }
    enter(side, A_FRAMER, W_WINDOW, t);
    return;
  }
  f.index = pop(queue(side, Q_FRAME));
  f.busy = 1;
  f.link = link;
  f.total = total;
  f.done = extra == 0 ? copyDone(side, t, 2 * total) : copyDone(side, t, j.bytes + STORE_ENTRY_BYTES);
  if (isDefined(TIMELINE)) happened(T_STAGE, side, U_FRAMER, t, j.pfn, f.done, j.kind);
  enter(side, A_FRAMER, BUSY, t);
  wake(side, U_FRAMER, f.done);
}

/** A record is written to the store, with its entry. */
function beginStore(side: u32, f: Copier, j: Job, t: u64): void {
  f.index = pop(queue(side, Q_FRAME));
  f.busy = 1;
  f.link = STORE;
  f.done = copyDone(side, t, j.bytes + STORE_ENTRY_BYTES);
  if (isDefined(TIMELINE)) happened(T_STAGE, side, U_FRAMER, t, j.pfn, f.done, j.kind);
  enter(side, A_FRAMER, BUSY, t);
  wake(side, U_FRAMER, f.done);
}

/** The link is closed and the send buffer full: the record is written off. */
function discard(side: u32, index: u32): void {
  if ((job(side, index).flags & FROM_STORE) == 0) recordDropped();
  release(side, index);
}

/** SRAM and job of a record are free. */
function release(side: u32, index: u32): void {
  const j = job(side, index);
  if (j.slotIn != NO_SLOT) freeSlot(side, j.slotIn);
  if (j.slotOut != NO_SLOT) freeSlot(side, j.slotOut);
  freeJob(side, index);
}

/** The record is in the send buffer: its SRAM and job are free. */
function finishFrame(side: u32, f: Copier, t: u64): void {
  const j = job(side, f.index);
  if (f.link == STORE) {
    const slot = (j.flags & CODED) != 0 ? j.slotOut : j.slotIn;
    keepStored(j, tagAt(side, f.index), slot == NO_SLOT ? 0 : slotAt(side, slot), t);
    release(side, f.index);
    return;
  }
  const s = stream(side, f.link);
  const from = s.appended;
  const seen = edgeAfter(side * 2, t, 1);
  const r = append(s, f.total, seen);
  if (isDefined(TIMELINE)) happened(T_APPEND, side, f.link, seen, f.total, 0, 0);
  if (isDefined(TIMELINE)) onItsWay(P_FRAMED, side, j, seen, from, f.total);
  r.nonce = j.nonce;
  r.pfn = j.pfn;
  r.version = j.version;
  r.word = j.word;
  r.kind = j.kind;
  r.bytes = j.bytes;
  r.flags = j.flags;
  const extra = nonceBytes(j.flags);
  r.base = extra == 0 ? j.firstVersion : numberStored();
  r.round = j.round;
  const spoils = t >= spoilsFrom && side == 0 && (j.kind == JOB_PAGE || j.kind == JOB_ZERO);
  if (spoils) r.flags |= SPOILT;
  if ((j.flags & CARRIED) != 0) {
    const slot = (j.flags & CODED) != 0 ? j.slotOut : j.slotIn;
    ringFit(s);
    const header = writeHeader(j);
    if (extra != 0) store<u32>(header, r.base, 4);
    ringWrite(s, from, header, RECORD_HEADER_BYTES);
    if (extra != 0) ringWrite(s, from + RECORD_HEADER_BYTES, changetype<usize>(r) + NONCE, extra);
    const at = from + RECORD_HEADER_BYTES + extra;
    if (j.bytes != 0) ringWrite(s, at, extra == 0 ? slotAt(side, slot) : storedAt(j.pfn), j.bytes);
    if (tagBytes() != 0) ringWrite(s, at + j.bytes, tagAt(side, f.index), RECORD_TAG_BYTES);
    if (spoils) ringFlip(s, at);
  }
  if (spoils) spoiltOne();
  count(side, C_RECORD_BYTES_A + f.link, f.total);
  if (j.kind == JOB_DEVICE) count(side, C_DEVICE_BYTES, j.bytes);
  else if (j.started != 0) sample(side, H_PAGE_TOTAL, t - j.started);
  if ((j.flags & RESIDUAL) != 0) residualFramed(j.flags, f.total, t);
  release(side, f.index);
  wake(side, U_NET_TX, max<u64>(seen, freeAt(side)));
}

// --- receiving ---

/** 1 while a record whose number has been received is being copied, and not taken out yet. */
export function receiving(side: u32): u32 {
  return copier(side, 1).busy;
}

export function stepReceive(side: u32, t: u64): void {
  const f = copier(side, 1);
  if (f.busy != 0) {
    if (t < f.done) {
      wake(side, U_RECEIVE, f.done);
      return;
    }
    const s = stream(1 - side, f.link);
    takeOut(s, f.total, edgeAfter(side * 2, t, 1));
    if (isDefined(TIMELINE)) happened(T_TAKEN, side, f.link, s.takenFrom, f.total, 0, 0);
    if (s.position >= s.heedFrom) wake(side, U_NET_TX, s.takenFrom);
    pushHeld(queue(side, Q_RECORD), f.index, edgeAfter(side * 2, t, 1));
    f.busy = 0;
  }
  const link = recordThere(stream(1 - side, LINK_A)) ? LINK_A : LINK_B;
  const s = stream(1 - side, link);
  if (!recordThere(s)) {
    enter(side, A_RECEIVE, STARVED, t);
  } else if (lacks(queue(side, Q_RECORD), 1)) {
    enter(side, A_RECEIVE, BLOCKED, t);
  } else if (slotsShort(side, p32(side, S_SRAM_SLOTS) / 4 + 1)) {
    enter(side, A_RECEIVE, W_SRAM, t);
  } else {
    hold(queue(side, Q_RECORD), 1);
    begin(side, f, s, link, t);
  }
}

function begin(side: u32, f: Copier, s: Stream, link: u32, t: u64): void {
  const r = recordAt(s, s.next);
  const extra = nonceBytes(r.flags);
  if (extra != 0) receiveStored(r.base, r.nonce, t);
  else receiveNumber(1 - side, link, r.nonce, t);
  const index = takeJob(side, r.kind);
  const j = job(side, index);
  j.nonce = r.nonce;
  j.pfn = r.pfn;
  j.version = r.version;
  j.word = r.word;
  j.bytes = r.bytes;
  j.flags = r.flags;
  j.firstVersion = extra == 0 ? r.base : 0;
  j.round = r.round;
  j.started = t;
  j.link = 1;
  if (r.bytes != 0) j.slotIn = takeSlot(side);
  f.index = index;
  f.busy = 1;
  f.link = link;
  f.total = recordBytes(r.bytes, tagBytes()) + extra;
  f.done = copyDone(side, t, 2 * f.total);
  if ((j.flags & CARRIED) != 0) unload(side, index, j, s, s.position + extra);
  if (isDefined(TIMELINE)) happened(T_STAGE, side, U_RECEIVE, t, j.pfn, f.done, j.kind);
  if (isDefined(TIMELINE)) onItsWay(P_RECEIVED, side, j, t, index, j.nonce);
  enter(side, A_RECEIVE, BUSY, t);
  wake(side, U_RECEIVE, f.done);
}

/** Copies payload and tag of a record from the stream into SRAM. */
function unload(side: u32, index: u32, j: Job, s: Stream, from: u64): void {
  const at = from + RECORD_HEADER_BYTES;
  if (j.bytes != 0) ringRead(s, at, slotAt(side, j.slotIn), j.bytes);
  if (tagBytes() != 0) ringRead(s, at + j.bytes, tagAt(side, index), RECORD_TAG_BYTES);
}
