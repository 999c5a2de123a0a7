// SPDX-License-Identifier: Apache-2.0
// The migration thread of QEMU 10: pre-copy in software, over one connection or multifd's channels.
//
// Models: migration_thread() and ram_save_iterate(). Windows of 100 ms by a clock of whole milliseconds; in
//   each the thread sends until more than `max-bandwidth` / 10 has left, then waits for the window to end.
//   The buffer (kernel/qemu-stream) gives 32 pages away at once: so much more than the limit leaves in a
//   window. The scan goes round the blocks and is not begun anew by a synchronisation.
// In and out: the guest's dirty marks (QEMU's dirty log), read and cleared at each synchronisation; versions
//   of pages placed at the destination; the log of rounds, and a reading (QR_ constants). What becomes of a
//   page is in kernel/qemu-pages.
// How long: a page `normal` or `zero`; a synchronisation `sync`; a wait ends `wake` late. A window's end sets
//     threshold = downtime-limit x bytes that left in it / its ms
//   and pending < threshold, asked whenever a window or an iteration begins, makes it synchronise; if it is
//   still so, or nothing is pending, the guest is stopped (`stop`), the bitmap synchronised once more and all
//   that is left sent without limit, then device state (`device`). At the limit of no dirty pages a migration
//   takes zero pages x `zero` + windows x (100 ms + up to `wake`), windows = bytes / (limit rounded up to
//   32 pages). Bytes: 4104 a normal page, 9 a zero page, 18 an iteration.
//   Of `unwritten` pages half are found dirty at a synchronisation 100 ms after the one before, all a second
//   after it, though no write is known of them: an emulated page walk marks the page tables that it reads as
//   if it wrote to them. They stand one after another.
//   Auto-converge says by how much vCPUs are to stand still; a guest at recorded times has done so already.
//   Of device state a part may go ahead (kernel/qemu-device): it is pending until it is sent, and the guest
//   is not stopped before it has been acknowledged; with nothing to send the thread waits. What grows old too
//   fast to get below the threshold is read anew: with no page to send that counts as a synchronisation
//   towards the most before it is given up. Dirty rings (kernel/dirty-log) are brought in before the bitmap.
// Leaves out: auto-converge's synchronisations every 5 s, other threads of the host, the time that the kernel
//   needs to write-protect pages again, huge pages, dirty bits of ROMs.
// Numbers: QEMU 10.0 migration/migration.c, ram.c; costs of pages from a recorded send order (docs/model.md
//   section 16).
import {
  G_TRACKER_LOG,
  I_DESTINATION_EQUALS_SOURCE,
  PAGE_BYTES,
  QP_CONVERGE,
  QP_DEVICE,
  QP_DEVICE_BYTES,
  QP_DOWNTIME_MS,
  QP_LIMIT_PERIOD,
  QP_LIMIT_RATE,
  QP_POSTCOPY,
  QP_ROM_PAGES,
  QP_SETUP,
  QP_START_AT,
  QP_STOP,
  QP_SYNC,
  QP_SYNCS_MAX,
  QP_UNWRITTEN,
  QP_UNWRITTEN_AT,
  QP_WAKE,
  QP_WINDOW_BYTES,
  QR_DOWNTIME,
  QR_ENDED,
  QR_GIVEN_UP,
  QR_REST_BYTES,
  QR_LIMIT_SLEEP,
  QR_PENDING,
  QR_POSTCOPY,
  QR_PRECOPY,
  QR_SETUP_DONE,
  QR_SUSPENDED,
  QR_SYNCS,
  QR_THRESHOLD,
  QR_THROTTLE,
  QR_TRANSFERRED,
  QR_WORKED,
  QT_ACK,
  QT_BUSY,
  QT_CAP,
  QT_CHANNELS,
  QT_NOTHING,
  RL_NEW_DIRTY,
  RL_START,
  ROUNDS_MAX,
  TICKS_PER_NS,
  U_FRONTEND,
} from "../abi";
import { xbzrleDecode } from "../codec/xbzrle";
import { addMarks, addPage, buildBitmap, pending } from "../kernel/bitmap";
import { setGuestRuns, startTracking } from "../kernel/dirty";
import {
  beginLimit,
  buildLimit,
  endLimit,
  limits,
  longestSleep,
  measureRates,
  periodEnds,
} from "../kernel/dirty-limit";
import { bringInLogs, broughtInAt, cutStalls, logging } from "../kernel/dirty-log";
import { noteRound } from "../kernel/log";
import { ABSENT, firstBehind, placedVersion, sourceVersion } from "../kernel/pages";
import { g32 } from "../kernel/params";
import { wake } from "../kernel/schedule";
import { broken, evaluates } from "../kernel/stats";
import { buildThrottle, isTooFast, nextShare } from "../kernel/throttle";
import { NEVER } from "../kernel/time";
import { buildContent, pages } from "../kernel/qemu-content";
import {
  buildChannels,
  channelsHold,
  drain,
  greet,
  overChannels,
  settle,
  written,
} from "../kernel/qemu-multifd";
import {
  allSent,
  buildDevice,
  devicePending,
  deviceStops,
  loadTicks,
  maySwitch,
  readsAgain,
  rest,
  sendAhead,
  waitsUntil,
} from "../kernel/qemu-device";
import { goesOnAt, leave, move, moves, nextMove, pushLast, pushPage } from "../kernel/qemu-postcopy";
import { buildSending, held, NONE, sendHeld, sendPage, skipped } from "../kernel/qemu-pages";
import {
  buildStream,
  bytes,
  flush,
  flushBeside,
  left,
  put,
  q,
  read,
  tell,
  wireIsFree,
  work,
} from "../kernel/qemu-stream";
import { buildRounds, closeRound } from "../kernel/qemu-rounds";
import { acts, buildTimes, passTo, takes, waitsFor } from "../kernel/qemu-times";

