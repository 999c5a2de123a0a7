// SPDX-License-Identifier: Apache-2.0
// A ring of device records that overflows, for nobody examines it for a time: recovered by three policies,
// broken off by the fourth, and tried again when it is repaired (docs/model.md section 17).
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isGood } from "../src/index.ts";
import { checkOverflow, overflowing } from "./lib/claims/ring-overflow.ts";
import { stat } from "./lib/migrate.ts";

test("stall, overflow and spill recover, fail breaks off", checkOverflow);

test("negative control: without the stall no policy has anything to do", () => {
  for (const full of ["stall", "overflow", "spill", "fail"]) {
    const free = overflowing(full, { faults: [] });
    assert.ok(isGood(free), full);
    assert.is(stat(free, "source.guest.devices.overflows"), 0);
    assert.is(stat(free, "source.guest.devices.stallNs"), 0);
  }
});

test("formula: a ring of 64 slots is full 64 writes of 5 us after the last examination", () => {
  const stalled = overflowing("stall");
  // examined every 20 us up to 500 us, and from 1100 us on; a write takes a few us and a release its doorbell
  const full = 64 * 5;
  const waits = stat(stalled, "source.guest.devices.stallNs") / 1000;
  assert.ok(waits >= 600 - full - 10 && waits <= 600 + 20 - full + 10, `${waits} us`);
  assert.is(stat(stalled, "source.guest.devices.ringHigh"), 64);
  const failed = overflowing("fail");
  const at = / at ([\d.]+) us, in round 1$/.exec(failed.migration.reason!);
  assert.ok(at !== null, failed.migration.reason!);
  const found = Number(at[1]);
  assert.ok(found >= 500 - 20 + full && found <= 500 + full + 20, `${found} us`);
});

test("it says why, keeps the source, and completes when it is tried again after the stall", () => {
  const failed = overflowing("fail");
  assert.match(
    failed.migration.reason!,
    /^the ring of device records was full, which its policy does not bear/,
  );
  const names = failed.check.invariants.map(({ name }) => name);
  for (const name of ["source-intact", "everything-home"]) assert.ok(names.includes(name), name);
  const migration = { maxRounds: 3, onTimeout: "force", retries: 1, retryAfter: "1 ms" };
  const again = overflowing("fail", { migration });
  assert.ok(isGood(again));
  assert.equal(
    again.migration.attempts!.map(({ status }) => status),
    ["failed"],
  );
  // a stall that lasts fails the second attempt too
  const faults = [{ at: "500 us", what: "poll-stalls", for: "1 s" }];
  assert.is(overflowing("fail", { migration, faults }).migration.status, "failed");
});

test("the scheduler that steps everything overflows likewise", () => {
  // UDP waits for no delayed acknowledgement of 40 ms
  const more = { link: { rate: "25 Gbit/s", transport: "udp" } };
  const lean = overflowing("fail", more);
  assert.is(lean.migration.status, "failed");
  assert.is(overflowing("fail", more, "naive").fingerprint, lean.fingerprint);
});

test.run();
