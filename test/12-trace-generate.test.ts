// SPDX-License-Identifier: Apache-2.0
// Generated guests: rates, patterns, contents; and that a generated file plays like the workload itself.
import { createHash } from "node:crypto";
import { compressSync } from "lz4-napi";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BODIES_PER_CLASS, makeBody } from "../src/trace/content.ts";
import { EventFlag, type GuestStream } from "../src/trace/events.ts";
import { fileEpochs, TooMuchForFile, writeGenerated } from "../src/trace/generate.ts";
import {
  fileRateMax,
  GeneratedWrites,
  Generator,
  generatedEpochPs,
  type Workload,
} from "../src/trace/generator.ts";
import { hash, pick } from "../src/trace/hash.ts";
import { openMdt } from "../src/trace/mdt-reader.ts";
import { memorySink } from "../src/trace/sink.ts";
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

/** Epochs of a workload, one after the other: the pages written in each. */
function* epochsOf(w: Workload, seed: number): IterableIterator<number[], never> {
  const generator = new Generator(w, seed);
  for (;;) {
    const writes = new GeneratedWrites();
    generator.next(writes);
    yield [...writes.pfns.subarray(0, writes.count)];
  }
}

/** Writes per page of the working set over `epochs`, most written first. */
function tally(w: Workload, epochs: number, seed = 1): { counts: number[]; low: number; high: number } {
  const counts = new Map<number, number>();
  const all = epochsOf(w, seed);
  for (let k = 0; k < epochs; k++) {
    for (const pfn of all.next().value) counts.set(pfn, (counts.get(pfn) ?? 0) + 1);
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
  // 1001.5 writes/s: 20.03 in each 20 ms, so floor(20.03 k) after k epochs; sequential pages do not coincide
  const epochs = epochsOf(workload({ pattern: "sequential", ratePerSecond: 1001.5 }), 1);
  let total = 0;
  for (let k = 1; k <= 200; k++) {
    total += epochs.next().value.length;
    assert.is(total, Math.floor((2003 * k) / 100));
  }
});

const PATTERNS = ["uniform", "hot", "sequential", "zipf"] as const;
const TICKS_PER_SECOND = 1.024e15;

test("rate: as many writes as asked for, from 100 to 10^9 a second, from one page to 1 GiB", () => {
  for (const pattern of PATTERNS) {
    for (const pages of [1, 2, 7, 256, 4096, 2 ** 18]) {
      for (const ratePerSecond of [100, 20_000, 1e6, 1e8, 1e9]) {
        const bytes = pages * 4096;
        const w = workload({ memoryBytes: bytes, workingSetBytes: bytes, pattern, ratePerSecond });
        const stream = generatedStream(w, 3);
        let count = 0;
        let end = 0;
        while (count < 2000) {
          const batch = stream.next()!;
          count += batch.count;
          end = Number(batch.endTicks);
          assert.ok(batch.count < 16_384);
        }
        const drawn = (ratePerSecond * end) / TICKS_PER_SECOND;
        // an epoch has few draws of one page, so few wait for the next one
        const draws = (ratePerSecond * generatedEpochPs(w)) / 1e12;
        const missing = Math.floor(drawn + 1e-6) - count;
        const name = `${pattern}, ${pages} pages, ${ratePerSecond}/s: ${count} of ${drawn}`;
        assert.ok(missing >= 0 && missing <= 1 + draws / 16, name);
        assert.ok(missing < 3 * Math.sqrt(drawn), name);
      }
    }
  }
});

test("epochs: 20 ms or a whole part of it, so short that a page is seldom drawn twice", () => {
  const us = (rest: Partial<Workload>): number => generatedEpochPs(workload(rest)) / 1e6;
  const set = (pages: number, ratePerSecond: number, pattern: Workload["pattern"] = "uniform") =>
    us({ memoryBytes: 2 ** 32, workingSetBytes: pages * 4096, ratePerSecond, pattern });
  // 80 draws of 8192 pages; 256 draws allowed of 4096 pages = 5.12 ms, the next part is 20 ms / 4
  assert.equal([set(8192, 4000), set(4096, 50_000)], [20_000, 5000]);
  // one draw of one page: 50 us; 16 of 256: 800 us; the hottest of 8 octaves: one draw
  assert.equal([set(1, 20_000), set(256, 20_000), set(255, 20_000, "zipf")], [50, 800, 50]);
  // at most 4096 draws; 10 ns for a page that is written 10^8 times a second; no writes
  assert.equal([set(2 ** 20, 5e6), set(1, 1e8), set(1, 0)], [800, 0.01, 20_000]);
});

