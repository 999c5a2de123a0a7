// SPDX-License-Identifier: Apache-2.0
// A storage adapter of the guest (Goggin, and Reuther's storage jobs): each request is answered once whatever
// the policy, each policy moves the statistic that it is for, and without any requests are lost.

import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood, type Result } from "../src/index.ts";
import { serviceQuantile, storagePages } from "../src/params-storage.ts";
import { checkStorage, STORAGE_POLICIES, stored, storing } from "./lib/claims/storage.ts";
import { inputOf, migrate, stat } from "./lib/migrate.ts";
import { runShipped } from "./lib/shipped.ts";

interface Options {
  readonly storage?: object;
  readonly migration?: object;
  readonly more?: object;
  readonly variant?: "lean" | "naive" | "debug";
}

const run = ({ storage = {}, migration, more, variant = "lean" }: Options): Result =>
  migrate(storing(storage, migration, more), { variant });

const good = ({ storage = {}, migration, more }: Options): Result => stored(storage, migration, more);

const both = (result: Result, name: string): number =>
  stat(result, `source.storage.${name}`) + stat(result, `destination.storage.${name}`);
const heldOf = (result: Result): string[] =>
  result.check.invariants.filter(({ held }) => held).map(({ name }) => name);
const brokenOf = (result: Result): string[] =>
  result.check.invariants.filter(({ held }) => !held).map(({ name }) => name);

test("formula: quantiles of the service time are straight lines through those given", () => {
  const service = { minTicks: 0, medianTicks: 512, p99Ticks: 512 + 49 * 1024, maxTicks: 2_000_000 };
  const at = (i: number): number => Number(serviceQuantile({ service } as never, i));
  assert.is(at(0), 1);
  assert.is(at(511), 512);
  // 49 of 100 are 501.76 of 1024: 100 ticks for each of them
  assert.is(at(512), 512 + 100);
  assert.is(at(1023), 2_000_000);
});

test("formula: pages of queues and buffers", () => {
  const pages = (queue: number, depth: number, sizeBytes: number): number =>
    storagePages({ queue, depth, sizeBytes } as never);
  // 128 x 64 B are two pages, 128 x 16 B half of one
  assert.is(pages(128, 32, 4096), 2 + 1 + 32);
  assert.is(pages(16, 1, 512), 1 + 1 + 1);
  assert.is(pages(1024, 256, 131072), 16 + 4 + 256 * 32);
});

for (const quiesce of STORAGE_POLICIES) {
  test(`${quiesce}: answered once, places handed over, the guest goes on at the destination`, () => {
    const result = good({ storage: { quiesce } });
    const held = heldOf(result);
    assert.ok(held.includes("storage-completes-once") && held.includes("storage-indices-equal"), `${held}`);
    assert.ok(stat(result, "source.storage.requests") > 20);
    assert.ok(stat(result, "destination.storage.requests") > 0);
    assert.is(both(result, "bytes"), both(result, "requests") * 4096);
  });
}

test("drain lasts as long as the tail of the service, suspend does not", () => {
  const drainOf = (quiesce: string, max: string): number =>
    stat(good({ storage: { quiesce, service: { p99: "100 us", max } } }), "source.storage.drainNs");
  const tails = ["100 us", "5 ms"];
  // every request of a queue that is always full has one of the 1024 quantiles; some lie in the tail
  const slow = { median: "1 ms", p99: "1 ms", min: "1 ms" };
  const drained = (max: string): number =>
    stat(
      good({ storage: { quiesce: "drain", every: "0 s", service: { ...slow, max } } }),
      "source.storage.drainNs",
    );
  assert.ok(drained("1 ms") <= 1_000_000 && drained("1 ms") > 900_000);
  assert.ok(drainOf("suspend", tails[0]!) < 2_000 && drainOf("suspend", tails[1]!) < 2_000);
});

test("suspend and cancel carry requests in the state, 80 and 64 bytes each, the others none", checkStorage);

