// SPDX-License-Identifier: Apache-2.0
// `npm test -- [NAME…] [--timeout SECONDS]`: the test files whose name contains one of the words, or all.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { countsLine, projectRoot } from "./process.ts";
import { runTestFiles, testFiles } from "./runner.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { timeout: { type: "string", default: "600" } },
});
const timeoutMs = Number(values.timeout) * 1000;
if (!(timeoutMs > 0)) {
  console.error(`test: --timeout ${values.timeout}: seconds are a number above 0`);
  process.exit(2);
}
const counts = await runTestFiles({
  files: testFiles(join(projectRoot, "test"), positionals),
  cwd: projectRoot,
  timeoutMs,
  print: (text) => console.log(text),
});
console.log(countsLine(counts));
process.exitCode = counts.failed > 0 ? 1 : 0;
