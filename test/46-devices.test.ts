// SPDX-License-Identifier: Apache-2.0
// Devices that write guest memory: each write and record against the slow devices; no safe way of seeing them
// loses one, and each unsafe one is found out.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood } from "../src/index.ts";
import { checkRingRate, checkSeen, checkUnsafe, DISK, ring } from "./lib/claims/devices.ts";
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

for (const seed of seeds(8)) {
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

for (const seed of seeds(14)) {
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

test("every safe way sees every write, for the bytes that records take", checkSeen);
test("what is unsafe is found out", checkUnsafe);
test("formula: a full ring takes slots / (poll + examination) records a second", checkRingRate);

test("buffers behind the guest's memory are refused", () => {
  const beyond = { name: "far", writes: { rate: "1 /s", at: "4 MiB", workingSet: "4 KiB" } };
  const guest = { ...DISK.guest, devices: [beyond] };
  assert.throws(
    () => migrate({ ...DISK, guest, tracker: ring() }),
    /far writes up to 4100 KiB, the guest has 4096/,
  );
});

test.run();
