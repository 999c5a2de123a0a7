// SPDX-License-Identifier: Apache-2.0
// The breadboard: which unit feeds which, who is stepped when, and when a run ends. Units know queues and ports, never
// each other; what one makes another do is decided here.
import {
  A_CORE, A_DESC, A_DOWN, A_FRAMER, A_FRONTEND, A_GUEST, A_LZ, A_NET, A_OPEN, A_PLACE, A_READ, A_RECEIVE,
  A_SCANNER, A_SEAL, A_UNLZ, A_UP, A_VSOCK, A_ZERO, CONTENT_SIZED, G_COMPRESS, G_CONTENT, G_DEVICE_BYTES,
  G_ENCRYPT_BITS, G_NET_PROPAGATION, G_NET_WINDOW, G_PAGES_OVER_VSOCK, G_QUANTUM, G_SERIES_WINDOW,
  I_CONSERVED, I_DEVICE_STATE, LAND_MSIX, LAND_PAGE, LAND_USED, L_BOOKS, L_ENDED, L_RESUMED, L_STATUS,
  MESSAGE_SLOTS, Q_ADDRESS, Q_DESC_ANSWER, Q_DOORBELL, Q_EVENT, Q_FETCH, Q_FOUND, Q_FRAME, Q_LANDED, Q_LZ,
  Q_MSIX, Q_OPEN, Q_OWN, Q_PENDING, Q_PLACE, Q_READ, Q_READ_ANSWER, Q_RECORD, Q_SCAN, Q_SEAL, Q_TO_HOST,
  Q_UNLZ, Q_USED, Q_VSOCK_ANSWER, Q_ZERO, READ_QUEUES_MAX, RECORDS_MAX, R_DATA, R_DESC, R_VSOCK, STARVED,
  STATUS_COMPLETED, STATUS_RUNNING, STOP_DEADLOCK, STOP_DONE, STOP_INPUT, STOP_INVARIANT, STOP_UNTIL,
  S_CARD_DEN, S_CARD_NUM, S_CORES, S_CTL_DEN, S_CTL_NUM, S_DESC_PREFETCH, S_GCM_ENGINES, S_LZ_BAIL,
  S_LZ_BANKS, S_LZ_ENGINES, S_LZ_FIFO, S_LZ_HASH_LOG, S_LZ_INTRA, S_LZ_MATCH_CAP, S_LZ_MULTI, S_LZ_OUT_BYTES,
  S_LZ_POLICY, S_LZ_PORTS, S_LZ_PWS, S_LZ_TOKENS, S_MEM_READ_DEN, S_MEM_READ_LATENCY, S_MEM_READ_NUM,
  S_MEM_WRITE_DEN, S_MEM_WRITE_NUM, S_PCIE_CPL_BYTES, S_PCIE_CPL_HEADERS, S_PCIE_TAGS, S_PCIE_TAGS_DESC,
  S_PCIE_TAGS_VSOCK, S_SRAM_SLOTS, S_UNLZ_ENGINES, TAGS_MAX, TLP_QUEUE_DEPTH, UNITS, U_COMPRESS, U_CONTROL,
  U_DESC, U_DOWN, U_FRAMER, U_FRONTEND, U_GUEST, U_MEMORY, U_NET_RX, U_NET_TX, U_OPEN, U_PLACE, U_READ,
  U_RECEIVE, U_SCANNER, U_SEAL, U_UNLZ, U_UP, U_VSOCK, U_ZERO,
} from "./abi";
import { stepCompressor, stepDecompressor } from "./card/compressor";
import { buildControl, dispatch, retire, retiredArgument, retiredCount, retiredQueue } from "./card/control";
import { buildCrypto, stepOpen, stepSeal } from "./card/crypto";
import { buildDma, stepDescriptors, stepRead } from "./card/dma";
import { buildFramer, stepFramer, stepReceive } from "./card/framer";
import { buildPlacer, landPages, stepPlacer } from "./card/placer";
import { buildScanner, stepScanner } from "./card/scanner";
import { buildZero, stepZero } from "./card/zero";
import { DOWN, UP, buildPcie, pcieOut, setLanding, stepPcie } from "./channel/pcie";
import { buildTcp, handshakeTicks, stepRx, stepTx, unacknowledged } from "./channel/tcp";
import { buildVsock, stepVsock } from "./channel/vsock";
import { gcmSetKey } from "./codec/gcm";
import { lz4hwConfigure } from "./codec/lz4hw";
import { buildFirmware, onHandler, poll } from "./firmware/builtin";
import { buildFrontend, endedAt, handledAt, stepFrontend } from "./host/frontend";
import { buildGuest, stepGuest, wantsInput } from "./host/guest";
import { buildDirty, guestRuns, setGuestRuns } from "./kernel/dirty";
import { NOBODY, buildFifo, fifosLeft, fifosReset, pop, queue, ready } from "./kernel/fifo";
import { buildJobs, jobsOut } from "./kernel/jobs";
import { logReset, logged, note } from "./kernel/log";
import { arenaReset, arenaTop } from "./kernel/memory";
import { TO_CARD, buildMessages, freeMessage, messagesOut } from "./kernel/message";
import { buildPages, devicePlace, deviceState } from "./kernel/pages";
import { g, g32, p, p32 } from "./kernel/params";
import { poolsLeft, poolsReset } from "./kernel/pool";
import {
  DOWN_COMPLETION, DOWN_POSTED, UP_POSTED, UP_READ, buildPort, buildRequester, orderReset, requestersOut,
} from "./kernel/port";
import { buildProgress } from "./kernel/progress";
import { mix } from "./kernel/random";
import { buildRecords } from "./kernel/record";
import {
  beginTurn, clockOf, earliest, nextDue, nextPresent, scheduleReset, setClock, setCurrent, setDue, setNow, wake,
} from "./kernel/schedule";
import { buildServer } from "./kernel/server";
import { broken, brokenInvariant, closeBooks, openAccount, statsReset } from "./kernel/stats";
import { LINK_A, LINK_B, buildStream, stream, streamsLeft } from "./kernel/stream";
import { NEVER, NO_CLOCK, edgeAt, setDomain } from "./kernel/time";
import { timelineReset } from "./kernel/timeline";

