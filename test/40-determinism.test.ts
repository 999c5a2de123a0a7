// SPDX-License-Identifier: Apache-2.0
// What must not matter to a result does not: the build of the core, the scheduler, how far the sides may
// run ahead of each other, how the guest is fed, which thread simulates and how many there are.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { Core, coreModule, type Variant } from "../src/core.ts";
import { type Difference, differences, isGood, type Result } from "../src/index.ts";
import { inPieces } from "./lib/feeding.ts";
import { redisOnce, tiny } from "./lib/jobs.ts";
import { inputOf, migrate, redis, TICKS_PER_NS } from "./lib/migrate.ts";

/**
 * A core whose run is over when its books are closed. What drains afterwards is in no number of a result,
 * and with the 40 ms of a delayed acknowledgement it is 10^7 edges of 250 MHz a side for a scheduler that
 * visits them all.
 */
class UndrainedCore extends Core {
  override run(until: bigint): number {
    const stop = super.run(until);
    return stop === abi.STOP_UNTIL && this.logged(abi.L_BOOKS) !== 0n ? abi.STOP_DONE : stop;
  }
}

/** A core with another delay of acknowledgements, so that the drain is short and can be had whole. */
class PromptCore extends Core {
  override build(): number {
    this.setGlobalParam(abi.G_NET_DELACK, 30_000n * TICKS_PER_NS);
    return super.build();
  }
}

/** Differences but for the checks after the drain, which an undrained core does not pass. */
function reported(left: Result, right: Result): Difference[] {
  return differences({ ...left, check: null }, { ...right, check: null });
}

/** Fails unless two results agree, the sections that users read named one by one. */
function same(left: Result, right: Result, why: string): void {
  assert.is(right.fingerprint, left.fingerprint, why);
  for (const section of ["migration", "units", "stats"] as const) {
    assert.equal(right[section], left[section], `${why}: ${section}`);
  }
}

// ---- builds ----

const builds = suite("builds");
const compiled = ["lean", "instrumented", "debug"] as const satisfies Variant[];

for (const [name, scenario] of Object.entries({ tiny, redis: redisOnce })) {
  builds(`lean, instrumented and debug agree in everything: ${name}`, () => {
    const [lean, ...others] = compiled.map((variant) => migrate(scenario, { variant })) as [
      Result,
      ...Result[],
    ];
    assert.ok(isGood(lean), JSON.stringify(lean.check));
    for (const [i, other] of others.entries()) {
      same(lean, other, compiled[i + 1]!);
      assert.equal(differences(lean, other), [], compiled[i + 1]);
    }
  });
}

builds.run();

// ---- the naive scheduler ----

const naive = suite("naive");
const slices = { sliceTicks: 10_000n * TICKS_PER_NS };

/** The same on the core that steps every unit at every edge, up to the closing of the books. */
function steppedEverywhere(scenario: object): Result {
  return migrate(scenario, { input: { ...slices, core: new UndrainedCore(coreModule("naive")) } });
}

/** The redis in a hurry: its trace takes a 20th of the time, so that every round has pages written anew. */
const busy = { ...redis, speed: 400, deviceState: "16 KiB" };
const short = { migration: { downtimeLimit: "20 us", maxRounds: 4, onTimeout: "force" } };

const modes: Readonly<Record<string, object>> = {
  tiny,
  redis: redisOnce,
  "a list of addresses, pages over VSOCK, a bitmap tracker": {
    guest: busy,
    ...short,
    internal: { addresses: "list", pages: "vsock" },
    tracker: { kind: "bitmap" },
    encrypt: { cipher: "aes-256-gcm" },
  },
  "runs of addresses, no data link layer, nothing coded, weights": {
    guest: busy,
    ...short,
    internal: { addresses: "runs", dll: "none" },
    compress: "off",
    encrypt: "off",
    link: { rate: "25 Gbit/s", arbitration: "weighted", weights: { state: 1, pages: 3 } },
  },
  "a wall clock, a rate cap, small frames": {
    guest: { ...busy, clock: "wall" },
    ...short,
    link: { rate: "25 Gbit/s", rateCap: "10 Gbit/s", mtu: 1500 },
  },
};

for (const [name, scenario] of Object.entries(modes)) {
  naive(`every edge of every clock gives the same: ${name}`, () => {
    const lean = migrate(scenario);
    assert.ok(isGood(lean), JSON.stringify(lean.check));
    const dirtied = lean.migration.rounds.reduce((sum, round) => sum + round.newDirtyPages!, 0);
    assert.is(dirtied > 0, name !== "tiny", "the guest writes meanwhile");
    const stepped = steppedEverywhere(scenario);
    same(lean, stepped, name);
    assert.equal(reported(lean, stepped), []);
  });
}

naive("and with the drain, where acknowledgements are prompt", () => {
  const [lean, stepped] = (["lean", "naive"] as const).map((variant) =>
    migrate(redisOnce, { input: { core: new PromptCore(coreModule(variant)) } }),
  ) as [Result, Result];
  assert.ok(isGood(lean), JSON.stringify(lean.check));
  same(lean, stepped, "naive");
  assert.equal(differences(lean, stepped), []);
});

naive("the comparison sees a parameter that is off by a nanosecond", () => {
  class OffCore extends Core {
    override build(): number {
      const { scenario } = inputOf(redisOnce);
      const propagation = BigInt(scenario.link.rttTicks) / 2n;
      this.setGlobalParam(abi.G_NET_PROPAGATION, propagation + TICKS_PER_NS);
      return super.build();
    }
  }
  const scenario = redisOnce;
  const off = migrate(scenario, { input: { core: new OffCore(coreModule()) } });
  assert.is.not(off.fingerprint, migrate(scenario).fingerprint);
});

naive.run();

// ---- quantum, slices, feeding ----

const harness = suite("harness");

for (const [name, scenario] of Object.entries({ tiny, busy: { guest: busy, ...short } })) {
  const expected = migrate(scenario);

  harness(`how far a side may run ahead does not matter: ${name}`, () => {
    // one way is 10 us, the most that is allowed
    for (const ns of [0n, 1n, 10_000n]) {
      const result = migrate(scenario, { input: { quantumTicks: ns * TICKS_PER_NS } });
      same(expected, result, `${ns} ns`);
      assert.equal(differences(expected, result), [], `${ns} ns`);
    }
    const oneTick = migrate(scenario, { input: { quantumTicks: 1n } });
    assert.equal(differences(expected, oneTick), [], "one tick");
  });

  harness(`how often it is interrupted does not matter: ${name}`, () => {
    for (const ns of [3_333n, 1_000_000_000n]) {
      const result = migrate(scenario, { input: { sliceTicks: ns * TICKS_PER_NS } });
      assert.equal(differences(expected, result), [], `${ns} ns`);
    }
  });

  harness(`how the guest is fed does not matter: ${name}`, () => {
    const { stream } = inputOf(scenario);
    for (const events of [1, 100]) {
      const result = migrate(scenario, { input: { stream: inPieces(stream, events) } });
      same(expected, result, `${events} events`);
      assert.equal(differences(expected, result), [], `${events} events`);
    }
  });
}

harness.run();
