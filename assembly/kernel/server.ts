// SPDX-License-Identifier: Apache-2.0
// A serial server with a pipeline behind it: request i starts at s_i = max(arrival_i, s_(i-1) + span_(i-1)),
// its answer is there `latency` after it has started and its bytes have passed: s_i + span_i + latency. Fed
// in order of arrival by one wire, so it may be computed when the request is committed to that wire.
//
//   server record, 40 bytes: | free u64 | num u64 | den u64 | latency u64 | started u64 |
import { spanTicks } from "./time";

const SERVERS = memory.data(320, 16);


@unmanaged
class Server {
  free: u64;
  num: u64;
  den: u64;
  latency: u64;
  started: u64;
}

// @ts-ignore: decorator
@inline
function server(index: u32): Server {
  return changetype<Server>(SERVERS + index * 40);
}

/** Sets a server up: ticks a byte (num/den) and latency. */
export function buildServer(index: u32, num: u64, den: u64, latency: u64): void {
  const s = server(index);
  s.free = 0;
  s.num = num;
  s.den = den;
  s.latency = latency;
  s.started = 0;
}

/** Takes a request that arrives at t; returns when its answer is there. `startOf` tells when it started. */
export function admit(index: u32, t: u64, bytes: u32): u64 {
  const s = server(index);
  const start = t > s.free ? t : s.free;
  s.started = start;
  s.free = start + spanTicks(bytes, s.num, s.den);
  return s.free + s.latency;
}

/** When the last admitted request started. */
// @ts-ignore: decorator
@inline
export function startOf(index: u32): u64 {
  return server(index).started;
}
