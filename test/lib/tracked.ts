// SPDX-License-Identifier: Apache-2.0
// A recorded migration against the slow tracker: every write and every batch of marks, to the tick.
import * as abi from "../../assembly/abi.ts";
import { vcpuOf } from "../../src/feeder.ts";
import { EventFlag } from "../../src/trace/events.ts";
import { sameLists } from "./reference/compare.ts";
import { TooFast } from "./reference/qemu-limit.ts";
import {
  type BringIn,
  type Collection,
  type Planned,
  type Predicted,
  SlowTracker,
  trackerShape,
} from "./reference/tracker.ts";
import { of, type Run, streamFor } from "./timeline.ts";

/** The writes of each vCPU as the trace has them, as far as a run came. */
export function plannedWrites(run: Run, until: number): Planned[][] {
  const { vcpus } = run.scenario.guest;
  const lanes: Planned[][] = Array.from({ length: vcpus }, () => []);
  const stream = streamFor(run.scenario);
  for (
    let batch = stream.next();
    batch !== null && Number(batch.startTicks) <= until;
    batch = stream.next()
  ) {
    for (let i = 0; i < batch.count; i++) {
      const pfn = batch.pfns[i]!;
      const free = (batch.flags[i]! & EventFlag.free) !== 0;
      const read = (batch.flags[i]! & EventFlag.read) !== 0;
      lanes[vcpuOf(pfn, vcpus)]!.push({
        at: Number(batch.timeTicks[i]!),
        pfn,
        free,
        ...(read ? { read } : {}),
      });
    }
  }
  return lanes;
}

const steps = (run: Run, which: number) => of(run, abi.T_PAGE, 0).filter((e) => e.which === which);

/** Batches that were collected, with the pages that were marked; at first a batch is not sent again. */
export function collectionsOf(run: Run): { collections: Collection[]; taken: number[][] } {
  const rows = new Map<string, { at: number; batch: number; pages: number[] }>();
  const add = (which: number): void => {
    for (const { t, a } of steps(run, which)) {
      const batch = Math.floor(a / abi.BATCH_PAGES);
      const name = `${t} ${batch}`;
      if (!rows.has(name)) rows.set(name, { at: t, batch, pages: [] });
      if (which === abi.P_CLEARED) rows.get(name)!.pages.push(a);
    }
  };
  add(abi.P_ANNOUNCED);
  add(abi.P_CLEARED);
  const told = new Set<number>();
  const collections: Collection[] = [];
  const inOrder = [...rows.values()].sort((a, b) => a.at - b.at || a.batch - b.batch);
  for (const { at, batch } of inOrder) {
    collections.push({ at, batch, again: told.has(batch) });
    told.add(batch);
  }
  return { collections, taken: inOrder.map(({ pages }) => pages) };
}

/** When all logs were brought in: with the end of each round, and after the suspension. */
function broughtIn(run: Run): BringIn[] {
  const rounds = Number(run.core.logged(abi.L_ROUNDS));
  const at = (round: number): number =>
    Number(run.core.u64(run.core.address("roundsAt") + (round * abi.RL_COUNT + abi.RL_END) * 8));
  const ends = Array.from({ length: rounds }, (_, round) => at(round)).filter((t) => t > 0);
  const suspended = Number(run.core.logged(abi.L_SUSPENDED));
  const running = ends.filter((t) => suspended === 0 || t < suspended);
  const all = running.map((t) => ({ at: t, running: true }));
  return suspended === 0 ? all : [...all, { at: suspended, running: false }];
}

/** Pages that became dirty in each round that has ended, as the slow tracker says, each once. */
function freshOf(run: Run, started: number, dirtied: Predicted["dirtied"]): [number, number][] {
  const of = (round: number, which: number): number =>
    Number(run.core.u64(run.core.address("roundsAt") + (round * abi.RL_COUNT + which) * 8));
  const rounds = Array.from({ length: Number(run.core.logged(abi.L_ROUNDS)) }, (_, round) => round);
  return rounds
    .filter((round) => of(round, abi.RL_END) > 0)
    .map((round) => {
      const from = round === 0 ? started : of(round, abi.RL_START);
      const in_ = dirtied.filter(({ at }) => at >= from && at < of(round, abi.RL_END));
      return [of(round, abi.RL_NEW_DIRTY), new Set(in_.map(({ pfn }) => pfn)).size];
    });
}

