// SPDX-License-Identifier: Apache-2.0
// The stream of guest writes: every listed page once, at its time, with its contents; tiles, speed and loop.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type AtEnd,
  EventFlag,
  type GuestBatch,
  type GuestStream,
  KEEP_CONTENT,
} from "../src/trace/events.ts";
import { type MdtTrace, openMdt } from "../src/trace/mdt-reader.ts";
import { bytesSource } from "../src/trace/source.ts";
import { traceStream } from "../src/trace/stream-trace.ts";
import { buildFile, type ChunkSpec } from "./lib/trace-build.ts";

const shipped = (name: string): MdtTrace =>
  openMdt(bytesSource(readFileSync(new URL(`../sim/traces/${name}.mdt`, import.meta.url))), name);
const redis = shipped("host-redis-small");
const example = shipped("example");
const mix = { zero: 1, text: 1, random: 1 };
interface Play {
  tile?: number;
  speed?: [number, number];
  seed?: number;
  atEnd?: AtEnd;
}
function play(
  trace: MdtTrace,
  { tile = 1, speed = [1, 1], seed = 1, atEnd = "idle" }: Play = {},
): GuestStream {
  return traceStream(trace, {
    tile,
    speed: { numerator: speed[0], denominator: speed[1] },
    seed,
    atEnd,
    mix,
  });
}
function* batches(stream: GuestStream, most = Number.POSITIVE_INFINITY): Generator<GuestBatch> {
  for (let n = 0; n < most; n++) {
    const batch = stream.next();
    if (batch === null) return;
    yield batch;
  }
}
/** One epoch of `count` pages ending at `endUs`. */
function oneEpoch(endUs: number, count: number, nominalEpochNs = 20_000_000): MdtTrace {
  const varint = (n: number): number[] => (n < 128 ? [n] : [(n % 128) | 128, ...varint(Math.floor(n / 128))]);
  const epoch: ChunkSpec = { type: "EPOC", timeUs: endUs, items: 1, raw: [0, 1, 0, ...varint(count - 1)] };
  return openMdt(bytesSource(buildFile({ pages: count, chunks: [epoch], nominalEpochNs })), "one");
}

test("the example's epochs are (0, 50 ms] and (50 ms, 100 ms] in ticks of 2^-10 ps", () => {
  const [first, second, ...more] = [...batches(play(example))];
  assert.is(more.length, 0);
  // 50,000 us x 10^6 ps x 1024
  assert.equal([first!.startTicks, first!.endTicks], [0n, 51_200_000_000_000n]);
  assert.equal([second!.startTicks, second!.endTicks], [51_200_000_000_000n, 102_400_000_000_000n]);
  const facts = (b: GuestBatch): unknown[] =>
    [...b.pfns]
      .map((pfn, i) => [pfn, b.flags[i], b.contentIds[i] === KEEP_CONTENT, b.content(i)?.[16]])
      .sort();
  const code = (c: string): number => c.charCodeAt(0);
  assert.equal(facts(first!), [
    [0, 0, false, code("+")],
    [1, 0, false, code("A")],
  ]);
  assert.equal(facts(second!), [
    [0, EventFlag.same, true, undefined],
    [1, EventFlag.free | EventFlag.zero, false, 0],
    [2, 0, false, code("p")],
  ]);
});

test("each batch lies in its epoch and is ordered by time, then pfn", () => {
  let events = 0;
  let end = 0n;
  for (const batch of batches(play(redis, { tile: 3 }))) {
    assert.is(batch.startTicks, end);
    end = batch.endTicks;
    events += batch.count;
    for (let i = 0; i < batch.count; i++) {
      const at = batch.timeTicks[i]!;
      assert.ok(at > batch.startTicks && at <= batch.endTicks);
      const before = i > 0 ? batch.timeTicks[i - 1]! : 0n;
      assert.ok(at > before || (at === before && batch.pfns[i]! > batch.pfns[i - 1]!));
    }
  }
  assert.is(events, 3 * redis.events);
});

