// SPDX-License-Identifier: Apache-2.0
// The tools that judge everything else, judged: each must object to what it is there to object to.
import { readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { build } from "../tools/build.ts";
import { growthFaults } from "../tools/growth.ts";
import {
  codeMapFindings,
  lengthFindings,
  licenceFindings,
  linkFindings,
  machinePathFindings,
  packageFindings,
} from "../tools/house.ts";
import { importFindings } from "../tools/imports.ts";
import { projectRoot, run } from "../tools/process.ts";
import { parseCounts, runTestFiles, suitesNeverRun, testFiles } from "../tools/runner.ts";
import type { SourceFile } from "../tools/source.ts";
import { removeToys, toyCore, toyFolder } from "./lib/toys.ts";

const toyTree = (files: Readonly<Record<string, string>>): SourceFile[] =>
  Object.entries(files).map(([path, text]) => ({ path, text }));
const messages = (findings: readonly { path: string; message: string }[]): string[] =>
  findings.map(({ path, message }) => `${path} ${message}`);

// ---- the runner ----

const runner = suite("runner");
runner.after(removeToys);

const head = 'import { test } from "uvu";\nimport * as assert from "uvu/assert";\n';
const toyTests = {
  "01-good.test.ts": `${head}test("a", () => {});\ntest.skip("b", () => {});\ntest.run();\n`,
  "02-forgets.test.ts": `${head}test("a", () => assert.is(1, 2));\n`,
  "03-fails.test.ts": `${head}test("a", () => assert.is(1, 2));\ntest("b", () => {});\ntest.run();\n`,
  "05-hook.test.ts": `${head}test.before(() => assert.is(1, 2));\ntest("a", () => {});\ntest.run();\n`,
  "06-empty.test.ts": `${head}test.run();\n`,
  "07-dies.test.ts": `${head}test("a", () => {});\ntest.run();\nprocess.exit(0);\n`,
  "helper.ts": "export {};\n",
};

runner("counts what ran, and fails files that forget, fail, end early or hold nothing", async () => {
  const folder = toyFolder(toyTests);
  const lines: string[] = [];
  const print = (text: string): unknown => lines.push(text);
  const result = await runTestFiles({ files: testFiles(folder), cwd: projectRoot, timeoutMs: 30_000, print });
  const rows = result.files.map(({ passed, failed, skipped, faults }) => [
    passed,
    failed,
    skipped,
    ...faults,
  ]);
  assert.equal(rows, [
    [1, 0, 1],
    [0, 1, 0, "test.run() is never called", "ended with code 0 and printed no counts"],
    [1, 1, 0],
    [0, 1, 0],
    [0, 1, 0, "contributed no tests"],
    [0, 1, 0, "ended with code 0 and printed no counts"],
  ]);
  // 1+0+1+0+0+0 passed, one failure in each file but the first, one skip.
  assert.equal([result.passed, result.failed, result.skipped], [2, 5, 1]);
  assert.ok(
    lines.join("\n").includes("Expected values to be strictly equal"),
    "prints the failing file's output",
  );
});

runner("kills a file that hangs, and all that it started", async () => {
  const source = `${head}import { spawn } from "node:child_process";
const child = spawn("sleep", ["60"]);
console.log("sleeper", child.pid);
setInterval(() => {}, 1000);
test("a", () => {});
test.run();
`;
  const folder = toyFolder({ "01-hangs.test.ts": source });
  const lines: string[] = [];
  const print = (text: string): unknown => lines.push(text);
  const result = await runTestFiles({ files: testFiles(folder), cwd: projectRoot, timeoutMs: 2000, print });
  assert.is(result.failed, 1);
  assert.equal(result.files[0]?.faults, ["still running after 2 s, killed"]);
  const sleeper = /sleeper (\d+)/.exec(lines.join("\n"))?.[1];
  // A process that has ended but is not reaped yet still answers to signal 0; its state is Z.
  const state = await run("ps", ["-o", "state=", "-p", String(sleeper)]);
  assert.ok(["", "Z"].includes(state.output.trim()), `the sleeper ${sleeper} is ${state.output}`);
});

runner("fails when nothing is run", async () => {
  const nothing = await runTestFiles({ files: [], cwd: projectRoot, timeoutMs: 2000, print: () => {} });
  assert.equal([nothing.passed, nothing.failed, nothing.skipped], [0, 1, 0]);
  const { code, output } = await run(process.execPath, ["--import", "tsx", "tools/test.ts", "no-such-file"]);
  assert.is(code, 1);
  assert.is(output.trimEnd().split("\n").at(-1), "0 passed, 1 failed, 0 skipped");
});

runner("reads counts, coloured or not, and takes the last ones", () => {
  const counts = (total: number, passed: number, skipped: string): string =>
    `\n  Total:     ${total}\n\x1b[32m  Passed:    ${passed}\x1b[39m\n  Skipped:   ${skipped}\n`;
  assert.equal(parseCounts(counts(9, 9, "0") + counts(5, 3, "\x1b[33m2\x1b[39m")), {
    passed: 3,
    failed: 2,
    skipped: 2,
  });
  assert.is(parseCounts("Total: 5"), null);
});

runner("finds each suite that is never run", () => {
  const source =
    'import { suite, test } from "uvu";\nconst a = suite("a");\nconst b = suite<X>("b");\na.run();\n';
  assert.equal(suitesNeverRun(source), ["test", "b"]);
  assert.equal(suitesNeverRun(`${source}b.run();\ntest.run();\n`), []);
  assert.equal(suitesNeverRun(`${source}b.run();\n// test.run();\n`), ["test"]);
});

runner.run();

// ---- import rules ----

const imports = suite("import rules");

const lawful = {
  "assembly/abi.ts": "export const pageBytes: u32 = 4096;\n",
  "assembly/kernel/fifo.ts": 'import { pageBytes } from "../abi";\nexport const x = pageBytes;\n',
  "assembly/codec/lz4.ts": 'import { pageBytes } from "../abi";\nexport const x = pageBytes;\n',
  "assembly/card/dma.ts":
    '// Date.now\nimport { x } from "../kernel/fifo";\n@inline\nexport function y(): u32 { return x; }\n',
  "assembly/board.ts": 'import { y } from "./card/dma";\nexport const z = y;\n',
  "assembly/index.ts": 'export { z } from "./board";\n',
  "src/core.ts": 'import loader from "@assemblyscript/loader";\nconst path = "../build/core.wasm";\n',
  "src/pool/pool.ts": 'import { wrap } from "comlink";\nimport "node:worker_threads";\nDate.now();\n',
  "src/index.ts": 'export * from "./core.ts";\n',
  "sim/experiments/tags.ts": 'import "../../src/index.ts";\n',
  "test/01-x.test.ts": 'import "../src/core.ts";\nimport "./lib/peer.ts";\n',
};

imports("lets the lawful tree pass", () => {
  assert.equal(messages(importFindings(toyTree(lawful))), []);
});

const violations: readonly (readonly [path: string, text: string, expected: RegExp])[] = [
  [
    "assembly/card/zero.ts",
    'import { y } from "./dma";',
    /^assembly\/card\/zero.ts rule 2: a unit imports a unit/,
  ],
  [
    "assembly/host/cpu.ts",
    'export { y } from "../card/dma";',
    /rule 2: a unit imports a unit \(assembly\/card\/dma.ts\)/,
  ],
  ["assembly/kernel/job.ts", 'import { y } from "../card/dma";', /rule 1: kernel may not import unit/],
  ["assembly/codec/crc.ts", 'import { x } from "../kernel/fifo";', /rule 1: codec may not import kernel/],
  ["assembly/card/scan.ts", 'import { z } from "../board";', /rule 1: unit may not import board/],
  ["assembly/firmware/x.ts", 'import { y } from "../card/dma";', /rule 1: firmware may not import unit/],
  [
    "assembly/codec/a.ts",
    'import { x } from "./a";',
    /a cycle: assembly\/codec\/a.ts → assembly\/codec\/a.ts/,
  ],
  ["assembly/stray.ts", "", /in no layer/],
  ["assembly/kernel/rng.ts", "export const x = Math.random();", /rule 5: Math.random/],
  ["src/simulate.ts", 'import { readFileSync } from "node:fs";', /rule 3: no file access here/],
  ["src/result/bounds.ts", 'const fs = await import("fs/promises");', /rule 3: no file access here/],
  [
    "src/result/time.ts",
    "export const x = globalThis.performance\n  .now();",
    /rule 5: globalThis.performance.now/,
  ],
  ["src/report/html.ts", "export const x = new Date();", /rule 5: new Date/],
  ["src/report/id.ts", 'import { randomUUID as id } from "node:crypto";', /rule 5: randomUUID/],
  ["src/simulate2.ts", 'import "@assemblyscript/loader";', /rule 3: only src\/core\*.ts uses the loader/],
  ["src/cli/run.ts", `const x = \`\${"r"}/build/core.wasm\`;`, /rule 3: only src\/core.ts touches build/],
  [
    "src/sweep/local.ts",
    'import { Worker } from "worker_threads";',
    /rule 3: only src\/pool\/ uses worker_threads/,
  ],
  ["src/cli/sweep.ts", 'import { wrap } from "comlink";', /rule 3: only src\/pool\/ uses comlink/],
  ["bench/pages.ts", 'import "../src/core.ts";', /rule 4: imports src\/core.ts/],
  ["sim/cards/x.ts", "", /rule 4: sim\/ is data/],
];
for (const [path, text, expected] of violations) {
  imports(`objects to ${path}: ${text}`, () => {
    const found = messages(importFindings(toyTree({ ...lawful, [path]: `${text}\n` })));
    assert.is(found.length, 1, found.join("\n"));
    assert.match(found[0] ?? "", expected);
  });
}

imports("finds a cycle over three files, but not over types", () => {
  const ring = (kind: string): SourceFile[] =>
    toyTree({
      "src/a.ts": 'import { b } from "./b.ts";\n',
      "src/b.ts": 'import { c } from "./c.ts";\n',
      "src/c.ts": `import ${kind} { a } from "./a.ts";\n`,
    });
  assert.equal(messages(importFindings(ring(""))), [
    "src/c.ts rule 1: a cycle: src/a.ts → src/b.ts → src/c.ts → src/a.ts",
  ]);
  assert.equal(messages(importFindings(ring("type"))), []);
});

imports.run();

// ---- house rules ----

const house = suite("house rules");

house("measures lines, files and functions at their limits", () => {
  const body = (lines: number): string => `function f() {\n${"x();\n".repeat(lines - 2)}}\n`;
  const tooLong = (path: string, text: string): string[] => messages(lengthFindings([{ path, text }]));
  assert.equal(tooLong("src/a.ts", `// ${"é".repeat(107)}\n`), []);
  assert.equal(tooLong("src/a.ts", `// ${"é".repeat(108)}\n`), ["src/a.ts 111 columns, at most 110"]);
  assert.equal(tooLong("src/a.ts", "x();\n".repeat(400)), []);
  assert.equal(tooLong("src/a.ts", "x();\n".repeat(401)), [
    "src/a.ts 401 lines without imports, at most 400",
  ]);
  assert.equal(tooLong("assembly/card/dma.ts", `@inline\n${body(60)}`.replace("@inline\n", "")), []);
  assert.equal(tooLong("assembly/card/dma.ts", body(61)), [
    "assembly/card/dma.ts f has 61 lines, at most 60",
  ]);
});

house("wants the licence first, or after #!", () => {
  const line = "SPDX-License-Identifier: Apache-2.0\n";
  const tree = toyTree({
    "a.ts": `// ${line}`,
    "b.sh": `#!/bin/sh\n# ${line}`,
    "c.ts": `\n// ${line}`,
    "d.md": "free\n",
    ".ci/run": "#!/bin/sh\n",
  });
  assert.equal(
    licenceFindings(tree).map(({ path }) => path),
    ["c.ts", ".ci/run"],
  );
});

house("wants every source file in the code map, as code", () => {
  const files = { "src/core.ts": "", "assembly/card/dma.ts": "", "src/time.ts": "", "test/x.ts": "" };
  const map = "`core`, the time it takes\n```\ncard/  dma.ts  scanner\n```\n";
  const found = codeMapFindings(toyTree({ ...files, "ARCHITECTURE.md": map }));
  assert.equal(messages(found), ["src/time.ts has no place in ARCHITECTURE.md"]);
  assert.equal(messages(codeMapFindings(toyTree(files))), ["ARCHITECTURE.md is missing"]);
});

house("sees paths of one machine, and not what looks like them", () => {
  const bad = [`see ../${"shared"}/x`, `"/${"work"}/main"`, `/${"home"}/me`, `/${"root"}/x`];
  const good = ["src/work/x", "/workers/", "https://a.b/home/", "work/", "/homeless"];
  const find = (line: string): number => machinePathFindings([{ path: "a.md", text: line }]).length;
  assert.equal(bad.map(find), [1, 1, 1, 1]);
  assert.equal(good.map(find), [0, 0, 0, 0, 0]);
});

house("follows the links of documents", () => {
  const text =
    "[a](b.md#x) [c](../README.md) [d](gone.md) ![e](<no.svg>) [f](https://x.y) [g](#here)\n" +
    "`[h](code.md)`\n```\n[i](fence.md)\n```\n[j](../../out.md)\n";
  const there = new Set(["docs/b.md", "README.md"]);
  const found = linkFindings([{ path: "docs/a.md", text }], (path) => there.has(path));
  assert.equal(
    found.map(({ line, message }) => `${line} ${message.replace(/.*: /, "")}`),
    ["1 gone.md", "1 no.svg", "6 ../../out.md"],
  );
});

house("wants at most a dozen scripts, sealed packages and no registry in the lockfile", () => {
  const scripts = (count: number): string =>
    JSON.stringify({
      scripts: Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, ""])),
    });
  const lock = (entry: object): string => JSON.stringify({ packages: { "": {}, "node_modules/a": entry } });
  assert.equal(packageFindings(scripts(12), lock({ integrity: "x" })), []);
  assert.is(packageFindings(scripts(13), lock({ integrity: "x" })).length, 1);
  assert.is(packageFindings(scripts(1), lock({})).length, 1);
  assert.is(packageFindings(scripts(1), lock({ integrity: "x", resolved: "https://r/a.tgz" })).length, 1);
});

