// SPDX-License-Identifier: Apache-2.0
// Files that are sound as containers and wrong as traces: each rule is broken once, in a good file.
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { TraceError } from "../src/trace/errors.ts";
import { traceInfo } from "../src/trace/info.ts";
import { openMdt } from "../src/trace/mdt-reader.ts";
import { bytesSource } from "../src/trace/source.ts";
import { verifyTrace } from "../src/trace/verify.ts";
import { bodies, buildFile, type ChunkSpec, type FileSpec, page } from "./lib/trace-build.ts";

const hex = "0".repeat(64);
const complete = { contents: "complete", finalImageSha256: hex };

/** 5 pages; resident at 0: page 0 zero, page 2 = "b". Epoch 1000: 0..2, epoch 2000: 2 freed. */
const good = (): ChunkSpec[] => [
  { type: "ZMAP", timeUs: 0, items: 5, raw: [0b11011] },
  {
    type: "PAGE",
    timeUs: 0,
    items: 2,
    raw: bodies([
      [0, []],
      [2, page(98)],
    ]),
    codec: 1,
  },
  { type: "EPOC", timeUs: 1000, items: 1, raw: [0, 1, 0, 2] },
  { type: "SAME", timeUs: 1000, items: 1, raw: [1, 0, 0] },
  { type: "PAGE", timeUs: 1000, items: 1, raw: bodies([[1, page(99)]]), codec: 1 },
  { type: "DELT", timeUs: 1000, items: 1, raw: bodies([[2, [0x80, 0x1f, 2, 7, 8]]]) },
  { type: "EPOC", timeUs: 2000, items: 1, raw: [0, 1, 2, 0] },
  { type: "FREE", timeUs: 2000, items: 1, raw: [1, 2, 0] },
  { type: "PAGE", timeUs: 2000, items: 1, raw: bodies([[2, []]]) },
];
const file = (chunks: ChunkSpec[], rest: Partial<FileSpec> = {}): Buffer =>
  buildFile({ pages: 5, flags: 1, metadata: complete, chunks, ...rest });
const open = (bytes: Uint8Array): unknown => openMdt(bytesSource(bytes), "f");

function refused(bytes: Uint8Array, reason: RegExp, run: (b: Uint8Array) => unknown = open): void {
  assert.throws(
    () => run(bytes),
    (fault: unknown) => {
      assert.instance(fault, TraceError, String(fault));
      assert.match((fault as TraceError).message, /^f: offset \d+: [^\n]* \((no|last) whole epoch( \d+)?\)$/);
      assert.match((fault as TraceError).message, reason);
      return true;
    },
  );
}

type Change = (chunks: ChunkSpec[]) => void;
/** [chunk number, fields changed]; chunks as in `good`. */
const set =
  (k: number, fields: Partial<ChunkSpec>): Change =>
  (chunks) =>
    void Object.assign(chunks[k]!, fields);
const drop =
  (k: number): Change =>
  (chunks) =>
    void chunks.splice(k, 1);
const insert =
  (k: number, chunk: ChunkSpec): Change =>
  (chunks) =>
    void chunks.splice(k, 0, chunk);
const swap =
  (k: number): Change =>
  (chunks) =>
    void chunks.splice(k, 2, chunks[k + 1]!, chunks[k]!);
const mark = (epoch: number, timeUs: number): ChunkSpec => ({
  type: "MARK",
  timeUs,
  items: 1,
  raw: Buffer.from(JSON.stringify({ type: "checkpoint", epoch, imageSha256: hex })),
});
const zeros = { type: "PAGE", timeUs: 1000, items: 1, raw: bodies([[1, page(0)]]) };