/** Why build() refused: 0 built, 1 memory, 2 compressor parameters. */
export const BUILD_OK: u32 = 0;
export const BUILD_MEMORY: u32 = 1;
export const BUILD_COMPRESSOR: u32 = 2;

/** Time at which the books are closed, NEVER while the migration runs. */
let endAt: u64 = NEVER;
/** Local clock up to which both sides have run. */
let clock: u64 = 0;
let draining: bool = false;

// --- building --------------------------------------------------------------------------------------------------------

/** Builds the board from the parameter block; BUILD_OK or why it cannot be. Everything is laid out here. */
export function build(): u32 {
  arenaReset();
  statsReset();
  scheduleReset();
  memory.fill(VISITED, 0, 16);
  fifosReset();
  poolsReset();
  orderReset();
  logReset(g(G_SERIES_WINDOW));
  timelineReset();
  endAt = NEVER;
  clock = 0;
  draining = false;
  const bodies = g32(G_CONTENT) != CONTENT_SIZED;
  if (!buildPages() || !buildDirty() || !buildGuest(bodies)) return BUILD_MEMORY;
  buildMessages(bodies && g32(G_PAGES_OVER_VSOCK) != 0);
  buildTcp();
  buildFirmware(handshakeTicks());
  buildCrypto();
  buildKeys();
  if (!buildEncoder()) return BUILD_COMPRESSOR;
  const windowBytes = g(G_NET_WINDOW);
  // the ring holds a send buffer and a receive window
  let ring: u32 = 65536;
  while (<u64>ring < 2 * windowBytes + 65536) ring <<= 1;
  for (let side: u32 = 0; side < 2; side++) {
    setDomain(side * 2, p(side, S_CARD_NUM), p(side, S_CARD_DEN));
    setDomain(side * 2 + 1, p(side, S_CTL_NUM), p(side, S_CTL_DEN));
    if (!buildJobs(side, p32(side, S_SRAM_SLOTS))) return BUILD_MEMORY;
    buildRecords(side);
    buildStream(side, LINK_A, 8192, ring);
    buildStream(side, LINK_B, RECORDS_MAX, bodies ? ring : 0);
    if (stream(side, LINK_A).bytes == 0 || (bodies && stream(side, LINK_B).bytes == 0)) return BUILD_MEMORY;
    wireQueues(side);
    wirePorts(side);
    buildUnits(side);
  }
  wake(0, U_FRONTEND, 0);
  wake(0, U_GUEST, 0);
  return arenaTop() == 0 ? BUILD_MEMORY : BUILD_OK;
}

