// SPDX-License-Identifier: Apache-2.0
// Records of DMA writes (US 9,361,145), by its scenario and with its mechanism switched off: what nobody
// records is lost, and what a ring cannot tell of is sent again with all buffers of the device.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { isGood, type Result } from "../src/index.ts";
import { brokenIn } from "./lib/claims/devices.ts";
import { migrate, stat } from "./lib/migrate.ts";
import { runShipped } from "./lib/shipped.ts";

/** Of the scenario: 4 MiB of buffers, and a rate of writes. */
const BUFFER_PAGES = 1024;
const WRITES_PER_SECOND = 200_000;

const run = (sets: readonly string[] = []): Result => runShipped("wilson", ["content=sized", ...sets]);

const pagesAgain = ({ migration }: Result): number =>
  migration.rounds.slice(1).reduce((sum, { normalPages, zeroPages }) => sum + normalPages + zeroPages, 0);

const wilson = run();

test("with records nothing is lost, and the device never waits", () => {
  assert.ok(isGood(wilson), brokenIn(wilson).join());
  assert.is(stat(wilson, "source.guest.devices.stallNs"), 0);
  assert.is(stat(wilson, "source.guest.devices.overflows"), 0);
  const writes = stat(wilson, "source.guest.devices.writes");
  const records = stat(wilson, "source.guest.devices.records");
  // the device is not told to record before the migration has begun, and is told to stop before the guest is
  assert.ok(records <= writes && records > 0.95 * writes, `${records} of ${writes}`);
  const { setupNs, precopyNs } = wilson.migration.phases;
  const most = (WRITES_PER_SECOND * (setupNs! + precopyNs!)) / 1e9;
  assert.ok(writes <= most + 1 && writes > 0.85 * most, `${writes} writes, ${most} by rate`);
});

// a write of 2 KiB in packets of 256 B is 2048 + 8 x 24 B
test("formula: a record is 24 + 16 B on PCIe", () => {
  const records = stat(wilson, "source.guest.devices.records");
  assert.is(stat(wilson, "source.guest.devices.recordBytes"), 40 * records);
  const without = run(["guest.devices=[]", "tracker={ kind: write-protect }"]);
  const up = (result: Result) => stat(result, "source.pcie.up.tlpBytes");
  const devices = stat(wilson, "source.guest.devices.writes") * (2048 + 8 * 24) + 40 * records;
  // beside it the pages that are dirty are asked for: eight reads of 512 B, a descriptor, addresses
  const more = up(wilson) - up(without) - devices;
  const asked = (pagesAgain(wilson) - pagesAgain(without)) * 8 * 24;
  assert.ok(more >= 0.9 * asked && more <= 1.5 * asked, `${more} B for requests, ${asked} B by pages`);
});

test("negative control: without records the run fails, for a page is behind at the destination", () => {
  const unseen = run(["tracker={ kind: write-protect, devices: none }"]);
  assert.is(unseen.migration.status, "failed");
  assert.equal(brokenIn(unseen), ["destination-equals-source"]);
});

test("wilson-unsafe.yaml: a slot that comes back before its data has is found out as a lost update", () => {
  const unsafe = runShipped("wilson-unsafe");
  assert.is(unsafe.migration.status, "failed");
  assert.equal(brokenIn(unsafe), ["destination-equals-source"]);
  // controls: slots that are kept until their writes are complete, and records behind their data
  for (const set of [".release=complete", "={ slots: 1024, poll: 10 us }"]) {
    const safe = runShipped("wilson-unsafe", [`tracker.records${set}`]);
    assert.ok(isGood(safe), `${set}: ${brokenIn(safe).join()}`);
  }
});

test("negative control: a ring that cannot tell makes all buffers dirty, and more is sent again", () => {
  const small = "tracker.records={ slots: 64, full: overflow, poll: none }";
  const flagged = run([small]);
  assert.ok(isGood(flagged));
  assert.ok(stat(flagged, "source.guest.devices.overflows") > 100);
  // every buffer, though the device has come round to a part of them
  assert.ok(pagesAgain(flagged) >= pagesAgain(wilson) + BUFFER_PAGES / 4, `${pagesAgain(flagged)}`);
  const spilt = run([small.replace("overflow", "spill")]);
  assert.ok(isGood(spilt));
  assert.ok(pagesAgain(spilt) < pagesAgain(flagged) - BUFFER_PAGES / 4, `${pagesAgain(spilt)}`);
  const stalled = run([small.replace("overflow", "stall").replace("none", "1 ms")]);
  assert.ok(isGood(stalled));
  assert.ok(stat(stalled, "source.guest.devices.stallNs") > 1e6);
  assert.ok(stat(stalled, "source.guest.devices.writes") < 0.5 * stat(wilson, "source.guest.devices.writes"));
});

test("what is broken off counts what nobody has learnt of, and a device that still waits", () => {
  // the CPU writes nothing, the NIC its buffers in turn: each record is of a page of its own
  const writes = {
    rate: "200000 /s",
    bytes: "2 KiB",
    at: "4 MiB",
    workingSet: "2 MiB",
    pattern: "sequential",
  };
  const generate = { memory: "8 MiB", rate: "1 /s", workingSet: "4 KiB", mix: { random: 100 } };
  const left = migrate({
    guest: { generate, deviceState: "4 KiB", devices: [{ name: "nic", writes }] },
    source: { host: "gen5-host", card: "dpu-ref" },
    link: { rate: "1 Gbit/s" },
    compress: "off",
    encrypt: "off",
    tracker: { kind: "bitmap", devices: "wilson-ring", records: { slots: 64, poll: "none" } },
    migration: { timeout: "70 ms", onTimeout: "fail", downtimeLimit: "1 us" },
    content: "sized",
  });
  assert.is(left.migration.status, "not-converged");
  const unseen = stat(left, "source.guest.devices.records") - stat(left, "source.guest.devices.examined");
  assert.is(unseen, 64);
  assert.is(left.migration.ram.remaining, 4096 * unseen);
  // 64 slots are full after 0.32 ms, and given back once, after the first round
  const stall = stat(left, "source.guest.devices.stallNs");
  assert.ok(stall > 68e6 && stall < 70e6, `${stall} ns`);
});

test("bounds count from when devices begin, which is before a migration that starts late", () => {
  const late = run(["migration.startAt=20 ms"]);
  assert.ok(isGood(late), brokenIn(late).join());
});

test.run();
