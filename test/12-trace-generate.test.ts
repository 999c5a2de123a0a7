// SPDX-License-Identifier: Apache-2.0
// Generated guests: rates, patterns, contents; and that a generated file plays like the workload itself.
import { createHash } from "node:crypto";
import { compressSync } from "lz4-napi";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BODIES_PER_CLASS, makeBody } from "../src/trace/content.ts";
import { EventFlag, type GuestStream } from "../src/trace/events.ts";
import { writeGenerated } from "../src/trace/generate.ts";
import { Generator20ms, type Workload } from "../src/trace/generator.ts";
import { hash, pick } from "../src/trace/hash.ts";
import { openMdt } from "../src/trace/mdt-reader.ts";
import { memorySink } from "../src/trace/mdt-writer.ts";
import { bytesSource } from "../src/trace/source.ts";
import { generatedStream } from "../src/trace/stream-generate.ts";
import { traceStream } from "../src/trace/stream-trace.ts";
import { verifyTrace } from "../src/trace/verify.ts";

const mix = { zero: 10, text: 50, random: 40 };
const MiB = 2 ** 20;
const workload = (rest: Partial<Workload> = {}): Workload => ({
  memoryBytes: 64 * MiB,
  ratePerSecond: 50_000,
  workingSetBytes: 16 * MiB,
  pattern: "uniform",
  mix,
  ...rest,
});

/** Writes per page of the working set over `epochs`, most written first. */
function tally(w: Workload, epochs: number, seed = 1): { counts: number[]; low: number; high: number } {
  const generator = new Generator20ms(w, seed);
  const counts = new Map<number, number>();
  for (let k = 0; k < epochs; k++) {
    for (const pfn of generator.epoch(k).pfns) counts.set(pfn, (counts.get(pfn) ?? 0) + 1);
  }
  const pfns = [...counts.keys()];
  const low = pfns.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = pfns.reduce((a, b) => Math.max(a, b), 0);
  return { counts: [...counts.values()].sort((a, b) => b - a), low, high };
}

test("hash: mixing spreads, pick is floor(h n / 2^32)", () => {
  for (const [h, n] of [
    [0xffffffff, 7],
    [0x80000000, 1000],
    [123456789, 2 ** 31 + 5],
    [0xffffffff, 2 ** 32 - 1],
  ]) {
    assert.is(pick(h!, n!), Number((BigInt(h!) * BigInt(n!)) >> 32n));
  }
  // one input bit flips half of the output bits: mean 16, deviation of a mean of 3200 pairs 0.05
  let flipped = 0;
  for (let x = 0; x < 100; x++) {
    for (let bit = 0; bit < 32; bit++) {
      let differ = hash(1, x) ^ hash(1, x ^ (1 << bit));
      for (; differ !== 0; differ &= differ - 1) flipped++;
    }
  }
  assert.ok(Math.abs(flipped / 3200 - 16) < 0.25, `${flipped / 3200}`);
});

test("rate: writes are drawn to the page over time, fractions carried", () => {
  // 1001.5 pages/s: 20.03 an epoch, so floor(20.03 k) after k epochs; sequential pages do not coincide
  const generator = new Generator20ms(workload({ pattern: "sequential", ratePerSecond: 1001.5 }), 1);
  let total = 0;
  for (let k = 1; k <= 200; k++) {
    total += generator.epoch(k - 1).pfns.length;
    assert.is(total, Math.floor((2003 * k) / 100));
  }
});

test("sequential: one page after the other through the whole working set, over and over", () => {
  const generator = new Generator20ms(workload({ pattern: "sequential" }), 3);
  // 4096 pages in 1000s: epoch 4 holds 4000..4095 and then 0..903
  const base = generator.epoch(0).pfns[0]!;
  const places = [...generator.epoch(4).pfns].map((pfn) => pfn - base);
  assert.equal(places, [
    ...Array.from({ length: 904 }, (_, k) => k),
    ...Array.from({ length: 96 }, (_, k) => 4000 + k),
  ]);
});

