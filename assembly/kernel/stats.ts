// SPDX-License-Identifier: Apache-2.0
// What a run counts: time accounts (each interval charged when it ends, never a remainder), counters,
// log-linear histograms, and the first invariant that broke.
//
//   account record, 192 bytes: | since u64 | state u32 | in use u32 | sums u64 x 20 | from u64 | then u32 |
//   - |
//   histogram record, 4 KiB:   | count u64 | sum u64 | max u64 | min u64 | buckets u64 x 508 |
import {
  A_MEMORY_READ,
  A_MEMORY_WRITE,
  ACCOUNT_BYTES,
  ACCOUNTS,
  BUSY,
  COUNTERS,
  HISTOGRAMS,
  I_ACCOUNTING,
  STARVED,
  STATES,
} from "../abi";

const FROM: usize = 176;
const THEN: usize = 184;
const HISTOGRAM_BYTES: u32 = 4096;
const ACCOUNT = memory.data(49152, 16);
const COUNTER = memory.data(2048, 16);
const HISTOGRAM = memory.data(73728, 16);

if (<u32>(ACCOUNTS * 2 * 192) > 49152) ERROR("accounts");
if (<u32>(COUNTERS * 16) > 2048) ERROR("counters");
if (<u32>(HISTOGRAMS * 2 * 4096) > 73728) ERROR("histograms");
if (STATES * 8 + 16 != 176) ERROR("account record");

/** The first broken invariant: its number (0 when none), the two values, its time. */
export let brokenInvariant: u32 = 0;
export let brokenLeft: u64 = 0;
export let brokenRight: u64 = 0;
export let brokenAt: u64 = 0;
/** Invariants that have been looked at, a bit each: those of records, which not every run has. */
export let evaluated: u32 = 0;
/** True once the reported interval has ended: the drain phase is not counted. */
export let booksClosed: bool = false;

export function statsReset(): void {
  memory.fill(ACCOUNT, 0, 49152);
  memory.fill(COUNTER, 0, 2048);
  memory.fill(HISTOGRAM, 0, 73728);
  brokenInvariant = 0;
  brokenLeft = 0;
  brokenRight = 0;
  brokenAt = 0;
  evaluated = 0;
  booksClosed = false;
}

/** Records that an invariant broke; the first one stands and ends the run. */
export function broken(invariant: u32, left: u64, right: u64, t: u64): void {
  if (brokenInvariant != 0) return;
  brokenInvariant = invariant;
  brokenLeft = left;
  brokenRight = right;
  brokenAt = t;
}

/** An invariant is about to be looked at. */
// @ts-ignore: decorator
@inline
export function evaluates(invariant: u32): void {
  evaluated |= (<u32>1) << invariant;
}

/** Begins an account in a state. */
export function openAccount(side: u32, account: u32, state: u32): void {
  const at = ACCOUNT + (side * ACCOUNTS + account) * ACCOUNT_BYTES;
  store<u64>(at, 0);
  store<u32>(at, state, 8);
  store<u32>(at, 1, 12);
  store<u64>(at, u64.MAX_VALUE, FROM);
}

/** The account's unit is in `state` from t on; the interval that ends is charged to the state it was in. */
// @ts-ignore: decorator
@inline
export function enter(side: u32, account: u32, state: u32, t: u64): void {
  const at = ACCOUNT + (side * ACCOUNTS + account) * ACCOUNT_BYTES;
  if (load<u32>(at, 8) != state || load<u64>(at, FROM) != u64.MAX_VALUE) change(at, state, t);
}

function change(at: usize, state: u32, t: u64): void {
  if (booksClosed || load<u32>(at, 12) == 0) return;
  if (load<u64>(at, FROM) != u64.MAX_VALUE) settle(at, t);
  const was = load<u32>(at, 8);
  if (was == state) return;
  const sum = at + 16 + (was << 3);
  store<u64>(sum, load<u64>(sum) + (t - load<u64>(at)));
  store<u64>(at, t);
  store<u32>(at, state, 8);
}

/**
 * The unit is in `state` until `from`, and in `then` afterwards unless it is entered before: a unit that
 * knows what it will wait for need not be stepped to say so.
 */
export function enterUntil(side: u32, account: u32, state: u32, t: u64, from: u64, then: u32): void {
  enter(side, account, state, t);
  const at = ACCOUNT + (side * ACCOUNTS + account) * ACCOUNT_BYTES;
  store<u64>(at, from, FROM);
  store<u32>(at, then, THEN);
}

