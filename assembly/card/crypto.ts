// SPDX-License-Identifier: Apache-2.0
// Crypto: pools of AES-GCM engines that seal records on one side and open them on the other.
//
// Models: engines of `bitsPerCycle`, one record each at a time, a cache of key slots, nonces that are never
//   reused,
//   authentication before anything behind sees a byte. Each data link and direction has a key of its own.
// In and out: records from Q_SEAL to Q_FRAME; from Q_OPEN to Q_UNLZ (coded), Q_PLACE (raw, zero, device) or
//   Q_EVENT
//   (control records).
// How long (docs/model.md): a record is ceil(128/D) words of header + ceil(8 n / D) of payload + 1 of
//   lengths; an engine gives each `word` clocks (1 unrolled, those of a block iterative), is taken for
//   `keyLoad` more when the key is not in a slot, and rests after it; the record may be seen `latency`
//   clocks after that. Clocks are the card's, or those of a cipher preset: n of them end at the card's first
//   edge at or after t + ceil(n x ticks of its clock).
// Leaves out: AES and GHASH as separate pipelines (one interval stands for both), rekeying, two records in
//   one word. An engine without back-pressure at its end (`admit`) is kept from overflowing by its
//   beginning: what the product flags as an overflow cannot happen.
// Numbers: card preset `crypto.*`; NIST SP 800-38D for the mode (96-bit IV = salt || record number).
import {
  A_OPEN,
  A_SEAL,
  BLOCKED,
  BUSY,
  C_KEY_MISSES,
  C_RECORDS_OPENED,
  C_RECORDS_SEALED,
  H_RECORD_OPEN,
  I_NONCE,
  I_TAG,
  P_OUT,
  P_SEALED,
  Q_EVENT,
  Q_FRAME,
  Q_OPEN,
  Q_PLACE,
  Q_SEAL,
  Q_UNLZ,
  REASON_TAG,
  RECORD_HEADER_BYTES,
  STARVED,
  S_GCM_ADMIT,
  S_GCM_BITS,
  S_GCM_ENGINES,
  S_GCM_KEY_LOAD,
  S_GCM_KEY_SLOTS,
  S_GCM_LATENCY,
  S_GCM_REST,
  S_GCM_SPAN_DEN,
  S_GCM_SPAN_NUM,
  S_GCM_WORD,
  T_STAGE,
  U_OPEN,
  U_SEAL,
} from "../abi";
import { gcmOpen, gcmSeal } from "../codec/gcm";
import { asks } from "../kernel/again";
import {
  dropRecord,
  expectFailure,
  failedBy,
  failing,
  keepForAgain,
  strikes,
  takeForAgain,
  waitsForAgain,
} from "../kernel/failing";
import { hold, letGo, pop, push, pushHeld, queue, ready, lacks } from "../kernel/fifo";
import {
  AUTHENTIC,
  CARRIED,
  CODED,
  JOB_DEVICE,
  JOB_PAGE,
  JOB_ZERO,
  Job,
  KEPT,
  NO_SLOT,
  SPOILT,
  freeJob,
  freeSlot,
  job,
  onItsWay,
  slotAt,
} from "../kernel/jobs";
import { p, p32 } from "../kernel/params";
import {
  POOL_OPEN,
  POOL_SEAL,
  engineBusy,
  engineDone,
  engineFree,
  engineJob,
  engineStart,
  finished,
  firstFinished,
  idleOf,
  rest,
} from "../kernel/pool";
import { linkOf, tagAt, writeHeader, ivOf } from "../kernel/record";
import { isOfStore, sealsForStore } from "../kernel/record-store";
import { hostDecodes, hostStages } from "../kernel/ring";
import { wake } from "../kernel/schedule";
import { broken, count, enter, evaluates, sample } from "../kernel/stats";
import { edgeAfter, edgeAt, spanTicks } from "../kernel/time";
import { happened } from "../kernel/timeline";
import { rememberSealed, repeated, sameTag, takeSealed } from "../kernel/sealed";
import { recordDropped, report } from "../kernel/trouble";

//  key record, 16 bytes: | highest nonce used u64 | slot (1 + number, 0 none) u32 | last use u32 |
@unmanaged
class Key {
  used: u64;
  cached: u32;
  lastUse: u32;
}

const KEYS = memory.data(128, 16);
let uses: u32 = 0;

/**
 * Key of a data link, sent by a side: the same record on both cards would hide a fault, so each keeps its
 * own.
 */
