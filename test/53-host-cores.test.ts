// SPDX-License-Identifier: Apache-2.0
// Cores that vCPUs share with the migration: what each vCPU loses, to the tick, and how it is told.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood, type Result } from "../src/index.ts";
import { generated, migrate, stat } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { lostTicks } from "./lib/reference/host-cores.ts";
import { runText } from "./lib/timeline.ts";

const TEXT = `schema: dpusim.scenario/1
guest:
  generate: { memory: 512 KiB, rate: 0 /s, workingSet: 4 KiB }
  deviceState: 4 KiB
tracker: { kind: bitmap }
link: { transport: udp }
content: sized
`;

for (const seed of seeds(8)) {
  test(`what vCPUs lose on random hosts: ${seed}`, () => {
    const next = generator(seed);
    const one = <T>(...of: readonly T[]): T => of[Math.floor(next() * of.length)]!;
    const vcpus = one(1, 2, 3, 8);
    const cores = one(1, 2, 3, 8, 9);
    const host = "source.host.";
    const sets = [
      `guest.vcpus=${vcpus}`,
      `${host}cpu.cores=${cores}`,
      `${host}cpu.clock=${one("2.3 GHz", "700 MHz")}`,
      `${host}frontend.suspend=${one("100 us", "7 ns")}`,
      `${host}vsock.messageCost=${one("2 us", "333 ns")}`,
      `${host}tracker.protectPage=${one("20 ns", "0 s")}`,
    ];
    const run = runText(TEXT, { sets, variant: "lean" });
    assert.is(run.stop, abi.STOP_DONE);
    assert.is(run.core.counter(0, abi.C_GUEST_CPU), lostTicks(run.params, 128));
    const naive = runText(TEXT, { sets, variant: "naive" });
    assert.is(naive.core.counter(0, abi.C_GUEST_CPU), run.core.counter(0, abi.C_GUEST_CPU));
  });
}

const RULES = { downtimeLimit: "20 us", maxRounds: 4, onTimeout: "force", startAt: "2 ms" };
const GUEST = { ...generated(512, 400_000), vcpus: 4 };
const KEYS = { guest: GUEST, tracker: { kind: "bitmap" }, migration: RULES, content: "sized" };

function run(cores: number, sets: readonly string[] = []): Result {
  const result = migrate(KEYS, { sets: [`source.host.cpu.cores=${cores}`, ...sets] });
  assert.ok(isGood(result), JSON.stringify(result.check.invariants.filter(({ held }) => !held)));
  return result;
}

test("a guest that shares its cores is slower, and the result says by what", () => {
  const [enough, full, tight] = [run(5), run(4), run(2)];
  // control: a core for each, and nothing is lost; as without counting
  assert.is(enough.fingerprint, run(0).fingerprint);
  assert.is(enough.guest.cpuStallNs, 0);
  assert.is(run(0).guest.cpuStallNs, undefined);
  // the front-end takes one core of four, or one of the two that four vCPUs have: twice as much of them
  for (const { guest, hostCpu } of [full, tight]) {
    assert.ok(guest.cpuStallNs! > 0 && guest.slowdown! > 0);
    assert.ok(guest.cpuStallNs! < 2 * hostCpu.sourceCoreSeconds * 1e9);
  }
  const perVcpu = (result: Result, among: number): number => (result.guest.cpuStallNs! / 4) * among;
  const worked = (result: Result): number => stat(result, "source.host.busyNs");
  // all that the front-end has worked, less what it did after the suspension
  for (const [result, among] of [
    [full, 4],
    [tight, 2],
  ] as const) {
    assert.ok(perVcpu(result, among) < worked(result));
    assert.ok(
      perVcpu(result, among) > 0.5 * worked(result),
      `${perVcpu(result, among)} of ${worked(result)}`,
    );
  }
  assert.ok(tight.guest.slowdown! > 1.8 * full.guest.slowdown!);
  // a guest that stands still writes less
  assert.ok(stat(tight, "source.guest.writes") < stat(enough, "source.guest.writes"));
});

test("recorded times are replayed as they are: what is lost is counted alone", () => {
  const [enough, shared] = [0, 1].map((cores) => run(cores, ["guest.clock=wall"]));
  assert.is(shared!.migration.totalTimeNs, enough!.migration.totalTimeNs);
  assert.ok(shared!.guest.cpuStallNs! > 0);
});

test("formula: of one vCPU on one core all that the front-end works is lost, and no more", () => {
  for (const timeout of ["1 ms", "2.4 ms", "61 us"]) {
    const migration = { timeout, onTimeout: "fail", startAt: "1 ms" };
    const sets = ["source.host.cpu.cores=1", "guest.vcpus=1", "source.host.tracker.protectPage=5 us"];
    const result = migrate({ ...KEYS, guest: generated(512, 100_000), migration }, { sets });
    assert.is(result.migration.status, "not-converged");
    assert.is(result.guest.cpuStallNs, stat(result, "source.host.busyNs"), timeout);
  }
});

test.run();
