// SPDX-License-Identifier: Apache-2.0
// Mutating, continuous integration, peers and the browser, each on a toy.
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Mutation, mutate } from "../tools/mutate.ts";
import { mutations } from "../tools/mutations.ts";
import { projectRoot, run } from "../tools/process.ts";
import { bundle, evaluateInChromium, serve } from "./lib/chromium.ts";
import { needs, peerPackages, peerTest } from "./lib/peer.ts";
import { removeToys, toyCore, toyFolder } from "./lib/toys.ts";

const tools = suite("tools");
tools.after(removeToys);

const toyProbe = `
import { readFileSync } from "node:fs";
const bytes = readFileSync(process.env.DPUSIM_CORE_WASM);
const { instance } = await WebAssembly.instantiate(bytes, { env: { abort() {} } });
const { shown } = await import("./src/shown.ts").catch(() => ({ shown: (x) => x }));
const two = shown(instance.exports.double(1));
console.log(\`double(1) is \${two}, kind \${process.argv[2] ?? "none"}\`);
if (process.argv[2] === "hang" && two !== 2) setInterval(() => {}, 1000);
process.exitCode = two === 2 ? 0 : 1;
`;

tools("mutate tells caught from survived, hung, ambiguous, broken and no change at all", async () => {
  const shown = "export const shown = (x: number): number => x + 0;\n";
  const root = toyFolder({ ...toyCore, "probe.mjs": toyProbe, "src/shown.ts": shown });
  const file = "assembly/double.ts";
  const harness = "src/shown.ts";
  const mutations: Mutation[] = [
    { name: "thrice", file, find: "x * 2", replace: "x * 3", caughtBy: "double", test: "plain" },
    { name: "hangs", file, find: "x * 2", replace: "x * 4", caughtBy: "double", test: "hang" },
    { name: "same for 1", file, find: "x * 2", replace: "x * x + x", caughtBy: "double" },
    { name: "absent", file, find: "x * 9", replace: "x", caughtBy: "double" },
    { name: "twice there", file, find: "x", replace: "y", caughtBy: "double" },
    { name: "broken", file, find: "x * 2", replace: "x * oops", caughtBy: "double" },
    { name: "comment", file, find: "// + 0", replace: "// + 1", caughtBy: "double" },
    { name: "harness", file: harness, find: "x + 0", replace: "x + 5", caughtBy: "double", test: "plain" },
    { name: "harness kept", file: harness, find: "x + 0", replace: "x + 0 * x", caughtBy: "double" },
    { name: "no harness", file: "src/none.ts", find: "x", replace: "y", caughtBy: "double" },
  ];
  const lines: string[] = [];
  const print = (text: string): unknown => lines.push(text);
  const options = { root, probe: join(root, "probe.mjs"), optimizeLevel: 1, timeoutMs: 4000, print };
  assert.equal(await mutate({ ...options, mutations }), { caught: 2, survived: 8 });
  const text = lines.join("\n");

  assert.match(text, /caught {3}thrice.*\n.*by: double\(1\) is 3, kind plain/);
  assert.match(text, /caught {3}harness .*\n.*by: double\(1\) is 7, kind plain/);
  assert.match(text, /SURVIVED harness kept.*\n.*by: double\(1\) is 2/);
  assert.match(text, /SURVIVED no harness.*\n.*src\/none.ts is missing/);
  assert.match(text, /SURVIVED hangs.*\n.*did not end in 4 s/);
  assert.match(text, /SURVIVED absent.*\n.*occurs 0 times/);
  assert.match(text, /SURVIVED broken.*\n.*does not compile/);
  assert.match(text, /SURVIVED comment.*\n.*the same core/);
});

tools("the text of each mutation stands in its file once", () => {
  const stale = mutations.filter(({ file, find }) => {
    return readFileSync(join(projectRoot, file), "utf8").split(find).length !== 2;
  });
  assert.equal(
    stale.map(({ name, file }) => `${file}: ${name}`),
    [],
  );
});

