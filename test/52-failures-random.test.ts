// SPDX-License-Identifier: Apache-2.0
// Failures at random times of random migrations: each is recovered from or broken off with a reason, the
// memory that counts is whole, everything is home, and another attempt completes. Environment: lib/random.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isSound, type Result } from "../src/index.ts";
import { SLOW_CIPHERS } from "./lib/claims/failing.ts";
import { generated, migrate } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";

const SEEDS = seeds(42);
const KINDS = ["compressor", "seal", "open", "decompressor", "source", "destination", "corrupt"] as const;
const REASONS = /was left to|had forgotten the migration|did not authenticate/;

interface Drawn {
  readonly scenario: object;
  readonly sets: string[];
  readonly fault: object;
}

/** A migration of about 0.5 to 1.5 ms, and what breaks in it, a while after its end at the latest. */
function draw(seed: number): Drawn {
  const random = generator(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const kind = KINDS[seed % KINDS.length]!;
  const at = `${20_000 + below(1_000_000)} ns`;
  const engines = 1 + below(kind === "seal" || kind === "open" ? 2 : 4);
  const restart = {
    what: "firmware-restart",
    side: kind,
    for: `${below(200_000)} ns`,
    ram: ["kept", "lost"][below(2)],
  };
  const more =
    kind === "corrupt"
      ? { what: kind, records: 1 + below(5) }
      : kind === "source" || kind === "destination"
        ? restart
        : { what: "engine-fails", unit: kind, engines };
  const scenario = {
    guest: generated(150 + below(400), below(500_000), { zero: 10, text: 60, random: 30 }),
    content: ["full", "sized", "sampled"][below(3)],
    link: [{}, { transport: "udp" }, { congestion: "cubic", streams: 2 }][below(3)],
    migration: {
      downtimeLimit: "50 us",
      maxRounds: 1 + below(4),
      onTimeout: "force",
      ...(below(2) === 0 ? {} : { onTagFailure: "ask-again" }),
    },
  };
  const slow = below(3) === 0 ? SLOW_CIPHERS.filter((set) => !set.includes("engines")) : [];
  const admit = below(3) === 0 ? ["source.card.crypto.egress=admit"] : [];
  return { scenario, sets: [...slow, ...admit], fault: { at, ...more } };
}

const seen = { completed: 0, failed: 0, again: 0 };

for (const seed of SEEDS) {
  test(`failure ${seed}`, () => {
    const { scenario, sets, fault } = draw(seed);
    const what = JSON.stringify(fault);
    const once: Result = migrate({ ...scenario, faults: [fault] }, { sets });
    const { status, reason } = once.migration;
    assert.ok(isSound(once), `${what}: ${JSON.stringify(once.check)}`);
    assert.is(once.check.pagesDifferent, 0, what);
    assert.ok(once.check.pagesCompared > 0, what);
    for (const name of ["everything-home", "nonce-used-once", "records-in-sequence"])
      assert.ok(
        once.check.invariants.some((one) => one.name === name && one.held),
        `${what}: ${name}`,
      );
    if (status === "completed") {
      seen.completed++;
      return;
    }
    assert.is(status, "failed", what);
    assert.match(reason!, REASONS, what);
    seen.failed++;
    if (/stays suspended/.test(reason!)) return;
    const { migration } = scenario as { migration: object };
    const retried = {
      ...scenario,
      faults: [fault],
      migration: { ...migration, retries: 1, retryAfter: "100 us" },
    };
    const twice = migrate(retried, { sets });
    assert.is(twice.migration.status, "completed", what);
    assert.ok(isSound(twice), what);
    assert.is(twice.migration.attempts!.length, 1, what);
    seen.again++;
  });
}

test("both ends were seen", () => {
  if (SEEDS.length < 30) return;
  assert.ok(seen.completed > 5 && seen.failed > 5 && seen.again > 5, JSON.stringify(seen));
});

test.run();
