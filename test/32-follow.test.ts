// SPDX-License-Identifier: Apache-2.0
// `--follow`: a page's way as it is told, against the formulas of an unloaded page; and that following
// changes nothing.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { followedSimulation } from "../src/follow.ts";
import { type Result, resultSchema, type SimulateInput } from "../src/index.ts";
import { nsOf } from "../src/page-log.ts";
import { journeysText } from "../src/report/journey.ts";
import type { FollowedPage, Journey } from "../src/result/follow.ts";
import { generated, inputOf, migrate, redis } from "./lib/migrate.ts";
import { pageTimes } from "./lib/reference/latency.ts";
import { guestText, of, runText, streamFor } from "./lib/timeline.ts";

function follow(input: SimulateInput, pages: readonly number[]): Result & { follow: FollowedPage[] } {
  const steps = followedSimulation(input, pages);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value as Result & { follow: FollowedPage[] };
  }
}

const begins = (journey: Journey, stage: string): number | null =>
  journey.stages.find((one) => one.stage === stage)?.beginNs ?? null;

const QUIET = ["internal.dll=none", "source.host.vsock.messageCost=100 us"];
const GUEST = { memory: "4 KiB", rate: "0 /s", workingSet: "4 KiB" };

for (const [name, mix, sets] of [
  ["compressed and sealed", "{ text: 100 }", []],
  ["raw", "{ random: 100 }", []],
  ["zero", "{ zero: 100 }", []],
  ["neither compressed nor sealed, ring on the card", "{ text: 100 }", ["compress=off", "encrypt=off"]],
] as const) {
  test(`follow: an unloaded page, ${name}: times are those of the formulas`, () => {
    const all = [...QUIET, ...sets, ...(sets.length > 0 ? ["source.card.dma.ring=card"] : [])];
    const run = runText(guestText("4 KiB", { rate: "0 /s", mix }), { sets: all });
    const block = [...streamFor(run.scenario).initial()][0]!;
    const word = run.params.global[abi.G_COMPRESS] === 0 ? 4096 : run.core.contentWord(block.content(0));
    const zero = block.contentIds[0] === 0;
    const page = {
      zero,
      codedBytes: zero ? 4096 : word & abi.WORD_SIZE_MASK,
      cycles: zero ? 0 : (word >>> abi.WORD_CYCLES_SHIFT) & abi.WORD_CYCLES_MASK,
    };
    const addresses = of(run, abi.T_STAGE, 0).find(
      (e) => e.which === abi.U_CONTROL && e.c === abi.F_ADDRESSES,
    )!;
    const expected = pageTimes(run.params, page, addresses.b);
    const ns = (ticks: number | null): number | null => (ticks === null ? null : nsOf(BigInt(ticks)));
    const guest = {
      generate: { ...GUEST, mix: JSON.parse(mix.replace(/(\w+):/g, '"$1":')) },
      deviceState: "4 KiB",
    };
    const result = follow(inputOf({ guest }, { variant: "instrumented", sets: all }), [0]);
    assert.is(result.follow.length, 1);
    assert.is(result.follow[0]!.journeys.length, 1);
    const journey = result.follow[0]!.journeys[0]!;
    assert.is(begins(journey, "zero filter"), ns(expected.zeroAt));
    assert.is(begins(journey, "compress"), ns(expected.compressAt));
    assert.is(begins(journey, "record"), ns(expected.recordAt));
    assert.is(begins(journey, "seal"), ns(expected.sealAt));
    assert.is(begins(journey, "frame"), ns(expected.frameAt));
    assert.is(begins(journey, "send"), ns(expected.appendedAt));
    assert.is(begins(journey, "receive"), ns(expected.receiveAt));
    assert.is(begins(journey, "record at destination"), ns(expected.receivedRecordAt));
    assert.is(begins(journey, "open"), ns(expected.openAt));
    assert.is(begins(journey, "decompress"), ns(expected.decompressAt));
    if (!zero) assert.is(journey.landedNs, ns(expected.landedAt));
    // the stages follow each other, and are the whole of it
    const shares = journey.stages.reduce((sum, { share }) => sum + share, 0);
    assert.ok(Math.abs(shares - 1) < 1e-9, `${shares}`);
    for (const { waitedNs, tookNs } of journey.stages) assert.ok(waitedNs >= 0 && tookNs >= 0);
    const times = journey.events.map(({ atNs }) => atNs);
    assert.equal(
      times,
      [...times].sort((a, b) => a - b),
    );
    const reads = journey.events.filter(({ what }) => / B at 0x/.test(what));
    assert.is(reads.length, 8);
    assert.is(reads[0]!.what.split(",")[0], "512 B at 0x0");
    for (const { what } of reads) assert.match(what, /tag \d+, sent after \d/);
  });
}

test("follow: the result is the same, in every mode of pages; what is added is in the schema", () => {
  for (const sets of [[], ["internal.pages=vsock"], ["content=sized"]]) {
    const plain = migrate({ guest: redis }, { sets });
    const result = follow(inputOf({ guest: redis }, { variant: "instrumented", sets }), [3, 600]);
    assert.is(result.fingerprint, plain.fingerprint);
    const { follow: pages, ...rest } = result;
    assert.equal(rest, plain);
    assert.equal(
      pages.map(({ page }) => page),
      [3, 600],
    );
    assert.ok(resultSchema.safeParse(JSON.parse(JSON.stringify(result))).success);
  }
});

test("follow: a page that is written between is sent in each round, with its versions", () => {
  // 8 pages that are written 100,000 times a second each: every one before every round
  const scenario = {
    guest: generated(8, 800_000),
    link: { rate: "1 Gbit/s" },
    migration: { maxRounds: 3, downtimeLimit: "1 us", onTimeout: "force" },
  };
  const result = follow(inputOf(scenario, { variant: "instrumented" }), [5]);
  const { journeys } = result.follow[0]!;
  assert.equal(
    journeys.map(({ round }) => round),
    result.migration.rounds.map(({ index }) => index),
  );
  let written = 0;
  for (const { events, version, latencyNs, announcedNs, landedNs } of journeys) {
    assert.ok(version !== null && version >= written);
    written = version!;
    assert.ok(Math.abs(latencyNs! - (landedNs! - announcedNs)) < 0.002);
    assert.is(events.filter(({ what }) => /^announced/.test(what)).length, 1);
  }
  assert.ok(written > 0);
  const text = journeysText(result.follow, result.migration, false);
  assert.match(text, /\npage 5 \(0x5000\) was sent in rounds 1, 2, 3, 4\n/);
  assert.match(text, /guest +written.*version \d+; dirty mark set/);
  assert.match(text, /dirty mark read and cleared/);
  for (const line of text.split("\n")) assert.ok(line.length <= 100, line);
});

test.run();
