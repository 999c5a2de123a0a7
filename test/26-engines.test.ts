// SPDX-License-Identifier: Apache-2.0
// Compressor presets in a migration: sizes, times to the tick, rates, and pairs of cards that do not fit.

import { deflateRawSync, inflateRawSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { givenWords } from "../src/given-sizes.ts";

import type { ResolvedCard } from "../src/scenario/types.ts";
import { deflateRaw } from "../src/trace/deflate.ts";
import { pseudoRandom, redisTrace, tracePages } from "./lib/lz4.ts";
import { migrate, redis, stat } from "./lib/migrate.ts";
import { near, runOf, starts, steady, TEXT_PAGES } from "./lib/rates.ts";
import { linesOf, resolveText } from "./lib/scenario.ts";
import { runShipped } from "./lib/shipped.ts";
import { of, type Run } from "./lib/timeline.ts";

const PAGE = abi.PAGE_BYTES;
const JOB_PAGE = 1;
/** A clock of dpu-ref, 1 ns. */
const CYCLE = BigInt(abi.TICKS_PER_NS);
const SECOND = 1_000_000_000n * CYCLE;
const HEAD =
  "schema: dpusim.scenario/1\nguest: { generate: { memory: 64 KiB, rate: 1 /s, workingSet: 64 KiB } }\n";
const WORDS = "the card that has no engine for it sends the page as it is. ";
const text = Buffer.from(WORDS.repeat(70)).subarray(0, PAGE);
const noise = pseudoRandom(PAGE, 1);

/** Jobs of pages: when each begins and until when it takes an engine. */
function jobs(run: Run): { start: bigint; end: bigint }[] {
  return of(run, abi.T_STAGE, 0)
    .filter((e) => e.which === abi.U_COMPRESS && e.c === JOB_PAGE)
    .map((e) => ({ start: BigInt(e.t), end: BigInt(e.b) }));
}

function engineOf(name: string): ResolvedCard["compressor"] {
  const sets = [`compress.engine=${name}`, "content=sized"];
  return resolveText(HEAD, { sets }).sides.source.card.compressor;
}

test("an engine of a given rate is taken for bytes / rate, to the next edge of the card", () => {
  const run = runOf(TEXT_PAGES, ["compress.engine=lz4-sw", "encrypt=off"]);
  const all = jobs(run);
  assert.ok(all.length > 500);
  for (const { start, end } of all) {
    // 912 MB/s
    const span = (4096n * SECOND + 912_000_000n - 1n) / 912_000_000n;
    assert.is(end, ((start + span + CYCLE - 1n) / CYCLE) * CYCLE);
  }
  near(steady(starts(run, 0, abi.U_COMPRESS)), 912 / PAGE);
});

for (const [name, engines, megabytes] of [
  ["qat-gen4", 4, 812.5],
  ["deflate-hw", 8, 250],
  ["zstd-sw", 1, 300],
] as const) {
  test(`${name}: ${engines} engines of ${megabytes} MB/s are what limits`, () => {
    const run = runOf(TEXT_PAGES, [`compress.engine=${name}`, "encrypt=off", "source.host=gen5-host"]);
    near(steady(starts(run, 0, abi.U_COMPRESS)), (engines * megabytes) / PAGE);
  });
}

test("an engine with a clock of its own takes its cycles of it: 300 MHz and eight engines", () => {
  const fast = jobs(runOf(TEXT_PAGES, ["compress.engine=vitis-lz4-8e", "encrypt=off"]));
  // one position a clock: 4096 clocks at least
  const least = (4096n * SECOND + 299_999_999n) / 300_000_000n;
  for (const { start, end } of fast) assert.ok(end - start >= least && end % CYCLE === 0n);
  near(Number(fast[0]!.end - fast[0]!.start) / Number(least), 1);
});

test("zlib: sizes are those of a DEFLATE stream, near those of zlib", () => {
  const words = givenWords(engineOf("deflate-hw"))!;
  const size = (body: Uint8Array): number => words(body) & abi.WORD_SIZE_MASK;
  assert.equal(Buffer.from(inflateRawSync(deflateRaw(text, 1))), text);
  assert.is(size(text), deflateRaw(text, 1).length);
  const pages = tracePages(redisTrace)
    .filter((page) => page.some((byte) => byte !== 0))
    .slice(0, 400);
  const all = (of: (page: Uint8Array) => number): number => pages.reduce((sum, page) => sum + of(page), 0);
  near(
    all((page) => deflateRaw(page, 1).length),
    all((page) => deflateRawSync(page, { level: 1 }).length),
  );
  assert.is(size(noise), PAGE, "what does not shrink is raw");
  assert.is(words(new Uint8Array(PAGE)), abi.WORD_ZERO);
  assert.is((words(text) >>> abi.WORD_CYCLES_SHIFT) & abi.WORD_CYCLES_MASK, PAGE);
  assert.is(givenWords(engineOf("lz4-sw")), null, "the core knows liblz4's sizes");
});

test("ratio: every page is 4096 / ratio, whatever it holds", () => {
  const engine = engineOf("zstd-sw");
  const size = (body: Uint8Array): number => givenWords(engine)!(body) & abi.WORD_SIZE_MASK;
  const expected = Math.round((PAGE * 1000) / engine.rated!.ratioPerMille!);
  assert.equal([size(text), size(noise)], [expected, expected]);
  const result = migrate({ guest: redis }, { sets: ["compress.engine=zstd-sw", "content=sized"] });
  const pages = stat(result, "source.card.compressor.pages");
  // 16 jobs are pieces of 64 KiB of device state
  const [out, raw] = ["bytesOut", "raw"].map((key) => stat(result, `source.card.compressor.${key}`));
  assert.ok(out! <= (pages - 16) * expected + 16 * PAGE && out! >= (pages - 16) * expected && raw! <= 16);
});

test("a job below an engine's least goes out raw and takes no time", () => {
  const run = runOf(TEXT_PAGES, ["compress.engine=qat-gen4-zstd", "encrypt=off"]);
  assert.ok(jobs(run).every(({ start, end }) => end - start === CYCLE));
  const result = migrate({ guest: redis }, { sets: ["compress.engine=qat-gen4-zstd", "content=sized"] });
  assert.is(stat(result, "source.card.compressor.raw"), stat(result, "source.card.compressor.pages"));
  assert.is(result.check.pagesDifferent, 0);
});

test("software LZ4: the same times carried and sized, and every byte", () => {
  const run = (content: string) =>
    migrate({ guest: redis }, { sets: ["compress.engine=lz4-sw", `content=${content}`] });
  const [full, sized] = [run("full"), run("sized")];
  assert.is(full.elapsedTicks, sized.elapsedTicks);
  assert.is(full.check.pagesDifferent, 0);
  const raw = migrate({ guest: redis }, { sets: ["compress=off", "content=sized"] });
  assert.ok(full.migration.ram.transferred < 0.7 * raw.migration.ram.transferred);
});

test("cards that do not fit are refused: no encoder, no cipher, another format, contents unknown", () => {
  const lines = (...sets: string[]): readonly string[] => linesOf(() => resolveText(HEAD, { sets }));
  const bf2 = ["source.card=bluefield2-like", "destination.card=bluefield2-like"];
  assert.match(lines(...bf2)[0]!, /source card has no engine for it \(compressor.engines is 0\)/);
  const deflate = ["compress.engine=bf2-deflate", "content=sized"];
  assert.match(lines(...bf2, ...deflate)[0]!, /encrypt: the source card has no engine for it/);
  resolveText(HEAD, { sets: [...bf2, ...deflate, "encrypt=off"] });
  // a BlueField-3 takes what a BlueField-2 makes, and makes nothing itself
  resolveText(HEAD, { sets: ["destination.card=bluefield3-like", ...deflate] });
  assert.match(lines("source.card=bluefield3-like")[0]!, /compressor.engines is 0/);
  const zstd = ["compress.engine=zstd-sw", "content=sized"];
  assert.match(
    lines("destination.card=bluefield3-like", ...zstd)[0]!,
    /zstd-sw makes zstd, and the destination card takes lz4\+deflate alone/,
  );
  assert.match(lines("compress.engine=bf2-deflate")[0]!, /sizes alone are known; write content: sized/);
  assert.match(lines("compress.engine=bf3-dpa")[0]!, /bf3-dpa does not compress; write compress: off/);
  assert.match(lines("compress.engine=lz4-hv")[0]!, /is no compressor preset; did you mean lz4-hw\?/);
  assert.match(
    lines("compress.engine=lz4-sw", "compress.pws=8")[0]!,
    /compress.pws: is of the card's own encoder, not of lz4-sw; remove it/,
  );
});

test("the shipped scenario: from a card that deflates to one that inflates", () => {
  const { migration, check } = runShipped("bluefield");
  assert.equal([migration.status, check.pagesDifferent, check.deviceStateEqual], ["completed", 0, true]);
});

test.run();
