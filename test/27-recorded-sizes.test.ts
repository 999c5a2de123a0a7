// SPDX-License-Identifier: Apache-2.0
// CSIZ chunks in `sized` runs: of pages without bodies, what the run's compressor made of them when the trace
// was recorded is what they take; of another compressor's, stand-ins as ever.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { guestStream, isGood, type Result, simulate } from "../src/index.ts";
import { GuestRefused } from "../src/trace/errors.ts";
import { KEEP_CONTENT, recordedSize } from "../src/trace/events.ts";
import { openMdt } from "../src/trace/mdt-reader.ts";
import { bytesSource } from "../src/trace/source.ts";
import { inputOf, redis, stat } from "./lib/migrate.ts";
import { buildFile, type ChunkSpec } from "./lib/trace-build.ts";

const at = (timeUs: number, type: string, items: number, raw: readonly number[]): ChunkSpec => ({
  type,
  timeUs,
  items,
  raw,
});
/** ULEB128 of a size below 16384. */
const size = (n: number): number[] => (n < 128 ? [n] : [128 + (n % 128), n >> 7]);
const name = (compressor: string): number[] => [compressor.length, ...Buffer.from(compressor)];

/** 6 pages. At first 0, 1000, 4096, 2000, 4095 and 77 bytes; at 1 ms pages 0 and 2 have 500 and are zero. */
function trace(compressor: string) {
  const first = [0, 1000, 4096, 2000, 4095, 77].flatMap(size);
  const file = buildFile({
    pages: 6,
    metadata: { contents: "none" },
    chunks: [
      at(0, "CSIZ", 6, [...name(compressor), 1, 0, 5, ...first]),
      at(1000, "EPOC", 1, [0, 2, 0, 0, 1, 0]),
      at(1000, "CSIZ", 2, [...name(compressor), 2, 0, 0, 1, 0, ...size(500), ...size(0)]),
    ],
  });
  return openMdt(bytesSource(file), "sizes");
}

const SIZED = { guest: redis, content: "sized", migration: { startAt: "2 ms" } };

function run(compressor: string, scenario: object): Result {
  const input = inputOf({ ...SIZED, ...scenario });
  const result = simulate({ ...input, stream: guestStream(input.scenario, trace(compressor)) });
  assert.ok(isGood(result), JSON.stringify(result.check));
  return result;
}

test("the bytes of pages are the recorded sizes of the run's compressor, to the byte", () => {
  const result = run("lz4-sw", { compress: { engine: "lz4-sw" } });
  // a record: header 16, tag 16. Pages: 500, 1000, 2000 and 77 coded, 4095 saves too little and is raw, one
  // is zero; and the ends of two rounds
  const pages = 500 + 1000 + 2000 + 77 + 4096;
  assert.is(stat(result, "source.link.recordBytes.pages"), pages + 32 * (6 + 2));
  assert.is(stat(result, "source.card.zero.pages"), 1);
  assert.is(result.check.contentCapturedPercent, 100);
});

test("sizes of another compressor, or where bytes are carried, are not taken: stand-ins are", () => {
  const taken = run("lz4-sw", { compress: { engine: "lz4-sw" } });
  const cases: [string, object][] = [
    ["zstd-1", { compress: { engine: "lz4-sw" } }],
    [
      "lz4-sw",
      { compress: { engine: "bf2-deflate" }, destination: { card: "bluefield2-like" }, encrypt: "off" },
    ],
    ["lz4-hw", { compress: { engine: "lz4-hw" } }],
    ["lz4-sw", { compress: { engine: "lz4-sw" }, content: "full" }],
  ];
  for (const [compressor, scenario] of cases) {
    const other = run(compressor, scenario);
    assert.is(other.check.contentCapturedPercent, 0, compressor);
    const bytes = (result: Result): number => stat(result, "source.link.recordBytes.pages");
    assert.is.not(bytes(other), bytes(taken));
  }
});

test("a stream has sizes for ids, in the first image, in epochs and in every tile", () => {
  const { scenario } = inputOf({ ...SIZED, compress: { engine: "lz4-sw" }, guest: { ...redis, tile: 2 } });
  const stream = guestStream(scenario, trace("lz4-sw"));
  const initial: (number | null)[] = [];
  for (const block of stream.initial())
    for (let i = 0; i < block.count; i++) initial[block.firstPfn + i] = recordedSize(block.contentIds[i]!);
  const first = [null, 1000, 4096, 2000, 4095, 77];
  assert.equal(initial, [...first, ...first]);
  const written = new Map<number, number | null>();
  for (let batch = stream.next(); batch !== null; batch = stream.next()) {
    for (let i = 0; i < batch.count; i++) {
      assert.is(
        batch.content(i)?.every((byte) => byte === 0) ?? null,
        batch.contentIds[i] === 0 ? true : null,
      );
      written.set(batch.pfns[i]!, recordedSize(batch.contentIds[i]!));
    }
  }
  assert.equal(
    [...written].sort(([a], [b]) => a - b),
    [
      [0, 500],
      [2, null],
      [6, 500],
      [8, null],
    ],
  );
  assert.is(recordedSize(KEEP_CONTENT), null);
});

test("deltas are made of bytes: a trace without them is refused", () => {
  const { scenario } = inputOf({ ...SIZED, delta: { xbzrle: {} } });
  assert.throws(
    () => guestStream(scenario, trace("lz4-sw")),
    (fault: unknown) =>
      fault instanceof GuestRefused &&
      fault.key === "delta" &&
      fault.message === "needs the bytes of every version, and the trace has not; write off",
  );
});

test.run();
