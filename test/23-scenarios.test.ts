// SPDX-License-Identifier: Apache-2.0
// The shipped scenarios: each completes, and its downtime limit makes at least three rounds.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Core, coreModule, fileSource, guestStream, loadScenario, openMdt, simulate } from "../src/index.ts";

const folder = fileURLToPath(new URL("../sim/scenarios/", import.meta.url));
const rates = ["25g", "100g", "400g"];
const shipped = [...rates.flatMap((rate) => [rate, `${rate}-plain`]), "4g"];

for (const name of shipped) {
  test(`redis-${name} completes in at least three rounds`, () => {
    const { scenario, traceFile } = loadScenario(`${folder}redis-${name}.yaml`, {
      overrides: { content: "sized" },
    });
    assert.is(scenario.compress.engine === "off", name.endsWith("-plain"));
    assert.is(scenario.encrypt.keyBits === 0, name.endsWith("-plain"));
    const trace = openMdt(fileSource(traceFile!), "host-redis-small.mdt");
    const stream = guestStream(scenario, trace);
    const origin = { version: "", build: "", trace: trace.sha256, traceHint: "host-redis-small.mdt" };
    const { migration, check } = simulate({ core: new Core(coreModule()), scenario, stream, origin });
    assert.is(migration.status, "completed");
    assert.ok(migration.rounds.length >= 3, `${migration.rounds.length} rounds`);
    assert.is(check.pagesDifferent, 0);
    assert.is(check.contentCapturedPercent, 100);
    // the pages of all rounds are those placed; the first round is the whole guest
    const [first] = migration.rounds;
    assert.is(first!.normalPages + first!.zeroPages, migration.ram.total / 4096);
  });
}

test("no scenario is left out of these tests", () => {
  const names = readdirSync(folder).filter((name) => name.startsWith("redis-"));
  assert.is(names.length, shipped.length + 2, "and those in software, of test/45-software and -limits");
});

test.run();
