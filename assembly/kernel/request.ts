// SPDX-License-Identifier: Apache-2.0
// The books as they stand when the migration is asked for: what a run counts before `startAt` (other I/O, a
// guest's devices, records made ahead) is none of the migration's. Each side's front-end is woken at
// `startAt` and its accounts and counters are copied in that instant, so that
//   since the request = at the end - copied        for every account and state
// of which all states of an account add up to the time since. An interval that is open at `startAt` is
// charged up to it by who reads (src/result/reading). At `startAt` 0 there is nothing to copy.
import { ACCOUNTS, ACCOUNT_BYTES, COUNTERS, G_START_AT, U_FRONTEND } from "../abi";
import { g } from "./params";
import { wake } from "./schedule";
import { settleServersOf } from "./server";
import { accountsAt, countersAt } from "./stats";

const ACCOUNT = memory.data(49152, 16);
const COUNTER = memory.data(2048, 16);
const ACCOUNTS_SIZE: u32 = ACCOUNTS * ACCOUNT_BYTES;
const COUNTERS_SIZE: u32 = COUNTERS * 8;

if (2 * ACCOUNTS_SIZE > 49152 || 2 * COUNTERS_SIZE > 2048) ERROR("books of the request");

/** Sides whose books are still to be copied, a bit each. */
export let unasked: u32 = 0;

export function buildRequest(side: u32): void {
  if (side == 0) unasked = 0;
  memory.fill(ACCOUNT + side * ACCOUNTS_SIZE, 0, ACCOUNTS_SIZE);
  memory.fill(COUNTER + side * COUNTERS_SIZE, 0, COUNTERS_SIZE);
  if (g(G_START_AT) == 0) return;
  unasked |= 1 << side;
  wake(side, U_FRONTEND, g(G_START_AT));
}

/** A side's front-end is stepped at t. */
export function untilRequest(side: u32, t: u64): void {
  if ((unasked & (1 << side)) == 0) return;
  if (t < g(G_START_AT)) wake(side, U_FRONTEND, g(G_START_AT));
  else copyBooks(side, g(G_START_AT));
}

/** A side stands still from now on: what it has counted by then is all that it has before a later request. */
export function noRequest(side: u32): void {
  if ((unasked & (1 << side)) != 0) copyBooks(side, g(G_START_AT));
}

function copyBooks(side: u32, t: u64): void {
  unasked &= ~(1 << side);
  settleServersOf(side, t);
  memory.copy(ACCOUNT + side * ACCOUNTS_SIZE, accountsAt() + side * ACCOUNTS_SIZE, ACCOUNTS_SIZE);
  memory.copy(COUNTER + side * COUNTERS_SIZE, countersAt() + side * COUNTERS_SIZE, COUNTERS_SIZE);
}

export function requestAccountsAt(): usize {
  return ACCOUNT;
}

export function requestCountersAt(): usize {
  return COUNTER;
}