test("events: inside their batch, in order, and a page at most once an epoch", () => {
  const w = workload({ workingSetBytes: 256 * 4096, ratePerSecond: 5e6 });
  const epochTicks = BigInt(generatedEpochPs(w)) * 1024n;
  const stream = generatedStream(w, 2);
  let before = 0n;
  const seen = new Set<string>();
  for (let k = 0; k < 3; k++) {
    const batch = stream.next()!;
    assert.ok(batch.startTicks >= before);
    for (let i = 0; i < batch.count; i++) {
      const at = batch.timeTicks[i]!;
      assert.ok(at > batch.startTicks && at <= batch.endTicks && at >= before);
      const place = `${(at - 1n) / epochTicks} ${batch.pfns[i]}`;
      assert.not.ok(seen.has(place), place);
      seen.add(place);
      before = at;
    }
  }
});

test("sequential: one page after the other through the whole working set, over and over", () => {
  const epochs = epochsOf(workload({ pattern: "sequential", ratePerSecond: 12_500 }), 3);
  // 4096 pages in 250s: epoch 16 holds 4000..4095 and then 0..153
  const list = Array.from({ length: 17 }, () => epochs.next().value);
  const places = list[16]!.map((pfn) => pfn - list[0]![0]!);
  assert.equal(places, [
    ...Array.from({ length: 154 }, (_, k) => k),
    ...Array.from({ length: 96 }, (_, k) => 4000 + k),
  ]);
});

test("uniform: pages alike at any rate, inside one contiguous working set", () => {
  for (const ratePerSecond of [50_000, 1e8]) {
    const w = workload({ ratePerSecond });
    const draws = (ratePerSecond * generatedEpochPs(w)) / 1e12;
    const { counts, low, high } = tally(w, Math.ceil(160_000 / draws));
    assert.is(counts.length, 4096);
    assert.is(high - low, 4095);
    const mean = counts.reduce((a, b) => a + b) / 4096;
    // chi-square of 4095 degrees of freedom: deviation sqrt(2 x 4095) = 90.5
    const chi2 = counts.reduce((sum, n) => sum + (n - mean) ** 2 / mean, 0);
    assert.ok(Math.abs(chi2 - 4095) < 3 * 90.5 + 4095 / 16, `${chi2}`);
    assert.ok(counts[0]! < mean + 6 * Math.sqrt(mean) && counts[4095]! > mean - 6 * Math.sqrt(mean));
  }
});

test("hot: nine of ten writes go to a tenth of the pages, at any rate", () => {
  for (const ratePerSecond of [1000, 1e8]) {
    const w = workload({ pattern: "hot", ratePerSecond });
    const draws = (ratePerSecond * generatedEpochPs(w)) / 1e12;
    const { counts } = tally(w, Math.ceil(80_000 / draws));
    const total = counts.reduce((a, b) => a + b);
    const hot = counts.slice(0, 410).reduce((a, b) => a + b);
    // deviation sqrt(0.9 x 0.1 / 80000) = 0.00106
    assert.ok(Math.abs(hot / total - 0.9) < 3 * 0.00106, `${hot / total}`);
  }
});