// @ts-ignore: decorator
@inline
function key(side: u32, sealing: bool, link: u32): Key {
  return changetype<Key>(KEYS + (side * 4 + (sealing ? 0 : 2) + link) * 16);
}

export function buildCrypto(): void {
  memory.fill(KEYS, 0, 128);
  uses = 0;
}

function cycles(side: u32, j: Job, k: Key): u32 {
  const d = p32(side, S_GCM_BITS);
  const words = (8 * RECORD_HEADER_BYTES + d - 1) / d + (8 * j.bytes + d - 1) / d + 1;
  let n = words * p32(side, S_GCM_WORD) + p32(side, S_GCM_REST);
  if (k.cached == 0) {
    n += p32(side, S_GCM_KEY_LOAD);
    count(side, C_KEY_MISSES, 1);
    if (p32(side, S_GCM_KEY_SLOTS) > 1) k.cached = 1;
  }
  k.lastUse = ++uses;
  return n;
}

/** The card's clock edge n clocks of its engines after the edge t: of the card's clock, or of their own. */
// @ts-ignore: decorator
@inline
function clocksAfter(side: u32, t: u64, n: u32): u64 {
  const den = p(side, S_GCM_SPAN_DEN);
  if (den == 0) return edgeAfter(side * 2, t, n);
  return edgeAt(side * 2, t + spanTicks(n, p(side, S_GCM_SPAN_NUM), den));
}

// --- sealing ---

export function stepSeal(side: u32, t: u64): void {
  const n = p32(side, S_GCM_ENGINES);
  const clock = side * 2;
  const admits = p32(side, S_GCM_ADMIT) != 0;
  let first: u32 = 0;
  if (failing) {
    first = failedBy(side, POOL_SEAL, t);
    if (strikes(side, POOL_SEAL, t)) sealingFails(side, min(first, n), admits, t);
    if (n != 0 && first >= n) {
      nobodyLeft(side, POOL_SEAL, Q_SEAL, U_SEAL, t);
      return;
    }
  }
  let over = finished(side, POOL_SEAL, n, U_SEAL, t);
  while (over != 0) {
    const e = firstFinished(side, POOL_SEAL, over);
    over ^= (<u32>1) << e;
    if (!admits && lacks(queue(side, Q_FRAME), 1)) {
      enter(side, A_SEAL + e, BLOCKED, t);
      continue;
    }
    engineFree(side, POOL_SEAL, e);
    const out = clocksAfter(side, engineDone(side, POOL_SEAL, e), p32(side, S_GCM_LATENCY));
    const next = edgeAfter(clock, t, 1);
    const index = engineJob(side, POOL_SEAL, e);
    if (isDefined(TIMELINE)) onItsWay(P_OUT, side, job(side, index), out > next ? out : next, U_SEAL, 0);
    if (admits) pushHeld(queue(side, Q_FRAME), index, out > next ? out : next);
    else push(queue(side, Q_FRAME), index, out > next ? out : next);
  }
  for (let idle = idleOf(side, POOL_SEAL, first, n); idle != 0; idle &= idle - 1) {
    // what one engine cannot begin, the next cannot either
    const again = failing && waitsForAgain(side, POOL_SEAL);
    if (!again && !ready(queue(side, Q_SEAL), t)) {
      rest(side, POOL_SEAL, A_SEAL, idle, STARVED, t);
      break;
    }
    if (admits) {
      if (lacks(queue(side, Q_FRAME), 1)) {
        rest(side, POOL_SEAL, A_SEAL, idle, BLOCKED, t);
        break;
      }
      hold(queue(side, Q_FRAME), 1);
    }
    const e = <u32>ctz<u32>(idle);
    const index = again ? takeSealed() : pop(queue(side, Q_SEAL));
    const j = job(side, index);
    const link = linkOf(j);
    const k = key(side, true, link);
    const done = clocksAfter(side, t, cycles(side, j, k));
    seal(side, index, j, link, k, again, t);
    engineStart(side, POOL_SEAL, e, index, done);
    if (isDefined(TIMELINE)) happened(T_STAGE, side, U_SEAL, t, j.pfn, done, j.kind);
    if (isDefined(TIMELINE)) onItsWay(P_SEALED, side, j, t, j.nonce, 0);
    enter(side, A_SEAL + e, BUSY, t);
    wake(side, U_SEAL, done);
  }
  if (failing) expectFailure(side, POOL_SEAL, n, U_SEAL, Q_SEAL, t);
}

