// SPDX-License-Identifier: Apache-2.0
// Decryption that is put off (Tarasuk-Levin, US 2015/0381589): the destination's card writes the record of a
// page into the page's frame as it came, coded and sealed, and keeps what is needed to open it. The states of
// a page at the destination, from left to right, and back to sealed with every newer record:
//
//   absent -> sealed -> to be opened -> in hand -> handed to PCIe -> plain
//
// Models: a table in card DRAM, an entry of 32 bytes a page: number, length, tag. The resume set is opened
//   while the guest stands still: every sealed page (`all`), none, or those that a destination can know to be
//   hot: whose records came in more than one round. Then the host is told which pages are sealed. From its
//   word of the resume on pages are opened unasked, in order of addresses, `ahead` in hand at most; a page
//   that is asked for goes before those.
// How long: opening is the read of ceil(length / 4) words over PCIe by descriptor, the entry's 32 bytes at
//   the rate of the card's DRAM, then what a record takes: open, decompressor, a page of writes. Unasked, a
//   page begins 4096 x ticks a byte after the one before at the earliest; so n of them take
//   (n - 1) x 4096 / rate at least.
// Leaves out: opening while rounds still come, latency of the table, hot pages that the source knows of.
import {
  AHEAD_MAX,
  A_OPEN,
  BATCH_PAGES,
  BUSY,
  C_DECRYPTED,
  C_DECRYPTED_BYTES,
  C_DECRYPTED_CODED,
  C_DECRYPT_ASKED,
  C_SEALED_TABLE,
  C_SUPERSEDED,
  G_DECRYPT_DEN,
  G_DECRYPT_NUM,
  G_PAGES,
  G_PUSH_AHEAD,
  G_RESIDUAL,
  G_RESUME_SET,
  I_NO_OLDER_COPY,
  I_PLAIN_BEFORE_USE,
  K_BEGUN,
  K_HANDED,
  K_KEPT,
  L_OPENED,
  L_OPEN_BUSY,
  L_RESUME_SET,
  PAGE_BYTES,
  RECORD_TAG_BYTES,
  RESIDUAL_SEALED,
  RESUME_ALL,
  RESUME_HOT,
  SEALED_ENTRY_BYTES,
  S_GCM_ENGINES,
  T_DECRYPT,
  U_CONTROL,
  VCPUS_MAX,
} from "../abi";
import { ASKED, AUTHENTIC, CARRIED, CODED, FINAL, JOB_ZERO, Job } from "./jobs";
import { note } from "./log";
import { reserve } from "./memory";
import { ABSENT, placedVersion, sourceVersion } from "./pages";
import { g, g32, p32 } from "./params";
import { bitsIn, dueHere, has, isMissing, set, take } from "./residual";
import { wake } from "./schedule";
import { booksClosed, broken, charged, count, evaluates } from "./stats";
import { spanTicks } from "./time";
import { happened } from "./timeline";

/** True when the destination decrypts on demand. */
export let deferring: bool = false;

// stages of the destination's card
const GATHERING: u32 = 0; // rounds come
const OPENING: u32 = 1; // the resume set
const TELLING: u32 = 2; // the host hears of sealed pages
const TOLD: u32 = 3;
const RUNNING: u32 = 4; // the guest runs here
let stage: u32 = 0;

const BATCH_BYTES: u32 = BATCH_PAGES / 8;
let pages: u32 = 0;
let table: usize = 0;
let hot: usize = 0;
let todo: usize = 0; // sealed pages that are to be opened and are not in hand
let todoLeft: u32 = 0;
let inHand: u32 = 0; // unasked
let ahead: u32 = 0;
let cursor: u32 = 0; // no page before it is to be opened
let from: u64 = 0;

//  entry, 32 bytes: | number u64 | version u32 | bytes u16 | flags u16 | tag 16 B |, no bytes: not sealed
const VERSION: usize = 8;
const BYTES: usize = 12;
const FLAGS: usize = 14;
const TAG: usize = 16;
/** Flag of an entry: the plain bytes have been handed to PCIe. */
const HANDED: u16 = 0x8000;

if (SEALED_ENTRY_BYTES != 32 || AHEAD_MAX + VCPUS_MAX >= 256) ERROR("pages to be opened");

