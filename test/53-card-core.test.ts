// SPDX-License-Identifier: Apache-2.0
// Stages of pages on the cores of a card: each to the tick, their formula and its limit, what a slow core or
// a long handler does to the pipeline, and what is refused.

import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood, type Result } from "../src/index.ts";
import { checkCores, checkStages, coreSets, STAGES_ON_CORES } from "./lib/claims/placement.ts";
import { sameBooks } from "./lib/configurations.ts";
import { generated, migrate, stat } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { linesOf, resolveText } from "./lib/scenario.ts";
import { runShipped } from "./lib/shipped.ts";
import { runText } from "./lib/timeline.ts";

const TEXT = `schema: dpusim.scenario/1
guest:
  generate: { memory: 100 KiB, rate: 300000 /s, workingSet: 60 KiB, mix: { zero: 20, text: 50, random: 30 } }
  deviceState: 8 KiB
compress: { engine: lz4-sw }
link: { transport: udp }
migration: { onTimeout: force, maxRounds: 3, downtimeLimit: 1 us }
`;

for (const seed of seeds(8)) {
  test(`stages on random cards, each at its tick: ${seed}`, () => {
    const sets = coreSets(generator(seed), seed);
    const run = runText(TEXT, { sets });
    assert.is(run.stop, abi.STOP_DONE, `invariant ${run.core.global("brokenInvariant")}`);
    checkCores(run);
    assert.is(Number(run.core.notHome()), 0);
    sameBooks("naive", run.core, runText(TEXT, { sets, variant: "naive" }).core);
  });
}

const PAGES = 1000;
const CORES = 2;
/** GHz of the control processor, and cycles of a job and a KiB. */
const CLOCK = 1.5;
const JOB = 300;
const ALL = `placement=${STAGES_ON_CORES}`;
const guestOf = (...of: Parameters<typeof generated>): object => ({
  ...generated(...of),
  deviceState: "4 KiB",
});
const SILENT = { guest: guestOf(PAGES, 0), compress: { engine: "lz4-sw" }, content: "sized" };

function good(scenario: object, sets: readonly string[]): Result {
  const result = migrate(scenario, { sets });
  assert.ok(isGood(result), JSON.stringify(result.check.invariants.filter(({ held }) => !held)));
  return result;
}

test("formula: k cores have their stages' cycles / k a page, and are the limit", () => {
  const sides = ["source", "destination"].map((side) => `${side}.card.control.cores=${CORES}`);
  const random = good(SILENT, [ALL, ...sides]);
  // of a page that stays raw: the zero filter looks at 64 B, liblz4 at 4 KiB, AES at 16 B more
  const zero = JOB + 8;
  const raw = JOB + 4 * 1024;
  const seal = JOB + Math.ceil((4112 * 1536) / 1024);
  const us = (cycles: number): number => (PAGES * cycles) / CLOCK / 1000;
  const counted = (name: string): number => stat(random, `source.stages.${name}`) / 1000;
  // a piece of device state besides, and control records
  const near = (found: number, least: number): void =>
    assert.ok(found >= least && found < 1.03 * least, `${found} us, not ${least}`);
  near(counted("zeroNs"), us(zero));
  near(counted("compressNs"), us(raw));
  near(counted("cryptNs"), us(seal));
  // with 120 cycles of a record and 60 / 32 of its descriptor
  const least = us(zero + raw + seal + 120) / CORES;
  near(random.migration.rounds[0]!.durationNs / 1000, least);
  assert.is(random.bottleneck.unit, "source.control.core.*");
  // control: engines instead are limited by something else, and take none of the cores' time
  const engines = good(SILENT, sides);
  assert.is(stat(engines, "source.stages.compressNs"), 0);
  assert.is.not(engines.bottleneck.unit, "source.control.core.*");
});

test("formula: a zero page is looked at whole, and nothing more is done to it", () => {
  const zeros = good({ ...SILENT, guest: guestOf(PAGES, 0, { zero: 100, text: 0, random: 0 }) }, [ALL]);
  const cycles = PAGES * (JOB + 4 * 128);
  const device = JOB;
  assert.is(stat(zeros, "source.stages.zeroNs"), Math.round(((cycles + device) / CLOCK) * 1000) / 1000);
  assert.is(stat(zeros, "source.card.zero.pages"), PAGES);
  assert.is(stat(zeros, "source.card.compressor.pages"), 1);
});