const broken: readonly (readonly [name: string, change: Change, reason: RegExp])[] = [
  ["no ZMAP", drop(0), /begins with ZMAP, not with PAGE/],
  ["two ZMAPs", insert(1, good()[0]!), /a second ZMAP/],
  ["ZMAP late", set(0, { timeUs: 1 }), /ZMAP is at 1 us/],
  ["ZMAP of another size", set(0, { raw: [0b11011, 0] }), /ZMAP has 2 bytes, not 1/],
  ["ZMAP of another count", set(0, { items: 6 }), /ZMAP counts 6 pages, the header 5/],
  ["ZMAP says zero", set(0, { raw: [0b11111] }), /disagree about pfn 2/],
  ["ZMAP says not zero", set(0, { raw: [0b10011] }), /disagree about pfn 3/],
  ["initial image late", set(1, { timeUs: 5 }), /PAGE is at 5 us, its epoch ends at 0 us/],
  [
    "initial pfns fall",
    set(1, {
      raw: bodies([
        [2, page(98)],
        [0, []],
      ]),
    }),
    /pfn 0 follows 2/,
  ],
  [
    "initial pfn twice",
    set(1, {
      raw: bodies([
        [2, page(98)],
        [2, []],
      ]),
    }),
    /pfn 2 follows 2/,
  ],
  [
    "initial DELT",
    set(1, { type: "DELT", items: 1, raw: bodies([[2, [0, 1, 5]]]) }),
    /DELT stands before the first epoch/,
  ],
  ["SAME before the first epoch", insert(2, { ...good()[3]!, timeUs: 0 }), /SAME stands before the first/],
  ["FREE before the first epoch", insert(2, { ...good()[7]!, timeUs: 0 }), /FREE stands before the first/],
  ["epoch at 0", set(2, { timeUs: 0 }), /epoch ends at 0 us, not after 0/],
  ["epoch not later", set(6, { timeUs: 1000 }), /epoch ends at 1000 us, not after 1000/],
  ["time goes back", set(6, { timeUs: 999 }), /time goes back from 1000 to 999/],
  ["two epochs in a chunk", set(6, { items: 2, raw: [0, 0, 1, 1, 2, 0] }), /EPOC holds 2 epochs/],
  ["dt not 0", set(6, { raw: [1, 1, 2, 0] }), /first dt_us .* is not 0/],
  ["bytes behind the list", set(6, { raw: [0, 1, 2, 0, 0] }), /1 bytes follow the end/],
  ["list cut short", set(6, { raw: [0, 2, 2, 0] }), /declares 2 runs, more than its bytes/],
  ["endless varint", set(6, { raw: [0, 1, 255, 255, 255, 255, 255, 255, 255, 1, 0] }), /longer than 7/],
  ["runs touch", set(2, { raw: [0, 2, 0, 1, 0, 0] }), /two runs of a page list touch/],
  ["pfn out of range", set(6, { raw: [0, 1, 4, 1] }), /pfn 5 is not below the page count 5/],
  ["list of a petabyte", set(6, { raw: [0, 1, 0, 255, 255, 255, 255, 255, 15] }), /not below the page count/],
  ["SAME missing", drop(3), /1 pages of epoch 0 have no contents, the first is pfn 0/],
  ["PAGE missing", drop(4), /the first is pfn 1/],
  ["last epoch without contents", drop(8), /1 pages of epoch 1 have no contents/],
  ["SAME of a clean page", set(3, { items: 2, raw: [2, 0, 0, 2, 0] }), /pfn 3 is not in the list of epoch 0/],
  ["SAME counts wrong", set(3, { items: 2 }), /says 2 pages, the list holds 1/],
  ["contents twice", set(3, { items: 2, raw: [1, 0, 1] }), /pfn 1 has its contents twice in epoch 0/],
  [
    "PAGE of a clean page",
    set(4, {
      items: 2,
      raw: bodies([
        [1, page(99)],
        [4, []],
      ]),
    }),
    /pfn 4 is not in/,
  ],
  ["FREE of a clean page", set(7, { raw: [1, 3, 0] }), /FREE: pfn 3 is not in the list of epoch 1/],
  ["FREE page with a body", set(8, { raw: bodies([[2, page(1)]]) }), /pfn 2 was given back but/],
  ["FREE after SAME", insert(4, { ...good()[7]!, timeUs: 1000 }), /FREE comes too late/],
  ["DELT before PAGE", swap(4), /PAGE comes too late/],
  ["two SAMEs", insert(4, { ...good()[3]!, items: 1, raw: [1, 1, 0] }), /a second SAME/],
  ["contents off the epoch end", set(8, { timeUs: 2001 }), /PAGE is at 2001 us, its epoch ends at 2000/],
  ["pfns fall across chunks", insert(5, { ...zeros, raw: bodies([[0, []]]) }), /pfn 0 follows 1/],
  ["body of zeros", set(4, { raw: zeros.raw }), /pfn 1 stores a body of zeros/],
  ["body of another length", set(4, { raw: bodies([[1, page(1).subarray(1)]]) }), /body of 4095 bytes/],
  ["table past the end", set(4, { items: 2, raw: bodies([[1, []]]) }), /table of 2 entries does not fit/],
  ["bytes behind the bodies", set(8, { raw: [...bodies([[2, []]]), 0] }), /1 bytes follow the last body/],
  ["pfn beyond 2^32", set(8, { raw: bodies([[2 ** 32 + 2, []]]) }), /pfn 4294967298 is not below/],
  // 0x80 0x1f = 3968 kept; 3968 + 129 = 4097
  [
    "DELT past the page end",
    set(5, { raw: bodies([[2, [0x80, 0x1f, 0x81, 1, ...page(1).subarray(0, 129)]]]) }),
    /4097, past/,
  ],
  ["DELT skips past the end", set(5, { raw: bodies([[2, [0x80, 0x20, 1, 7]]]) }), /ends at byte 4097, past/],
  ["DELT run of nothing", set(5, { raw: bodies([[2, [0, 0]]]) }), /replaces no bytes/],
  ["DELT without its literals", set(5, { raw: bodies([[2, [0, 2, 7]]]) }), /fewer literal bytes/],
  ["DELT cut in a varint", set(5, { raw: bodies([[2, [0x80]]]) }), /varint runs past the end/],
  ["MARK not JSON", insert(6, { type: "MARK", timeUs: 1000, items: 1, raw: [123] }), /MARK is not JSON/],
  [
    "checkpoint of another epoch",
    insert(6, mark(1, 1000)),
    /checkpoint of epoch 1 at 1000 us stands after epoch 0/,
  ],
  ["checkpoint at another time", insert(6, mark(0, 1500)), /checkpoint of epoch 0 at 1500 us/],
  ["checkpoint too early", insert(5, mark(0, 1000)), /before the contents of epoch 0 are whole/],
  ["unknown codec", set(8, { codec: 2 }), /PAGE: codec 2 is not known/],
  ["raw length too long", set(8, { rawBytes: 13 }), /13 raw bytes declared, 12 stored/],
  ["raw length of DEFLATE too long", set(4, { rawBytes: 4109 }), /gives 4108 bytes, not 4109/],
  ["a bomb", set(4, { rawBytes: 100 }), /grows past its declared 100 bytes/],
  [
    "a chunk of more than 64 MiB",
    set(4, { rawBytes: (64 << 20) + 1 }),
    /67108865 raw bytes; the limit is 64 MiB/,
  ],
  ["type not ASCII", insert(6, { type: "a\u0007bc", timeUs: 1000, items: 0, raw: [] }), /four ASCII/],
];

