// SPDX-License-Identifier: Apache-2.0
// A storage adapter passed through to the guest, as far as guest and adapter share it: the queues in guest
// memory, the guest's requests, and what of guest memory they change.
//
// Models: a request queue and a response queue of the same length; a guest with up to `depth` requests under
//   way, one in each slot with a buffer of its own; a request n is asked for at max(next, a slot is free),
//   and
//   next rises by a gap drawn evenly from 0 to 2 x `every`. A request reads or writes, by a draw.
// What changes memory: a request writes its entry (64 bytes, of a page of the request queue), and when it
//   writes to storage the guest has filled its buffer; a response writes its entry (16 bytes), and when it
//   has
//   read from storage its data fills the buffer. All of it is a new version of the page at the time at which
//   the guest asks, or has its answer, and a mark, which the intermediary sets then: trackers of the CPU do
//   not
//   see a device. Data that is written before its response is not looked at: nobody may.
//   At the destination the same is written, and costs the same, but nothing is kept of it: what a guest
//   writes
//   after its resumption is not modelled.
// Leaves out: faults of the guest on pages of queues and buffers, its handling of answers, the bytes of
//   entries (versions alone), several queues, several functions.
// Numbers: entries as in NVMe (64 and 16 bytes, NVM Express Base Specification 2.0, 3.3.3), assumed here.
import {
  C_STORAGE_BYTES,
  C_STORAGE_REQUESTS,
  C_STORAGE_WAITED,
  G_SEED,
  H_STORAGE,
  I_STORAGE_ONCE,
  IO_ASKED,
  IO_DONE,
  PAGE_BYTES,
  P_WRITTEN,
  STORAGE_BLOCKS,
  STORAGE_DEPTH_MAX,
  STORAGE_QUEUE_MAX,
  STORAGE_REQUEST_BYTES,
  STORAGE_RESPONSE_BYTES,
  STORAGE_SLOT_BYTES,
  STORAGE_STEPS,
  ST_BYTES,
  ST_DEPTH,
  ST_EVERY,
  ST_FIRST_PAGE,
  ST_QUEUE,
  ST_READS,
  T_PAGE,
  T_STORAGE,
} from "../abi";
import { addressOf } from "./address";
import { markDirty } from "./dirty";
import { grouped, writtenInGroup } from "./group";
import { reserve } from "./memory";
import { carries, newVersion, setWord, sourcePage, sourceVersion } from "./pages";
import { g32 } from "./params";
import { mix } from "./random";
import { broken, count, evaluates, sample } from "./stats";
import { st, st32 } from "./storage-params";
import { NEVER } from "./time";
import { happened } from "./timeline";

// where a request is
export const FREE: u32 = 0;
export const QUEUED: u32 = 1; // in the request queue
export const FORWARDING: u32 = 2; // with the intermediary, until `due`
export const POSTED: u32 = 3; // in the queue of the physical function (PF)
export const FETCHING: u32 = 4;
export const PULLING: u32 = 5; // the data of a write is read, or waits to be
export const IN_SERVICE: u32 = 6; // at the back-end, until `due`
export const PUSHING: u32 = 7; // data and response are written, or wait to be
export const LANDING: u32 = 8; // the interrupt is on its way
export const RETURNING: u32 = 9; // with the intermediary, until `due`
export const CANCELLED: u32 = 10;
export const UNKNOWN: u32 = 11; // no adapter knows of it


@unmanaged
export class Slot {
  asked: u64;
  due: u64;
  n: u32; // number of the request
  state: u32;
  left: u32; // reads of its data that are out; 1 once the response has been put
  cut: u32; // bytes of its data asked for or put
  index: u32; // place in the request queue
  write: u32;
  pf: u32; // 1: by way of the PF
  filled: u32; // times that the buffer has been filled at the source
  last: u32; // request whose data it holds
  again: u32; // times that the request has been begun
  moved: u32; // 1: of those that the destination was given
  entry: u32; // place in the response queue
}

const SLOT = memory.data(16384, 16);
const RING = memory.data(4096, 16); // request queue: slots
// salts of draws
const SALT_GAP: u32 = 0x67617073;
const SALT_WRITE: u32 = 0x72647772;
const SALT_SERVICE: u32 = 0x73657276;
const SALT_BLOCK: u32 = 0x626c6f63;

