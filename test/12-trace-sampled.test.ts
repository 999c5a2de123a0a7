// SPDX-License-Identifier: Apache-2.0
// Traces that do not carry every version, 1.0 files in the first place: order, what is known, what stands
// in.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { epochBody, Kind } from "../src/trace/epoch.ts";
import { EventFlag, type GuestStream } from "../src/trace/events.ts";
import { type MdtTrace, openMdt } from "../src/trace/mdt-reader.ts";
import { epochs } from "../src/trace/replay.ts";
import { drawPool, SampledIndex } from "../src/trace/sampled-index.ts";
import { bytesSource } from "../src/trace/source.ts";
import { traceStream } from "../src/trace/stream-trace.ts";
import { bodies, buildFile, type ChunkSpec, page } from "./lib/trace-build.ts";

/**
 * 1.0: 8 pages; epochs end at 100 (page 0), 200 (pages 0, 1), 350 (page 2), 400 (page 0); out of order.
 * Bodies: a at 500 (pages 2 and 5), b at 200 (page 0), c at 300 (page 1), d at 390 (page 0, inside the epoch
 * that writes it), e at 100 (page 0, zero).
 */
const chunks: ChunkSpec[] = [
  { type: "ZMAP", timeUs: 500, items: 8, raw: [0b11001000] },
  {
    type: "PAGE",
    timeUs: 500,
    items: 2,
    raw: bodies([
      [2, page(97)],
      [5, page(97)],
    ]),
    codec: 1,
  },
  { type: "EPOC", timeUs: 350, items: 2, raw: [0, 1, 2, 0, 50, 1, 0, 0] },
  { type: "PAGE", timeUs: 300, items: 1, raw: bodies([[1, page(99)]]) },
  { type: "EPOC", timeUs: 100, items: 2, raw: [0, 1, 0, 0, 100, 1, 0, 1] },
  { type: "PAGE", timeUs: 390, items: 1, raw: bodies([[0, page(100)]]) },
  { type: "PAGE", timeUs: 200, items: 1, raw: bodies([[0, page(98)]]) },
  { type: "PAGE", timeUs: 100, items: 1, raw: bodies([[0, []]]) },
];
const metadata = {};
const file = (list: ChunkSpec[], rest = {}): MdtTrace =>
  openMdt(bytesSource(buildFile({ pages: 8, minor: 0, metadata, chunks: list, ...rest })), "s");
const play = (trace: MdtTrace, mix = { zero: 1, text: 1, random: 1 }, seed = 1): GuestStream =>
  traceStream(trace, { tile: 1, speed: { numerator: 1, denominator: 1 }, seed, atEnd: "idle", mix });

test("a 1.0 file is replayed in time order, bodies with the version that they show", () => {
  const trace = file(chunks);
  assert.equal([trace.contents, trace.epochs, trace.events, trace.endTimeUs], ["sampled", 4, 5, 400]);
  const index = new SampledIndex(trace);
  const seen = [...epochs(trace, index)].map((epoch) => [
    epoch.startUs,
    epoch.endUs,
    [...epoch.pfns].map((pfn, i) => [pfn, epoch.kinds[i], epochBody(epoch, i)?.[0] ?? null]),
  ]);
  assert.equal(seen, [
    [0, 100, [[0, Kind.zero, null]]],
    [
      100,
      200,
      [
        [0, Kind.body, 98],
        [1, Kind.body, 99],
      ],
    ],
    [200, 350, [[2, Kind.body, 97]]],
    [350, 400, [[0, Kind.unknown, null]]],
  ]);
  // page 5 is never written: its body at 500 is what it held from the start
  assert.equal(
    index.late.map(({ version, pfn }) => [version, pfn]),
    [
      [0, 5],
      [2, 1],
      [3, 2],
    ],
  );
});

test("initial pages: known body, zero by the map, or a stand-in that is not zero", () => {
  const stream = play(file(chunks));
  const pool = [97, 98, 99, 100];
  let blocks = 0;
  for (const block of stream.initial()) {
    assert.equal([blocks++, block.firstPfn, block.count], [0, 0, 8]);
    for (let pfn = 0; pfn < 8; pfn++) {
      const first = block.content(pfn)[0]!;
      const flags = block.flags[pfn]!;
      if (pfn === 5) assert.equal([first, flags], [97, 0]);
      else if ([3, 6, 7].includes(pfn))
        assert.equal([first, flags], [0, EventFlag.zero | EventFlag.estimated]);
      else assert.equal([pool.includes(first), flags], [true, EventFlag.estimated]);
    }
  }
});

test("the version that was not recorded is an estimate from the file's own bodies, seeded", () => {
  const trace = file(chunks);
  const chosen = new Set<number>();
  for (let seed = 0; seed < 40; seed++) {
    const stream = play(trace, undefined, seed);
    const batches = [stream.next()!, stream.next()!, stream.next()!, stream.next()!];
    assert.is(stream.next(), null);
    assert.equal(
      batches.map((b) => b.flags[0]),
      [EventFlag.zero, 0, 0, EventFlag.estimated],
    );
    const body = batches[3]!.content(0)![0]!;
    assert.is(stream.fork().next()!.timeTicks[0], batches[0]!.timeTicks[0]);
    chosen.add(body);
  }
  // four bodies, 40 draws: one missing has probability 4 x 0.75^40 = 4e-5
  assert.equal([...chosen].sort(), [100, 97, 98, 99]);
});

