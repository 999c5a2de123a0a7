// SPDX-License-Identifier: Apache-2.0
// Records that are made before the migration is asked for (Tarasuk-Levin, US 2015/0381589: blocks are
// encrypted before the request): the source's card reads, compresses and seals pages ahead, batch by batch,
// and keeps the records in its DRAM. A page from left to right:
//
//   absent -> being made -> kept -> sent as it is | stale: read, coded and sealed as if there were no store
//
// Models: a store of `bytes`, an entry of 40 bytes a record beside the payload in lines of 64. A page begins
//   only when there is room for the longest record besides those being made; when there is none and none is
//   being made the store is full, and pages beyond are coded at the request. In the first round the card is
//   told which pages of a batch were written since their marks were taken for the store: of those the record
//   is dropped, of all others it goes out as it is. A record that is ready after the round has passed its
//   page is dropped too.
// How long: with a rate, page n begins (n - 1) x 4096 / rate after the first at the earliest. Into the store
//   a record is written, out of it read, once, at the rate of the card's DRAM.
// Numbers of records: a nonce is `used once under a key` by construction (NIST SP 800-38D 8.2.1): its fixed
//   field is the salt of the key and one bit, which says whether the record was made for the store; each of
//   both kinds has a counter of its own. A record of the store gets its number on the link when it is framed,
//   from a count of its own, so that those which are never sent leave no gap.
// Leaves out: dropped records make no room for others before the request; a page that was written is not
//   coded again before it.
// Numbers: card preset `dram.store` (assumed).
import {
  C_STORED,
  C_STORE_SENT,
  C_STORE_STALE,
  C_ZERO_PAGES,
  G_PAGES,
  G_STORE,
  G_STORE_DEN,
  G_STORE_NUM,
  I_CLEARED_BEFORE_READ,
  I_NONCE,
  I_SEQUENCE,
  L_STORE_BYTES,
  L_STORE_FULL,
  PAGE_BYTES,
  P_STORED,
  RECORD_TAG_BYTES,
  STORE_ENTRY_BYTES,
  STORE_LINE_BYTES,
  S_STORE_BYTES,
  T_PAGE,
  U_CONTROL,
  U_SCANNER,
} from "../abi";
import { addressBytes } from "./batch";
import { CARRIED, CODED, FROM_STORE, JOB_ZERO, Job } from "./jobs";
import { note } from "./log";
import { reserve } from "./memory";
import { carries, placedImageAt, placedPage, sourceVersion } from "./pages";
import { g, g32, p } from "./params";
import { BATCH_BYTES, has, set } from "./residual";
import { wake } from "./schedule";
import { broken, count, evaluates } from "./stats";
import { NEVER, edgeAfter, spanTicks } from "./time";
import { happened } from "./timeline";
import { isDirty } from "./tracker";

/** True when records are made ahead of the request. */
export let storing: bool = false;

/** The bit of a nonce that says that the record was made for the store. */
const OF_STORE: u64 = 0x8000000000000000;
/** What a page takes at most. */
const ROOM: u64 = STORE_ENTRY_BYTES + PAGE_BYTES;

// states of a page
const ABSENT: u16 = 0;
const KEPT: u16 = 1;
const PASSED: u16 = 2; // a round has gone by it

let pages: u32 = 0;
let table: usize = 0;
let payloads: usize = 0;
let written: usize = 0; // bits of pages that were written since, as the front-end has told
let arrived: usize = 0; // bits of nonces that have been received
let used: u64 = 0;
let beingMade: u32 = 0;
let asked: u64 = NEVER; // from when on the card knows of the request
let full: bool = false;
let from: u64 = 0; // when the next page may begin
let lookedThrough: u32 = 0;
let tellDue: u32 = 0;
let given: u64 = 0; // nonces
let sealed: u64 = 0;
let numbered: u32 = 0; // on the link
let taken: u32 = 0;

//  entry, 40 bytes: | nonce u64 | version u32 | content word u32 | bytes u16 | flags u16 | state u16 |
//                   | zero u16 | tag 16 B |
const VERSION: usize = 8;
const WORD: usize = 12;
const BYTES: usize = 16;
const FLAGS: usize = 18;
const STATE: usize = 20;
const ZERO: usize = 22;
const TAG: usize = 24;
if (STORE_ENTRY_BYTES != 40 || PAGE_BYTES % STORE_LINE_BYTES != 0) ERROR("entry of the store");

