// SPDX-License-Identifier: Apache-2.0
// READ, HASH and CSIZ chunks: what the writer writes is what a slow reader reads, hashes are compared with
// contents, rules are kept, and no change of a byte gives anything but a line that says what is wrong.
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { hashTable, pageHash, sizeTable } from "../src/trace/annotations.ts";
import { TraceError } from "../src/trace/errors.ts";
import { traceInfo } from "../src/trace/info.ts";
import { loadChunk, openMdt } from "../src/trace/mdt-reader.ts";
import { MdtWriter } from "../src/trace/mdt-writer.ts";
import { onlyPageList } from "../src/trace/payload.ts";
import { memorySink } from "../src/trace/sink.ts";
import { bytesSource } from "../src/trace/source.ts";
import { verifyTrace } from "../src/trace/verify.ts";
import { slowChunks, slowHash, slowHashes, slowList, slowSizes } from "./lib/reference/annotations.ts";
import { bodies, buildFile, type ChunkSpec, type FileSpec, page } from "./lib/trace-build.ts";

const hash64 = (byte: number): Buffer => Buffer.from(slowHash(page(byte)), "hex");
const LZ4 = [3, ...Buffer.from("lz4")];
const hex = "0".repeat(64);
const complete = { contents: "complete", finalImageSha256: hex };
const at = (timeUs: number, type: string, items: number, raw: readonly number[]): ChunkSpec => ({
  type,
  timeUs,
  items,
  raw,
});

/** 4 pages, page 1 = "b" at 0. Epoch 1000: pages 0 and 2 become "c", page 2 "d". Annotated throughout. */
const good = (): ChunkSpec[] => [
  at(0, "ZMAP", 4, [0b1101]),
  { ...at(0, "PAGE", 1, []), raw: bodies([[1, page(98)]]) },
  at(0, "HASH", 2, [1, 0, 1, ...hash64(0), ...hash64(98)]),
  at(0, "CSIZ", 2, [...LZ4, 1, 0, 1, 0, 40]),
  at(1000, "EPOC", 1, [0, 2, 0, 0, 1, 0]),
  {
    ...at(1000, "PAGE", 2, []),
    raw: bodies([
      [0, page(99)],
      [2, page(100)],
    ]),
  },
  at(1000, "READ", 2, [1, 1, 1]),
  at(1000, "HASH", 2, [2, 0, 0, 1, 0, ...hash64(99), ...hash64(100)]),
  at(1000, "CSIZ", 1, [...LZ4, 1, 2, 0, 0x80, 0x20]),
  at(2000, "EPOC", 1, [0, 0]),
  at(2000, "READ", 1, [1, 0, 0]),
];
const finalSha = (() => {
  const sink = memorySink();
  const writer = new MdtWriter(sink, { ...shape(4, "complete"), deltas: false, compress: false });
  writer.initial(Uint32Array.of(0, 1, 2), (pfn) => page([99, 98, 100][pfn]!));
  writer.finish();
  return openMdt(bytesSource(sink.bytes()), "f").metadata.finalImageSha256;
})();
function shape(pages: number, contents: "complete" | "none") {
  return { pages, pageShift: 12, contents, nominalEpochNs: 0, metadata: {} } as const;
}
const file = (chunks: ChunkSpec[], rest: Partial<FileSpec> = {}): Buffer =>
  buildFile({ pages: 4, metadata: { ...complete, finalImageSha256: finalSha }, chunks, ...rest });
const sampled = { metadata: { contents: "sampled" } };
const verify = (bytes: Uint8Array) => verifyTrace(bytesSource(bytes), "f");

function refused(bytes: Uint8Array, reason: RegExp): void {
  assert.throws(
    () => verify(bytes),
    (fault: unknown) => {
      assert.instance(fault, TraceError, String(fault));
      assert.match((fault as TraceError).message, /^f: offset \d+: [^\n]* \((no|last) whole epoch( \d+)?\)$/);
      assert.match((fault as TraceError).message, reason);
      return true;
    },
  );
}

test("the file that is broken below is good; all its hashes have contents to be compared with", () => {
  const found = verify(file(good()));
  assert.equal([found.hashes, found.hashesCompared], [4, 4]);
  const { annotations } = traceInfo(openMdt(bytesSource(file(good())), "f"));
  // 0 + 40 of the initial image, 4096 of epoch 0
  assert.equal(annotations, {
    firstReads: 3,
    hashes: 4,
    sizes: [{ compressor: "lz4", pages: 3, bytes: 4136 }],
  });
});

test("in a sampled trace a hash is compared where the body is there, and only there", () => {
  const chunks = good().filter(({ timeUs, type }) => timeUs > 0 || type === "HASH");
  assert.equal(verify(file(chunks, sampled)).hashesCompared, 2);
  const without = chunks.filter(({ type }) => type !== "PAGE");
  assert.equal(verify(file(without, sampled)).hashesCompared, 0);
  assert.equal(verify(file(without, { metadata: { contents: "none" } })).hashes, 4);
});

