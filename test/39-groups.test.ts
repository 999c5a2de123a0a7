// SPDX-License-Identifier: Apache-2.0
// Write protection in groups (Reuther): every write and batch against the slow tracker, faults and falsely
// dirty pages over the size of a group, and the size that pays over the rate of the link.

import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood, type Result } from "../src/index.ts";
import { allOver, checkGroups } from "./lib/claims/trackers.ts";
import { TEXT } from "./lib/configurations.ts";
import { migrate, redis } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { runShipped } from "./lib/shipped.ts";
import { runText } from "./lib/timeline.ts";
import { checkTracker } from "./lib/tracked.ts";

const of = <T>(next: () => number, list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
const RULES = ["static", "counter", "contiguity"] as const;

function setsOf(seed: number): string[] {
  const next = generator(seed);
  const group = of(next, [1, 2, 8, 64, 512]);
  const kind = of(next, ["write-protect", "write-protect", "write-protect", "bitmap"]);
  return [
    `tracker.kind=${kind}`,
    ...(kind === "bitmap" || group === 1
      ? []
      : [`tracker.group=${group}`, `tracker.groups=${of(next, RULES)}`]),
    // a batch and a part of one, or less than a group
    `guest.generate.memory=${of(next, ["64 KiB", "1036 KiB", "9 MiB"])}`,
    `guest.generate.pattern=${of(next, ["uniform", "sequential", "zipf"])}`,
    `guest.generate.rate=${of(next, [100_000, 1_000_000, 5_000_000])} /s`,
    `guest.vcpus=${of(next, [1, 3, 8])}`,
    `guest.clock=${of(next, ["guest", "guest", "wall"])}`,
    `source.host.tracker.writeFault=${of(next, ["0 s", "2 us", "777 ns"])}`,
    `source.host.tracker.protectPage=${of(next, ["0 s", "20 ns", "1 us"])}`,
    `source.host.tracker.tlbFlush=${of(next, ["0 s", "4 us"])}`,
    `migration.maxRounds=${of(next, [3, 6])}`,
    "migration.downtimeLimit=1 ns",
    "content=sized",
    `seed=${seed}`,
  ];
}

for (const seed of seeds(12)) {
  test(`reference: every write and every batch, seed ${seed}`, () => {
    const run = runText(TEXT, { sets: setsOf(seed) });
    const { writes, taken } = checkTracker(run);
    assert.ok(writes.length > 20 && taken.length >= 3);
  });
}

test("reference: a tick more a fault is seen, and a group that is another", () => {
  const sets = [...setsOf(1), "tracker.kind=write-protect", "tracker.group=8", "tracker.groups=static"];
  const run = runText(TEXT, { sets: [...sets, "guest.clock=guest"] });
  checkTracker(run);
  const off = (change: (global: number[], source: number[]) => void): (() => void) => {
    const global = [...run.params.global];
    const source = [...run.params.sides[0]];
    change(global, source);
    return () => checkTracker({ ...run, params: { ...run.params, global, sides: [source, source] } });
  };
  assert.throws(
    off((_, source) => source[abi.S_HOST_FAULT]!++),
    /write \d+ differs/,
  );
  assert.throws(
    off((global) => (global[abi.G_TRACKER_GROUP] = 16)),
    /write \d+ differs|marks of a batch \d+ differs/,
  );
});

test(
  "formula: W pages written all over fault W / N times a collection, none of them falsely dirty",
  checkGroups,
);

test("formula: a counter begins with one page and doubles, contiguous runs with what is below", () => {
  const faults = (groups: string, group: number): number =>
    allOver({ kind: "write-protect", group, groups }).guest.writeFaults;
  const collections = faults("static", 256);
  // until the first round has been announced, and while it is on its way, nothing has been sent again:
  // 256 + 256 faults, then 256 / 2, 256 / 4, … and 256 / 64 at most
  let counted = 256;
  for (let k = 0; k < collections - 1; k++) counted += 256 / Math.min(64, 2 ** k);
  assert.is(faults("counter", 64), counted);
  // no run is longer than the most, and none is opened but beside pages that are writable
  const contiguous = faults("contiguity", 64);
  assert.ok(contiguous >= collections * (256 / 64) && contiguous < (collections * 256) / 2, `${contiguous}`);
});

/** The page that a group costs too much, against the fault that it saves: ns of stall and of the wire. */
interface Cost {
  group: number;
  faults: number;
  falsePages: number;
  costNs: number;
}

const GROUPS = [1, 2, 4, 8, 16, 64];

/** The guest writes as much between two collections whatever the rate is: it is as much faster. */
function costs(gbit: number, faultCost = "2 us"): Cost[] {
  return GROUPS.map((group) => {
    const result = migrate({
      guest: { ...redis, tile: 4, speed: 32 * gbit, clock: "wall" },
      link: { preset: "ethernet-400g", rate: `${gbit} Gbit/s` },
      source: { host: { preset: "gen5-host", tracker: { writeFault: faultCost } } },
      destination: { host: "gen5-host" },
      compress: "off",
      encrypt: "off",
      content: "sized",
      tracker: { kind: "write-protect", group },
      migration: { downtimeLimit: "1 ns", maxRounds: 3, onTimeout: "force" },
    });
    assert.ok(isGood(result));
    const falsePages = result.guest.falseDirtyPages ?? 0;
    const costNs = result.guest.stallNs + (falsePages * 4096 * 8) / gbit;
    return { group, faults: result.guest.writeFaults, falsePages, costNs };
  });
}

const best = (rows: readonly Cost[]): number => rows.reduce((a, b) => (b.costNs < a.costNs ? b : a)).group;

test("Reuther: faults fall and false pages rise with the group; what pays rises with the rate", () => {
  const speeds = [10, 40, 100];
  const bests = speeds.map((gbit) => {
    const rows = costs(gbit);
    for (const [i, row] of rows.slice(1).entries()) {
      assert.ok(row.faults < rows[i]!.faults, `${gbit} Gbit/s, group ${row.group}: faults`);
      assert.ok(row.falsePages > rows[i]!.falsePages, `${gbit} Gbit/s, group ${row.group}: false pages`);
    }
    return best(rows);
  });
  // a page takes 3.28 us at 10 Gbit/s, more than the 2 us of a fault, and 0.33 us at 100
  assert.is(bests[0], 1);
  assert.ok(bests[1]! > 1 && bests[2]! > bests[1]!, `${bests}`);
});

test("Reuther, negative control: where a fault costs nothing, no group pays at 100 Gbit/s", () => {
  assert.is(best(costs(100, "0 s")), 1);
});

test("Reuther, negative control: the shipped scenario without groups faults more, nothing is false", () => {
  const run = (sets: string[]): Result => runShipped("reuther", ["content=sized", ...sets]);
  const [on, off] = [run([]), run(["tracker.group=1"])];
  assert.ok(isGood(on) && isGood(off));
  assert.is(on.migration.rounds.length, off.migration.rounds.length);
  assert.ok(on.guest.writeFaults < off.guest.writeFaults, `${on.guest.writeFaults}`);
  assert.ok(on.guest.slowdown! < off.guest.slowdown!);
  assert.ok(on.guest.falseDirtyPages! > 0);
  assert.is(off.guest.falseDirtyPages, null);
});

test.run();
