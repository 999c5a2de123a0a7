// SPDX-License-Identifier: Apache-2.0
// dirty-limit for a guest that cards move: every write, period and sleep against the slow tracker, to the
// tick; the shipped scenario comes to an end with it and not without; what is left of a rate by its formula.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood, type Result } from "../src/index.ts";
import { cardLimit, sameLimits } from "./lib/claims/limits.ts";
import { TEXT } from "./lib/configurations.ts";
import { stat } from "./lib/migrate.ts";
import { seeds } from "./lib/random.ts";
import { linesOf, resolveText } from "./lib/scenario.ts";
import { runShipped } from "./lib/shipped.ts";
import { runText } from "./lib/timeline.ts";
import { checkTracker } from "./lib/tracked.ts";

/** A guest that is too fast for its link by far. */
const FAST = [
  "migration.throttleRate=1",
  "migration.throttlePeriod=1 ms",
  "guest.generate.rate=3000000 /s",
  "guest.vcpus=1",
  "link.rate=5 Gbit/s",
  "migration.timeout=none",
];

const seen = { slept: 0, periods: 0, never: 0, unlike: 0 };

for (const seed of seeds(6)) {
  test(`reference: every write, period and sleep, seed ${seed}`, () => {
    const sets = cardLimit(seed);
    const run = runText(TEXT, { sets });
    const predicted = checkTracker(run);
    const { core } = run;
    const suspended = Number(core.logged(abi.L_SUSPENDED)) !== 0;
    assert.is(Number(core.logged(abi.L_LIMIT_SLEEP)), suspended ? predicted.sleepUs : 0);
    const periods = core.counter(0, abi.C_LIMIT_PERIODS);
    assert.is(periods > 0 || predicted.slept === 0, true);
    seen.slept += Number(predicted.slept > 0);
    seen.periods += periods;
    seen.never += Number(core.logged(abi.L_LIMIT_BEGAN) === 0n);
    seen.unlike += Number(predicted.sleepUs > 0 && predicted.slept > 0);
    sameLimits("lean", runText(TEXT, { sets, variant: "lean" }).core, core);
    if (seed % 4 === 0) sameLimits("naive", runText(TEXT, { sets, variant: "naive" }).core, core);
  });
}

test("reference: guests slept, others did not", () =>
  assert.ok(seen.slept > 1 && seen.periods > 5, JSON.stringify(seen)));

test("reference: a quota that is another, and a period a tick longer, are seen", () => {
  const sets = [...cardLimit(1), ...FAST];
  const run = runText(TEXT, { sets: [...sets, "guest.vcpus=1", "migration.timeout=none"] });
  assert.ok(checkTracker(run).slept > 0);
  for (const [key, by] of [
    [abi.G_LIMIT_RATE, 300],
    [abi.G_LIMIT_PERIOD, 1000],
  ] as const) {
    const global = [...run.params.global];
    global[key]! += by;
    assert.throws(() => checkTracker({ ...run, params: { ...run.params, global } }), /differs/);
  }
});

const shipped = (sets: readonly string[]): Result => runShipped("dirty-limit", sets);

test("the shipped scenario comes to an end with it, and does not without", () => {
  const [on, off] = [shipped([]), shipped(["migration.throttle=off"])];
  assert.ok(isGood(on) && on.migration.status === "completed");
  assert.is(off.migration.status, "not-converged");
  assert.ok(stat(on, "source.guest.limitNs") > 1e6 && stat(on, "source.guest.limitPeriods") > 0);
  assert.is(stat(off, "source.guest.limitNs"), 0);
  assert.ok(on.migration["dirty-limit-throttle-time-per-round"]! > 0);
  assert.is(off.migration["dirty-limit-throttle-time-per-round"], undefined);
  // a quota far above what is written changes nothing but the count
  const far = shipped(["migration.throttleRate=100000"]);
  assert.is(far.migration.status, "not-converged");
  assert.is(stat(far, "source.guest.limitNs"), 0);
  assert.ok(stat(far, "source.guest.limitPeriods") > 5);
});