test("the pool is every n-th recorded body", () => {
  const many = Array.from({ length: 3000 }, (_, k) => [k % 8, page(1 + (k % 250))] as const);
  const list: ChunkSpec[] = [{ type: "EPOC", timeUs: 10, items: 1, raw: [0, 0] }];
  for (let at = 0; at < 3000; at += 100) {
    list.push({ type: "PAGE", timeUs: 10, items: 100, raw: bodies(many.slice(at, at + 100)), codec: 1 });
  }
  const pool = drawPool(file(list));
  assert.is(pool.bodies.length, 1024);
  for (const [j, body] of pool.bodies.entries()) {
    assert.is(body[0], 1 + (Math.floor((j * 3000) / 1024) % 250));
  }
});

test("a trace without bodies: classes by weight, zero state from the map where there is one", () => {
  const pages = 2000;
  // one epoch with all pages: gap 0, length - 1 = 1999
  const all: ChunkSpec = { type: "EPOC", timeUs: 10, items: 1, raw: [0, 1, 0, 0xcf, 0x0f] };
  const share = (stream: GuestStream): number[] => {
    const batch = stream.next()!;
    let [zero, text, random] = [0, 0, 0];
    for (let i = 0; i < batch.count; i++) {
      const body = batch.content(i)!;
      if (body.every((b) => b === 0)) zero++;
      else if (body.every((b) => b < 128)) text++;
      else random++;
      assert.is(
        (batch.flags[i]! & EventFlag.zero) !== 0,
        body.every((b) => b === 0),
      );
      assert.ok(batch.flags[i]! & EventFlag.estimated);
    }
    return [zero, text, random];
  };
  const [zero, text, random] = share(play(file([all], { pages }), { zero: 50, text: 30, random: 20 }));
  // 2000 draws: means 1000, 600, 400; five standard deviations are at most 112
  for (const [found, mean] of [
    [zero, 1000],
    [text, 600],
    [random, 400],
  ]) {
    assert.ok(Math.abs(found! - mean!) < 112, `${found} of ${mean}`);
  }
  const map = { type: "ZMAP", timeUs: 10, items: pages, raw: Buffer.alloc(250, 0x0f) };
  const mapped = share(play(file([map, all], { pages }), { zero: 50, text: 30, random: 20 }));
  assert.is(mapped[0], 1000, "exactly the pages of the map");
  // 1000 draws of 3:2, mean 600, five standard deviations 78
  assert.ok(Math.abs(mapped[1]! - 600) < 78, `${mapped[1]} of 600`);
});

test("each unknown version of a page has its own stand-in", () => {
  const list = Array.from({ length: 40 }, (_, k) => ({
    type: "EPOC",
    timeUs: 10 * (k + 1),
    items: 1,
    raw: [0, 1, 3, 0],
  }));
  const stream = play(file(list));
  const ids = new Set<number>();
  for (let batch = stream.next(); batch !== null; batch = stream.next()) ids.add(batch.contentIds[0]!);
  // zeros in a third of 40 draws, else one of 2048 bodies: about 27 different ones
  assert.ok(ids.size > 15 && ids.size < 38, `${ids.size}`);
});

test("epochs of overlapping chunks are merged by time", () => {
  const first = { type: "EPOC", timeUs: 10, items: 3, raw: [0, 1, 0, 0, 20, 1, 1, 0, 20, 1, 2, 0] };
  const second = { type: "EPOC", timeUs: 20, items: 2, raw: [0, 1, 3, 0, 20, 1, 4, 0] };
  const ends = [...epochs(file([second, first]), null)].map(({ endUs, pfns }) => [endUs, pfns[0]]);
  assert.equal(ends, [
    [10, 0],
    [20, 3],
    [30, 1],
    [40, 4],
    [50, 2],
  ]);
});

test("SAME and FREE: only pages of an epoch that ends at their time", () => {
  const epoch = { type: "EPOC", timeUs: 100, items: 1, raw: [0, 1, 0, 1] };
  const list = (type: string, timeUs: number, pfn: number): ChunkSpec => ({
    type,
    timeUs,
    items: 1,
    raw: [1, pfn, 0],
  });
  const kinds = (extra: ChunkSpec[]): number[] => {
    const trace = file([epoch, ...extra], { metadata: { contents: "sampled" } });
    return [...epochs(trace, new SampledIndex(trace))].flatMap((e) => [...e.kinds]);
  };
  assert.equal(kinds([list("FREE", 100, 0), list("SAME", 100, 1)]), [Kind.free, Kind.same]);
  // a page given back stays that where its zeros are recorded too
  const zeros = { type: "PAGE", timeUs: 100, items: 1, raw: bodies([[0, []]]) };
  assert.equal(kinds([zeros, list("FREE", 100, 0)]), [Kind.free, Kind.unknown]);
  assert.throws(() => kinds([list("SAME", 100, 2)]), /pfn 2 is not in the list of epoch 0/);
  assert.throws(() => kinds([list("SAME", 90, 1)]), /SAME is at 90 us, where no epoch ends/);
  assert.throws(() => kinds([list("FREE", 110, 1)]), /after the last epoch/);
});

test("larger pages are read and not played", () => {
  const trace = file([{ type: "EPOC", timeUs: 1, items: 1, raw: [0, 1, 0, 0] }], { pageShift: 21 });
  assert.is(trace.pageBytes, 2 ** 21);
  assert.throws(() => play(trace), /page_shift is 21; only traces of 4 KiB/);
});

test.run();
