// SPDX-License-Identifier: Apache-2.0
// State of the two directions of a credit-based link: when the wire is free, credits and replay bytes at the
// transmitter, and rings of what is under way. What a direction does with it is its unit's business.
import {
  CREDITS_ENDLESS,
  C_DOWN_DATA_BYTES,
  C_DOWN_TLPS,
  C_DOWN_TLP_BYTES,
  C_UP_DATA_BYTES,
  C_UP_TLPS,
  C_UP_TLP_BYTES,
  DLL_EXPLICIT,
  I_CREDITS,
  S_CARD_DEN,
  S_CARD_NUM,
  S_MEM_SEED,
  S_PCIE_COMBINE_ABOVE,
  S_PCIE_COMPLETION_BYTES,
  S_PCIE_DOWN_AT,
  S_PCIE_DOWN_FOR,
  ST_DEPTH,
  S_PCIE_ERRORS,
  S_PCIE_REQUEST_BYTES,
  S_PCIE_DLL,
  S_PCIE_DOWN_PD,
  S_PCIE_DOWN_PH,
  S_PCIE_DOWN_TICKS_PER_BYTE,
  S_PCIE_FLIGHT,
  S_PCIE_LIMIT,
  S_PCIE_MPS,
  S_PCIE_MRRS,
  S_PCIE_NPD,
  S_PCIE_NPH,
  S_PCIE_PD,
  S_PCIE_PH,
  S_PCIE_RCB,
  S_PCIE_REPLAY_BYTES,
  S_PCIE_SKP_PERIOD,
  S_PCIE_SKP_TICKS,
  S_PCIE_TAGS_VSOCK,
  S_PCIE_TICKS_PER_BYTE,
  S_PCIE_UNPADDED,
  S_TEN_KIND,
  S_WRITE_ISSUE,
  TENANT_OFF,
} from "../abi";
import { pushSooner } from "./fifo";
import { reserve } from "./memory";
import { p, p32 } from "./params";
import { mix } from "./random";
import { inOrder } from "./root";
import { st } from "./storage-params";
import { broken, count } from "./stats";
import { NEVER } from "./time";

/** Returned credits that may lie uncollected before they are taken whether needed or not. */
export const RETURNS_KEPT: u32 = 64;

/** Directions. */
export const UP: u32 = 0;
export const DOWN: u32 = 1;

//  ring of 16-byte items | at u64 | a u32 | b u32 |: TLPs sent and not acknowledged, credits freed, returns
//  under way
@unmanaged
export class Ring {
  items: usize;
  mask: u32;
  head: u32;
  tail: u32;
}


@unmanaged
export class Way {
  free: u64; // when the wire is free
  skpNext: u64; // when the next SKP is due
  ticksPerByte: u64;
  flight: u64;
  limit: u64;
  skpPeriod: u64;
  skpTicks: u64;
  dllpDue: u64; // when the next ACK or UpdateFC is due on this wire
  tlps: u64; // sent since the counters were told
  tlpBytes: u64;
  dataBytes: u64;
  ph: u32; // credits at the transmitter
  pd: u32;
  nph: u32;
  replay: u32; // bytes of replay buffer free
  phAll: u32;
  pdAll: u32;
  nphAll: u32;
  replayAll: u32;
  classNext: u32; // whose turn it is
  readNext: u32;
  dll: u32;
  sent: Ring; // not acknowledged: at = arrival, a = bytes
  freedP: Ring; // at = when freed, a = headers, b = data units
  freedN: Ring;
  returns: Ring; // under way to this transmitter: kind in bits 30 and 31 of a, amounts below and in b
  mps: u32;
  mrrs: u32;
  rcb: u32;
  combineAbove: u32;
  issue: u32; // clocks between two writes of one transaction
  begun: u32; // 1 + port of a transaction of which some packets have gone, 0 none
  waits: u32; // 1 while something is held up by credits or the replay buffer
  endlessP: u32; // 1 when posted credits have no limit: then none are taken and none come back
  endlessN: u32;
  request: u32; // bytes of a request beside its data, and of a completion
  completion: u32;
  stuck: u32; // 1 from a spoilt packet until its NAK has come back
  drawn: u32; // random numbers drawn
  seed: u32;
  errors: u64; // probability that a byte is spoilt, of 2^48
  landing: u64; // when what was written since the last landing has landed, by port: 4 of them
  landing1: u64;
  landing2: u64;
  landing3: u64;
  nakDue: u64; // when this wire owes a NAK for a packet of the other one
  downAt: u64; // the link is down from here
  downUntil: u64;
  ahead: u64; // packets of a transaction that begin within this time may be sent in one step
  pad: u32; // 3: data is padded to words of four bytes, 0: it is not
  npd: u32; // credits for data of non-posted requests; those without a limit are not taken
  npdAll: u32;
  orderly: u32; // 1: what is written lands in the order in which it arrives
  issueTicks: u64; // between two writes of one transaction, 0 when that is no whole number of ticks
}

