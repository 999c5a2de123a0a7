// SPDX-License-Identifier: Apache-2.0
// A storage adapter step by step against the slow one: to the tick.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { STORAGE_POLICIES } from "./lib/claims/storage.ts";
import { generator, seeds } from "./lib/random.ts";
import { cancelled } from "./lib/reference/storage.ts";
import { checkStored, storedRun } from "./lib/stored.ts";

const of = <T>(next: () => number, list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
const LINK = { rate: "20 Gbit/s" };

for (const seed of seeds(8)) {
  test(`reference: every request and the hand-over, seed ${seed}`, () => {
    const next = generator(seed);
    const quiesce = STORAGE_POLICIES[seed % 4]!;
    const storage = {
      depth: of(next, [1, 8, 32]),
      size: of(next, ["512 B", "4 KiB", "6 KiB"]),
      reads: of(next, [0, 50, 100]),
      every: of(next, ["0 s", "7 us", "20 us"]),
      service: { min: of(next, ["0 s", "20 us"]) },
      quiesce,
      at: quiesce === "pf-fallback" ? "start" : of(next, ["start", "stop"]),
      suspendLatency: of(next, ["0 s", "10 us", "77 us"]),
      resumeLatency: of(next, ["0 s", "20 us"]),
      stateRate: of(next, ["1 Gbit/s", "3 Gbit/s"]),
      ...(quiesce === "pf-fallback" ? { pfCost: of(next, ["0 s", "5 us"]) } : {}),
      ...(quiesce === "cancel" ? { cancelLatency: of(next, ["1 us", "10 us"]) } : {}),
    };
    const run = storedRun(storage, { maxRounds: 2, startAt: "300 us" }, { link: LINK, seed });
    assert.is(run.result.migration.status, "completed");
    assert.ok(checkStored(run).asked > 3);
  });
}

test("reference: requests are cancelled lowest slot first, unless they are answered before", () => {
  const run = storedRun({ quiesce: "cancel", reads: 100, every: "8 us" }, { startAt: "300 us" });
  assert.ok(checkStored(run).cancelled > 1);
});

test("formula: three requests, 10 ticks each to cancel; the second has ended by its turn", () => {
  const ends = new Map([
    [2, 1000n],
    [5, 110n],
    [7, 125n],
  ]);
  const list = cancelled([7, 2, 5], 100n, 10n, (slot) => ends.get(slot)!);
  // 2 at 110, when 5 has ended; 7 at 120
  assert.equal(list, [
    { slot: 2, t: 110n },
    { slot: 7, t: 120n },
  ]);
});

test("reference: a step that is a tick late is seen", () => {
  const run = storedRun({ quiesce: "suspend" }, { startAt: "300 us" });
  checkStored(run);
  for (const what of [1, 4, 10]) {
    const steps = run.steps.map((step) => ({ ...step }));
    const spoilt = steps.find((step) => step.what === what)!;
    if (what === 4) spoilt.value++;
    else spoilt.t++;
    assert.throws(() => checkStored({ ...run, steps }), /found/, `step ${what}`);
  }
});

test.run();