test("zipf: each octave of ranks gets the same share, at any rate", () => {
  for (const ratePerSecond of [50, 1e8]) {
    // 4095 pages are ranks of 12 whole octaves, each 1/12 of the writes
    const w = workload({ pattern: "zipf", ratePerSecond, workingSetBytes: 4095 * 4096 });
    const draws = (ratePerSecond * generatedEpochPs(w)) / 1e12;
    const { counts } = tally(w, Math.ceil(48_000 / draws));
    const total = counts.reduce((a, b) => a + b);
    assert.is(total, 48_000);
    for (let octave = 0; octave < 7; octave++) {
      const share = counts.slice(2 ** octave - 1, 2 ** (octave + 1) - 1).reduce((a, b) => a + b) / total;
      // mean 1/12, deviation sqrt(1/12 x 11/12 / 48000) = 0.00126; ranks by count overstate the upper ones
      assert.ok(Math.abs(share - 1 / 12) < 0.0075, `octave ${octave}: ${share}`);
    }
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

function gist(stream: GuestStream, untilTicks: bigint, tells: (flags: number) => number): string {
  const running = createHash("sha256");
  const image = new Map<number, Uint8Array>();
  for (const block of stream.initial()) {
    for (let i = 0; i < block.count; i++) {
      image.set(block.firstPfn + i, block.content(i));
      running.update(block.content(i)).update(`${tells(block.flags[i]!)}`);
    }
  }
  for (let batch = stream.next(); batch !== null && batch.startTicks < untilTicks; batch = stream.next()) {
    for (let i = 0; i < batch.count; i++) {
      running.update(`${batch.timeTicks[i]} ${batch.pfns[i]}\n`);
      const body = batch.content(i);
      if (body !== null) image.set(batch.pfns[i]!, body);
    }
  }
  for (const pfn of [...image.keys()].sort((a, b) => a - b)) running.update(image.get(pfn)!);
  return running.digest("hex");
}

const PLAYED = { tile: 1, speed: { numerator: 1, denominator: 1 }, atEnd: "idle", mix } as const;

test("a generated file is the same to the byte, is valid, and plays like its workload", () => {
  const w = workload({ memoryBytes: 2 * MiB, workingSetBytes: MiB, ratePerSecond: 3000, pattern: "zipf" });
  const options = { workload: w, seed: 11, durationUs: 240_000, contents: "complete" } as const;
  // one draw an epoch: 333 us, the next part of 20 ms in whole us is 20 ms / 80
  assert.equal(fileEpochs(options), { epochUs: 250, epochs: 960 });
  const [first, second] = [memorySink(), memorySink()];
  const length = writeGenerated(first, options);
  writeGenerated(second, options);
  assert.is(first.bytes().length, length);
  assert.is(Buffer.compare(first.bytes(), second.bytes()), 0);
  assert.is(verifyTrace(bytesSource(first.bytes()), "g").epochs, 960);
  const trace = openMdt(bytesSource(first.bytes()), "g");
  // a page written with the contents it has is SAME in the file: the zero flag is compared at the start only
  const zero = (flags: number): number => flags & EventFlag.zero;
  const [end, seed] = [240_000n * 1_024_000_000n, 11];
  assert.is(
    gist(traceStream(trace, { ...PLAYED, seed }), end, zero),
    gist(generatedStream(w, 11), end, zero),
  );
});

test("a generated file without contents has the same writes", () => {
  const w = workload({ memoryBytes: 2 * MiB, workingSetBytes: MiB, ratePerSecond: 3000 });
  const sink = memorySink();
  writeGenerated(sink, { workload: w, seed: 4, durationUs: 100_000, contents: "none" });
  const trace = openMdt(bytesSource(sink.bytes()), "n");
  // 256 pages: 16 draws an epoch = 5.33 ms, the next part is 5 ms
  assert.equal([trace.contents, trace.epochs], ["none", 20]);
  const writes = (stream: GuestStream): string[] => {
    const list: string[] = [];
    for (let batch = stream.next(); batch !== null && list.length < 290; batch = stream.next())
      for (let i = 0; i < batch.count; i++) list.push(`${batch.timeTicks[i]} ${batch.pfns[i]}`);
    return list.slice(0, 290);
  };
  assert.equal(writes(traceStream(trace, { ...PLAYED, seed: 4 })), writes(generatedStream(w, 4)));
});

test("a file holds as many writes as its epochs can be short, and epochs as its index can list", () => {
  const none = { durationUs: 20_000, contents: "none" } as const;
  const refusal = (rest: Partial<Workload>, more: object): TooMuchForFile => {
    try {
      fileEpochs({ workload: workload(rest), ...none, ...more });
    } catch (error) {
      if (error instanceof TooMuchForFile) return error;
    }
    throw new Error("was not refused");
  };
  // one page once a us; 16 draws of 256 pages a us
  const one = { memoryBytes: MiB, workingSetBytes: 4096 };
  assert.equal([fileRateMax(workload(one)), fileRateMax(workload({ workingSetBytes: MiB }))], [1e6, 16e6]);
  assert.equal(fileEpochs({ workload: workload({ ...one, ratePerSecond: 1e6 }), ...none }).epochUs, 1);
  const fast = refusal({ ...one, ratePerSecond: 1.1e6 }, {});
  assert.equal([fast.key, fast.most], ["rate", 1e6]);
  // 2796202 chunks of one epoch of 1 us: 139 times 20 ms
  const long = refusal({ ...one, ratePerSecond: 1e6 }, { durationUs: 3e6 });
  assert.equal([long.key, long.most], ["duration", 2_780_000]);
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
    [{ ratePerSecond: 1.1e9 }, /^rate: 1100000000 page writes a second; legal is 0 to 1000000000/],
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