if (offsetof<Slot>() != STORAGE_SLOT_BYTES || STORAGE_DEPTH_MAX * STORAGE_SLOT_BYTES != 16384) ERROR("slots");
if (STORAGE_QUEUE_MAX * 4 != 4096) ERROR("request queue");

/** Requests that may be under way, 0 without an adapter. */
export let depth: u32 = 0;
let mask: u32 = 0;
let pages: u32 = 0; // of a buffer
let firstPage: u32 = 0;
let responses: u32 = 0; // first page of the response queue
let buffers: u32 = 0;
let tables: usize = 0;

/** Requests asked for, and answered, of the guest as a whole. */
export let asked: u32 = 0;
export let answered: u32 = 0;
/** Those of them at the source. */
export let askedAtSource: u32 = 0;
export let answeredAtSource: u32 = 0;
/** The side whose adapter the guest has. */
export let home: u32 = 0;
/** Requests of the hand-over that are not answered yet. */
export let movedLeft: u32 = 0;
export let movedAnswered: u32 = 0;
let freeSlots: u32 = 0;
let running: bool = false;
let ended: bool = false;
let nextAt: u64 = 0;
let stoppedAt: u64 = 0;

// @ts-ignore: decorator
@inline
export function slot(index: u32): Slot {
  return changetype<Slot>(SLOT + <usize>index * STORAGE_SLOT_BYTES);
}

/** Lays out the adapter's part of the guest; false when there is no room. */
export function buildStorage(): bool {
  depth = st32(ST_DEPTH);
  if (depth == 0) return true;
  memory.fill(SLOT, 0, 16384);
  mask = st32(ST_QUEUE) - 1;
  pages = (st32(ST_BYTES) + PAGE_BYTES - 1) / PAGE_BYTES;
  firstPage = st32(ST_FIRST_PAGE);
  responses = firstPage + (st32(ST_QUEUE) * STORAGE_REQUEST_BYTES + PAGE_BYTES - 1) / PAGE_BYTES;
  buffers = responses + (st32(ST_QUEUE) * STORAGE_RESPONSE_BYTES + PAGE_BYTES - 1) / PAGE_BYTES;
  asked = 0;
  answered = 0;
  askedAtSource = 0;
  answeredAtSource = 0;
  home = 0;
  movedLeft = 0;
  movedAnswered = 0;
  freeSlots = depth;
  running = true;
  ended = false;
  nextAt = gap(0);
  // quantiles of the service time, u64 each; content words of the blocks; their bytes
  tables = reserve(<u64>STORAGE_STEPS * 8 + 64 + STORAGE_BLOCKS * PAGE_BYTES);
  return tables != 0;
}

/** Tables that the harness fills after build(). */
export function storageTables(): usize {
  return tables;
}

export function storageSlots(): usize {
  return SLOT;
}

// --- draws ---

// @ts-ignore: decorator
@inline
function drawn(salt: u32, n: u32): u32 {
  return mix(g32(G_SEED) ^ salt, n);
}

/** Ticks from request n - 1 to request n at least. */
function gap(n: u32): u64 {
  return (st(ST_EVERY) * (drawn(SALT_GAP, n) >> 12)) >> 19;
}

/** Ticks that the back-end takes for a request, begun for the so-manieth time. */
export function serviceTicks(s: Slot): u64 {
  return load<u64>(tables + ((<usize>(drawn(SALT_SERVICE + s.again, s.n) >> 22)) << 3));
}

// --- places ---

/** Slot of the request at a place of the request queue. */
// @ts-ignore: decorator
@inline
export function slotAt(index: u32): u32 {
  return load<u32>(RING + ((<usize>(index & mask)) << 2));
}

// @ts-ignore: decorator
@inline
export function requestAddress(index: u32): u64 {
  return addressOf(firstPage) + <u64>((index & mask) * STORAGE_REQUEST_BYTES);
}

// @ts-ignore: decorator
@inline
export function responseAddress(index: u32): u64 {
  return addressOf(responses) + <u64>((index & mask) * STORAGE_RESPONSE_BYTES);
}

// @ts-ignore: decorator
@inline
export function bufferAddress(index: u32): u64 {
  return addressOf(buffers + index * pages);
}

/** Entries of the request queue from a place to the queue's end. */
// @ts-ignore: decorator
@inline
export function toWrap(index: u32): u32 {
  return mask + 1 - (index & mask);
}

// --- memory ---

