// SPDX-License-Identifier: Apache-2.0
// Time. One tick is 2^-10 ps. A clock domain has a rational period num/den ticks; edge k lies at ceil(k * num
// / den), so an edge is never early and no drift builds up.
//
//   domain record, 32 bytes: | num u64 | den u64 | an edge u64, kept because most questions are about it or
//   its neighbours | whole ticks of a period u64 |

/** A time that never comes; not above 2^63 - 1, so that times may be compared as signed numbers. */
export const NEVER: u64 = 0x7fff_ffff_ffff_ffff;

/** Domain number of units that have no clock: wires, memory, guests. */
export const NO_CLOCK: u32 = 0xffff;

const DOMAINS = memory.data(256, 16);

export function setDomain(domain: u32, num: u64, den: u64): void {
  store<u64>(DOMAINS + (domain << 5), num);
  store<u64>(DOMAINS + (domain << 5), den, 8);
  store<u64>(DOMAINS + (domain << 5), 0, 16);
  store<u64>(DOMAINS + (domain << 5), num / den, 24);
}

// @ts-ignore: decorator
@inline
export function periodNum(domain: u32): u64 {
  return load<u64>(DOMAINS + (domain << 5));
}

// @ts-ignore: decorator
@inline
function periodDen(domain: u32): u64 {
  return load<u64>(DOMAINS + (domain << 5), 8);
}

/** First edge of the domain at or after t: the least ceil(k * num / den) >= t. */
// @ts-ignore: decorator
@inline
export function edgeAt(domain: u32, t: u64): u64 {
  // the edge before the kept one is a period or more before it, of whole ticks and perhaps one
  const kept = load<u64>(DOMAINS + (domain << 5), 16);
  return kept - t < load<u64>(DOMAINS + (domain << 5), 24) ? kept : otherEdge(domain, t);
}

/** The same of an edge that is not the kept one, and is kept then. */
function otherEdge(domain: u32, t: u64): u64 {
  const num = periodNum(domain);
  const den = periodDen(domain);
  let edge = t;
  if (den == 1) {
    edge = load<u64>(DOMAINS + (domain << 5), 16) + num;
    if (edge - t >= num) {
      const past = t % num;
      edge = past == 0 ? t : t - past + num;
    }
  } else {
    const whole = t / num;
    const rest = t - whole * num;
    if (rest != 0) {
      const k = ((rest - 1) * den) / num + 1;
      edge = whole * num + (k * num + den - 1) / den;
    }
  }
  store<u64>(DOMAINS + (domain << 5), edge, 16);
  return edge;
}

/** The edge `cycles` after the edge t. */
export function edgeAfter(domain: u32, t: u64, cycles: u64): u64 {
  const num = periodNum(domain);
  const den = periodDen(domain);
  if (den == 1) return t + cycles * num;
  const whole = t / num;
  const k = ((t - whole * num) * den) / num + cycles;
  return whole * num + (k / den) * num + ((k % den) * num + den - 1) / den;
}

/** Ticks that n bytes take at a rational rate of num/den ticks a byte, rounded up to a whole tick. */
// @ts-ignore: decorator
@inline
export function spanTicks(n: u64, num: u64, den: u64): u64 {
  return den == 1 ? n * num : (n * num + den - 1) / den;
}

/** a * b <= c * d, exactly. */
export function productAtMost(a: u64, b: u64, c: u64, d: u64): bool {
  const left = high(a, b);
  const right = high(c, d);
  return left < right || (left == right && a * b <= c * d);
}

/** Upper 64 bits of a product. */
function high(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const mid = ah * bl + ((al * bl) >> 32);
  const cross = al * bh + (mid & 0xffffffff);
  return ah * bh + (mid >> 32) + (cross >> 32);
}