test("the file that is broken below is good", () => {
  const trace = openMdt(bytesSource(file(good())), "f");
  assert.equal([trace.epochs, trace.events, trace.endTimeUs], [2, 4, 2000]);
  const { counts } = trace;
  assert.equal(
    [counts.initialPages, counts.same, counts.pageBodies, counts.deltas, counts.free],
    [2, 1, 1, 1, 1],
  );
});

for (const [name, change, reason] of broken) {
  test(`refuses: ${name}`, () => {
    const chunks = good();
    change(chunks);
    refused(file(chunks), reason);
  });
}

test("refuses a page that was given back, is SAME, and was not zero: found in replay", () => {
  const chunks = good();
  chunks[8] = { type: "SAME", timeUs: 2000, items: 1, raw: [1, 2, 0] };
  refused(file(chunks), /pfn 2 was given back and is not zero .*last whole epoch 0/, (b) =>
    verifyTrace(bytesSource(b), "f"),
  );
});

test("refuses a checkpoint that does not hash to the memory of its epoch", () => {
  const chunks = good();
  chunks.splice(6, 0, mark(0, 1000));
  refused(
    file(chunks),
    /imageSha256 of epoch 0 is 0{64}, the contents hash to [0-9a-f]{64} \(no whole/,
    (b) => verifyTrace(bytesSource(b), "f"),
  );
});

test("unknown chunks and lower-case ones are skipped after ZMAP, refused before it", () => {
  const chunks = good();
  const unknown = { type: "xtra", timeUs: 1000, items: 9, raw: [1, 2, 3], codec: 3, rawBytes: 77 };
  chunks.splice(4, 0, unknown, { ...unknown, type: "XTRA" });
  assert.is(openMdt(bytesSource(file(chunks)), "f").events, 4);
  refused(file([{ ...unknown, timeUs: 0 }, ...good()]), /begins with ZMAP, not with xtra/);
});

const headers: readonly (readonly [name: string, spec: Partial<FileSpec>, reason: RegExp])[] = [
  ["future major", { major: 2 }, /version 2.x is not known/],
  ["required feature", { flags: 0b101 }, /required features 0x4 are not known/],
  ["DELT without its flag", { flags: 0 }, /a DELT chunk in a file without required-feature bit 0/],
  ["page shift", { pageShift: 13 }, /page_shift is 13; legal are 12, 14, 16, 21/],
  ["no pages", { pages: 0 }, /page count is 0/],
  ["too many pages", { pages: 2 ** 32 + 1 }, /page count is 4294967297/],
  ["metadata not JSON", { metadataBytes: Buffer.from("{'a':1}") }, /not JSON/],
  ["metadata not UTF-8", { metadataBytes: Buffer.from([0x22, 0xff, 0x22]) }, /not JSON in UTF-8/],
  ["metadata an array", { metadata: [] }, /no JSON object/],
  ["metadata too long", { metadataBytes: Buffer.alloc((1 << 20) + 8, 32) }, /the limit is 1 MiB/],
  ["contents unknown", { metadata: { contents: "partly" } }, /contents is "partly"/],
  ["no final hash", { metadata: { contents: "complete" } }, /finalImageSha256 .* 64 lower-case hex/],
  ["versions wrong", { metadata: { ...complete, versions: 7 } }, /versions is 7, the file's contents give 6/],
  ["end time wrong", { metadata: { ...complete, endTimeUs: 2001 } }, /endTimeUs is 2001, .* give 2000/],
  ["sampled with DELT", { metadata: { contents: "sampled" } }, /only complete traces may have/],
  ["none with PAGE", { metadata: { contents: "none" } }, /PAGE chunk in a trace that says it has no/],
  ["INDX short", { index: (b) => b.subarray(24) }, /INDX lists 8 chunks, the file has 9/],
  ["no tail", { tail: false }, /the file ends before its INDX chunk and tail/],
];

for (const [name, spec, reason] of headers)
  test(`refuses: ${name}`, () => refused(file(good(), spec), reason));

test("refuses an INDX whose entry differs in any field", () => {
  for (const at of [0, 8, 12, 16]) {
    const index = (entries: Buffer): Buffer => {
      entries[24 * 4 + at]! ^= 1;
      return entries;
    };
    refused(file(good(), { index }), /INDX entry 4 does not describe the PAGE chunk/);
  }
});

interface Tamper {
  chunk: number;
  field: "raw" | "timeUs" | "items" | "cut";
  at: number;
  value: number;
}

test("any change of a payload, time or count under right checksums is good or a TraceError", () => {
  const change = fc.record({
    chunk: fc.nat(8),
    field: fc.constantFrom<Tamper["field"]>("raw", "raw", "raw", "timeUs", "items", "cut"),
    at: fc.nat(30),
    value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 127, 128, 255)),
  });
  const forms = fc.constantFrom(complete, { contents: "sampled" }, { contents: "none" }, {});
  let accepted = 0;
  const check = (changes: Tamper[], metadata: object): void => {
    const chunks = good();
    for (const { chunk, field, at, value } of changes) {
      const spec = chunks[chunk]!;
      const raw = Buffer.from(spec.raw);
      if (field === "timeUs" || field === "items") spec[field] = value;
      else if (field === "cut") spec.raw = raw.subarray(0, at);
      else if (raw.length > 0) raw[at % raw.length] = value;
      if (field === "raw") spec.raw = raw;
    }
    const kept = metadata === complete ? chunks : chunks.filter(({ type }) => type !== "DELT");
    try {
      const source = bytesSource(file(kept, { metadata }));
      traceInfo(openMdt(source, "f"));
      accepted++;
      verifyTrace(source, "f");
    } catch (fault) {
      assert.instance(fault, TraceError, String(fault));
    }
  };
  fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), forms, check), { numRuns: 3000 });
  assert.ok(accepted > 100, `${accepted} of 3000 got as far as being replayed`);
});

test("ignores a later minor version and unknown optional flags", () => {
  assert.is(openMdt(bytesSource(file(good(), { minor: 9, flags: 0x40001 })), "f").minor, 9);
});

test.run();