house("lets only reserve grow memory, and nothing that runs the clock reach it", () => {
  const reserve = "(func $k/reserve (param $0 i32)\n (drop (memory.grow (local.get $0))))";
  const build = '(func $"b/make board"\n call $k/reserve)\n(export "build" (func $"b/make board"))';
  const run = (body: string): string => `(func $b/run ${body})\n(export "run" (func $b/run))`;
  const faults = (...parts: string[]): string[] => growthFaults(`(module ${parts.join("\n")})`, /^run/);
  assert.equal(faults(reserve, build, run("nop")), []);
  assert.equal(faults(reserve, build, run("(call $b/helper)"), "(func $b/helper call $k/reserve)"), [
    "the export run reaches memory.grow",
  ]);
  const table = '(elem $0 (i32.const 1) $"b/make board")';
  assert.equal(faults(table, reserve, build, run("(call_indirect (type $0))")), [
    "the export run reaches memory.grow",
  ]);
  assert.equal(faults(table, reserve, build, run("nop")), []);
  assert.equal(faults(reserve, build, run("nop"), "(func $other memory.grow)"), [
    "other grows memory; only reserve may",
  ]);
  assert.equal(faults(run("nop")), ["no function grows memory: is reserve called otherwise now?"]);
  assert.equal(faults(reserve, build), ["no export matches /^run/"]);
});

