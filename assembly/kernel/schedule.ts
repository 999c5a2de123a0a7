// SPDX-License-Identifier: Apache-2.0
// Which unit is stepped when. Each side (a server with its card) has a local clock and a table of due times
// in the
// order of its units, downstream first. A side steps every unit that is due at its earliest due time, in
// that order,
// and jumps to the next. A unit may wake a later unit of the order at the present time (it has freed room),
// any unit
// at a future time; an earlier unit that is woken at the present time acts at its next edge. So the order
// of events
// at one time is (target unit, source unit, sequence at the source), whoever was executed first.
//
// Built with NAIVE the due times of clocked units are ignored: every unit is stepped at every edge of its
// clock, and
// units without a clock at every time that is visited. That build is the oracle of this one.
import { UNITS } from "../abi";
import { NEVER, NO_CLOCK, edgeAt } from "./time";

const DUE = memory.data(512, 16);
const CLOCK_OF = memory.data(256, 16);

if (<u32>(UNITS * 16) > 512 || UNITS > 31) ERROR("due table too small");

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
  for (let i: u32 = 0; i < 2 * UNITS; i++) store<u64>(DUE + (i << 3), NEVER);
  now = 0;
}

export function setClock(side: u32, unit: u32, domain: u32): void {
  store<u32>(CLOCK_OF + ((side * UNITS + unit) << 2), domain);
}

// @ts-ignore: decorator
@inline
export function clockOf(side: u32, unit: u32): u32 {
  return load<u32>(CLOCK_OF + ((side * UNITS + unit) << 2));
}

// @ts-ignore: decorator
@inline
export function dueOf(side: u32, unit: u32): u64 {
  return load<u64>(DUE + ((side * UNITS + unit) << 3));
}

// @ts-ignore: decorator
@inline
export function setDue(side: u32, unit: u32, t: u64): void {
  store<u64>(DUE + ((side * UNITS + unit) << 3), t);
}

/** Asks for a step of the unit at its first edge at or after t; an earlier request stands. */
export function wake(side: u32, unit: u32, t: u64): void {
  const at = DUE + ((side * UNITS + unit) << 3);
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
  if (side == currentSide) remember(unit, t);
}

// What has been woken on the side that is being stepped since the due table was last read: the three
// earliest times,
// and who was woken for each. Most steps are followed by one of these, and the table need not be read again.
let first: u64 = NEVER;
let firstWho: u32 = 0;
let second: u64 = NEVER;
let secondWho: u32 = 0;
let third: u64 = NEVER;
let thirdWho: u32 = 0;
/** No unit that is not remembered is due before this. */
let others: u64 = NEVER;
/** Units that are due at `now` and have not been stepped. */
let present: u32 = 0;

function remember(unit: u32, t: u64): void {
  const bit = (<u32>1) << unit;
  if (t <= now) {
    present |= bit;
  } else if (t < first) {
    push(t, bit, 0);
  } else if (t == first) {
    firstWho |= bit;
  } else if (t < second) {
    push(t, bit, 1);
  } else if (t == second) {
    secondWho |= bit;
  } else if (t < third) {
    push(t, bit, 2);
  } else if (t == third) {
    thirdWho |= bit;
  } else if (t < others) {
    others = t;
  }
}

/** Puts a time at a place among the three; the last one falls out and is one of the others. */
// @ts-ignore: decorator
@inline
function push(t: u64, who: u32, place: u32): void {
  if (third < others) others = third;
  if (place < 2) {
    third = second;
    thirdWho = secondWho;
  } else {
    third = t;
    thirdWho = who;
  }
  if (place == 0) {
    second = first;
    secondWho = firstWho;
    first = t;
    firstWho = who;
  } else if (place == 1) {
    second = t;
    secondWho = who;
  }
}

/** Forgets all three. */
// @ts-ignore: decorator
@inline
function forget(): void {
  first = NEVER;
  second = NEVER;
  third = NEVER;
}

/** Begins a turn of a side: the table must be read, it may have changed from outside. */
export function beginTurn(side: u32): void {
  currentSide = side;
  currentUnit = UNITS;
  others = 0;
  forget();
  present = 0;
}

/** The next time at which something is due on the side; who is due then is taken by nextPresent(). */
export function nextDue(side: u32): u64 {
  if (first < others) {
    const t = first;
    present = firstWho;
    first = second;
    firstWho = secondWho;
    second = third;
    secondWho = thirdWho;
    third = NEVER;
    return t;
  }
  return readTable(side);
}

function readTable(side: u32): u64 {
  const base = DUE + side * UNITS * 8;
  let best = NEVER;
  let next = NEVER;
  let who: u32 = 0;
  for (let i: u32 = 0; i < UNITS; i++) {
    const t = load<u64>(base + (i << 3));
    if (t < best) {
      next = best;
      best = t;
      who = (<u32>1) << i;
    } else if (t == best) {
      who |= (<u32>1) << i;
    } else if (t < next) {
      next = t;
    }
  }
  present = who;
  others = next;
  forget();
  return best;
}

/** Takes the first unit, in the order of units, that is due at t; UNITS when there is none left. */
// @ts-ignore: decorator
@inline
export function nextPresent(side: u32, t: u64): u32 {
  const base = DUE + side * (UNITS * 8);
  while (present != 0) {
    const unit = <u32>ctz<u32>(present);
    present &= present - 1;
    const at = base + (unit << 3);
    if (load<u64>(at) > t) continue; // it was woken earlier than it first said
    store<u64>(at, NEVER);
    currentUnit = unit;
    return unit;
  }
  return UNITS;
}

/** Earliest due time of a side. */
export function earliest(side: u32): u64 {
  const base = DUE + side * UNITS * 8;
  let best = load<u64>(base);
  for (let i: u32 = 1; i < UNITS; i++) {
    const t = load<u64>(base + (i << 3));
    if (t < best) best = t;
  }
  return best;
}
