// SPDX-License-Identifier: Apache-2.0
// Which unit is stepped when. Each side (a server with its card) has a local clock and a table of due times
// in the order of its units, downstream first. A side steps every unit that is due at its earliest due time,
// in that order, and jumps to the next. A unit may wake a later unit of the order at the present time (it has
// freed room), any unit at a future time; an earlier unit that is woken at the present time acts at its next
// edge. So the order of events at one time is (target unit, source unit, sequence at the source), whoever was
// executed first.
//
// Built with NAIVE the due times of clocked units are ignored: every unit is stepped at every edge of its
// clock, and units without a clock at every time that is visited. That build is the oracle of this one.
//
//   due table of a side, 192 bytes: | u64 x 24 units, NEVER when nothing is asked |
import { UNITS } from "../abi";
import { NEVER, NO_CLOCK, edgeAt } from "./time";

const SLOTS: u32 = 24;
const DUE = memory.data(384, 16);
const CLOCK_OF = memory.data(256, 16);

if (UNITS > SLOTS) ERROR("due table too small");

/** Time of the step that is being executed. */
export let now: u64 = 0;
/** Side and unit that are being stepped. */
export let currentSide: u32 = 0;
export let currentUnit: u32 = 0;

export function setNow(t: u64): void {
  now = t;
}

export function setCurrent(side: u32, unit: u32): void {
  currentSide = side;
  currentUnit = unit;
}

export function scheduleReset(): void {
  for (let i: u32 = 0; i < 2 * SLOTS; i++) store<u64>(DUE + (i << 3), NEVER);
  now = 0;
}

export function setClock(side: u32, unit: u32, domain: u32): void {
  store<u32>(CLOCK_OF + ((side * UNITS + unit) << 2), domain);
}

// @ts-ignore: decorator
@inline
function slot(side: u32, unit: u32): usize {
  return DUE + ((side * SLOTS + unit) << 3);
}

// @ts-ignore: decorator
@inline
export function clockOf(side: u32, unit: u32): u32 {
  return load<u32>(CLOCK_OF + ((side * UNITS + unit) << 2));
}

// @ts-ignore: decorator
@inline
export function dueOf(side: u32, unit: u32): u64 {
  return load<u64>(slot(side, unit));
}

// @ts-ignore: decorator
@inline
export function setDue(side: u32, unit: u32, t: u64): void {
  store<u64>(slot(side, unit), t);
}

/** Asks for a step of the unit at its first edge at or after t; an earlier request stands. */
export function wake(side: u32, unit: u32, t: u64): void {
  const at = slot(side, unit);
  if (t >= load<u64>(at)) return;
  const domain = clockOf(side, unit);
  const late = t <= now && side == currentSide && unit <= currentUnit;
  if (domain != NO_CLOCK) {
    t = edgeAt(domain, late ? now + 1 : t);
    if (t >= load<u64>(at)) return;
  } else {
    assert(!late, "a unit without a clock woken in its past");
  }
  store<u64>(at, t);
  if (t <= now && side == currentSide) present |= PAIR << ((<u64>unit) << 1);
}

/** Units of the side that are due at `now` and have not been stepped: two bits a unit, both set. */
let present: u64 = 0;
const PAIR: u64 = 3;

/** The lesser of each pair of times, compared as signed numbers. */
// @ts-ignore: decorator
@inline
function least(a: v128, b: v128): v128 {
  return v128.bitselect(a, b, v128.lt<i64>(a, b));
}

/** The least times of the eight units at `at`, of the even and of the odd ones. */
// @ts-ignore: decorator
@inline
function leastOf(at: usize): v128 {
  return least(least(v128.load(at), v128.load(at, 16)), least(v128.load(at, 32), v128.load(at, 48)));
}

/** Which of the eight units at `at` are due at the time in both halves of m: two bits a unit. */
// @ts-ignore: decorator
@inline
function dueAmong(at: usize, m: v128): u64 {
  const a = v128.narrow<i32>(v128.eq<i64>(v128.load(at), m), v128.eq<i64>(v128.load(at, 16), m));
  const b = v128.narrow<i32>(v128.eq<i64>(v128.load(at, 32), m), v128.eq<i64>(v128.load(at, 48), m));
  return v128.bitmask<i8>(v128.narrow<i16>(a, b));
}

/** Earliest due time of a side. */
export function earliest(side: u32): u64 {
  const m = earliestPair(side);
  return v128.extract_lane<u64>(m, 0);
}

/** Earliest due time of a side, in both halves. */
// @ts-ignore: decorator
@inline
function earliestPair(side: u32): v128 {
  const base = slot(side, 0);
  const m = least(leastOf(base), least(leastOf(base + 64), leastOf(base + 128)));
  return least(m, v128.shuffle<u64>(m, m, 1, 2));
}

/** The next time at which something is due on the side; who is due then is taken by nextPresent(). */
// @ts-ignore: decorator
@inline
export function nextDue(side: u32): u64 {
  const base = slot(side, 0);
  const m = earliestPair(side);
  present = dueAmong(base, m) | (dueAmong(base + 64, m) << 16) | (dueAmong(base + 128, m) << 32);
  return v128.extract_lane<u64>(m, 0);
}

/** Takes the first unit, in the order of units, that is due at t = `now`; UNITS when there is none left. */
// @ts-ignore: decorator
@inline
export function nextPresent(side: u32): u32 {
  if (present == 0) return UNITS;
  const unit = <u32>(ctz<u64>(present) >> 1);
  present &= present - 1;
  present &= present - 1;
  store<u64>(slot(side, unit), NEVER);
  currentUnit = unit;
  return unit;
}
