// SPDX-License-Identifier: Apache-2.0
// Migrations that are broken off (docs/model.md section 17): each says why, leaves the source's memory as the
// trace says, and its guest running; without the fault each completes.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { Core, coreModule } from "../src/core.ts";
import { isGood, isSound, type Result, resultTable, type SimulateInput, simulate } from "../src/index.ts";
import {
  checkCorrupt,
  checkGivenUp,
  checkGoingOn,
  checkReset,
  checkRetry,
  checkSilence,
  SEALED_RETRY,
  SLOW_STOP,
} from "./lib/claims/failures.ts";
import { generated, inputOf, migrate, redis, stat, TICKS_PER_NS } from "./lib/migrate.ts";
import { runShipped } from "./lib/shipped.ts";

const HOT = { ...redis, tile: 2, speed: 400 };
interface Run {
  input: SimulateInput;
  core: Core;
  result: Result;
}

function run(scenario: object): Run {
  const input = inputOf(scenario);
  return { input, core: input.core, result: simulate(input) };
}

/** Broken off as it should be: nothing is wrong with the source, and every card is empty again. */
function brokenOff(result: Result, status: string, why: RegExp): void {
  assert.is(result.migration.status, status);
  assert.match(result.migration.reason!, why);
  assert.ok(isSound(result), JSON.stringify(result.check));
  assert.not(isGood(result));
  assert.is(result.check.pagesDifferent, 0);
  assert.ok(result.check.pagesCompared > 0);
  const names = result.check.invariants.map(({ name }) => name);
  for (const name of ["source-intact", "everything-home"]) assert.ok(names.includes(name), name);
}

const cancelAt = (ns: number): object => ({ faults: [{ at: `${ns} ns`, what: "cancel" }] });

test("cancelled in the setup and in a round: at that instant, the guest never stopped", () => {
  for (const content of ["full", "sized"]) {
    const free = migrate({ guest: HOT, content });
    assert.ok(isGood(free), JSON.stringify(free.check));
    for (const [ns, stage] of [
      [20_000, /cancelled at 20 us, in the setup$/],
      [400_000, /cancelled at 400 us, in round 1$/],
    ] as const) {
      const { core, result } = run({ guest: HOT, content, ...cancelAt(ns) });
      brokenOff(result, "cancelled", stage);
      assert.is(core.logged(abi.L_ENDED), BigInt(ns) * TICKS_PER_NS);
      assert.is(result.migration.downtimeNs, null);
      // phases are as long as they were, and what never began is null
      const { setupNs, precopyNs, stopNs } = result.migration.phases;
      assert.is(stopNs, null);
      assert.is(precopyNs === null, ns === 20_000);
      assert.is(setupNs! + (precopyNs ?? 0), ns);
      assert.is(result.migration.setupTimeNs === null, ns === 20_000);
      assert.equal(result.migration.faults, [{ what: "cancel", side: null, atNs: ns, effect: "happened" }]);
    }
  }
});

test("a round that is broken off is left with the pages that became dirty in it so far", () => {
  for (const name of ["cancel", "corrupt", "card-reset", "link-lost"]) {
    const result = runShipped(name);
    const { rounds } = result.migration;
    assert.is(rounds.length, 1);
    // write protection: a page that becomes dirty faults, or is freed, while it is not collected
    const { newDirtyPages } = rounds[0]!;
    const marks = stat(result, "source.guest.faults") + stat(result, "source.guest.frees");
    assert.ok(newDirtyPages! > 0 && newDirtyPages! <= marks, `${name}: ${newDirtyPages} of ${marks}`);
  }
  // QEMU's thread counts at the end of a round
  const software = runShipped("qemu-multifd", ["migration.timeout=20 ms"]);
  assert.is(software.migration.status, "not-converged");
  assert.is(software.migration.rounds.at(-1)!.newDirtyPages, null);
});