function seal(side: u32, index: u32, j: Job, link: u32, k: Key, again: bool, t: u64): void {
  evaluates(I_NONCE);
  if (isOfStore(j.nonce)) sealsForStore(j.nonce, t);
  else if (again ? j.nonce != repeated() : j.nonce <= k.used) broken(I_NONCE, j.nonce, k.used, t);
  else if (!again) k.used = j.nonce;
  count(side, C_RECORDS_SEALED, 1);
  if ((j.flags & CARRIED) == 0) return;
  const slot = (j.flags & CODED) != 0 ? j.slotOut : j.slotIn;
  const at = slot == NO_SLOT ? <usize>0 : slotAt(side, slot);
  const context = side * 2 + link;
  gcmSeal(
    context,
    ivOf(context, j.nonce),
    writeHeader(j),
    RECORD_HEADER_BYTES,
    at,
    at,
    j.bytes,
    tagAt(side, index),
  );
  if (again && !sameTag(tagAt(side, index))) broken(I_NONCE, j.nonce, k.used, t);
}

/** Seals a record in software, with keys that stay expanded. */
export function sealRecord(side: u32, index: u32, t: u64): void {
  const j = job(side, index);
  const link = linkOf(j);
  seal(side, index, j, link, key(side, true, link), false, t);
}

// --- opening ---

export function stepOpen(side: u32, t: u64): void {
  const n = p32(side, S_GCM_ENGINES);
  const clock = side * 2;
  let first: u32 = 0;
  if (failing) {
    first = failedBy(side, POOL_OPEN, t);
    if (strikes(side, POOL_OPEN, t)) openingFails(side, min(first, n), t);
    if (n != 0 && first >= n) {
      nobodyLeft(side, POOL_OPEN, Q_OPEN, U_OPEN, t);
      return;
    }
  }
  let over = finished(side, POOL_OPEN, n, U_OPEN, t);
  while (over != 0) {
    const e = firstFinished(side, POOL_OPEN, over);
    over ^= (<u32>1) << e;
    const index = engineJob(side, POOL_OPEN, e);
    const j = job(side, index);
    if ((j.flags & SPOILT) != 0) {
      engineFree(side, POOL_OPEN, e);
      refuse(side, index, j, t);
      continue;
    }
    const to = queue(side, behindOpen(j));
    if (lacks(to, 1)) {
      enter(side, A_OPEN + e, BLOCKED, t);
      continue;
    }
    engineFree(side, POOL_OPEN, e);
    const out = clocksAfter(side, engineDone(side, POOL_OPEN, e), p32(side, S_GCM_LATENCY));
    const next = edgeAfter(clock, t, 1);
    sample(side, H_RECORD_OPEN, (out > next ? out : next) - j.started);
    if (isDefined(TIMELINE)) onItsWay(P_OUT, side, job(side, index), out > next ? out : next, U_OPEN, 0);
    push(to, index, out > next ? out : next);
  }
  for (let idle = idleOf(side, POOL_OPEN, first, n); idle != 0; idle &= idle - 1) {
    const e = <u32>ctz<u32>(idle);
    const again = failing && waitsForAgain(side, POOL_OPEN);
    if (!again && !ready(queue(side, Q_OPEN), t)) {
      rest(side, POOL_OPEN, A_OPEN, idle, STARVED, t);
      break;
    }
    const index = again ? takeForAgain(POOL_OPEN) : pop(queue(side, Q_OPEN));
    const j = job(side, index);
    const link = linkOf(j);
    const k = key(side, false, link);
    const done = clocksAfter(side, t, cycles(side, j, k));
    open(side, index, j, link, t);
    engineStart(side, POOL_OPEN, e, index, done);
    if (isDefined(TIMELINE)) happened(T_STAGE, side, U_OPEN, t, j.pfn, done, j.kind);
    enter(side, A_OPEN + e, BUSY, t);
    wake(side, U_OPEN, done);
  }
  if (failing) expectFailure(side, POOL_OPEN, n, U_OPEN, Q_OPEN, t);
}

// --- engines that fail ---

