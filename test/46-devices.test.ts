// SPDX-License-Identifier: Apache-2.0
// Devices that write guest memory: each write and record against the slow devices; no safe way of seeing them
// loses one, and each unsafe one is found out.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood } from "../src/index.ts";
import { sameBooks, TEXT } from "./lib/configurations.ts";
import { checkDevices } from "./lib/devices.ts";
import { migrate, stat } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { runText } from "./lib/timeline.ts";
import { checkTracker } from "./lib/tracked.ts";

const of = <T>(next: () => number, list: readonly T[]): T => list[Math.floor(next() * list.length)]!;

/** Trackers of the CPU that have no logs, which are brought in before the bits are read. */
const PLAIN = ["write-protect", "bitmap"];

function deviceOf(next: () => number, name: string, outstanding: readonly number[]): string {
  const writes = [
    `rate: ${of(next, [20_000, 300_000, 3_000_000])} /s`,
    `bytes: ${of(next, ["64 B", "1 KiB", "4 KiB"])}`,
    `at: ${of(next, ["0 B", "16 KiB"])}`,
    `workingSet: ${of(next, ["4 KiB", "32 KiB", "48 KiB"])}`,
    `outstanding: ${of(next, outstanding)}`,
    `fetch: ${of(next, ["0 s", "0 s", "3 us", "150 us"])}`,
  ];
  writes.push(`pattern: ${of(next, ["sequential", "uniform"])}`);
  return `{ name: ${name}, writes: { ${writes.join(", ")} } }`;
}

/** What sees them, in a way that loses nothing. */
function trackerOf(next: () => number): string[] {
  if (next() < 0.25) return ["tracker.devices=iommu-dirty-bits", "internal.iommu=4KiB"];
  const records = [
    `slots: ${of(next, [64, 64, 256])}`,
    `order: ${of(next, ["after-data", "before-data"])}`,
    `full: ${of(next, ["stall", "overflow", "spill"])}`,
    `poll: ${of(next, ["none", "2 us", "50 us", "400 us"])}`,
    `bytes: ${of(next, [8, 16, 64])}`,
  ];
  return [
    "tracker.devices=wilson-ring",
    `tracker.records={ ${records.join(", ")} }`,
    `internal.iommu=${of(next, ["off", "4KiB", "2MiB"])}`,
    `internal.relaxedOrdering=${of(next, ["off", "on"])}`,
  ];
}

/** A guest of 64 KiB or more with one or two devices; `outstanding` writes of each at most. */
function setsOf(seed: number, outstanding: readonly number[], large: string): string[] {
  const next = generator(seed);
  const devices = [deviceOf(next, "nic", outstanding)];
  if (next() < 0.4) devices.push(deviceOf(next, "disk", outstanding));
  const memory = of(next, ["64 KiB", "64 KiB", "1036 KiB", large]);
  const host = (key: string, list: readonly string[]): string =>
    `source.host.tracker.${key}=${of(next, list)}`;
  const tracker = trackerOf(next);
  const bits = tracker.includes("tracker.devices=iommu-dirty-bits");
  return [
    ...tracker,
    `guest.devices=[${devices.join(", ")}]`,
    `guest.generate.memory=${memory}`,
    `guest.generate.rate=${of(next, [1, 1_000_000])} /s`,
    `tracker.kind=${of(next, bits ? PLAIN : [...PLAIN, "pml", "dirty-ring"])}`,
    host("examine", ["0 s", "500 ns", "7 us"]),
    host("record", ["0 s", "100 ns", "1 us"]),
    host("iommuClear", ["0 s", "20 ns"]),
    host("iotlbFlush", ["0 s", "2 us", "60 us"]),
    `source.host.frontend.suspend=${of(next, ["0 s", "100 us"])}`,
    `source.card.pcie.mps=${of(next, [128, 256])}`,
    `link.rate=${of(next, ["1 Gbit/s", "25 Gbit/s"])}`,
    `internal.pages=${of(next, ["dma", "dma", "vsock"])}`,
    `migration.downtimeLimit=${of(next, ["1 ns", "300 ms"])}`,
    `migration.maxRounds=${of(next, [2, 4])}`,
    "content=sized",
    "compress=off",
    `seed=${seed}`,
  ];
}