test("the table says of each fault what the scenario does, and how long a broken phase was", () => {
  const said = (name: string): string => resultTable(runShipped(name), name, false);
  assert.match(said("engine-fails"), "\n  fault  engine-fails (compressor × 3) at 110 us\n");
  assert.match(said("firmware-restart"), "firmware-restart of the source (RAM lost, for 20 ms) at 300 us\n");
  const lost = said("link-lost");
  assert.match(lost, "\n  fault  link-down at 300 us\n");
  assert.match(lost, /\n {2}pre-copy {2}100\.\d+ {2}100\.0 %/);
  assert.match(lost, /\n {2}stopped {9}-/);
  const { setupNs } = runShipped("evacuation").migration.phases;
  const guestsMs = (runShipped("evacuation").migration.totalTimeNs - setupNs!) / 1e6;
  const several = said("evacuation");
  assert.match(several, new RegExp(`\\n {2}guests {2,}${guestsMs.toFixed(3)} .* slowed the guests by`));
  assert.match(several, "the longest of the guests' stops");
});

test("cancelled before the start: nothing is sent", () => {
  const { result } = run({ guest: HOT, migration: { startAt: "1 ms" }, ...cancelAt(10) });
  brokenOff(result, "cancelled", /in the setup$/);
  assert.is(result.link.wireBytes, 0);
});

test("cancelled with the guest stopped: it goes on where it was, after the time of a resumption", () => {
  const result = checkGoingOn();
  brokenOff(result, "cancelled", /with the guest stopped$/);
});

test("a cancel when everything has been handed over comes too late, one after the end too", () => {
  const free = run(SLOW_STOP);
  const end = Number(free.core.logged(abi.L_ENDED) / TICKS_PER_NS);
  const late = run({ ...SLOW_STOP, ...cancelAt(end - 1000) });
  assert.ok(isGood(late.result), JSON.stringify(late.result.check));
  assert.is(late.result.migration.totalTimeNs, free.result.migration.totalTimeNs);
  assert.is(late.result.migration.faults[0]!.effect, "too-late");
  assert.ok(late.core.logged(abi.L_TOO_LATE) > 0n);
  const after = run({ ...SLOW_STOP, ...cancelAt(end + 1e6) });
  assert.ok(isGood(after.result));
  assert.is(after.result.fingerprint, free.result.fingerprint);
  assert.is(after.result.migration.faults[0]!.effect, "after-the-end");
});

test("wherever a cancel comes, one guest runs in the end", () => {
  const { migration } = run(SLOW_STOP).result;
  let [kept, moved] = [0, 0];
  for (let i = 1; i <= 20; i++) {
    const ns = Math.round((migration.totalTimeNs * i) / 20.1);
    const { result } = run({ ...SLOW_STOP, ...cancelAt(ns) });
    assert.ok(isSound(result), `${ns} ns: ${JSON.stringify(result.check)}`);
    const { phases, totalTimeNs } = result.migration;
    const sum = phases.setupNs! + (phases.precopyNs ?? 0) + (phases.stopNs ?? 0);
    assert.ok(Math.abs(sum - totalTimeNs) < 0.01, `${ns} ns: ${sum} of ${totalTimeNs}`);
    if (result.migration.status === "completed") moved++;
    else brokenOff(result, "cancelled", /^it was cancelled at/);
    if (result.migration.status === "cancelled") kept++;
  }
  assert.ok(kept > 10 && moved > 0, `${kept} kept, ${moved} moved`);
});

test("a link that is lost: given up after so many retries", checkGivenUp);

test("a link that is lost: noticed when the other card has been silent", checkSilence);

