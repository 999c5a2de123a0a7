// SPDX-License-Identifier: Apache-2.0
// VSOCK: control messages (and pages, where they travel as messages) through virtio rings in host memory.
//
// Models: the card's device side of two virtqueues, one message at a time each way. Every step crosses PCIe.
//   To the card: doorbell (MWr 4 B down) -> read the ring entry (8 B) -> read the descriptor (16 B) -> read
//   header and payload (44 + n bytes, cut at MRRS and 4 KiB) -> write the used element (8 B) and index (4 B)
//   -> the message is at the control processor. To the host: read the ring entry (8 B) -> read the descriptor
//   (16 B) -> write header and payload (cut at MPS and 4 KiB) -> write used element (8 B) and index (4 B) ->
//   MSI-X (4 B); the front-end sees it when that has landed.
// How long: the round trips of those reads and the wire time of all; one request a card clock.
// Moderation (`internal.interrupts`): a message whose index is written waits for its MSI-X until `after` of
//   them wait or `every` has passed since the last MSI-X was put, at the first clock edge then with a place
//   in the port. A message is late by `every`, a clock and that place at most; M messages in a time T have
//   T / every + M / after + 1 interrupts at most. Writes keep their order, so an interrupt comes behind all
//   that it tells of. The unit is starved while one is held.
// Leaves out: event-index suppression (a doorbell a message), indirect descriptors, the socket's credit
//   messages; moderation that adapts itself.
// Numbers: VIRTIO 1.2 sections 2.7 (split virtqueues) and 5.10 (socket device, 44-byte header).
import {
  A_VSOCK,
  BLOCKED,
  BUSY,
  C_INTERRUPTS_SAVED,
  C_VSOCK_BYTES,
  C_VSOCK_TO_CARD,
  C_VSOCK_TO_HOST,
  C_ZERO_PAGES,
  G_INTERRUPT_AFTER,
  G_INTERRUPT_EVERY,
  H_MESSAGE,
  LAND_MSIX,
  LAND_USED,
  MESSAGE_SLOTS,
  M_ADDRESSES,
  M_DEVICE,
  M_PAGES,
  PAGE_BYTES,
  P_CODED,
  P_FOUND,
  P_OUT,
  P_READ,
  P_SEALED,
  P_SORTED,
  Q_ADDRESS,
  Q_DOORBELL,
  Q_EVENT,
  Q_RECORD,
  Q_TO_HOST,
  Q_VSOCK_ANSWER,
  Q_ZERO,
  RECORD_TAG_BYTES,
  R_VSOCK,
  STARVED,
  S_PCIE_MPS,
  S_PCIE_MRRS,
  S_PCIE_RCB,
  S_HOST_STAGES,
  S_SRAM_SLOTS,
  U_COMPRESS,
  U_VSOCK,
  VSOCK_HEADER_BYTES,
  W_ACK,
  W_PCIE,
  W_SRAM,
  W_TAGS,
} from "../abi";
import { VSOCK_AT } from "../kernel/address";
import { EVENT_MESSAGE, head, hold, pop, pushHeld, queue, ready, lacks } from "../kernel/fifo";
import {
  CARRIED,
  CODED,
  JOB_DEVICE,
  JOB_PAGE,
  JOB_ZERO,
  Job,
  NO_SLOT,
  freeSlot,
  job,
  onItsWay,
  slotAt,
  slotsShort,
  takeJob,
  takeSlot,
} from "../kernel/jobs";
import {
  Message,
  ON_CARD,
  TO_CARD,
  TO_HOST,
  bitsOf,
  bodyOf,
  copyMessage,
  freeMessage,
  message,
  takeMessage,
  PAGE_ENTRY,
} from "../kernel/message";
import { keeps, deviceState } from "../kernel/pages";
import { g, g32, p32 } from "../kernel/params";
import { UP_POSTED, UP_READ, issueRead, portFull, put } from "../kernel/port";
import { tagAt } from "../kernel/record";
import { hostSeals, sealedByHost } from "../kernel/ring";
import { tagIn } from "../kernel/sealing";
import { wake } from "../kernel/schedule";
import { count, enter, sample } from "../kernel/stats";
import { bufferFits, finishRead, tagsFree } from "../kernel/tags";
import { edgeAfter } from "../kernel/time";

