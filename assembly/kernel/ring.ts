// SPDX-License-Identifier: Apache-2.0
// Records on their way between a card and the cores of its host (`placement`: encrypt, decrypt and decompress
// at `host` or `host-engine`): which records those are, and the buffers of the destination's host.
//
// Models: `buffers` of a page each in memory of the destination's host. The card writes the payload of a
//   record into one that is free and behind it a descriptor: header, number, tag if it is sealed. Cores of
//   the host (host/placing) give the buffer back by a write of 4 bytes to the card, which says too whether
//   the page is placed or its tag did not fit. With none free the card's write engine waits, and what is
//   behind it. So it does at a record of a page of which another lies in a buffer, whoever is to place it: a
//   round that a forced stop cuts short announces pages again, and a zero page, or a shorter record, would be
//   placed before what came earlier. It compares the page with those of all buffers at once (assumed).
// Conserved: a buffer is free, or holds one record, until the card has that write; all are home at the end.
// Leaves out: how the driver maps the buffers, registers, credits of several records in one write.
import {
  C_RING_BYTES,
  C_RING_HIGH,
  G_HOST_RING,
  I_CONSERVED,
  JOBS_MAX,
  PAGE_BYTES,
  Q_RELEASED,
  REASON_TAG,
  RECORD_HEADER_BYTES,
  RECORD_TAG_BYTES,
  STAGE_CRYPT,
  STAGE_DECOMPRESS,
  S_HOST_STAGES,
  T_STAGE,
  U_FRONTEND,
  WK_LANDED,
} from "../abi";
import { pop, queue, ready } from "./fifo";
import { CARRIED, CODED, JOB_PAGE, JOB_ZERO, Job } from "./jobs";
import { reserve } from "./memory";
import { g32, p32 } from "./params";
import { placedAdd } from "./progress";
import { now, wake } from "./schedule";
import { broken, count, counted } from "./stats";
import { happened } from "./timeline";
import { report } from "./trouble";

/** STAGE_ bits of what the destination's host does; 0: its card places all. */
export let hostStages: u32 = 0;
/** True when the source's host seals pages before its card has them. */
export let hostSeals: bool = false;

/** Of a write that gives a buffer back: the tag of its record did not fit. */
export const REFUSED: u32 = 0x8000;

/** Buffers at most. */
const RING_MAX: u32 = 256;
/** What a buffer that the card may fill is. */
const FREE: u32 = 0;
const FILLING: u32 = 1;
const LANDED: u32 = 2;

//  a buffer's record, 64 bytes
@unmanaged
export class Held {
  nonce: u64;
  started: u64; // when the record arrived at the card
  done: u64; // when the engine that has it will be done
  pfn: u32;
  version: u32;
  kind: u32;
  bytes: u32; // payload
  flags: u32;
  state: u32;
  step: u32; // of host/placing
}

if (offsetof<Held>() > 64 || RING_MAX > JOBS_MAX) ERROR("a buffer's record");

let buffers: u32 = 0;
let records: usize = 0;
let payloads: usize = 0;
let tags: usize = 0;
// buffers that the card may fill, and those that have landed: a queue each
const FREED = memory.data(1024, 16);
const ARRIVED = memory.data(1024, 16);
let freeFirst: u32 = 0;
let freeCount: u32 = 0;
let arrivedFirst: u32 = 0;
let arrivedCount: u32 = 0;

/** Lays out the buffers; false when memory does not hold them. */
export function buildRing(carried: bool): bool {
  hostSeals = (p32(0, S_HOST_STAGES) & STAGE_CRYPT) != 0;
  hostStages = p32(1, S_HOST_STAGES) & (STAGE_CRYPT | STAGE_DECOMPRESS);
  freeFirst = 0;
  arrivedFirst = 0;
  arrivedCount = 0;
  buffers = hostStages == 0 ? 0 : min<u32>(g32(G_HOST_RING), RING_MAX);
  freeCount = buffers;
  if (buffers == 0) return true;
  records = reserve((<u64>buffers) << 6);
  tags = reserve(<u64>buffers * RECORD_TAG_BYTES);
  payloads = reserve(carried ? <u64>buffers * PAGE_BYTES : 64);
  for (let i: u32 = 0; i < buffers; i++) store<u32>(FREED + (i << 2), i);
  return records != 0 && tags != 0 && payloads != 0;
}

/** Whether the source's host has sealed this job before its card had it. */
// @ts-ignore: decorator
@inline
export function sealedByHost(j: Job): bool {
  return hostSeals && (j.kind == JOB_PAGE || j.kind == JOB_ZERO);
}

/** Whether the destination's host opens this record. */
// @ts-ignore: decorator
@inline
export function hostOpens(j: Job): bool {
  return (hostStages & STAGE_CRYPT) != 0 && (j.kind == JOB_PAGE || j.kind == JOB_ZERO);
}