for (const seed of seeds(10)) {
  test(`configuration ${seed}: devices do, and are seen, as the slow ones are`, () => {
    // all that is under way fits the port of other I/O
    const sets = setsOf(seed, [1, 3, 4], "2 MiB");
    const run = runText(TEXT, { sets });
    assert.is(run.stop, abi.STOP_DONE, `${run.core.global("brokenInvariant")}: ${sets.join("\n")}`);
    assert.is(run.core.notHome(), 0);
    const said = checkDevices(run, TEXT, sets);
    checkTracker(run, said.taken);
  });
}

for (const seed of seeds(24)) {
  test(`configuration ${seed}: nothing is lost, and every scheduler counts the same`, () => {
    const sets = setsOf(1000 + seed, [1, 8, 32], "9 MiB");
    const result = migrate(
      {
        guest: { generate: { memory: "64 KiB", rate: "1 /s", workingSet: "64 KiB" } },
        migration: { onTimeout: "force" },
      },
      { sets },
    );
    assert.ok(
      isGood(result),
      JSON.stringify([result.migration, result.check.invariants.filter(({ held }) => !held)]),
    );
    assert.ok(stat(result, "source.guest.devices.writes") > 0);
    // stepping everything takes its time
    if (!sets.includes("guest.generate.memory=64 KiB") || sets.includes("link.rate=1 Gbit/s")) return;
    const run = (variant: "lean" | "naive") => runText(TEXT, { sets, variant });
    sameBooks(`configuration ${seed}`, run("lean").core, run("naive").core);
  });
}

/** A guest that a disk writes: the data of each write comes a millisecond after the write has begun. */
const DISK = {
  guest: {
    generate: { memory: "4 MiB", rate: "1 /s", workingSet: "64 KiB", mix: { random: 100 } },
    deviceState: "64 KiB",
    devices: [
      { name: "disk", writes: { rate: "50000 /s", workingSet: "2 MiB", outstanding: 64, fetch: "1 ms" } },
    ],
  },
  link: { rate: "10 Gbit/s" },
  compress: "off",
  migration: { downtimeLimit: "1 ns", maxRounds: 4, onTimeout: "force" },
  content: "sized",
};
const ring = (records: object) => ({ devices: "wilson-ring", records: { poll: "10 us", ...records } });

test("records before the data are safe only while their slots are kept", () => {
  for (const records of [{}, { order: "before-data" }]) {
    const result = migrate({ ...DISK, tracker: ring(records) });
    assert.ok(isGood(result), JSON.stringify(records));
    assert.ok(stat(result, "source.guest.devices.records") > 100);
  }
  const lost = migrate({ ...DISK, tracker: ring({ order: "before-data", release: "examined" }) });
  assert.is(lost.migration.status, "failed");
  const broken = lost.check.invariants.filter(({ held }) => !held).map(({ name }) => name);
  assert.equal(broken, ["destination-equals-source"]);
});

test("a device that nobody sees is caught, and so is a tracker that clears late", () => {
  const names = (tracker: object, more: object = {}): string[] =>
    migrate({ ...DISK, ...more, tracker })
      .check.invariants.filter(({ held }) => !held)
      .map(({ name }) => name);
  const lost = ["destination-equals-source", "mark-cleared-before-read"];
  const [unseen, ...more] = names({ devices: "none" });
  assert.ok(lost.includes(unseen!) && more.length === 0, unseen);
  const guest = { generate: { ...DISK.guest.generate, rate: "1000000 /s" }, deviceState: "64 KiB" };
  assert.equal(names({ order: "clear-after-read" }, { guest }), ["mark-cleared-before-read"]);
  assert.equal(names({}, { guest }), []);
});

test.run();
