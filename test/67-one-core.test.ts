// SPDX-License-Identifier: Apache-2.0
// One core runs all shipped scenarios, one after another, and probes: nothing of a run is left for the next.
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  Core,
  coreModule,
  fileSource,
  guestStream,
  linkProbe,
  loadScenario,
  openMdt,
  probeLink,
  simulate,
} from "../src/index.ts";
import { ask, presetSide, probeCore } from "../src/validate/pcie-side.ts";

const folder = fileURLToPath(new URL("../sim/scenarios/", import.meta.url));
// all others run in `sized`
const NEEDS = new Set(["sampled"]);

function fingerprintOf(name: string, core: Core): string {
  const sets = NEEDS.has(name) ? [] : ["content=sized"];
  const { scenario, traceFile } = loadScenario(`${folder}${name}.yaml`, { sets });
  const trace = traceFile === null ? null : openMdt(fileSource(traceFile), basename(traceFile));
  const stream = guestStream(scenario, trace);
  const origin = { version: "", build: "", trace: trace?.sha256 ?? null, traceHint: "" };
  return simulate({ core, scenario, stream, origin }).fingerprint;
}

const names = readdirSync(folder).map((file) => basename(file, ".yaml"));
const fresh = new Map<string, string>();

test("each on a core of its own", () => {
  for (const name of names) fresh.set(name, fingerprintOf(name, new Core(coreModule())));
  assert.is(fresh.size, names.length);
});

test("all on one core, there and back", () => {
  const core = new Core(coreModule());
  for (const name of [...names, ...names.toReversed()])
    assert.is(fingerprintOf(name, core), fresh.get(name), name);
});

test("a plain link behind every other scenario, and behind it", () => {
  const core = new Core(coreModule());
  for (const name of names) {
    fingerprintOf(name, core);
    assert.is(fingerprintOf("tiny", core), fresh.get("tiny"), `behind ${name}`);
  }
});

test("probes of PCIe and of the link behind every scenario", () => {
  const core = probeCore();
  const side = presetSide("snb-e5-2630", "nfp6000-e5");
  const path = {
    ticksPerByte: [81_920, 1] as [number, number],
    rttTicks: 102_400_000_000,
    bufferBytes: 2 ** 20,
  };
  const link = linkProbe({ ...path, mtuBytes: 9000, bytes: 1_000_000 });
  const probes = [
    () => ask({ side, op: "read", size: 64, depth: 88, operations: 500 }),
    () => probeLink(core, link),
  ];
  const alone = probes.map((probe) => probe());
  for (const name of names) {
    for (const [i, probe] of probes.entries()) {
      fingerprintOf(name, core);
      assert.equal(probe(), alone[i], `behind ${name}`);
    }
  }
});

test.run();