export const KIND_ACK: u32 = 0;
export const KIND_P: u32 = 1;
export const KIND_N: u32 = 2;
export const KIND_NAK: u32 = 3;

const WAYS = memory.data(2048, 16);
const RINGS = memory.data(256, 16);
const LANDINGS = memory.data(128, 16); // 2 sides * 2 directions * 8 kinds

if (offsetof<Way>() > 512) ERROR("way record");

// @ts-ignore: decorator
@inline
export function way(side: u32, dir: u32): Way {
  return changetype<Way>(WAYS + ((side * 2 + dir) << 9));
}

/** A ring for at least `entries` items: no larger than it must be, so that it stays in the cache. */
function ring(index: u32, entries: u32): Ring {
  const r = changetype<Ring>(RINGS + (index << 4));
  let size: u32 = 16;
  while (size < entries) size <<= 1;
  r.items = reserve((<u64>size) << 4);
  r.mask = size - 1;
  r.head = 0;
  r.tail = 0;
  return r;
}

// @ts-ignore: decorator
@inline
export function ringPut(r: Ring, at: u64, a: u32, b: u32): void {
  const tail = r.tail;
  const mask = r.mask;
  assert(tail - r.head <= mask, "ring of a link overflows");
  const e = r.items + ((<usize>(tail & mask)) << 4);
  store<u64>(e, at);
  store<u64>(e, ((<u64>b) << 32) | a, 8);
  r.tail = tail + 1;
}

/** Puts an item before those that are later. */
export function ringPlace(r: Ring, at: u64, a: u32, b: u32): void {
  ringPut(r, at, a, b);
  for (let i = r.tail - 1; i != r.head; i--) {
    const e = r.items + ((<usize>(i & r.mask)) << 4);
    const before = r.items + ((<usize>((i - 1) & r.mask)) << 4);
    if (load<u64>(before) <= at) return;
    memory.copy(e, before, 16);
    store<u64>(before, at);
    store<u32>(before, a, 8);
    store<u32>(before, b, 12);
  }
}

// @ts-ignore: decorator
@inline
export function ringItem(r: Ring, index: u32): usize {
  return r.items + ((<usize>(index & r.mask)) << 4);
}

// @ts-ignore: decorator
@inline
export function ringHead(r: Ring): usize {
  return ringItem(r, r.head);
}

// @ts-ignore: decorator
@inline
export function ringDue(r: Ring): u64 {
  return r.head == r.tail ? NEVER : load<u64>(ringHead(r));
}

/**
 * Builds the link of a side. Queue `landings` of a direction takes posted writes that ask for it, by
 * requester.
 */