test("uniform: pages alike, inside one contiguous working set", () => {
  const { counts, low, high } = tally(workload(), 200);
  assert.is(counts.length, 4096);
  assert.is(high - low, 4095);
  // an epoch's 1000 draws hit a page with probability 1 - (4095/4096)^1000 = 0.2167: mean 43.3, deviation 5.8
  const mean = counts.reduce((a, b) => a + b) / 4096;
  assert.ok(Math.abs(mean - 43.33) < 0.5, `${mean}`);
  assert.ok(counts[0]! < 43 + 6 * 5.8 && counts[4095]! > 43 - 6 * 5.8);
});

test("hot: nine of ten writes go to a tenth of the pages", () => {
  // 20 draws an epoch, so that hardly any coincide
  const { counts } = tally(workload({ pattern: "hot", ratePerSecond: 1000 }), 4000);
  const total = counts.reduce((a, b) => a + b);
  const hot = counts.slice(0, 410).reduce((a, b) => a + b);
  assert.ok(Math.abs(hot / total - 0.9) < 0.02, `${hot / total}`);
});

test("zipf: each octave of ranks gets the same share", () => {
  // one draw an epoch; 4095 pages are ranks of 12 whole octaves, each 1/12 of the writes
  const { counts } = tally(
    workload({ pattern: "zipf", ratePerSecond: 50, workingSetBytes: 4095 * 4096 }),
    48_000,
  );
  const total = counts.reduce((a, b) => a + b);
  assert.is(total, 48_000);
  for (let octave = 0; octave < 7; octave++) {
    const share = counts.slice(2 ** octave - 1, 2 ** (octave + 1) - 1).reduce((a, b) => a + b) / total;
    // mean 1/12, deviation sqrt(1/12 x 11/12 / 48000) = 0.00126
    assert.ok(Math.abs(share - 1 / 12) < 0.0075, `octave ${octave}: ${share}`);
  }
});

test("contents come by weight from at most 1024 bodies a class", () => {
  const stream = generatedStream(workload({ memoryBytes: 512 * MiB }), 5);
  const classes = [0, 0, 0];
  const ids = new Set<number>();
  let pages = 0;
  for (const block of stream.initial()) {
    for (let i = 0; i < block.count; i++) {
      const id = block.contentIds[i]!;
      ids.add(id);
      classes[id === 0 ? 0 : id <= BODIES_PER_CLASS ? 1 : 2]!++;
      assert.is(block.flags[i], id === 0 ? EventFlag.zero : 0);
    }
    pages += block.count;
  }
  assert.is(pages, 131_072);
  // deviations are at most sqrt(131072 / 4) = 181
  for (const [k, share] of [0.1, 0.5, 0.4].entries()) {
    assert.ok(Math.abs(classes[k]! - share * pages) < 905, `${classes}`);
  }
  assert.is(ids.size, 2 * BODIES_PER_CLASS + 1);
});

test("text bodies shrink to about half under LZ4, random ones do not; zero is zero", () => {
  const body = new Uint8Array(4096);
  const ratio = (kind: "text" | "random"): number => {
    let stored = 0;
    for (let index = 0; index < 64; index++) {
      makeBody(kind, index, 1, body);
      // the packed block has its length in four bytes before it
      stored += Math.min(4096, compressSync(Buffer.from(body)).length - 4);
      if (kind === "text") assert.match(Buffer.from(body).toString("latin1"), /^[\n -~]+$/);
    }
    return (64 * 4096) / stored;
  };
  const text = ratio("text");
  assert.ok(text > 1.8 && text < 2.2, `${text}`);
  assert.is(ratio("random"), 1);
  makeBody("zero", 3, 1, body);
  assert.ok(body.every((b) => b === 0));
});

