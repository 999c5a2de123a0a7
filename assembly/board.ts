// SPDX-License-Identifier: Apache-2.0
// The breadboard: who is stepped when, and when a run ends. Units know queues and ports, never each other;
// what one makes another do is decided here and in board-wiring.ts.
import {
  CONTENT_SIZED,
  F_HEARD,
  F_STAGE,
  G_CONTENT,
  G_DELTA_SETS,
  G_DEVICE_BYTES,
  G_NET_PROPAGATION,
  G_NET_WINDOW,
  G_PAGES_OVER_VSOCK,
  G_QUANTUM,
  G_SERIES_WINDOW,
  I_DESTINATION_EQUALS_SOURCE,
  I_DEVICE_STATE,
  L_BOOKS,
  L_BROKEN_OFF,
  L_ENDED,
  L_REASON,
  L_RESUMED,
  L_STATUS,
  L_TOO_LATE,
  Q_USED,
  RECORDS_A_MAX,
  RECORDS_MAX,
  STATUS_COMPLETED,
  STATUS_FAILED,
  STATUS_RUNNING,
  STOP_DEADLOCK,
  STOP_DONE,
  STOP_INPUT,
  STOP_INVARIANT,
  STOP_UNTIL,
  S_CARD_DEN,
  S_CARD_NUM,
  S_CORES,
  S_CORE_STAGES,
  S_CTL_DEN,
  S_CTL_NUM,
  S_SRAM_SLOTS,
  UNITS,
  U_COMPRESS,
  U_CONTROL,
  U_DESC,
  U_DOWN,
  U_FRAMER,
  U_FRONTEND,
  U_FUNCTION,
  U_GUEST,
  U_MEMORY,
  U_NET_RX,
  U_NET_TX,
  U_OPEN,
  U_PLACE,
  U_READ,
  U_RECEIVE,
  U_SCANNER,
  U_SEAL,
  U_STORAGE,
  U_TENANT,
  U_UNLZ,
  U_UP,
  U_VSOCK,
  U_ZERO,
} from "./abi";
import { stepCompressor, stepDecompressor } from "./card/compressor";
import {
  dispatch,
  isDown,
  retire,
  retiredArgument,
  retiredCount,
  retiredHandler,
  retiredQueue,
} from "./card/control";
import { buildCrypto, stepOpen, stepSeal } from "./card/crypto";
import { stepDescriptors, stepRead } from "./card/dma";
import { buildDelta, stepDelta } from "./card/delta";
import { landFunctions, startFunctions, stepFunctions } from "./card/functions";
import { stepFramer, stepReceive } from "./card/framer";
import { landPages, stepPlacer } from "./card/placer";
import { stepBitmapScanner } from "./card/bitmap-scanner";
import { stepScanner } from "./card/scanner";
import { stepStorage } from "./card/storage";
import { buildTenant, startTenant, stepTenant, stopTenant } from "./card/tenant";
import { stepZero } from "./card/zero";
import { stepPcie } from "./channel/pcie";
import { stepVsock } from "./channel/vsock";
import { buildFirmware, onHandler, poll } from "./firmware/builtin";
import { stepFrontend } from "./host/frontend";
import { buildPlacing, stepPlacing } from "./host/placing";
import { endedAt, handledAt } from "./kernel/ending";
import { buildGuest, guestMoves, stepGuest, stepGuestThere, wantsInput } from "./host/guest";
import { buildBitmapScan, scans, serveMarks } from "./kernel/bitmap-scan";
import { guestStays, storageHome, storageOpen } from "./kernel/adapter";
import { buildAdapters } from "./kernel/adapter-state";
import { guestRuns, setGuestRuns } from "./kernel/dirty";
import { cutStalls } from "./kernel/dirty-log";
import { devices, endStalls, quiesceDevices } from "./kernel/device-writes";
import { fetchesReset } from "./kernel/fetch";
import { buildGuests, several } from "./kernel/guests";
import { fifosReset, pop, queue, ready } from "./kernel/fifo";
import { buildJobs } from "./kernel/jobs";
import { logReset, logged, note } from "./kernel/log";
import { arenaReset, arenaTop } from "./kernel/memory";
import { TO_CARD, buildMessages, freeMessage } from "./kernel/message";
import { buildDatagrams } from "./kernel/datagrams";
import { buildDeferred, deferring, firstNotThere, noteOpening } from "./kernel/deferred";
import { buildChoice } from "./kernel/choice";
import { buildDram } from "./kernel/dram";
import { ABSENT, buildPages, deltas, firstBehind, placedVersion } from "./kernel/pages";
import { g, g32, p, p32 } from "./kernel/params";
import { resetAt } from "./kernel/path";
import { buildFailing } from "./kernel/failing";
import { buildSealed } from "./kernel/sealed";
import { noRequest } from "./kernel/request";
import { buildRestart, restarting } from "./kernel/restart";
import { buildAgain } from "./kernel/again";
import { POOL_CORES, finished, poolsReset } from "./kernel/pool";
import { orderReset } from "./kernel/order";
import { buildResidual, firstOlder, firstUnknown, residual } from "./kernel/residual";
import { buildNumbers, buildRecords } from "./kernel/record";
import { buildStore } from "./kernel/record-store";
import { buildRing, hostStages } from "./kernel/ring";
import { leaveRound } from "./kernel/round";
import {
  clockOf,
  earliest,
  forgetDue,
  nextDue,
  nextPresent,
  scheduleReset,
  setCurrent,
  setDue,
  setNow,
  somePresent,
  wake,
} from "./kernel/schedule";
import { settleServers } from "./kernel/server";
import { buildStorage, endDriver } from "./kernel/storage";
import { stateRoom } from "./kernel/storage-params";
import { broken, brokenInvariant, closeBooks, standStill, statsReset } from "./kernel/stats";
import { LINK_A, LINK_B, buildStream, stream } from "./kernel/stream";
import { NEVER, NO_CLOCK, edgeAt, setDomain } from "./kernel/time";
import { timelineReset } from "./kernel/timeline";
import { buildTrouble } from "./kernel/trouble";
import { buildTouch, guestLeaves, justResumed, resumeSeen } from "./kernel/touch";
import { buildTracker } from "./kernel/tracker";
import { DOWN, UP, flushPcie } from "./kernel/way";
import { beginStages, endStage } from "./board-cores";
import { guestThere } from "./board-guests";
import { buildHome, deviceOnce, differingDevice, whatIsOut } from "./board-home";
import { buildNet, handshakeTicks, linkLost, recover, shutLink, stepRx, stepTx } from "./board-net";
import { buildEncoder, buildKeys, wireQueues, wirePorts, buildUnits } from "./board-wiring";