export function buildWays(side: u32): void {
  for (let dir: u32 = 0; dir < 2; dir++) {
    const w = way(side, dir);
    memory.fill(changetype<usize>(w), 0, 512);
    w.ticksPerByte = p(side, dir == UP ? S_PCIE_TICKS_PER_BYTE : S_PCIE_DOWN_TICKS_PER_BYTE);
    w.flight = p(side, S_PCIE_FLIGHT);
    w.limit = p(side, S_PCIE_LIMIT);
    w.skpPeriod = p(side, S_PCIE_SKP_PERIOD);
    w.skpTicks = p(side, S_PCIE_SKP_TICKS);
    w.skpNext = w.skpPeriod == 0 ? NEVER : w.skpPeriod;
    w.dllpDue = NEVER;
    w.nakDue = NEVER;
    w.errors = p(side, S_PCIE_ERRORS);
    w.seed = mix(p32(side, S_MEM_SEED), side * 2 + dir);
    w.downAt = p(side, S_PCIE_DOWN_FOR) == 0 ? NEVER : p(side, S_PCIE_DOWN_AT);
    w.downUntil = w.downAt + p(side, S_PCIE_DOWN_FOR);
    w.ahead = packetAtATime(side) ? 0 : w.limit + 1;
    w.request = p32(side, S_PCIE_REQUEST_BYTES);
    w.completion = p32(side, S_PCIE_COMPLETION_BYTES);
    w.phAll = w.ph = p32(side, dir == UP ? S_PCIE_PH : S_PCIE_DOWN_PH);
    w.pdAll = w.pd = p32(side, dir == UP ? S_PCIE_PD : S_PCIE_DOWN_PD);
    w.nphAll = w.nph = p32(side, S_PCIE_NPH);
    w.npdAll = w.npd = p32(side, S_PCIE_NPD);
    w.replayAll = w.replay = p32(side, S_PCIE_REPLAY_BYTES);
    w.dll = p32(side, S_PCIE_DLL);
    w.pad = p32(side, S_PCIE_UNPADDED) != 0 ? 0 : 3;
    w.issue = p32(side, S_WRITE_ISSUE);
    w.orderly = dir == DOWN || inOrder(side) ? 1 : 0;
    w.issueTicks = w.orderly != 0 && p(side, S_CARD_DEN) == 1 ? w.issue * p(side, S_CARD_NUM) : 0;
    w.mps = p32(side, S_PCIE_MPS);
    w.mrrs = p32(side, S_PCIE_MRRS);
    w.rcb = p32(side, S_PCIE_RCB);
    w.combineAbove = p32(side, S_PCIE_COMBINE_ABOVE);
    const base = (side * 2 + dir) * 4;
    w.endlessP = w.ph == CREDITS_ENDLESS && w.pd == CREDITS_ENDLESS ? 1 : 0;
    w.endlessN = w.nph == CREDITS_ENDLESS ? 1 : 0;
    // a packet holds 12 bytes of replay buffer or more; what is freed was taken by a header and a data unit;
    // three kinds of DLLP, each once a `limit`, are under way for a flight; without a limit each acknowledges
    // a packet that still holds its replay buffer
    w.sent = ring(base, w.replay / 12 + 1);
    w.freedP = ring(base + 1, w.endlessP != 0 ? 0 : w.ph < w.pd ? w.ph : w.pd);
    w.freedN = ring(base + 2, w.endlessN == 0 ? w.nph : w.npd == CREDITS_ENDLESS ? 0 : w.npd);
    const dllps: u32 = w.limit == 0 ? w.replay / 12 + 1 : <u32>((3 * w.flight) / w.limit);
    w.returns = ring(base + 3, RETURNS_KEPT + 8 + dllps);
  }
}

/**
 * Packets of a port land, the last of a landing or not; returns when all since the last landing have. With
 * relaxed ordering the last packet need not be the last to land.
 */
export function landsBy(w: Way, index: u32, at: u64, last: bool): u64 {
  const group = changetype<usize>(w) + offsetof<Way>("landing") + (index << 3);
  if (load<u64>(group) > at) at = load<u64>(group);
  store<u64>(group, last ? 0 : at);
  return at;
}

/** Puts an argument into the queue that takes the landings of a direction with these flags. */
export function landed(side: u32, dir: u32, flags: u32, cookie: u32, t: u64): void {
  pushSooner(load<u32>(LANDINGS + ((side * 16 + dir * 8 + flags) << 2)), cookie, t);
}

