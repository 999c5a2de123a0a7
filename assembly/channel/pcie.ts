// SPDX-License-Identifier: Apache-2.0
// PCIe link between a card and its host: one transmitter a direction, one transaction-layer packet (TLP) at a
// time.
//
// Models: posted, non-posted and completion TLPs with their bytes on the wire, credits (PH, PD, NPH, NPD),
//   the replay buffer, ACK and UpdateFC DLLPs on the opposite wire, SKP ordered sets, completion splitting,
//   ordering.
// In and out: takes transactions from the ports of its direction; reads go to the root complex (server
//   MEMORY_READ) and come back as completions of the down port; posted writes land through `landings`,
//   answers through the requester's queue.
// How long: a TLP holds the wire for bytes x ticksPerByte; bytes = 24 + 4*ceil(n/4) (MWr, 64-bit address), 24
//   (MRd), 24 + operands (AtomicOp), 20 + 4*ceil(n/4) (CplD): 8 bytes of framing, sequence number and LCRC
//   with a 16- or 12-byte header. It is at the other end one flight time after its last byte. Priority at
//   each boundary: SKP due > ACK due > UpdateFC due > TLP; TLP classes posted, non-posted, completion in
//   turn, requesters of a class in turn; the packets of one transaction follow each other as long as they
//   are ready. ACK and UpdateFC are due `limit` after the first unacknowledged arrival or the first freed
//   credit, and cover everything up to the moment they are sent; each DLLP is 8 bytes. A completion is cut
//   at multiples of RCB, or of MPS when the request is longer than `combineAbove`.
// A TLP that arrives spoilt is sent again when its NAK has come back; while the link is down
//   nothing is sent.
// Leaves out: packets sent between a spoilt one and its NAK (they are thrown away), spoilt DLLPs, power
//   states, relaxed ordering on the wire (kernel/root has it), VCs; credits of completions are
//   infinite (the requester throttles itself by its completion buffer).
// Numbers: PCIe Base Specification 3.0 sections 2.6, 3.4, 3.5, 4.2.7; bytes a TLP as in pcie-bench
//   (SIGCOMM'18).
import {
  A_DOWN,
  A_UP,
  BUSY,
  CREDITS_ENDLESS,
  C_DOWN_REPLAYS,
  C_DOWN_SKP,
  C_UP_REPLAYS,
  C_UP_SKP,
  DLL_EXPLICIT,
  DLL_NONE,
  R_DATA,
  R_SCAN,
  R_TENANT,
  STARVED,
  S_MEM_ATOMIC,
  T_SKP,
  T_SPOILT,
  T_TLP,
  W_REPLAY,
} from "../abi";
import { hasAtc } from "../kernel/atc";
import { marksReached } from "../kernel/bitmap-scan";
import {
  ATOMIC,
  DOWN_COMPLETION,
  DOWN_POSTED,
  Entry,
  Port,
  REQUESTERS,
  UP_POSTED,
  UP_READ,
  UP_TRANSLATE,
  answer,
  busRule,
  port,
  portHead,
  put,
  take,
} from "../kernel/port";
import { after, freed, freedInOrder, min3, owes, owesNak, sendDue, unitOf } from "../kernel/dllp";
import { filled, postedGone, setPostedGone, setWireFree } from "../kernel/order";
import { p } from "../kernel/params";
import {
  COMPLETION,
  NON_POSTED,
  POSTED,
  classOf,
  cut,
  dataBytes,
  gate,
  unitFor,
  wireBytes,
} from "../kernel/packet";
import { mix } from "../kernel/random";
import { wake } from "../kernel/schedule";
import { readAt, startedAt, translationAt, walkedAt, writeAt, writeInOrder } from "../kernel/root";
import { count, enter, enterUntil } from "../kernel/stats";
import { cookieOf } from "../kernel/tags";
import { NEVER, edgeAfter, edgeAt } from "../kernel/time";
import { happened } from "../kernel/timeline";
import { choose, chosen, portsOf } from "../kernel/turns";
import { DOWN, UP, Way, collect, landed, landsBy, ringDue, ringHead, ringPut, way } from "../kernel/way";

// --- the transmitter ---

