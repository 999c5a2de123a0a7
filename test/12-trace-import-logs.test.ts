// SPDX-License-Identifier: Apache-2.0
// Importers of the text of other programs: Lackey's, and QEMU's trace log. Texts are written here; what
// becomes of them is what a slow model says; damage of these and of CSV and JSONL must end in one line.
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { guestStream, simulate } from "../src/index.ts";
import { guessImporter } from "../src/trace/import/kinds.ts";
import { openMdt } from "../src/trace/mdt-reader.ts";
import { bytesSource } from "../src/trace/source.ts";
import { type ImportedTrace, imported, listsOf, refusal, survives } from "./lib/import.ts";
import { redis, inputOf as runOf } from "./lib/migrate.ts";
import { slowChunks, slowList } from "./lib/reference/annotations.ts";
import { type SlowEpoch, slowEpochs } from "./lib/reference/foreign.ts";

const _lists = (epochs: readonly SlowEpoch[]): [number, number[]][] =>
  epochs.map(({ endUs, pages }) => [endUs, [...pages.keys()].sort((a, b) => a - b)]);
const annotated = ({ bytes }: ImportedTrace, type: string) =>
  slowChunks(bytes).filter((chunk) => chunk.type === type);

interface Access {
  kind: "I" | "L" | "S" | "M";
  page: number;
  at: number;
  size: number;
}
const accesses: fc.Arbitrary<Access[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("I", "I", "L", "S", "M"),
    page: fc.constantFrom(0x400, 0x401, 0x402, 0x1fff000, 0x1fff001, 0x7ffff0000),
    at: fc.constantFrom(0, 8, 4088, 4095),
    size: fc.constantFrom(1, 8, 32),
  }),
  { minLength: 1, maxLength: 60 },
);
const lackeyLine = ({ kind, page, at, size }: Access): string =>
  `${kind === "I" ? "I " : ` ${kind}`} ${(page * 4096 + at).toString(16).padStart(8, "0")},${size}\n`;
const banner = "==7== Lackey, an example Valgrind tool\n==7== \n";
const tail = (instructions: number): string =>
  `==7==   guest instrs:  ${instructions.toLocaleString("en-US")}\n==7== \n==7== Exit code:       0\n`;

test("Lackey: stores are writes, fetches and loads reads, M both; the n-th instruction at n / rate", () => {
  const check = (all: Access[], perSecond: number, epochUs: number): void => {
    const instructions = all.filter(({ kind }) => kind === "I").length;
    const text = banner + all.map(lackeyLine).join("") + tail(instructions);
    const found = imported("lackey", [text], { epochUs, instructionsPerSecond: perSecond });
    const touched = new Set<number>();
    const events: { timeUs: number; page: number; reads: boolean; writes: boolean }[] = [];
    let n = 0;
    for (const { kind, page, at, size } of all) {
      if (kind === "I") n++;
      for (let k = 0; k < size; k++) {
        const one = Math.floor((page * 4096 + at + k) / 4096);
        touched.add(one);
        events.push({
          timeUs: Math.floor((n * 1e6) / perSecond),
          page: one,
          reads: kind !== "S",
          writes: kind === "S" || kind === "M",
        });
      }
    }
    const order = [...touched].sort((a, b) => a - b);
    const pfn = (page: number): number => order.indexOf(page);
    // an epoch of which there are reads alone is there too
    const read = new Set<number>();
    const first = events.filter(({ page, reads }) => reads && !read.has(page) && read.add(page));
    const marked = events.filter((event) => event.writes || first.includes(event));
    const epochs = slowEpochs(
      marked.map(({ timeUs, page }) => ({ timeUs, pfn: pfn(page), body: null })),
      epochUs,
    );
    const within = (endUs: number, list: typeof events): number[] => {
      const inside = list.filter(
        ({ timeUs }) => Math.max(1, Math.ceil(timeUs / epochUs)) * epochUs === endUs,
      );
      return [...new Set(inside.map(({ page }) => pfn(page)))].sort((a, b) => a - b);
    };
    const writes = marked.filter((event) => event.writes);
    assert.equal(
      listsOf(found.trace),
      epochs.map(({ endUs }) => [endUs, within(endUs, writes)]),
    );
    const reads = epochs.map(({ endUs }) => [endUs, within(endUs, first)] as const);
    assert.equal(
      annotated(found, "READ").map((chunk) => [chunk.timeUs, slowList(chunk)]),
      reads.filter(([, pages]) => pages.length > 0).map(([endUs, pages]) => [endUs, pages]),
    );
    const mapping = found.trace.metadata.pfn_mapping as [number, number, string][];
    const named = mapping.flatMap(([, count, address]) =>
      Array.from({ length: count }, (_, k) => Number(address) / 4096 + k),
    );
    assert.equal(named, order);
  };
  const rates = fc.constantFrom(1e9, 1e6, 300_000, 7);
  fc.assert(fc.property(accesses, rates, fc.constantFrom(1, 10, 20_000), check), { numRuns: 60 });
});

