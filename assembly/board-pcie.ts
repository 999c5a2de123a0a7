// SPDX-License-Identifier: Apache-2.0
// The board of a PCIe probe: one card's link, root complex and memory, and an engine that reads and writes
// them. The parameters are those of side 0 of a migration.
import {
  A_DOWN,
  A_MEMORY_READ,
  A_MEMORY_WRITE,
  A_TENANT,
  A_UP,
  STARVED,
  S_CARD_DEN,
  S_CARD_NUM,
  UNITS,
  U_DOWN,
  U_TENANT,
  U_UP,
} from "./abi";
import { wirePorts, wireTenant } from "./board-wiring";
import {
  buildTenant,
  startTenant,
  stepTenant,
  tenantDone,
  tenantDoneAt,
  tenantLatencies,
  tenantWrites,
} from "./card/tenant";
import { stepPcie } from "./channel/pcie";
import { fifosReset } from "./kernel/fifo";
import { arenaReset } from "./kernel/memory";
import { p } from "./kernel/params";
import { orderReset } from "./kernel/order";
import {
  earliest,
  nextDue,
  nextPresent,
  scheduleReset,
  setClock,
  setCurrent,
  setDue,
  setNow,
  somePresent,
} from "./kernel/schedule";
import { settleServers } from "./kernel/server";
import { brokenInvariant, closeBooks, openAccount, statsReset } from "./kernel/stats";
import { NEVER, NO_CLOCK, setDomain } from "./kernel/time";
import { timelineReset } from "./kernel/timeline";
import { buildWays, flushPcie } from "./kernel/way";

const MARKS = memory.data(24, 8);

/**
 * Builds the board from the parameters of side 0, none of whose tags belong to anyone else.
 * Returns false when memory does not hold it.
 */
export function buildPcieProbe(): bool {
  arenaReset();
  scheduleReset();
  statsReset();
  fifosReset();
  orderReset();
  timelineReset();
  setDomain(0, p(0, S_CARD_NUM), p(0, S_CARD_DEN));
  for (let u: u32 = 0; u < UNITS; u++) setClock(0, u, NO_CLOCK);
  wireTenant(0);
  if (!wirePorts(0)) return false;
  buildWays(0);
  if (!buildTenant(0)) return false;
  openAccount(0, A_UP, STARVED);
  openAccount(0, A_DOWN, STARVED);
  openAccount(0, A_MEMORY_READ, STARVED);
  openAccount(0, A_MEMORY_WRITE, STARVED);
  openAccount(0, A_TENANT, STARVED);
  startTenant(0);
  return true;
}

/**
 * Runs until so many operations have ended. `probeMarks` then holds when the last one did, and how many of
 * them wrote. Returns false when an invariant broke, or nothing is left to do.
 */
export function runPcieProbe(operations: u32): bool {
  while (brokenInvariant == 0 && tenantDone(0) < operations) {
    if (earliest(0) == NEVER) return false;
    visit(nextDue(0, NEVER));
  }
  store<u64>(MARKS, tenantDoneAt(0));
  store<u64>(MARKS, tenantDone(0), 8);
  store<u64>(MARKS, tenantWrites(0), 16);
  flushPcie(0);
  return brokenInvariant == 0;
}

function visit(t: u64): void {
  setNow(t);
  if (isDefined(NAIVE)) {
    // every unit at every time at which one is due
    for (let u: u32 = U_UP; u < UNITS; u++) {
      if (u != U_UP && u != U_DOWN && u != U_TENANT) continue;
      setCurrent(0, u);
      setDue(0, u, NEVER);
      step(u, t);
    }
  } else {
    setCurrent(0, UNITS);
    while (somePresent()) step(nextPresent(0), t);
  }
  setCurrent(2, UNITS);
}

// @ts-ignore: decorator
@inline
function step(u: u32, t: u64): void {
  if (u == U_TENANT) stepTenant(0, t);
  else stepPcie(0, u - U_UP, t);
}

/** Closes the accounts at the end of the last operation that was waited for. */
export function closePcieProbe(): void {
  const t = tenantDoneAt(0);
  settleServers(t);
  closeBooks(t);
}

/** When the last operation ended, operations that have, and those of them that wrote; u64 each. */
export function probeMarks(): usize {
  return MARKS;
}

/** Latencies of the operations in the order in which they ended, u64 ticks each. */
export function probeLatencies(): usize {
  return tenantLatencies(0);
}