/** Sealing engines 0 to n - 1 fail: SRAM has their records as they were until they leave. */
function sealingFails(side: u32, n: u32, admits: bool, t: u64): void {
  for (let e: u32 = 0; e < n; e++) {
    enter(side, A_SEAL + e, STARVED, t);
    if (!engineBusy(side, POOL_SEAL, e)) continue;
    engineFree(side, POOL_SEAL, e);
    if (admits) letGo(queue(side, Q_FRAME), 1);
    const index = engineJob(side, POOL_SEAL, e);
    const j = job(side, index);
    count(side, C_RECORDS_SEALED, 0 - 1);
    rememberSealed(j.nonce, tagAt(side, index));
    keepForAgain(side, POOL_SEAL, index);
    if ((j.flags & CARRIED) == 0) continue;
    evaluates(I_TAG);
    const slot = (j.flags & CODED) != 0 ? j.slotOut : j.slotIn;
    const at = slot == NO_SLOT ? <usize>0 : slotAt(side, slot);
    const context = side * 2 + linkOf(j);
    const tag = tagAt(side, index);
    const iv = ivOf(context, j.nonce);
    if (!gcmOpen(context, iv, writeHeader(j), RECORD_HEADER_BYTES, at, at, j.bytes, tag))
      broken(I_TAG, j.pfn, j.nonce, t);
  }
}

/** Opening engines 0 to n - 1 fail: SRAM has their records as they arrived until they leave. */
function openingFails(side: u32, n: u32, t: u64): void {
  for (let e: u32 = 0; e < n; e++) {
    enter(side, A_OPEN + e, STARVED, t);
    if (!engineBusy(side, POOL_OPEN, e)) continue;
    engineFree(side, POOL_OPEN, e);
    const index = engineJob(side, POOL_OPEN, e);
    const j = job(side, index);
    count(side, C_RECORDS_OPENED, 0 - 1);
    keepForAgain(side, POOL_OPEN, index);
    // what does not fit its tag has not been touched
    if ((j.flags & CARRIED) == 0 || (j.flags & SPOILT) != 0) continue;
    const at = j.slotIn == NO_SLOT ? <usize>0 : slotAt(side, j.slotIn);
    const context = (1 - side) * 2 + linkOf(j);
    const tag = tagAt(side, index);
    gcmSeal(context, ivOf(context, j.nonce), writeHeader(j), RECORD_HEADER_BYTES, at, at, j.bytes, tag);
  }
}

/** No engine is left: what comes is dropped, one record an edge. */
function nobodyLeft(side: u32, pool: u32, q: u32, unit: u32, t: u64): void {
  const again = waitsForAgain(side, pool);
  if (!again && !ready(queue(side, q), t)) return;
  dropRecord(side, pool, again ? takeForAgain(pool) : pop(queue(side, q)), t);
  // a record that was numbered and does not go is written off
  if (pool == POOL_SEAL) recordDropped();
  wake(side, unit, edgeAfter(side * 2, t, 1));
}

/** Opens a record in software. */
export function openRecord(side: u32, index: u32, t: u64): void {
  const j = job(side, index);
  open(side, index, j, linkOf(j), t);
}

/** The tag does not fit: nobody behind sees the record, the firmware is told. */
export function refuse(side: u32, index: u32, j: Job, t: u64): void {
  if (j.slotIn != NO_SLOT) freeSlot(side, j.slotIn);
  if (!asks(side, j, t)) report(side, REASON_TAG, t);
  freeJob(side, index);
}

/** The queue behind decryption. */
export function behindOpen(j: Job): u32 {
  if (hostStages != 0 && hostDecodes(j)) return Q_PLACE;
  if (j.kind == JOB_PAGE || j.kind == JOB_DEVICE) return (j.flags & CODED) != 0 ? Q_UNLZ : Q_PLACE;
  return j.kind == JOB_ZERO ? Q_PLACE : Q_EVENT;
}

function open(side: u32, index: u32, j: Job, link: u32, t: u64): void {
  count(side, C_RECORDS_OPENED, 1);
  if ((j.flags & KEPT) != 0) j.flags |= AUTHENTIC;
  if ((j.flags & CARRIED) == 0) return;
  evaluates(I_TAG);
  const at = j.slotIn == NO_SLOT ? <usize>0 : slotAt(side, j.slotIn);
  const context = (1 - side) * 2 + link;
  const tag = tagAt(side, index);
  const iv = ivOf(context, j.nonce);
  const good = gcmOpen(context, iv, writeHeader(j), RECORD_HEADER_BYTES, at, at, j.bytes, tag);
  // a record that was spoilt on the link is refused when it leaves the engine
  if (good == ((j.flags & SPOILT) != 0)) broken(I_TAG, j.pfn, j.nonce, t);
}
