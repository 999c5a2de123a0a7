// SPDX-License-Identifier: Apache-2.0
// Cycles of a card's firmware for datagrams that it recovers (docs/model.md, section 15).
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Core, coreModule } from "../src/core.ts";
import { linkProbe, probeLink } from "../src/probe/link.ts";
import { checkDatagrams, checkDeciding, checkHearing, udpRun } from "./lib/claims/datagrams.ts";
import { generated, migrate } from "./lib/migrate.ts";
import { seeds } from "./lib/random.ts";

test("every frame and handler of random migrations, to the tick", () => {
  const seen = checkDatagrams(seeds(24));
  assert.ok(
    seen.frames > 2000 && seen.heard > 500 && seen.decided > 100 && seen.unheard > 0,
    JSON.stringify(seen),
  );
});

test("formula: a core hears f / A acknowledgements a second at most", checkHearing);

test("formula: what is lost waits for decisions, f / R a second", checkDeciding);

const COSTS = [
  "source.card.control.datagramAckCycles=3000 cycles",
  "source.card.control.datagramAgainCycles=900 cycles",
];
const LOSSY = ["link.transport=udp", "link.loss=0.05"];

test("the scheduler that steps everything agrees, and without costs nothing is another", () => {
  const run = (variant: "lean" | "naive", sets: string[]): string => {
    const result = migrate({ guest: generated(32, 100_000), content: "sized" }, { sets, variant });
    assert.is(result.migration.status, "completed");
    assert.equal(
      result.check.invariants.filter(({ held }) => !held),
      [],
    );
    return result.fingerprint;
  };
  const lean = run("lean", [...LOSSY, ...COSTS]);
  assert.is(run("naive", [...LOSSY, ...COSTS]), lean);
  const free = run("lean", LOSSY);
  assert.is.not(free, lean);
  assert.is(run("lean", [...LOSSY, ...COSTS.map((set) => set.replace(/=\d+/, "=0"))]), free);
});

test("a link alone has no cores: a probe on a core that has run such a migration is the same", () => {
  const probe = linkProbe({
    ticksPerByte: [81_920, 1],
    rttTicks: 50_000 * 1_024_000,
    mtuBytes: 1500,
    bufferBytes: 100_000,
    congestion: "firmware",
    loss: 0.05,
    bytes: 300_000,
  });
  const { core } = udpRun(3000, 900, ["link.loss=0.05"]);
  const before = probeLink(new Core(coreModule("instrumented")), probe);
  assert.ok(before.complete && before.retransmits > 0);
  assert.equal(probeLink(core, probe), before);
});

test.run();
