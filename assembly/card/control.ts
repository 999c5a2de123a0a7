// SPDX-License-Identifier: Apache-2.0
// Control processor: the cores that run the card's firmware.
//
// Models: cores of equal speed, handlers that run to completion, queues of what waits for a handler.
// In and out: Q_EVENT (messages and control records), Q_RECORD (pages coded or records received), Q_FOUND
//   (page jobs that need descriptors), Q_ADDRESS (address batches). What a handler does happens when it ends
//   (firmware/).
// How long, in cycles of the control clock: interrupt I; round end E, a look at what compression gains as
//   well; page record R, and `returnCycles` of the encoder's preset for a page that it has handed back;
//   descriptor batch D for up to `descriptorBatch` pages; address batch A + B for each page of it. A handler
//   begins at a clock edge.
// Order: round ends and messages, then what datagrams need (kernel/datagrams), page records, descriptors,
//   addresses; a handler is not begun unless what it will produce has room. Behind all of them come stages of
//   pages that a placement puts here (board-cores).
// Leaves out: caches of the cores, interrupt nesting, polling loops.
// Numbers: card preset `control.*`.
import {
  A_CORE,
  BLOCKED,
  BUSY,
  C_REDONE,
  F_ADDRESSES,
  F_DESCRIPTORS,
  F_INTERRUPT,
  F_PAGE_RECORD,
  F_ROUND_END,
  G_ENCRYPT_BITS,
  Q_ADDRESS,
  Q_EVENT,
  Q_FETCH,
  Q_FOUND,
  Q_FRAME,
  Q_OPEN,
  Q_OWN,
  Q_PENDING,
  Q_PLACE,
  Q_READ,
  Q_RECORD,
  Q_SCAN,
  Q_SEAL,
  Q_UNLZ,
  STARVED,
  S_CORES,
  S_CTL_ADDRESS,
  S_CTL_ADDRESS_PAGE,
  S_CTL_DESC,
  S_CTL_INTERRUPT,
  S_CTL_RECORD,
  S_CTL_ROUND_END,
  S_DESC_BATCH,
  S_DESC_RING_ON_HOST,
  S_LZ_RETURN,
  S_READ_QUEUES,
  T_STAGE,
  U_CONTROL,
} from "../abi";
import { buildCores, occupy, running } from "../kernel/cores";
import { charged, workOn } from "../kernel/datagrams";
import { deferring } from "../kernel/deferred";
import { EVENT_MESSAGE, head, hold, pop, popReady, queue, ready, readyCount, lacks } from "../kernel/fifo";
import { CODED, FROM_STORE, JOB_DEVICE, JOB_PAGE, JOB_ZERO, Job, RETURNED, job } from "../kernel/jobs";
import { ON_CARD, message } from "../kernel/message";
import { g32, p32 } from "../kernel/params";
import { POOL_CORES, busyOf, engineFree, engineJob, engineStart, idleOf, rest } from "../kernel/pool";
import { restartAt, upAt } from "../kernel/restart";
import { hostDecodes, hostOpens, hostStages, sealedByHost } from "../kernel/ring";
import { wake } from "../kernel/schedule";
import { count, enterUntil } from "../kernel/stats";
import { edgeAfter } from "../kernel/time";
import { happened } from "../kernel/timeline";

const TURN = memory.data(8, 8);

export function buildControl(side: u32): void {
  buildCores(side);
  store<u32>(TURN + (side << 2), 0);
}

/** What the core that retired last had run: its handler, and what that was begun with. */
export let retiredHandler: u32 = 0;
export let retiredArgument: u32 = 0;
export let retiredCount: u32 = 0;
export let retiredQueue: u32 = 0;

/** Takes what a core has run that has ended. */
export function retire(side: u32, core: u32): void {
  engineFree(side, POOL_CORES, core);
  const at = running(side, core);
  retiredHandler = load<u32>(at);
  retiredArgument = engineJob(side, POOL_CORES, core);
  retiredCount = load<u32>(at, 4);
  retiredQueue = load<u32>(at, 8);
}

/** Begins handlers on idle cores at the control clock edge t. */
export function dispatch(side: u32, t: u64): void {
  for (let idle = idleOf(side, POOL_CORES, 0, p32(side, S_CORES)); idle != 0; idle &= idle - 1) {
    const c = <u32>ctz<u32>(idle);
    const state = dispatchEvent(side, c, t);
    if (state == BUSY || (charged && workOn(side, c, t))) continue;
    const record = dispatchRecord(side, c, t);
    if (record == BUSY) continue;
    const found = dispatchFound(side, c, t);
    if (found == BUSY) continue;
    const address = dispatchAddress(side, c, t);
    if (address == BUSY) continue;
    const blocked = record == BLOCKED || found == BLOCKED || address == BLOCKED;
    // what one core could not begin, the next cannot either
    rest(side, POOL_CORES, A_CORE, idle, blocked ? BLOCKED : STARVED, t);
    return;
  }
}