const IDLE: u32 = 0;
const ENTRY: u32 = 1;
const DESCRIPTOR: u32 = 2;
const ROOM: u32 = 3;
const PAYLOAD: u32 = 4;
const USED: u32 = 5;
const INDEX: u32 = 6;
const INTERRUPT: u32 = 7;
const DELIVER: u32 = 8;

const ENTRY_BYTES: u32 = 8;
const DESCRIPTOR_BYTES: u32 = 16;
const USED_BYTES: u32 = 8;
const INDEX_BYTES: u32 = 4;
const INTERRUPT_BYTES: u32 = 4;

//  virtqueue, 40 bytes
@unmanaged
class Virtqueue {
  began: u64;
  state: u32;
  slot: u32; // message slot in host memory
  copy: u32; // the card's copy
  total: u32; // bytes of header and payload
  sent: u32; // of them requested or written
  open: u32; // reads not answered
  waiting: u32; // 1: this step's read is out
  pad: u32;
}

//  messages written whose interrupt is held, 32 bytes
@unmanaged
class Held {
  due: u64; // when the next interrupt may go
  first: u32; // slot of the oldest message
  last: u32;
  count: u32;
  pad: u32;
}

const HELD = memory.data(64, 16);
let every: u64 = 0;
let after: u32 = 1;

// @ts-ignore: decorator
@inline
function held(side: u32): Held {
  return changetype<Held>(HELD + (side << 5));
}

const VIRTQUEUES = memory.data(192, 16);

// @ts-ignore: decorator
@inline
function virtqueue(side: u32, direction: u32): Virtqueue {
  return changetype<Virtqueue>(VIRTQUEUES + (side * 2 + direction) * 48);
}

export function buildVsock(side: u32): void {
  memory.fill(changetype<usize>(virtqueue(side, 0)), 0, 96);
  memory.fill(changetype<usize>(held(side)), 0, 32);
  every = g(G_INTERRUPT_EVERY);
  after = g32(G_INTERRUPT_AFTER);
}

/** Steps both virtqueues at a card clock edge; each may put one transaction. */
export function stepVsock(side: u32, t: u64): void {
  while (ready(queue(side, Q_VSOCK_ANSWER), t)) {
    const q = virtqueue(side, finishRead(side, R_VSOCK, pop(queue(side, Q_VSOCK_ANSWER))));
    q.open--;
  }
  const a = stepToCard(side, virtqueue(side, 0), t);
  const b = stepToHost(side, virtqueue(side, 1), t);
  if (a == BUSY || b == BUSY) {
    enter(side, A_VSOCK, BUSY, t);
    wake(side, U_VSOCK, edgeAfter(side * 2, t, 1));
  } else {
    enter(side, A_VSOCK, a != STARVED ? a : b, t);
    if (every != 0 && held(side).count != 0 && held(side).due > t) wake(side, U_VSOCK, held(side).due);
  }
}

// --- to the card ---

function stepToCard(side: u32, q: Virtqueue, t: u64): u32 {
  if (q.state == IDLE) {
    if (!ready(queue(side, Q_DOORBELL), t)) return STARVED;
    q.slot = pop(queue(side, Q_DOORBELL));
    q.state = ENTRY;
    q.began = message(side, TO_CARD, q.slot).sent;
    q.total = VSOCK_HEADER_BYTES + message(side, TO_CARD, q.slot).bytes;
    q.sent = 0;
    q.waiting = 0;
  }
  if (q.state == ENTRY || q.state == DESCRIPTOR) return fetch(side, 0, q, t);
  if (q.state == ROOM) return findRoom(side, q, t);
  if (q.state == PAYLOAD) {
    if (q.sent < q.total) return read(side, 0, q, q.total - q.sent, t);
    if (q.open != 0) return W_ACK;
    q.state = USED;
  }
  if (q.state == USED) return write(side, q, USED_BYTES, 0, 0, INDEX, t);
  if (q.state == INDEX) return write(side, q, INDEX_BYTES, LAND_USED, q.slot, DELIVER, t);
  deliver(side, q, t);
  q.state = IDLE;
  return BUSY;
}