test("formula: the first sleep is of the first rate, and a vCPU that sleeps logs a ring a sleep", () => {
  const on = shipped(["migration.downtimeLimit=1 ns"]);
  const sleep = on.migration["dirty-limit-throttle-time-per-round"]!;
  // a ring is 1 MiB; in 10 ms r is a multiple of 100; p = floor(100 (r - 1) / r), full of the faster vCPU
  const steps: number[] = [];
  for (let most = 100; most <= 6000; most += 100)
    for (let r = 100; r <= most; r += 100) {
      const full = Math.floor(1e6 / most);
      const p = Math.floor((100 * (r - 1)) / r);
      steps.push(Math.min(Math.floor((full * p) / (100 - p)), 99 * full));
    }
  assert.is(stat(on, "source.guest.limitPeriods"), 1);
  assert.ok(steps.includes(sleep), `${sleep} us`);
  // either vCPU sleeps at most once, longer than the rest takes, which ends with the suspension: until then
  // it has a ring, and what it had before; the first period begins at the end of a round
  const { rounds, phases } = on.migration;
  const most = (phases.setupNs! + phases.precopyNs! - rounds[0]!.startNs - rounds[0]!.durationNs) / 1000;
  const slept = stat(on, "source.guest.limitNs") / 1000;
  assert.ok(sleep > most && slept > 0 && slept <= 2 * most, `${slept} of ${sleep} us, ${most} us at most`);
  const entries = on.migration.rounds.slice(4).reduce((sum, { newDirtyPages }) => sum + newDirtyPages!, 0);
  assert.ok(entries <= 2 * 2 * 256, `${entries} pages`);
});

test("sleeps end with the suspension: vCPUs stand for no longer than they would have run", () => {
  const { guest, migration, stats, scenario } = shipped([]);
  const { setupNs, precopyNs } = migration.phases;
  const vcpuNs = scenario.guest.vcpus * (setupNs! + precopyNs!);
  const slept = (stats["source.guest.limitNs"] as { value: number }).value;
  assert.ok(slept > 0 && slept < guest.stallNs && guest.stallNs < vcpuNs, `${slept} ${guest.stallNs} ns`);
  assert.ok(guest.slowdown! < 1 && Math.abs(guest.slowdown! - guest.stallNs / vcpuNs) < 1e-6);
});

test("a round finds no page dirty twice", () => {
  const { migration } = shipped([]);
  // the guest writes 48 MiB of its 64
  for (const { newDirtyPages } of migration.rounds) assert.ok(newDirtyPages! <= 12_288, `${newDirtyPages}`);
  assert.ok(migration.rounds[0]!.newDirtyPages! > 9000);
});

test("a migration that is cancelled measures no more: lean equals naive", () => {
  const cancelled = (at: string, variant: "lean" | "naive" | "instrumented") => {
    const sets = [...cardLimit(1), ...FAST];
    return runText(TEXT, { sets: [...sets, `faults=[{ at: ${at}, what: cancel }]`], variant }).core;
  };
  const periods = ["9.5 ms"].map((at) => {
    const [lean, naive] = [cancelled(at, "lean"), cancelled(at, "naive")];
    for (const c of [abi.C_LIMIT_PERIODS, abi.C_LIMIT_TICKS, abi.C_STALL_TICKS, abi.C_WRITES])
      assert.is(lean.counter(0, c), naive.counter(0, c));
    const began = lean.logged(abi.L_LIMIT_BEGAN);
    assert.ok(began > 0n && lean.logged(abi.L_BROKEN_OFF) > began);
    const whole = (lean.logged(abi.L_BROKEN_OFF) - began) / 1_024_000_000_000n;
    return [lean.counter(0, abi.C_LIMIT_PERIODS), Number(whole)];
  });
  for (const [counted, whole] of periods) assert.is(counted, whole);
});

test("refusals", () => {
  for (const [sets, expected] of [
    [
      ["tracker.kind=bitmap"],
      /migration\.throttle: needs dirty rings; write tracker: \{ kind: dirty-ring \}$/,
    ],
    [["tracker.ring=128"], /tracker\.ring: is counted in MiB by dirty-limit; write at least 256$/],
    [["migration.throttlePeriod=1500 us"], /throttlePeriod: is whole ms; write e\.g\. 1000 ms$/],
    [["guest.clock=wall"], /guest\.clock: wall is never late, and does not sleep; write guest$/],
    [
      ["migration.residual=after-resume"],
      /residual: is not supported yet with migration\.throttle; write before-resume$/,
    ],
  ] as [string[], RegExp][]) {
    const base = ["tracker={ kind: dirty-ring, ring: 256 }", "migration.throttle=dirty-limit"];
    const lines = linesOf(() => resolveText(TEXT, { sets: [...base, ...sets] }));
    assert.ok(
      lines.some((line) => expected.test(line)),
      lines.join("\n"),
    );
  }
});

test.run();