tools("mutate catches nothing with a probe that rejects the core as it is", async () => {
  const root = toyFolder({ ...toyCore, "probe.mjs": "process.exitCode = 1;\n" });
  const mutation = {
    name: "thrice",
    file: "assembly/double.ts",
    find: "x * 2",
    replace: "x * 3",
    caughtBy: "-",
  };
  const options = {
    root,
    probe: join(root, "probe.mjs"),
    optimizeLevel: 1,
    timeoutMs: 4000,
    print: () => {},
  };
  assert.equal(await mutate({ ...options, mutations: [mutation] }), { caught: 0, survived: 1 });
});

/** Runs .ci/run with an npm that prints `outputs[its arguments]` and ends with the code on its first line. */
async function continuousIntegration(
  outputs: Readonly<Record<string, string>>,
): Promise<{ code: number | null; last: string }> {
  const cases = Object.entries(outputs).map(([args, text]) => `"${args}") printf '${text}\\n' ;;`);
  const failing = `case "$*" in *${"$FAIL"}*) exit 1 ;; esac`;
  const folder = toyFolder({
    "bin/npm": `#!/bin/bash\ncase "$*" in\n${cases.join("\n")}\nesac\n${failing}\n`,
  });
  chmodSync(join(folder, "bin/npm"), 0o755);
  const env = { PATH: `${folder}/bin:${process.env.PATH}`, FAIL: outputs.fail ?? "nothing fails" };
  const { code, output } = await run(join(projectRoot, ".ci/run"), [], { env });
  return { code, last: output.trimEnd().split("\n").at(-1) ?? "" };
}

tools(".ci/run sums the counts and fails with any step", async () => {
  const good = {
    test: "7 passed, 1 failed, 9 skipped\\n10 passed, 0 failed, 2 skipped",
    "run check": "14 passed, 0 failed, 1 skipped",
    "run mutate": "20 caught, 0 survived",
  };
  assert.equal(await continuousIntegration(good), { code: 0, last: "44 passed, 0 failed, 3 skipped" });
  const survivor = { ...good, "run mutate": "19 caught, 1 survived", fail: "run mutate" };
  assert.equal(await continuousIntegration(survivor), { code: 1, last: "43 passed, 1 failed, 3 skipped" });
  assert.equal(await continuousIntegration({ ...good, fail: "start" }), {
    code: 1,
    last: "44 passed, 1 failed, 3 skipped",
  });
  const silent = { ...good, test: "all is well" };
  assert.equal(await continuousIntegration(silent), { code: 1, last: "34 passed, 1 failed, 1 skipped" });
});

tools("the peers that tests ask for are those that npm run peers installs", () => {
  const script = readFileSync(join(projectRoot, "tools/peers.sh"), "utf8");
  const installed = [...script.matchAll(/^ {2}"([^":]+):([^"]+)"$/gm)].map((match) => [match[1], match[2]]);
  assert.equal(Object.fromEntries(installed), peerPackages);
  assert.throws(() => needs("no-such-program"), /not in peerPackages/);
});

peerTest(tools, ["chromium"], "a bundled module runs in Chromium and fetches wasm", async () => {
  const wasm = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
  const folder = toyFolder({
    "page.ts": 'import { two } from "./two.ts";\nconst x: number = two * 21;\nexport { x };\n',
    "two.ts": "export const two = 2;\n",
  });
  writeFileSync(join(folder, "empty.bin"), wasm);
  await bundle(join(folder, "page.ts"), join(folder, "page.js"));
  const served = await serve(folder, { "/core.wasm": join(folder, "empty.bin") });
  try {
    const body = `async (factor) => {
      const page = await import("/page.js");
      const module = await WebAssembly.compileStreaming(fetch("/core.wasm"));
      const outside = await fetch("/..%2f..%2fetc/passwd");
      return [page.x * factor, WebAssembly.Module.exports(module).length, outside.status];
    }`;
    const { result, errors } = await evaluateInChromium<number, number[]>(served.url, body, 10, 20_000);
    assert.equal(result, [420, 0, 404]);
    assert.is(errors.length, 1, "the refused file is told, and nothing else");
  } finally {
    await served.close();
  }
});

tools.run();