/** A page has another version from now on, and a mark. */
function touch(pfn: u32, t: u64): void {
  newVersion(pfn);
  const marked = markDirty(pfn);
  if (grouped) writtenInGroup(pfn);
  if (isDefined(TIMELINE)) happened(T_PAGE, 0, P_WRITTEN, t, pfn, sourceVersion(pfn), marked ? 1 : 0);
}

/** The buffer of a slot gets what its request brings. */
function fill(index: u32, s: Slot, t: u64): void {
  const first = drawn(SALT_BLOCK, s.n);
  for (let i: u32 = 0; i < pages; i++) {
    const pfn = buffers + index * pages + i;
    const block = (first + i) & (STORAGE_BLOCKS - 1);
    const words = tables + STORAGE_STEPS * 8;
    setWord(pfn, load<u32>(words + (block << 2)));
    if (carries(pfn)) memory.copy(sourcePage(pfn), words + 64 + <usize>block * PAGE_BYTES, PAGE_BYTES);
    touch(pfn, t);
  }
  s.filled++;
  s.last = s.n;
}

// --- the guest's driver ---

/** When the guest asks for its next request, if nothing changes; NEVER while it cannot. */
export function nextRequest(side: u32): u64 {
  return side == home && running && freeSlots != 0 ? nextAt : NEVER;
}

/** The guest asks for a request at t, and writes it into the queue; `served`: somebody takes requests. */
export function ask(side: u32, served: bool, t: u64): u32 {
  let index: u32 = 0;
  while (slot(index).state != FREE) index++;
  const s = slot(index);
  s.asked = t;
  s.n = asked;
  s.state = QUEUED;
  s.left = 0;
  s.cut = 0;
  s.index = asked;
  s.write = <u32>(<u32>((<u64>drawn(SALT_WRITE, asked) * 100) >> 32) >= st32(ST_READS));
  s.pf = 0;
  s.again = 0;
  s.moved = 0;
  store<u32>(RING + ((<usize>(asked & mask)) << 2), index);
  if (side == 0) {
    touch(firstPage + ((asked & mask) * STORAGE_REQUEST_BYTES) / PAGE_BYTES, t);
    if (s.write != 0) fill(index, s, t);
    askedAtSource++;
  }
  happened(T_STORAGE, side, IO_ASKED, t, index, s.n, s.index);
  asked++;
  freeSlots--;
  nextAt = t + gap(asked);
  if (!served) count(side, C_STORAGE_WAITED, 1);
  return index;
}

/** The guest has the answer to the request in a slot at t. */
export function answer(side: u32, index: u32, t: u64): void {
  const s = slot(index);
  evaluates(I_STORAGE_ONCE);
  if (s.state != LANDING && s.state != RETURNING) broken(I_STORAGE_ONCE, s.n, s.state, t);
  if (side != home) broken(I_STORAGE_ONCE, s.n, home, t);
  if (side == 0) {
    if (s.write == 0) fill(index, s, t);
    touch(responses + ((s.entry & mask) * STORAGE_RESPONSE_BYTES) / PAGE_BYTES, t);
    answeredAtSource++;
  }
  s.state = FREE;
  freeSlots++;
  answered++;
  if (running && freeSlots == 1 && nextAt < t) nextAt = t;
  if (s.moved != 0) {
    movedLeft--;
    movedAnswered++;
  }
  count(side, C_STORAGE_REQUESTS, 1);
  count(side, C_STORAGE_BYTES, st(ST_BYTES));
  sample(side, H_STORAGE, t - s.asked);
  happened(T_STORAGE, side, IO_DONE, t, index, s.n, s.entry);
}

/** The guest stands still from t on. */
export function pauseDriver(t: u64): void {
  running = false;
  stoppedAt = t;
}

/** The guest goes on at t, with the adapter of a side; after the end it asks for nothing there either. */
export function resumeDriver(side: u32, t: u64): void {
  if (!running) nextAt = t + (nextAt > stoppedAt ? nextAt - stoppedAt : 0);
  running = !ended;
  home = side;
}

/** The guest asks for nothing any more. */
export function endDriver(): void {
  running = false;
  ended = true;
}

/** A request of the hand-over is known to the destination. */
export function known(s: Slot): void {
  s.moved = 1;
  movedLeft++;
}

/** An adapter takes a request from a queue: one that is there, and has not been taken. */
export function takenOnce(s: Slot, t: u64): void {
  evaluates(I_STORAGE_ONCE);
  if (s.state != QUEUED && s.state != POSTED && s.state != CANCELLED) broken(I_STORAGE_ONCE, s.n, s.state, t);
}
