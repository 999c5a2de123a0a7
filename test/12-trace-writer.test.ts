// SPDX-License-Identifier: Apache-2.0
// Writer to reader, for any memory history; and the codecs and digests below them against Node's.
import { createHash } from "node:crypto";
import * as zlib from "node:zlib";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { crc32 } from "../src/trace/crc32.ts";
import { deflateRaw } from "../src/trace/deflate.ts";
import { portableSha256, sha256 } from "../src/trace/digest.ts";
import { encodeDelta, encodePageList } from "../src/trace/encode.ts";
import { epochBody, Kind } from "../src/trace/epoch.ts";
import { Malformed } from "../src/trace/errors.ts";
import { inflateRaw } from "../src/trace/inflate.ts";
import { openMdt } from "../src/trace/mdt-reader.ts";
import { MdtWriter } from "../src/trace/mdt-writer.ts";
import { applyDelta, Cursor } from "../src/trace/payload.ts";
import { epochs } from "../src/trace/replay.ts";
import { memorySink } from "../src/trace/sink.ts";
import { bytesSource } from "../src/trace/source.ts";
import { verifyTrace } from "../src/trace/verify.ts";

const data = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc.array(fc.constantFrom(1, 2, 3), { maxLength: 3000 }).map((a) => Uint8Array.from(a)),
  fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(300)).map(([a, n]) => {
    const out = new Uint8Array(a.length * n);
    for (let k = 0; k < n; k++) out.set(a, k * a.length);
    return out;
  }),
);
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

test("CRC-32: the check value of the standard, Node's value, and any split", () => {
  assert.is(crc32(Buffer.from("123456789")), 0xcbf43926);
  fc.assert(
    fc.property(data, fc.nat(3000), (bytes, cut) => {
      assert.is(crc32(bytes), zlib.crc32(bytes));
      assert.is(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))), zlib.crc32(bytes));
    }),
  );
});

test("SHA-256: the standard's example, every length to 200 and every split of 130 bytes", () => {
  const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  for (const make of [sha256, portableSha256]) {
    const running = make();
    running.update(Buffer.from("abc"));
    assert.is(running.hex(), abc);
  }
  const bytes = Uint8Array.from({ length: 200 }, (_, k) => (k * 37) & 255);
  const node = (b: Uint8Array): string => createHash("sha256").update(b).digest("hex");
  for (let length = 0; length <= 200; length++) {
    const running = portableSha256();
    running.update(bytes.subarray(0, length));
    assert.is(running.hex(), node(bytes.subarray(0, length)));
  }
  for (let cut = 0; cut <= 130; cut++) {
    const running = portableSha256();
    running.update(bytes.subarray(0, cut));
    running.update(bytes.subarray(cut, 130));
    assert.is(running.hex(), node(bytes.subarray(0, 130)));
  }
});

test("inflate reads what Node deflates, at every level and strategy", () => {
  const { Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE } = zlib.constants;
  fc.assert(
    fc.property(
      data,
      fc.constantFrom(0, 1, 6, 9),
      fc.constantFrom(Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE),
      (bytes, level, strategy) => {
        assert.ok(same(inflateRaw(zlib.deflateRawSync(bytes, { level, strategy }), bytes.length), bytes));
      },
    ),
  );
  const large = Uint8Array.from({ length: 200_000 }, (_, k) => (k * k) >>> 9);
  assert.ok(same(inflateRaw(zlib.deflateRawSync(large), large.length), large));
});

test("Node inflates what deflate writes", () => {
  fc.assert(
    fc.property(data, (bytes) => {
      const packed = deflateRaw(bytes);
      assert.ok(same(zlib.inflateRawSync(packed), bytes));
      assert.ok(same(inflateRaw(packed, bytes.length), bytes));
    }),
  );
  assert.ok(deflateRaw(new Uint8Array(65536)).length < 700, "258 zeros in 13 bits: 254 matches, 413 bytes");
});

test("inflate refuses damage, never hangs and never grows past the declared length", () => {
  const bytes = Buffer.from("the quick page and the slow page and the quick page again ".repeat(20));
  const packed = zlib.deflateRawSync(bytes);
  const refuse = (input: Uint8Array, length: number): void =>
    assert.throws(
      () => inflateRaw(input, length),
      (fault: unknown) => fault instanceof Malformed,
    );
  for (let cut = 0; cut < packed.length; cut++) refuse(packed.subarray(0, cut), bytes.length);
  refuse(Buffer.concat([packed, Buffer.of(0)]), bytes.length);
  refuse(packed, bytes.length - 1);
  refuse(packed, bytes.length + 1);
  refuse(zlib.deflateRawSync(Buffer.alloc(10_000_000)), 1000);
  refuse(Buffer.of(7), 0);
  refuse(Buffer.of(1, 5, 0, 0, 0), 5);
  fc.assert(
    fc.property(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const damaged = Uint8Array.from(packed);
      damaged[at]! ^= change;
      try {
        assert.is(inflateRaw(damaged, bytes.length).length, bytes.length);
      } catch (fault) {
        assert.instance(fault, Malformed);
      }
    }),
  );
});

