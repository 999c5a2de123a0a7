// SPDX-License-Identifier: Apache-2.0
// A serial server with a pipeline behind it: request i starts at s_i = max(arrival_i, s_(i-1) + span_(i-1)),
// its answer is there `latency` after it has started and its bytes have passed: s_i + span_i + latency. Fed
// in order of arrival by one wire, so it may be computed when the request is committed to that wire.
//
// Its account is what has been served less what is not past yet: services are computed ahead, so the latest
// busy periods (services that follow each other without a gap) are kept in a ring.
//
//   server record, 128 bytes, see the class; period, 16 bytes: | from u64 | to u64 |
import { reserve } from "./memory";
import { now } from "./schedule";
import { busyFor } from "./stats";
import { spanTicks } from "./time";

const SERVERS = memory.data(512, 16);


@unmanaged
class Server {
  free: u64;
  num: u64;
  den: u64;
  latency: u64;
  started: u64;
  served: u64;
  periods: usize;
  mask: u32;
  tail: u32;
  account: u32;
  bytes: u64; // of the last request, and its span
  span: u64;
}

if (offsetof<Server>() > 128) ERROR("server record");

// @ts-ignore: decorator
@inline
function server(index: u32): Server {
  return changetype<Server>(SERVERS + (index << 7));
}

/**
 * Sets a server up: ticks a byte (num/den), latency, the account of its time, and how many requests may be on
 * their way to it. False when memory does not hold their periods.
 */
export function buildServer(index: u32, num: u64, den: u64, latency: u64, account: u32, underWay: u64): bool {
  const s = server(index);
  s.free = 0;
  s.num = num;
  s.den = den;
  s.latency = latency;
  s.started = 0;
  s.account = account;
  s.served = 0;
  s.tail = 0;
  s.bytes = 0;
  s.span = 0;
  let periods: u32 = 1024;
  while (<u64>periods < underWay + 1024) periods <<= 1;
  s.mask = periods - 1;
  s.periods = reserve((<u64>periods) << 4);
  return s.periods != 0;
}

/** Takes a request that arrives at t; returns when its answer is there. `startOf` tells when it started. */
// @ts-ignore: decorator
@inline
export function admit(index: u32, t: u64, bytes: u32): u64 {
  const s = server(index);
  if (bytes != s.bytes) measure(s, bytes);
  const span = s.span;
  let tail = s.tail;
  let start = s.free;
  if (t > start || tail == 0) {
    if (t > start) start = t;
    const next = period(s, tail++);
    assert(tail <= s.mask || load<u64>(next, 8) <= now, "too many requests on their way to memory");
    store<u64>(next, start);
    s.tail = tail;
  }
  const end = start + span;
  s.started = start;
  s.served += span;
  s.free = end;
  store<u64>(period(s, tail - 1), end, 8);
  return end + s.latency;
}

/** How long a request of so many bytes is served: most are as long as the one before. */
function measure(s: Server, bytes: u32): void {
  s.bytes = bytes;
  s.span = spanTicks(bytes, s.num, s.den);
}

// @ts-ignore: decorator
@inline
function period(s: Server, index: u32): usize {
  return s.periods + ((<usize>(index & s.mask)) << 4);
}

/** Charges what is past by t. */
function charge(side: u32, s: Server, t: u64): void {
  let busy = s.served;
  for (let i = s.tail; i != 0; i--) {
    const at = period(s, i - 1);
    const from = load<u64>(at);
    const to = load<u64>(at, 8);
    if (to <= t) break;
    busy -= to - (from > t ? from : t);
  }
  busyFor(side, s.account, busy, t);
}

/** Brings the accounts of a side's servers up to t. */
export function settleServersOf(side: u32, t: u64): void {
  for (let i: u32 = 0; i < 2; i++) charge(side, server(side * 2 + i), t);
}

/** Brings the accounts of all servers up to t. */
export function settleServers(t: u64): void {
  settleServersOf(0, t);
  settleServersOf(1, t);
}

/** When the last admitted request started. */
// @ts-ignore: decorator
@inline
export function startOf(index: u32): u64 {
  return server(index).started;
}