/** Reads a ring entry, then a descriptor: one round trip each. */
function fetch(side: u32, direction: u32, q: Virtqueue, t: u64): u32 {
  if (q.waiting == 0) {
    const state = read(side, direction, q, q.state == ENTRY ? ENTRY_BYTES : DESCRIPTOR_BYTES, t);
    if (state == BUSY) q.waiting = 1;
    return state;
  }
  if (q.open != 0) return W_ACK;
  q.waiting = 0;
  q.sent = 0;
  q.state = q.state == ENTRY ? DESCRIPTOR : direction == 0 ? ROOM : PAYLOAD;
  return BUSY;
}

/**
 * Waits until the card has room for the message: a copy, and for data SRAM, jobs and a place in the pipeline.
 */
function findRoom(side: u32, q: Virtqueue, t: u64): u32 {
  const m = message(side, TO_CARD, q.slot);
  const pages = chunksOf(m);
  const to = queue(side, m.kind == M_ADDRESSES ? Q_ADDRESS : pages != 0 ? behindMessage(side) : Q_EVENT);
  const need: u32 = pages == 0 ? 1 : pages;
  if (lacks(to, need)) return BLOCKED;
  if (pages != 0 && slotsShort(side, p32(side, S_SRAM_SLOTS) / 4 + pages)) return W_SRAM;
  q.copy = takeMessage(side, ON_CARD, m.kind);
  if (q.copy == MESSAGE_SLOTS) return BLOCKED;
  hold(to, need);
  copyMessage(side, TO_CARD, q.slot, ON_CARD, q.copy);
  if (pages != 0) takeData(side, q, m, pages, t);
  q.state = PAYLOAD;
  return BUSY;
}

/** Page-sized jobs in a message. */
function chunksOf(m: Message): u32 {
  if (m.kind == M_PAGES) return m.a;
  return m.kind == M_DEVICE ? (m.bytes + PAGE_BYTES - 1) / PAGE_BYTES : 0;
}

/** Makes the jobs of a message with data and fills their SRAM; they are chained through `wait`. */
function takeData(side: u32, q: Virtqueue, m: Message, pages: u32, t: u64): void {
  const copy = message(side, ON_CARD, q.copy);
  let last: u32 = 0;
  for (let i: u32 = 0; i < pages; i++) {
    const index = takeJob(side, m.kind == M_DEVICE ? JOB_DEVICE : JOB_PAGE);
    const j = job(side, index);
    j.slotIn = takeSlot(side);
    j.bytes = PAGE_BYTES;
    j.started = t;
    if (m.kind == M_DEVICE) {
      j.pfn = m.a + i * PAGE_BYTES;
      if (m.bytes - i * PAGE_BYTES < PAGE_BYTES) j.bytes = m.bytes - i * PAGE_BYTES;
      j.flags = CARRIED;
      memory.copy(slotAt(side, j.slotIn), deviceState() + j.pfn, j.bytes);
    } else {
      const at = bitsOf(m) + i * PAGE_ENTRY;
      j.pfn = load<u32>(at);
      j.version = load<u32>(at, 4);
      j.word = load<u32>(at, 8);
      j.round = m.b;
      if (isDefined(TIMELINE)) onItsWay(P_FOUND, side, j, t, index, 1);
      if (keeps(j.pfn)) {
        j.flags = CARRIED;
        memory.copy(slotAt(side, j.slotIn), bodyOf(q.slot) + i * PAGE_BYTES, PAGE_BYTES);
      }
      if (p32(side, S_HOST_STAGES) != 0) takeStaged(side, j, load<u32>(at, 12));
      if (hostSeals) takeSealed(index, j, m.c + i, tagIn(bodyOf(q.slot), i));
    }
    if (i == 0) copy.d = ((<u64>pages) << 32) | index;
    else job(side, last).wait = index;
    last = index;
  }
}

