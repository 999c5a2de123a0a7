// SPDX-License-Identifier: Apache-2.0
// The receive window of a connection: fixed, or right-sized as Linux does. It begins with what a SYN can say.
// A growing window follows a clamp by two segments for each that arrives in order; the clamp follows what was
// received in the last round trip: twice that, and once more by the share that it grew, twice.
//
// A fixed window is what the receive buffer leaves: an ACK that goes at once is sent before the application
// has taken the bytes that it acknowledges, so the right edge lags behind by them until the next ACK: a flow
// that such a window limits has W - 2 MSS in a round trip. A growing window is less than its buffer leaves.
//
// Numbers: recorded with an initial receive buffer of 131072 bytes, of which 170/256
// are payload in segments of 1448 bytes and 181/256 in those of 8948.
import { G_NET_PROPAGATION, G_NET_TUNED, G_NET_WINDOW } from "../abi";
import { Connection, FIRST_SEGMENTS } from "./connection";
import { isFirmware } from "./congestion";
import { g } from "./params";
import { bottleneckTicks } from "./path";
import { segmentBytes, wireBytes } from "./wire";

/** The window of a SYN has 16 bits and is not scaled (RFC 7323, 2.2). */
const SYN_WINDOW: u64 = 65535;
const FIRST_BUFFER: u64 = 131072;
const SHARE_SMALL: u64 = 170;
const SHARE_LARGE: u64 = 181;
/** What a window scale of 12 can say. */
const STEP: u64 = 4096;

let tuned: bool = false;
let fixed: bool = false;
let most: u64 = 0;
let mss: u64 = 0;
let roundTrip: u64 = 0;

export function buildTuning(): void {
  tuned = g(G_NET_TUNED) != 0;
  fixed = !tuned && !isFirmware();
  most = g(G_NET_WINDOW);
  mss = segmentBytes();
  // what timestamps show of it: two frames and an ACK leave the bottleneck meanwhile
  roundTrip = 2 * g(G_NET_PROPAGATION) + bottleneckTicks(2 * wireBytes(<u32>mss) + wireBytes(0));
}

/**
 * The receiving end `c` before anything is received; what the sending end hears of it, in a SYN or an ACK.
 */
export function openWindow(c: Connection, sender: Connection, inSyn: bool): void {
  const first = min<u64>(most, SYN_WINDOW);
  c.window = tuned ? first : most;
  c.clamp = min<u64>((FIRST_BUFFER * (mss <= 2048 ? SHARE_SMALL : SHARE_LARGE)) >> 8, most);
  c.space = min<u64>(first, FIRST_SEGMENTS * mss);
  c.advertised = inSyn && !isFirmware() ? first : grantable(c);
  sender.right = c.advertised;
}

/** The window that may be granted beyond what has been taken. */
// @ts-ignore: decorator
@inline
export function grantable(c: Connection): u64 {
  return tuned ? max<u64>(c.window - (c.window % STEP), min<u64>(most, SYN_WINDOW)) : c.window;
}

/** An ACK is due, at once or after a delay in which the application takes what there is. */
export function noteUnread(c: Connection, atOnce: bool): void {
  c.unread = atOnce && fixed ? c.received - c.acked : 0;
}

/** `bytes` have arrived in order and were taken at t. */
export function tune(c: Connection, bytes: u32, t: u64): void {
  if (!tuned) return;
  if (c.copiedAt == 0) c.copiedAt = t;
  if (c.window < c.clamp && bytes >= 128) c.window = min<u64>(c.window + 2 * mss, c.clamp);
  if (t - c.copiedAt < roundTrip) return;
  const copied = c.received - c.copiedFrom;
  if (copied > c.space) {
    const twice = 2 * copied;
    const wanted = twice + 2 * ((twice * (copied - c.space)) / c.space);
    if (wanted > c.clamp) c.clamp = min<u64>(wanted, most);
    c.space = copied;
  }
  c.copiedFrom = c.received;
  c.copiedAt = t;
}
