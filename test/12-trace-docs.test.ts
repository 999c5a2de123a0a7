// SPDX-License-Identifier: Apache-2.0
// The worked example of docs/formats.md is what the writer writes, and holds what the page says.
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { pageHash } from "../src/trace/annotations.ts";
import { loadChunk, openMdt } from "../src/trace/mdt-reader.ts";
import { MdtWriter } from "../src/trace/mdt-writer.ts";
import { memorySink } from "../src/trace/sink.ts";
import { bytesSource } from "../src/trace/source.ts";
import { verifyTrace } from "../src/trace/verify.ts";
import { slowChunks, slowHash, slowHashes, slowList, slowSizes } from "./lib/reference/annotations.ts";

const document = readFileSync(new URL("../docs/formats.md", import.meta.url), "utf8");
const [, page = "", notes = ""] = document.split(/^### Worked example/m);

/** The bytes of a hex dump, whose lines begin where the one before ended. */
function dumped(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const [, offset, hex] of text.matchAll(/^([0-9a-f]{4}) {2}((?:[0-9a-f]{2} ?){1,16})(?: {2}|$)/gm)) {
    assert.is(Number.parseInt(offset!, 16), bytes.length);
    for (const byte of hex!.trim().split(" ")) bytes.push(Number.parseInt(byte, 16));
  }
  return Uint8Array.from(bytes);
}
const printed = dumped(page);
const annotated = dumped(notes);

test("the hex is complete", () => {
  assert.equal([printed.length, annotated.length], [1004, 406]);
  assert.match(page, /Three pages, two epochs, 1004 bytes/);
  assert.match(notes, /Four pages, one epoch, no contents, 406 bytes/);
});

test("the writer gives these bytes for the table's contents", () => {
  const filled = (text: string): Buffer => Buffer.alloc(4096, text);
  const edited = filled("abcd");
  edited.write("!", 7);
  const sink = memorySink();
  const fixed = {
    pages: 3,
    pageShift: 12,
    contents: "complete",
    nominalEpochNs: 20_000_000,
    metadata: {},
  } as const;
  const writer = new MdtWriter(sink, { ...fixed, deltas: true, compress: true });
  writer.initial(Uint32Array.of(0, 1), (pfn) => (pfn === 0 ? filled("abcd") : null));
  writer.epoch(20_000, Uint32Array.of(0, 1), (pfn) => (pfn === 0 ? edited : filled("x")));
  writer.epoch(40_500, Uint32Array.of(0, 1), (pfn) => (pfn === 0 ? edited : null), [1]);
  writer.finish();
  assert.is(Buffer.from(sink.bytes()).toString("hex"), Buffer.from(printed).toString("hex"));
});

test("the payloads decode to what the second table says", () => {
  assert.is(verifyTrace(bytesSource(printed), "doc").versions, 6);
  const trace = openMdt(bytesSource(printed), "doc");
  const entry = (pfn: number, length: string): string => `0${pfn}00000000000000${length}`;
  const expected: Record<number, string> = {
    468: "06",
    505: entry(0, "00100000") + entry(1, "00000000") + "61626364".repeat(1024),
    577: "00010001",
    617: entry(1, "00100000") + "78".repeat(4096),
    679: `${entry(0, "03000000")}070121`,
    730: "00010001",
    770: "010100",
    809: "010000",
    848: entry(1, "00000000"),
  };
  for (let k = 0; k < trace.chunks.length; k++) {
    const { chunk, raw } = loadChunk(trace, k);
    const at = chunk.at + 36;
    assert.is(Buffer.from(raw).toString("hex"), expected[at]);
    const listed = page.includes(`| ${at.toString(16).padStart(4, "0")}`) || chunk.type === "EPOC";
    assert.ok(listed, `payload at ${at.toString(16)}`);
  }
});

test("READ, HASH and CSIZ: the writer gives the second example, and a slow reader reads what it says", () => {
  const sink = memorySink();
  const fixed = { pages: 4, pageShift: 12, contents: "none", nominalEpochNs: 20_000_000 } as const;
  const writer = new MdtWriter(sink, { ...fixed, metadata: {}, deltas: false, compress: true });
  const written = Uint32Array.of(0, 1);
  writer.epoch(20_000, written, null);
  writer.reads(Uint32Array.of(1, 3));
  writer.hashesOf(
    written,
    [Buffer.alloc(4096), Buffer.alloc(4096, "x")].map((body) => pageHash(body)),
  );
  writer.sizes("lz4", written, [0, 31]);
  writer.finish();
  assert.is(Buffer.from(sink.bytes()).toString("hex"), Buffer.from(annotated).toString("hex"));
  const [epoch, read, hash, size] = slowChunks(annotated);
  assert.equal(
    [slowList(epoch!), slowList(read!)],
    [
      [0, 1],
      [1, 3],
    ],
  );
  const hashes = [Buffer.alloc(4096), Buffer.alloc(4096, "x")].map((body) => slowHash(body));
  assert.equal(hashes, ["ad7facb2586fc6e9", "a2e659dacb4691e8"]);
  for (const one of hashes) assert.ok(notes.includes(`\`${one}\``));
  assert.equal(slowHashes(hash!), [
    [0, hashes[0]],
    [1, hashes[1]],
  ]);
  assert.equal(slowSizes(size!), {
    compressor: "lz4",
    sizes: [
      [0, 0],
      [1, 31],
    ],
  });
  assert.is(verifyTrace(bytesSource(annotated), "doc").hashes, 2);
});

test.run();
