// SPDX-License-Identifier: Apache-2.0
// Runs uvu test files, each in a process of its own, and counts what they really did. uvu by itself passes a
// file that runs nothing, never ends one that hangs, and exits 0 when a `before` hook throws; here all three
// are failures.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import ts from "typescript";
import { type Counts, type Finished, indent, mapAtMost, run } from "./process.ts";

export interface RunnerOptions {
  /** Absolute paths of the test files, in the order in which they are to be reported. */
  files: readonly string[];
  /** Working folder of each file's process. */
  cwd: string;
  /** How long one file may take. */
  timeoutMs: number;
  /** Where a line goes as soon as it is known. */
  print: (text: string) => void;
}

export interface FileResult extends Counts {
  file: string;
  durationMs: number;
  /** Why the file fails beyond its failing tests; empty when it does not. */
  faults: string[];
  /** Peers that were missing, as `program: reason`. */
  skips: string[];
}

/** Test files of a folder, `NN-name.test.ts`, in order; with filters those whose name contains one. */
export function testFiles(folder: string, filters: readonly string[] = []): string[] {
  return readdirSync(folder)
    .filter((name) => /^\d\d-[\w.-]+\.test\.ts$/.test(name))
    .filter((name) => filters.length === 0 || filters.some((filter) => name.includes(basename(filter))))
    .sort()
    .map((name) => join(folder, name));
}

/** Names of suites that are made but never run at the top of the file; uvu passes over them in silence. */
export function suitesNeverRun(source: string): string[] {
  const tree = ts.createSourceFile("test.ts", source, ts.ScriptTarget.Latest);
  const made: string[] = [];
  const run = new Set<string>();
  for (const statement of tree.statements) {
    if (ts.isVariableStatement(statement)) {
      for (const { name, initializer } of statement.declarationList.declarations) {
        if (initializer === undefined || !ts.isCallExpression(initializer) || !ts.isIdentifier(name))
          continue;
        const { expression } = initializer;
        if (ts.isIdentifier(expression) && expression.text === "suite") made.push(name.text);
      }
    }
    if (ts.isImportDeclaration(statement) && importsTest(statement)) made.push("test");
    if (!ts.isExpressionStatement(statement) || !ts.isCallExpression(statement.expression)) continue;
    const { expression } = statement.expression;
    if (!ts.isPropertyAccessExpression(expression) || expression.name.text !== "run") continue;
    if (ts.isIdentifier(expression.expression)) run.add(expression.expression.text);
  }
  if (made.length === 0 && run.size === 0) return ["test"];
  return made.filter((name) => !run.has(name));
}

function importsTest({ moduleSpecifier, importClause }: ts.ImportDeclaration): boolean {
  const names = importClause?.namedBindings;
  if (!ts.isStringLiteral(moduleSpecifier) || moduleSpecifier.text !== "uvu") return false;
  return (
    names !== undefined && ts.isNamedImports(names) && names.elements.some(({ name }) => name.text === "test")
  );
}

/** The counts that uvu prints at the end, or null when it printed none. Its total leaves skipped ones out. */
export function parseCounts(output: string): Counts | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour sequences are what is removed
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const blocks = [...plain.matchAll(/^ {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)$/gm)];
  const last = blocks.at(-1);
  if (last === undefined) return null;
  const [total, passed, skipped] = last.slice(1).map(Number) as [number, number, number];
  return { passed, failed: total - passed, skipped };
}

function judge(file: string, source: string, finished: Finished, timeoutMs: number): FileResult {
  const faults = suitesNeverRun(source).map((name) => `${name}.run() is never called`);
  const counts = parseCounts(finished.output);
  if (finished.timedOut) faults.push(`still running after ${timeoutMs / 1000} s, killed`);
  else if (counts === null) faults.push(`ended with code ${finished.code} and printed no counts`);
  else if (counts.passed + counts.failed + counts.skipped === 0) faults.push("contributed no tests");
  else if (finished.code !== 0 && counts.failed === 0) faults.push(`ended with code ${finished.code}`);
  const known = counts ?? { passed: 0, failed: 0, skipped: 0 };
  const failed = faults.length > 0 ? Math.max(known.failed, 1) : known.failed;
  const skips = [...finished.output.matchAll(/^# skip (.*)$/gm)].map((match) => match[1] ?? "");
  return { file, ...known, failed, durationMs: finished.durationMs, faults, skips };
}

function reportFile(result: FileResult, output: string, print: (text: string) => void): void {
  const parts = [`${result.passed} passed`];
  if (result.failed > 0) parts.push(`${result.failed} failed`);
  if (result.skipped > 0) parts.push(`${result.skipped} skipped`);
  const mark = result.failed > 0 ? "FAIL" : "ok  ";
  const seconds = (result.durationMs / 1000).toFixed(1).padStart(6);
  print(`${mark} ${basename(result.file).padEnd(36)} ${seconds} s  ${parts.join(", ")}`);
  for (const skip of result.skips) print(`       skipped: ${skip}`);
  for (const fault of result.faults) print(`       ${fault}`);
  if (result.failed > 0) print(indent(output, 7));
}

/**
 * Runs the files two at a time and prints a line each, with the whole output of those that fail.
 * Returns the sums; running nothing at all counts as one failure.
 */
export async function runTestFiles(options: RunnerOptions): Promise<Counts & { files: FileResult[] }> {
  const { cwd, timeoutMs, print } = options;
  const files = await mapAtMost(2, options.files, async (file) => {
    const finished = await run(process.execPath, ["--import", "tsx", file], { cwd, timeoutMs });
    const result = judge(file, readFileSync(file, "utf8"), finished, timeoutMs);
    reportFile(result, finished.output, print);
    return result;
  });
  const sum = (key: keyof Counts): number => files.reduce((total, file) => total + file[key], 0);
  const counts = { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") };
  if (counts.passed + counts.failed + counts.skipped === 0) {
    print("FAIL no tests were run");
    counts.failed = 1;
  }
  return { ...counts, files };
}
