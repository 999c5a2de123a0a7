// SPDX-License-Identifier: Apache-2.0
// Random configurations: against the reference models to the tick, and against the scheduler that steps every
// unit at every clock edge. Environment: lib/random (the time limit of npm test is --timeout SECONDS).
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import type { Core } from "../src/core.ts";
import { books, configuration, isLarge, sameBooks, TEXT } from "./lib/configurations.ts";
import { seeds } from "./lib/random.ts";
import { checkPcie, checkTcp } from "./lib/reference/compare.ts";
import { type RunOptions, runText } from "./lib/timeline.ts";

const SEEDS = seeds(25);
/** What goes to the scheduler that steps everything: short runs, of small guests one in so many. */
const NAIVE_TICKS_MAX = { small: 1_500_000 * abi.TICKS_PER_NS, large: 2_000_000 * abi.TICKS_PER_NS };
const NAIVE_EVERY = 2;

const compared = { small: 0, large: 0 };
let candidates = 0;

function sameAsNaive(seed: number, core: Core, options: RunOptions): void {
  const size = isLarge(seed) ? "large" : "small";
  if (core.clockNow() > NAIVE_TICKS_MAX[size]) return;
  if (size === "small" && candidates++ % NAIVE_EVERY !== 0) return;
  compared[size]++;
  sameBooks("naive", core, runText(TEXT, { ...options, variant: "naive" }).core);
}

for (const seed of SEEDS) {
  test(`configuration ${seed}`, () => {
    const options = { sets: configuration(seed) };
    const run = runText(TEXT, options);
    assert.is(
      run.stop,
      abi.STOP_DONE,
      `stopped with ${run.stop}, invariant ${run.core.global("brokenInvariant")}`,
    );
    assert.ok(checkPcie(run, 0).compared > 300);
    assert.ok(checkPcie(run, 1).compared > 100);
    assert.ok(checkTcp(run) > 10);
    sameAsNaive(seed, run.core, options);
  });
}

test("runs of both sizes were compared with the scheduler that steps everything", () => {
  assert.ok(SEEDS.length < 25 || (compared.small >= 2 && compared.large >= 1), JSON.stringify(compared));
});

test("the books name every account, counter, histogram and series", () => {
  const run = runText(TEXT, { sets: configuration(1) });
  const names = new Set(books(run.core).map((line) => line.split(" ")[0]));
  // of side 1: a decoder, the last counter, histogram 5 (VSOCK messages); round 0, the last series
  const last = [
    "accounts.1.80.19",
    "counters.1.63",
    "histograms.1.5.buckets.507",
    "rounds.0.7",
    "series.2.0",
  ];
  assert.equal(
    last.filter((name) => !names.has(name)),
    [],
  );
  assert.ok(names.has("seriesWindowTicks") && names.has("log.31"));
});

test("the books show a wire that is a tick longer, in every kind of number", () => {
  const sets = configuration(1);
  const run = runText(TEXT, { sets });
  const at = books(run.core);
  const flight = run.params.sides[0][abi.S_PCIE_FLIGHT]! + 1;
  const off = books(runText(TEXT, { sets, sideParams: [[0, abi.S_PCIE_FLIGHT, flight]] }).core);
  const parts = new Set(off.filter((line, i) => line !== at[i]).map((line) => line.split(".")[0]));
  for (const part of ["accounts", "histograms", "log", "rounds"]) assert.ok(parts.has(part), part);
});

test.run();
