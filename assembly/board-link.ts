// SPDX-License-Identifier: Apache-2.0
// A link alone: the ports of two cards with a source of bytes at one and a sink at the other. The network
// units are those of a migration.
import {
  A_NET,
  C_NET_ACKS,
  C_NET_FRAMES,
  C_NET_PAUSES,
  G_LINK_BYTES,
  G_NET_STREAMS,
  G_QUANTUM,
  G_SERIES_WINDOW,
  LR_ACKED,
  LR_AGAIN,
  LR_CWND,
  LR_DATA,
  LR_DROPPED,
  LR_ENDED,
  LR_EPISODES,
  LR_LOST,
  LR_PAUSED,
  LR_PAUSES,
  LR_RECEIVED,
  LR_RIGHT,
  LR_SENT,
  LR_SRTT,
  LR_SRTT_TIME,
  LR_SRTT_SUM,
  LR_STREAMS,
  LR_TIMEOUTS,
  STARVED,
  STOP_DONE,
  STOP_INVARIANT,
  STOP_UNTIL,
  STREAMS_MAX,
  TICKS_PER_NS,
  UNITS,
  U_NET_RX,
  U_NET_TX,
  W_PAUSE,
} from "./abi";
import { buildNet, stepRx, stepTx } from "./board-net";
import { connection } from "./kernel/connection";
import { logReset } from "./kernel/log";
import { arenaReset, arenaTop } from "./kernel/memory";
import { g, g32 } from "./kernel/params";
import { path } from "./kernel/path";
import {
  earliest,
  nextDue,
  nextPresent,
  scheduleReset,
  setClock,
  setCurrent,
  setNow,
  somePresent,
  wake,
} from "./kernel/schedule";
import { brokenInvariant, charged, counted, openAccount, statsReset } from "./kernel/stats";
import { LINK_A, LINK_B, endlessStream, stream } from "./kernel/stream";
import { NO_CLOCK } from "./kernel/time";
import { timelineReset } from "./kernel/timeline";

/** When the last byte was acknowledged, 0 before. */
let endedAt: u64 = 0;

const READING = memory.data(512, 8);
if ((LR_STREAMS + STREAMS_MAX) * 8 > 512) ERROR("reading of a link");

/** Builds the link from the parameter block; 0, or 1 when memory does not hold it. */
export function buildLink(): u32 {
  arenaReset();
  statsReset();
  scheduleReset();
  logReset(g(G_SERIES_WINDOW));
  timelineReset();
  endedAt = 0;
  if (!buildNet()) return 1;
  for (let side: u32 = 0; side < 2; side++) {
    for (let u: u32 = 0; u < UNITS; u++) setClock(side, u, NO_CLOCK);
    endlessStream(side, LINK_A, 0);
    endlessStream(side, LINK_B, side == 0 ? g(G_LINK_BYTES) : 0);
    openAccount(side, A_NET, STARVED);
  }
  wake(0, U_NET_TX, 0);
  return arenaTop() == 0 ? 1 : 0;
}

/** Runs until the time `until`, or until every byte of the source has been acknowledged. */
export function runLink(until: u64): u32 {
  while (brokenInvariant == 0) {
    if (endedAt != 0) return STOP_DONE;
    const a = earliest(0);
    const b = earliest(1);
    const first = a < b ? a : b;
    if (first > until) return STOP_UNTIL;
    let to = first + g(G_QUANTUM);
    if (to > until) to = until;
    runTo(0, to);
    runTo(1, to);
  }
  return STOP_INVARIANT;
}

/** Steps everything that is due on a side up to and including `to`; NAIVE: all units at each visit. */
function runTo(side: u32, to: u64): void {
  setCurrent(side, UNITS);
  while (brokenInvariant == 0 && endedAt == 0) {
    const t = nextDue(side, to);
    if (t > to) break;
    setNow(t);
    while (somePresent()) step(side, nextPresent(side), t);
    if (isDefined(NAIVE)) {
      for (let u: u32 = 0; u < 2; u++) {
        setCurrent(side, u);
        step(side, u, t);
      }
      setCurrent(side, UNITS);
    }
  }
  setCurrent(2, UNITS);
}

function step(side: u32, u: u32, t: u64): void {
  if (u == U_NET_TX) stepTx(side, t);
  if (u != U_NET_RX) return;
  stepRx(side, t);
  if (side == 0 && endedAt == 0 && stream(0, LINK_B).una >= g(G_LINK_BYTES)) endedAt = t;
}

function put(index: u32, value: u64): void {
  store<u64>(READING + (index << 3), value);
}

/** Writes what there is to read of the link (LR_ constants) and returns its address. */
export function linkReading(): usize {
  const streams = g32(G_NET_STREAMS);
  memory.fill(READING, 0, 512);
  put(LR_ACKED, stream(0, LINK_B).una);
  put(LR_ENDED, endedAt);
  let again: u64 = 0;
  let episodes: u64 = 0;
  let timeouts: u64 = 0;
  let sum: u64 = 0;
  let samples: u64 = 0;
  for (let i: u32 = 0; i < streams; i++) {
    const c = connection(0, streams + i);
    again += c.again;
    episodes += c.episodes;
    timeouts += c.timeouts;
    sum += c.srttSum;
    samples += c.srttTime;
    put(LR_STREAMS + i, c.una);
  }
  put(LR_AGAIN, again);
  put(LR_EPISODES, episodes);
  put(LR_TIMEOUTS, timeouts);
  put(LR_SRTT_SUM, sum);
  put(LR_SRTT_TIME, samples);
  const first = connection(0, streams);
  put(LR_SRTT, first.srtt / TICKS_PER_NS);
  put(LR_CWND, first.cwnd);
  put(LR_RIGHT, first.right - first.una);
  put(LR_DATA, counted(0, C_NET_FRAMES) - counted(0, C_NET_ACKS));
  for (let side: u32 = 0; side < 2; side++) {
    put(LR_SENT + side, path(side).sent);
    put(LR_LOST + side, path(side).lost);
    put(LR_DROPPED + side, path(side).dropped);
    put(LR_RECEIVED + side, path(side).received);
    put(LR_PAUSES + side, counted(side, C_NET_PAUSES));
    put(LR_PAUSED + side, charged(side, A_NET, W_PAUSE));
  }
  return READING;
}
