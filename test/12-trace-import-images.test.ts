// SPDX-License-Identifier: Apache-2.0
// Importers of memories with contents: QEMU's stream, raw images, ELF cores. Files are written by slow
// writers; what is read must be what was sent; damage must end in one line; the traces must migrate.
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { guestStream, simulate } from "../src/index.ts";
import { guessImporter } from "../src/trace/import/kinds.ts";
import { openMdt } from "../src/trace/mdt-reader.ts";
import { bytesSource } from "../src/trace/source.ts";
import {
  body,
  checkEpochs,
  type ImportedTrace,
  imported,
  listsOf,
  refusal,
  survives,
  zero,
} from "./lib/import.ts";
import { redis, inputOf as runOf } from "./lib/migrate.ts";
import {
  PAGE,
  type Send,
  type SlowBlock,
  type SlowWrite,
  slowDevices,
  slowElf,
  slowEpochs,
  slowStream,
} from "./lib/reference/foreign.ts";

const blocks: readonly SlowBlock[] = [
  { name: "pc.ram", pages: 6 },
  { name: "pc.bios", pages: 2 },
];

const send: fc.Arbitrary<Send> = fc
  .record({
    block: fc.nat(1),
    page: fc.nat(5),
    how: fc.constantFrom<Send["how"]>("whole", "whole", "xbzrle", "zero"),
    value: fc.nat(12),
  })
  .map(({ block, page, how, value }) => ({
    block,
    page: page % blocks[block]!.pages,
    how,
    body: how === "zero" ? zero : body(value),
  }));
const sections = fc.array(fc.array(send, { maxLength: 12 }), { minLength: 2, maxLength: 5 });

/** First copies are whole or zero: XBZRLE changes what is there. */
function sendable(all: readonly (readonly Send[])[]): Send[][] {
  const sent = new Set<string>();
  return all.map((section) =>
    section.map((one) => {
      const key = `${one.block}/${one.page}`;
      const fresh = !sent.has(key);
      sent.add(key);
      return fresh && one.how === "xbzrle" ? { ...one, how: "whole" } : one;
    }),
  );
}

test("a QEMU stream: first copies are the image, later ones writes at the time of their bytes", () => {
  const check = (
    all: Send[][],
    perSecond: number,
    epochUs: number,
    devices: boolean,
    hashes: boolean,
  ): void => {
    const spec = { blocks, sections: sendable(all), ...(devices ? { after: slowDevices() } : {}) };
    const { bytes, sends } = slowStream(spec);
    if (sends.length === 0) {
      assert.match(refusal("qemu-stream", [bytes]), /sends no page/);
      return;
    }
    const found = imported("qemu-stream", [bytes], { epochUs, bytesPerSecond: perSecond, hashes });
    const initial: Buffer[] = Array.from({ length: 8 }, () => zero);
    const seen = new Set<number>();
    const writes: SlowWrite[] = [];
    for (const [at, { block, page, body: now }] of sends) {
      const pfn = block * 6 + page;
      if (seen.has(pfn)) writes.push({ timeUs: Math.floor((at * 1e6) / perSecond), pfn, body: now });
      else initial[pfn] = now;
      seen.add(pfn);
    }
    checkEpochs(found, initial, slowEpochs(writes, epochUs));
    const versions = seen.size + found.done.events;
    assert.is(found.trace.annotated.hashes, hashes ? versions : 0);
  };
  const args = [fc.constantFrom(1e6, 5_000_001, 1e9), fc.constantFrom(1, 7, 4000, 20_000)] as const;
  fc.assert(fc.property(sections, ...args, fc.boolean(), fc.boolean(), check), { numRuns: 150 });
});

const fixed = sendable([
  [],
  [0, 1, 2, 3, 4, 5].map((page) => ({ block: 0, page, how: "whole", body: body(page) }) as const),
  [
    { block: 1, page: 1, how: "whole", body: body(7) },
    { block: 0, page: 2, how: "xbzrle", body: body(5) },
    { block: 0, page: 5, how: "zero", body: zero },
  ],
]);
const good = slowStream({ blocks, sections: fixed, after: slowDevices() });

