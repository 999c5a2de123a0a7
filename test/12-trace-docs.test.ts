// SPDX-License-Identifier: Apache-2.0
// The worked example of docs/formats.md is what the writer writes, and holds what the page says.
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadChunk, openMdt } from "../src/trace/mdt-reader.ts";
import { MdtWriter, memorySink } from "../src/trace/mdt-writer.ts";
import { bytesSource } from "../src/trace/source.ts";
import { verifyTrace } from "../src/trace/verify.ts";

const page = readFileSync(new URL("../docs/formats.md", import.meta.url), "utf8");
const dump = [...page.matchAll(/^([0-9a-f]{4}) {2}((?:[0-9a-f]{2} ?){1,16})(?: {2}|$)/gm)];
const printed = Uint8Array.from(
  dump.flatMap((m) => m[2]!.trim().split(" ")),
  (h) => Number.parseInt(h, 16),
);

test("the hex is complete: each line begins where the one before ended", () => {
  let at = 0;
  for (const [, offset, text] of dump) {
    assert.is(Number.parseInt(offset!, 16), at);
    at += text!.trim().split(" ").length;
  }
  assert.is(at, 1004);
  assert.match(page, /Three pages, two epochs, 1004 bytes/);
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

test.run();
