// SPDX-License-Identifier: Apache-2.0
// One migration in every mode: it arrives whatever is switched on or off, and what must not matter does not.
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { canonicalJson, differences, hashJson, isGood, type Result, simulate } from "../src/index.ts";
import { generated, inputOf, migrate, redis, stat, TICKS_PER_NS } from "./lib/migrate.ts";

const link = { rate: "10 Gbit/s" };

for (const content of ["full", "sized", "sampled"]) {
  for (const pages of ["dma", "vsock"]) {
    test(`arrives: content ${content}, pages over ${pages}, compression and encryption on and off`, () => {
      for (const compress of ["off", { engine: "lz4-hw" }]) {
        for (const encrypt of ["off", { cipher: "aes-128-gcm" }, { cipher: "aes-256-gcm" }]) {
          const scenario = {
            guest: redis,
            internal: { pages },
            compress,
            encrypt,
            link,
            content,
            ...(content === "sampled" ? { sampleEvery: 7 } : {}),
          };
          const result = migrate(scenario);
          const mode = JSON.stringify([compress, encrypt]);
          assert.ok(isGood(result), `${mode} ${JSON.stringify(result.check)}`);
          assert.is(result.check.pagesCompared, 601, mode);
          assert.is(result.bounds.compressNs === null, compress === "off", mode);
          assert.is(result.bounds.encryptNs === null, encrypt === "off", mode);
          // pages over VSOCK are read by no DMA engine
          const read = result.stats["source.card.dma.read.pages"];
          assert.is(read !== undefined && "value" in read && read.value === 0, pages === "vsock", mode);
        }
      }
    });
  }
}

for (const [name, more] of Object.entries({
  "trackers: bitmap": { tracker: { kind: "bitmap" } },
  "addresses: list": { internal: { addresses: "list" } },
  "addresses: runs": { internal: { addresses: "runs" } },
  "no data link layer": { internal: { dll: "none" } },
  "clock: wall": { guest: { ...redis, clock: "wall" } },
  "atEnd: loop": { guest: { ...redis, speed: 2000, atEnd: "loop" } },
  "tile: 5": { guest: { ...redis, tile: 5 } },
  "weighted links": { link: { rate: "1 Gbit/s", arbitration: "weighted", weights: { state: 1, pages: 3 } } },
  "start later": { migration: { startAt: "5 ms" } },
  "one byte of device state": { guest: { ...redis, deviceState: "1 B" } },
  "a link round the world": { link: { rate: "10 Gbit/s", rtt: "200 ms" } },
  "one page": { guest: generated(1, 0) },
  "only zero pages": { guest: generated(300, 5000, { zero: 100, text: 0, random: 0 }) },
})) {
  test(`arrives: ${name}`, () => {
    const result = migrate({ guest: redis, link, ...more });
    assert.ok(isGood(result), JSON.stringify([result.migration, result.check]));
    const { rounds } = result.migration;
    const sent = rounds.reduce((sum, round) => sum + round.normalPages + round.zeroPages, 0);
    assert.is(sent, stat(result, "source.card.dma.read.pages"), "pages of the rounds");
    const wire = rounds.reduce((sum, round) => sum + round.bytesOnWire, 0);
    assert.ok(
      wire <= result.link.wireBytes && wire > 0.9 * result.link.dataLinks!.pages.payloadBytes,
      `${wire} B in the rounds`,
    );
    for (const [unit, times] of Object.entries(result.units)) {
      const all = [
        times.busyTicks,
        times.starvedTicks,
        times.blockedTicks,
        ...Object.values(times.waitingTicks),
      ];
      assert.is(
        all.reduce((sum, ticks) => sum + BigInt(ticks), 0n),
        BigInt(result.elapsedTicks),
        unit,
      );
    }
  });
}

test("full and sized take the same times to the tick where every size comes from bodies", () => {
  const times = ({ migration, units, elapsedTicks, guest, link: wire }: Result) => ({
    migration,
    units,
    elapsedTicks,
    guest,
    wire,
  });
  for (const compress of ["off", { engine: "lz4-hw" }]) {
    const [full, sized, sampled] = ["full", "sized", "sampled"].map((content) =>
      times(migrate({ guest: { ...redis, tile: 3 }, compress, link, content })),
    );
    assert.equal(differences(full, sized), []);
    assert.equal(differences(full, sampled), []);
  }
});