/** Lays out the store; false when memory does not hold it. */
export function buildStore(): bool {
  storing = g32(G_STORE) != 0;
  used = 0;
  beingMade = 0;
  asked = NEVER;
  full = false;
  from = 0;
  lookedThrough = 0;
  tellDue = 0;
  given = 0;
  sealed = 0;
  numbered = 0;
  taken = 0;
  if (!storing) return true;
  pages = g32(G_PAGES);
  const bits = <u64>(pages / (BATCH_BYTES * 8) + 1) * BATCH_BYTES;
  table = reserve(<u64>pages * STORE_ENTRY_BYTES);
  written = reserve(bits);
  arrived = reserve(bits);
  const last = pages == 0 || !carries(0) ? 0 : <u64>(placedPage(pages - 1) - placedImageAt()) + PAGE_BYTES;
  payloads = reserve(last + 64);
  return table != 0 && written != 0 && arrived != 0 && payloads != 0;
}

// @ts-ignore: decorator
@inline
function entry(pfn: u32): usize {
  return table + <usize>pfn * STORE_ENTRY_BYTES;
}

// @ts-ignore: decorator
@inline
function stateOf(pfn: u32): u16 {
  return load<u16>(entry(pfn), STATE);
}

/** Where the payload of a page's record lies. */
// @ts-ignore: decorator
@inline
export function storedAt(pfn: u32): usize {
  return payloads + (placedPage(pfn) - placedImageAt());
}

// --- before the request ---

/** Whether no page is begun any more: the request is known, or the store is full. */
export function storeEnds(t: u64): bool {
  return full || t >= asked;
}

/** When the scanner may begin the next page for the store: now, later, or when one more record is kept. */
export function storeFrom(t: u64): u64 {
  if (used + (<u64>beingMade + 1) * ROOM <= p(0, S_STORE_BYTES)) return from;
  if (beingMade == 0) {
    full = true;
    note(L_STORE_FULL, t);
    wake(0, U_SCANNER, edgeAfter(0, t, 1));
  }
  return NEVER;
}

/** The scanner has begun a page for the store. */
export function storeBegins(t: u64): void {
  beingMade++;
  if (g(G_STORE_NUM) != 0) from = t + spanTicks(PAGE_BYTES, g(G_STORE_NUM), g(G_STORE_DEN));
}

/** The scanner has looked through a batch of pages for the store. */
export function storeScanned(t: u64): void {
  lookedThrough++;
  wake(0, U_CONTROL, t);
}

/** Whether the front-end has to hear of a batch; and that it is being told; and whether the store is full. */
export function storeTells(): bool {
  return tellDue != lookedThrough;
}

export function storeTold(): u64 {
  tellDue++;
  return full ? 1 : 0;
}

/** The migration is asked for: from `at` on no page is begun for the store. */
export function storeAsked(at: u64): void {
  asked = at;
  wake(0, U_SCANNER, at);
}

/** Gives a record of the store its nonce. */
export function giveNonce(j: Job): void {
  given += 1;
  j.nonce = OF_STORE | given;
}

/** Whether a record was made for the store. */
// @ts-ignore: decorator
@inline
export function isOfStore(nonce: u64): bool {
  return (nonce & OF_STORE) != 0;
}

/** A record of the store is sealed: no nonce but a greater one. */
export function sealsForStore(nonce: u64, t: u64): void {
  if (!isOfStore(nonce) || nonce <= sealed) broken(I_NONCE, nonce, sealed, t);
  sealed = nonce;
}

