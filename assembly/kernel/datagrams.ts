// SPDX-License-Identifier: Apache-2.0
// What a card's firmware works for datagrams that it recovers itself (transport: udp), on the cores of its
// control processor.
//
// Models: acknowledgements that come by themselves wait in a queue of 64 for a core; a handler takes one, and
//   what it tells acts when the handler ends. One that finds the queue full is not heard: a later one, or a
//   timeout, makes up for it. A datagram that is found lost waits for a decision; a handler makes up to 32,
//   of one connection, and from its end on as many may go again. One that arrives after all was decided on
//   for nothing.
// How long: A cycles an acknowledgement, R a decision, from an edge of the control clock on. So C cores of
//   f Hz hear C f / A acknowledgements a second at most, and send no more than C f / R datagrams again.
// Leaves out: the receiver's work for acknowledgements, timers, and what frames with data tell: the port
//   takes that by itself.
// Numbers: card preset `control.datagramAckCycles` A and `control.datagramAgainCycles` R, assumed; 0 where
//   the port does it in no time.
import {
  CONGESTION_NONE,
  C_ACKS_HEARD,
  C_ACKS_UNHEARD,
  F_DECIDED,
  F_HEARD,
  G_NET_CONGESTION,
  G_NET_STREAMS,
  S_DATAGRAM_ACK,
  S_DATAGRAM_AGAIN,
} from "../abi";
import { isFirmware } from "./congestion";
import { Connection, connection } from "./connection";
import { occupy } from "./cores";
import { Arrival } from "./frames";
import { g32, p32 } from "./params";
import { count } from "./stats";

const QUEUE: u32 = 64;
const DECISIONS_MOST: u32 = 32;
const ARRIVAL: u32 = 88;
const CORES: u32 = 16;

/** Acknowledgements that wait, of each side, and behind them those that cores have. */
const WAITING = memory.data(2 * 64 * 88, 8);
const TAKEN = memory.data(2 * 16 * 88, 8);
/** Of a side: | head u32 | count u32 |. */
const RING = memory.data(16, 8);

if (offsetof<Arrival>() != 88) ERROR("datagrams");

/** Some card's firmware works for datagrams. */
export let charged: bool = false;

/** A port without a card's cores behind it. */
export function forgetDatagrams(): void {
  memory.fill(RING, 0, 16);
  charged = false;
}

export function buildDatagrams(): void {
  forgetDatagrams();
  if (g32(G_NET_CONGESTION) == CONGESTION_NONE || !isFirmware()) return;
  for (let side: u32 = 0; side < 2; side++) {
    const again = p32(side, S_DATAGRAM_AGAIN);
    if ((p32(side, S_DATAGRAM_ACK) | again) != 0) charged = true;
    for (let i: u32 = 0; i < 2 * g32(G_NET_STREAMS); i++) connection(side, i).decides = again != 0 ? 1 : 0;
  }
}

/** A frame without data has arrived; true when it waits for a core, or is not heard. */
export function waitsForCore(side: u32, e: Arrival): bool {
  if (p32(side, S_DATAGRAM_ACK) == 0) return false;
  const ring = RING + (side << 3);
  const n = load<u32>(ring, 4);
  if (n == QUEUE) {
    count(side, C_ACKS_UNHEARD, 1);
    return true;
  }
  const place = (load<u32>(ring) + n) % QUEUE;
  memory.copy(WAITING + (side * QUEUE + place) * ARRIVAL, changetype<usize>(e), ARRIVAL);
  store<u32>(ring, n + 1, 4);
  return true;
}

/** Gives an idle core what waits at the edge t, acknowledgements first; false when there is nothing. */
export function workOn(side: u32, core: u32, t: u64): bool {
  if (hear(side, core, t)) return true;
  for (let i: u32 = 0; i < 2 * g32(G_NET_STREAMS); i++) {
    const c = connection(side, i);
    const n = min<u32>(c.undecided - c.deciding, DECISIONS_MOST);
    if (n == 0) continue;
    c.deciding += n;
    occupy(side, core, F_DECIDED, i, n, 0, n * p32(side, S_DATAGRAM_AGAIN), t);
    return true;
  }
  return false;
}

function hear(side: u32, core: u32, t: u64): bool {
  const ring = RING + (side << 3);
  const n = load<u32>(ring, 4);
  if (n == 0) return false;
  const place = load<u32>(ring);
  const slot = side * CORES + core;
  memory.copy(TAKEN + slot * ARRIVAL, WAITING + (side * QUEUE + place) * ARRIVAL, ARRIVAL);
  store<u32>(ring, (place + 1) % QUEUE);
  store<u32>(ring, n - 1, 4);
  count(side, C_ACKS_HEARD, 1);
  occupy(side, core, F_HEARD, core, 1, 0, p32(side, S_DATAGRAM_ACK), t);
  return true;
}

/** What the handler that has ended on a core has heard. */
export function heard(side: u32, core: u32): Arrival {
  return changetype<Arrival>(TAKEN + (side * CORES + core) * ARRIVAL);
}

/** So many decisions of a connection have been made. */
export function decided(c: Connection, n: u32): void {
  c.deciding -= n;
  c.undecided -= n;
}

/** What no core has taken: acknowledgements, decisions. */
export function datagramsLeft(side: u32): u32 {
  if (!charged) return 0;
  let n = load<u32>(RING + (side << 3), 4);
  for (let i: u32 = 0; i < 2 * g32(G_NET_STREAMS); i++) n += connection(side, i).undecided;
  return n;
}