/** Whether the processor is down at t; what its cores ran when it went down begins anew when it is up. */
export function isDown(side: u32, t: u64): bool {
  const state = restartAt(side, t);
  if (state == 0) return false;
  if (state == 2) return true;
  const up = upAt(side);
  const n = p32(side, S_CORES);
  rest(side, POOL_CORES, A_CORE, idleOf(side, POOL_CORES, 0, n), BLOCKED, t);
  for (let busy = busyOf(side, POOL_CORES, 0, n); busy != 0; busy &= busy - 1) {
    const c = <u32>ctz<u32>(busy);
    const at = running(side, c);
    const done = edgeAfter(side * 2 + 1, up, load<u32>(at, 12));
    engineStart(side, POOL_CORES, c, engineJob(side, POOL_CORES, c), done);
    count(side, C_REDONE, 1);
    if (isDefined(TIMELINE))
      happened(T_STAGE, side, U_CONTROL, up, engineJob(side, POOL_CORES, c), done, load<u32>(at));
    enterUntil(side, A_CORE + c, BLOCKED, t, up, BUSY);
    wake(side, U_CONTROL, done);
  }
  return true;
}

function start(side: u32, core: u32, handler: u32, argument: u32, n: u32, q: u32, cycles: u32, t: u64): u32 {
  occupy(side, core, handler, argument, n, q, cycles, t);
  return BUSY;
}

function dispatchEvent(side: u32, core: u32, t: u64): u32 {
  const q = queue(side, Q_EVENT);
  if (!ready(q, t)) return STARVED;
  const argument = pop(q);
  if ((argument & EVENT_MESSAGE) != 0)
    return start(side, core, F_INTERRUPT, argument, 1, 0, p32(side, S_CTL_INTERRUPT), t);
  return start(side, core, F_ROUND_END, argument, 1, 0, p32(side, S_CTL_ROUND_END), t);
}

function dispatchRecord(side: u32, core: u32, t: u64): u32 {
  const own = queue(side, Q_OWN);
  const q = ready(own, t) ? own : queue(side, Q_RECORD);
  if (!ready(q, t)) return STARVED;
  const index = head(q);
  const to = behindRecord(side, job(side, index));
  if (lacks(queue(side, to), 1)) return BLOCKED;
  hold(queue(side, to), 1);
  pop(q);
  let cycles = p32(side, S_CTL_RECORD);
  if ((job(side, index).flags & RETURNED) != 0) {
    job(side, index).flags &= ~RETURNED;
    cycles += p32(side, S_LZ_RETURN);
  }
  return start(side, core, F_PAGE_RECORD, index, 1, to, cycles, t);
}

/**
 * Where a record goes when its handler has ended: the source seals or frames, the destination opens or
 * places; a page that is decrypted later, or by the host, is placed as it is.
 */
function behindRecord(side: u32, j: Job): u32 {
  const sealed = g32(G_ENCRYPT_BITS) != 0;
  if (j.link == 0) {
    const done = (j.flags & FROM_STORE) != 0 || sealedByHost(j);
    return sealed && !done ? Q_SEAL : Q_FRAME;
  }
  if (hostStages != 0 && (hostOpens(j) || (!sealed && hostDecodes(j)))) return Q_PLACE;
  if (sealed) return deferring && j.kind == JOB_PAGE ? Q_PLACE : Q_OPEN;
  if (j.kind == JOB_PAGE || j.kind == JOB_DEVICE) return (j.flags & CODED) != 0 ? Q_UNLZ : Q_PLACE;
  return j.kind == JOB_ZERO ? Q_PLACE : Q_EVENT;
}

function dispatchFound(side: u32, core: u32, t: u64): u32 {
  const q = queue(side, Q_FOUND);
  if (!ready(q, t)) return STARVED;
  const turn = load<u32>(TURN + (side << 2));
  const to = queue(side, Q_READ + turn);
  if (lacks(to, 1) || lacks(queue(side, Q_FETCH), 1)) return BLOCKED;
  const n = readyCount(q, t, p32(side, S_DESC_BATCH));
  if (lacks(to, n) || lacks(queue(side, Q_PENDING), n)) return BLOCKED;
  hold(to, n);
  if (p32(side, S_DESC_RING_ON_HOST) != 0) {
    hold(queue(side, Q_FETCH), 1);
    hold(queue(side, Q_PENDING), n);
  }
  store<u32>(TURN + (side << 2), turn + 1 == p32(side, S_READ_QUEUES) ? 0 : turn + 1);
  // the pages of the batch are taken now, in order, as a chain through the jobs
  const first = popReady(q, t);
  let last = first;
  for (let i: u32 = 1; i < n; i++) {
    const next = popReady(q, t);
    job(side, last).wait = next;
    last = next;
  }
  return start(side, core, F_DESCRIPTORS, first, n, turn, p32(side, S_CTL_DESC), t);
}

function dispatchAddress(side: u32, core: u32, t: u64): u32 {
  const q = queue(side, Q_ADDRESS);
  if (!ready(q, t)) return STARVED;
  if (lacks(queue(side, Q_SCAN), 1)) return BLOCKED;
  hold(queue(side, Q_SCAN), 1);
  const slot = pop(q);
  const pages = <u32>message(side, ON_CARD, slot).c;
  const cycles = p32(side, S_CTL_ADDRESS) + p32(side, S_CTL_ADDRESS_PAGE) * pages;
  return start(side, core, F_ADDRESSES, slot, pages, 0, cycles, t);
}