/** Why build() refused: 0 built, 1 memory, 2 compressor parameters. */
export const BUILD_OK: u32 = 0;
export const BUILD_MEMORY: u32 = 1;
export const BUILD_COMPRESSOR: u32 = 2;

/** Time at which the books are closed, NEVER while the migration runs. */
let endAt: u64 = NEVER;
/** Local clock up to which both sides have run. */
let clock: u64 = 0;
let draining: bool = false;
/** True when the destination's card has been reset. */
let wasReset: bool = false;

// last time the naive scheduler visited each side
const VISITED = memory.data(16, 8);

// --- building ---

/** Nothing of a run before is left. */
function clearAll(): void {
  arenaReset();
  statsReset();
  scheduleReset();
  memory.fill(VISITED, 0, 16);
  fifosReset();
  poolsReset();
  orderReset();
  fetchesReset();
  logReset(g(G_SERIES_WINDOW));
  timelineReset();
}

/** Builds the board from the parameter block; BUILD_OK or why it cannot be. Everything is laid out here. */
export function build(): u32 {
  clearAll();
  buildTrouble();
  buildHome();
  buildGuests();
  endAt = NEVER;
  clock = 0;
  draining = false;
  wasReset = false;
  const bodies = g32(G_CONTENT) != CONTENT_SIZED || g32(G_DELTA_SETS) != 0;
  buildTouch();
  if (!buildPages() || !buildTracker() || !buildResidual() || !buildGuest(bodies)) return BUILD_MEMORY;
  if (!buildDeferred() || !buildStore() || !buildStorage() || !buildBitmapScan()) return BUILD_MEMORY;
  buildMessages(bodies && g32(G_PAGES_OVER_VSOCK) != 0);
  buildPlacing();
  if (!buildRing(bodies)) return BUILD_MEMORY;
  if (!buildNet()) return BUILD_MEMORY;
  buildFirmware(handshakeTicks());
  buildDatagrams();
  buildChoice();
  buildDram();
  if (!buildDelta()) return BUILD_MEMORY;
  buildCrypto();
  buildNumbers();
  buildKeys();
  if (!buildEncoder()) return BUILD_COMPRESSOR;
  // a ring holds a send buffer and a receive window, or all there is to send; back come control records
  const most = 2 * g(G_NET_WINDOW);
  const device = g(G_DEVICE_BYTES) + stateRoom();
  const state = device + (device >> 6);
  const asked: u64 = residual == 0 ? 0 : 524288; // a page a vCPU
  const ringA = ringBytes((state < most ? state : most) + asked);
  const ringB = bodies ? ringBytes(most) : 0;
  for (let side: u32 = 0; side < 2; side++) {
    setDomain(side * 2, p(side, S_CARD_NUM), p(side, S_CARD_DEN));
    setDomain(side * 2 + 1, p(side, S_CTL_NUM), p(side, S_CTL_DEN));
    if (!buildJobs(side, p32(side, S_SRAM_SLOTS))) return BUILD_MEMORY;
    buildRecords(side);
    buildStream(side, LINK_A, RECORDS_A_MAX, side == 0 ? ringA : 0);
    buildStream(side, LINK_B, RECORDS_MAX, side == 0 || !bodies ? ringB : 65536);
    wireQueues(side);
    if (!wirePorts(side)) return BUILD_MEMORY;
    buildUnits(side);
    if (!buildTenant(side)) return BUILD_MEMORY;
    startTenant(side);
    buildRestart(side);
  }
  buildFailing();
  buildSealed();
  if (!buildAgain()) return BUILD_MEMORY;
  startFunctions();
  wake(0, U_FRONTEND, 0);
  wake(0, U_GUEST, 0);
  buildAdapters();
  if (stream(0, LINK_A).bytes == 0 || (bodies && stream(0, LINK_B).bytes == 0)) return BUILD_MEMORY;
  return arenaTop() == 0 ? BUILD_MEMORY : BUILD_OK;
}

