// SPDX-License-Identifier: Apache-2.0
// Random configurations: no run is faster than a bound (contract, section 6) or sends less than the
// clairvoyant, and with one bottleneck the steady rate is within 2 % of its formula. Environment: lib/random.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { Core, coreModule } from "../src/core.ts";
import { guestStream, isSound, type Result, simulate } from "../src/index.ts";
import type { ResolvedScenario } from "../src/scenario/types.ts";
import { type Choices, chosen, configuration, TEXT } from "./lib/configurations.ts";
import { generated, migrate } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { near, runOf, steady } from "./lib/rates.ts";
import { bottleneck, KIND_COUNT } from "./lib/rates-random.ts";
import { resolveText } from "./lib/scenario.ts";

/** How many configurations npm test makes: each kind of bottleneck once. */
const USUAL = KIND_COUNT;
const SEEDS = seeds(USUAL);

const CONTENT: Choices = {
  content: ["full", "sized", "sampled"],
  "guest.generate.memory": ["64 KiB", "192 KiB", "3 MiB"],
  "migration.startAt": ["0 s", "90 us"],
};

/** What the pages and the link do beside a random configuration. */
const LINKS: readonly (readonly string[])[] = [
  [],
  [],
  ["link.transport=udp", "link.rateCap=none", "link.loss=0.02"],
  ["link.congestion=reno", "link.loss=0.01"],
  ["link.framing={ vlan: 1, ip: v6, macsec: sci, tls: v1.3 }"],
  ["link.congestion=cubic", "link.streams=3", "link.framing={ vxlan: on, esp: tunnel }"],
];

const LATE: readonly (readonly string[])[] = [
  [],
  [],
  ["delta=off", "tracker.kind=bitmap", "migration.algorithm=hybrid", "migration.residual=after-resume"],
];

function setsOf(seed: number): string[] {
  const next = generator(seed ^ 0xb0b0);
  const of = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const sets = [...configuration(seed), ...chosen(next, "", CONTENT), ...of(LINKS)];
  const late = of(LATE);
  if (next() < 0.3) {
    const flits = ["card.pcie.generation=6", "host.pcie.generation=6"];
    sets.push(...flits.flatMap((set) => [`source.${set}`, `destination.${set}`]));
  }
  // these hand pages over by DMA alone, and have nothing to force or to group
  const plain = late.length > 0 ? ["internal.pages=dma", "migration.onTimeout=fail"] : [];
  const dropped = /^(tracker\.group|tracker\.groups|migration\.maxRounds|migration\.downtimeLimit)=/;
  return [...(late.length > 0 ? sets.filter((set) => !dropped.test(set)) : sets), ...plain, ...late];
}

/** Least share of a bound in a run's time, by its name; the clairvoyant's bytes in the run's. */
const nearest: Record<string, number> = {};
let completed = 0;

function note(name: string, bound: number | null | undefined, actual: number): void {
  if (bound === null || bound === undefined) return;
  assert.ok(bound <= actual * (1 + 1e-9), `${name}: ${bound} is above ${actual}`);
  nearest[name] = Math.max(nearest[name] ?? 0, bound / actual);
}

function check(result: Result): void {
  const broken = result.check.invariants.filter(({ held }) => !held);
  assert.ok(isSound(result), JSON.stringify([result.migration.reason, broken]));
  const started = Number((result.scenario as ResolvedScenario).migration.startAtTicks);
  const ns = (Number(result.elapsedTicks) - started) / abi.TICKS_PER_NS;
  const { clairvoyantBytes, ...times } = result.bounds;
  for (const [name, bound] of Object.entries(times)) note(name, bound, ns);
  note("clairvoyantBytes", clairvoyantBytes, result.link.wireBytes);
  if (result.migration.status !== "completed") return;
  completed++;
  assert.ok(clairvoyantBytes! > 0);
}

for (const seed of SEEDS) {
  test(`bounds of configuration ${seed}`, () => {
    const scenario = resolveText(TEXT, { sets: setsOf(seed) });
    const origin = { version: "", build: "", trace: null, traceHint: null };
    const stream = guestStream(scenario, null);
    check(simulate({ core: new Core(coreModule()), scenario, stream, origin }));
  });
}

test("bounds were met closely, and not by one configuration alone", () => {
  if (process.env.DPUSIM_RUNS !== undefined) console.log(JSON.stringify({ completed, nearest }));
  if (SEEDS.length < USUAL) return;
  assert.ok(completed > SEEDS.length / 2, String(completed));
  const least = { linkNs: 0.5, pcieNs: 0.2, clairvoyantNs: 0.2, clairvoyantBytes: 0.8 };
  const far = Object.entries(least).filter(([name, share]) => (nearest[name] ?? 0) < share);
  assert.equal(far, [], JSON.stringify(nearest));
});

for (const seed of SEEDS) {
  const { what, sets, mix, times, expected } = bottleneck(seed);
  test(`rate of ${what}, seed ${seed}`, () => {
    near(steady(times(runOf(mix, [...sets, `seed=${seed}`], "2 MiB"))), expected);
  });
}

const SLOW_DECODER = { preset: "dpu-ref", decompressor: { engines: 1, bytesPerCycle: "1 B/cycle" } };
const LATER = { cipher: "aes-128-gcm", decrypt: { demand: true, rate: "none", resumeSet: "none" } };
const LATER_RUN = {
  source: { host: "gen5-host", card: "dpu-ref" },
  destination: { host: "gen5-host", card: SLOW_DECODER },
  link: { rate: "100 Gbit/s", rtt: "5 us" },
  encrypt: LATER,
  content: "sized",
};

/** Most of what is read back later never meets the slow decoder. */
const BESIDE: Readonly<Record<string, object>> = {
  "pages raw by choice that are opened later": {
    ...LATER_RUN,
    guest: generated(2048, 0, { zero: 0, text: 50, random: 50 }),
    compress: { engine: "lz4-sw", choose: "throughput" },
  },
  "pages raw from the host that are opened later": {
    ...LATER_RUN,
    guest: generated(2048, 0),
    internal: { pages: "vsock" },
    placement: { zero: "host", compress: "host", workers: 16 },
    compress: { engine: "lz4-sw" },
  },
  "a short piece of device state of each of several guests": {
    guests: Array.from({ length: 16 }, () => ({ ...generated(16, 0), vcpus: 1, deviceState: "4097 B" })),
    source: {
      host: { preset: "gen5-host", frontend: { suspend: "0 s", resume: "0 s", interrupt: "0 s" } },
      card: { preset: "dpu-ref", clock: "25 MHz", compressor: { engines: 1, pws: 4 } },
    },
    destination: {
      host: { preset: "gen5-host", frontend: { suspend: "0 s", resume: "0 s", interrupt: "0 s" } },
      card: "dpu-ref",
    },
    link: { rate: "25 Gbit/s", rtt: "2 us" },
    encrypt: "off",
    migration: { downtimeLimit: "10 ms" },
    evacuation: { order: "one-after-another" },
  },
};

for (const [what, scenario] of Object.entries(BESIDE)) {
  test(`bounds hold beside each other: ${what}`, () => {
    const result = migrate(scenario);
    assert.is(result.migration.status, "completed");
    assert.ok(isSound(result), JSON.stringify(result.check.invariants.filter(({ held }) => !held)));
  });
}

test.run();