/** Steps the transmitter of a direction at t. */
export function stepPcie(side: u32, dir: u32, t: u64): void {
  const w = way(side, dir);
  if (t < w.free) {
    again(side, dir, w.free);
    return;
  }
  const account = dir == UP ? A_UP : A_DOWN;
  const dllp = t >= w.dllpDue;
  if (w.stuck != 0 && !dllp && isStuck(w, t)) {
    enter(side, account, W_REPLAY, t);
    w.waits = 1;
    idle(side, dir, w, t);
    return;
  }
  if (!dllp) {
    const cause = choose(side, dir, w, t);
    if (chosen == 0) {
      enter(side, account, cause, t);
      w.waits = cause == STARVED ? 0 : 1;
      idle(side, dir, w, t);
      return;
    }
  }
  w.waits = 0;
  if (t >= w.downAt && t < w.downUntil) {
    enter(side, account, W_REPLAY, t);
    again(side, dir, w.downUntil);
    return;
  }
  enter(side, account, BUSY, t);
  if (w.skpNext <= t && skp(side, dir, w, t)) return;
  if (dllp) sendDue(side, dir, w, t);
  else send(side, dir, w, t);
  setWireFree(side, dir, w.free);
  let next = soonest(side, dir);
  if (next > w.free) {
    // nothing to send then: due again with the next transaction, or the next DLLP
    enterUntil(side, account, BUSY, t, w.free, STARVED);
    if (w.dllpDue < next) next = w.dllpDue;
    if (next == NEVER) return;
  }
  again(side, dir, next > w.free ? next : w.free);
}

/** True while the NAK of a spoilt packet is still to come. */
function isStuck(w: Way, t: u64): bool {
  collect(w, t);
  return w.stuck != 0;
}

/** When the first transaction of a direction may go, as far as time decides; NEVER when there is none. */
// @ts-ignore: decorator
@inline
function soonest(side: u32, dir: u32): u64 {
  let mask = filled(side) & portsOf(dir);
  let best = NEVER;
  while (mask != 0) {
    const at = portHead(port(side, <u32>ctz<u32>(mask))).ready;
    mask &= mask - 1;
    if (at < best) best = at;
  }
  return best;
}

// @ts-ignore: decorator
@inline
function again(side: u32, dir: u32, t: u64): void {
  wake(side, unitOf(dir), t);
}

/** Nothing can be sent: due again when something becomes ready or due. */
function idle(side: u32, dir: u32, w: Way, t: u64): void {
  let due = w.dllpDue;
  if (w.waits == 0) {
    // credits and acknowledgements that come now are taken when something is to be sent
  } else {
    if (w.dll != DLL_EXPLICIT)
      due = min3(due, after(ringDue(w.freedP), w.flight), after(ringDue(w.freedN), w.flight));
    due = min3(due, ringDue(w.returns), NEVER);
  }
  let mask = filled(side) & portsOf(dir);
  while (mask != 0) {
    const at = portHead(port(side, <u32>ctz<u32>(mask))).ready;
    mask &= mask - 1;
    if (at > t && at < due) due = at;
  }
  if (due != NEVER) again(side, dir, due);
}

/** An SKP ordered set that is due at t, or under way at t, holds the wire until it has passed. */
function skp(side: u32, dir: u32, w: Way, t: u64): bool {
  if (w.skpPeriod == 0 || w.skpNext > t) return false;
  const passed = t - w.skpNext;
  if (passed > w.skpTicks) {
    // every SKP but the last fell wholly into idle time, unless the wire was busy at its time
    const whole = (passed - w.skpTicks) / w.skpPeriod;
    if (w.skpNext + whole * w.skpPeriod > w.free) w.skpNext += whole * w.skpPeriod;
  }
  while (w.skpNext <= t) {
    const start = w.skpNext > w.free ? w.skpNext : w.free;
    w.free = start + w.skpTicks;
    w.skpNext += w.skpPeriod;
    if (w.free > t) {
      count(side, dir == UP ? C_UP_SKP : C_DOWN_SKP, 1);
      happened(T_SKP, side, dir, start, <u32>w.skpTicks, 0, 0);
      again(side, dir, w.free);
      return true;
    }
  }
  return false;
}

// --- transactions ---