/** A power of two that holds `bytes` and some records more. */
function ringBytes(bytes: u64): u32 {
  let ring: u64 = 65536;
  while (ring < bytes + 65536) ring <<= 1;
  return ring > 0x80000000 ? 0 : <u32>ring;
}

// --- running ---

/** Runs until the time `until`, or until there is a reason to come back. */
export function run(until: u64): u32 {
  const stop = runUntil(until);
  flushPcie(0);
  flushPcie(1);
  settleServers(stop == STOP_UNTIL ? until : clock);
  return stop;
}

function runUntil(until: u64): u32 {
  while (brokenInvariant == 0) {
    if (wantsInput) return STOP_INPUT;
    const a = earliest(0);
    const b = earliest(1);
    const first = a < b ? a : b;
    if (endAt != NEVER && !draining && first > endAt) {
      // a guest that has moved is followed until its storage goes on
      if (first != NEVER && storageOpen()) endAt += g(G_NET_PROPAGATION);
      else finish();
    }
    if (first == NEVER) {
      if (!draining) return STOP_DEADLOCK;
      return wasReset || storageHome(clock) ? STOP_DONE : STOP_INVARIANT;
    }
    if (first > until) return STOP_UNTIL;
    // neither side can hear of the other within a propagation time, so each may run that far alone
    let to = first + g(G_QUANTUM);
    if (!draining && endAt != NEVER && to > endAt) to = endAt;
    if (to > until) to = until;
    runTo(0, to);
    if (wantsInput) return STOP_INPUT;
    if (to < resetAt()) runTo(1, to);
    else reset(resetAt());
  }
  return STOP_INVARIANT;
}

/** The destination's card loses its state at `at`, and nothing happens on that side from then on. */
function reset(at: u64): void {
  if (wasReset) return;
  runTo(1, at - 1);
  wasReset = true;
  forgetDue(1);
  flushPcie(1);
  noRequest(1);
  settleServers(at);
  standStill(1, at);
}

