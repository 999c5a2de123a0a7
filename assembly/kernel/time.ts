// SPDX-License-Identifier: Apache-2.0
// Time. One tick is 2^-10 ps. A clock domain has a rational period num/den ticks; edge k lies at ceil(k * num
// / den), so an edge is never early and no drift builds up.
//
//   domain record, 64 bytes, see the class

/** A time that never comes; not above 2^63 - 1, so that times may be compared as signed numbers. */
export const NEVER: u64 = 0x7fff_ffff_ffff_ffff;

/** Domain number of units that have no clock: wires, memory, guests. */
export const NO_CLOCK: u32 = 0xffff;


@unmanaged
class Domain {
  num: u64;
  den: u64;
  edge: u64; // kept, because most questions are about it or its neighbours
  whole: u64; // ticks of a period, rounded down
  base: u64; // the last edge before the kept one that lies at a multiple of num
  phase: u32; // edges from there to the kept one
  narrow: u32; // 1 when what is computed from a base fits 32 bits
}

const DOMAINS = memory.data(512, 16);

if (offsetof<Domain>() > 64) ERROR("domain record");

// @ts-ignore: decorator
@inline
function record(domain: u32): Domain {
  return changetype<Domain>(DOMAINS + (domain << 6));
}

export function setDomain(domain: u32, num: u64, den: u64): void {
  const d = record(domain);
  d.num = num;
  d.den = den;
  d.edge = 0;
  d.whole = num / den;
  d.base = 0;
  d.phase = 0;
  d.narrow = num < 0x8000_0000 && den < 0x8000_0000 && num * den + den < 0xffff_ffff ? 1 : 0;
}

/** First edge of the domain at or after t: the least ceil(k * num / den) >= t. */
// @ts-ignore: decorator
@inline
export function edgeAt(domain: u32, t: u64): u64 {
  // the edge before the kept one is a period or more before it, of whole ticks and perhaps one
  const d = record(domain);
  const kept = d.edge;
  return kept - t < d.whole ? kept : otherEdge(d, t);
}

/** The same of an edge that is not the kept one, and is kept then. */
function otherEdge(d: Domain, t: u64): u64 {
  const num = d.num;
  if (d.den == 1) {
    const kept = d.edge;
    let edge = kept + num;
    if (edge - t >= num) {
      const on = t - kept;
      const past = on >> 32 == 0 && d.narrow != 0 ? <u64>(<u32>on % <u32>num) : t % num;
      edge = past == 0 ? t : t - past + num;
    }
    d.edge = edge;
    return edge;
  }
  let base = d.base;
  let on = t - base;
  if (on >> 32 != 0 || d.narrow == 0) return farEdge(d, t);
  const den = <u32>d.den;
  const turns = <u32>on / <u32>num;
  on -= turns * num;
  base += turns * num;
  let phase: u32 = 0;
  let edge = base;
  if (on != 0) {
    phase = ((<u32>on - 1) * den) / <u32>num + 1;
    edge += (phase * <u32>num + den - 1) / den;
  }
  d.base = base;
  d.phase = phase;
  d.edge = edge;
  return edge;
}

/** The same far from the kept edge, or of a clock that is slow. */
function farEdge(d: Domain, t: u64): u64 {
  const num = d.num;
  const den = d.den;
  const base = (t / num) * num;
  const on = t - base;
  const phase = on == 0 ? 0 : ((on - 1) * den) / num + 1;
  const edge = base + (phase * num + den - 1) / den;
  d.base = base;
  d.phase = <u32>phase;
  d.edge = edge;
  return edge;
}

/** The edge `cycles` after the edge t. */
export function edgeAfter(domain: u32, t: u64, cycles: u64): u64 {
  const d = record(domain);
  const num = d.num;
  const den = d.den;
  if (den == 1) return t + cycles * num;
  if (t == d.edge && d.narrow != 0 && cycles < 0x4000_0000) {
    const from = d.phase + <u32>cycles;
    const turns = from / <u32>den;
    return d.base + turns * num + ((from - turns * <u32>den) * <u32>num + <u32>den - 1) / <u32>den;
  }
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
