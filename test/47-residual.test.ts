// SPDX-License-Identifier: Apache-2.0
// Pages that move after the resume (Nelson; post-copy): the guest at the destination against the slow one to
// the tick, each page once, the danger of it, and the control: with every page before the resume.

import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood, isSound, type Result } from "../src/index.ts";
import { checkDemand } from "./lib/claims/residual.ts";
import { sameBooks, TEXT } from "./lib/configurations.ts";
import { generated, migrate, stat } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { runShipped } from "./lib/shipped.ts";
import { runText } from "./lib/timeline.ts";
import { checkTouches, pagesOf } from "./lib/touched.ts";

const of = <T>(next: () => number, list: readonly T[]): T => list[Math.floor(next() * list.length)]!;

/** Post-copy, or rounds under a dirty bitmap: the guest has not stood still before it stops. */
function setsOf(seed: number): string[] {
  const next = generator(seed);
  const algorithm = of(next, ["precopy", "hybrid", "postcopy"]);
  const residual = of(next, ["after-resume", "on-demand"]);
  const missing = [
    `fault: ${of(next, ["1 ns", "5 us", "777 ns"])}`,
    `map: ${of(next, ["1 ns", "5 us", "20 us"])}`,
    `ahead: ${of(next, [2, 3, 64, 128])}`,
    ...(residual === "on-demand" ? [`pushAfter: ${of(next, ["1 us", "300 us"])}`] : []),
    ...(next() < 0.4 ? [`pushRate: ${of(next, ["2 Gbit/s", "40 Gbit/s"])}`] : []),
  ];
  return [
    `migration.algorithm=${algorithm}`,
    `migration.residual=${residual}`,
    `migration.missing={ ${missing.join(", ")} }`,
    ...(algorithm === "precopy" ? ["migration.maxRounds=2", "migration.onTimeout=force"] : []),
    ...(algorithm === "precopy" ? ["migration.downtimeLimit=1 ns"] : []),
    ...(algorithm === "postcopy" ? [] : ["tracker.kind=bitmap"]),
    "source.host.tracker.tlbFlush=0 s",
    `guest.generate.memory=${of(next, ["64 KiB", "1036 KiB", "9 MiB"])}`,
    `guest.generate.pattern=${of(next, ["uniform", "sequential", "zipf"])}`,
    `guest.generate.rate=${of(next, [100_000, 1_000_000, 5_000_000])} /s`,
    `guest.vcpus=${of(next, [1, 3, 8])}`,
    `guest.clock=${of(next, ["guest", "guest", "wall"])}`,
    `link.rtt=${of(next, ["2 us", "20 us", "300 us"])}`,
    "content=sized",
    `seed=${seed}`,
  ];
}

const BUSY = ["guest.generate.memory=9 MiB", "guest.generate.rate=1000000 /s", "guest.vcpus=1"];

for (const seed of seeds(12)) {
  test(`reference: every write at the destination, seed ${seed}`, () => {
    const run = runText(TEXT, { sets: setsOf(seed) });
    assert.is(run.core.logged(abi.L_STATUS), BigInt(abi.STATUS_COMPLETED));
    const { missing, landed } = pagesOf(run);
    const { writes } = checkTouches(run);
    assert.ok(writes.length > 0);
    for (const pfn of missing) assert.ok(landed.has(pfn), `page ${pfn}`);
    assert.is(run.core.logged(abi.L_RESIDUAL_PAGES), BigInt(missing.size));
  });
}

test("reference: a tick more a fault is seen, and one more a page that is mapped", () => {
  const sets = [
    ...setsOf(1),
    "migration.algorithm=postcopy",
    "tracker.kind=write-protect",
    "guest.clock=guest",
  ];
  const run = runText(TEXT, { sets: [...sets, "migration.residual=after-resume", ...BUSY] });
  assert.ok(checkTouches(run).stood.length > 3);
  for (const key of [abi.S_HOST_MISSING, abi.S_HOST_MAP]) {
    const [source, destination] = [run.params.sides[0], [...run.params.sides[1]]];
    destination[key]!++;
    const other = { ...run, params: { ...run.params, sides: [source, destination] as [number[], number[]] } };
    assert.throws(() => checkTouches(other), /differs|is read at/);
  }
});

