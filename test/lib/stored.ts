// SPDX-License-Identifier: Apache-2.0
// A run with a storage adapter, every step of it, beside test/lib/reference/storage.ts.
import * as abi from "../../assembly/abi.ts";
import { type Result, simulate } from "../../src/index.ts";
import type { ResolvedScenario } from "../../src/scenario/types.ts";
import { storing } from "./claims/storage.ts";
import { inputOf } from "./migrate.ts";
import { cancelled, Draws, Driver, spanOf } from "./reference/storage.ts";
import { timelineOf } from "./timeline.ts";

/** A step of a request or of the adapter. */
interface Step {
  side: number;
  what: number;
  t: bigint;
  slot: number;
  n: number;
  value: bigint;
}

/** Modes of an adapter (assembly/kernel/adapter-state.ts). */
const MODE = { stopping: 2, held: 3, copying: 4, still: 6, loading: 11 } as const;

export interface StoredRun {
  scenario: ResolvedScenario;
  result: Result;
  steps: Step[];
  /** The log, by L_ constants. */
  log: (index: number) => bigint;
}

/** Runs the guest of claims/storage.ts with every step recorded. */
export function storedRun(storage: object, migration: object = {}, more: object = {}): StoredRun {
  const input = inputOf(storing(storage, migration, more), { variant: "instrumented" });
  const result = simulate(input);
  const steps = timelineOf(input.core)
    .filter(({ kind }) => kind === abi.T_STORAGE)
    .map(({ side, which, t, a, b, c }) => ({
      side,
      what: which,
      t: BigInt(t),
      slot: a,
      n: b,
      value: BigInt(c),
    }));
  steps.sort((x, y) => (x.t < y.t ? -1 : x.t > y.t ? 1 : 0));
  return { scenario: input.scenario, result, steps, log: (index) => input.core.logged(index) };
}

function equal(what: string, found: unknown, expected: unknown): void {
  if (String(found) !== String(expected)) throw new Error(`${what}: found ${found}, expected ${expected}`);
}

/** Each request is asked for when and where the guest's driver asks. */
function checkDriver({ scenario, steps, log }: StoredRun): number {
  const driver = new Driver(new Draws(scenario), scenario.guest.storage!.depth);
  const stopped = log(abi.L_SUSPENDED);
  const moved = log(abi.L_RESUMED);
  const books = log(abi.L_BOOKS);
  const stands = (t: bigint): boolean => t >= stopped && t < moved;
  let gone = false;
  let asked = 0;
  for (const { what, t, slot, n } of steps) {
    if (!gone && t >= moved) {
      driver.stood(stopped, moved);
      gone = true;
    }
    const due = driver.next;
    if (due !== null && !stands(t) && due < t && due < books) equal(`request ${asked} at`, t, due);
    if (what === abi.IO_DONE) driver.answered(slot, stands(t) ? 0n : t);
    if (what !== abi.IO_ASKED) continue;
    equal(`request ${n} at`, t, driver.next);
    const mine = driver.ask(t);
    equal(`request at ${t}`, `${n} slot ${slot}`, `${mine.n} slot ${mine.slot}`);
    asked++;
  }
  return asked;
}

/** The back-end has each request for the time drawn, and they are answered in the order of its ends. */
function checkService({ scenario, steps }: StoredRun): void {
  const draws = new Draws(scenario);
  const begun = new Map<number, { times: number; t: bigint }>();
  const ends: { side: number; slot: number; n: number; end: bigint }[] = [];
  for (const { side, what, t, slot, n, value } of steps) {
    if (what === abi.IO_BEGUN) {
      equal(`request ${n} writes`, value === 1n, draws.writes(n));
      begun.set(n, { times: (begun.get(n)?.times ?? 0) + 1, t });
    }
    if (what !== abi.IO_SERVICE) continue;
    const from = begun.get(n)!;
    if (!draws.writes(n)) equal(`service of read ${n} from`, t, from.t);
    equal(`service of ${n}, to`, value, t + draws.service(n, from.times - 1));
    ends.push({ side, slot, n, end: value });
  }
  for (const side of [0, 1]) {
    const answers = steps.filter(({ what, side: where }) => what === abi.IO_ANSWER && where === side);
    const answered = new Set(answers.map(({ n }) => n));
    const order = ends.filter((one) => one.side === side && answered.has(one.n));
    order.sort((x, y) => (x.end === y.end ? x.slot - y.slot : x.end < y.end ? -1 : 1));
    equal(
      `order of answers, side ${side}`,
      answers.map(({ n }) => n),
      order.map(({ n }) => n),
    );
  }
}