/** A record has been written to the store; its payload is at `at`. */
export function keepStored(j: Job, tag: usize, at: usize, t: u64): void {
  beingMade--;
  wake(0, U_SCANNER, t);
  count(0, C_STORED, 1);
  const e = entry(j.pfn);
  const late = stateOf(j.pfn) == PASSED;
  if (isDefined(TIMELINE)) happened(T_PAGE, 0, P_STORED, t, j.pfn, j.bytes, late ? 1 : 0);
  if (late) {
    count(0, C_STORE_STALE, 1);
    return;
  }
  used += STORE_ENTRY_BYTES + ((j.bytes + STORE_LINE_BYTES - 1) & ~(STORE_LINE_BYTES - 1));
  note(L_STORE_BYTES, used);
  store<u64>(e, j.nonce);
  store<u32>(e, j.version, VERSION);
  store<u32>(e, j.word, WORD);
  store<u16>(e, <u16>j.bytes, BYTES);
  store<u16>(e, <u16>(j.flags & (CODED | CARRIED)), FLAGS);
  store<u16>(e, KEPT, STATE);
  store<u16>(e, j.kind == JOB_ZERO ? 1 : 0, ZERO);
  memory.copy(e + TAG, tag, RECORD_TAG_BYTES);
  if ((j.flags & CARRIED) != 0 && j.bytes != 0) memory.copy(storedAt(j.pfn), at, j.bytes);
}

// --- the first round ---

/** The front-end tells of a batch, all of it, and which pages were written: bytes of what it tells. */
export function tellWritten(batch: u32, bits: usize): u32 {
  let n: u32 = 0;
  const to = written + <usize>batch * BATCH_BYTES;
  for (let i: u32 = 0; i < BATCH_BYTES; i += 8) {
    const w = load<u64>(bits + i);
    n += <u32>popcnt(w);
    store<u64>(to + i, load<u64>(to + i) | w);
  }
  return addressBytes(bits, n);
}

/** Whether the record of a page that a round has come to goes out as it is. */
// @ts-ignore: decorator
@inline
export function goesAsStored(pfn: u32): bool {
  return stateOf(pfn) == KEPT && !has(written, pfn);
}

/** A round has come to a page, which is read; what there is of it in the store is dropped. */
export function passesBy(pfn: u32): void {
  const e = entry(pfn);
  if (stateOf(pfn) == KEPT) count(0, C_STORE_STALE, 1);
  store<u16>(e, PASSED, STATE);
}

/** A round has come to a page whose record goes as it is: the job that takes it. */
export function takeStored(j: Job, tag: usize, t: u64): void {
  const e = entry(j.pfn);
  j.nonce = load<u64>(e);
  j.version = load<u32>(e, VERSION);
  j.word = load<u32>(e, WORD);
  j.bytes = load<u16>(e, BYTES);
  j.flags |= FROM_STORE | load<u16>(e, FLAGS);
  memory.copy(tag, e + TAG, RECORD_TAG_BYTES);
  if (load<u16>(e, ZERO) != 0) {
    j.kind = JOB_ZERO;
    count(0, C_ZERO_PAGES, 1);
  }
  store<u16>(e, PASSED, STATE);
  evaluates(I_CLEARED_BEFORE_READ);
  if (j.version != sourceVersion(j.pfn) && !isDirty(j.pfn))
    broken(I_CLEARED_BEFORE_READ, j.pfn, j.version, t);
}

/** A record of the store is framed: its number on the link. */
export function numberStored(): u32 {
  count(0, C_STORE_SENT, 1);
  return ++numbered;
}

/** It has come out of the stream: numbers come in order, and no nonce twice. */
export function receiveStored(number: u32, nonce: u64, t: u64): void {
  evaluates(I_SEQUENCE);
  if (number != taken + 1) broken(I_SEQUENCE, number, taken + 1, t);
  taken = number;
  evaluates(I_NONCE);
  const n = <u32>(nonce & ~OF_STORE) - 1;
  if (!isOfStore(nonce) || n >= pages || has(arrived, n)) {
    broken(I_NONCE, nonce, number, t);
    return;
  }
  set(arrived, n);
}

// --- at the end ---

/** Numbers given on the link and not received. */
export function storedUnderWay(): u32 {
  return numbered - taken;
}

/** Records that are being made, or kept, at the end of a migration that completed. */
export function storeLeft(): u32 {
  if (!storing) return 0;
  let n = beingMade;
  for (let pfn: u32 = 0; pfn < pages; pfn++) if (stateOf(pfn) == KEPT) n++;
  return n;
}