for (const seed of [1, 2, 3, 4]) {
  test(`the scheduler that steps everything counts the same, seed ${seed}`, () => {
    const sets = [...setsOf(seed), "guest.generate.memory=64 KiB"];
    const [lean, naive] = (["lean", "naive"] as const).map(
      (variant) => runText(TEXT, { sets, variant }).core,
    );
    sameBooks(`seed ${seed}`, lean!, naive!);
  });
}

const GUEST = { ...generated(3000, 300_000, { zero: 10, text: 50, random: 40 }), vcpus: 4 };
const RULES = { threshold: 200, maxRounds: 5, onTimeout: "force" };
const RESIDUALS = [
  { ...RULES, residual: "after-resume" },
  { ...RULES, residual: "on-demand", missing: { pushAfter: "500 us" } },
  { algorithm: "hybrid" },
  { algorithm: "postcopy" },
  { algorithm: "postcopy", residual: "on-demand", missing: { pushAfter: "500 us", pushRate: "20 Gbit/s" } },
] as const;

test("every mode, every byte carried: a missing page lands once, and the source is kept until then", () => {
  for (const migration of RESIDUALS) {
    for (const content of ["full", "sized"]) {
      const result = migrate({ guest: GUEST, content, migration });
      assert.ok(isGood(result), JSON.stringify(result.check));
      const names = result.check.invariants.map(({ name }) => name);
      const wanted = ["missing-page-lands-once", "source-kept-until-whole", "destination-equals-source"];
      for (const name of wanted) assert.ok(names.includes(name), name);
      const { rounds, ram } = result.migration;
      assert.is(rounds.length > 1, migration !== RESIDUALS[3] && migration !== RESIDUALS[4]);
      // every page that was left goes once, and what is asked for is a part of it
      const last = rounds.at(-1)!;
      const pages = rounds.reduce((n, round) => n + round.normalPages + round.zeroPages, 0);
      const placed = stat(result, "destination.card.dma.write.pages");
      assert.is(placed + stat(result, "destination.card.dma.write.zeroPages"), pages);
      assert.ok(ram["postcopy-requests"]! <= last.normalPages + last.zeroPages);
      assert.ok(ram["postcopy-bytes"]! > 0);
      assert.is(ram["precopy-bytes"]! + ram["downtime-bytes"]! + ram["postcopy-bytes"]!, ram.transferred);
    }
  }
});

test("what is asked for goes before what is pushed", checkDemand);

test("nelson: downtime falls against the control, and vCPUs wait for pages after it", () => {
  const [late, control] = [runShipped("nelson"), runShipped("nelson", ["migration.residual=before-resume"])];
  for (const result of [late, control]) assert.ok(isGood(result), JSON.stringify(result.check));
  // the same rounds up to the stop: what is different comes after it
  assert.equal(late.migration.rounds.slice(0, -1), control.migration.rounds.slice(0, -1));
  assert.is(late.migration.phases.precopyNs, control.migration.phases.precopyNs);
  assert.ok(late.migration.downtimeNs! < 0.8 * control.migration.downtimeNs!);
  assert.is(control.guest.firstTouchNs, null);
  assert.ok(late.migration.ram["postcopy-requests"]! > 0 && late.guest.firstTouchNs!.p50 > 10_000);
  assert.ok(late.guest.stallNs > control.guest.stallNs);
  assert.ok(late.migration.totalTimeNs > control.migration.totalTimeNs);
});

test("hybrid: one round, pages on demand until the push", () => {
  const result = runShipped("hybrid");
  assert.ok(isGood(result), JSON.stringify(result.check));
  assert.is(result.migration.rounds.length, 2);
  assert.ok(result.migration.phases.residualNs! > 1e6);
  const pushed = runShipped("hybrid", ["migration.residual=after-resume", "migration.missing={}"]);
  const requests = (of: Result): number => of.migration.ram["postcopy-requests"]!;
  assert.ok(requests(pushed) < requests(result), `${requests(pushed)}, ${requests(result)}`);
});