test("Lackey's text with a line missing, cut, or mixed with others is one line", () => {
  const all: Access[] = Array.from({ length: 8 }, (_, k) => ({
    kind: k % 2 ? "S" : "I",
    page: 0x400 + k,
    at: 8,
    size: 4,
  }));
  const lines = [banner, ...all.map(lackeyLine), tail(4)];
  const text = lines.join("");
  assert.ok(survives("lackey", [text]));
  for (let cut = 1; cut < text.length; cut += 3) refusal("lackey", [text.slice(0, cut)]);
  assert.match(refusal("lackey", [text.slice(0, -27)]), /ends (before lackey's last|inside this line)/);
  assert.match(
    refusal("lackey", [lines.filter((_, k) => k !== 1).join("")]),
    /counted 4 guest instrs, the file has 3/,
  );
  assert.match(refusal("lackey", [`${text}hello\n`]), /no line of lackey/);
  assert.match(refusal("lackey", [`I  00400000,0\n`]), /size of 0/);
  assert.match(refusal("lackey", [text.replace("==7== Exit", "==8== Exit")]), /process 8 begins within 7/);
  assert.match(refusal("lackey", [banner + tail(0)]), /has no access/);
  assert.ok(
    survives("lackey", [all.map(lackeyLine).join("")]),
    "without Lackey's own lines nothing can be missed",
  );
});

interface Pass {
  afterUs: number;
  pages: [block: number, page: number][];
}
const passes: fc.Arbitrary<Pass[]> = fc.array(
  fc.record({
    afterUs: fc.constantFrom(1, 50, 100_000),
    pages: fc.array(fc.tuple(fc.nat(1), fc.nat(9)), { maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 5 },
);
const BLOCKS = ["pc.ram", "/rom@etc/acpi/tables"];
const START_US = 1_700_000_000_999_990;
function logOf(all: readonly Pass[], extra = ""): { text: string; times: number[] } {
  let now = START_US;
  const lines: string[] = [];
  const say = (event: string): void => {
    lines.push(`4242@${Math.floor(now / 1e6)}.${String(now % 1e6).padStart(6, "0")}:${event}\n`);
  };
  const times: number[] = [];
  for (const { afterUs, pages } of all) {
    times.push(now - START_US);
    say("migration_bitmap_sync_start ");
    say("migration_bitmap_sync_end dirty_pages 7");
    if (extra !== "") say(extra);
    for (const [block, page] of pages) {
      say(`ram_save_page ${BLOCKS[block]}: offset: 0x${(page * 4096).toString(16)} host: 0x7f00`);
    }
    now += afterUs;
  }
  return { text: lines.join(""), times };
}

test("QEMU's log: a page sent again was written in the epoch that ended at the sync before", () => {
  const check = (all: Pass[]): void => {
    const { text, times } = logOf(all, "qemu_file_fclose ");
    const sent = all.flatMap(({ pages }) => pages);
    if (sent.length === 0) {
      assert.match(refusal("qemu-log", [text]), /no ram_save_page/);
      return;
    }
    const order = [...new Set(sent.map(([block]) => block))];
    const size = (block: number): number =>
      1 + Math.max(...sent.filter(([b]) => b === block).map(([, page]) => page));
    const first = order.map((_, k) => order.slice(0, k).reduce((sum, block) => sum + size(block), 0));
    const seen = new Set<number>();
    const expected = all.map(({ pages }, k): [number, number[]] => {
      const again = new Set<number>();
      for (const [block, page] of pages) {
        const pfn = first[order.indexOf(block)]! + page;
        if (seen.has(pfn)) again.add(pfn);
        seen.add(pfn);
      }
      return [times[k]!, [...again].sort((a, b) => a - b)];
    });
    // what is sent twice before the second sync is an epoch of its own, of a microsecond
    const [start, ...rest] = expected as [[number, number[]], ...[number, number[]][]];
    const whole = start[1].length > 0 ? [[1, start[1]], ...rest] : rest;
    let end = 0;
    const ends = whole.map(([timeUs, pages]) => {
      end = Math.max(timeUs as number, end + 1);
      return [end, pages];
    });
    assert.equal(listsOf(imported("qemu-log", [text]).trace), ends);
  };
  fc.assert(fc.property(passes, check), { numRuns: 80 });
});

const three: Pass[] = [
  {
    afterUs: 100,
    pages: [
      [0, 0],
      [0, 1],
      [0, 3],
    ],
  },
  { afterUs: 100, pages: [[0, 1]] },
  { afterUs: 100, pages: [] },
];
const reply = (ram: object): string =>
  JSON.stringify({
    status: "completed",
    "total-time": 1,
    ram: { "page-size": 4096, total: 10 * 4096, transferred: 9, normal: 4, duplicate: 0, ...ram },
  });

test("QEMU's log: query-migrate gives the memory, and proves that no page is missing", () => {
  const { text } = logOf(three);
  assert.is(imported("qemu-log", [text]).trace.pages, 4);
  const { trace } = imported("qemu-log", [text, reply({})]);
  assert.is(trace.pages, 10);
  assert.is((trace.metadata.queryMigrate as { status: string }).status, "completed");
  const lines = text.split("\n");
  const without = lines.filter((_, k) => k !== 3).join("\n");
  assert.ok(survives("qemu-log", [without]), "the log alone does not show it");
  assert.match(refusal("qemu-log", [without, reply({})]), /has 3 ram_save_page, query-migrate says normal 4/);
  assert.match(refusal("qemu-log", [text, reply({ total: 4096 })]), /names 4 pages, query-migrate has 1/);
});

test("QEMU's log damaged is one line", () => {
  const { text } = logOf(three);
  for (let cut = 1; cut < text.length; cut++) {
    if (text[cut - 1] !== "\n") refusal("qemu-log", [text.slice(0, cut), reply({})]);
    else survives("qemu-log", [text.slice(0, cut), reply({})]);
  }
  const cases: [string, RegExp][] = [
    [text.replace(/^.*sync_start.*\n/, ""), /a sync ends that did not begin/],
    [text.replace(/sync_end dirty_pages 7/, "sync_end dirty"), /write dirty_pages N/],
    [text.replace(/^.*sync_end.*\n/m, ""), /a sync begins within that of line 1/],
    [text.replaceAll("4242@", ""), /use -msg timestamp=on/],
    [text.replace("0x1000 host", "0x1001 host"), /0x1001 is not a multiple of 4096/],
    [text.replace("offset: 0x1000", "at 0x1000"), /write ram_save_page BLOCK: offset/],
    [text.split("\n").slice(2).join("\n"), /before the first sync/],
    [`${text}4242@1600000000.000000:migration_bitmap_sync_start \n`, /time goes back/],
    [`${text}4242@1800000000.000000:migration_bitmap_sync_start \n`, /passes 2.5 h/],
    [`${text.split("\n").slice(0, -2).join("\n")}\n`, /within a sync: migration_bitmap_sync_end is missing/],
  ];
  for (const [damaged, reason] of cases) assert.match(refusal("qemu-log", [damaged]), reason);
});

test("any change of a byte of a text is a trace that verifies or one line", () => {
  const csv = "t_us,pfn,count,hash,size:lz4\n1,2,1,0123456789abcdef,77\n30,4,1,,\n99,2,1,,5\n";
  const lackey = banner + lackeyLine({ kind: "I", page: 1, at: 0, size: 4 }) + tail(1);
  const jsonl = '{"t_us":1,"pfn":2,"count":3}\n{"t_us":100,"pfn":2,"count":3}\n';
  let good = 0;
  for (const [kind, text] of Object.entries({ csv, jsonl, lackey, "qemu-log": logOf(three).text })) {
    const change = (at: number, value: number): void => {
      const bytes = Buffer.from(text, "latin1");
      bytes[at % bytes.length] = value;
      if (survives(kind, [bytes])) good++;
    };
    const value = fc.oneof(
      fc.nat(255),
      fc.constantFrom(..."0123456789abcdef,\n".split("").map((c) => c.charCodeAt(0))),
    );
    fc.assert(fc.property(fc.nat(10_000), value, change), { numRuns: 150 });
  }
  assert.ok(good > 20 && good < 550, `${good} of 600 were traces`);
});

test("kinds of texts are guessed where their beginning is certain", () => {
  const guessed = (text: string): string | undefined => guessImporter(Buffer.from(text))?.kind;
  assert.is(guessed("t_us,pfn,count\n"), "csv");
  assert.is(guessed('{"t_us":1,'), "jsonl");
  assert.is(guessed(banner), "lackey");
  assert.is(guessed(logOf(three).text), "qemu-log");
  assert.is(guessed("1,2,3\n"), undefined);
  assert.is(guessed("I  00400000,3\n"), undefined);
});

test("imported lists migrate with stand-in contents: no page differs, none was captured", () => {
  const input = runOf({ guest: redis });
  const lackey = Array.from({ length: 40 }, (_, k) =>
    lackeyLine({ kind: k % 2 ? "S" : "I", page: 9 + k, at: 0, size: 4 }),
  );
  for (const [kind, text] of [
    ["csv", "1,0,9\n500,3,2\n"],
    ["lackey", lackey.join("")],
    ["qemu-log", logOf(three).text],
  ] as const) {
    const found = imported(kind, [text], { epochUs: 100, instructionsPerSecond: 1e5 });
    const trace = openMdt(bytesSource(found.bytes), "i");
    const { migration, check } = simulate({ ...input, stream: guestStream(input.scenario, trace) });
    assert.is(migration.status, "completed");
    assert.equal([check.pagesCompared, check.pagesDifferent], [found.done.pages, 0]);
    assert.is(check.contentCapturedPercent, 0);
  }
});

test.run();
