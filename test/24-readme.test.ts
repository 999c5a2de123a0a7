// SPDX-License-Identifier: Apache-2.0
// The README's sample: every line that it shows of `npm start` is printed, word for word, number for number.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Core, coreModule, fileSource, guestStream, loadScenario, openMdt, simulate } from "../src/index.ts";
import { resultTable } from "../src/report/table.ts";

const root = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const HEADING = "What `npm start` prints";

/** Lines without indentation, runs of spaces as one; empty ones left out. */
function lines(text: string): string[] {
  const plain = text.split("\n").map((line) => line.trim().replace(/\s+/g, " "));
  return plain.filter((line) => line !== "");
}

/** The fenced block below the heading. */
function sample(readme: string): string[] {
  const at = readme.indexOf(HEADING);
  if (at < 0) throw new Error(`no "${HEADING}"`);
  const block = /\n```\w*\n([\s\S]*?)\n```/.exec(readme.slice(at))?.[1];
  if (block === undefined) throw new Error("no fenced block");
  return lines(block);
}

/** The first line shown that is not printed, in order; `…` in a line stands for anything, alone for lines. */
function missing(shown: string[], printed: string[]): string | null {
  let from = 0;
  for (const line of shown) {
    const parts = line.split("…").map((part) => part.trim());
    const fits = (other: string): boolean => {
      if (parts.length === 1) return other === line;
      return other.startsWith(parts[0]!) && other.endsWith(parts.at(-1)!);
    };
    if (line === "…") continue;
    const at = printed.findIndex((other, i) => i >= from && fits(other));
    if (at < 0) return line;
    from = at + 1;
  }
  return null;
}

test("the sample is what is printed", async () => {
  // "start": "npm run build && node dist/src/cli/main.js run sim/scenarios/….yaml"
  const file = / run (sim\/\S+\.yaml)$/.exec(JSON.parse(read("package.json")).scripts.start)![1]!;
  const { scenario, traceFile, name } = loadScenario(new URL(file, root).pathname);
  const trace = openMdt(fileSource(traceFile!), "trace");
  const stream = guestStream(scenario, trace);
  const origin = { version: "", build: "", trace: trace.sha256, traceHint: basename(traceFile!) };
  const result = simulate({ core: new Core(coreModule()), scenario, stream, origin });
  const printed = lines(await resultTable(result, name, false));
  const shown = sample(read("README.md"));
  assert.ok(shown.filter((line) => /\d/.test(line)).length >= 5, "the sample has few lines with numbers");
  const absent = missing(shown, printed);
  assert.is(absent, null, `README shows\n  ${absent}\nprinted is\n  ${printed.join("\n  ")}`);
});

test("a number that is off, a line in the wrong place and a missing block are seen", () => {
  const printed = ["a 1", "b 22 c 33", "d 4"];
  assert.is(missing(["a 1", "…", "d 4"], printed), null);
  assert.is(missing(["b 22 … 33"], printed), null);
  assert.is(missing(["a 1", "b 22 c 34"], printed), "b 22 c 34");
  assert.is(missing(["d 4", "a 1"], printed), "a 1");
  assert.equal(sample(`x\n${HEADING}:\n\n\`\`\`\n  a   1\n\n  …\n\`\`\`\n`), ["a 1", "…"]);
  assert.throws(() => sample("nothing"), /no "What/);
});

test.run();
