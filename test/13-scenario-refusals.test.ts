// SPDX-License-Identifier: Apache-2.0
// Bad input gets one line: where, which key, what is wrong and what would be right.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadScenario } from "../src/scenario/resolve.ts";
import { FILE_BYTES_MAX, nearest } from "../src/scenario/source.ts";
import { folder, HEAD, linesOf, resolveText } from "./lib/scenario.ts";

/** The cases of one section of scenario-refusals.txt: input and expected line. */
function refusals(section: string): [input: string, line: string][] {
  const text = readFileSync(new URL("lib/scenario-refusals.txt", import.meta.url), "utf8");
  const body = text.split(`\n[${section}]\n`)[1]?.split("\n[")[0]?.trimEnd() ?? "";
  const lines = body.split("\n");
  assert.ok(lines.length >= 2 && lines.length % 2 === 0, section);
  return Array.from({ length: lines.length / 2 }, (_, index) => [
    (lines[2 * index] ?? "").replaceAll("\\n", "\n"),
    (lines[2 * index + 1] ?? "").trimStart(),
  ]);
}

test("each bad key gets its one line", () => {
  for (const [input, line] of refusals("scenario")) {
    assert.equal(
      linesOf(() => resolveText(`${HEAD}${input}\n`)),
      [line],
      input,
    );
  }
});

test("impossible values of a card are refused where they stand", () => {
  for (const [input, line] of refusals("card")) {
    const text = `${HEAD}source: { card: { preset: dpu-ref, ${input} } }\n`;
    assert.equal(
      linesOf(() => resolveText(text)),
      [line],
      input,
    );
  }
  const card = "source: { card: { preset: dpu-ref, compressor: { pws: 8 } } }";
  const twice = `${HEAD}compress: { pws: 16 }\n${card}\n`;
  const keepOne = "s.yaml:3:18 compress.pws: is also given as source.card.compressor.pws; keep one";
  assert.equal(
    linesOf(() => resolveText(twice)),
    [keepOne],
  );
});

test("a guest without writes, with two kinds of them, or impossible is refused", () => {
  for (const [input, line] of refusals("guest")) {
    const text = `schema: dpusim.scenario/1\nguest: { ${input} }\n`;
    assert.equal(
      linesOf(() => resolveText(text)),
      [line],
      input,
    );
  }
});

test("a file of another version or format gets one line, its keys are not judged", () => {
  for (const [schema, what] of [
    ["dpusim.scenario/2", "a version that this dpusim does not read"],
    ["dpusim.sweep/1", "no scenario"],
  ]) {
    const line = `s.yaml:1:9 schema: ${schema} is ${what}; write dpusim.scenario/1`;
    assert.equal(
      linesOf(() => resolveText(`schema: ${schema}\nnewKey: 1\n`)),
      [line],
    );
  }
});

test("bad sets are refused", () => {
  for (const [set, line] of refusals("set")) {
    assert.equal(
      linesOf(() => resolveText(`${HEAD}content: full\n`, { sets: [set] })),
      [line],
      set,
    );
  }
});

/** Key, its inert default, a value of a later version, and what to write where that is more. */
const LATER_VALUES: [key: string, inert: string, later: string, write?: string][] = [
  ["firmware", "built-in", "./policy.ts"],
  ["migration.throttle", "off", "auto-converge", "off or dirty-limit"],
];

test("features of later versions are refused by name, and their inert defaults accepted", () => {
  for (const [key, inert, later, write = inert] of LATER_VALUES) {
    resolveText(HEAD, { sets: [`${key}=${inert}`] });
    const [line, ...more] = linesOf(() => resolveText(HEAD, { sets: [`${key}=${later}`] }));
    assert.ok(
      line?.startsWith(`--set ${key}: `) &&
        line.endsWith(`is not supported yet in this version; write ${write}`),
      line,
    );
    assert.is(more.length, 0);
  }
});

test("hostile files: alias bombs, depth, size, encoding, none at all", () => {
  const wide = (name: string) => Array(10).fill(name).join(",");
  const bomb = `a: &a [x]\nb: &b [${wide("*a")}]\nc: &c [${wide("*b")}]\nd: [${wide("*c")}]\n`;
  assert.equal(
    linesOf(() => resolveText(bomb)),
    ["s.yaml:1:1: its aliases multiply beyond reason; write values out"],
  );
  assert.match(
    linesOf(() => resolveText(`a: ${"[".repeat(60)}${"]".repeat(60)}`))[0] ?? "",
    "deeper than 32",
  );
  assert.match(linesOf(() => resolveText("[".repeat(100_000)))[0] ?? "", "nests too deeply; flatten it");
  assert.equal(
    linesOf(() => resolveText("")),
    ["s.yaml:1:1: is empty; write a mapping of keys to values"],
  );
  const { path, done } = folder({ "big.yaml": `# ${"x".repeat(FILE_BYTES_MAX)}` });
  writeFileSync(join(path, "latin.yaml"), Buffer.from([0x61, 0x3a, 0x20, 0xe9]));
  assert.match(linesOf(() => loadScenario(join(path, "big.yaml")))[0] ?? "", /at most 1048576 are read$/);
  assert.match(
    linesOf(() => loadScenario(join(path, "latin.yaml")))[0] ?? "",
    /is not UTF-8 text; save it as UTF-8$/,
  );
  assert.match(linesOf(() => loadScenario(join(path, "none.yaml")))[0] ?? "", /none\.yaml: no such file$/);
  assert.match(linesOf(() => loadScenario(path))[0] ?? "", /is not a file; give the path/);
  done();
});

test("any text is either resolved or refused in lines, never thrown at", () => {
  const piece = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ":",
    " ",
    "\n",
    "a",
    "-",
    "&a",
    "*a",
    "!!x",
    "'",
    '"',
    "#",
    "0",
    "|",
  );
  const text = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, fc.boolean(), (tail, valid) => {
      const lines = linesOf(() => resolveText(`${valid ? HEAD : ""}zz: ${tail}`));
      assert.ok(lines.length > 0);
      for (const line of lines) assert.match(line, /^s\.yaml:[0-9]+:[0-9]+[: ][^\n]+$/);
    }),
    { numRuns: 300 },
  );
});

test("did-you-mean: swaps count once, far words are not suggested", () => {
  assert.is(nearest("lnik", ["link", "name"]), "link");
  assert.is(nearest("Rate", ["rate"]), "rate");
  assert.is(nearest("zzz", ["link", "rate"]), undefined);
});

test.run();
