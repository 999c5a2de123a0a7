// SPDX-License-Identifier: Apache-2.0
// The command line as a user meets it: what goes where, and which code it ends with.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { differences, type Result, resultSchema } from "../src/index.ts";
import { dpusim, projectRoot } from "./lib/cli.ts";
import { buildFile } from "./lib/trace-build.ts";

const folder = mkdtempSync(join(tmpdir(), "dpusim-cli-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
const inFolder = (name: string): string => join(folder, name);
const tiny = "sim/scenarios/tiny.yaml";
const redis = join(projectRoot, "sim/traces/host-redis-small.mdt");

test("help and version; help loads nothing heavy", async () => {
  const [help, runHelp, version] = await Promise.all([
    dpusim(["--help"]),
    dpusim(["run", "--help"]),
    dpusim(["-V"]),
  ]);
  assert.is(help.code, 0);
  for (const command of ["run", "trace", "presets", "stats", "schema", "replay"]) {
    assert.match(help.stdout, new RegExp(`^  ${command} `, "m"));
  }
  for (const option of ["--json", "--set", "--content", "--seed", "--follow", "--allow-outside"]) {
    assert.match(runHelp.stdout, option);
  }
  assert.not.match(runHelp.stdout, "--core");
  const { version: expected } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
  assert.equal([version.code, version.stdout, version.stderr], [0, `${expected}\n`, ""]);
  // what main.ts imports at once; everything else is imported when its command is called
  const main = readFileSync(join(projectRoot, "src/cli/main.ts"), "utf8");
  const imported = [...main.matchAll(/^import .* from "(.*)";$/gm)].map(([, from]) => from);
  assert.equal(imported, ["node:fs", "commander", "../atomics.ts", "./errors.ts"]);
  const errors = readFileSync(join(projectRoot, "src/cli/errors.ts"), "utf8");
  assert.equal(errors.match(/^import .*$/gm), ['import { SYSTEM_ERRORS } from "../system-errors.ts";']);
  for (const light of ["system-errors.ts", "atomics.ts"])
    assert.not.match(readFileSync(join(projectRoot, "src", light), "utf8"), /^import /m);
});

test("trace import guesses the kind, writes a trace that verifies, and says what it holds", async () => {
  const [from, to] = [inFolder("writes.csv"), inFolder("imported.mdt")];
  writeFileSync(from, "t_us,pfn,count\n20000,3,2\n90000,0,1\n");
  const call = await dpusim(["trace", "import", from, "-o", to]);
  assert.equal([call.code, call.stderr], [0, ""]);
  // epochs end at 20, 80 (without writes) and 100 ms
  assert.match(call.stdout, /: csv, \d+ B, no contents, 5 pages, 3 page writes in 3 epochs\n$/);
  const verified = await dpusim(["trace", "verify", to, "--json"]);
  assert.is(verified.code, 0, verified.stderr);
  const { metadata } = JSON.parse((await dpusim(["trace", "info", to, "--json"])).stdout);
  const [source] = metadata.sources;
  const bytes = readFileSync(from);
  assert.equal(source, {
    name: "writes.csv",
    bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  });
  assert.match(metadata.tool, /^dpusim \d/);
});

test("run --follow tells a page's way after the same table; a result with it is replayed", async () => {
  const file = inFolder("followed.json");
  const [plain, told] = await Promise.all([
    dpusim(["run", tiny]),
    dpusim(["run", tiny, "--follow", "0x2", "--follow", "1", "--follow", "2", "--json", file]),
  ]);
  assert.is(told.code, 0, told.stderr);
  assert.ok(told.stdout.startsWith(plain.stdout), "the table is another");
  const ways = told.stdout.slice(plain.stdout.length);
  assert.equal(
    ways.match(/^page .*$/gm)!.map((line) => line.split(" was")[0]),
    ["page 2 (0x2000)", "page 1 (0x1000)"],
  );
  assert.match(ways, /announced in round 1/);
  for (const line of ways.split("\n")) assert.ok([...line].length <= 100, line);
  const replayed = await dpusim(["replay", file]);
  assert.is(replayed.code, 0, replayed.stdout + replayed.stderr);
});

test("run prints a table of at most 100 columns; colours follow NO_COLOR and FORCE_COLOR", async () => {
  const [plain, coloured] = await Promise.all([
    dpusim(["run", tiny]),
    dpusim(["run", tiny], { env: { NO_COLOR: undefined, FORCE_COLOR: "1" } }),
  ]);
  assert.is(plain.code, 0, plain.stdout + plain.stderr);
  assert.is(plain.stderr, "");
  for (const line of plain.stdout.split("\n")) assert.ok([...line].length <= 100, line);
  for (const text of [
    /^tiny: completed after /,
    "ROUND",
    "UNIT",
    "limit",
    "bounds",
    "none differs",
    "all held",
  ]) {
    assert.match(plain.stdout, text);
  }
  assert.not.ok(plain.stdout.includes("\x1b"));
  assert.ok(coloured.stdout.includes("\x1b"));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour sequences are what is removed
  assert.is(coloured.stdout.replace(/\x1b\[[0-9;]*m/g, ""), plain.stdout);
});

test("--json: the whole stdout, or a file; --set, --seed and --content are in it", async () => {
  const args = ["run", tiny, "--set", "link.rate=40 Gbit/s", "--seed", "7", "--content", "sized"];
  const file = inFolder("result.json");
  const [out, written] = await Promise.all([
    dpusim([...args, "--json", "-"]),
    dpusim([...args, "--json", file]),
  ]);
  assert.equal([out.code, out.stderr], [0, ""]);
  const result = JSON.parse(out.stdout) as Result;
  assert.ok(resultSchema.safeParse(result).success);
  assert.is(readFileSync(file, "utf8"), out.stdout);
  assert.match(written.stdout, /^tiny: completed/);
  assert.is(result.scenario.seed, 7);
  assert.is(result.scenario.content.mode, "sized");
  // 40 Gbit/s: 8 / 40 ns = 204800 ticks a byte
  assert.equal(result.scenario.link.ticksPerByte, [204_800, 1]);
  assert.is(result.provenance.traceHint, "example.mdt");
  assert.not.ok(readdirSync(folder).some((name) => name.endsWith(".tmp")));
});

test("a migration that does not converge ends with 1 and says so", async () => {
  const scenario = {
    schema: "dpusim.scenario/1",
    guest: {
      generate: {
        memory: "1 MiB",
        rate: "20000 /s",
        workingSet: "1 MiB",
        mix: { zero: 0, text: 0, random: 100 },
      },
      deviceState: "4 KiB",
    },
    link: { rate: "100 Mbit/s" },
    compress: "off",
    migration: { maxRounds: 3, downtimeLimit: "1 ms" },
  };
  writeFileSync(inFolder("busy.yaml"), JSON.stringify(scenario));
  const { code, stdout } = await dpusim(["run", "busy.yaml"], { cwd: folder });
  assert.is(code, 1, stdout);
  assert.match(
    stdout,
    /^busy: not-converged after .*the guest was never stopped\n {2}the round limit was reached\n/,
  );
  assert.match(stdout, /source.*256 pages compared, none differs/);
  assert.match(stdout, "all held");
});

test("replay: equal bit for bit; a changed number, a changed scenario, another trace", async () => {
  const file = inFolder("replay.json");
  mkdirSync(inFolder("elsewhere"));
  assert.is((await dpusim(["run", tiny, "--json", file])).code, 0);
  const result = JSON.parse(readFileSync(file, "utf8")) as Result;
  const put = (name: string, data: unknown): void => writeFileSync(inFolder(name), JSON.stringify(data));
  const changed = structuredClone(result);
  changed.migration.totalTimeNs += 0.001;
  put("changed.json", changed);
  put("other.json", { ...result, scenario: { ...result.scenario, seed: 2 } });
  const cwd = inFolder("elsewhere");
  const [equal, differs, other, wrong] = await Promise.all([
    dpusim(["replay", file], { cwd }),
    dpusim(["replay", "../changed.json"], { cwd }),
    dpusim(["replay", "../other.json"], { cwd }),
    dpusim(["replay", file, "--trace", redis], { cwd }),
  ]);
  assert.equal([equal.code, equal.stdout], [0, `${file}: equal, fingerprint ${result.fingerprint}\n`]);
  assert.is(differs.code, 1);
  assert.match(differs.stdout, /1 value differs.*\n {2}migration\.totalTimeNs: /);
  assert.is(other.code, 2);
  assert.match(other.stderr, /^\.\.\/other\.json scenario: .*; give the file unchanged\n$/);
  assert.is(wrong.code, 2);
  assert.match(wrong.stderr, /: hashes to [0-9a-f]{64}, the result was made with [0-9a-f]{64}/);
});

test("the trace of a result is looked for beside it and here, by its hash", async () => {
  const made = await dpusim(
    [
      "trace",
      "generate",
      "mine.mdt",
      "--memory",
      "256KiB",
      "--rate",
      "1000/s",
      "--working-set",
      "64KiB",
    ].concat(["--duration", "100ms"]),
    { cwd: folder },
  );
  assert.equal([made.code, made.stderr], [0, ""]);
  assert.match((await dpusim(["trace", "verify", "mine.mdt"], { cwd: folder })).stdout, /\nok\n$/);
  writeFileSync(
    inFolder("mine.yaml"),
    "schema: dpusim.scenario/1\nguest: { trace: mine.mdt, deviceState: 4 KiB }\n",
  );
  const run = await dpusim(["run", "mine.yaml", "--json", "mine.json"], { cwd: folder });
  assert.is(run.code, 0, run.stdout + run.stderr);
  const result = JSON.parse(readFileSync(inFolder("mine.json"), "utf8")) as Result;
  assert.is(result.check.contentCapturedPercent, 100);
  // beside the result, under another name
  const bytes = readFileSync(inFolder("mine.mdt"));
  rmSync(inFolder("mine.mdt"));
  const lost = await dpusim(["replay", "mine.json"], { cwd: folder });
  assert.is(lost.code, 2);
  assert.match(
    lost.stderr,
    /^mine\.json: its trace \(mine\.mdt\) [0-9a-f]{64} is not .*; give --trace FILE\n$/,
  );
  writeFileSync(inFolder("renamed.mdt"), bytes);
  assert.is((await dpusim(["replay", inFolder("mine.json")])).code, 0);
});

test("presets, stats, schema and trace info answer on stdout", async () => {
  const [presets, one, stats, schema, info] = await Promise.all([
    dpusim(["presets"]),
    dpusim(["presets", "dpu-ref"]),
    dpusim(["stats", "source.card.dma.read*"]),
    dpusim(["schema", "result"]),
    dpusim(["trace", "info", redis, "--json"]),
  ]);
  for (const { code, stderr } of [presets, one, stats, schema, info]) assert.equal([code, stderr], [0, ""]);
  assert.match(presets.stdout, /^card +dpu-ref /m);
  assert.match(one.stdout, /^compressor\.engines +4 /m);
  const names = stats.stdout.trimEnd().split("\n").slice(1);
  assert.ok(
    names.length >= 4 && names.every((line) => line.startsWith("source.card.dma.read")),
    stats.stdout,
  );
  assert.is(JSON.parse(schema.stdout).title, "dpusim.result/1");
  assert.is(JSON.parse(info.stdout).pages, 601);
});

test("every name of a result is in the list of statistics", async () => {
  const [run, stats] = await Promise.all([dpusim(["run", tiny, "--json", "-"]), dpusim(["stats"])]);
  const result = JSON.parse(run.stdout) as Result;
  const listed = new Set(stats.stdout.split("\n").map((line) => line.split(" ")[0]));
  for (const name of Object.keys(result.stats)) assert.ok(listed.has(name), name);
  for (const name of Object.keys(result.units)) assert.ok(listed.has(name.replace(/\.\d+$/, ".N")), name);
  assert.equal(differences(result.stats, result.stats), []);
});

test("Ctrl-C ends a run with 130 and leaves nothing", async () => {
  const file = inFolder("never.json");
  // 512 copies at 100 Mbit/s take some 15 s of computing
  const slow = ["--set", "link.rate=100 Mbit/s", "--set", "guest.tile=512", "--content", "sized"];
  const args = ["run", "sim/scenarios/redis-100g.yaml", ...slow, "--json", file];
  const { code, stdout, stderr } = await dpusim(args, { interruptAfterMs: 3000 });
  assert.equal([code, stdout, stderr], [130, "", "dpusim: interrupted\n"]);
  assert.not.ok(existsSync(file));
  assert.not.ok(readdirSync(folder).some((name) => name.endsWith(".tmp")));
});

test("Ctrl-C ends trace verify and trace generate at once, and leaves nothing", async () => {
  // 2^20 pages of zeros, hashed twice: some 10 s
  const zeroMap = { type: "ZMAP", timeUs: 0, items: 2 ** 20, raw: Buffer.alloc(2 ** 17, 255), codec: 1 };
  const metadata = { contents: "complete", finalImageSha256: "0".repeat(64) };
  writeFileSync(inFolder("zeros.mdt"), buildFile({ pages: 2 ** 20, chunks: [zeroMap], metadata }));
  const workload = ["--memory", "64MiB", "--rate", "20000/s", "--working-set", "64MiB", "--duration", "60s"];
  const [made, verified] = await Promise.all([
    dpusim(["trace", "generate", "large.mdt", ...workload], { cwd: folder, interruptAfterMs: 3000 }),
    dpusim(["trace", "verify", "zeros.mdt"], { cwd: folder, interruptAfterMs: 3000 }),
  ]);
  for (const { code, stdout, stderr } of [made, verified]) {
    assert.equal([code, stdout, stderr], [130, "", "dpusim: interrupted\n"]);
  }
  assert.not.ok(readdirSync(folder).some((name) => name.endsWith(".tmp") || name === "large.mdt"));
});

test("--json follows links, fills pipes, and replaces neither", async () => {
  writeFileSync(inFolder("kept.json"), "old");
  symlinkSync("kept.json", inFolder("link.json"));
  const run = await dpusim(["run", tiny, "--json", inFolder("link.json")]);
  assert.is(run.code, 0, run.stderr);
  assert.ok(lstatSync(inFolder("link.json")).isSymbolicLink());
  assert.is(JSON.parse(readFileSync(inFolder("kept.json"), "utf8")).schema, "dpusim.result/1");
  const pipe = inFolder("pipe.json");
  if (process.platform === "win32" || spawnSync("mkfifo", [pipe]).status !== 0) return;
  const [fed, read] = await Promise.all([dpusim(["run", tiny, "--json", pipe]), readFile(pipe, "utf8")]);
  assert.is(fed.code, 0, fed.stderr);
  assert.is(read, readFileSync(inFolder("kept.json"), "utf8"));
  assert.ok(lstatSync(pipe).isFIFO());
  // a pipe is no trace either: refused at once, not waited for
  const workload = ["--memory", "1MiB", "--rate", "100/s", "--working-set", "64KiB"];
  const calls: [args: string[], line: RegExp][] = [
    [["trace", "info", "pipe.json"], /^pipe\.json: is a pipe or a device; name a regular file\n$/],
    [["trace", "verify", "pipe.json"], /^pipe\.json: is a pipe or a device; name a regular file\n$/],
    [["replay", "pipe.json"], /^pipe\.json: is not a file; give a result that dpusim wrote\n$/],
    [
      ["trace", "generate", "pipe.json", ...workload],
      /pipe\.json: is a pipe or a device; a trace needs a file/,
    ],
  ];
  for (const [args, line] of calls) {
    const { code, stderr } = await dpusim(args, { cwd: folder });
    assert.is(code, 2);
    assert.match(stderr, line);
  }
  assert.ok(lstatSync(pipe).isFIFO());
});

test("a full disk behind stdout is one line, and the result file is written all the same", async () => {
  if (!existsSync("/dev/full")) return;
  const full = openSync("/dev/full", "w");
  const file = inFolder("in-spite.json");
  const said = [2, "stdout: no space is left on the device\n"];
  for (const args of [["run", tiny, "--json", file], ["presets"], ["--help"]]) {
    const { code, stderr } = await dpusim(args, { stdoutTo: full });
    assert.equal([code, stderr], said, args.join(" "));
  }
  closeSync(full);
  assert.ok(existsSync(file));
});

test.run();
