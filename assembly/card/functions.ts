// SPDX-License-Identifier: Apache-2.0
// Virtual functions of the source's card that belong to the guest: they write its memory over the card's
// PCIe link, and no page table of the CPU sees it.
//
// Models: devices that each write `bytes` of a page of their buffers at a time, `gap` apart at least,
//   with so many writes under way at most. A write's data is there `fetch` after it has begun (from a
//   network or a disk); then it goes to the link, and the page has a new version when the last of it has
//   landed. What tells of a write (kernel/device-ring) is put right behind its data, or a record when it
//   begins.
// In and out: data through the posted port of other I/O, a page at a time; what tells of it through that
//   of descriptors and rings, so that it never passes the data; both land through Q_DEVICE_LANDED. Slots
//   that have been examined come as a doorbell through Q_RELEASED.
// How long: a write begins at max(begun + gap of the one before, one of its device is over, with a full
//   ring that makes it wait a slot is free), and is on the port a byte of the wire after its data is
//   there, or when there is room.
// Limit: a device writes at most `outstanding` / (fetch + link + memory) times a second, and 1 / gap.
// Leaves out: descriptors, doorbells and interrupts of the devices, their reads, writes of more than a
//   page, contents (a page has the bytes that it had, and a new version).
import {
  A_FUNCTION,
  BUSY,
  C_DEVICE_RECORD_BYTES,
  C_DEVICE_WRITES,
  G_RECORD_BYTES,
  LAND_DEVICE,
  L_QUIESCED,
  Q_DEVICE_LANDED,
  Q_RELEASED,
  R_DESC,
  R_TENANT,
  STARVED,
  S_PCIE_REQUEST_BYTES,
  S_PCIE_TICKS_PER_BYTE,
  T_DEVICE,
  U_FRONTEND,
  U_FUNCTION,
  V_FREED,
  V_LANDED,
  V_PUT,
  V_RECORDED,
  V_SEEN,
  V_TAKEN,
  W_PCIE,
  W_SLOTS,
} from "../abi";
import { RECORDS_AT, addressOf } from "../kernel/address";
import {
  begin,
  hearReleased,
  landData,
  landRecord,
  landTold,
  produce,
  recordsFirst,
  slotsTaken,
  tellsBehind,
} from "../kernel/device-ring";
import {
  BY_RECORD,
  Device,
  device,
  devices,
  endStall,
  firstWaiting,
  partLanded,
  quiesced,
  takeWrite,
  write,
  writesOut,
} from "../kernel/device-writes";
import { pop, queue, ready } from "../kernel/fifo";
import { note } from "../kernel/log";
import { newVersion } from "../kernel/pages";
import { g32, p, p32 } from "../kernel/params";
import { UP_POSTED, portFull, put } from "../kernel/port";
import { wake } from "../kernel/schedule";
import { count, enter } from "../kernel/stats";
import { NEVER } from "../kernel/time";
import { happened } from "../kernel/timeline";

// what has landed: a number of a write, and
const DATA: u32 = 0;
const RECORD: u32 = 0x10000;
const TOLD: u32 = 0x20000;

/** Lets the devices begin. */
export function startFunctions(): void {
  if (devices != 0) wake(0, U_FUNCTION, 0);
}

/** Steps the devices at t. */
export function stepFunctions(side: u32, t: u64): void {
  if (side != 0 || devices == 0) return;
  while (ready(queue(0, Q_RELEASED), t)) {
    const index = pop(queue(0, Q_RELEASED));
    hearReleased(index);
    happened(T_DEVICE, 0, V_FREED, t, 0, index, 0);
  }
  let state = writesOut != 0 ? BUSY : STARVED;
  for (let i: u32 = 0; i < devices; i++) {
    const why = advance(i, t);
    if (why > state) state = why;
  }
  if (state < W_PCIE) state = writesOut != 0 ? BUSY : STARVED;
  enter(0, A_FUNCTION, state, t);
}