/**
 * First time after `t` at which the naive scheduler visits a side: a due time, or the next edge of a clock.
 */
function nextVisit(side: u32): u64 {
  let best = earliest(side);
  const visited = load<u64>(VISITED + (side << 3));
  for (let domain = side * 2; domain < side * 2 + 2; domain++) {
    const edge = edgeAt(domain, visited + 1);
    if (edge < best) best = edge;
  }
  return best;
}

/** Steps everything that is due on a side up to and including `to`. */
function runTo(side: u32, to: u64): void {
  if (isDefined(NAIVE)) {
    runNaive(side, to);
    return;
  }
  setCurrent(side, UNITS);
  while (brokenInvariant == 0) {
    const t = nextDue(side, to);
    if (t > to) break;
    setNow(t);
    clock = t;
    while (somePresent()) step(side, nextPresent(side), t);
    if (wantsInput) break;
  }
  setCurrent(2, UNITS);
}

/** The oracle: every unit at every edge of its clock, units without one at every visit. */
function runNaive(side: u32, to: u64): void {
  while (brokenInvariant == 0) {
    const t = nextVisit(side);
    if (t > to) return;
    setNow(t);
    clock = t;
    store<u64>(VISITED + (side << 3), t);
    for (let u: u32 = 0; u < UNITS; u++) {
      const domain = clockOf(side, u);
      if (domain != NO_CLOCK && edgeAt(domain, t) != t) continue;
      if (side != 0 && u == U_GUEST && residual == 0) continue;
      setCurrent(side, u);
      setDue(side, u, NEVER);
      step(side, u, t);
    }
    setCurrent(side, UNITS);
    if (wantsInput) return;
  }
}

// @ts-ignore: decorator
@inline
export function step(side: u32, u: u32, t: u64): void {
  switch (u) {
    case U_NET_RX:
      stepRx(side, t);
      break;
    case U_NET_TX:
      stepTx(side, t);
      break;
    case U_FRAMER:
      stepFramer(side, t);
      break;
    case U_SEAL:
      stepSeal(side, t);
      break;
    case U_COMPRESS:
      stepCompressor(side, t);
      if (deltas && side == 0) stepDelta(side, t);
      break;
    case U_ZERO:
      stepZero(side, t);
      break;
    case U_READ:
      stepRead(side, t);
      break;
    case U_DESC:
      stepDescriptors(side, t);
      break;
    case U_SCANNER:
      scan(side, t);
      break;
    case U_CONTROL:
      stepControl(side, t);
      break;
    case U_VSOCK:
      stepVsock(side, t);
      break;
    case U_UP:
    case U_DOWN:
      stepPcie(side, u - U_UP, t); // UP, DOWN
      break;
    case U_MEMORY:
      stepMemory(side, t);
      break;
    case U_PLACE:
      stepPlacer(side, t);
      break;
    case U_UNLZ:
      stepDecompressor(side, t);
      break;
    case U_OPEN:
      stepOpen(side, t);
      break;
    case U_RECEIVE:
      stepReceive(side, t);
      break;
    default:
      stepBeside(side, u, t);
  }
}

/** Guests, front-ends and what else goes on beside the pages. */
// @ts-ignore: decorator
@inline
function stepBeside(side: u32, u: u32, t: u64): void {
  if (u == U_FRONTEND) stepHost(side, t);
  else if (u == U_TENANT) stepTenant(side, t);
  else if (u == U_FUNCTION) stepFunctions(side, t);
  else if (u == U_STORAGE) stepStorage(side, t);
  else if (side == 0) stepGuest(t);
  else stepGuestThere(t);
}

/** The scanner: of address batches, or of the bitmap itself. */
function scan(side: u32, t: u64): void {
  if (scans && side == 0) stepBitmapScanner(t);
  else stepScanner(side, t);
}