/** Sends the chosen transaction from t on. */
function send(side: u32, dir: u32, w: Way, t: u64): void {
  const index = chosen - 1;
  const q = port(side, index);
  const e = portHead(q);
  const cls = classOf(index);
  w.classNext = cls == COMPLETION ? POSTED : cls + 1;
  if (cls == POSTED) sendData(side, dir, w, q, e, POSTED, index, t);
  else if (cls == COMPLETION) sendData(side, dir, w, q, e, COMPLETION, index, t);
  else {
    const operand = dataBytes(w, cls, e);
    const bytes = wireBytes(w, cls, operand);
    if (w.errors != 0 && spoilt(side, dir, w, index, bytes, t)) return;
    if (w.begun == index + 1) w.begun = 0;
    const free = t + bytes * w.ticksPerByte;
    if (isDefined(TIMELINE)) happened(T_TLP, side, index, t, bytes, e.bytes, e.cookie);
    w.free = free;
    w.tlps++;
    w.tlpBytes += bytes;
    w.dataBytes += operand;
    if (w.dll != DLL_NONE) {
      w.replay -= bytes;
      unacknowledged(side, dir, w, flown(w, free), bytes);
    }
    sendRead(side, w, q, e, flown(w, free), index);
  }
}

/**
 * The packets of a completion or a page of writes follow back to back as long as their gates are open:
 * nothing can come between before a DLLP or SKP is due, and a DLLP that is not owed yet cannot be due within
 * `limit`; where it can, each packet is a step (`ahead` 0).
 */
// @ts-ignore: decorator
@inline
function sendData(side: u32, dir: u32, w: Way, q: Port, e: Entry, cls: u32, index: u32, t: u64): void {
  const all = e.bytes;
  const from = <u32>e.address;
  const unit = unitFor(w, cls, e);
  const limited = cls == POSTED && w.endlessP == 0;
  let stop = w.dllpDue < w.skpNext ? w.dllpDue : w.skpNext;
  if (t + w.ahead < stop) stop = t + w.ahead;
  let done: u32 = e.done;
  let n = cut(unit, from + done, all - done);
  let bytes = wireBytes(w, cls, n);
  if (w.errors != 0 && spoilt(side, dir, w, index, bytes, t)) return;
  if (cls == POSTED && dir == UP) busRule(e.after == postedGone(side), e.after, postedGone(side));
  let ready = e.ready;
  let replay = w.replay;
  let ph = w.ph;
  let pd = w.pd;
  let arrival: u64 = 0;
  let free = t;
  let packets: u32 = 0;
  let total: u32 = 0;
  while (true) {
    if (isDefined(TIMELINE)) happened(T_TLP, side, index, free, bytes, n, e.cookie);
    free += bytes * w.ticksPerByte;
    arrival = flown(w, free);
    packets++;
    total += bytes;
    busRule(n <= w.mps, n, w.mps);
    if (w.dll != DLL_NONE) {
      replay -= bytes;
      unacknowledged(side, dir, w, arrival, bytes);
    }
    done += n;
    if (cls == POSTED) {
      const units = (n + 15) >> 4;
      ph--;
      pd -= units;
      arrival = receive(side, dir, w, e, done, n, units, arrival, index);
      if (done != all) ready = issueAfter(side, w, ready);
    }
    if (done == all || free >= stop || ready > free) break;
    n = cut(unit, from + done, all - done);
    bytes = wireBytes(w, cls, n);
    if (replay < bytes || (limited && (ph < 1 || pd < (n + 15) >> 4))) break;
  }
  w.free = free;
  w.tlps += packets;
  w.tlpBytes += total;
  w.dataBytes += done - e.done;
  w.replay = replay;
  if (limited) w.ph = ph;
  if (limited) w.pd = pd;
  w.begun = done == all ? 0 : index + 1;
  if (done != all) {
    e.done = <u16>done;
    e.ready = ready;
    return;
  }
  gone(side, dir, q, e, cls, index, arrival);
}

/** The last packet of a transaction has been sent: its answer is complete, or what it wrote lands. */
// @ts-ignore: decorator
@inline
function gone(side: u32, dir: u32, q: Port, e: Entry, cls: u32, index: u32, arrival: u64): void {
  if (cls == COMPLETION) {
    answer(side, e.flags & 255, e.cookie, e.bytes, arrival);
  } else {
    if (dir == UP) setPostedGone(side, e.after + 1);
    if (e.flags != 0) landed(side, dir, e.flags, e.cookie, arrival);
  }
  take(q, index);
}

/** A TLP that arrives at `arrival` is kept in the replay buffer until it is acknowledged. */
// @ts-ignore: decorator
@inline
function unacknowledged(side: u32, dir: u32, w: Way, arrival: u64, bytes: u32): void {
  const sent = w.sent;
  if (sent.head == sent.tail) owes(side, 1 - dir, arrival);
  ringPut(sent, arrival, bytes, 0);
}