/** Names the queue that takes the landings of posted writes of a direction whose flags are `flags` (1..7). */
export function setLanding(side: u32, dir: u32, flags: u32, queue: u32): void {
  store<u32>(LANDINGS + ((side * 16 + dir * 8 + flags) << 2), queue);
}

/** Credits and replay bytes that are not home. */
export function waysOut(side: u32): u32 {
  let n: u32 = 0;
  for (let dir: u32 = 0; dir < 2; dir++) {
    const w = way(side, dir);
    n += w.phAll - w.ph + (w.pdAll - w.pd) + (w.nphAll - w.nph) + (w.replayAll - w.replay);
    n += w.npdAll - w.npd;
  }
  return n;
}

/**
 * Whether something may come between two packets of a transaction that is not due a `limit` before: a NAK, a
 * link that goes down; or the books close while other I/O goes on beside a migration (which alone has
 * messages), and count what has begun by then.
 */
function packetAtATime(side: u32): bool {
  if (p(side, S_PCIE_ERRORS) != 0 || p(side, S_PCIE_DOWN_FOR) != 0 || st(ST_DEPTH) != 0) return true;
  return p(side, S_TEN_KIND) != TENANT_OFF && p(side, S_PCIE_TAGS_VSOCK) != 0;
}

/** Credits and acknowledgements that have arrived by t. */
export function collect(w: Way, t: u64): void {
  if (w.dll != DLL_EXPLICIT) {
    collectFreed(w, w.freedP, KIND_P, t);
    collectFreed(w, w.freedN, KIND_N, t);
  }
  const r = w.returns;
  while (r.head != r.tail) {
    const e = ringHead(r);
    if (load<u64>(e) > t) break;
    const a = load<u32>(e, 8);
    const kind = a >> 30;
    const n = a & 0x3fffffff;
    if (kind == KIND_ACK) w.replay += n;
    else if (kind == KIND_NAK) w.stuck = 0;
    else if (kind == KIND_P) {
      w.ph += n;
      w.pd += load<u32>(e, 12);
    } else {
      w.nph += n;
      w.npd += load<u32>(e, 12);
    }
    r.head++;
    within(w, t);
  }
}

/** No pool holds more than it began with: a credit below zero shows here too, as 2^32 less something. */
function within(w: Way, t: u64): void {
  if (w.ph > w.phAll) broken(I_CREDITS, w.ph, w.phAll, t);
  if (w.pd > w.pdAll) broken(I_CREDITS, w.pd, w.pdAll, t);
  if (w.nph > w.nphAll) broken(I_CREDITS, w.nph, w.nphAll, t);
  if (w.npd > w.npdAll) broken(I_CREDITS, w.npd, w.npdAll, t);
  if (w.replay > w.replayAll) broken(I_CREDITS, w.replay, w.replayAll, t);
}

/** Without a data link layer credits come back one flight after they are freed. */
function collectFreed(w: Way, r: Ring, kind: u32, t: u64): void {
  while (r.head != r.tail && (t == NEVER || load<u64>(ringHead(r)) + w.flight <= t)) {
    if (kind == KIND_P) {
      w.ph += load<u32>(ringHead(r), 8);
      w.pd += load<u32>(ringHead(r), 12);
    } else {
      w.nph += load<u32>(ringHead(r), 8);
      w.npd += load<u32>(ringHead(r), 12);
    }
    r.head++;
    within(w, t);
  }
}

/** Hands the counts of TLPs over to the counters. */
export function flushPcie(side: u32): void {
  for (let dir: u32 = 0; dir < 2; dir++) {
    const w = way(side, dir);
    count(side, dir == UP ? C_UP_TLPS : C_DOWN_TLPS, w.tlps);
    count(side, dir == UP ? C_UP_TLP_BYTES : C_DOWN_TLP_BYTES, w.tlpBytes);
    count(side, dir == UP ? C_UP_DATA_BYTES : C_DOWN_DATA_BYTES, w.dataBytes);
    w.tlps = 0;
    w.tlpBytes = 0;
    w.dataBytes = 0;
  }
}
