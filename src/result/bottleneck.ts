// SPDX-License-Identifier: Apache-2.0
/** Which unit limits a run, as far as time accounts can tell. */
import * as abi from "../../assembly/abi.ts";
import { CAUSES, type Unit } from "./accounts.ts";

/** A share of the migration's time: a unit (or pool, `.*`) that was busy or waited for one cause. */
export interface Share {
  unit: string;
  /** `busy`, or what was waited for. */
  cause: string;
  /** 0 to 1 of the time since the migration was asked for; of a pool, the mean of its engines. */
  share: number;
}

/**
 * Waiting for these is a limit of its own; waiting for SRAM, PCIe or a full send buffer points further down.
 */
const LIMITS: ReadonlySet<number> = new Set([
  abi.W_TAGS,
  abi.W_CREDIT_PH,
  abi.W_CREDIT_PD,
  abi.W_CREDIT_NPH,
  abi.W_COMPLETION_BUFFER,
  abi.W_REPLAY,
  abi.W_CWND,
  abi.W_RATE_CAP,
  abi.W_PAUSE,
]);
/**
 * A full wire makes every tag wait too: a busy unit is named before a wait that is no more than this much
 * longer.
 */
const BUSY_FIRST = 0.9;
const SHARES_MAX = 12;
/** Busy means something else here: the guest runs, a fetch is out. */
const NO_RESOURCE = /\.(guest|descriptors)$/;

/**
 * Engines beside a CPU have no account of their own: the front-end that sleeps for them and for workers is
 * one, and the write engine that waits for buffers of the destination's host, which are out as long as its
 * workers, engines and PCIe take. Busy workers are named before either (BUSY_FIRST), and so is a wire that is
 * busy nearly as long as the card waits for engines.
 */
function isLimit(unit: string, state: number): boolean {
  if (state === abi.W_WORKERS) return /\.(host\.frontend|card\.dma\.write)$/.test(unit);
  return LIMITS.has(state) || (state === abi.W_WINDOW && unit.endsWith("link.tx"));
}

/**
 * Shares of the time `ticks`, in which the units did what `units` says, greatest first, and the one that
 * limits: the busiest unit, unless some unit waited for a limit of its own clearly longer than that. Null
 * when nothing was busy.
 */
export function bottleneckOf(
  units: readonly Unit[],
  ticks: bigint,
): { limit: Share | null; shares: Share[] } {
  const pools = new Map<string, Unit[]>();
  for (const unit of units) pools.set(unit.pool, [...(pools.get(unit.pool) ?? []), unit]);
  const busy: Share[] = [];
  const waits: Share[] = [];
  for (const [name, members] of pools) {
    if (NO_RESOURCE.test(name)) continue;
    for (let state = 0; state < abi.STATES; state++) {
      const sum = members.reduce((total, { ticks: sums }) => total + sums[state]!, 0n);
      if (sum === 0n || ticks === 0n) continue;
      const share = Math.round((1e6 * Number(sum)) / (Number(ticks) * members.length)) / 1e6;
      if (state === abi.BUSY) busy.push({ unit: name, cause: "busy", share });
      else if (isLimit(name, state)) waits.push({ unit: name, cause: CAUSES[state]!, share });
    }
  }
  const order = (a: Share, b: Share): number => b.share - a.share || (a.unit < b.unit ? -1 : 1);
  busy.sort(order);
  waits.sort(order);
  const [first] = busy;
  const [wait] = waits;
  const waiting = wait !== undefined && (first === undefined || first.share < BUSY_FIRST * wait.share);
  return {
    limit: (waiting ? wait : first) ?? null,
    shares: [...busy, ...waits].sort(order).slice(0, SHARES_MAX),
  };
}