/** The functional encoder has one configuration for both cards: the source's. */
function buildEncoder(): bool {
  if (g32(G_COMPRESS) == 0) return true;
  return lz4hwConfigure(
    p32(0, S_LZ_PWS), p32(0, S_LZ_HASH_LOG), p32(0, S_LZ_BANKS), p32(0, S_LZ_PORTS), p32(0, S_LZ_POLICY),
    p32(0, S_LZ_MATCH_CAP), p32(0, S_LZ_MULTI), p32(0, S_LZ_INTRA), p32(0, S_LZ_BAIL), p32(0, S_LZ_OUT_BYTES),
    p32(0, S_LZ_TOKENS), p32(0, S_LZ_FIFO),
  );
}

const KEY = memory.data(32, 16);

/** Test keys, one for each link and direction: a simulator has no secrets. */
function buildKeys(): void {
  const bits = g32(G_ENCRYPT_BITS);
  if (bits == 0) return;
  for (let context: u32 = 0; context < 4; context++) {
    for (let i: u32 = 0; i < 8; i++) store<u32>(KEY + (i << 2), mix(context, i));
    gcmSetKey(context, KEY, bits);
  }
}

function wireQueues(side: u32): void {
  buildFifo(side, Q_DOORBELL, 128, U_VSOCK);
  buildFifo(side, Q_VSOCK_ANSWER, 1024, U_VSOCK);
  buildFifo(side, Q_EVENT, 64, U_CONTROL);
  buildFifo(side, Q_ADDRESS, 32, U_CONTROL);
  buildFifo(side, Q_SCAN, 16, U_SCANNER);
  buildFifo(side, Q_FOUND, 256, U_CONTROL);
  buildFifo(side, Q_FETCH, p32(side, S_DESC_PREFETCH), U_DESC);
  buildFifo(side, Q_PENDING, 2048, NOBODY);
  buildFifo(side, Q_DESC_ANSWER, 1024, U_DESC);
  for (let q: u32 = 0; q < READ_QUEUES_MAX; q++) buildFifo(side, Q_READ + q, 64, U_READ);
  buildFifo(side, Q_READ_ANSWER, 1024, U_READ);
  buildFifo(side, Q_ZERO, 64, U_ZERO);
  buildFifo(side, Q_LZ, 32, U_COMPRESS);
  buildFifo(side, Q_RECORD, 64, U_CONTROL);
  buildFifo(side, Q_OWN, 64, U_CONTROL);
  buildFifo(side, Q_SEAL, 32, U_SEAL);
  buildFifo(side, Q_FRAME, 32, U_FRAMER);
  buildFifo(side, Q_OPEN, 32, U_OPEN);
  buildFifo(side, Q_UNLZ, 32, U_UNLZ);
  buildFifo(side, Q_PLACE, 32, U_PLACE);
  buildFifo(side, Q_LANDED, 4096, U_MEMORY);
  buildFifo(side, Q_MSIX, 64, U_FRONTEND);
  buildFifo(side, Q_USED, 128, U_MEMORY);
  buildFifo(side, Q_TO_HOST, MESSAGE_SLOTS, U_VSOCK);
}

function wirePorts(side: u32): void {
  buildPort(side, UP_POSTED + R_DATA, TLP_QUEUE_DEPTH, U_UP);
  buildPort(side, UP_POSTED + R_VSOCK, TLP_QUEUE_DEPTH, U_UP);
  buildPort(side, UP_POSTED + R_DESC, 512, U_UP);
  buildPort(side, UP_READ + R_DATA, TLP_QUEUE_DEPTH, U_UP);
  buildPort(side, UP_READ + R_VSOCK, TLP_QUEUE_DEPTH, U_UP);
  buildPort(side, UP_READ + R_DESC, 512, U_UP);
  buildPort(side, DOWN_POSTED, 64, U_DOWN);
  buildPort(side, DOWN_COMPLETION, TAGS_MAX, U_DOWN);
  // tags and completion buffer: VSOCK and descriptors have their own, what is left is the data's
  const vsock = p32(side, S_PCIE_TAGS_VSOCK);
  const desc = p32(side, S_PCIE_TAGS_DESC);
  const data = p32(side, S_PCIE_TAGS) - vsock - desc;
  const share = p32(side, S_PCIE_CPL_BYTES) / 8;
  const headers = p32(side, S_PCIE_CPL_HEADERS) / 8;
  buildRequester(side, R_DATA, 0, data, 6 * share, 6 * headers, queue(side, Q_READ_ANSWER));
  buildRequester(side, R_VSOCK, data, vsock, share, headers, queue(side, Q_VSOCK_ANSWER));
  buildRequester(side, R_DESC, data + vsock, desc, share, headers, queue(side, Q_DESC_ANSWER));
  setLanding(side, UP, LAND_PAGE, queue(side, Q_LANDED));
  setLanding(side, UP, LAND_MSIX, queue(side, Q_MSIX));
  setLanding(side, UP, LAND_USED, queue(side, Q_USED));
  setLanding(side, DOWN, 1, queue(side, Q_DOORBELL));
  buildServer(side * 2, p(side, S_MEM_READ_NUM), p(side, S_MEM_READ_DEN), p(side, S_MEM_READ_LATENCY));
  buildServer(side * 2 + 1, p(side, S_MEM_WRITE_NUM), p(side, S_MEM_WRITE_DEN), 0);
}