test("pf-fallback: requests go on during the pre-copy, and stall for less than with suspend", () => {
  const migration = { maxRounds: 3, downtimeLimit: "10 us" };
  // a round takes more than 8 ms, a request a twentieth of that
  const link = { rate: "2 Gbit/s" };
  const fallen = good({ storage: { quiesce: "pf-fallback" }, migration, more: { link } });
  const suspended = good({ storage: { quiesce: "suspend" }, migration, more: { link } });
  assert.ok(stat(fallen, "source.storage.throughPf") > 20);
  assert.is(stat(suspended, "source.storage.throughPf"), 0);
  assert.ok(both(fallen, "stallNs") < both(suspended, "stallNs"));
  assert.ok(stat(suspended, "source.storage.waited") > stat(fallen, "source.storage.waited"));
  // negative control: an intermediary that takes longer than the guest leaves it nothing
  const slow = good({ storage: { quiesce: "pf-fallback", pfCost: "200 us" }, migration, more: { link } });
  assert.ok(stat(slow, "source.storage.throughPf") < stat(fallen, "source.storage.throughPf"));
});

test("told at the stop, requests do not stall before it, and the stop is longer by the hand-over", () => {
  const early = good({ storage: { quiesce: "drain", at: "start" } });
  const late = good({ storage: { quiesce: "drain", at: "stop" } });
  assert.ok(both(late, "stallNs") < both(early, "stallNs"));
  assert.ok(late.migration.downtimeNs! > early.migration.downtimeNs!);
  assert.is(stat(late, "source.storage.waited"), 0);
  // the state was still before the stop, or is copied in it; it is set in it either way
  assert.ok(early.guest.storage!.stopNs! > 0 && early.guest.storage!.stopShare! < 1);
  assert.ok(late.guest.storage!.stopNs! > early.guest.storage!.stopNs!);
});

test("negative control: without a policy requests are lost, which is noticed", () => {
  const result = run({ storage: { quiesce: "none", unsafe: "yes" } });
  assert.is(result.migration.status, "failed");
  assert.equal(brokenOf(result), ["storage-completes-once"]);
});

test("a migration that ends at the source gives the requests back", () => {
  for (const quiesce of STORAGE_POLICIES) {
    const migration = { downtimeLimit: "1 ns", onTimeout: "fail" };
    const result = run({ storage: { quiesce }, migration });
    assert.is(result.migration.status, "not-converged");
    assert.equal(brokenOf(result), [], quiesce);
    assert.ok(heldOf(result).includes("storage-completes-once"));
    assert.is(stat(result, "destination.storage.requests"), 0);
  }
});

test("a migration that is cancelled gives the requests back, whenever that is", () => {
  for (const quiesce of STORAGE_POLICIES) {
    for (const at of ["1.02 ms", "1.6 ms"]) {
      const faults = [{ at, what: "cancel" }];
      const result = run({ storage: { quiesce }, more: { faults } });
      assert.equal(brokenOf(result), [], `${quiesce} ${at}`);
    }
  }
});

test("what is carried changes no time", () => {
  const times = ["sized", "full", "sampled"].map((content) => {
    const { migration, units, guest } = good({ storage: { quiesce: "suspend" }, more: { content } });
    return JSON.stringify([migration, units, guest]);
  });
  assert.is(new Set(times).size, 1);
});

/** The shipped scenario, with other keys of the adapter. */
const shipped = (sets: readonly string[]): Result => runShipped("goggin", sets);

test("goggin.yaml: storage goes on during the pre-copy; suspended, it does not", () => {
  const result = shipped([]);
  assert.ok(isGood(result));
  assert.ok(stat(result, "source.storage.throughPf") > 0);
  const suspended = shipped(["guest.storage.quiesce=suspend"]);
  assert.ok(isGood(suspended));
  assert.is(stat(suspended, "source.storage.throughPf"), 0);
  assert.ok(both(result, "stallNs") < both(suspended, "stallNs"));
});

test("a key's memory: the guest has its own pages and those of queues and buffers", () => {
  const input = inputOf(storing({}));
  assert.is(input.stream.pages, 512);
  assert.is(good({}).check.pagesCompared, 512 + 3 + 32);
  assert.is(abi.STORAGE_REQUEST_BYTES, 64);
});

test("a guest that resumes after the books have closed asks for nothing more, and the run ends", () => {
  const result = run({
    storage: { quiesce: "suspend" },
    migration: { silence: "2 ms" },
    more: {
      destination: { host: { preset: "snb-e5-2630", frontend: { resume: "20 ms" } } },
      link: { congestion: "cubic" },
    },
  });
  assert.is(result.migration.status, "failed");
  assert.match(
    result.migration.reason ?? "",
    /not heard for too long.*the guest stays suspended, as it may run at the destination$/,
  );
});

test.run();
