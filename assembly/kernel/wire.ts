// SPDX-License-Identifier: Apache-2.0
// Bytes of a frame on the wire, and what a payload may have of the MTU.
import {
  G_NET_FRAME_MIN,
  G_NET_FRAMING,
  G_NET_HEADERS,
  G_NET_MTU,
  G_NET_OUTSIDE,
  G_NET_PAD_TO,
} from "../abi";
import { g } from "./params";

/** Options of a SYN and its answer (MSS, SACK, timestamps, window scale) beyond those of other segments. */
const SYN_OPTIONS: u32 = 8;

let outside: u64 = 0;
let framing: u64 = 0;
let frameMin: u64 = 0;
let headers: u64 = 0;
let padTo: u64 = 1;

export function buildWire(): void {
  outside = g(G_NET_OUTSIDE);
  framing = g(G_NET_FRAMING);
  frameMin = g(G_NET_FRAME_MIN);
  headers = g(G_NET_HEADERS);
  padTo = max<u64>(g(G_NET_PAD_TO), 1);
}

/**
 * Payload bytes of a full segment: a padded packet (RFC 4303) fills the MTU with no more than whole words.
 */
export function segmentBytes(): u64 {
  return padTo == 1 ? g(G_NET_MTU) - headers : (g(G_NET_MTU) / padTo) * padTo - headers;
}

/** Bytes of a frame on the wire with so many bytes behind the headers of a segment. */
// @ts-ignore: decorator
@inline
export function wireBytes(payload: u32): u64 {
  let packet = headers + payload;
  if (padTo > 1) packet += (padTo - (packet % padTo)) % padTo;
  const frame = framing + packet;
  return outside + (frame < frameMin ? frameMin : frame);
}

/** Wire bytes of a SYN or its answer. */
export function handshakeBytes(): u64 {
  return wireBytes(SYN_OPTIONS);
}
