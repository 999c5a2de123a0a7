// SPDX-License-Identifier: Apache-2.0
// Scenarios of trackers, and of a driver that codes pages, each with what it shows and its control.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isGood, type Result } from "../src/index.ts";
import { brokenIn } from "./lib/claims/devices.ts";
import { stat } from "./lib/migrate.ts";
import { runShipped } from "./lib/shipped.ts";

function good(name: string, sets: readonly string[] = []): Result {
  const result = runShipped(name, sets);
  assert.ok(isGood(result), `${name}: ${brokenIn(result).join()}`);
  return result;
}

test("pml.yaml: no write faults, and an exit for each 512 pages of a vCPU's log", () => {
  const logged = good("pml");
  assert.is(logged.guest.writeFaults, 0);
  const [entries, full] = ["logEntries", "fullLogs"].map((name) => stat(logged, `source.guest.${name}`));
  assert.ok(full! > 0 && full! <= entries! / 512, `${full} full logs of ${entries} entries`);
  const faults = good("pml", ["tracker.kind=write-protect"]);
  assert.ok(faults.guest.writeFaults > 1000, "control");
  assert.is(stat(faults, "source.guest.logEntries"), 0);
  assert.ok(logged.guest.slowdown! < faults.guest.slowdown! / 10);
});

test("dirty-ring.yaml: each entry is a fault, and a full ring stops its vCPU", () => {
  const [small, large] = [good("dirty-ring"), good("dirty-ring", ["tracker.ring=4096"])];
  for (const result of [small, large])
    assert.is(stat(result, "source.guest.logEntries"), result.guest.writeFaults);
  const [entries, full] = ["logEntries", "fullLogs"].map((name) => stat(small, `source.guest.${name}`));
  assert.ok(full! > 0 && full! <= entries! / 64, `${full} full rings of ${entries} entries`);
  assert.is(stat(large, "source.guest.fullLogs"), 0, "control");
});

test("iommu-dirty-bits.yaml: what a device writes is seen without records, and lost without bits", () => {
  const bits = good("iommu-dirty-bits");
  assert.ok(stat(bits, "source.guest.devices.writes") > 100);
  assert.is(stat(bits, "source.guest.devices.records"), 0);
  const blind = runShipped("iommu-dirty-bits", ["tracker.devices=none"]);
  assert.is(blind.migration.status, "failed");
  assert.equal(brokenIn(blind), ["destination-equals-source"], "control");
});

test("host-stages.yaml: the host's cores code the pages, and the guest feels it", () => {
  const host = good("host-stages");
  const card = good("host-stages", [
    "placement=huawei",
    "internal.pages=dma",
    "source.card=dpu-ref",
    "destination.card=dpu-ref",
  ]);
  // 500 cycles of 2.8 GHz for each page that is looked at, at least
  const { normal, duplicate } = host.migration.ram;
  const least = ((normal + duplicate) * 500) / 2.8e9;
  assert.ok(host.hostCpu.sourceCoreSeconds > card.hostCpu.sourceCoreSeconds + least);
  assert.ok(stat(host, "source.stages.compressNs") > 0);
  assert.is(stat(card, "source.stages.compressNs"), 0, "control");
  assert.ok(stat(card, "source.card.compressor.pages") > stat(host, "source.card.compressor.pages"));
});

test.run();