function gist(stream: GuestStream, epochs: number, tells: (flags: number) => number): string {
  const running = createHash("sha256");
  for (const block of stream.initial()) {
    for (let i = 0; i < block.count; i++)
      running.update(block.content(i)).update(`${tells(block.flags[i]!)}`);
  }
  const image = new Map<number, Uint8Array>();
  for (let k = 0; k < epochs; k++) {
    const batch = stream.next()!;
    running.update(`${batch.startTicks} ${batch.endTicks} ${batch.timeTicks} ${batch.pfns}`);
    for (let i = 0; i < batch.count; i++) {
      const body = batch.content(i);
      if (body !== null) image.set(batch.pfns[i]!, body);
    }
  }
  for (const pfn of [...image.keys()].sort((a, b) => a - b)) running.update(image.get(pfn)!);
  return running.digest("hex");
}

test("a generated file is the same to the byte, is valid, and plays like its workload", () => {
  const w = workload({ memoryBytes: 2 * MiB, workingSetBytes: MiB, ratePerSecond: 3000, pattern: "zipf" });
  const options = { workload: w, seed: 11, epochs: 12, contents: "complete" } as const;
  const [first, second] = [memorySink(), memorySink()];
  const length = writeGenerated(first, options);
  writeGenerated(second, options);
  assert.is(first.bytes().length, length);
  assert.is(Buffer.compare(first.bytes(), second.bytes()), 0);
  assert.is(verifyTrace(bytesSource(first.bytes()), "g").epochs, 12);
  const trace = openMdt(bytesSource(first.bytes()), "g");
  const played = { tile: 1, speed: { numerator: 1, denominator: 1 }, seed: 11, atEnd: "idle", mix } as const;
  // a page written with the contents it has is SAME in the file: the zero flag is compared at the start only
  const zero = (flags: number): number => flags & EventFlag.zero;
  assert.is(gist(traceStream(trace, played), 12, zero), gist(generatedStream(w, 11), 12, zero));
});

test("a generated file without contents has the same writes", () => {
  const w = workload({ memoryBytes: 2 * MiB, workingSetBytes: MiB, ratePerSecond: 3000 });
  const sink = memorySink();
  writeGenerated(sink, { workload: w, seed: 4, epochs: 5, contents: "none" });
  const trace = openMdt(bytesSource(sink.bytes()), "n");
  assert.equal([trace.contents, trace.epochs], ["none", 5]);
  const played = { tile: 1, speed: { numerator: 1, denominator: 1 }, seed: 4, atEnd: "idle", mix } as const;
  const [a, b] = [traceStream(trace, played), generatedStream(w, 4)];
  for (let k = 0; k < 5; k++) assert.equal([...a.next()!.pfns], [...b.next()!.pfns]);
});

test("64 GiB: the initial contents cost a block, a fork repeats", () => {
  const w = workload({ memoryBytes: 2 ** 36, workingSetBytes: 2 ** 34, ratePerSecond: 200_000 });
  const stream = generatedStream(w, 1);
  assert.is(stream.pages, 2 ** 24);
  let pages = 0;
  for (const block of stream.initial()) pages += block.count;
  assert.is(pages, 2 ** 24);
  const [one, two] = [stream.next()!, stream.fork().next()!];
  assert.equal([...one.timeTicks], [...two.timeTicks]);
  assert.ok(one.count > 3990 && one.count <= 4000);
});

test("refuses workloads out of range, by key", () => {
  const wrong: readonly (readonly [Partial<Workload>, RegExp])[] = [
    [{ memoryBytes: 0 }, /^memory: 0 bytes/],
    [{ memoryBytes: 4097 }, /^memory: 4097 bytes/],
    [{ workingSetBytes: 128 * MiB }, /^workingSet: larger than the memory/],
    [{ workingSetBytes: 100 }, /^workingSet: 100 bytes/],
    [{ ratePerSecond: -1 }, /^rate: -1/],
    [{ ratePerSecond: Number.NaN }, /^rate: NaN/],
    [{ mix: { zero: 0, text: 0, random: 0 } }, /^mix: /],
    [{ mix: { zero: -1, text: 1, random: 1 } }, /^mix: /],
  ];
  for (const [rest, reason] of wrong) {
    assert.throws(
      () => generatedStream(workload(rest), 1),
      (fault: unknown) => fault instanceof RangeError && reason.test(fault.message),
    );
  }
});

test.run();