test("page lists and deltas come back", () => {
  const pfns = fc.uniqueArray(fc.nat(500), { maxLength: 100 }).map((a) => a.sort((x, y) => x - y));
  fc.assert(
    fc.property(pfns, (list) => {
      const cursor = new Cursor(encodePageList(list));
      assert.equal([...cursor.pageList(501)], list);
      cursor.end();
    }),
  );
  const page = fc
    .array(fc.constantFrom(0, 0, 0, 1, 2), { minLength: 64, maxLength: 64 })
    .map((a) => Uint8Array.from(a));
  fc.assert(
    fc.property(page, page, (before, after) => {
      const delta = encodeDelta(before, after);
      const made = before.slice();
      applyDelta(delta, made, 64);
      assert.equal(made, after);
      assert.ok(same(before, after) ? delta.length === 0 : delta.length > 2);
    }),
  );
  assert.equal([...encodePageList([0, 1, 2, 5])], [2, 0, 2, 2, 0]);
});

/** A page after a write: a new body, a byte changed, zero (null), the same, or given back. */
interface Write {
  pfn: number;
  what: "new" | "edit" | "zero" | "same" | "free";
  value: number;
}
const pagesMax = 12;
const history = fc.record({
  resident: fc.uniqueArray(fc.nat(pagesMax - 1)),
  epochs: fc.array(
    fc.uniqueArray(
      fc.record({
        pfn: fc.nat(pagesMax - 1),
        what: fc.constantFrom<Write["what"]>("new", "edit", "zero", "same", "free"),
        value: fc.integer({ min: 1, max: 255 }),
      }),
      { selector: (w) => w.pfn },
    ),
    { maxLength: 5 },
  ),
  deltas: fc.boolean(),
  compress: fc.boolean(),
  checkpoint: fc.boolean(),
});

const zero: Uint8Array = new Uint8Array(4096);
function written(before: Uint8Array, { what, value }: Write): Uint8Array {
  if (what === "same") return before;
  if (what === "zero" || what === "free") return zero;
  const now = what === "new" ? new Uint8Array(4096).fill(value) : before.slice();
  if (what === "edit") now[value * 16] = now[value * 16]! ^ value;
  return now;
}

test("any history is written, verified and replayed as it was", () => {
  fc.assert(
    fc.property(history, ({ resident, epochs: steps, deltas, compress, checkpoint }) => {
      const image = Array.from({ length: pagesMax }, () => zero);
      const sink = memorySink();
      const options = { pages: pagesMax, pageShift: 12, contents: "complete", nominalEpochNs: 1e6 } as const;
      const writer = new MdtWriter(sink, { ...options, metadata: { workload: "test" }, deltas, compress });
      const sorted = Uint32Array.from(resident).sort();
      for (const pfn of sorted) if (pfn % 3 > 0) image[pfn] = new Uint8Array(4096).fill(pfn);
      writer.initial(sorted, (pfn) => (pfn % 3 > 0 ? image[pfn]! : null));
      const expected: Uint8Array[][] = [];
      steps.forEach((step, k) => {
        for (const write of step) image[write.pfn] = written(image[write.pfn]!, write);
        const pfns = Uint32Array.from(step, (w) => w.pfn).sort();
        const freed = step
          .filter((w) => w.what === "free")
          .map((w) => w.pfn)
          .sort((a, b) => a - b);
        writer.epoch(1000 * (k + 1), pfns, (pfn) => (image[pfn] === zero ? null : image[pfn]!), freed);
        if (checkpoint) writer.checkpoint();
        expected.push(image.slice());
      });
      assert.is(writer.finish(), sink.bytes().length);
      check(sink.bytes(), steps, expected, checkpoint);
    }),
    { numRuns: 150 },
  );
});

function check(bytes: Uint8Array, steps: Write[][], expected: Uint8Array[][], checkpoint: boolean): void {
  const found = verifyTrace(bytesSource(bytes), "w");
  assert.equal([found.epochs, found.checkpoints], [steps.length, checkpoint ? steps.length : 0]);
  const trace = openMdt(bytesSource(bytes), "w");
  for (const epoch of epochs(trace, null)) {
    assert.equal(
      [...epoch.pfns],
      steps[epoch.index]!.map((w) => w.pfn).sort((a, b) => a - b),
    );
    epoch.pfns.forEach((pfn, i) => {
      const now = expected[epoch.index]![pfn]!;
      const before = expected[epoch.index - 1]?.[pfn];
      const { what } = steps[epoch.index]!.find((w) => w.pfn === pfn)!;
      const kind = epoch.kinds[i];
      assert.is(kind === Kind.free, what === "free");
      if (kind === Kind.body) assert.ok(same(epochBody(epoch, i)!, now));
      else if (kind === Kind.same) assert.ok(before === undefined || same(before, now));
      else assert.ok(same(now, zero));
    });
  }
}

test("refuses epochs that do not advance and freed pages that are not zero", () => {
  const options = { pages: 2, pageShift: 12, contents: "complete", nominalEpochNs: 0, metadata: {} } as const;
  const writer = new MdtWriter(memorySink(), { ...options, deltas: true, compress: true });
  writer.initial(new Uint32Array(0), () => null);
  const one = new Uint8Array(4096).fill(1);
  assert.throws(() => writer.epoch(0, new Uint32Array(0), () => null), /is not after 0 us/);
  assert.throws(() => writer.epoch(5, Uint32Array.of(1), () => one, [1]), /pfn 1 is given back and not zero/);
});

test.run();