/** The cores: handlers that have ended act, then the firmware looks around, then new ones begin. */
function stepControl(side: u32, t: u64): void {
  let over = finished(side, POOL_CORES, p32(side, S_CORES), U_CONTROL, t);
  for (; over != 0; over &= over - 1) {
    retire(side, <u32>ctz<u32>(over));
    const handler = retiredHandler;
    if (handler >= F_STAGE) endStage(side, handler, retiredArgument, retiredQueue, t);
    else if (handler >= F_HEARD) recover(side, handler, retiredArgument, retiredCount, t);
    else onHandler(side, handler, retiredArgument, retiredCount, retiredQueue, t);
  }
  if (restarting && isDown(side, t)) return;
  poll(side, t);
  dispatch(side, t);
  if (p32(side, S_CORE_STAGES) != 0) beginStages(side, t);
}

/** Posted writes that have landed in host memory. */
function stepMemory(side: u32, t: u64): void {
  landPages(side, t);
  if (devices != 0 && side == 0) landFunctions(t);
  if (scans && side == 0) serveMarks(t);
  while (ready(queue(side, Q_USED), t)) {
    freeMessage(side, TO_CARD, pop(queue(side, Q_USED)));
    wake(side, U_FRONTEND, t);
  }
}

/** The front-end; when the migration has ended its time is noted and the end of the books is set. */
function stepHost(side: u32, t: u64): void {
  stepFrontend(side, t);
  if (hostStages != 0 && side == 1) stepPlacing(t);
  if (side == 0 && !guestRuns) wake(0, U_GUEST, t);
  if (handledAt == t) wake(side, U_CONTROL, t);
  if (justResumed) resumedEarly(t);
  if (several && side == 1) guestThere(t);
  if (endedAt == 0 || (endAt != NEVER && !movedAfterAll(side, t))) return;
  note(L_ENDED, t);
  if (logged(L_STATUS) != STATUS_RUNNING && guestRuns) guestStays(t);
  if (logged(L_STATUS) == STATUS_RUNNING) {
    note(L_STATUS, STATUS_COMPLETED);
    if (residual == 0) {
      note(L_RESUMED, t);
      if (!several) deviceThere(t);
    }
    // at this very instant, not only after the drain: the guest reads its memory now
    const behind = several ? ABSENT : residual == 0 ? firstBehind() : firstOlder();
    if (behind != ABSENT) broken(I_DESTINATION_EQUALS_SOURCE, behind, placedVersion(behind), t);
  }
  endAt = t + g(G_NET_PROPAGATION);
}

/** The guest has resumed at t and pages are missing: each that is not as the source has it is known to be. */
function resumedEarly(t: u64): void {
  resumeSeen();
  guestMoves();
  deviceThere(t);
  if (deferring) noteOpening();
  const unknown = deferring ? firstNotThere() : firstUnknown();
  if (unknown != ABSENT) broken(I_DESTINATION_EQUALS_SOURCE, unknown, placedVersion(unknown), t);
}

/** The device state is there, whole. */
function deviceThere(t: u64): void {
  if (differingDevice() != 0) broken(I_DEVICE_STATE, differingDevice(), 0, t);
  deviceOnce(t);
}

/**
 * Whether the destination resumes the guest at t, and the source, whose clock was ahead, has given up later
 * than that and left it suspended.
 */
function movedAfterAll(side: u32, t: u64): bool {
  if (side == 0 || endedAt != t || draining || logged(L_STATUS) != STATUS_FAILED) return false;
  if (logged(L_ENDED) < t || logged(L_TOO_LATE) == 0) return false;
  note(L_STATUS, STATUS_RUNNING);
  note(L_REASON, 0);
  note(L_BROKEN_OFF, 0);
  return true;
}

// --- ending ---

/** Closes the books at endAt; what is still under way drains outside the reported times. */
function finish(): void {
  flushPcie(0);
  flushPcie(1);
  note(L_BOOKS, endAt);
  settleServers(endAt);
  endStalls(endAt);
  cutStalls(endAt);
  leaveRound();
  closeBooks(endAt);
  setGuestRuns(false);
  guestLeaves();
  stopTenant(0);
  stopTenant(1);
  quiesceDevices(endAt);
  endDriver();
  draining = true;
  if (logged(L_STATUS) == STATUS_FAILED || linkLost(endAt)) shutLink();
}

/** After STOP_DONE: what is not home, of both sides; 0 when everything is. */
export function notHome(): u32 {
  return whatIsOut(clock, wasReset);
}

/** Last time that was executed. */
export function clockNow(): u64 {
  return clock;
}