type Change = readonly [name: string, chunk: number, fields: Partial<ChunkSpec>, reason: RegExp];
const both: readonly Change[] = [
  ["a hash of other contents", 7, { raw: [2, 0, 0, 1, 0, ...hash64(99), ...hash64(101)] }, /HASH of pfn 2/],
  ["a hash of a page not written", 7, { items: 1, raw: [1, 1, 0, ...hash64(98)] }, /pfn 1 is not in the/],
  ["a size of a page not written", 8, { raw: [...LZ4, 1, 1, 0, 9] }, /CSIZ: pfn 1 is not in the list/],
  ["hashes cut short", 7, { raw: [2, 0, 0, 1, 0, 1, 2, 3] }, /3 bytes of hashes follow the list; 2 pages/],
  ["hashes counted wrong", 7, { items: 3 }, /says 3 pages, the list holds 2/],
  ["a size above the page's", 8, { raw: [...LZ4, 1, 2, 0, 0x81, 0x20] }, /size of 4097; at most 4096/],
  ["a size too many", 8, { raw: [...LZ4, 1, 2, 0, 5, 5] }, /1 bytes follow the end/],
  ["no name", 8, { raw: [0, 1, 2, 0, 5] }, /name has 0 bytes; legal are 1 to 64/],
  ["a name that runs out", 8, { raw: [9, 1, 2, 0, 5] }, /name has 9 bytes/],
  ["a name with a space", 8, { raw: [3, 97, 32, 98, 1, 2, 0, 5] }, /not printable ASCII/],
  ["a page first read twice", 10, { raw: [1, 1, 0] }, /pfn 1 was read before/],
  ["a read page out of range", 10, { raw: [1, 4, 0] }, /pfn 4 is not below the page count 4/],
  ["a read off the epoch", 10, { timeUs: 2001 }, /READ (is at 2001 us, its epoch|stands after the last)/],
  ["a hash off the epoch", 7, { timeUs: 999 }, /time goes back|HASH is at 999 us, where no epoch ends/],
];
for (const [name, k, fields, reason] of both) {
  test(`refuses: ${name}`, () => {
    const chunks = good();
    Object.assign(chunks[k]!, fields);
    refused(file(chunks), reason);
    const rest = chunks.filter(({ timeUs }) => timeUs > 0);
    refused(file(rest, sampled), reason);
  });
}

test("refuses a hash of the initial image that is not its contents', and a page hashed twice", () => {
  const chunks = good();
  chunks[2]!.raw = [1, 0, 1, ...hash64(0), ...hash64(99)];
  refused(file(chunks), /HASH of pfn 1 is [0-9a-f]{16}, the contents hash to/);
  chunks[2]!.raw = good()[2]!.raw;
  chunks.splice(3, 0, at(0, "HASH", 1, [1, 1, 0, ...hash64(98)]));
  refused(file(chunks), /HASH: pfn 1 follows 1 in one epoch/);
  chunks[3] = at(0, "CSIZ", 1, [1, 122, 1, 1, 0, 7]);
  assert.is(verify(file(chunks)).hashesCompared, 4, "another compressor's sizes of the same page are good");
});

test("refuses annotations before ZMAP and behind the last epoch of a sampled trace", () => {
  refused(file([good()[2]!, ...good()]), /begins with ZMAP, not with HASH/);
  const late = [...good().slice(4, 6), at(9000, "HASH", 1, [1, 0, 0, ...hash64(99)])];
  refused(file(late, sampled), /HASH stands after the last epoch/);
});

const byte = fc.nat(255);
interface Step {
  writes: [pfn: number, value: number, size: number][];
  reads: number[];
}
const history: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    writes: fc.uniqueArray(fc.tuple(fc.nat(7), byte, fc.nat(4096)), { selector: ([pfn]) => pfn }),
    reads: fc.uniqueArray(fc.nat(7)),
  }),
  { minLength: 1, maxLength: 4 },
);