const MS: u64 = <u64>TICKS_PER_NS * 1000000;
const WINDOW_MS: u64 = 100; // BUFFER_DELAY
const WALKED_MS: u64 = 1000; // until all unwritten pages are found dirty; half are in a window
const WAIT_MS: u64 = 50; // MAX_WAIT, looked at every 64 pages
const ITERATION: u64 = 18; // section header, end mark, footer

// what the thread does next
const START: u32 = 0;
const TRACKING: u32 = 1;
const LOOP: u32 = 2;
const SYNCED: u32 = 3;
const SENDING: u32 = 4;
const WINDOW: u32 = 5;
const STOPPING: u32 = 6;
const LAST: u32 = 7;
const DEVICE: u32 = 8;
const DONE: u32 = 9;
const BEGUN: u32 = 10;
const EMPTY: u32 = 11;
const MOVING: u32 = 12;
const MOVED: u32 = 13;
const PUSHING: u32 = 14;
const PUSHED: u32 = 15;
const SECTION: u32 = 16;
const THERE: u32 = 17;

let state: u32 = START;
let dueAt: u64 = 0;
let windowMs: u64 = 0; // when the window began
let windowLeft: u64 = 0; // what had left then
let threshold: u64 = 0;
let iterationAt: u64 = 0;
let sent: u32 = 0; // pages of the iteration
let syncedAt: u64 = 0;
let stoppedAt: u64 = 0;
let round: u32 = 0;
let readings: u32 = 0; // of device state since the synchronisation, with no page to send
let wanted: bool = false; // post-copy has been asked for

/** Lays the thread out; every page is dirty. False when memory does not hold it. */
export function buildQemu(): bool {
  buildStream();
  buildTimes();
  buildRounds();
  buildContent(xbzrleDecode);
  buildChannels();
  buildSending();
  buildDevice();
  buildLimit(q(QP_LIMIT_RATE), q(QP_LIMIT_PERIOD), g32(G_TRACKER_LOG));
  if (!buildBitmap(pages + <u32>q(QP_ROM_PAGES))) return false;
  windowMs = windowLeft = 0;
  threshold = 0;
  wanted = false;
  round = readings = 0;
  state = START;
  dueAt = q(QP_START_AT);
  wake(0, U_FRONTEND, dueAt);
  return true;
}

/** Whether the migration has ended. */
export function qemuDone(): bool {
  return state == DONE;
}

/** Steps the thread at t. */
export function stepQemu(t: u64): void {
  if (moves) move(t);
  if (periodEnds <= t) measureRates(t);
  while (t >= dueAt && state != DONE) {
    passTo(t);
    const worked = read(QR_WORKED);
    acts();
    dueAt = act(t);
    takes(dueAt, read(QR_WORKED) - worked);
  }
  if (state != DONE) wake(0, U_FRONTEND, min(min(dueAt, periodEnds), moves ? nextMove() : NEVER));
}