function buildUnits(side: u32): void {
  for (let u: u32 = 0; u < UNITS; u++) setClock(side, u, clocked(u) ? side * 2 : NO_CLOCK);
  setClock(side, U_CONTROL, side * 2 + 1);
  buildPcie(side);
  buildScanner(side);
  buildDma(side);
  buildZero(side);
  buildFramer(side);
  buildPlacer(side);
  buildControl(side);
  buildVsock(side);
  buildFrontend(side);
  buildProgress(side, U_CONTROL);
  if (side == 0) openAccount(side, A_GUEST, STARVED);
  openAccount(side, A_FRONTEND, STARVED);
  openAccount(side, A_VSOCK, STARVED);
  openAccount(side, A_UP, STARVED);
  openAccount(side, A_DOWN, STARVED);
  openAccount(side, A_NET, STARVED);
  openAccount(side, A_FRAMER, STARVED);
  openAccount(side, A_RECEIVE, STARVED);
  if (side == 0) {
    openAccount(side, A_SCANNER, STARVED);
    openAccount(side, A_DESC, STARVED);
    openAccount(side, A_READ, STARVED);
    openAccount(side, A_ZERO, STARVED);
  } else {
    openAccount(side, A_PLACE, STARVED);
  }
  for (let i: u32 = 0; i < p32(side, S_CORES); i++) openAccount(side, A_CORE + i, STARVED);
  for (let i: u32 = 0; i < p32(side, S_GCM_ENGINES); i++) {
    openAccount(side, A_SEAL + i, STARVED);
    openAccount(side, A_OPEN + i, STARVED);
  }
  if (side == 0) for (let i: u32 = 0; i < p32(side, S_LZ_ENGINES); i++) openAccount(side, A_LZ + i, STARVED);
  else for (let i: u32 = 0; i < p32(side, S_UNLZ_ENGINES); i++) openAccount(side, A_UNLZ + i, STARVED);
}

// last time the naive scheduler visited each side
const VISITED = memory.data(16, 8);

/** True for units that act at edges of the card clock. */
function clocked(u: u32): bool {
  return u != U_NET_RX && u != U_NET_TX && u != U_UP && u != U_DOWN && u != U_MEMORY && u != U_FRONTEND && u != U_GUEST;
}

// --- running -----------------------------------------------------------------------------------------------------------

/** Runs until the time `until`, or until there is a reason to come back. */
export function run(until: u64): u32 {
  while (brokenInvariant == 0) {
    if (wantsInput) return STOP_INPUT;
    const a = earliest(0);
    const b = earliest(1);
    const first = a < b ? a : b;
    if (endAt != NEVER && !draining && first > endAt) finish();
    if (first == NEVER) return draining ? STOP_DONE : STOP_DEADLOCK;
    if (first > until) return STOP_UNTIL;
    // neither side can hear of the other within a propagation time, so each may run that far alone
    let to = first + g(G_QUANTUM);
    if (!draining && endAt != NEVER && to > endAt) to = endAt;
    if (to > until) to = until;
    runTo(0, to);
    if (wantsInput) return STOP_INPUT;
    runTo(1, to);
  }
  return STOP_INVARIANT;
}

