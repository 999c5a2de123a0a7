// SPDX-License-Identifier: Apache-2.0
// Importers of page writes without contents: CSV, JSONL, Lackey's text, QEMU's trace log. Texts are written
// here; what becomes of them is what a slow model says; damage must end in one line.
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { EpochGatherer } from "../src/trace/import/epochs.ts";
import type { MdtWriter } from "../src/trace/mdt-writer.ts";
import { type ImportedTrace, imported, listsOf, refusal } from "./lib/import.ts";
import { slowChunks, slowHashes, slowSizes } from "./lib/reference/annotations.ts";
import { type SlowEpoch, type SlowWrite, slowEpochs } from "./lib/reference/foreign.ts";

const lists = (epochs: readonly SlowEpoch[]): [number, number[]][] =>
  epochs.map(({ endUs, pages }) => [endUs, [...pages.keys()].sort((a, b) => a - b)]);
const annotated = ({ bytes }: ImportedTrace, type: string) =>
  slowChunks(bytes).filter((chunk) => chunk.type === type);

interface Row {
  timeUs: number;
  pfn: number;
  count: number;
  hash: string;
  size: number;
}
const rows: fc.Arbitrary<Row[]> = fc
  .array(
    fc.record({
      timeUs: fc.oneof(fc.nat(300), fc.constantFrom(0, 50, 100, 101, 150, 7000)),
      pfn: fc.oneof(fc.nat(40), fc.constantFrom(65535, 65536, 2 ** 31, 2 ** 32 - 40)),
      count: fc.integer({ min: 1, max: 20 }),
      hash: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString("hex")),
      size: fc.nat(4096),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map((all) => all.sort((a, b) => a.timeUs - b.timeUs));
const writesOf = (all: readonly Row[]): SlowWrite[] =>
  all.flatMap(({ timeUs, pfn, count }) =>
    Array.from({ length: count }, (_, k) => ({ timeUs, pfn: pfn + k, body: null })),
  );

test("CSV and JSONL: pages pfn to pfn + count - 1, in epochs of one length, gaps kept", () => {
  const check = (all: Row[], epochUs: number, header: boolean, end: string): void => {
    const lines = all.map(({ timeUs, pfn, count }) => `${timeUs},${pfn},${count}${end}`);
    const json = all.map(({ timeUs, pfn, count }) => `${JSON.stringify({ t_us: timeUs, pfn, count })}${end}`);
    const expected = lists(slowEpochs(writesOf(all), epochUs));
    const pages = Math.max(...all.map(({ pfn, count }) => pfn + count));
    for (const [kind, text] of [
      ["csv", (header ? `t_us,pfn,count${end}` : "") + lines.join("")],
      ["jsonl", json.join("")],
    ] as const) {
      const found = imported(kind, [text], { epochUs });
      assert.equal(listsOf(found.trace), expected);
      assert.is(found.trace.pages, pages);
    }
  };
  const end = fc.constantFrom("\n", "\r\n");
  fc.assert(fc.property(rows, fc.constantFrom(1, 50, 100, 20_000), fc.boolean(), end, check), {
    numRuns: 60,
  });
});

test("hash and size columns become HASH and CSIZ; what is said last of a page in an epoch holds", () => {
  const check = (all: Row[], epochUs: number): void => {
    const single = all.map((row) => ({ ...row, count: 1 }));
    const lines = single.map(({ timeUs, pfn, hash, size }) => `${timeUs},${pfn},1,${hash},${size}`);
    const found = imported("csv", [`t_us,pfn,count,hash,size:lz4\n${lines.join("\n")}\n`], { epochUs });
    const json = single.map(({ timeUs: t_us, pfn, hash, size }) =>
      JSON.stringify({ t_us, pfn, count: 1, hash, "size:lz4": size }),
    );
    const same = imported("jsonl", [`${json.join("\n")}\n`], { epochUs });
    const expected = slowEpochs(writesOf(single), epochUs).filter(({ pages }) => pages.size > 0);
    let next = 0;
    const notes = expected.map(({ endUs }) => {
      const last = new Map<number, Row>();
      for (; next < single.length && single[next]!.timeUs <= endUs; next++)
        last.set(single[next]!.pfn, single[next]!);
      return [endUs, [...last.values()].sort((a, b) => a.pfn - b.pfn)] as const;
    });
    for (const one of [found, same]) {
      assert.equal(
        annotated(one, "HASH").map((chunk) => [chunk.timeUs, slowHashes(chunk)]),
        notes.map(([endUs, last]) => [endUs, last.map(({ pfn, hash }) => [pfn, hash])]),
      );
      assert.equal(
        annotated(one, "CSIZ").map((chunk) => [chunk.timeUs, slowSizes(chunk)]),
        notes.map(([endUs, last]) => [
          endUs,
          { compressor: "lz4", sizes: last.map(({ pfn, size }) => [pfn, size]) },
        ]),
      );
    }
  };
  fc.assert(fc.property(rows, fc.constantFrom(1, 50, 20_000), check), { numRuns: 40 });
});

const csvFaults: readonly (readonly [text: string, line: number, reason: RegExp])[] = [
  ["1,2\n", 1, /2 cells; a line has 3: t_us,pfn,count/],
  ["1,2,1\n1,2,1,4\n", 2, /4 cells/],
  ["1,2,1\n\n", 2, /1 cells/],
  ["5,2,1\n4,2,1\n", 2, /t_us goes back from 5 to 4; sort/],
  ["1,x,1\n", 1, /pfn is "x"; legal are whole numbers 0 to/],
  ["1,-2,1\n", 1, /pfn is "-2"/],
  ["1,2,0\n", 1, /count is "0"; legal are whole numbers 1 to/],
  ["1,2,1.5\n", 1, /count is "1.5"/],
  ["1,4294967290,10\n", 1, /the pages end at 4294967300; at most 4294967295/],
  ["9000000001,2,1\n", 1, /t_us is "9000000001"; legal are whole numbers 0 to 9000000000/],
  ["1,2,99999999\n", 1, /count is "99999999"/],
  ["1,2,1", 1, /ends inside this line: a whole file ends with a line feed/],
  ["", 1, /the file has no writes/],
  ["t_us,pfn\n", 1, /count is missing/],
  ["t_us,pfn,count,weight\n", 1, /"weight" is not known here; known, each once, are/],
  ["t_us,pfn,count,pfn\n", 1, /"pfn" is not known here; known, each once/],
  ["t_us,pfn,count,hash\n1,2,1,12\n", 2, /hash is "12"; write 16 hex digits/],
  ["t_us,pfn,count,hash\n1,2,2,0123456789abcdef\n", 2, /hash is of one page; count must be 1/],
  ["t_us,pfn,count,size:lz4\n1,2,1,4097\n", 2, /size:lz4 is "4097"; legal are whole numbers 0 to 4096/],
  [`${"7".repeat(500_000)}`, 1, /longer than 65536 bytes: this is no text/],
];
for (const [text, line, reason] of csvFaults) {
  test(`CSV refused: ${JSON.stringify(text.slice(0, 40))}`, () => {
    const said = refusal("csv", [text]);
    assert.match(said, reason);
    const lines = text.split("\n").slice(0, line - 1);
    const offset = lines.reduce((sum, one) => sum + one.length + 1, 0);
    assert.ok(said.startsWith(`f:${line}: offset ${offset}: `), said);
  });
}

test("JSONL refused", () => {
  const cases: [string, RegExp][] = [
    ["{\n", /^f:1: offset 0: this is not JSON; write e.g./],
    ["[1]\n", /no JSON object/],
    ['{"t_us":1,"pfn":2}\n', /count is missing/],
    ['{"t_us":1,"pfn":2,"count":1,"x":1}\n', /"x" is not known/],
    ['{"t_us":1,"pfn":[2],"count":null}\n', /count is "null"/],
  ];
  for (const [text, reason] of cases) assert.match(refusal("jsonl", [text]), reason);
});

test("an epoch too short, or with too much in it, is named by its option", () => {
  const nothing = { epoch: () => {}, reads: () => {}, hashesOf: () => {}, sizes: () => {} };
  const gatherer = new EpochGatherer(nothing as unknown as MdtWriter, 1);
  const far = (): void => {
    for (let timeUs = 1; ; timeUs += 2) {
      gatherer.at(timeUs);
      gatherer.write(0);
    }
  };
  assert.throws(
    far,
    /^--epoch: 1 us is too short: more than 699050 epochs do not fit a trace; write a longer/,
  );
  assert.match(
    refusal("csv", ["1,0,20000000\n"]),
    /^--epoch: 20000 us is too long: 20000000 pages are written/,
  );
});

test.run();
