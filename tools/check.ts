// SPDX-License-Identifier: Apache-2.0
// `npm run check`: types, lint, format, import rules, house rules, package, links. A line a check, followed
// by what it objects to. `npm run check -- WORD…` runs the checks whose name contains a word.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import binaryen from "binaryen";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { growthFaults } from "./growth.ts";
import {
  codeMapFindings,
  lengthFindings,
  licenceFindings,
  linkFindings,
  machinePathFindings,
  packageFindings,
} from "./house.ts";
import { importFindings } from "./imports.ts";
import {
  countsLine,
  inContinuousIntegration,
  indent,
  mapAtMost,
  projectRoot,
  run,
  runPackage,
} from "./process.ts";
import { type Finding, readTree } from "./source.ts";

/** What a check found: nothing, a list of objections, or why it could not look. */
type Verdict = { kind: "ok" } | { kind: "fail"; detail: string } | { kind: "skip"; reason: string };

interface Check {
  name: string;
  judge: () => Promise<Verdict> | Verdict;
}

const ok: Verdict = { kind: "ok" };
const files = readTree(projectRoot);
const inProject = (path: string): string => join(projectRoot, path);

function fromFindings(findings: readonly Finding[]): Verdict {
  if (findings.length === 0) return ok;
  const detail = findings.map(({ path, line, message }) => `${path}:${line} ${message}`).join("\n");
  return { kind: "fail", detail };
}

/** The first lines of a long answer; the program itself shows all of it. */
function shortened(detail: string): string {
  const lines = detail.trimEnd().split("\n");
  if (lines.length <= 100) return detail;
  return [...lines.slice(0, 100), `… and ${lines.length - 100} lines more`].join("\n");
}

async function fromProgram(script: string, args: readonly string[]): Promise<Verdict> {
  const { code, output } = await runPackage(script, args, { env: { NO_COLOR: "1", FORCE_COLOR: undefined } });
  return code === 0 ? ok : { kind: "fail", detail: output };
}

/** A check of build products: without them it is a skip, and a failure in CI, which builds first. */
function needsBuild(path: string, judge: () => Promise<Verdict> | Verdict): Promise<Verdict> | Verdict {
  if (existsSync(inProject(path))) return judge();
  if (inContinuousIntegration()) return { kind: "fail", detail: `${path} is missing: npm run build` };
  return { kind: "skip", reason: `${path} is missing: npm run build` };
}

async function packagePublishes(): Promise<Verdict> {
  const { messages, pkg } = await publint({ pkgDir: projectRoot, pack: "npm", strict: true });
  const lines = messages.map((message) => formatMessage(message, pkg, { color: false }) ?? message.code);
  return messages.length === 0 ? ok : { kind: "fail", detail: lines.join("\n") };
}

/** `npm audit` of what users install; a registry that does not answer is no fault of ours. */
async function audit(): Promise<Verdict> {
  const args = ["audit", "--omit=dev", "--json", "--fetch-retries=0", "--fetch-timeout=20000"];
  const { output, timedOut } = await run("npm", args, { timeoutMs: 60_000 });
  if (timedOut) return { kind: "skip", reason: "the registry did not answer in 60 s" };
  try {
    const report = JSON.parse(output.slice(output.indexOf("{"), output.lastIndexOf("}") + 1));
    const counts = report.metadata?.vulnerabilities;
    if (counts === undefined) {
      const reason = report.error?.summary || report.message || report.error?.code || "no report";
      return { kind: "skip", reason: `the registry answers no audit: ${String(reason).split("\n")[0]}` };
    }
    if (counts.total === 0) return ok;
    return {
      kind: "fail",
      detail: `${counts.total}: ${Object.keys(report.vulnerabilities ?? {}).join(", ")}`,
    };
  } catch {
    return { kind: "skip", reason: `npm audit gave no report: ${output.trim().split("\n")[0]}` };
  }
}

/** Rule 6 of ARCHITECTURE.md: memory grows while the board is built, never while the clock runs. */
function memoryGrowth(): Verdict {
  const module = binaryen.readBinary(readFileSync(inProject("build/core.debug.wasm")));
  const faults = growthFaults(module.emitText(), /^(run|step)/);
  module.dispose();
  return faults.length === 0 ? ok : { kind: "fail", detail: faults.join("\n") };
}

const read = (path: string): string => readFileSync(inProject(path), "utf8");
const checks: readonly Check[] = [
  { name: "types", judge: () => fromProgram("typescript/bin/tsc", ["--noEmit", "-p", "tsconfig.json"]) },
  {
    name: "lint and format",
    judge: () => fromProgram("@biomejs/biome/bin/biome", ["check", "--max-diagnostics=50"]),
  },
  {
    name: "format of the core",
    judge: () => fromProgram("prettier/bin/prettier.cjs", ["--check", "assembly"]),
  },
  { name: "import rules", judge: () => fromFindings(importFindings(files)) },
  { name: "lengths", judge: () => fromFindings(lengthFindings(files)) },
  { name: "licence lines", judge: () => fromFindings(licenceFindings(files)) },
  { name: "code map", judge: () => fromFindings(codeMapFindings(files)) },
  { name: "machine paths", judge: () => fromFindings(machinePathFindings(files)) },
  { name: "links", judge: () => fromFindings(linkFindings(files, (path) => existsSync(inProject(path)))) },
  {
    name: "package and lockfile",
    judge: () => fromFindings(packageFindings(read("package.json"), read("package-lock.json"))),
  },
  {
    name: "unused code",
    judge: () => fromProgram("knip/bin/knip.js", ["--no-progress", "--no-config-hints"]),
  },
  { name: "publint", judge: () => needsBuild("dist/src/index.js", packagePublishes) },
  { name: "memory growth", judge: () => needsBuild("build/core.debug.wasm", memoryGrowth) },
  { name: "audit", judge: audit },
];

const words = process.argv.slice(2);
const chosen = checks.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
const counts = { passed: 0, failed: 0, skipped: 0 };
await mapAtMost(2, chosen, async ({ name, judge }) => {
  const verdict = await Promise.resolve()
    .then(judge)
    .catch((error: unknown): Verdict => ({ kind: "fail", detail: String(error) }));
  if (verdict.kind === "ok") counts.passed++;
  else if (verdict.kind === "fail") counts.failed++;
  else counts.skipped++;
  const mark = { ok: "ok  ", fail: "FAIL", skip: "skip" }[verdict.kind];
  console.log(`${mark} ${name}${verdict.kind === "skip" ? `: ${verdict.reason}` : ""}`);
  if (verdict.kind === "fail") console.log(indent(shortened(verdict.detail), 7));
});
if (chosen.length === 0) {
  console.log(`FAIL no check is called ${words.join(" or ")}`);
  counts.failed = 1;
}
console.log(countsLine(counts));
process.exitCode = counts.failed > 0 ? 1 : 0;