/** Lays out the table; false when memory does not hold it. */
export function buildDeferred(): bool {
  deferring = g32(G_RESIDUAL) == RESIDUAL_SEALED;
  stage = GATHERING;
  todoLeft = 0;
  inHand = 0;
  cursor = 0;
  if (!deferring) return true;
  pages = g32(G_PAGES);
  ahead = min<u32>(g32(G_PUSH_AHEAD), AHEAD_MAX);
  const bits = <u64>((pages + BATCH_PAGES - 1) / BATCH_PAGES) * BATCH_BYTES;
  table = reserve(<u64>pages * SEALED_ENTRY_BYTES);
  hot = reserve(bits);
  todo = reserve(bits);
  return table != 0 && hot != 0 && todo != 0;
}

// @ts-ignore: decorator
@inline
function entry(pfn: u32): usize {
  return table + <usize>pfn * SEALED_ENTRY_BYTES;
}

/** Bytes of a sealed page's record, 0 when it is not sealed. */
// @ts-ignore: decorator
@inline
export function sealedBytes(pfn: u32): u32 {
  return load<u16>(entry(pfn), BYTES);
}

/** The record of a page has been handed to PCIe as it came, or a zero page has been written over it. */
export function keepRecord(j: Job, tag: usize, t: u64): void {
  const e = entry(j.pfn);
  const was = sealedBytes(j.pfn) != 0;
  const zero = j.kind == JOB_ZERO;
  if (isDefined(TIMELINE)) happened(T_DECRYPT, 1, K_KEPT, t, j.pfn, j.nonce, zero ? 0 : j.bytes);
  if (was) count(1, C_SUPERSEDED, 1);
  if (was || placedVersion(j.pfn) != ABSENT) set(hot, j.pfn);
  if (zero && !was) return;
  count(1, C_SEALED_TABLE, SEALED_ENTRY_BYTES);
  memory.fill(e, 0, SEALED_ENTRY_BYTES);
  if (zero) return;
  store<u64>(e, j.nonce);
  store<u32>(e, j.version, VERSION);
  store<u16>(e, <u16>j.bytes, BYTES);
  store<u16>(e, <u16>(j.flags & (CODED | CARRIED | FINAL)), FLAGS);
  memory.copy(e + TAG, tag, RECORD_TAG_BYTES);
}

/** A sealed page has been read back: the record is as it came. */
export function restoreRecord(j: Job, tag: usize): void {
  const e = entry(j.pfn);
  j.nonce = load<u64>(e);
  j.version = load<u32>(e, VERSION);
  j.bytes = load<u16>(e, BYTES);
  j.flags |= load<u16>(e, FLAGS);
  memory.copy(tag, e + TAG, RECORD_TAG_BYTES);
  count(1, C_SEALED_TABLE, SEALED_ENTRY_BYTES);
  count(1, C_DECRYPTED_BYTES, j.bytes);
  if ((j.flags & CODED) != 0) count(1, C_DECRYPTED_CODED, 1);
}

/** The plain bytes of a page have landed where its record was. */
export function becomesPlain(j: Job, t: u64): void {
  evaluates(I_PLAIN_BEFORE_USE);
  const e = entry(j.pfn);
  if ((j.flags & AUTHENTIC) == 0) broken(I_PLAIN_BEFORE_USE, j.pfn, j.nonce, t);
  if (load<u64>(e) != j.nonce || placedVersion(j.pfn) != j.version)
    broken(I_NO_OLDER_COPY, j.version, placedVersion(j.pfn), t);
  memory.fill(e, 0, SEALED_ENTRY_BYTES);
  count(1, C_DECRYPTED, 1);
}

/** The guest uses a page. */
export function uses(pfn: u32, t: u64): void {
  evaluates(I_PLAIN_BEFORE_USE);
  if (sealedBytes(pfn) != 0) broken(I_PLAIN_BEFORE_USE, pfn, sealedBytes(pfn), t);
}

// --- the firmware of the destination's card ---

/** Every page of the last round has been placed: the resume set is opened. */
export function beginResumeSet(t: u64): void {
  const rule = g32(G_RESUME_SET);
  for (let pfn: u32 = 0; pfn < pages; pfn++) {
    if (sealedBytes(pfn) == 0) continue;
    if (rule == RESUME_ALL || (rule == RESUME_HOT && has(hot, pfn))) toOpen(pfn);
  }
  note(L_RESUME_SET, todoLeft);
  stage = OPENING;
  wake(1, U_CONTROL, t);
}

function toOpen(pfn: u32): void {
  set(todo, pfn);
  todoLeft++;
}