/** A page that the host has looked at, and may have coded: a zero page brings no bytes. */
function takeStaged(side: u32, j: Job, size: u32): void {
  if (size == PAGE_BYTES) return;
  j.bytes = size;
  if (size == 0) {
    j.kind = JOB_ZERO;
    freeSlot(side, j.slotIn);
    count(side, C_ZERO_PAGES, 1);
  } else {
    j.slotOut = j.slotIn;
    j.flags |= CODED;
  }
  j.slotIn = NO_SLOT;
}

/** A record that the host has sealed brings its number and its tag. */
function takeSealed(index: u32, j: Job, number: u64, tag: usize): void {
  j.nonce = number;
  if ((j.flags & CARRIED) != 0) memory.copy(tagAt(0, index), tag, RECORD_TAG_BYTES);
}

/** Where pages and device state that came in a message go: what the host has coded passes the engines by. */
function behindMessage(side: u32): u32 {
  return p32(side, S_HOST_STAGES) != 0 ? Q_RECORD : Q_ZERO;
}

/** The steps that the host has taken with a page are told of when the card has it. */
function staged(side: u32, j: Job, t: u64, next: u64): void {
  if (p32(side, S_HOST_STAGES) == 0) return;
  onItsWay(P_SORTED, side, j, t, j.kind == JOB_ZERO ? 1 : 0, 0);
  if (j.kind != JOB_ZERO) {
    onItsWay(P_CODED, side, j, t, j.bytes, 0);
    onItsWay(P_OUT, side, j, next, U_COMPRESS, 0);
  }
  if (sealedByHost(j)) onItsWay(P_SEALED, side, j, t, j.nonce, 0);
}

/** The message is on the card: an address batch, pages for the pipeline, or an event for the firmware. */
function deliver(side: u32, q: Virtqueue, t: u64): void {
  const m = message(side, ON_CARD, q.copy);
  const next = edgeAfter(side * 2, t, 1);
  count(side, C_VSOCK_TO_CARD, 1);
  count(side, C_VSOCK_BYTES, m.bytes);
  sample(side, H_MESSAGE, t - q.began);
  if (m.kind == M_ADDRESSES) {
    pushHeld(queue(side, Q_ADDRESS), q.copy, next);
    return;
  }
  const pages = <u32>(m.d >> 32);
  if (m.kind != M_PAGES && m.kind != M_DEVICE) {
    pushHeld(queue(side, Q_EVENT), EVENT_MESSAGE | q.copy, next);
    return;
  }
  let index = <u32>m.d;
  for (let i: u32 = 0; i < pages; i++) {
    const then = job(side, index).wait;
    job(side, index).wait = 0;
    if (isDefined(TIMELINE)) onItsWay(P_READ, side, job(side, index), t, job(side, index).version, 0);
    if (isDefined(TIMELINE)) staged(side, job(side, index), t, next);
    pushHeld(queue(side, behindMessage(side)), index, next);
    index = then;
  }
  freeMessage(side, ON_CARD, q.copy);
}

// --- to the host ---