/** First time after `t` at which the naive scheduler visits a side: a due time, or the next edge of a clock. */
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
  beginTurn(side);
  while (brokenInvariant == 0) {
    const t = nextDue(side);
    if (t > to) break;
    setNow(t);
    clock = t;
    for (let u = nextPresent(); u < UNITS; u = nextPresent()) {
      setCurrent(side, u);
      setDue(side, u, NEVER);
      step(side, u, t);
    }
    if (side == 0 && wantsInput) break;
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
      if (side != 0 && u == U_GUEST) continue;
      setCurrent(side, u);
      setDue(side, u, NEVER);
      step(side, u, t);
    }
    setCurrent(side, UNITS);
    if (side == 0 && wantsInput) return;
  }
}

function step(side: u32, u: u32, t: u64): void {
  switch (u) {
    case U_NET_RX: stepRx(side, t); break;
    case U_NET_TX: stepTx(side, t); break;
    case U_FRAMER: stepFramer(side, t); break;
    case U_SEAL: stepSeal(side, t); break;
    case U_COMPRESS: stepCompressor(side, t); break;
    case U_ZERO: stepZero(side, t); break;
    case U_READ: stepRead(side, t); break;
    case U_DESC: stepDescriptors(side, t); break;
    case U_SCANNER: stepScanner(side, t); break;
    case U_CONTROL: stepControl(side, t); break;
    case U_VSOCK: stepVsock(side, t); break;
    case U_UP: stepPcie(side, UP, t); break;
    case U_DOWN: stepPcie(side, DOWN, t); break;
    case U_MEMORY: stepMemory(side, t); break;
    case U_PLACE: stepPlacer(side, t); break;
    case U_UNLZ: stepDecompressor(side, t); break;
    case U_OPEN: stepOpen(side, t); break;
    case U_RECEIVE: stepReceive(side, t); break;
    case U_FRONTEND: stepHost(side, t); break;
    case U_GUEST: stepGuest(t); break;
  }
}

/** The cores: handlers that have ended act, then the firmware looks around, then new ones begin. */
function stepControl(side: u32, t: u64): void {
  let handler = retire(side, t);
  while (handler != 0) {
    onHandler(side, handler, retiredArgument, retiredCount, retiredQueue, t);
    handler = retire(side, t);
  }
  poll(side, t);
  dispatch(side, t);
}

/** Posted writes that have landed in host memory. */
function stepMemory(side: u32, t: u64): void {
  landPages(side, t);
  while (ready(queue(side, Q_USED), t)) {
    freeMessage(side, TO_CARD, pop(queue(side, Q_USED)));
    wake(side, U_FRONTEND, t);
  }
}

/** The front-end; when the migration has ended its time is noted and the end of the books is set. */
function stepHost(side: u32, t: u64): void {
  stepFrontend(side, t);
  if (side == 0 && !guestRuns) wake(0, U_GUEST, t);
  if (handledAt == t) wake(side, U_CONTROL, t);
  if (endedAt == 0 || endAt != NEVER) return;
  note(L_ENDED, t);
  if (logged(L_STATUS) == STATUS_RUNNING) {
    note(L_STATUS, STATUS_COMPLETED);
    note(L_RESUMED, t);
    if (differingDevice() != 0) broken(I_DEVICE_STATE, differingDevice(), 0, t);
  }
  endAt = t + g(G_NET_PROPAGATION);
}

// --- ending ------------------------------------------------------------------------------------------------------------

/** Closes the books at endAt; what is still under way drains outside the reported times. */
function finish(): void {
  note(L_BOOKS, endAt);
  closeBooks(endAt);
  setGuestRuns(false);
  draining = true;
}

/** Bytes of device state that differ. */
export function differingDevice(): u32 {
  let n: u32 = 0;
  const bytes = g32(G_DEVICE_BYTES);
  for (let i: u32 = 0; i < bytes; i++) {
    if (load<u8>(deviceState() + i) != load<u8>(devicePlace() + i)) n++;
  }
  return n;
}

/** After STOP_DONE: what is not home, of both sides; 0 when everything is. */
export function notHome(): u32 {
  let n = fifosLeft() + poolsLeft() + streamsLeft();
  for (let side: u32 = 0; side < 2; side++) {
    n += jobsOut(side) + requestersOut(side) + pcieOut(side) + messagesOut(side) + <u32>unacknowledged(side);
  }
  if (n != 0) broken(I_CONSERVED, n, 0, clock);
  return n;
}

/** Last time that was executed. */
export function clockNow(): u64 {
  return clock;
}