/**
 * Draws whether a TLP of `bytes` arrives spoilt. Then it has taken its time on the wire, and nothing but
 * DLLPs follows until its NAK has come back: what a transmitter sends meanwhile is thrown away.
 */
function spoilt(side: u32, dir: u32, w: Way, index: u32, bytes: u32, t: u64): bool {
  if (<u64>mix(w.seed, w.drawn++) >= (bytes * w.errors) >> 16) return false;
  w.free = t + bytes * w.ticksPerByte;
  happened(T_SPOILT, side, index, t, bytes, 0, 0);
  w.begun = index + 1;
  w.stuck = 1;
  w.waits = 1;
  w.tlps++;
  w.tlpBytes += bytes;
  count(side, dir == UP ? C_UP_REPLAYS : C_DOWN_REPLAYS, 1);
  owesNak(side, 1 - dir, w, w.free + w.flight);
  return true;
}

/** When the last byte of a packet that leaves at `free` is at the other end. */
// @ts-ignore: decorator
@inline
function flown(w: Way, free: u64): u64 {
  return free + w.flight;
}

function sendRead(side: u32, w: Way, q: Port, e: Entry, arrival: u64, index: u32): void {
  busRule(e.bytes <= w.mrrs, e.bytes, w.mrrs);
  busRule(((<u32>e.address) & 4095) + e.bytes <= 4096, e.address, e.bytes);
  busRule(<i32>(e.after - postedGone(side)) <= 0, e.after, postedGone(side));
  const asks = index == UP_TRANSLATE;
  if (!asks) w.readNext = index - UP_READ + 1 == REQUESTERS ? 0 : index - UP_READ + 1;
  let there = asks ? translationAt(side, e.address, arrival) : readAt(side, e.address, e.bytes, arrival);
  if ((e.flags & ATOMIC) != 0) there += p(side, S_MEM_ATOMIC);
  const units: u32 = (e.flags & ATOMIC) != 0 && w.npdAll != CREDITS_ENDLESS ? 1 : 0;
  const headers = 1 - w.endlessN;
  if (headers + units != 0) {
    w.nph -= headers;
    w.npd -= units;
    freed(side, UP, w, w.freedN, asks ? walkedAt(side) : startedAt(side), headers, units);
  }
  if (index == UP_READ + R_TENANT && (e.flags & 255) == R_SCAN) marksReached(cookieOf(side, e.cookie), there);
  put(side, DOWN_COMPLETION, e.address, e.bytes, e.cookie, e.flags, there);
  take(q, index);
}

/** When the engine hands over the write after the one of `ready`: `writeIssue` clocks later. */
// @ts-ignore: decorator
@inline
function issueAfter(side: u32, w: Way, ready: u64): u64 {
  if (w.issueTicks != 0) return ready + w.issueTicks;
  // a translation came between edges
  return edgeAfter(side * 2, w.orderly == 0 && hasAtc(side) ? edgeAt(side * 2, ready) : ready, w.issue);
}

/**
 * A write of n bytes is received, with which `done` of its transaction have been; returns when it has landed
 * and its credits are free.
 */
// @ts-ignore: decorator
@inline
function receive(
  side: u32,
  dir: u32,
  w: Way,
  e: Entry,
  done: u32,
  n: u32,
  units: u32,
  arrival: u64,
  index: u32,
): u64 {
  busRule(((<u32>e.address + done - n) & 4095) + n <= 4096, e.address, n);
  if (w.orderly == 0) return passes(side, w, e, done, n, units, arrival, index);
  const at = dir == UP ? writeInOrder(side, n, arrival) : arrival;
  if (w.endlessP == 0) freedInOrder(side, dir, w, at, units);
  return at;
}

/** A write that may land before or after its neighbours: with an IOMMU, or with contention for memory. */
function passes(side: u32, w: Way, e: Entry, done: u32, n: u32, units: u32, arrival: u64, index: u32): u64 {
  // a page and other I/O are data, messages and descriptors are control
  const data = index == UP_POSTED + R_DATA || index == UP_POSTED + R_TENANT;
  const at = writeAt(side, e.address + (done - n), n, arrival, data);
  if (w.endlessP == 0) freed(side, UP, w, w.freedP, at, 1, units);
  return landsBy(w, index - UP_POSTED, at, done == e.bytes && e.flags != 0);
}

/** After the drain: takes the credits and acknowledgements that nobody has needed yet. */
export function settlePcie(side: u32): void {
  collect(way(side, UP), NEVER);
  collect(way(side, DOWN), NEVER);
}