function stepToHost(side: u32, q: Virtqueue, t: u64): u32 {
  if (every != 0 && interruptDue(side, t)) return interrupt(side, t);
  if (q.state == IDLE) {
    if (!ready(queue(side, Q_TO_HOST), t)) return STARVED;
    q.slot = head(queue(side, Q_TO_HOST));
    q.state = ENTRY;
    q.began = t;
    q.total = VSOCK_HEADER_BYTES + message(side, TO_HOST, q.slot).bytes;
    q.waiting = 0;
  }
  if (q.state == ENTRY || q.state == DESCRIPTOR) return fetch(side, 1, q, t);
  if (q.state == PAYLOAD) {
    if (q.sent == q.total) q.state = USED;
    else {
      const left = q.total - q.sent;
      const mps = p32(side, S_PCIE_MPS);
      const n = left < mps ? left : mps;
      const state = write(side, q, n, 0, 0, PAYLOAD, t);
      if (state == BUSY) q.sent += n;
      return state;
    }
  }
  if (q.state == USED) return write(side, q, USED_BYTES, 0, 0, INDEX, t);
  if (q.state == INDEX) {
    const written = write(side, q, INDEX_BYTES, 0, 0, every == 0 ? INTERRUPT : IDLE, t);
    if (every != 0 && written == BUSY) holdInterrupt(side, q);
    return written;
  }
  const state = write(side, q, INTERRUPT_BYTES, LAND_MSIX, q.slot, IDLE, t);
  if (state == BUSY) {
    pop(queue(side, Q_TO_HOST));
    count(side, C_VSOCK_TO_HOST, 1);
    count(side, C_VSOCK_BYTES, message(side, TO_HOST, q.slot).bytes);
    sample(side, H_MESSAGE, t - q.began);
  }
  return state;
}

/** The message is in host memory; its interrupt is held. */
function holdInterrupt(side: u32, q: Virtqueue): void {
  const h = held(side);
  pop(queue(side, Q_TO_HOST));
  message(side, TO_HOST, q.slot).began = q.began;
  if (h.count == 0) h.first = q.slot;
  else message(side, TO_HOST, h.last).then = q.slot + 1;
  h.last = q.slot;
  h.count++;
}

function interruptDue(side: u32, t: u64): bool {
  const h = held(side);
  return h.count != 0 && (h.count >= after || t >= h.due);
}

/** Puts one interrupt for all messages that wait for it. */
function interrupt(side: u32, t: u64): u32 {
  const h = held(side);
  if (portFull(side, UP_POSTED + R_VSOCK)) return W_PCIE;
  const next = edgeAfter(side * 2, t, 1);
  put(side, UP_POSTED + R_VSOCK, VSOCK_AT, INTERRUPT_BYTES, h.first, LAND_MSIX, next);
  for (let slot = h.first + 1; slot != 0; slot = <u32>message(side, TO_HOST, slot - 1).then) {
    const m = message(side, TO_HOST, slot - 1);
    count(side, C_VSOCK_TO_HOST, 1);
    count(side, C_VSOCK_BYTES, m.bytes);
    sample(side, H_MESSAGE, t - m.began);
  }
  count(side, C_INTERRUPTS_SAVED, h.count - 1);
  h.count = 0;
  h.due = t + every;
  return BUSY;
}

// --- transactions ---

/** Puts one read of at most MRRS; BUSY when it was put, else what it waits for. */
function read(side: u32, direction: u32, q: Virtqueue, bytes: u32, t: u64): u32 {
  const mrrs = p32(side, S_PCIE_MRRS);
  const rcb = p32(side, S_PCIE_RCB);
  let n = bytes < mrrs ? bytes : mrrs;
  const address = q.state == PAYLOAD ? q.sent & 4095 : 0;
  if (address + n > 4096) n = 4096 - address;
  if (tagsFree(side, R_VSOCK) == 0) return W_TAGS;
  const headers = ((address & (rcb - 1)) + n + rcb - 1) / rcb;
  if (!bufferFits(side, R_VSOCK, n, headers)) return W_TAGS;
  if (portFull(side, UP_READ + R_VSOCK)) return W_PCIE;
  issueRead(side, R_VSOCK, VSOCK_AT + address, n, headers, direction, edgeAfter(side * 2, t, 1));
  q.sent += n;
  q.open++;
  return BUSY;
}

/** Puts one write and goes to the next state; BUSY when it was put, else what it waits for. */
function write(side: u32, q: Virtqueue, n: u32, flags: u32, cookie: u32, then: u32, t: u64): u32 {
  if (portFull(side, UP_POSTED + R_VSOCK)) return W_PCIE;
  const address = q.state == PAYLOAD ? q.sent & 4095 : 0;
  put(side, UP_POSTED + R_VSOCK, VSOCK_AT + address, n, cookie, flags, edgeAfter(side * 2, t, 1));
  q.state = then;
  return BUSY;
}