/** Whether the destination's host decodes this record, which may be open. */
// @ts-ignore: decorator
@inline
export function hostDecodes(j: Job): bool {
  return (hostStages & STAGE_DECOMPRESS) != 0 && j.kind == JOB_PAGE && (j.flags & CODED) != 0;
}

/** Whether the destination's card writes this record to a buffer of its host. */
// @ts-ignore: decorator
@inline
export function forHost(j: Job): bool {
  return hostStages != 0 && (hostOpens(j) || hostDecodes(j));
}

/** Record of a buffer. */
// @ts-ignore: decorator
@inline
export function held(buffer: u32): Held {
  return changetype<Held>(records + ((<usize>buffer) << 6));
}

export function payloadOf(buffer: u32): usize {
  return payloads + <usize>buffer * PAGE_BYTES;
}

export function tagOf(buffer: u32): usize {
  return tags + <usize>buffer * RECORD_TAG_BYTES;
}

/** Bytes of a buffer's descriptor: header, number, tag if the record is sealed. */
// @ts-ignore: decorator
@inline
export function descriptorBytes(j: Job): u32 {
  return RECORD_HEADER_BYTES + 8 + (hostOpens(j) ? RECORD_TAG_BYTES : 0);
}

// @ts-ignore: decorator
@inline
export function noBuffer(): bool {
  return freeCount == 0;
}

/** Whether a buffer has another record of this page: what the card takes next has to wait for it. */
export function liesInBuffer(j: Job): bool {
  if (j.kind != JOB_PAGE && j.kind != JOB_ZERO) return false;
  for (let i: u32 = 0; i < buffers; i++) if (held(i).state != FREE && held(i).pfn == j.pfn) return true;
  return false;
}

/** The card takes a free buffer. */
export function takeBuffer(): u32 {
  const buffer = load<u32>(FREED + (freeFirst << 2));
  freeFirst = freeFirst + 1 == buffers ? 0 : freeFirst + 1;
  freeCount--;
  const used: u64 = buffers - freeCount;
  if (used > counted(1, C_RING_HIGH)) count(1, C_RING_HIGH, used - counted(1, C_RING_HIGH));
  return buffer;
}

/** The card has handed to the link what a buffer is to hold; bytes lie at `from`, the tag at `tag`. */
export function fillBuffer(buffer: u32, j: Job, from: usize, tag: usize): void {
  const h = held(buffer);
  if (h.state != FREE) broken(I_CONSERVED, buffer, h.state, now);
  h.nonce = j.nonce;
  h.started = j.started;
  h.pfn = j.pfn;
  h.version = j.version;
  h.kind = j.kind;
  h.bytes = j.bytes;
  h.flags = j.flags;
  h.state = FILLING;
  h.step = 0;
  count(1, C_RING_BYTES, j.bytes + descriptorBytes(j));
  if ((j.flags & CARRIED) == 0) return;
  if (j.bytes != 0) memory.copy(payloadOf(buffer), from, j.bytes);
  if (hostOpens(j)) memory.copy(tagOf(buffer), tag, RECORD_TAG_BYTES);
}

/** A descriptor has landed: the cores of the host see it at t. */
export function bufferLanded(buffer: u32, t: u64): void {
  if (held(buffer).state != FILLING) broken(I_CONSERVED, buffer, held(buffer).state, t);
  const h = held(buffer);
  h.state = LANDED;
  if (isDefined(TIMELINE)) {
    const record = h.bytes | (h.kind << 16) | (h.flags << 24);
    happened(T_STAGE, 1, U_FRONTEND, t, h.pfn, record, WK_LANDED);
  }
  let at = arrivedFirst + arrivedCount;
  if (at >= buffers) at -= buffers;
  store<u32>(ARRIVED + (at << 2), buffer);
  arrivedCount++;
  wake(1, U_FRONTEND, t);
}

// @ts-ignore: decorator
@inline
export function nothingLanded(): bool {
  return arrivedCount == 0;
}

/** The buffer that has landed first of those that nobody works at. */
export function takeLanded(): u32 {
  const buffer = load<u32>(ARRIVED + (arrivedFirst << 2));
  arrivedFirst = arrivedFirst + 1 == buffers ? 0 : arrivedFirst + 1;
  arrivedCount--;
  return buffer;
}

/** The card hears at t of buffers that are free again, and of what became of their records. */
export function buffersBack(t: u64): void {
  while (ready(queue(1, Q_RELEASED), t)) {
    const said = pop(queue(1, Q_RELEASED));
    const buffer = said & ~REFUSED;
    const h = held(buffer);
    if (h.state != LANDED) broken(I_CONSERVED, buffer, h.state, t);
    h.state = FREE;
    let at = freeFirst + freeCount;
    if (at >= buffers) at -= buffers;
    store<u32>(FREED + (at << 2), buffer);
    freeCount++;
    if ((said & REFUSED) != 0) report(1, REASON_TAG, t);
    else placedAdd(1, h.kind, h.bytes, t);
  }
}

/** Buffers that are not home. */
export function buffersOut(): u32 {
  return buffers - freeCount;
}