test("a stream cut at any byte is one line; whole, it is not", () => {
  assert.ok(survives("qemu-stream", [good.bytes]));
  const cuts = new Set([
    ...good.records,
    ...good.records.map((at) => at + 1),
    ...good.sends.map(([at]) => at),
  ]);
  for (let cut = good.bytes.length - 400; cut < good.bytes.length; cut++) cuts.add(cut);
  for (const cut of cuts) {
    if (cut < good.bytes.length)
      assert.match(refusal("qemu-stream", [good.bytes.subarray(0, cut)]), /^f: offset/);
  }
  const { bytes } = slowStream({ blocks, sections: fixed });
  assert.ok(survives("qemu-stream", [bytes]), "without devices the end of sections is the end");
  assert.match(refusal("qemu-stream", [Buffer.concat([bytes, Buffer.of(0)])]), /description of its devices/);
});

test("a stream with a byte changed is a trace that verifies or one line; changed pages are seen", () => {
  const changed = { value: 0, refused: 0 };
  const check = (at: number, change: number): void => {
    const damaged = Buffer.from(good.bytes);
    damaged[at]! ^= change;
    if (survives("qemu-stream", [damaged])) changed.value++;
    else changed.refused++;
  };
  // heads of records: the bytes that are not contents
  const heads = good.records.flatMap((at) => [0, 1, 4, 6, 7, 8, 9].map((k) => at + k));
  for (const at of heads)
    if (at < good.bytes.length) for (const change of [1, 2, 0x10, 0x80]) check(at, change);
  fc.assert(fc.property(fc.nat(good.bytes.length - 1), fc.integer({ min: 1, max: 255 }), check), {
    numRuns: 200,
  });
  assert.ok(changed.value > 50 && changed.refused > 100, JSON.stringify(changed));
  const [at] = good.sends[3]!;
  const damaged = Buffer.from(good.bytes);
  damaged[at + 9]! ^= 1;
  const hash = ({ trace }: ImportedTrace): unknown => trace.metadata.finalImageSha256;
  assert.is.not(hash(imported("qemu-stream", [damaged])), hash(imported("qemu-stream", [good.bytes])));
});

const whole = (page: number): Send => ({ block: 0, page, how: "whole", body: body(1) });
const lies: readonly (readonly [
  name: string,
  spec: Partial<Parameters<typeof slowStream>[0]>,
  reason: RegExp,
])[] = [
  ["magic", { magic: "QEVN" }, /must begin with QEVM/],
  ["version", { version: 2 }, /version 2 of the stream is not known; known is 3/],
  ["version of ram", { ramVersion: 3 }, /version 3 of the ram section/],
  ["sum of blocks too small", { total: 7 * PAGE }, /block "pc.bios" has 8192 bytes of 4096 that are left/],
  ["sum of blocks too large", { total: 9 * PAGE }, /block "" has|pages of 4096 are read|ends inside/],
  ["no blocks", { total: 0, blocks: [] }, /the sum of its blocks is 0/],
  ["a page outside its block", { sections: [[], [whole(6)]] }, /page 6 is outside block "pc.ram" of 6 pages/],
  ["an unknown block", { sections: [[], [{ ...whole(0), block: 2 }]] }, /block "nowhere" is not among/],
  ["XBZRLE of nothing", { sections: [[], [{ ...whole(0), how: "xbzrle" }]] }, /never sent/],
  ["1 PiB", { total: 2 ** 50 }, /1125899906842624 bytes; at most 1 TiB/],
  ["a block twice", { blocks: [blocks[0]!, blocks[0]!] }, /block "pc.ram" is there twice/],
];
for (const [name, spec, reason] of lies) {
  test(`a stream that lies about: ${name}`, () => {
    assert.match(refusal("qemu-stream", [slowStream({ blocks, sections: fixed, ...spec }).bytes]), reason);
  });
}