/** Every unit of a side stands still from t on, but for host memory, whose account follows its servers. */
export function standStill(side: u32, t: u64): void {
  for (let i: u32 = 0; i < ACCOUNTS; i++) {
    if (i != A_MEMORY_READ && i != A_MEMORY_WRITE) enter(side, i, STARVED, t);
  }
}

/** The account's unit has been busy for `busy` ticks of the first t, and starved for the rest. */
export function busyFor(side: u32, account: u32, busy: u64, t: u64): void {
  const at = ACCOUNT + (side * ACCOUNTS + account) * ACCOUNT_BYTES;
  if (booksClosed || load<u32>(at, 12) == 0) return;
  store<u64>(at + 16 + (BUSY << 3), busy);
  store<u64>(at + 16 + (STARVED << 3), t - busy);
  store<u64>(at, t);
}

/** Charges an announced change whose time has come, and forgets one whose time has not. */
function settle(at: usize, t: u64): void {
  const from = load<u64>(at, FROM);
  store<u64>(at, u64.MAX_VALUE, FROM);
  if (from > t) return;
  const sum = at + 16 + (load<u32>(at, 8) << 3);
  store<u64>(sum, load<u64>(sum) + (from - load<u64>(at)));
  store<u64>(at, from);
  store<u32>(at, load<u32>(at, THEN), 8);
}

/** Ends the reported interval at t: charges what is open and holds every account against the elapsed time. */
export function closeBooks(t: u64): void {
  for (let i: u32 = 0; i < 2 * ACCOUNTS; i++) {
    const at = ACCOUNT + i * ACCOUNT_BYTES;
    if (load<u32>(at, 12) == 0) continue;
    settle(at, t);
    const sum = at + 16 + (load<u32>(at, 8) << 3);
    store<u64>(sum, load<u64>(sum) + (t - load<u64>(at)));
    let total: u64 = 0;
    for (let s: u32 = 0; s < STATES; s++) total += load<u64>(at + 16 + (s << 3));
    if (total != t) broken(I_ACCOUNTING, total, t, t);
  }
  booksClosed = true;
}

// @ts-ignore: decorator
@inline
export function count(side: u32, counter: u32, n: u64): void {
  const at = COUNTER + ((side * COUNTERS + counter) << 3);
  if (!booksClosed) store<u64>(at, load<u64>(at) + n);
}

/** Value of a counter. */
// @ts-ignore: decorator
@inline
export function counted(side: u32, counter: u32): u64 {
  return load<u64>(COUNTER + ((side * COUNTERS + counter) << 3));
}

/** Puts a duration into a histogram: exact below 8 ticks, then 8 buckets an octave. */
export function sample(side: u32, histogram: u32, value: u64): void {
  if (booksClosed) return;
  const at = HISTOGRAM + (side * HISTOGRAMS + histogram) * HISTOGRAM_BYTES;
  const n = load<u64>(at);
  store<u64>(at, n + 1);
  store<u64>(at, load<u64>(at, 8) + value, 8);
  if (value > load<u64>(at, 16)) store<u64>(at, value, 16);
  if (n == 0 || value < load<u64>(at, 24)) store<u64>(at, value, 24);
  let bucket = <u32>value;
  if (value >= 8) {
    const octave = 63 - <u32>clz<u64>(value);
    bucket = (octave - 2) * 8 + ((<u32>(value >> (octave - 3))) & 7);
  }
  const slot = at + 32 + (bucket << 3);
  store<u64>(slot, load<u64>(slot) + 1);
}

/** Ticks charged to a state of an account. */
export function charged(side: u32, account: u32, state: u32): u64 {
  return load<u64>(ACCOUNT + (side * ACCOUNTS + account) * ACCOUNT_BYTES + 16 + (state << 3));
}

/** Ticks that an account has been in a state by t, by a change that was announced too. */
export function stateTicks(side: u32, account: u32, state: u32, t: u64): u64 {
  const at = ACCOUNT + (side * ACCOUNTS + account) * ACCOUNT_BYTES;
  const changes = min<u64>(load<u64>(at, FROM), t);
  let ticks = load<u64>(at + 16 + (state << 3));
  if (load<u32>(at, 8) == state) ticks += changes - load<u64>(at);
  if (load<u32>(at, THEN) == state) ticks += t - changes;
  return ticks;
}

export function accountsAt(): usize {
  return ACCOUNT;
}

export function countersAt(): usize {
  return COUNTER;
}

export function histogramsAt(): usize {
  return HISTOGRAM;
}