test("a link that is lost, every byte carried: what is on it is written off, the rest is home", () => {
  for (const link of [{ congestion: "cubic", streams: 3 }, { transport: "udp" }]) {
    const free = migrate({ guest: HOT, link });
    assert.ok(isGood(free), JSON.stringify(free.check));
    assert.is(free.check.writtenOff, null);
    const faults = [{ at: "300 us", what: "link-down" }];
    const { result } = run({ guest: HOT, link, faults, migration: { silence: "50 ms" } });
    brokenOff(result, "failed", /not heard for too long .* at 50\.\d+ ms, in round 1$/);
    assert.ok(result.check.writtenOff!.records > 0);
    assert.ok(result.check.writtenOff!.linkBytes > 0);
    // a link that comes back soon is no failure
    const back = migrate({
      guest: HOT,
      link,
      faults: [{ ...faults[0], for: "10 ms" }],
      migration: { silence: "1 s" },
    });
    assert.ok(isGood(back), JSON.stringify(back.check));
  }
});

/** The link is lost when all has arrived, and the destination takes 5 ms to resume the guest. */
const PARTING = {
  ...SLOW_STOP,
  guest: generated(600, 0),
  link: { rate: "10 Gbit/s", rtt: "1 ms", congestion: "cubic" },
};
const SLOW_RESUME = ["destination.host.frontend.resume=5 ms"];

test("a link that is lost after the point of no return: nobody resumes the guest twice", () => {
  const free = inputOf(PARTING, { sets: SLOW_RESUME });
  assert.ok(isGood(simulate(free)));
  const resumed = Number(free.core.logged(abi.L_RESUMED) / TICKS_PER_NS);
  const faults = [{ at: `${resumed - 4_000_000} ns`, what: "link-down" }];
  const parted = (ns: number): object => ({
    ...PARTING,
    faults,
    migration: { ...SLOW_STOP.migration, silence: `${ns} ns` },
  });
  const early = inputOf(parted(2_000_000), { sets: SLOW_RESUME });
  assert.is(simulate(early).migration.status, "failed");
  // the silence after which the source gives up as the guest is resumed
  const even = 2_000_000 + resumed - Number(early.core.logged(abi.L_BROKEN_OFF) / TICKS_PER_NS);
  const seen = new Set<string>();
  for (let us = -900; us <= 900; us += 300) {
    const scenario = parted(even + 1000 * us);
    const [one, two] = [null, 1000n * TICKS_PER_NS].map((quantumTicks) =>
      simulate(
        inputOf(scenario, { sets: SLOW_RESUME, input: quantumTicks === null ? {} : { quantumTicks } }),
      ),
    ) as [Result, Result];
    assert.is(one.fingerprint, two.fingerprint, `${us} us`);
    assert.ok(isSound(one), JSON.stringify(one.check));
    const { status, reason, downtimeNs } = one.migration;
    seen.add(status);
    assert.is(status, us < 0 ? "failed" : "completed", `${us} us`);
    if (status === "completed") continue;
    assert.match(reason!, /all handed over: the guest stays suspended/);
    assert.is(downtimeNs, null);
  }
  assert.equal([...seen].sort(), ["completed", "failed"]);
});

test("a record that is spoilt on the link is never placed, and the migration fails", () => {
  for (const content of ["full", "sized"] as const) {
    const result = checkCorrupt(content);
    brokenOff(result, "failed", /^a record did not authenticate at the destination at /);
  }
});

test("the destination's card is reset: the other is silent, what it held is written off", () => {
  const result = checkReset();
  brokenOff(result, "failed", /not heard for too long/);
  const faults = [{ at: "317 us", what: "reset", side: "destination" }];
  const full = run({ guest: HOT, link: { transport: "udp" }, faults, migration: { silence: "2 ms" } });
  brokenOff(full.result, "failed", /not heard for too long/);
  assert.ok(full.result.check.writtenOff!.inCard > 0);
});

test("another attempt after a failure completes, with keys of its own", () => {
  const udp = { transport: "udp" };
  for (const scenario of [
    SEALED_RETRY,
    { guest: HOT, link: udp, faults: [{ at: "300 us", what: "reset", side: "destination" }] },
    { guest: HOT, link: udp, faults: [{ at: "300 us", what: "corrupt" }] },
  ]) {
    const { check, migration } = checkRetry(scenario);
    assert.ok(check.invariants.some(({ name, held }) => name === "attempt-has-own-keys" && held));
    assert.is(migration.attempts![0]!.pagesDifferent, 0);
  }
});

