// SPDX-License-Identifier: Apache-2.0
// Which TCP the port has: the one for a path that loses nothing, or the one with congestion control.
import {
  CONGESTION_NONE,
  F_HEARD,
  G_NET_CONGESTION,
  G_NET_PROPAGATION,
  G_NET_TICKS_DEN,
  G_NET_TICKS_NUM,
  U_NET_TX,
} from "./abi";
import { buildTcp, stepRxTcp, stepTxTcp, unacknowledgedTcp } from "./channel/tcp";
import {
  buildTcpLossy,
  stepRxLossy,
  stepTxLossy,
  unacknowledgedLossy,
  closeLossy,
  takeAck,
} from "./channel/tcp-lossy";
import { connection } from "./kernel/connection";
import { decided, heard } from "./kernel/datagrams";
import { g, g32 } from "./kernel/params";
import { bottleneckTicks, lostForGood } from "./kernel/path";
import { closeLink } from "./kernel/trouble";
import { wake } from "./kernel/schedule";
import { handshakeBytes } from "./kernel/wire";

let lossy: bool = false;

/** Builds the port and its connections; false when memory does not hold the frames under way. */
export function buildNet(): bool {
  lossy = g32(G_NET_CONGESTION) != CONGESTION_NONE;
  return lossy ? buildTcpLossy() : buildTcp();
}

/** Time of the handshake: SYN and SYN-ACK, one way each. */
export function handshakeTicks(): u64 {
  const bytes = handshakeBytes();
  const port = (bytes * g(G_NET_TICKS_NUM) + g(G_NET_TICKS_DEN) - 1) / g(G_NET_TICKS_DEN);
  return 2 * (port + (lossy ? bottleneckTicks(bytes) : 0) + g(G_NET_PROPAGATION));
}

export function stepRx(side: u32, t: u64): void {
  if (lossy) stepRxLossy(side, t);
  else stepRxTcp(side, t);
}

export function stepTx(side: u32, t: u64): void {
  if (lossy) stepTxLossy(side, t);
  else stepTxTcp(side, t);
}

/** A handler for datagrams has ended at t; the port, which goes before the cores, sees it a tick later. */
export function recover(side: u32, handler: u32, argument: u32, n: u32, t: u64): void {
  if (handler == F_HEARD) takeAck(side, heard(side, argument), t);
  else decided(connection(side, argument), n);
  wake(side, U_NET_TX, t + 1);
}

/** Bytes sent and not acknowledged, in all connections of a side. */
export function unacknowledged(side: u32): u64 {
  return lossy ? unacknowledgedLossy(side) : unacknowledgedTcp(side);
}

/** Whether the link is down at t, and for good. */
export function linkLost(t: u64): bool {
  return lossy && lostForGood(t);
}

/** Nothing goes over the link any more. */
export function shutLink(): void {
  closeLink();
  if (lossy) closeLossy();
}
