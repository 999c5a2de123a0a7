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
//   due tables of a side: | u64 x 24 units |, NEVER when nothing is asked, and
//                         | u32 x 24 units |, ticks after the side's base, FAR when that is too much to say
// The second is what is searched: a vector holds four of them and has a minimum of its own. The base follows
// the local clock.
import { UNITS } from "../abi";
import { NEVER, NO_CLOCK, edgeAt } from "./time";

const SLOTS: u32 = 24;
const FAR: u32 = 0xffff_ffff;
const DUE = memory.data(384, 16);
const NEAR = memory.data(192, 16);
const BASE = memory.data(16, 8);
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
  rebase(0, 0);
  rebase(1, 0);
  now = 0;
}

export function setClock(side: u32, unit: u32, domain: u32): void {
  store<u32>(CLOCK_OF + ((side * SLOTS + unit) << 2), domain);
}

// @ts-ignore: decorator
@inline
function slot(side: u32, unit: u32): usize {
  return DUE + ((side * SLOTS + unit) << 3);
}

// @ts-ignore: decorator
@inline
export function clockOf(side: u32, unit: u32): u32 {
  return load<u32>(CLOCK_OF + ((side * SLOTS + unit) << 2));
}

export function setDue(side: u32, unit: u32, t: u64): void {
  store<u64>(slot(side, unit), t);
  store<u32>(nearSlot(side, unit), nearness(side, t));
}

// @ts-ignore: decorator
@inline
function nearSlot(side: u32, unit: u32): usize {
  return NEAR + ((side * SLOTS + unit) << 2);
}

/** Ticks from the side's base to t, which is not before it. */
// @ts-ignore: decorator
@inline
function nearness(side: u32, t: u64): u32 {
  const ticks = t - load<u64>(BASE + (side << 3));
  return ticks < FAR ? <u32>ticks : FAR;
}

/** Moves a side's base to t. */
function rebase(side: u32, t: u64): void {
  store<u64>(BASE + (side << 3), t);
  for (let u: u32 = 0; u < SLOTS; u++)
    store<u32>(nearSlot(side, u), nearness(side, load<u64>(slot(side, u))));
}

/** Asks for a step of the unit at its first edge at or after t; an earlier request stands. */
export function wake(side: u32, unit: u32, t: u64): void {
  const index = side * SLOTS + unit;
  if (t >= load<u64>(DUE + (index << 3))) return;
  if (t <= now && side == currentSide) {
    wakeAtOnce(unit);
    return;
  }
  const domain = load<u32>(CLOCK_OF + (index << 2));
  if (domain != NO_CLOCK) {
    t = edgeAt(domain, t);
    if (t >= load<u64>(DUE + (index << 3))) return;
  }
  assert(t >= load<u64>(BASE + (side << 3)), "a unit woken in its side's past");
  store<u64>(DUE + (index << 3), t);
  store<u32>(NEAR + (index << 2), nearness(side, t));
}

/** The same at present, by a unit of this side: one that is not later in the order acts at its next edge. */
function wakeAtOnce(unit: u32): void {
  const domain = clockOf(currentSide, unit);
  let t = now;
  if (domain != NO_CLOCK) {
    t = edgeAt(domain, unit <= currentUnit ? now + 1 : now);
    if (t >= load<u64>(slot(currentSide, unit))) return;
  } else {
    assert(unit > currentUnit, "a unit without a clock woken in its past");
  }
  setDue(currentSide, unit, t);
  if (t == now) present |= (<u32>1) << unit;
}

/** Units of the side that are due at `now` and have not been stepped, a bit each. */
let present: u32 = 0;

/** Nothing of a side is due any more. */
export function forgetDue(side: u32): void {
  for (let u: u32 = 0; u < SLOTS; u++) setDue(side, u, NEVER);
}

/** Earliest due time of a side. */
export function earliest(side: u32): u64 {
  let best = NEVER;
  for (let u: u32 = 0; u < SLOTS; u++) best = min<u64>(best, load<u64>(slot(side, u)));
  return best;
}

/** Which of the eight units at `at` are as near as each lane of m says: 16 bits a unit, all or none. */
// @ts-ignore: decorator
@inline
function equalAmong(at: usize, m: v128): v128 {
  return v128.narrow<i32>(v128.eq<i32>(v128.load(at), m), v128.eq<i32>(v128.load(at, 16), m));
}

/**
 * The next time at which something is due on the side; who is due then is taken by nextPresent(). A time
 * after `to` is only looked at.
 */
// @ts-ignore: decorator
@inline
export function nextDue(side: u32, to: u64): u64 {
  const at = nearSlot(side, 0);
  let m = v128.min<u32>(
    v128.min<u32>(
      v128.min<u32>(v128.load(at), v128.load(at, 16)),
      v128.min<u32>(v128.load(at, 32), v128.load(at, 48)),
    ),
    v128.min<u32>(v128.load(at, 64), v128.load(at, 80)),
  );
  m = v128.min<u32>(m, v128.shuffle<u32>(m, m, 2, 3, 0, 1));
  m = v128.min<u32>(m, v128.shuffle<u32>(m, m, 1, 0, 3, 2));
  const ticks = v128.extract_lane<u32>(m, 0);
  if (ticks == FAR) return farDue(side, to);
  const first = v128.narrow<i16>(equalAmong(at, m), equalAmong(at + 32, m));
  const rest = equalAmong(at + 64, m);
  present = v128.bitmask<i8>(first) | ((v128.bitmask<i8>(v128.narrow<i16>(rest, rest)) & 0xff) << 16);
  return load<u64>(BASE + (side << 3)) + ticks;
}

/** Nothing is near: the base moves to what is due next, if that is to be stepped. */
function farDue(side: u32, to: u64): u64 {
  const t = earliest(side);
  if (t > to) return t;
  rebase(side, t);
  present = 0;
  for (let u: u32 = 0; u < UNITS; u++) if (load<u32>(nearSlot(side, u)) == 0) present |= (<u32>1) << u;
  return t;
}

/** True while a unit of the side that is due at `now` has not been stepped. */
// @ts-ignore: decorator
@inline
export function somePresent(): bool {
  return present != 0;
}

/** Takes the first unit, in the order of units, that is due at `now`; only while there is one. */
// @ts-ignore: decorator
@inline
export function nextPresent(side: u32): u32 {
  const mask = present;
  const unit = <u32>ctz<u32>(mask);
  present = mask & (mask - 1);
  store<u64>(slot(side, unit), NEVER);
  store<u32>(nearSlot(side, unit), FAR);
  currentUnit = unit;
  return unit;
}