test("what the writer writes, a slow reader reads: lists, hashes, sizes", () => {
  const write = (epochs: Step[], compress: boolean): void => {
    const sink = memorySink();
    const options = { ...shape(8, "complete"), deltas: true, compress, hashes: true };
    const writer = new MdtWriter(sink, options);
    const expected: unknown[] = [];
    const image = Array.from({ length: 8 }, () => 0);
    const body = (pfn: number): Buffer | null => (image[pfn] === 0 ? null : page(image[pfn]!));
    const hashed = (pfns: Uint32Array) => [...pfns].map((pfn) => [pfn, slowHash(page(image[pfn]!))]);
    image[3] = 7;
    writer.initial(Uint32Array.of(0, 3), body);
    expected.push(["HASH", 0, hashed(Uint32Array.of(0, 3))]);
    const seen = new Set<number>();
    epochs.forEach(({ writes, reads }, k) => {
      const timeUs = 10 * (k + 1);
      const sorted = [...writes].sort(([a], [b]) => a - b);
      const pfns = Uint32Array.from(sorted, ([pfn]) => pfn);
      for (const [pfn, value] of sorted) image[pfn] = value;
      writer.epoch(timeUs, pfns, body);
      if (pfns.length > 0) expected.push(["HASH", timeUs, hashed(pfns)]);
      const first = reads.filter((pfn) => !seen.has(pfn)).sort((a, b) => a - b);
      for (const pfn of first) seen.add(pfn);
      writer.reads(Uint32Array.from(first));
      if (first.length > 0) expected.push(["READ", timeUs, first]);
      const sizes = sorted.map(([, , size]) => size);
      writer.sizes("lz4", pfns, sizes);
      const list = sorted.map(([pfn, , size]) => [pfn, size]);
      if (pfns.length > 0) expected.push(["CSIZ", timeUs, { compressor: "lz4", sizes: list }]);
    });
    writer.finish();
    const found = slowChunks(sink.bytes()).flatMap((chunk): unknown[] => {
      const read = { READ: slowList, HASH: slowHashes, CSIZ: slowSizes }[chunk.type];
      return read === undefined ? [] : [[chunk.type, chunk.timeUs, read(chunk)]];
    });
    assert.equal(found, expected);
    const { hashes, hashesCompared } = verify(sink.bytes());
    assert.is(hashesCompared, hashes);
  };
  fc.assert(fc.property(history, fc.boolean(), write), { numRuns: 200 });
});

test("the reader reads what the slow reader reads", () => {
  const bytes = file(good());
  const trace = openMdt(bytesSource(bytes), "f");
  slowChunks(bytes).forEach((slow, k) => {
    const { chunk, raw } = loadChunk(trace, k);
    if (chunk.type === "READ") assert.equal([...onlyPageList(raw, 4, chunk.items)], slowList(slow));
    if (chunk.type === "HASH") {
      const { pfns, hashes } = hashTable(raw, chunk.items, 4);
      const text = [...pfns].map((pfn, i) => {
        const little = Buffer.alloc(8);
        little.writeBigUInt64LE(hashes[i]!);
        return [pfn, little.toString("hex")];
      });
      assert.equal(text, slowHashes(slow));
    }
    if (chunk.type === "CSIZ") {
      const { compressor, pfns, sizes } = sizeTable(raw, chunk.items, 4, 4096);
      assert.equal({ compressor, sizes: [...pfns].map((pfn, i) => [pfn, sizes[i]]) }, slowSizes(slow));
    }
  });
  assert.is(
    pageHash(page(0)).toString(16),
    Buffer.from(slowHash(page(0)), "hex")
      .reverse()
      .toString("hex"),
  );
});

test("the file cut anywhere, or with a bit changed, is one line", () => {
  const bytes = file(good());
  for (let cut = 0; cut < bytes.length; cut++) refused(bytes.subarray(0, cut), /./);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(7), (where, bit) => {
      const damaged = Buffer.from(bytes);
      damaged[where]! ^= 1 << bit;
      // reserved bytes of headers are under a CRC as well
      refused(damaged, /./);
    }),
    { numRuns: 1500 },
  );
});

interface Tamper {
  chunk: number;
  field: "raw" | "timeUs" | "items" | "cut" | "grow";
  where: number;
  value: number;
}

test("any change of a payload, time or count under right checksums is good or a TraceError", () => {
  const change: fc.Arbitrary<Tamper> = fc.record({
    chunk: fc.constantFrom(2, 3, 6, 7, 8, 10),
    field: fc.constantFrom<Tamper["field"]>("raw", "raw", "raw", "timeUs", "items", "cut", "grow"),
    where: fc.nat(30),
    value: fc.oneof(byte, fc.constantFrom(0, 1, 127, 128, 255)),
  });
  let accepted = 0;
  const check = (changes: Tamper[], rest: Partial<FileSpec>): void => {
    const chunks = good();
    for (const { chunk, field, where, value } of changes) {
      const spec = chunks[chunk]!;
      const raw = Buffer.from(spec.raw);
      if (field === "timeUs" || field === "items") spec[field] = value;
      else if (field === "cut") spec.raw = raw.subarray(0, where);
      else if (field === "grow") spec.raw = Buffer.concat([raw, Buffer.alloc(where, value)]);
      else if (raw.length > 0) raw[where % raw.length] = value;
      if (field === "raw") spec.raw = raw;
    }
    try {
      const source = bytesSource(file(chunks, rest));
      traceInfo(openMdt(source, "f"));
      accepted++;
      verifyTrace(source, "f");
    } catch (fault) {
      assert.instance(fault, TraceError, String(fault));
    }
  };
  const forms = fc.constantFrom<Partial<FileSpec>>({}, sampled);
  fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), forms, check), { numRuns: 3000 });
  assert.ok(accepted > 100, `${accepted} of 3000 got as far as being replayed`);
});

test.run();