/** When dirty-limit begins, by what every round said, and the ends of its periods until `until`. */
function limitsOf(run: Run, ends: readonly BringIn[], until: number): BringIn[] {
  const period = Number(run.params.global[abi.G_LIMIT_PERIOD]);
  if (Number(run.params.global[abi.G_LIMIT_RATE]) === 0) return [];
  const of = (round: number, which: number): number =>
    Number(run.core.u64(run.core.address("roundsAt") + (round * abi.RL_COUNT + which) * 8));
  const thousandths = (at: number): number => Number(BigInt(at) / BigInt(period / 1000));
  const rule = new TooFast(thousandths(Number(run.core.logged(abi.L_SETUP_DONE))));
  const rounds = ends.filter(({ running }) => running);
  const begins = rounds.findIndex(({ at }, round) =>
    rule.ends(
      thousandths(at),
      of(round, abi.RL_NORMAL) + of(round, abi.RL_ZERO),
      of(round, abi.RL_NEW_DIRTY),
    ),
  );
  if (begins < 0) return [];
  const from = rounds[begins]!;
  from.limit = "begins";
  const count = Math.floor((until - from.at) / period);
  return Array.from({ length: count }, (_, i) => ({
    at: from.at + (i + 1) * period,
    running: true,
    limit: "period" as const,
  }));
}

/** The front-end collects no sooner than the logs are in. */
function checkWaits(brought: readonly BringIn[], waits: readonly number[], first: readonly number[]): void {
  for (const [i, { at }] of brought.entries()) {
    const next = first.find((t) => t > at);
    if (next !== undefined && next < at + waits[i]!)
      throw new Error(`collected at ${next}, logs are in at ${at + waits[i]!}`);
  }
}

/**
 * Throws where a run and the slow tracker differ; returns what the tracker says. `beside`: pages of each
 * batch that are dirty for another reason.
 */
export function checkTracker(run: Run, beside: readonly (readonly number[])[] = []): Predicted {
  const { global, sides } = run.params;
  const shape = trackerShape(global, sides[0]);
  const log = (index: number): number => Number(run.core.logged(index));
  const suspended = log(abi.L_SUSPENDED) === 0 ? log(abi.L_ENDED) : log(abi.L_SUSPENDED);
  // every page is protected, and one flush
  const recording = log(abi.L_RECORDING);
  const protecting = shape.pages * shape.openPage + shape.flush;
  const started = recording > 0 ? recording : log(abi.L_SETUP_DONE) - protecting;
  const { collections, taken } = collectionsOf(run);
  const slow = new SlowTracker(shape, plannedWrites(run, suspended));
  const ends = shape.log === null ? [] : broughtIn(run);
  const limits = limitsOf(run, ends, suspended);
  const begun = ends.find(({ limit }) => limit === "begins");
  sameLists("time at which dirty-limit begins", [log(abi.L_LIMIT_BEGAN)], [begun?.at ?? 0]);
  // at one time the thread of dirty-limit comes first
  const brought = [...limits, ...ends].sort((a, b) => a.at - b.at);
  const cut = log(abi.L_SUSPENDED) === 0 ? log(abi.L_BOOKS) : suspended;
  const expected = slow.run(started, collections, brought, suspended, cut);
  checkWaits(
    brought,
    expected.waits,
    collections.map(({ at }) => at),
  );
  const writes = steps(run, abi.P_WRITTEN).filter(({ t }) => t < suspended);
  sameLists(
    "write",
    writes.map(({ t, a, c }) => ({ at: t, pfn: a, marked: c === 1 })),
    expected.writes,
  );
  const both = expected.taken.map((pages, i) => [...new Set([...pages, ...(beside[i] ?? [])])]);
  for (const pages of both) pages.sort((a, b) => a - b);
  sameLists("marks of a batch", taken, both);
  sameLists("longest sleep", [log(abi.L_LIMIT_SLEEP)], [log(abi.L_SUSPENDED) === 0 ? 0 : expected.sleepUs]);
  const fresh = beside.length === 0 ? freshOf(run, started, expected.dirtied) : [];
  sameLists(
    "pages that became dirty in a round",
    fresh.map(([is]) => is),
    fresh.map(([, must]) => must),
  );
  const counters: [number, number][] = [
    [abi.C_FAULTS, expected.faults],
    [abi.C_STALL_TICKS, expected.stall],
    [abi.C_FALSE_DIRTY, shape.group === 1 ? 0 : expected.falseDirty],
    [abi.C_LOG_ENTRIES, expected.logged],
    [abi.C_LOG_FULL, expected.full],
    [abi.C_LIMIT_TICKS, expected.slept],
    [abi.C_LIMIT_PERIODS, limits.length],
  ];
  sameLists(
    "counter",
    counters.map(([at]) => [at, Number(run.core.counter(0, at))]),
    counters,
  );
  return expected;
}
