// SPDX-License-Identifier: Apache-2.0
// A serial server with a pipeline behind it: request i starts at s_i = max(arrival_i, s_(i-1) + span_(i-1)),
// its answer is there `latency` after it has started and its bytes have passed: s_i + span_i + latency. Fed
// in order of arrival by one wire, so it may be computed when the request is committed to that wire.
//
// Its account is kept by busy periods: services that follow each other without a gap. They are computed
// ahead, so a period waits in a ring until its time has come.
//
//   server record, 64 bytes, see the class; period, 16 bytes: | from u64 | to u64 |
import { BUSY, STARVED } from "../abi";
import { reserve } from "./memory";
import { now } from "./schedule";
import { enter } from "./stats";
import { spanTicks } from "./time";

const SERVERS = memory.data(256, 16);


@unmanaged
class Server {
  free: u64;
  num: u64;
  den: u64;
  latency: u64;
  started: u64;
  periods: usize;
  mask: u32;
  head: u32;
  tail: u32;
  side: u32;
  account: u32;
}

if (offsetof<Server>() > 64) ERROR("server record");

// @ts-ignore: decorator
@inline
function server(index: u32): Server {
  return changetype<Server>(SERVERS + (index << 6));
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
  s.side = index >> 1;
  s.account = account;
  s.head = 0;
  s.tail = 0;
  let periods: u32 = 1024;
  while (<u64>periods < underWay + 1024) periods <<= 1;
  s.mask = periods - 1;
  s.periods = reserve((<u64>periods) << 4);
  return s.periods != 0;
}

/** Takes a request that arrives at t; returns when its answer is there. `startOf` tells when it started. */
export function admit(index: u32, t: u64, bytes: u32): u64 {
  const s = server(index);
  const start = t > s.free ? t : s.free;
  s.started = start;
  if (start != s.free || s.head == s.tail) begin(s, start);
  s.free = start + spanTicks(bytes, s.num, s.den);
  store<u64>(period(s, s.tail - 1), s.free, 8);
  return s.free + s.latency;
}

// @ts-ignore: decorator
@inline
function period(s: Server, index: u32): usize {
  return s.periods + ((<usize>(index & s.mask)) << 4);
}

function begin(s: Server, from: u64): void {
  charge(s, now);
  assert(s.tail - s.head <= s.mask, "too many requests on their way to memory");
  store<u64>(period(s, s.tail++), from);
}

/** Charges what is past by t. */
function charge(s: Server, t: u64): void {
  while (s.head != s.tail) {
    const at = period(s, s.head);
    if (load<u64>(at) > t) return;
    enter(s.side, s.account, BUSY, load<u64>(at));
    if (load<u64>(at, 8) > t) return;
    enter(s.side, s.account, STARVED, load<u64>(at, 8));
    s.head++;
  }
}

/** Brings the accounts of all servers up to t. */
export function settleServers(t: u64): void {
  for (let i: u32 = 0; i < 4; i++) charge(server(i), t);
}

/** When the last admitted request started. */
// @ts-ignore: decorator
@inline
export function startOf(index: u32): u64 {
  return server(index).started;
}