/** Does what is to be done at t; returns when the next thing is. */
function act(t: u64): u64 {
  if (overChannels()) {
    const at = channelsHold(t);
    waitsFor(QT_CHANNELS);
    if (at > t) return at;
    acts();
  }
  switch (state) {
    case START:
      startTracking();
      state = TRACKING;
      return work(t, q(QP_SETUP));
    case TRACKING:
      return begin(t);
    case BEGUN:
      windowMs = t / MS;
      windowLeft = gone(t);
      state = LOOP;
      return t;
    case LOOP:
      return loop(t);
    case SYNCED:
      return iterate(t);
    case SENDING:
      return sendOn(t);
    case SECTION:
      return endSection(t);
    case WINDOW:
      return limit(t);
    case STOPPING:
      stand(t);
      synchronise(t);
      state = LAST;
      return synced(t);
    case LAST:
      return sendLast(t);
    case EMPTY:
      return sendDevice(t);
    case MOVING:
      stand(t);
      stoppedAt = t;
      synchronise(t);
      state = MOVED;
      return synced(t);
    case MOVED:
      return goOver(t);
    case PUSHING:
      return push(t);
    case PUSHED:
      closeRound(round, t);
      return end(t);
    case DEVICE:
      return setDevice(t);
    default:
      return end(t);
  }
}

/** Setup is done: all pages are dirty whatever the log says; the first window begins. */
function begin(t: u64): u64 {
  tell(QR_SETUP_DONE, t);
  synchronise(t);
  greet(t);
  drain();
  state = BEGUN;
  return t;
}

/** Bytes that count towards max-bandwidth at t. */
// @ts-ignore: decorator
@inline
function gone(t: u64): u64 {
  if (overChannels()) settle(t);
  return left + written;
}

// @ts-ignore: decorator
@inline
function exceeded(t: u64): bool {
  return gone(t) - windowLeft > q(QP_WINDOW_BYTES);
}

// @ts-ignore: decorator
@inline
function nearEnd(t: u64): bool {
  return <u64>pending * PAGE_BYTES + devicePending(t) < threshold;
}

/** The thread's loop: an iteration, or a wait until the window ends. */
function loop(t: u64): u64 {
  if (exceeded(t)) return limit(t);
  if (nearEnd(t)) {
    if (q(QP_SYNCS_MAX) != 0 && round >= <u32>q(QP_SYNCS_MAX)) return giveUp(t);
    synchronise(t);
    state = SYNCED;
    return synced(t);
  }
  return iterate(t);
}

/** An iteration begins, or the last part does. */
function iterate(t: u64): u64 {
  if (nearEnd(t) || (pending == 0 && devicePending(t) == 0)) {
    if (maySwitch(t)) return stopGuest(t, STOPPING);
  }
  if (pending == 0 && waitsUntil(t) > t) {
    state = WINDOW;
    waitsFor(maySwitch(t) ? QT_NOTHING : QT_ACK);
    return max(t, min(waitsUntil(t), (windowMs + WINDOW_MS) * MS));
  }
  if (wanted) return stopGuest(t, MOVING);
  if (pending == 0 && readsAgain(t)) {
    if (q(QP_SYNCS_MAX) != 0 && round + readings >= <u32>q(QP_SYNCS_MAX)) return giveUp(t);
    readings++;
  }
  iterationAt = t;
  sent = 0;
  state = SENDING;
  return t;
}

/** The next page of the iteration; after its last the window is looked at. */
function sendOn(t: u64): u64 {
  if (held != NONE) {
    sent++;
    return sendHeld(t, held);
  }
  const late = sent != 0 && ((sent - 1) & 63) == 0 && (t - iterationAt) / MS > WAIT_MS;
  if (!late && !exceeded(t)) {
    if (pending != 0) {
      const next = sendPage(t, false);
      if (!skipped) sent++;
      return next;
    }
    // the search for another page has come to the end of the blocks
    drain();
  }
  state = SECTION;
  return t;
}

/** The iteration's section ends. */
function endSection(t: u64): u64 {
  put(ITERATION);
  state = WINDOW;
  const all = sendAhead(t);
  if (overChannels()) flushBeside(t);
  else t = flush(t);
  if (all) allSent(max(wireIsFree(), t));
  return t;
}

/** Ends the window when its time is over; waits for that when its bytes are spent. */
function limit(t: u64): u64 {
  const nowMs = t / MS;
  if (nowMs >= windowMs + WINDOW_MS) {
    threshold = ((gone(t) - windowLeft) * q(QP_DOWNTIME_MS)) / (nowMs - windowMs);
    tell(QR_THRESHOLD, threshold);
    windowLeft = left + written;
    windowMs = nowMs;
    wanted = q(QP_POSTCOPY) != 0 && round >= <u32>q(QP_POSTCOPY);
  }
  state = LOOP;
  if (!exceeded(t)) return t;
  waitsFor(QT_CAP);
  return t + (windowMs + WINDOW_MS - nowMs) * MS + q(QP_WAKE);
}