/** Does what a device can do at t; what it waits for, STARVED when that is time or its own writes. */
function advance(index: u32, t: u64): u32 {
  const d = device(index);
  const data = putData(index, d, t);
  const why = takeNext(index, d, t);
  return data > why ? data : why;
}

/** Puts the writes whose data is there. */
function putData(index: u32, d: Device, t: u64): u32 {
  while (d.head != d.tail) {
    const at = firstWaiting(index);
    const w = write(at);
    if (w.dataAt > t) {
      wake(0, U_FUNCTION, w.dataAt);
      return STARVED;
    }
    const tells = tellsBehind(w);
    if (portFull(0, UP_POSTED + R_TENANT) || (tells && portFull(0, UP_POSTED + R_DESC))) return W_PCIE;
    d.head++;
    w.put = 1;
    put(0, UP_POSTED + R_TENANT, addressOf(w.pfn), d.bytes, at | DATA, LAND_DEVICE, from(t));
    happened(T_DEVICE, 0, V_PUT, t, w.pfn, w.number, index);
    if (tells) tell(at, w.how == BY_RECORD && w.recorded == 0, t);
  }
  return STARVED;
}

/** Begins writes that are due. */
function takeNext(index: u32, d: Device, t: u64): u32 {
  while (d.out < d.most && !quiesced) {
    if (d.next > t) {
      wake(0, U_FUNCTION, d.next);
      return STARVED;
    }
    if (slotsTaken()) {
      if (d.stalled == NEVER) d.stalled = t;
      return W_SLOTS;
    }
    if (recordsFirst() && portFull(0, UP_POSTED + R_DESC)) return W_PCIE;
    endStall(d, t);
    const at = takeWrite(index, t);
    const w = write(at);
    happened(T_DEVICE, 0, V_TAKEN, t, w.pfn, w.number, index);
    begin(w);
    if (recordsFirst() && w.how == BY_RECORD) tell(at, true, t);
    if (w.dataAt <= t) {
      const why = putData(index, d, t);
      if (why == W_PCIE) return why;
    } else wake(0, U_FUNCTION, w.dataAt);
  }
  return STARVED;
}

/** Puts a write's record, or what tells of it otherwise. */
function tell(at: u32, record: bool, t: u64): void {
  const w = write(at);
  const bytes = g32(G_RECORD_BYTES);
  if (record) {
    produce(w);
    happened(T_DEVICE, 0, V_RECORDED, t, w.pfn, w.index, w.device);
  }
  w.left++;
  const address = RECORDS_AT + <u64>((w.index * bytes) & 0xfffff);
  put(0, UP_POSTED + R_DESC, address, bytes, at | (record ? RECORD : TOLD), LAND_DEVICE, from(t));
  count(0, C_DEVICE_RECORD_BYTES, p32(0, S_PCIE_REQUEST_BYTES) + ((bytes + 3) & ~3));
}

/** Nothing passes through two units in no time. */
// @ts-ignore: decorator
@inline
function from(t: u64): u64 {
  return t + p(0, S_PCIE_TICKS_PER_BYTE);
}

/** Takes what has landed in host memory. */
export function landFunctions(t: u64): void {
  while (ready(queue(0, Q_DEVICE_LANDED), t)) {
    const what = pop(queue(0, Q_DEVICE_LANDED));
    const at = what & 0xffff;
    const w = write(at);
    if (what < RECORD) {
      newVersion(w.pfn);
      device(w.device).landed++;
      count(0, C_DEVICE_WRITES, 1);
      landData(w, t);
      happened(T_DEVICE, 0, V_LANDED, t, w.pfn, w.number, w.device);
    } else {
      if (what < TOLD) landRecord(w, t);
      else landTold(w);
      happened(T_DEVICE, 0, V_SEEN, t, w.pfn, w.number, w.device + (what >> 16) * 256);
    }
    if (!partLanded(at)) continue;
    wake(0, U_FUNCTION, t);
    if (!quiesced || writesOut != 0) continue;
    note(L_QUIESCED, t);
    wake(0, U_FRONTEND, t);
  }
}
