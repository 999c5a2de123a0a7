// SPDX-License-Identifier: Apache-2.0
// `dpusim probe codec` and the engine presets: what is printed, what is in the JSON, what is refused.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Core, coreModule } from "../src/core.ts";
import { type EngineTotals, type PageOutcome, probePages } from "../src/probe/codec.ts";
import { COMPRESSOR_KEYS } from "../src/scenario/engine-keys.ts";
import { type HardwareCompressor, loadCompressor } from "../src/scenario/engines.ts";
import { KEY_TABLES } from "../src/scenario/keys.ts";
import { loadPreset, packageRoot, parsePreset, presetNames } from "../src/scenario/presets.ts";
import { parseSource } from "../src/scenario/source.ts";
import { dpusim } from "./lib/cli.ts";
import { Codecs } from "./lib/reference/codecs.ts";
import { Draws, KINDS } from "./lib/reference/inputs.ts";
import { encodeLz4Hardware } from "./lib/reference/lz4-hardware.ts";
import { linesOf } from "./lib/scenario.ts";

const folder = mkdtempSync(join(tmpdir(), "dpusim-codec-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
const PAGE = 4096;

/** Text, zeros, noise, sparse words, and half a page of text: what a file of 4.5 pages holds. */
function contents(): Uint8Array[] {
  const draws = new Draws(25_001);
  const make = (kind: string, length = PAGE): Uint8Array => KINDS[kind]!(draws, length);
  return [make("text"), make("zero"), make("random"), make("sparse"), make("text", PAGE / 2)];
}

const file = join(folder, "pages.bin");
const pages = contents();
writeFileSync(file, Buffer.concat(pages));
/** As they are compressed: the last one filled up. */
const whole = pages.map((page) => {
  const full = new Uint8Array(PAGE);
  full.set(page);
  return full;
});

interface Report {
  pages: number;
  zeroPages: number;
  engines: EngineTotals[];
  rows: { page: number; zero: boolean; engines: Record<string, PageOutcome> | null }[];
}

async function probe(...args: string[]): Promise<Report> {
  const { code, stdout, stderr } = await dpusim(["probe", "codec", ...args, "--json"]);
  assert.equal([code, stderr], [0, ""]);
  return JSON.parse(stdout) as Report;
}

// ---- presets ----

test("engine presets: every number has a kind and a source, and what is not modelled says rate only", () => {
  for (const kind of ["compressor", "cipher"] as const) {
    for (const name of presetNames(kind)) {
      const { title, values } = loadPreset(kind, name);
      for (const [key, entry] of Object.entries(values)) {
        assert.ok(["measured", "datasheet", "derived", "assumed"].includes(entry.kind), `${name} ${key}`);
        assert.ok(entry.source.length > 3, `${name} ${key}`);
        assert.ok(entry.kind !== "derived" || entry.note !== null, `${name} ${key}: how was it derived?`);
      }
      if (kind === "cipher") assert.equal(Object.keys(values).sort(), Object.keys(KEY_TABLES.cipher).sort());
      else if (values.rate !== undefined) {
        assert.match(title, "(rate only");
        assert.match(values.algorithm?.note ?? "", "rate only: ");
      } else assert.ok(["lz4-hw", "none"].includes(String(values.algorithm?.value)), name);
    }
  }
});

test("engine presets: those of the contract and of the published engines are there", () => {
  const compressors =
    "bf2-deflate bf3-dpa deflate-hw dpu-ref fpga-lz4-chen24 fpga-lz77-fowers15 iaa-spr ibm-nx-p9 " +
    "ibm-nx-z15 lz4-hw lz4-sw qat-gen4 qat-gen4-zstd vitis-lz4-8e zipline-asic zstd-sw";
  const ciphers =
    "bf3-dpa dpu-ref gcm-cast-f gcm-cast-s gcm-cast-x gcm-cast-x2 hsc-400g macsec-100g qat-8950";
  assert.is(presetNames("compressor").join(" "), compressors);
  assert.is(presetNames("cipher").join(" "), ciphers);
});

test("engine presets: dpu-ref's engines are those of card dpu-ref", () => {
  const card = loadPreset("card", "dpu-ref").values;
  for (const [key, entry] of Object.entries(loadPreset("cipher", "dpu-ref").values))
    assert.equal(entry.value, card[key === "clock" ? key : `crypto.${key}`]?.value, key);
  for (const [key, entry] of Object.entries(loadPreset("compressor", "dpu-ref").values)) {
    const same = card[key === "clock" ? key : `compressor.${key}`];
    if (same !== undefined) assert.equal(entry.value, same.value, key);
  }
});

test("a compressor preset has the keys of its algorithm and no others", () => {
  const text = readFileSync(join(packageRoot(), "sim/engines/compressors/zstd-sw.yaml"), "utf8");
  const of = (from: string, to: string): readonly string[] =>
    linesOf(() => parsePreset("compressor", "zstd-sw", parseSource(text.replace(from, to), "z.yaml")));
  assert.match(
    of("value: ratio\n", "value: lz4-sw\n")[0]!,
    /ratioPerMille: is no key of algorithm lz4-sw; remove/,
  );
  assert.match(of("  ratioPerMille:", "  zlibLevel:").join(), /zlibLevel: is no key of algorithm ratio/);
  assert.match(of("  rate:", "  rrate:").join("\n"), /values: rate is missing/);
  const ofAll = Object.values(COMPRESSOR_KEYS).flatMap(({ of: algorithms = [] }) => algorithms);
  assert.equal([...new Set(ofAll)].sort(), ["lz4-hw", "lz4-sw", "ratio", "zlib"]);
});

// ---- the probe ----

test("rows of modelled engines are those of the slow encoder, page by page", async () => {
  const names = presetNames("compressor").filter((name) => loadCompressor(name).algorithm === "lz4-hw");
  assert.is(names.length, 6);
  const { rows, pages: count, zeroPages } = await probe(file, ...names.flatMap((name) => ["--engine", name]));
  assert.equal([count, zeroPages, rows.length], [5, 1, 5]);
  assert.equal(rows[1], { page: 1, zero: true, engines: null });
  for (const name of names) {
    const e = loadCompressor(name) as HardwareCompressor;
    const policy = ["drop", "stall", "coalesce"].indexOf(e.policy) as 0 | 1 | 2;
    const flags = { multi: e.multi ? 1 : 0, intraForward: e.intraForward ? 1 : 0 } as const;
    for (const row of rows.filter(({ zero }) => !zero)) {
      const { pws, hashLog, banks, ports, matchCap, outBytesPerClock, tokensPerClock, outFifoBytes } = e;
      const machine = {
        pws,
        hashLog,
        banks,
        ports,
        policy,
        matchCap,
        ...flags,
        bailMargin: e.bailMarginBytes,
      };
      const packer = { outBytesPerClock, tokensPerClock, outFifoBytes };
      const { block, cycles, conflicts } = encodeLz4Hardware(whole[row.page]!, { ...machine, ...packer });
      const sizeBytes = block?.length ?? PAGE;
      const expected = { sizeBytes, raw: block === null, refused: false, cycles, conflicts };
      assert.equal(row.engines?.[name], expected, `${name}, page ${row.page}`);
    }
  }
});

test("rows of rated engines: liblz4's sizes, a stand-in's, one ratio; what is refused is raw", async () => {
  const { rows, engines } = await probe(file);
  const codecs = new Codecs();
  const raw = { sizeBytes: PAGE, raw: true, cycles: null, conflicts: null };
  for (const { page, zero, engines: made } of rows) {
    if (zero) continue;
    const block = codecs.encode(whole[page]!, 2 * PAGE);
    const fits = block !== null && block.length <= PAGE - 64;
    assert.is(made?.["lz4-sw"]?.sizeBytes, fits ? block.length : PAGE, `page ${page}`);
    assert.is(made?.["zstd-sw"]?.sizeBytes, Math.round(PAGE / 3.26));
    assert.equal(made?.["bf3-dpa"], { ...raw, refused: true });
    assert.equal(made?.["qat-gen4-zstd"], { ...raw, refused: true });
    // noise alone grows: one engine stores it, one leaves it to software
    assert.is(made?.["deflate-hw"]?.raw, page === 2);
    assert.is(made?.["deflate-hw"]?.refused, false);
    assert.is(made?.["bf2-deflate"]?.refused, page === 2);
  }
  const none = engines.find(({ engine }) => engine === "bf3-dpa");
  assert.equal([none?.pagesPerSecond, none?.bytesPerSecond, none?.rawPages], [null, null, 4]);
});

test("totals are those of the rows", async () => {
  const { rows, engines } = await probe(file, "--engine", "vitis-lz4-8e", "--engine", "lz4-hw");
  assert.equal(
    engines.map(({ engine }) => engine),
    ["vitis-lz4-8e", "lz4-hw"],
  );
  for (const totals of engines) {
    const made = rows.flatMap(({ engines: all }) => (all === null ? [] : [all[totals.engine]!]));
    const sum = (of: (one: PageOutcome) => number): number => made.reduce((total, one) => total + of(one), 0);
    const clocks = made.map(({ cycles }) => cycles!).sort((a, b) => a - b);
    assert.is(totals.pages, 4);
    assert.is(
      totals.bytesOut,
      sum(({ sizeBytes }) => sizeBytes),
    );
    assert.is(totals.ratio, (4 * PAGE) / totals.bytesOut);
    const mean = sum(({ cycles }) => cycles!) / 4;
    // rank ceil(0.5 x 4) = 2 and ceil(0.99 x 4) = 4
    assert.equal(totals.cycles, { mean, p50: clocks[1], p99: clocks[3], max: clocks[3] });
    const perSecond = totals.engine === "lz4-hw" ? 1e9 / mean : (8 * 300e6) / mean;
    assert.ok(Math.abs(totals.pagesPerSecond! / perSecond - 1) < 1e-12);
    assert.ok(Math.abs(totals.bytesPerSecond! / (PAGE * perSecond) - 1) < 1e-12);
    assert.is(
      totals.conflicts,
      sum(({ conflicts }) => conflicts!),
    );
    assert.is(totals.rawPages, 1);
  }
});

test("set-up clocks are an engine's time", () => {
  const base = loadCompressor("lz4-hw") as HardwareCompressor;
  const run = (engine: HardwareCompressor): EngineTotals => {
    const steps = probePages(new Core(coreModule()), [engine], [whole[0]!]);
    for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value[0]!;
  };
  assert.is(run({ ...base, setupCycles: 100 }).cycles!.mean, run(base).cycles!.mean + 100);
  assert.throws(() => run({ ...base, banks: 3 }), /no such encoder/);
});

test("the table: a line an engine in 120 columns, those modelled first, then notes", async () => {
  const { code, stdout, stderr } = await dpusim(["probe", "codec", file]);
  assert.equal([code, stderr], [0, ""]);
  assert.match(stdout, /pages\.bin: 5 pages of 4 KiB, 1 of them zero and left to a zero filter\n/);
  const shown = presetNames("compressor").map((name) => stdout.search(new RegExp(`^  ${name} `, "m")));
  assert.ok(shown.every((at) => at > 0));
  assert.ok(stdout.indexOf("  zipline-asic ") < stdout.indexOf("  lz4-sw "));
  for (const line of stdout.split("\n")) assert.ok([...line].length <= 120, line);
  assert.match(stdout, "bf3-dpa does not compress");
  assert.match(stdout, "qat-gen4-zstd takes no job below 8192 B");
  assert.match(stdout, "bf2-deflate cannot store what does not shrink: 1 page left to software");
});

test("--pages takes the first ones; --json FILE beside the table; a trace gives its bodies", async () => {
  const out = join(folder, "out.json");
  const args = ["probe", "codec", "sim/traces/host-redis-small.mdt", "--engine", "dpu-ref", "--pages", "40"];
  const { code, stdout } = await dpusim([...args, "--json", out]);
  assert.is(code, 0);
  assert.match(stdout, /^sim\/traces\/host-redis-small\.mdt: 40 pages of 4 KiB/);
  const written = JSON.parse(readFileSync(out, "utf8")) as Report;
  assert.equal([written.pages, written.rows.length], [40, 40]);
  assert.is((await probe("sim/traces/example.mdt", "--engine", "dpu-ref")).pages > 0, true);
});

test("errors are one line and exit code 2", async () => {
  const empty = join(folder, "empty");
  writeFileSync(empty, "");
  const broken = join(folder, "broken.mdt");
  writeFileSync(broken, readFileSync("sim/traces/example.mdt").subarray(0, 200));
  const table: [string[], RegExp][] = [
    [["nowhere.bin"], /^nowhere\.bin: no such file$/],
    [[folder], /: is a folder; name a file$/],
    [[empty], /: is empty; name a file with contents$/],
    [[broken], /broken\.mdt: offset \d+: /],
    [[file, "--engine", "lz4-hv"], /^--engine lz4-hv: is no compressor preset; did you mean lz4-hw\?$/],
    [[file, "--engine", "macsec-100g"], /^--engine macsec-100g: is a cipher; dpusim validate codec/],
    [[file, "--pages", "none"], /^--pages: none is no whole number from 1 to 1099511627776$/],
    [[file, "--json", join(folder, "no", "out.json")], /there is no folder/],
    [[file, "--json", file], /is what this command reads; name another file$/],
    [[], /missing required argument 'file'/],
  ];
  for (const [args, expected] of table) {
    const { code, stdout, stderr } = await dpusim(["probe", "codec", ...args]);
    assert.equal([code, stdout, stderr.split("\n").length], [2, "", 2], stderr);
    assert.match(stderr.trimEnd(), expected);
  }
  const help = await dpusim(["probe", "--help"]);
  assert.is(help.code, 0);
  assert.match(help.stdout, /^ {2}codec /m);
});

test.run();
