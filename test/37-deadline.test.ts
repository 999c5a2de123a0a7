// SPDX-License-Identifier: Apache-2.0
// The deadline of a migration (docs/model.md section 9); more of them in lib/claims/runs.ts.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { Core, coreModule } from "../src/core.ts";
import { isGood, isSound, type Result, simulate } from "../src/index.ts";
import { generated, inputOf, migrate, stat, TICKS_PER_NS } from "./lib/migrate.ts";

const SILENT = generated(600, 0);
/** Pages are written all the time. */
const BUSY = generated(600, 400_000);
const PLAIN = { compress: "off", encrypt: "off", content: "sized" };

function run(scenario: object): { core: Core; result: Result } {
  const input = inputOf(scenario);
  return { core: input.core, result: simulate(input) };
}

test("fail: the migration ends at that instant, in the handshake too", () => {
  const { core, result } = run({ guest: SILENT, ...PLAIN, migration: { timeout: "35 us" } });
  assert.is(result.migration.status, "not-converged");
  assert.is(core.logged(abi.L_ENDED), 35_000n * TICKS_PER_NS);
  assert.is(result.migration.ram.remaining, 600 * 4096);
  assert.is(result.migration.setupTimeNs, null);
  assert.equal(result.migration.rounds, []);
  assert.ok(isSound(result), JSON.stringify(result.check));
});

test("fail: the start of the tracker is no obstacle", () => {
  // 2^20 pages take 20 ns each to protect, which nobody is charged for beyond the deadline
  const sets = ["guest.generate.memory=4 GiB", "migration.timeout=5 ms"];
  const result = migrate({ guest: SILENT, ...PLAIN }, { sets });
  assert.is(result.migration.totalTimeNs, 5e6);
  assert.ok(result.hostCpu.sourceCoreSeconds < 5e-3, `${result.hostCpu.sourceCoreSeconds} s`);
  assert.ok(isSound(result), JSON.stringify(result.check));
});

test("force: a round that takes long does not keep the guest running", () => {
  const migration = { timeout: "1 s", onTimeout: "force" };
  // 600 pages at 1 Mbit/s are 20 s
  const { core, result } = run({ guest: SILENT, ...PLAIN, link: { rate: "1 Mbit/s" }, migration });
  assert.ok(isGood(result), JSON.stringify(result.check));
  assert.match(result.migration.reason!, /time limit.*forced/);
  const suspendNs = 100_000n;
  assert.is(core.logged(abi.L_SUSPENDED), (1_000_000_000n + suspendNs) * TICKS_PER_NS);
  // every page once: what was announced by then needs no second time
  assert.is(stat(result, "source.card.dma.read.pages"), 600);
});

test("force: a deadline in the handshake leaves one round, with the guest suspended", () => {
  const migration = { timeout: "20 us", onTimeout: "force" };
  const result = migrate({ guest: BUSY, ...PLAIN, migration });
  assert.ok(isGood(result), JSON.stringify(result.check));
  assert.is(result.migration.rounds.length, 1);
  assert.is(result.migration.rounds[0]!.normalPages, 600);
  assert.is(result.migration.setupTimeNs, 20_000);
});

test("a stop that has begun goes on", () => {
  const free = migrate({ guest: SILENT, ...PLAIN });
  const { totalTimeNs, downtimeNs } = free.migration;
  const timeout = `${Math.round(totalTimeNs - downtimeNs! / 2)} ns`;
  const result = migrate({ guest: SILENT, ...PLAIN, migration: { timeout } });
  assert.is(result.migration.status, "completed");
  assert.is(result.migration.totalTimeNs, totalTimeNs);
  assert.is(result.migration.reason, null);
});

test("the naive scheduler comes to the same deadlines", () => {
  for (const onTimeout of ["fail", "force"]) {
    for (const timeout of ["1 us", "35 us", "60 us", "300 us", "700 us"]) {
      const rules = { downtimeLimit: "1 ns", maxRounds: 5, timeout, onTimeout };
      const scenario = { guest: generated(300, 400_000), ...PLAIN, migration: rules };
      const [lean, naive] = (["lean", "naive"] as const).map((variant) => {
        const core = new Core(coreModule(variant));
        // a short drain: the timer of an acknowledgement is 40 ms of edges for the naive one
        const build = core.build.bind(core);
        core.build = (): number => {
          core.setGlobalParam(abi.G_NET_DELACK, 30_000n * TICKS_PER_NS);
          return build();
        };
        return migrate(scenario, { input: { core } });
      }) as [Result, Result];
      assert.is(naive.fingerprint, lean.fingerprint, `${timeout}, ${onTimeout}`);
      assert.ok(isSound(naive), JSON.stringify(naive.check));
    }
  }
});

test.run();