test("a link that stays down fails every attempt; a cancel is not tried again", () => {
  const migration = { silence: "1 ms", retries: 2, retryAfter: "1 ms" };
  const link = { transport: "udp" };
  const faults = [{ at: "300 us", what: "link-down", for: "1 s" }];
  const down = migrate({ guest: HOT, link, faults, migration });
  brokenOff(down, "failed", /not heard/);
  assert.is(down.migration.attempts!.length, 2);
  const { result } = run({ guest: HOT, link, migration, ...cancelAt(300_000) });
  brokenOff(result, "cancelled", /^it was cancelled/);
  assert.equal(result.migration.attempts, []);
});

test("the shipped scenarios of failures end as they say, and without the fault they complete", () => {
  for (const [name, status] of [
    ["cancel", "cancelled"],
    ["link-lost", "failed"],
    ["card-reset", "failed"],
    ["corrupt", "failed"],
    ["retry", "completed"],
  ] as const) {
    const [given, free] = [runShipped(name), runShipped(name, ["faults=[]"])];
    assert.is(given.migration.status, status, name);
    assert.is(isGood(given), status === "completed", name);
    assert.is(given.check.pagesDifferent, 0, name);
    assert.ok(isGood(free), name);
  }
  // the second attempt moves a guest that writes
  const dirtied = (sets: string[]): number => runShipped("retry", sets).migration.rounds[0]!.newDirtyPages!;
  assert.ok(dirtied([]) > 0);
  assert.is(dirtied(["guest.atEnd=idle"]), 0, "control: its trace is over");
});

test("the naive scheduler fails likewise", () => {
  const plain = { guest: generated(200, 100_000), content: "sized", migration: { silence: "100 us" } };
  for (const fault of [
    { at: "150 us", what: "link-down" },
    { at: "150 us", what: "corrupt" },
    { at: "150 us", what: "reset", side: "destination" },
  ]) {
    const scenario = { ...plain, link: { transport: "udp" }, faults: [fault] };
    const lean = migrate(scenario);
    assert.is(lean.migration.status, "failed", fault.what);
    assert.is(migrate(scenario, { variant: "naive" }).fingerprint, lean.fingerprint, fault.what);
    assert.is(migrate(scenario, { variant: "instrumented" }).fingerprint, lean.fingerprint, fault.what);
  }
});

test("the naive scheduler breaks off likewise", () => {
  const guest = generated(300, 400_000);
  for (const at of ["35 us", "60 us", "300 us", "450 us", "600 us"]) {
    const rules = { migration: SLOW_STOP.migration, faults: [{ at, what: "cancel" }] };
    const [lean, naive] = (["lean", "naive"] as const).map((variant) => {
      const core = new Core(coreModule(variant));
      // a short drain: the timer of an acknowledgement is 40 ms of edges for the naive one
      const build = core.build.bind(core);
      core.build = (): number => {
        core.setGlobalParam(abi.G_NET_DELACK, 30_000n * TICKS_PER_NS);
        return build();
      };
      const plain = { compress: "off", encrypt: "off", content: "sized" };
      return migrate({ guest, ...plain, ...rules }, { input: { core } });
    }) as [Result, Result];
    assert.is(naive.fingerprint, lean.fingerprint, at);
    assert.ok(isSound(naive), JSON.stringify(naive.check));
  }
});

test("a page that is spoilt by hand is found: the source is compared with the trace", () => {
  const input = inputOf({ guest: HOT, ...cancelAt(400_000) });
  const { core } = input;
  let spoilt = false;
  const result = simulate(input, () => {
    if (spoilt) return;
    spoilt = true;
    core.u32[(core.address("sourceVersionsAt") >>> 2) + 7]!++;
  });
  assert.ok(spoilt);
  assert.is(result.check.pagesDifferent, 1);
  assert.is(result.check.firstDifferentPage, 7);
  assert.not(isSound(result));
});

test.run();