test("instants spread evenly over the epoch and change with the seed", () => {
  const count = 100_000;
  const trace = oneEpoch(20_000, count);
  const batch = play(trace).next()!;
  const bins = new Array(10).fill(0);
  for (let i = 0; i < count; i++)
    bins[Math.floor((10 * Number(batch.timeTicks[i]! - 1n)) / 20_480_000_000_000)]++;
  // a bin has mean 10,000 and deviation sqrt(100000 x 0.1 x 0.9) = 95
  for (const found of bins) assert.ok(Math.abs(found - 10_000) < 475, `${bins}`);
  assert.equal(
    [...batch.pfns].sort((a, b) => a - b),
    Array.from({ length: count }, (_, k) => k),
  );
  // neighbours in time are not neighbours in memory: the mean distance of two random pages is count / 3
  let distance = 0;
  for (let i = 1; i < count; i++) distance += Math.abs(batch.pfns[i]! - batch.pfns[i - 1]!);
  assert.ok(Math.abs(distance / count - count / 3) < count / 100);
  const other = play(trace, { seed: 2 }).next()!;
  assert.is.not(other.timeTicks[0], batch.timeTicks[0]);
});

test("epochs of any length: none, one microsecond, a thousand seconds", () => {
  const none = play(oneEpoch(0, 50)).next()!;
  assert.equal(
    [...none.pfns],
    Array.from({ length: 50 }, (_, k) => k),
  );
  assert.ok(none.timeTicks.every((at) => at === 0n));
  for (const endUs of [1, 1_000_000_000]) {
    const batch = play(oneEpoch(endUs, 5000)).next()!;
    const end = BigInt(endUs) * 1_024_000_000n;
    for (let i = 0; i < 5000; i++) {
      assert.ok(batch.timeTicks[i]! > 0n && batch.timeTicks[i]! <= end);
      assert.ok(i === 0 || batch.timeTicks[i]! >= batch.timeTicks[i - 1]!);
    }
    // the latest of 5000 lies in the last hundredth but with probability 0.99^5000
    assert.ok(batch.timeTicks[4999]! > (end * 99n) / 100n);
  }
  // 2^63 ticks are 9007.2 s
  assert.throws(() => play(oneEpoch(9_008_000_000, 1)).next(), RangeError);
});

test("epochs of one tick: all events at its end, by pfn, across tiles", () => {
  // 1 us is 1,024,000,000 ticks, played that much faster; so is the nominal epoch: delays are 0
  const batch = play(oneEpoch(1, 40, 1000), { tile: 2, speed: [1_024_000_000, 1] }).next()!;
  assert.equal([batch.startTicks, batch.endTicks, batch.count], [0n, 1n, 80]);
  assert.ok(batch.timeTicks.every((at) => at === 1n));
  assert.equal(
    [...batch.pfns],
    Array.from({ length: 80 }, (_, k) => k),
  );
});

test("speed divides all times, rounding down", () => {
  const ends = (speed: [number, number]): bigint[] =>
    [...batches(play(redis, { speed }))].map((b) => b.endTicks);
  const normal = ends([1, 1]);
  assert.equal(
    ends([2, 1]),
    normal.map((t) => t / 2n),
  );
  assert.equal(
    ends([3, 7]),
    normal.map((t) => (t * 7n) / 3n),
  );
  for (const speed of [
    [0, 1],
    [1, 0],
    [1.5, 1],
    [-1, 1],
  ] as [number, number][]) {
    assert.throws(() => play(redis, { speed }), /speed: must be a positive ratio/);
  }
});

test("tiles are the same guest side by side, each later by its own time below one epoch", () => {
  const nominal = 101_000n * 1_024_000_000n;
  const times = (stream: GuestStream): Map<number, [bigint, number, Uint8Array | null][]> => {
    const found = new Map<number, [bigint, number, Uint8Array | null][]>();
    for (const batch of batches(stream)) {
      for (let i = 0; i < batch.count; i++) {
        const pfn = batch.pfns[i]!;
        if (!found.has(pfn)) found.set(pfn, []);
        found.get(pfn)!.push([batch.timeTicks[i]!, batch.flags[i]!, batch.content(i)]);
      }
    }
    return found;
  };
  const single = times(play(redis));
  const tiled = times(play(redis, { tile: 4 }));
  assert.is(tiled.size, 4 * single.size);
  const delays = new Set<bigint>();
  for (const [pfn, events] of single) {
    for (let k = 0; k < 4; k++) {
      const copy = tiled.get(pfn + k * redis.pages)!;
      assert.is(copy.length, events.length);
      events.forEach(([at, flags, body], i) => {
        const [copyAt, copyFlags, copyBody] = copy[i]!;
        delays.add(copyAt - at);
        assert.is(copyFlags, flags);
        assert.ok(body === null ? copyBody === null : Buffer.compare(body, copyBody!) === 0);
      });
    }
  }
  // one delay a tile: none for the first, all different, all below one epoch
  assert.is(delays.size, 4);
  assert.ok(delays.has(0n) && [...delays].every((d) => d >= 0n && d < nominal));
});