/** Whether the resume set is plain, and every other sealed page is now to be opened and told of. */
export function resumeSetPlain(t: u64): bool {
  if (stage != OPENING || todoLeft != 0 || inHand != 0) return false;
  note(L_OPENED, t);
  for (let pfn: u32 = 0; pfn < pages; pfn++) {
    if (sealedBytes(pfn) != 0 && (load<u16>(entry(pfn), FLAGS) & HANDED) == 0) toOpen(pfn);
  }
  cursor = 0;
  stage = TELLING;
  return true;
}

/** The next batch of pages of which the host has to hear; ABSENT when there is none. */
export function batchToTell(): u32 {
  if (stage != TELLING) return ABSENT;
  const batches = (pages + BATCH_PAGES - 1) / BATCH_PAGES;
  while (cursor < batches && bitsIn(sealedBits(cursor)) == 0) cursor++;
  if (cursor < batches) return cursor;
  cursor = 0;
  stage = TOLD;
  return ABSENT;
}

/** The host is being told of the batch. */
export function toldOf(batch: u32): void {
  dueHere(batch, sealedBits(batch));
  cursor = batch + 1;
}

/** The sealed pages of a batch. */
export function sealedBits(batch: u32): usize {
  return todo + <usize>batch * BATCH_BYTES;
}

/** Whether the guest may be resumed, as far as sealed pages go. */
export function mayResume(): bool {
  return !deferring || stage >= TOLD;
}

/** The host has told that the guest runs. */
export function guestHere(t: u64): void {
  stage = RUNNING;
  from = t;
}

/** The page that is opened next, unasked; ABSENT when none may be now. */
export function nextUnasked(t: u64): u32 {
  if (todoLeft == 0 || inHand >= ahead || booksClosed) return ABSENT;
  if (stage != OPENING && stage != RUNNING) return ABSENT;
  const num = stage == RUNNING ? g(G_DECRYPT_NUM) : 0;
  if (num != 0 && t < from) {
    wake(1, U_CONTROL, from);
    return ABSENT;
  }
  while (!has(todo, cursor)) cursor++;
  if (num != 0) from = t + spanTicks(PAGE_BYTES, num, g(G_DECRYPT_DEN));
  inHand++;
  takeUp(cursor, 0, t);
  return cursor;
}

/** A page is asked for: true when it is not in hand yet, and is now. */
export function takeAsked(pfn: u32, t: u64): bool {
  if (!has(todo, pfn)) return false;
  count(1, C_DECRYPT_ASKED, 1);
  takeUp(pfn, 1, t);
  return true;
}

function takeUp(pfn: u32, asked: u32, t: u64): void {
  take(todo, pfn);
  todoLeft--;
  if (isDefined(TIMELINE)) happened(T_DECRYPT, 1, K_BEGUN, t, pfn, asked, 0);
}

/** Whether a page that is opened now has to be told of. */
export function tellsOfPages(): bool {
  return stage == RUNNING;
}

/** The last write of a page's plain bytes has been handed to PCIe. */
export function plainHandedOver(j: Job, t: u64): void {
  const asked: u32 = (j.flags & ASKED) != 0 ? 1 : 0;
  if (isDefined(TIMELINE)) happened(T_DECRYPT, 1, K_HANDED, t, j.pfn, asked, 0);
  if (asked == 0) inHand--;
  const e = entry(j.pfn);
  store<u16>(e, load<u16>(e, FLAGS) | HANDED, FLAGS);
  wake(1, U_CONTROL, t);
}

// --- at the resume, and at the end ---

/** What the opening engines, which rest now, have worked. */
export function noteOpening(): void {
  let ticks: u64 = 0;
  for (let e: u32 = 0; e < p32(1, S_GCM_ENGINES); e++) ticks += charged(1, A_OPEN + e, BUSY);
  note(L_OPEN_BUSY, ticks);
}

/** The first page that is not there as the source has it, or that is sealed and not known to be. */
export function firstNotThere(): u32 {
  for (let pfn: u32 = 0; pfn < pages; pfn++) {
    if (placedVersion(pfn) != sourceVersion(pfn)) return pfn;
    if (sealedBytes(pfn) != 0 && !isMissing(pfn)) return pfn;
  }
  return ABSENT;
}

/** Pages that are sealed, or in hand, at the end of a migration that completed. */
export function deferredLeft(): u32 {
  if (!deferring) return 0;
  let n = todoLeft + inHand;
  for (let pfn: u32 = 0; pfn < pages; pfn++) if (sealedBytes(pfn) != 0) n++;
  return n;
}
