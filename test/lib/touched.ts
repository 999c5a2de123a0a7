// SPDX-License-Identifier: Apache-2.0
// A recorded migration that resumes before every page is there, against the slow guest at its destination.
import * as abi from "../../assembly/abi.ts";
import { sameLists } from "./reference/compare.ts";
import { type Read, type Touched, touching } from "./reference/touching.ts";
import { of, type Run } from "./timeline.ts";
import { plannedWrites } from "./tracked.ts";

const KINDS: Readonly<Record<number, Read["kind"]>> = { [abi.M_FILLED]: "filled", [abi.M_WHOLE]: "whole" };

const log = (run: Run, index: number): number => Number(run.core.logged(index));

/** Pages announced in the last round, and when each landed after the resume. */
export function pagesOf(run: Run): { missing: Set<number>; landed: Map<number, number> } {
  const steps = of(run, abi.T_PAGE, 0).filter((e) => e.which === abi.P_ANNOUNCED);
  const suspended = log(run, abi.L_SUSPENDED);
  const missing = new Set(steps.filter(({ t }) => t >= suspended).map(({ a }) => a));
  const landings = of(run, abi.T_STAGE, 1).filter((e) => e.which === abi.U_MEMORY && e.t > suspended);
  return { missing, landed: new Map(landings.map(({ a, t }) => [a, t])) };
}

/**
 * Throws where a run and the slow guest differ; returns what the slow one says. The guest had no stalls.
 * `missing`: pages that the guest does not have at the resume; those of the last round unless given.
 */
export function checkTouches(run: Run, given?: ReadonlySet<number>): Touched {
  const { global, sides } = run.params;
  const p = sides[1];
  const { missing: left, landed } = pagesOf(run);
  const missing = given ?? left;
  const resumed = log(run, abi.L_ARRIVED);
  const until = log(run, abi.L_BOOKS);
  const reads = of(run, abi.T_READ, 1)
    .filter((e) => KINDS[e.which] !== undefined && e.t <= until)
    .map((e) => ({ at: e.t, kind: KINDS[e.which]!, pfn: e.a }));
  const before = (lane: number): number =>
    Number(run.core.u64(run.core.address("touchersAt") + 32 * lane + 16));
  const lanes = plannedWrites(run, until).map((lane, v) => lane.slice(before(v)));
  const shape = {
    wall: global[abi.G_CLOCK_WALL] === 1,
    fault: p[abi.S_HOST_MISSING]!,
    map: p[abi.S_HOST_MAP]!,
    message: p[abi.S_HOST_MESSAGE]!,
    interrupt: p[abi.S_HOST_INTERRUPT]!,
    suspended: log(run, abi.L_SUSPENDED),
    resumed,
    until,
  };
  const expected = touching(shape, lanes, missing, landed, reads);
  const writes = of(run, abi.T_PAGE, 1).filter((e) => e.which === abi.P_WRITTEN);
  const inOrder = (list: { at: number; pfn: number }[]): { at: number; pfn: number }[] =>
    list.toSorted((a, b) => a.at - b.at || a.pfn - b.pfn);
  sameLists("write", inOrder(writes.map(({ t, a }) => ({ at: t, pfn: a }))), inOrder(expected.writes));
  // doorbells: that the guest has resumed, the pages asked for, and that the source may go
  const rung = of(run, abi.T_PUT, 1).filter((e) => e.which === abi.PORT_DOORBELL && e.c >= resumed);
  sameLists(
    "asked for",
    rung.slice(1, 1 + expected.asked.length).map(({ c }) => c),
    expected.asked.map(({ at }) => at),
  );
  const stood = expected.stood.reduce((sum, n) => sum + n, 0);
  const counters: [number, number][] = [
    [abi.C_WRITES, expected.writes.length],
    [abi.C_STALL_TICKS, stood],
    [abi.C_DEMANDS, expected.asked.length],
  ];
  sameLists(
    "counter",
    counters.map(([at]) => [at, Number(run.core.counter(1, at))]),
    counters,
  );
  return expected;
}
