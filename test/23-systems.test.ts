// SPDX-License-Identifier: Apache-2.0
// The names of systems (placements and scenario files), and the scenarios of the patent's system and of QEMU.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isGood, loadScenario, type Result } from "../src/index.ts";
import { loadPlacement, packageRoot, STAGES } from "../src/scenario/presets.ts";
import { stat } from "./lib/migrate.ts";
import { runShipped } from "./lib/shipped.ts";

const ON_CARDS = ["huawei", "goggin", "reuther", "tarasuk-levin", "wilson", "nelson"];
const fileOf = (name: string): string => join(packageRoot(), "sim", "scenarios", `${name}.yaml`);

test("each system has a placement and a scenario of its name, and the scenario has the placement", () => {
  for (const name of [...ON_CARDS, "qemu"]) {
    assert.ok(existsSync(fileOf(name)), name);
    const { placement } = loadScenario(fileOf(name)).scenario;
    assert.is(placement.name, name);
    assert.equal(placement.stages, loadPlacement(name).stages);
  }
});

test("a placement fits any scenario of cards; its mechanism is elsewhere: times as of huawei", () => {
  const plain = runShipped("tiny");
  for (const name of ON_CARDS) {
    const { fingerprint, scenario } = runShipped("tiny", [`placement=${name}`]);
    assert.is(fingerprint, plain.fingerprint, name);
    assert.is((scenario as { placement: { name: string } }).placement.name, name);
  }
  // stages may be moved from any of them as from huawei
  const moved = (preset: string): Result =>
    runShipped("tiny", [`placement={ preset: ${preset}, encrypt: card-core }`]);
  assert.is(moved("nelson").fingerprint, moved("huawei").fingerprint);
  assert.is.not(moved("nelson").fingerprint, plain.fingerprint, "control");
});

/** Stages that have a moment in which those of huawei do nothing. */
const added = (name: string, moment: "before-request" | "after-resume"): string[] =>
  STAGES.filter((stage) => loadPlacement(name).stages[stage].when.includes(moment));

test("moments of a placement are those in which the system's scenario works", () => {
  const placedEarly = ({ migration: { totalTimeNs, phases, downtimeNs } }: Result): boolean =>
    totalTimeNs <= phases!.setupNs! + phases!.precopyNs! + downtimeNs! + 1;
  for (const name of ON_CARDS)
    assert.is(added(name, "after-resume").includes("lazy"), ["nelson", "tarasuk-levin"].includes(name), name);
  assert.not.ok(placedEarly(runShipped("nelson")), "pages move after the resume");
  const sets = ["migration={ downtimeLimit: 4 ms }"];
  assert.ok(placedEarly(runShipped("nelson", sets)), "control: without its key, none does");
  const open = (result: Result): number => stat(result, "destination.card.decrypt.pages");
  assert.ok(open(runShipped("tarasuk-levin")) > 0);
  assert.is(open(runShipped("tarasuk-levin", ["encrypt.decrypt=eager"])), 0, "control");
  assert.equal(added("tarasuk-levin", "before-request"), ["read", "zero", "compress", "encrypt"]);
  assert.equal(added("huawei", "before-request"), []);
});

test("huawei: pages pulled, coded, sealed and placed by cards; less of the hosts than in software", () => {
  const patent = runShipped("huawei");
  assert.ok(isGood(patent));
  assert.ok(patent.migration.rounds.length >= 3, `${patent.migration.rounds.length} rounds`);
  const { normal } = patent.migration.ram;
  // 2 MiB of device state are 512 pieces of 4 KiB, coded and sealed like pages
  assert.is(stat(patent, "source.card.compressor.pages"), normal + 512);
  assert.is(stat(patent, "source.card.crypto.sealed"), stat(patent, "destination.card.crypto.opened"));
  assert.ok(stat(patent, "source.link.recordBytes.state") > 0, "a data link of its own");
  const plain = runShipped("huawei", ["compress=off", "encrypt=off"]);
  assert.is(stat(plain, "source.card.crypto.sealed"), 0, "control");
  assert.ok(plain.migration.ram.transferred > 1.2 * patent.migration.ram.transferred);
  const software = runShipped("huawei", [
    "placement=qemu",
    "compress=off",
    "encrypt=off",
    "content=sized",
    "internal={}",
    "source={ host: gen5-host }",
    "destination={ host: gen5-host }",
    "migration={ downtimeLimit: 300 ms }",
  ]);
  assert.ok(isGood(software));
  for (const side of ["sourceCoreSeconds", "destinationCoreSeconds"] as const)
    assert.ok(software.hostCpu[side] > 2 * patent.hostCpu[side], `${side} ${software.hostCpu[side]}`);
});

test("qemu: several windows of 100 ms, and the downtime limit decides when it stops", () => {
  const half = runShipped("qemu", ["migration.downtimeLimit=50 ms"]);
  const [own, loose] = [runShipped("qemu"), runShipped("qemu", ["migration.downtimeLimit=300 ms"])];
  assert.ok(isGood(own) && isGood(loose));
  assert.ok(own.migration.totalTimeNs > 5 * 100e6, `${own.migration.totalTimeNs} ns`);
  assert.is(half.migration.status, "not-converged");
  assert.ok(own.migration.rounds.length > loose.migration.rounds.length);
  // pages that are left when it stops go within the limit, at the bandwidth of the rounds; state is beside
  const last = ({ migration: { rounds } }: Result): number => {
    const [first, stopped] = [rounds[0]!, rounds.at(-1)!];
    const bytes = 4104 * stopped.normalPages + 9 * stopped.zeroPages;
    return (bytes * first.durationNs) / first.bytesOnWire;
  };
  assert.ok(last(own) < 100e6 && last(loose) > 100e6 && last(loose) < 300e6);
  assert.ok(own.migration.downtimeNs! < loose.migration.downtimeNs!);
});

test.run();
