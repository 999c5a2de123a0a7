// SPDX-License-Identifier: Apache-2.0
// A storage adapter whose guest moves, at random: each request is answered once, and the scheduler that steps
// everything says the same.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { Core, coreModule, type Result } from "../src/index.ts";
import { STORAGE_POLICIES, storing } from "./lib/claims/storage.ts";
import { generated, migrate, TICKS_PER_NS } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";

const of = <T>(next: () => number, list: readonly T[]): T => list[Math.floor(next() * list.length)]!;

interface Options {
  readonly storage: object;
  readonly migration: object;
  readonly more: object;
}

const run = ({ storage, migration, more }: Options): Result => migrate(storing(storage, migration, more));

const brokenOf = (result: Result): string[] =>
  result.check.invariants.filter(({ held }) => !held).map(({ name }) => name);
const heldOf = (result: Result): string[] =>
  result.check.invariants.filter(({ held }) => held).map(({ name }) => name);

function randomOf(seed: number): Options {
  const next = generator(seed);
  const quiesce = of(next, STORAGE_POLICIES);
  const depth = of(next, [1, 4, 32, 256]);
  const min = of(next, [0, 5, 20]);
  const median = min + of(next, [0, 10, 80]);
  const p99 = median + of(next, [0, 100, 400]);
  const max = p99 + of(next, [0, 100, 2000]);
  const us = (n: number): string => `${n} us`;
  const storage = {
    depth,
    queue: of(next, [256, 512, 1024]),
    size: of(next, ["512 B", "4 KiB", "6 KiB"]),
    reads: of(next, [0, 50, 100]),
    every: of(next, ["0 s", "5 us", "20 us", "500 us"]),
    service: { min: us(min), median: us(median), p99: us(p99), max: us(max) },
    quiesce,
    at: quiesce === "pf-fallback" ? "start" : of(next, ["start", "stop"]),
    suspendLatency: of(next, ["0 s", "10 us", "700 us"]),
    resumeLatency: of(next, ["0 s", "20 us"]),
    stateBytes: of(next, ["64 B", "4 KiB", "9 KiB"]),
    stateRate: of(next, ["1 Gbit/s", "25 Gbit/s"]),
    tags: of(next, [1, 8, 32]),
    ...(quiesce === "pf-fallback" ? { pfCost: of(next, ["0 s", "5 us", "40 us"]) } : {}),
    ...(quiesce === "cancel" ? { cancelLatency: of(next, ["0 s", "10 us", "300 us"]) } : {}),
  };
  const migration = {
    startAt: of(next, ["0 s", "1 ms"]),
    maxRounds: of(next, [2, 4]),
    downtimeLimit: of(next, ["1 ns", "300 us"]),
    onTimeout: of(next, ["force", "force", "fail"]),
  };
  const internal = {
    iommu: of(next, ["off", "off", "4KiB"]),
    dll: of(next, ["explicit", "none"]),
    pages: of(next, ["dma", "dma", "vsock"]),
  };
  const relaxedOrdering = internal.iommu === "off" ? "off" : of(next, ["off", "on"]);
  const tracker = { kind: of(next, ["write-protect", "bitmap", "pml", "dirty-ring"]) };
  const host = { preset: "gen5-host", frontend: { interrupt: of(next, ["0 s", "2 us"]) } };
  const content = of(next, ["sized", "full", "sampled"]);
  const tenant = of(next, ["off", "off", { op: "readwrite", workers: 4 }]);
  return {
    storage,
    migration,
    more: { internal: { ...internal, relaxedOrdering }, tracker, source: { host }, content, tenant, seed },
  };
}

for (const seed of seeds(6)) {
  test(`random: each request is answered once, seed ${seed}`, () => {
    const options = randomOf(seed);
    const result = run(options);
    assert.equal(brokenOf(result), [], JSON.stringify(options));
    assert.ok(["completed", "not-converged"].includes(result.migration.status), result.migration.status);
    assert.ok(heldOf(result).includes("storage-completes-once"));
  });
}

/** A core whose acknowledgements are prompt: the drain of the scheduler that steps everything is short. */
class PromptCore extends Core {
  override build(): number {
    this.setGlobalParam(abi.G_NET_DELACK, 100_000n * TICKS_PER_NS);
    return super.build();
  }
}

for (const quiesce of STORAGE_POLICIES) {
  test(`the scheduler that steps everything says the same, ${quiesce}`, () => {
    const storage = { quiesce, every: "8 us", size: "6 KiB" };
    const scenario = {
      guest: { ...generated(64, 400_000), storage },
      migration: { downtimeLimit: "1 ns", maxRounds: 2, onTimeout: "force", startAt: "50 us" },
      link: { rate: "10 Gbit/s" },
      content: "sized",
    };
    const prints = (["lean", "naive"] as const).map((variant) => {
      const result = migrate(scenario, { input: { core: new PromptCore(coreModule(variant)) } });
      assert.equal(brokenOf(result), []);
      return result.fingerprint;
    });
    assert.is(prints[0], prints[1]);
  });
}

test.run();