/** A guest that has written so many pages when it stops, and writes on; the link is slow. */
const left = (pages: number, residual: string): Result =>
  migrate({
    guest: { ...generated(4096, 2_000_000, { zero: 0, text: 0, random: 100 }, pages), deviceState: "4 KiB" },
    link: { rate: "10 Gbit/s" },
    ...{ compress: "off", encrypt: "off", content: "sized" },
    migration: { residual, threshold: 5000 },
  });

test("control: downtime grows by a page's time on the link before the resume, by its bit after it", () => {
  const [few, many] = [256, 2048];
  // 4112 B a record in frames of 8948 B of payload and 9038 B of wire, 0.8 ns a byte
  const pageNs = (4112 * 9038 * 0.8) / 8948;
  const grown = (residual: string): number =>
    left(many, residual).migration.downtimeNs! - left(few, residual).migration.downtimeNs!;
  const expected = (many - few) * pageNs;
  const [before, after] = [grown("before-resume"), grown("after-resume")];
  assert.ok(Math.abs(before - expected) < 0.1 * expected, `${before} ns, ${expected} ns`);
  // announced in one more message at most, collected and unmapped one by one: 50 ns each, as protected
  assert.ok(after < 0.15 * expected, `${after} ns`);
  // and who stops the guest for shorter has it wait later
  assert.is(left(many, "before-resume").guest.firstTouchNs, null);
  const { p50, p99 } = left(many, "after-resume").guest.firstTouchNs!;
  // there and back on the link at least, and the two costs of a fault
  assert.ok(p99 >= p50 && p50 > 5000 + 5000, `${p50} ns, ${p99} ns`);
});

test("formula: pages that are sent unasked at a rate take pages x 4096 / rate", () => {
  const rate = 2e9 / 8;
  const guest = { ...generated(600, 0), deviceState: "4 KiB" };
  const migration = { algorithm: "postcopy", missing: { pushRate: "2 Gbit/s", ahead: 2 } };
  const { phases } = migrate({ guest, migration, content: "sized" }).migration;
  const expected = (1e9 * 599 * 4096) / rate;
  // the first goes at once; the last one's way through the cards comes behind it
  assert.ok(phases.residualNs! >= expected, `${phases.residualNs} ns, ${expected} ns`);
  assert.ok(phases.residualNs! < expected + 100_000, `${phases.residualNs} ns, ${expected} ns`);
});

test("a link that is lost after the resume: the guest is lost, and the run says so", () => {
  const scenario = {
    ...{ guest: GUEST, link: { congestion: "cubic" }, content: "sized" },
    migration: { algorithm: "postcopy", silence: "2 ms" },
  };
  const free = migrate(scenario);
  assert.ok(isGood(free), JSON.stringify(free.check));
  const { totalTimeNs, phases } = free.migration;
  const during = Math.round(totalTimeNs - phases.residualNs! / 2);
  const lost = migrate({ ...scenario, faults: [{ at: `${during} ns`, what: "link-down" }] });
  assert.is(lost.migration.status, "failed");
  assert.match(lost.migration.reason!, /after the resume: the guest is lost, a part of its memory at either/);
  assert.ok(isSound(lost), JSON.stringify(lost.check));
  assert.is(lost.check.pagesDifferent, 0);
  assert.ok(lost.check.invariants.some(({ name }) => name === "source-intact"));
  // a cancel comes too late
  const late = migrate({ ...scenario, faults: [{ at: `${during} ns`, what: "cancel" }] });
  assert.ok(isGood(late), JSON.stringify(late.check));
  assert.is(late.migration.faults[0]!.effect, "too-late");
});

test("cancelled with the guest stopped, before it is handed over: it goes on at the source", () => {
  const scenario = { guest: GUEST, content: "full", migration: { algorithm: "postcopy" } };
  const { phases } = migrate(scenario).migration;
  const at = Math.round(phases.setupNs! + phases.precopyNs! + 20_000);
  const result = migrate({ ...scenario, faults: [{ at: `${at} ns`, what: "cancel" }] });
  assert.is(result.migration.status, "cancelled");
  assert.match(result.migration.reason!, /with the guest stopped$/);
  assert.ok(isSound(result), JSON.stringify(result.check));
});

test.run();
