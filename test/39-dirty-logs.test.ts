// SPDX-License-Identifier: Apache-2.0
// Page modification logging and dirty rings: every write and batch against the slow tracker, full logs by
// their formula, and the trackers side by side.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isGood } from "../src/index.ts";
import { allOver, checkLogs } from "./lib/claims/trackers.ts";
import { TEXT } from "./lib/configurations.ts";
import { migrate, redis, stat } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { runText } from "./lib/timeline.ts";
import { checkTracker } from "./lib/tracked.ts";

const of = <T>(next: () => number, list: readonly T[]): T => list[Math.floor(next() * list.length)]!;

function setsOf(seed: number): string[] {
  const next = generator(seed);
  const kind = seed % 2 === 0 ? "pml" : "dirty-ring";
  const memory = of(next, ["64 KiB", "1036 KiB", "9 MiB"]);
  return [
    `tracker.kind=${kind}`,
    ...(kind === "pml" ? [] : [`tracker.ring=${of(next, [64, 128, 4096])}`]),
    // of every second guest all is written
    `guest.generate.memory=${memory}`,
    `guest.generate.workingSet=${next() < 0.5 ? "64 KiB" : memory}`,
    `guest.generate.rate=${of(next, [1_000_000, 5_000_000, 20_000_000])} /s`,
    `guest.vcpus=${of(next, [1, 3])}`,
    `guest.clock=${of(next, ["guest", "guest", "wall"])}`,
    `source.host.tracker.logExit=${of(next, ["0 s", "1 us", "7777 ns"])}`,
    `source.host.tracker.logEntry=${of(next, ["0 s", "10 ns", "300 ns"])}`,
    `source.host.tracker.tlbFlush=${of(next, ["0 s", "4 us"])}`,
    `migration.maxRounds=${of(next, [3, 6])}`,
    "migration.downtimeLimit=1 ns",
    "content=sized",
    `seed=${seed}`,
  ];
}

let full = 0;

for (const seed of seeds(16)) {
  test(`reference: every write and every batch, seed ${seed}`, () => {
    const sets = setsOf(seed);
    const run = runText(TEXT, { sets });
    const predicted = checkTracker(run);
    assert.ok(predicted.writes.length > 20 && predicted.logged > 10 && predicted.waits.length >= 3);
    full += predicted.full;
  });
}

test("reference: logs were full", () => assert.ok(full > 10, `${full}`));

test("reference: a tick more an entry is seen, and an entry less", () => {
  const all = ["memory=1036 KiB", "workingSet=1036 KiB", "rate=20000000 /s"].map(
    (set) => `guest.generate.${set}`,
  );
  const run = runText(TEXT, { sets: [...setsOf(1), "guest.clock=guest", "tracker.ring=64", ...all] });
  assert.ok(Number(run.core.counter(0, 65)) > 3);
  checkTracker(run);
  const off = (index: number, by: number, global = false) => {
    const params = { global: [...run.params.global], source: [...run.params.sides[0]] };
    (global ? params.global : params.source)[index]! += by;
    return () =>
      checkTracker({ ...run, params: { ...run.params, global: params.global, sides: [params.source, []] } });
  };
  assert.throws(off(137, 1), /differs|collected at/);
  assert.throws(off(62, -1, true), /differs|collected at/);
});

test("formula: full logs are ceil(W / entries) - 1 a collection, and cost exit and entries", checkLogs);

test("negative control: with a log for all of memory none is full, and the guest is faster", () => {
  const guest = {
    generate: { memory: "4 MiB", rate: "20000000 /s", workingSet: "4 MiB", pattern: "uniform" },
    deviceState: "64 KiB",
  };
  const small = allOver({ kind: "dirty-ring", ring: 64 }, { guest });
  const large = allOver({ kind: "dirty-ring", ring: 1024 }, { guest });
  assert.ok(stat(small, "source.guest.fullLogs") > 20);
  assert.is(stat(large, "source.guest.fullLogs"), 0);
  assert.ok(small.guest.slowdown! > large.guest.slowdown!);
});

test("side by side, the same trace: only faults stop the guest at every page, nothing is lost", () => {
  const kinds = ["write-protect", "bitmap", "pml", "dirty-ring"];
  const rows = kinds.map((kind) => {
    const result = migrate({
      guest: { ...redis, tile: 8, speed: 800 },
      link: { preset: "ethernet-100g" },
      tracker: { kind },
      content: "sized",
      migration: { downtimeLimit: "1 ns", maxRounds: 4, onTimeout: "force" },
    });
    assert.ok(isGood(result), kind);
    return { faults: result.guest.writeFaults, slowdown: result.guest.slowdown! };
  });
  const [protect, bitmap, pml, ring] = rows;
  assert.is(bitmap!.slowdown, 0);
  assert.equal([bitmap!.faults, pml!.faults], [0, 0]);
  assert.ok(protect!.faults > 100 && ring!.faults > 100);
  assert.ok(pml!.slowdown > 0 && pml!.slowdown < protect!.slowdown, `${pml!.slowdown}`);
  assert.ok(ring!.slowdown > pml!.slowdown);
});

test.run();
