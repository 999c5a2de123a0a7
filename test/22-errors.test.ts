// SPDX-License-Identifier: Apache-2.0
// What a user gets for bad input: one line on stderr, exit code 2, nothing on stdout, no stack trace.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Core, coreModule, guestStream, parseSource, resolveSource, simulation } from "../src/index.ts";
import { dpusim, mapAtMost, projectRoot } from "./lib/cli.ts";
import { buildFile } from "./lib/trace-build.ts";

const folder = mkdtempSync(join(tmpdir(), "dpusim-errors-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
const put = (name: string, data: string | Uint8Array): void => writeFileSync(join(folder, name), data);

const shipped = readFileSync(join(projectRoot, "sim/traces/example.mdt"));
const flipped = Uint8Array.from(shipped);
flipped[200]! ^= 1;
/** Pages 0 to 3, written by `timeUs`. */
const epoch = (timeUs: number) => ({ type: "EPOC", timeUs, items: 1, raw: [0, 1, 0, 3] });
const bomb = deflateRawSync(Buffer.alloc(2 ** 24));
put("good.mdt", shipped);
put("redis.mdt", readFileSync(join(projectRoot, "sim/traces/host-redis-small.mdt")));
put("short.mdt", shipped.subarray(0, 600));
put("flipped.mdt", flipped);
put("empty.mdt", "");
put("text.mdt", "not a trace\n".repeat(20));
put("good.yaml", "schema: dpusim.scenario/1\nguest: { trace: good.mdt }\n");
put("typo.yaml", "schema: dpusim.scenario/1\nguest:\n  trace: good.mdt\nlink:\n  rat: 100 Gbit/s\n");
put("unit.yaml", "schema: dpusim.scenario/1\nguest: { trace: good.mdt }\nlink: { rate: 100 Gb }\n");
put("later.yaml", "schema: dpusim.scenario/1\nguest: { trace: good.mdt }\nfirmware: mine.ts\n");
put("tab.yaml", "schema: dpusim.scenario/1\nguest:\n\ttrace: good.mdt\n");
put("nothing.yaml", "");
put("gone.yaml", "schema: dpusim.scenario/1\nguest: { trace: gone.mdt }\n");
put("outside.yaml", "schema: dpusim.scenario/1\nguest: { trace: ../../etc/hostname }\n");
put("short.yaml", "schema: dpusim.scenario/1\nguest: { trace: short.mdt }\n");
put("flipped.yaml", "schema: dpusim.scenario/1\nguest: { trace: flipped.mdt }\n");
put("text.yaml", "schema: dpusim.scenario/1\nguest: { trace: text.mdt }\n");
put("large.yaml", "schema: dpusim.scenario/1\nguest:\n  trace: redis.mdt\n  tile: 700\ncontent: full\n");
put(
  "long.yaml",
  "schema: dpusim.scenario/1\nguest: { trace: good.mdt }\nmigration:\n  timeout: 1h\n  startAt: 2h\n",
);
put("broken.json", '{ "schema": "dpusim.result/1", ');
put("other.json", '{ "schema": "dpusim.scenario/1" }');
put("tag.json", '{ "schema": "dpusim.result/2" }');
put("bare.json", '{ "schema": "dpusim.result/1" }');
put("long.mdt", buildFile({ pages: 4, chunks: [epoch(2 ** 52)] }));
put("wide.mdt", buildFile({ pages: 2 ** 31, chunks: [epoch(20_000)] }));
put("future.mdt", buildFile({ pages: 4, major: 2, minor: 0, chunks: [epoch(20_000)] }));
put("pfn.mdt", buildFile({ pages: 3, chunks: [epoch(20_000)] }));
put("bomb.mdt", buildFile({ pages: 4, chunks: [{ ...epoch(20_000), codec: 1, stored: bomb, rawBytes: 4 }] }));
for (const name of ["long", "future", "pfn", "bomb"]) {
  put(`${name}-trace.yaml`, `schema: dpusim.scenario/1\nguest: { trace: ${name}.mdt }\n`);
}
put("wide.yaml", "schema: dpusim.scenario/1\nguest: { trace: wide.mdt, tile: 2 }\ncontent: sized\n");
put("exact.yaml", "schema: dpusim.scenario/1\nguest: { trace: good.mdt, speed: 1.23456789012345678 }\n");
symlinkSync("/etc/hostname", join(folder, "link.mdt"));
put("link.yaml", "schema: dpusim.scenario/1\nguest: { trace: link.mdt }\n");
mkdirSync(join(folder, "a-folder.yaml"));
mkdirSync(join(folder, "traces.mdt"));
symlinkSync("/nonexistent/place", join(folder, "dangling.yaml"));
put("secret.yaml", "x");
chmodSync(join(folder, "secret.yaml"), 0o000);

/** A call of `trace generate`; later options win. */
function generate(file: string, ...more: readonly string[]): string[] {
  const workload = ["--memory", "1MiB", "--rate", "100/s", "--working-set", "64KiB"];
  return ["trace", "generate", file, ...workload, ...more];
}

/** Arguments, and the line that they give. */
type Case = readonly [args: readonly string[], line: string | RegExp];

const usage = "dpusim --help shows what there is";
const CASES: readonly Case[] = [
  // usage
  [[], "dpusim: a command is missing; dpusim --help lists them"],
  [["frobnicate"], `dpusim: unknown command 'frobnicate'; ${usage}`],
  [["rnu"], `dpusim: unknown command 'rnu' (Did you mean run?); ${usage}`],
  [["run"], `dpusim: missing required argument 'scenario'; ${usage}`],
  [["run", "good.yaml", "more"], /^dpusim: too many arguments for 'run'/],
  [["run", "--bogus", "good.yaml"], `dpusim: unknown option '--bogus'; ${usage}`],
  [["run", "good.yaml", "--json"], `dpusim: option '--json <file>' argument missing; ${usage}`],
  [["run", "good.yaml", "--set"], `dpusim: option '--set <key=value>' argument missing; ${usage}`],
  [
    ["run", "good.yaml", "--core", "fast"],
    "--core fast: is not known; there are lean, instrumented, debug, naive",
  ],
  [["trace", "frob", "good.mdt"], `dpusim: unknown command 'frob'; ${usage}`],
  // scenario files
  [["run", "missing.yaml"], "missing.yaml: no such file"],
  [["validate", "qemu", "--truth", "missing.json"], "missing.json: no such file"],
  [["validate", "qemu", "--truth", "a-folder.yaml"], "a-folder.yaml: is a folder; name a file"],
  [["validate", "qemu", "--truth", "broken.json"], "broken.json: is not JSON; write qemu-migration-truth/1"],
  [["validate", ""], /^validate "": is not a suite; there are: pcie-model, pcie-bench, .*, host$/],
  [["run", "n".repeat(300)], /^n+: has a name that is too long$/],
  [["run", ""], '"": no such file'],
  [["run", "good.yaml/x"], "good.yaml/x: a part of the path is not a folder"],
  [["run", "a\nb\x1b[31m"], "a?b?[31m: no such file"],
  [["run", "exact.yaml"], /^exact\.yaml:2:34 guest\.speed: has too many digits/],
  [["run", "dangling.yaml"], "dangling.yaml: no such file"],
  [["run", "a-folder.yaml"], "a-folder.yaml: is not a file; give the path of a YAML or JSON file"],
  [["run", "nothing.yaml"], "nothing.yaml:1:1: is empty; write a mapping of keys to values"],
  [["run", "tab.yaml"], /^tab\.yaml:3:1: .*tab.*blanks$/],
  [["run", "typo.yaml"], "typo.yaml:5:3 link.rat: unknown key; did you mean rate?"],
  [["run", "unit.yaml"], /^unit\.yaml:3:15 link\.rate: 100 Gb: .*; write e\.g\. /],
  [["run", "later.yaml"], /^later\.yaml:3:11 firmware: .*not supported yet/],
  [["run", "gone.yaml"], /^gone\.yaml:2:17 guest\.trace: gone\.mdt is not there; paths are relative/],
  [["run", "outside.yaml"], /^outside\.yaml:2:17 guest\.trace: .* leaves the project; .*--allow-outside$/],
  // overrides
  [["probe", "link", "--hop", "1 us"], "--hop: has no effect without --pause; add it"],
  [["probe", "link", "--pause", "--hop", "1 ms"], "--hop: 1 ms is too long; write at most 10 us"],
  [["probe", "link", "--pause", "--rate", "400Gbit/s"], /^--pause: the port is no faster .* above --rate$/],
  [["probe", "link", "--pause", "--buffer", "30KiB"], /^--buffer: is less than .*; write at least 77198 B$/],
  [["run", "good.yaml", "--set", "link.rate"], /^--set link\.rate: has no =; write e\.g\. /],
  [["run", "good.yaml", "--set", "link.rate="], /^--set link\.rate: has no value; /],
  [["run", "good.yaml", "--set", "link.rat=1 Gbit/s"], "--set link.rat: unknown key; did you mean rate?"],
  [["run", "good.yaml", "--set", "link.rate=1"], "--set link.rate: 1 has no unit; write e.g. 1 Gbit/s"],
  [["run", "good.yaml", "--content", "fulll"], "--content: fulll is not known here; did you mean full?"],
  [["run", "good.yaml", "--seed", "abc"], /^--seed: abc is not a pure count; write a whole number/],
  [["run", "good.yaml", "--seed", ""], /^--seed: "" is not a pure count; write a whole number/],
  // outputs
  [["run", "good.yaml", "--json", ""], "--json: has no value; name a file"],
  [["run", "good.yaml", "--json", "x/"], "--json x/: is a folder; name a file"],
  [["run", "good.yaml", "--json", "good.mdt/x"], "--json good.mdt/x: a part of the path is not a folder"],
  [
    ["run", "good.yaml", "--json", "dangling.yaml"],
    "--json dangling.yaml: is a link to nothing; name a file",
  ],
  [
    ["run", "good.yaml", "--json", "good.yaml"],
    "--json good.yaml: is what this command reads; name another file",
  ],
  [
    ["run", "good.yaml", "--json", "./good.mdt"],
    "--json ./good.mdt: is what this command reads; name another file",
  ],
  [["run", "good.yaml", "--json", "n".repeat(300)], /^--json n+: has a name that is too long$/],
  [["run", "good.yaml", "--json", "nowhere/x.json"], "--json nowhere/x.json: there is no folder nowhere"],
  [["run", "good.yaml", "--json", "a-folder.yaml"], "--json a-folder.yaml: is a folder; name a file"],
  // traces in runs
  [
    ["run", "short.yaml"],
    /^short\.mdt: offset \d+: .*\(last whole epoch \d+\)$|^short\.mdt: offset \d+: .*\(no whole epoch\)$/,
  ],
  [["run", "flipped.yaml"], /^flipped\.mdt: offset \d+: .*(CRC|checksum|crc)/],
  [
    ["run", "long-trace.yaml"],
    /^long-trace\.yaml:2:\d+ guest\.speed: the trace's epochs pass 2\.5 h.*faster$/,
  ],
  [["run", "wide.yaml"], "wide.yaml:2:33 guest.tile: 2 times 2147483648 pages are too many; write at most 1"],
  [["run", "future-trace.yaml"], /^future\.mdt: offset 0: format version 2\.x is not known; .* 1\.x/],
  [["run", "pfn-trace.yaml"], /^pfn\.mdt: offset 66: pfn 3 is not below the page count 3/],
  [["run", "bomb-trace.yaml"], /^bomb\.mdt: offset 66: DEFLATE stream grows past its declared 4 bytes/],
  [["run", "link.yaml"], /^link\.yaml:2:17 guest\.trace: link\.mdt leaves the project; .*--allow-outside$/],
  [["run", "text.yaml"], /^text\.mdt: offset 0: /],
  [
    ["run", "large.yaml"],
    "large.yaml:5:10 content: full carries every page twice and the guest has 1644 MiB, " +
      "at most 1536 MiB; use sized",
  ],
  [
    ["run", "large.yaml", "--content", "full"],
    "--content: full carries every page twice and the guest has 1644 MiB, at most 1536 MiB; use sized",
  ],
  [
    ["run", "long.yaml"],
    "long.yaml:4:12 migration.timeout: the run could pass 2.5 h of simulated time; give a shorter timeout",
  ],
  // trace commands
  [["trace", "info", "missing.mdt"], "missing.mdt: no such file"],
  [["trace", "info", "traces.mdt"], "traces.mdt: is a folder; name a file"],
  [["trace", "verify", "empty.mdt"], /^empty\.mdt: offset 0: /],
  [["trace", "verify", "short.mdt"], /^short\.mdt: offset \d+: /],
  [["run", "good.yaml", "--follow", "x"], "--follow x: is not a page number; write e.g. 300 or 0x12c"],
  [
    ["run", "good.yaml", "--follow", "99999999"],
    /^--follow 99999999: is outside the guest; its pages are 0 to /,
  ],
  [
    ["trace", "import", "frob", "-o", "x.mdt"],
    /^frob: is no kind and no file; kinds are qemu-stream, qemu-log,/,
  ],
  [["trace", "import", "text.mdt", "-o", "x.mdt"], /^text\.mdt: its beginning does not tell .*name its kind/],
  [
    ["trace", "import", "raw", "good.mdt", "-o", "x.mdt"],
    /^raw: takes two or more raw images.*; 1 file given/,
  ],
  [
    ["trace", "import", "csv", "text.mdt", "-o", "x.mdt"],
    /^text\.mdt:1: offset 0: t_us is missing; a line has/,
  ],
  [["trace", "import", "csv", "gone.csv", "-o", "x.mdt"], "gone.csv: no such file"],
  [["trace", "import", "elf", "good.mdt", "-o", "x.mdt"], /^good\.mdt: offset 0: this is no ELF file/],
  [
    ["trace", "import", "qemu-stream", "empty.mdt", "-o", "x.mdt"],
    /^empty\.mdt: offset 0: the file ends inside/,
  ],
  [
    ["trace", "import", "lackey", "text.mdt", "-o", "x.mdt"],
    /^text\.mdt:1: offset 0: this is no line of lackey/,
  ],
  [
    ["trace", "import", "raw", "good.mdt", "good.mdt", "-o", "x.mdt"],
    /^good\.mdt: offset 0: .*inside page 0/,
  ],
  [["trace", "import", "csv", "text.mdt"], /required option '-o, --output <file>' not specified/],
  [
    ["trace", "import", "csv", "text.mdt", "-o", "text.mdt", "--force"],
    /is what this command reads; name another/,
  ],
  [
    ["trace", "import", "csv", "text.mdt", "-o", "good.mdt"],
    /good\.mdt: is there already; .*--force to replace/,
  ],
  [["trace", "import", "csv", "text.mdt", "-o", "x.mdt", "--epoch", "1"], /^--epoch: /],
  [
    ["trace", "import", "csv", "text.mdt", "-o", "x.mdt", "--epoch", "1.5us"],
    /^--epoch: "1\.5us" is out of range/,
  ],
  [
    ["trace", "import", "csv", "text.mdt", "-o", "x.mdt", "--rate", "1Gbit/s"],
    /^--rate: has no effect on csv/,
  ],
  [["trace", "import", "elf", "text.mdt", "-o", "x.mdt", "--instructions", "1/s"], /^--instructions: has no/],
  [
    ["trace", "import", "qemu-log", "text.mdt", "-o", "x.mdt", "--epoch", "1s"],
    /^--epoch: .*end at the syncs/,
  ],
  [
    ["trace", "import", "lackey", "text.mdt", "-o", "x.mdt", "--hashes"],
    /^--hashes: has no effect on lackey/,
  ],
  [["trace", "generate", "x.mdt"], `dpusim: required option '--memory <bytes>' not specified; ${usage}`],
  [
    ["trace", "generate", "x.mdt", "--memory", "5KiB", "--rate", "1/s", "--working-set", "4KiB"],
    '--memory: "5KiB" is not a multiple of 4 KiB above 0; write e.g. 64MiB',
  ],
  [generate("good.mdt"), /^trace generate good\.mdt: is there already; name a new file, or give --force/],
  [generate("nowhere/x.mdt"), "trace generate nowhere/x.mdt: there is no folder nowhere"],
  [generate("x.mdt", "--memory", "2TiB"), '--memory: "2TiB" is too much; write at most 1 TiB'],
  [generate("x.mdt", "--working-set", "2MiB"), "--working-set: is larger than --memory; write at most 1MiB"],
  [generate("x.mdt", "--rate", "2G/s"), '--rate: "2G/s" is out of range; write 0 to 1 G/s'],
  [
    generate("x.mdt", "--rate", "2M/s", "--working-set", "4KiB"),
    '--rate: "2M/s" is too much: a file has a page once in an epoch of whole us; write at most 1000000/s',
  ],
  [
    generate("x.mdt", "--rate", "1M/s", "--working-set", "4KiB", "--duration", "4s"),
    '--duration: "4s" is too much: 4000000 epochs of 1 us have more chunks than a file; write at most 920ms',
  ],
  [generate("x.mdt", "--rate", "-1/s"), "--rate: -1/s must not be negative; write e.g. 4000 /s"],
  [
    generate("x.mdt", "--duration", "3h"),
    /^--duration: (3h is beyond|"3h" is longer than a run may be; write at most 2\.5 h$)/,
  ],
  [generate("x.mdt", "--pattern", "zip"), /^--pattern: "zip" is not known; there are uniform/],
  [generate("x.mdt", "--mix", "1/2"), /^--mix: "1\/2" is not three per cents that add up to 100/],
  // lists and replay
  [["presets", "dpu-reff"], "presets dpu-reff: is not known here; did you mean dpu-ref?"],
  [["stats", `${"*".repeat(80)}zz`], /^stats \*+zz: matches no name; dpusim stats lists them all$/],
  [["stats", "x["], "stats x[: matches no name; dpusim stats lists them all"],
  [["stats", "no-such-*"], "stats no-such-*: matches no name; dpusim stats lists them all"],
  [["schema", "scenari"], "schema scenari: is not known here; did you mean scenario?"],
  [["schema", "sweep"], "schema sweep: is not supported yet in this version; write scenario or result"],
  [["replay", "missing.json"], "missing.json: no such file"],
  [["replay", "broken.json"], /^broken\.json:1:\d+: is not JSON; give a result that dpusim wrote$/],
  [
    ["replay", "tag.json"],
    "tag.json schema: is dpusim.result/2, which this dpusim does not read; give a dpusim.result/1 file",
  ],
  [["replay", "bare.json"], "bare.json provenance: is missing; give the file as dpusim wrote it"],
  [["replay", "other.json"], /^other\.json schema: .*dpusim\.result\/1/],
];

test("bad input gives its one line and exit code 2", async () => {
  const faults = await mapAtMost(2, CASES, async ([args, line]) => {
    const { code, stdout, stderr } = await dpusim(args, { cwd: folder });
    const matches = typeof line === "string" ? stderr === `${line}\n` : line.test(stderr.replace(/\n$/, ""));
    const single = stderr.endsWith("\n") && stderr.indexOf("\n") === stderr.length - 1;
    if (code === 2 && stdout === "" && matches && single) return null;
    return `${args.join(" ")}\n  expected 2: ${line}\n  actual ${code}: ${stderr}${stdout.slice(0, 200)}`;
  });
  const found = faults.filter((fault) => fault !== null);
  assert.is(found.length, 0, `\n${found.join("\n")}`);
  // nothing was written, nothing was written over
  assert.equal(readFileSync(join(folder, "good.mdt")), shipped);
  assert.equal(
    readdirSync(folder).filter((name) => name.endsWith(".tmp") || name === "x.mdt"),
    [],
  );
});

test("a run that may pass 2.5 h is refused; a timeout shortens it, forced or not", () => {
  const core = new Core(coreModule("lean"));
  // 18 pages at 1.5 kbit/s: a round may take 73,728 B x 8 / 1.5 kbit/s = 393 s, thirty-one of them 12,190 s
  const guest = "guest: { generate: { memory: 64 KiB, rate: 0, workingSet: 4 KiB }, deviceState: 8 KiB }";
  const slow = "link: { rateCap: 1500 bit/s }\ncontent: sized\n";
  const begin = (migration: string): void => {
    const text = `schema: dpusim.scenario/1\n${guest}\n${slow}migration: ${migration}\n`;
    const { scenario } = resolveSource(parseSource(text, "s.yaml"), folder, "s");
    const origin = { version: "", build: "", trace: null, traceHint: null };
    simulation({ core, scenario, stream: guestStream(scenario, null), origin }).next();
  };
  assert.throws(
    () => begin("{ maxRounds: 30 }"),
    /could pass 2\.5 h of simulated time; give migration\.timeout/,
  );
  begin("{ timeout: 1 h }");
  // 1 h, the round under way and the last: 3,600 s + 2 x 393 s
  begin("{ timeout: 1 h, onTimeout: force }");
  const late = "{ timeout: 1 h, startAt: 2 h, onTimeout: force }";
  assert.throws(() => begin(late), /could pass 2\.5 h of simulated time; give a shorter timeout/);
});

test("an unreadable file is named", async () => {
  const { code, stderr } = await dpusim(["run", "secret.yaml"], { cwd: folder });
  assert.is(code, 2);
  // root reads every file: then the scenario itself is what is wrong
  const expected = process.getuid?.() === 0 ? /^secret\.yaml:1:1/ : /^secret\.yaml: permission is denied\n$/;
  assert.match(stderr, expected);
});

test("a fault of the program itself gives exit code 3 and asks for a report", async () => {
  const wasm = join(folder, "not.wasm");
  writeFileSync(wasm, "no wasm");
  const called = await dpusim(["run", "good.yaml"], { cwd: folder, env: { DPUSIM_CORE_WASM: wasm } });
  assert.is(called.code, 3);
  assert.is(called.stdout, "");
  assert.match(called.stderr, /^dpusim: a fault of dpusim itself: /);
  assert.match(called.stderr, /Please report it/);
});

test.run();