house.run();

// ---- building ----

const building = suite("build");
building.after(removeToys);

building("makes what is missing, leaves what is fresh and marks the command line executable", async () => {
  const root = toyFolder({
    ...toyCore,
    "package.json": '{ "type": "module" }',
    "package-lock.json": "{}",
    "assembly/abi.ts": "export const one = 1;\n",
    "src/index.ts": 'export { one } from "../assembly/abi.ts";\n',
    "src/cli/main.ts": "#!/usr/bin/env node\nexport {};\n",
    "tsconfig.json": readFileSync(join(projectRoot, "tsconfig.json"), "utf8"),
    "tsconfig.build.json": readFileSync(join(projectRoot, "tsconfig.build.json"), "utf8"),
  });
  // Files written within the same clock tick as the build begins would count as newer.
  const past = new Date(Date.now() - 60_000);
  const inputs = [...Object.keys(toyCore), "package-lock.json", "assembly", "assembly/abi.ts"];
  for (const path of inputs) utimesSync(join(root, path), past, past);
  const inode = (path: string): number => statSync(join(root, path)).ino;
  assert.is(await build({ root, force: false }), true);
  assert.is(statSync(join(root, "dist/src/cli/main.js")).mode & 0o111, 0o111);
  assert.match(readFileSync(join(root, "dist/src/index.js"), "utf8"), "../assembly/abi.js");
  assert.match(readFileSync(join(root, "build/core.wat"), "utf8"), "(module");
  const first = inode("build/core.wasm");
  assert.is(await build({ root, force: false }), true);
  assert.is(inode("build/core.wasm"), first, "up to date");
  writeFileSync(join(root, "assembly/double.ts"), "export function double(x: u32): u32 { return oops; }\n");
  assert.is(await build({ root, force: false }), false, "does not compile");
  assert.is(inode("build/core.wasm"), first, "the last good core stays");
});

building.run();