function stopGuest(t: u64, next: u32): u64 {
  tell(QR_SUSPENDED, t);
  tell(QR_PRECOPY, bytes);
  state = next;
  waitsFor(QT_BUSY);
  return t + q(QP_STOP);
}

/** Sends what is left. */
function sendLast(t: u64): u64 {
  if (held != NONE) return sendHeld(t, held);
  if (pending != 0) return sendPage(t, true);
  drain();
  state = EMPTY;
  return t;
}

/** All pages are sent: device state is. */
function sendDevice(t: u64): u64 {
  if (overChannels()) settle(t);
  put(ITERATION);
  tell(QR_DOWNTIME, bytes - read(QR_PRECOPY));
  tell(QR_REST_BYTES, rest);
  put(rest);
  flush(t);
  state = DEVICE;
  return max(wireIsFree(), t);
}

/** The last byte has left; it has to arrive, and device state is set there. */
function setDevice(t: u64): u64 {
  closeRound(round, t);
  state = THERE;
  waitsFor(QT_NOTHING);
  return work(t, q(QP_DEVICE) + loadTicks(rest));
}

/** The guest goes to the destination: what is still to come, and its device state. */
function goOver(t: u64): u64 {
  tell(QR_REST_BYTES, q(QP_DEVICE_BYTES));
  put(leave(stoppedAt) + q(QP_DEVICE_BYTES));
  const done = flush(t);
  goesOnAt(max(wireIsFree(), done) + q(QP_DEVICE));
  tell(QR_POSTCOPY, bytes);
  state = PUSHING;
  return done;
}

/** A page more after it; then all of them are to arrive. */
function push(t: u64): u64 {
  if (pending != 0) return pushPage(t);
  put(ITERATION);
  tell(QR_POSTCOPY, bytes - read(QR_POSTCOPY));
  state = PUSHED;
  waitsFor(QT_ACK);
  return pushLast(t);
}

/** So many synchronisations, and readings of device state since the last, have not been enough. */
function giveUp(t: u64): u64 {
  tell(QR_GIVEN_UP, t);
  cutStalls(t);
  state = DONE;
  return NEVER;
}

function end(t: u64): u64 {
  tell(QR_TRANSFERRED, bytes + written);
  tell(QR_ENDED, t);
  state = DONE;
  evaluates(I_DESTINATION_EQUALS_SOURCE);
  const behind = firstBehind();
  if (behind != ABSENT) broken(I_DESTINATION_EQUALS_SOURCE, placedVersion(behind), sourceVersion(behind), t);
  return NEVER;
}

// --- the bitmap ---

/** Moves the marks of the log into the bitmap at t: a round ends and another begins. */
function synchronise(t: u64): void {
  bringInLogs(t);
  let fresh = addMarks(pages);
  if (round != 0) fresh += markUnwritten(t - syncedAt);
  syncedAt = t;
  if (round == 0) buildThrottle(t / MS, left + written);
  else if ((limits || q(QP_CONVERGE) != 0) && isTooFast(t / MS, left + written, fresh)) {
    if (limits) beginLimit(t);
    else tell(QR_THROTTLE, nextShare(read(QR_THROTTLE)));
  }
  if (round != 0) closeRound(round, t);
  if (round != 0 && round <= ROUNDS_MAX) noteRound(round - 1, RL_NEW_DIRTY, fresh);
  if (round < ROUNDS_MAX) noteRound(round, RL_START, t);
  round++;
  readings = 0;
  tell(QR_SYNCS, round);
  tell(QR_PENDING, pending);
}

/** When the bitmap that was synchronised at t may be used: rings have been brought in before it was. */
function synced(t: u64): u64 {
  return work(t, q(QP_SYNC) + (logging ? broughtInAt - t : 0));
}

/** The guest stands still. */
function stand(t: u64): void {
  deviceStops(t);
  tell(QR_LIMIT_SLEEP, longestSleep());
  endLimit();
  setGuestRuns(false);
  cutStalls(t);
}

/** Adds pages that are dirty without a write, `ticks` after it was last done; returns how many are new. */
function markUnwritten(ticks: u64): u64 {
  const all = q(QP_UNWRITTEN);
  const ms = ticks / MS;
  const n = <u32>max((all * min(ms, WINDOW_MS)) / (2 * WINDOW_MS), (all * min(ms, WALKED_MS)) / WALKED_MS);
  const first = <u32>q(QP_UNWRITTEN_AT);
  let fresh: u64 = 0;
  for (let index = first; index < first + n; index++) if (addPage(index)) fresh++;
  return fresh;
}