test("what must not matter does not: slices, quantum, build", () => {
  const scenario = { guest: redis, link };
  const expected = migrate(scenario);
  const same = (result: Result, why: string): void => assert.equal(differences(expected, result), [], why);
  same(migrate(scenario), "again");
  same(migrate(scenario, { input: { sliceTicks: 7_777n * TICKS_PER_NS } }), "slices of 7.8 us");
  same(migrate(scenario, { input: { sliceTicks: 10n ** 9n * TICKS_PER_NS } }), "slices of 1 s");
  // one way is 10 us: a quantum may be anything up to that
  same(migrate(scenario, { input: { quantumTicks: 1_234n * TICKS_PER_NS } }), "quantum of 1.2 us");
  same(migrate(scenario, { variant: "instrumented" }), "instrumented");
});

test("what must matter does: seed, rate, trace speed", () => {
  const prints = new Set([
    migrate({ guest: redis, link }).fingerprint,
    migrate({ guest: redis, link, seed: 2 }).fingerprint,
    migrate({ guest: redis, link: { rate: "11 Gbit/s" } }).fingerprint,
    migrate({ guest: { ...redis, speed: 21 }, link }).fingerprint,
  ]);
  assert.is(prints.size, 4);
});

test("runs that cannot be are refused before they begin", () => {
  const refused = (scenario: object, key: string, text: RegExp): void => {
    assert.throws(
      () => migrate(scenario),
      (error: { name: string; key: string; message: string }) =>
        error.name === "RunRefused" && error.key === key && text.test(error.message),
    );
  };
  // 601 pages x 700 copies are 1643 MiB, and twice that does not fit 4 GiB
  refused({ guest: { ...redis, tile: 700 } }, "content", /1644 MiB, at most 1536 MiB; use sized/);
  // 2 GiB in each of 31 rounds at 100 Mbit/s: 31 x 172 s = 1.5 h; at 50 Mbit/s 3 h
  const large = { guest: generated(524_288, 10), content: "sized" };
  refused({ ...large, link: { rate: "50 Mbit/s" } }, "migration.maxRounds", /2\.5 h/);
  refused({ guest: redis, migration: { startAt: "2 h", timeout: "1 h" } }, "migration.timeout", /2\.5 h/);
});

test("the result says what was asked for, and hashes it", () => {
  const input = inputOf({ guest: redis, seed: 9 });
  const result = migrate({ guest: redis, seed: 9 });
  assert.equal(result.scenario, input.scenario);
  assert.is(result.provenance.scenario, hashJson(input.scenario));
  assert.is(result.provenance.seed, 9);
  assert.is(result.provenance.traceHint, "host-redis-small.mdt");
});

test("JSON with sorted keys: the same data, whatever the order", () => {
  const shuffled = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shuffled);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([k, v]) => [k, shuffled(v)]),
    );
  };
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.is(canonicalJson(shuffled(value)), canonicalJson(value));
      assert.equal(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("differences name their places", () => {
  const one = { a: [1, { b: "x" }], provenance: { build: "1", seed: 1 } };
  const two = { a: [1, { b: "y", c: null }], provenance: { build: "2", seed: 1 } };
  assert.equal(differences(one, two), [
    { path: "a.1.b", left: "x", right: "y" },
    { path: "a.1.c", left: undefined, right: null },
  ]);
});

test("a core that simulates again gives what a new one gives", () => {
  const guest = generated(64, 0, { zero: 0, text: 100, random: 0 });
  const small = ["source.card.compressor.hashLog=6"];
  const first = inputOf({ guest, content: "sized" }, { sets: small });
  const used = simulate(first);
  // the sizes that the small table gave must be forgotten
  const again = migrate({ guest, content: "sized" }, { input: { core: first.core } });
  const fresh = migrate({ guest, content: "sized" });
  assert.is.not(used.fingerprint, fresh.fingerprint);
  assert.is(again.fingerprint, fresh.fingerprint);
});

test.run();