test("starvation: what the firmware has to do waits for the stage that has begun", () => {
  const rules = { downtimeLimit: "20 us", maxRounds: 4, onTimeout: "force", startAt: "2 ms" };
  const scenario = {
    ...SILENT,
    guest: generated(256, 400_000, { zero: 20, text: 60, random: 20 }),
    migration: rules,
  };
  const one = "source.card.control.cores=1";
  const slow = "source.card.stages.lz4PerKiB=60000 cycles";
  const [free, starved] = [
    [one, slow],
    [one, slow, ALL],
  ].map((sets) => good(scenario, sets));
  const downtime = (result: Result): number => result.migration.downtimeNs!;
  assert.ok(downtime(starved!) > 3 * downtime(free!), `${downtime(starved!)} ns against ${downtime(free!)}`);
  // control: the cost of a stage that is not there changes nothing
  assert.is(free!.fingerprint, good(scenario, [one]).fingerprint);
  assert.is.not(starved!.fingerprint, good(scenario, [one, ALL]).fingerprint);
});

test("sizes and bytes on the wire are liblz4's, wherever it runs", () => {
  const scenario = { ...SILENT, guest: generated(300, 0, { zero: 10, text: 70, random: 20 }) };
  const [engine, cores] = [good(scenario, []), good(scenario, [ALL])];
  const records = "source.link.recordBytes.pages";
  assert.is(stat(engine, records), stat(cores, records));
  assert.is(stat(engine, "source.card.compressor.bytesOut"), stat(cores, "source.card.compressor.bytesOut"));
});

test("card-core.yaml: the cores of its cards are the limit; with engines in their place nothing is", () => {
  const sets = [
    "placement=huawei",
    "compress.engine=lz4-hw",
    "source.card=dpu-ref",
    "destination.card=dpu-ref",
  ];
  const [cores, engines] = [runShipped("card-core"), runShipped("card-core", sets)];
  assert.ok(isGood(cores) && isGood(engines));
  const busy = (result: Result): number =>
    result.bottleneck.shares.find(({ unit }) => unit === "source.control.core.*")?.share ?? 0;
  assert.is(cores!.bottleneck.unit, "source.control.core.*");
  assert.ok(busy(cores!) > 0.9 && busy(engines!) < 0.5, `${busy(cores!)} and ${busy(engines!)}`);
  const round = (result: Result): number => result.migration.rounds[0]!.durationNs;
  assert.ok(round(cores!) > 3 * round(engines!), `${round(cores!)} ns and ${round(engines!)}`);
});

test("a card without engines does it in software", () => {
  const sets = ["source.card=bluefield2-like", "destination.card=bluefield2-like", "link.rate=100 Gbit/s"];
  good(SILENT, [ALL, ...sets]);
  const [line] = linesOf(() => resolveText(TEXT, { sets }));
  assert.match(line!, /the source card has no engine for it|the destination card takes deflate alone/);
});

test("the claims that mistakes in the core are held against", checkStages);

const REFUSED: readonly [set: string, line: RegExp][] = [
  [
    "placement={ decrypt: here }",
    /placement\.decrypt: here is not known here; there are: card, card-core, host, host-engine$/,
  ],
  [
    "placement={ preset: qemu, zero: card-core }",
    /placement\.preset: qemu has every stage on the servers; write placement: qemu/,
  ],
  ["placement={ preset: hauwei }", /placement\.preset: hauwei is not known here; did you mean huawei\?$/],
  ["placement={ read: card-core }", /placement\.read: unknown key/],
];

test("what does not fit is refused by name", () => {
  for (const [set, line] of REFUSED)
    assert.match(linesOf(() => resolveText(TEXT, { sets: [set] }))[0]!, line);
  const of = (...sets: string[]): readonly string[] => linesOf(() => resolveText(TEXT, { sets }));
  const all = "zero compress encrypt decrypt decompress".split(" ").map((stage) => `${stage}: card-core`);
  const on = `placement={ ${all.join(", ")} }`;
  resolveText(TEXT, { sets: [on] });
  assert.match(
    of(on, "compress=off")[0]!,
    /placement\.compress: compresses nothing with compress off; write card$/,
  );
  assert.match(
    of(on, "compress=off")[1]!,
    /placement\.decompress: decodes nothing with compress off; write card$/,
  );
  assert.match(
    of(on, "encrypt=off")[0]!,
    /placement\.encrypt: encrypts nothing with encrypt off; write card$/,
  );
  assert.match(
    of(on, "encrypt=off")[1]!,
    /placement\.decrypt: decrypts nothing with encrypt off; write card$/,
  );
  assert.match(
    of(on, "compress.engine=lz4-hw")[0]!,
    /placement\.compress: is liblz4; write compress: { engine: lz4-sw }$/,
  );
  const deflate = ["placement={ decompress: card-core }", "compress.engine=bf2-deflate", "content=sized"];
  assert.match(of(...deflate)[0]!, /decodes lz4 alone, and bf2-deflate makes deflate; write card$/);
});

test.run();