/** The intermediary's core, first come first served. */
function checkPf({ scenario, steps }: StoredRun): void {
  const draws = new Draws(scenario);
  const { pfTicks, sizeBytes } = scenario.guest.storage!;
  const { memory, frontend } = scenario.sides.source.host;
  const copy = spanOf(sizeBytes, memory.copyTicksPerByte);
  const interrupt = BigInt(Math.max(1, frontend.interruptTicks));
  let free = 0n;
  const done = new Map<number, bigint>();
  for (const { what, t, n, value } of steps) {
    if (what === abi.IO_DONE && done.has(n)) equal(`answer of ${n} through the PF`, t, done.get(n));
    if (what !== abi.IO_FORWARD && what !== abi.IO_RETURN) continue;
    const out = what === abi.IO_FORWARD;
    const from = out ? t : t + interrupt;
    const ticks = BigInt(pfTicks) + (draws.writes(n) === out ? copy : 0n);
    free = (free > from ? free : from) + (ticks === 0n ? 1n : ticks);
    equal(`intermediary, request ${n}`, value, free);
    if (!out) done.set(n, free);
  }
}

const EACH = { suspend: 80, cancel: 64, drain: 0, "pf-fallback": 0, none: 0 } as const;

/** When the adapter takes no more, is empty, still and set, and what its state holds. */
function checkHandOver({ scenario, steps, log, result }: StoredRun): void {
  const s = scenario.guest.storage!;
  const mode = (side: number, which: number): Step =>
    steps.find((one) => one.what === abi.IO_MODE && one.side === side && one.slot === which)!;
  const told = s.at === "stop" ? log(abi.L_SUSPENDED) : log(abi.L_SETUP_DONE);
  equal("told", mode(0, MODE.stopping).t, told);
  const held = mode(0, MODE.held).t;
  equal("takes no more", held, told + BigInt(s.suspendTicks));
  const copying = mode(0, MODE.copying);
  const forwarded = new Set(steps.filter(({ what }) => what === abi.IO_FORWARD).map(({ n }) => n));
  const own = steps.filter(({ side, n, what }) => side === 0 && what !== abi.IO_MODE && !forwarded.has(n));
  const ofVf: number[] = [abi.IO_BEGUN, abi.IO_SERVICE, abi.IO_DONE, abi.IO_CANCELLED];
  const last = own
    .filter(({ what }) => ofVf.includes(what))
    .reduce((t, one) => (one.t > t ? one.t : t), held);
  equal("empty", copying.t, last);
  const has = (what: number): Set<number> =>
    new Set(own.filter((one) => one.what === what).map(({ n }) => n));
  const done = has(abi.IO_DONE);
  const carried = [...has(abi.IO_BEGUN)].filter((n) => !done.has(n));
  const bytes = s.stateBytes + EACH[s.quiesce] * carried.length;
  equal("state", result.guest.storage!.stateBytes, bytes);
  const across = spanOf(bytes, s.stateTicksPerByte);
  equal("state with the PF", copying.value, copying.t + across);
  const interrupt = (side: "source" | "destination"): bigint =>
    BigInt(Math.max(1, scenario.sides[side].host.frontend.interruptTicks));
  const still = mode(0, MODE.still);
  equal("still", still.value, still.t + interrupt("source"));
  const set = mode(1, MODE.loading);
  equal("set", set.value, set.t + across + BigInt(s.resumeTicks) + interrupt("destination"));
  if (s.quiesce !== "suspend") return;
  const again = steps.filter(
    ({ side, what, n }) => side === 1 && what === abi.IO_BEGUN && carried.includes(n),
  );
  equal(
    "begun again",
    again.map(({ t }) => t),
    carried.map(() => log(abi.L_RESUMED)),
  );
}

/** Which requests are cancelled, and when; only where none is being read from the queue meanwhile. */
function checkCancelled({ scenario, steps }: StoredRun): number {
  const h = steps.find(({ what, side, slot }) => what === abi.IO_MODE && side === 0 && slot === MODE.held)!.t;
  const late = steps.some(({ what, side, t }) => what === abi.IO_BEGUN && side === 0 && t > h);
  if (late || scenario.guest.storage!.quiesce !== "cancel") return 0;
  const inService = new Map<number, bigint>();
  for (const { side, what, t, slot, value } of steps) {
    if (side === 0 && what === abi.IO_SERVICE && t <= h && value > h) inService.set(slot, value);
  }
  const expected = cancelled(
    [...inService.keys()],
    h,
    BigInt(scenario.guest.storage!.cancelTicks),
    (slot) => inService.get(slot)!,
  );
  const found = steps.filter(({ what }) => what === abi.IO_CANCELLED);
  const text = (list: readonly { slot: number; t: bigint }[]): string =>
    list.map(({ slot, t }) => `${slot} at ${t}`).join(", ");
  equal("cancelled", text(found), text(expected));
  return expected.length;
}

/** Holds a completed run against the reference; how many requests it had, and how many were cancelled. */
export function checkStored(run: StoredRun): { asked: number; cancelled: number } {
  const asked = checkDriver(run);
  checkService(run);
  checkPf(run);
  checkHandOver(run);
  return { asked, cancelled: checkCancelled(run) };
}
