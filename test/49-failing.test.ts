// SPDX-License-Identifier: Apache-2.0
// Engines that fail, control processors that restart, records that are asked for again, a tracker that is
// started on demand (docs/model.md sections 8 and 17). Each is beside a run without it.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { Core, coreModule } from "../src/core.ts";
import { isGood, isSound, type Result } from "../src/index.ts";
import {
  checkAskedAgain,
  checkAskedLast,
  checkCipherFails,
  checkClosedBehindGap,
  checkCutHandler,
  checkDecoderFails,
  checkEnginesGone,
  checkForgotten,
  checkNoEncoder,
  checkOnDemand,
  checkPools,
  checkRestart,
  WRITING,
} from "./lib/claims/failing.ts";
import { checkCoresDown } from "./lib/claims/rest.ts";
import { checkStoppedSeals } from "./lib/claims/seal.ts";
import { generated, migrate, stat } from "./lib/migrate.ts";
import { runShipped } from "./lib/shipped.ts";

/** Broken off as it should be. */
function brokenOff({ migration, check }: Result, why: RegExp): void {
  assert.match(migration.reason!, why);
  const names = check.invariants.map(({ name }) => name);
  for (const name of ["source-intact", "everything-home"]) assert.ok(names.includes(name), name);
}

test("encoders and decoders that fail, beside a slow pool", checkPools);
test("sealing engines that stop, beside slow ones", checkStoppedSeals);

test("a record whose engine fails is sealed, or opened, again and is the same", () => {
  for (const content of ["full", "sized"] as const)
    for (const unit of ["seal", "open"] as const) {
      const names = checkCipherFails(unit, content).check.invariants.map(({ name }) => name);
      assert.ok(names.includes("nonce-used-once"));
    }
});

test("a decoder that fails begins again with the record as it came", checkDecoderFails);

test("all encoders fail: pages go raw", () => void checkNoEncoder());

test("no engine left to seal, open or decode: the migration fails, and says why", () => {
  for (const content of ["full", "sized"] as const) {
    brokenOff(
      checkEnginesGone("seal", content),
      /^no engine of the source's card was left to encrypt a record at /,
    );
    brokenOff(
      checkEnginesGone("open", content),
      /^no engine of the destination's card was left to decrypt or decode/,
    );
    brokenOff(checkEnginesGone("decompressor", content), /^no engine of the destination's card was left/);
  }
});

test("the control processor restarts with its RAM kept: late, and nothing else", () => {
  checkRestart(0);
  checkRestart(1);
  checkCutHandler();
  checkCoresDown();
});

test("it restarts and has forgotten the migration: that fails when it is up again", () => {
  brokenOff(checkForgotten("source"), /^the source's card restarted and had forgotten the migration at 30\d/);
  brokenOff(
    checkForgotten("destination"),
    /^the destination's card restarted and had forgotten the migration at 3/,
  );
});

test("records are asked for again, up to so many", () => {
  checkAskedAgain("full");
  checkAskedAgain("sized");
  checkAskedLast();
});

test("a link that closes while records have overtaken each other", checkClosedBehindGap);

test("another attempt completes", () => {
  for (const fault of [
    { what: "engine-fails", unit: "seal", engines: 2 },
    { what: "engine-fails", unit: "open", engines: 2 },
    { what: "firmware-restart", side: "source", for: "50 us", ram: "lost" },
    { what: "firmware-restart", side: "destination", for: "50 us", ram: "lost" },
    { what: "corrupt", records: 9 },
  ]) {
    const migration = { ...WRITING.migration, retries: 1, retryAfter: "1 ms", onTagFailure: "ask-again" };
    const result = migrate({ ...WRITING, migration, faults: [{ at: "200 us", ...fault }] });
    assert.ok(isGood(result), JSON.stringify([fault, result.check]));
    assert.is(result.migration.attempts!.length, 1, JSON.stringify(fault));
    assert.ok(result.check.invariants.some(({ name, held }) => name === "attempt-has-own-keys" && held));
  }
});

test("the shipped scenarios end as they say; without the fault nothing is done again", () => {
  for (const [name, status, statistic] of [
    ["engine-fails", "completed", "source.card.redone"],
    ["engines-gone", "failed", "destination.card.engineDropped"],
    ["firmware-restart", "completed", null],
    ["ask-again", "completed", "destination.card.crypto.askedAgain"],
  ] as const) {
    const [given, free] = [runShipped(name), runShipped(name, ["faults=[]"])];
    assert.is(given.migration.status, status, name);
    assert.is(isGood(given), status === "completed", name);
    assert.is(given.check.pagesDifferent, 0, name);
    assert.ok(isGood(free), name);
    if (statistic === null) assert.is(given.migration.attempts!.length, 1, name);
    else assert.ok(stat(given, statistic) > 0 && stat(free, statistic) === 0, name);
  }
  // the second attempt moves a guest that writes
  const dirtied = (sets: string[]): number =>
    runShipped("firmware-restart", sets).migration.rounds[0]!.newDirtyPages!;
  assert.ok(dirtied([]) > 0);
  assert.is(dirtied(["guest.atEnd=idle"]), 0, "control: its trace is over");
});

test("a tracker that is started on demand", checkOnDemand);

test("the naive scheduler fails likewise", () => {
  const plain = { guest: generated(300, 200_000, { zero: 10, text: 70, random: 20 }), content: "sized" };
  for (const fault of [
    { what: "engine-fails", unit: "compressor", engines: 2 },
    { what: "engine-fails", unit: "compressor", engines: 4 },
    { what: "engine-fails", unit: "seal", engines: 1 },
    { what: "engine-fails", unit: "open", engines: 2 },
    { what: "engine-fails", unit: "decompressor", engines: 3 },
    { what: "firmware-restart", side: "source", for: "20 us" },
    { what: "firmware-restart", side: "destination", for: "20 us", ram: "lost" },
    { what: "corrupt", records: 2 },
  ]) {
    const migration = { ...WRITING.migration, maxRounds: 1, onTagFailure: "ask-again" };
    const scenario = { ...plain, migration, faults: [{ at: "100 us", ...fault }] };
    const [lean, naive, watched] = (["lean", "naive", "instrumented"] as const).map((variant) => {
      const core = new Core(coreModule(variant));
      // a short drain: the timer of an acknowledgement is 40 ms of edges for the naive one
      const build = core.build.bind(core);
      core.build = (): number => {
        core.setGlobalParam(abi.G_NET_DELACK, 30_000n * BigInt(abi.TICKS_PER_NS));
        return build();
      };
      return migrate(scenario, { input: { core } });
    }) as [Result, Result, Result];
    assert.ok(isSound(lean), JSON.stringify(lean.check));
    assert.is(naive.fingerprint, lean.fingerprint, JSON.stringify(fault));
    assert.is(watched.fingerprint, lean.fingerprint, JSON.stringify(fault));
  }
});

test.run();