test("applying the stream to the initial image gives the recorded final image, in every tile", () => {
  const stream = play(redis, { tile: 2, seed: 9 });
  const image = Buffer.alloc(stream.pages * 4096, 0xee);
  let covered = 0;
  for (const block of stream.initial()) {
    covered += block.count;
    for (let i = 0; i < block.count; i++) image.set(block.content(i), (block.firstPfn + i) * 4096);
  }
  assert.is(covered, 2 * redis.pages);
  const half = redis.pages * 4096;
  const sha = (from: number): string =>
    createHash("sha256")
      .update(image.subarray(from, from + half))
      .digest("hex");
  assert.equal([sha(0), sha(half)], [redis.metadata.initialImageSha256, redis.metadata.initialImageSha256]);
  for (const batch of batches(stream)) {
    for (let i = 0; i < batch.count; i++) {
      const body = batch.content(i);
      const at = batch.pfns[i]! * 4096;
      if (batch.flags[i]! & EventFlag.same) assert.is(body, null);
      else image.set(body!, at);
      if (batch.flags[i]! & EventFlag.zero) assert.ok(image.subarray(at, at + 4096).every((b) => b === 0));
    }
  }
  assert.equal([sha(0), sha(half)], [redis.metadata.finalImageSha256, redis.metadata.finalImageSha256]);
});

test("a body stays what it was after later epochs", () => {
  const kept: [Uint8Array, string][] = [];
  const sha = (body: Uint8Array): string => createHash("sha256").update(body).digest("hex");
  for (const batch of batches(play(redis))) {
    for (let i = 0; i < batch.count; i++) {
      const body = batch.content(i);
      if (body !== null) kept.push([body, sha(body)]);
    }
  }
  assert.is(kept.length, 3633 - 1100, "all listed pages but those that are SAME");
  for (const [body, before] of kept) assert.is(sha(body), before);
});

test("loop plays the trace again behind its end, with new instants; idle and fail end", () => {
  const stream = play(redis, { atEnd: "loop", tile: 2 });
  assert.is(stream.endTicks, null);
  const end = 3_316_533n * 1_024_000_000n;
  const two = [...batches(stream, 2 * redis.epochs)];
  for (let k = 0; k < redis.epochs; k++) {
    assert.is(two[k + redis.epochs]!.endTicks, two[k]!.endTicks + end);
  }
  const writes = two.reduce((sum, b) => sum + b.pfns.filter((pfn) => pfn < redis.pages).length, 0);
  assert.is(writes, 2 * redis.events);
  const first = (b: GuestBatch): number => Number(b.timeTicks[0]! - b.startTicks);
  assert.is.not(first(two[0]!), first(two[redis.epochs]!));
  for (const atEnd of ["idle", "fail"] as const) {
    const once = play(redis, { atEnd });
    assert.is([...batches(once)].length, redis.epochs);
    assert.equal([once.next(), once.atEnd, once.endTicks], [null, atEnd, end]);
  }
});

test("a fork is the same stream again, whatever was read before it", () => {
  const digest = (stream: GuestStream): string => {
    const running = createHash("sha256");
    for (const b of batches(stream)) {
      for (const part of [b.timeTicks, b.pfns, b.flags, b.contentIds])
        running.update(new Uint8Array(part.buffer));
      for (let i = 0; i < b.count; i++) running.update(b.content(i) ?? "same");
    }
    return running.digest("hex");
  };
  const stream = play(redis, { tile: 2 });
  const early = stream.fork();
  const expected = digest(stream);
  assert.equal(
    [digest(early), digest(stream.fork()), digest(play(redis, { tile: 2 }))],
    [expected, expected, expected],
  );
  assert.is.not(digest(play(redis, { tile: 2, seed: 2 })), expected);
});

test("refuses tiles beyond 2^32 pages", () => {
  assert.throws(() => play(redis, { tile: 0 }), RangeError);
  assert.throws(() => play(redis, { tile: 1.5 }), RangeError);
  assert.throws(() => play(redis, { tile: Math.ceil(2 ** 32 / redis.pages) }), RangeError);
});

test.run();
