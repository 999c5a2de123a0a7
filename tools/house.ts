// SPDX-License-Identifier: Apache-2.0
// House rules that a program can see: lengths, the SPDX line, the code map, paths of one machine, links.
import { dirname, posix } from "node:path";
import { type Finding, isCode, parse, type SourceFile } from "./source.ts";

const limits = { columns: 110, fileLines: 400, functionLines: 60, scripts: 12 };
const ours = /^(assembly|src|sim|bench|test|tools)\//;
/** A list of constants is looked up, not read. */
const isTable = /^assembly\/abi\.ts$/;
const isScript = (path: string): boolean => isCode(path) || path.endsWith(".sh") || path === ".ci/run";

/**
 * Lines of import statements: the formatter gives each name a line of its own, which says nothing of length.
 */
function importLines(lines: readonly string[]): number {
  let n = 0;
  let inside = false;
  for (const line of lines) {
    if (line.startsWith("import ")) inside = true;
    if (inside) n++;
    if (line.endsWith(";")) inside = false;
  }
  return n;
}

/** Lines, files and functions that are too long. */
export function lengthFindings(files: readonly SourceFile[]): Finding[] {
  const findings: Finding[] = [];
  for (const file of files) {
    const { path, text } = file;
    if (!isScript(path)) continue;
    const lines = text.replace(/\n$/, "").split("\n");
    lines.forEach((line, index) => {
      const columns = [...line].length;
      if (columns <= limits.columns) return;
      findings.push({ path, line: index + 1, message: `${columns} columns, at most ${limits.columns}` });
    });
    const counted = lines.length - importLines(lines);
    if (counted > limits.fileLines && !isTable.test(path)) {
      const message = `${counted} lines without imports, at most ${limits.fileLines}`;
      findings.push({ path, line: 1, message });
    }
    if (!isCode(path) || !ours.test(path)) continue;
    for (const { name, line, lines: length } of parse(file).functions) {
      if (length <= limits.functionLines) continue;
      findings.push({ path, line, message: `${name} has ${length} lines, at most ${limits.functionLines}` });
    }
  }
  return findings;
}

/** Files whose first line (the second after `#!`) is not the licence. */
export function licenceFindings(files: readonly SourceFile[]): Finding[] {
  return files
    .filter(({ path }) => isScript(path))
    .filter(({ text }) => !/^(#![^\n]*\n)?(\/\/|#) SPDX-License-Identifier: Apache-2\.0\n/.test(text))
    .map(({ path }) => ({ path, line: 1, message: "begins without its SPDX line" }));
}

/** Files of assembly/ and src/ that no code span or code block of ARCHITECTURE.md names. */
export function codeMapFindings(files: readonly SourceFile[]): Finding[] {
  const map = files.find(({ path }) => path === "ARCHITECTURE.md");
  if (map === undefined) return [{ path: "ARCHITECTURE.md", line: 1, message: "is missing" }];
  const spans = map.text.match(/^```[\s\S]*?^```|`[^`\n]+`/gm) ?? [];
  const words = new Set(
    spans.flatMap((span) => span.split(/[^\w.-]+/)).map((word) => word.replace(/\.ts$/, "")),
  );
  return files
    .filter(({ path }) => /^(assembly|src)\/.*\.ts$/.test(path))
    .filter(({ path }) => !words.has(posix.basename(path, ".ts")))
    .map(({ path }) => ({ path, line: 1, message: "has no place in ARCHITECTURE.md" }));
}

// Put together from parts, so that this file does not find itself.
const machinePaths = new RegExp(
  [
    `\\.\\./${"shared"}\\b`,
    `(?<![\\w.~-])/${"work"}\\b`,
    `(?<![\\w.])/${"home"}/\\w`,
    `(?<![\\w.])/${"root"}/`,
  ].join("|"),
);

/** Paths that exist on one machine only. */
export function machinePathFindings(files: readonly SourceFile[]): Finding[] {
  return files.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => {
      const found = machinePaths.exec(line);
      return found === null ? [] : [{ path, line: index + 1, message: `path of one machine: ${found[0]}` }];
    }),
  );
}

/** Relative links and images of documents that lead nowhere. `exists` is asked for paths of the project. */
export function linkFindings(files: readonly SourceFile[], exists: (path: string) => boolean): Finding[] {
  const findings: Finding[] = [];
  for (const { path, text } of files) {
    if (!path.endsWith(".md")) continue;
    let fenced = false;
    text.split("\n").forEach((line, index) => {
      if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
      if (fenced) return;
      const plain = line.replace(/`[^`]*`/g, "");
      for (const match of plain.matchAll(/\]\(<?([^)\s>]+)|\b(?:src|href)="([^"]+)"|^\[[^\]]+\]:\s+(\S+)/g)) {
        const link = match[1] ?? match[2] ?? match[3] ?? "";
        if (/^([a-z][a-z+.-]*:|#|\/\/)/i.test(link)) continue;
        const target = posix.join(dirname(path), decodeURI(link.replace(/[#?].*$/, "")));
        if (target.startsWith("..") || link.startsWith("/") || !exists(target)) {
          findings.push({ path, line: index + 1, message: `leads to nothing: ${link}` });
        }
      }
    });
  }
  return findings;
}

/** Too many npm scripts, and packages that the lockfile ties to one registry or does not seal. */
export function packageFindings(packageJson: string, lockfile: string): Finding[] {
  const findings: Finding[] = [];
  const scripts = Object.keys(JSON.parse(packageJson).scripts ?? {}).length;
  if (scripts > limits.scripts) {
    findings.push({
      path: "package.json",
      line: 1,
      message: `${scripts} scripts, at most ${limits.scripts}`,
    });
  }
  const packages: Record<string, { resolved?: string; integrity?: string }> =
    JSON.parse(lockfile).packages ?? {};
  for (const [name, entry] of Object.entries(packages)) {
    if (name === "") continue;
    const message = entry.resolved !== undefined ? `resolved to ${entry.resolved}` : "no integrity";
    if (entry.resolved === undefined && entry.integrity !== undefined) continue;
    findings.push({ path: "package-lock.json", line: 1, message: `${name}: ${message}` });
  }
  return findings;
}