test("records that are not read are refused by name", () => {
  const patched = (k: number, flags: number): Buffer => {
    const bytes = Buffer.from(good.bytes);
    // record 3 is the sizes, 4 and 5 end the first section, 6 begins the second, 7 is its first page
    bytes.writeUInt16BE((bytes.readUInt16BE(good.records[k]! + 6) & 0xf000) | flags, good.records[k]! + 6);
    return bytes;
  };
  assert.match(refusal("qemu-stream", [patched(8, 0x80)]), /0x80 are a hook of RDMA/);
  assert.match(refusal("qemu-stream", [patched(8, 0x100)]), /the old zlib compression/);
  assert.match(refusal("qemu-stream", [patched(8, 0x200)]), /multifd, whose pages travel/);
  assert.match(refusal("qemu-stream", [patched(7, 0x28)]), /names no block, and none was named/);
  const short = Buffer.from(good.bytes);
  short[good.sends[7]![0] - 1]! += 1;
  assert.match(refusal("qemu-stream", [short]), /XBZRLE|flags|footer|section/);
});

const reply = (change: object = {}, ram: object = {}): string =>
  JSON.stringify({
    return: {
      status: "completed",
      "total-time": 40,
      ...change,
      ram: { "page-size": PAGE, total: 8 * PAGE, transferred: 40_000, normal: 7, duplicate: 1, ...ram },
    },
  });

test("query-migrate gives the rate; a reply of another migration is refused", () => {
  // 40,000 bytes in 40 ms: a byte is 1 us
  const { trace } = imported("qemu-stream", [good.bytes, reply()], { epochUs: 1 });
  const later = good.sends.slice(7).map(([at]) => at);
  assert.equal(
    listsOf(trace).filter(([, pages]) => pages.length > 0),
    [
      [later[0]!, [2]],
      [later[1]!, [5]],
    ],
  );
  assert.match(refusal("qemu-stream", [good.bytes, reply({}, { normal: 6 })]), /it is of another migration/);
  assert.match(refusal("qemu-stream", [good.bytes, reply({ status: "active" })]), /^f1: status is "active"/);
  assert.match(
    refusal("qemu-stream", [good.bytes, reply({}, { "page-size": 65536 })]),
    /page-size is not 4096/,
  );
  assert.match(refusal("qemu-stream", [good.bytes, reply({}, { transferred: -1 })]), /ram.transferred is -1/);
  assert.match(refusal("qemu-stream", [good.bytes, reply({}, { transferred: 0 })]), /ram.transferred is 0/);
  assert.match(refusal("qemu-stream", [good.bytes, "{"]), /not JSON/);
  assert.match(refusal("qemu-stream", [good.bytes, "[]"]), /it has no ram/);
});

test("kinds are guessed where the beginning is certain, and not where it is not", () => {
  const guessed = (bytes: Uint8Array): string | undefined => guessImporter(bytes)?.kind;
  assert.is(guessed(good.bytes.subarray(0, PAGE)), "qemu-stream");
  assert.is(guessed(slowElf([])), "elf");
  assert.is(guessed(body(1)), undefined);
  assert.is(guessed(new Uint8Array(0)), undefined);
});

/** Migrates an imported trace. */
function migrated({ bytes }: ImportedTrace) {
  const input = runOf({ guest: redis });
  const trace = openMdt(bytesSource(bytes), "i");
  return simulate({ ...input, stream: guestStream(input.scenario, trace) });
}

test("imported memories migrate: no page differs, all contents are the recorded ones", () => {
  const elf = slowElf([
    { address: 0x5000n, bytes: Buffer.concat([body(1), body(2), body(0)]), memoryBytes: 5 * PAGE },
  ]);
  const cases: [ImportedTrace, number][] = [
    [imported("qemu-stream", [good.bytes], { epochUs: 100, bytesPerSecond: 1e7 }), 8],
    [imported("raw", [Buffer.concat([body(1), body(2)]), Buffer.concat([body(1), body(4)])]), 2],
    [imported("elf", [elf]), 3],
  ];
  for (const [found, pages] of cases) {
    const { migration, check } = migrated(found);
    assert.is(migration.status, "completed");
    assert.equal([check.pagesCompared, check.pagesDifferent], [pages, 0]);
    assert.is(check.contentCapturedPercent, 100);
  }
  // control: what is compared is the imported contents
  const other = Buffer.from(good.bytes);
  other[good.sends[0]![0] + 5]! ^= 1;
  const changed = imported("qemu-stream", [other], { epochUs: 100, bytesPerSecond: 1e7 });
  assert.is.not(changed.trace.metadata.finalImageSha256, cases[0]![0].trace.metadata.finalImageSha256);
});

test.run();
