// SPDX-License-Identifier: Apache-2.0
// The import rules of ARCHITECTURE.md, numbered as they are there.
import { type Finding, isCode, type Parsed, parse, resolveImport, type SourceFile } from "./source.ts";

/** An import between two files of the project, or of a package (`to` is then its name). */
interface Edge {
  from: string;
  to: string;
  inProject: boolean;
  line: number;
  typeOnly: boolean;
}

type Layer = "index" | "board" | "unit" | "firmware" | "codec" | "kernel" | "abi";

/** Rules 1 and 2: which layer may import which; a unit imports no unit, not even of its own folder. */
const mayImport: Record<Layer, readonly Layer[]> = {
  index: ["board", "unit", "firmware", "codec", "kernel", "abi"],
  board: ["board", "unit", "firmware", "codec", "kernel", "abi"],
  unit: ["codec", "kernel", "abi"],
  firmware: ["firmware", "codec", "kernel", "abi"],
  codec: ["codec", "abi"],
  kernel: ["kernel", "abi"],
  abi: [],
};

const layerPatterns: readonly (readonly [RegExp, Layer])[] = [
  [/^assembly\/index\.ts$/, "index"],
  [/^assembly\/board(\.ts$|-[\w-]+\.ts$|\/)/, "board"],
  [/^assembly\/(host|channel|card)\//, "unit"],
  [/^assembly\/firmware\//, "firmware"],
  [/^assembly\/codec\//, "codec"],
  [/^assembly\/kernel\//, "kernel"],
  [/^assembly\/abi\.ts$/, "abi"],
];

/** Rule 3: folders and files whose job file access is. */
const filesAllowed = /^src\/(core\.ts$|(cli|trace|report|sweep|validate|scenario|firmware)(\/|\.ts$))/;
/** Rule 5: where time of day and randomness may be read. */
const clockAllowed = /^(src\/(cli|pool|sweep)\/|bench\/)/;
const clockWatched = /^(assembly|src|sim|bench)\//;
const clocks = new RegExp(
  "(^|\\.)(Date\\.now|Mathf?\\.random|performance\\.now|process\\.hrtime|process\\.hrtime\\.bigint)$" +
    "|^new Date\\(\\)$|(^|\\.)(randomBytes|randomUUID|randomInt|getRandomValues|hrtime)$",
);
const threads = /^(node:)?worker_threads$/;
/** Rule 3: who may use the loader. */
const coreFiles = /^src\/core(-\w+)?\.ts$/;
const fileModules = /^(node:)?fs(\/promises)?$/;

function layerOf(path: string): Layer | undefined {
  return layerPatterns.find(([pattern]) => pattern.test(path))?.[1];
}

function coreFindings(edge: Edge): string | null {
  if (!edge.from.startsWith("assembly/")) return null;
  const layer = layerOf(edge.from);
  if (layer === undefined) return null;
  if (!edge.inProject) return `rule 1: the core imports no package (${edge.to})`;
  const target = layerOf(edge.to);
  if (target === undefined) return `rule 1: ${edge.to} is no part of the core`;
  if (mayImport[layer].includes(target)) return null;
  if (layer === "unit" && target === "unit") return `rule 2: a unit imports a unit (${edge.to})`;
  return `rule 1: ${layer} may not import ${target} (${edge.to})`;
}

function packageFindings(edge: Edge): string | null {
  if (edge.inProject) return null;
  const { from, to } = edge;
  if (to === "@assemblyscript/loader" && !coreFiles.test(from))
    return "rule 3: only src/core*.ts uses the loader";
  const watched = /^(src|sim|bench)\//.test(from);
  if (watched && (to === "comlink" || to.startsWith("comlink/") || threads.test(to))) {
    return from.startsWith("src/pool/") ? null : `rule 3: only src/pool/ uses ${to}`;
  }
  if (from.startsWith("src/") && fileModules.test(to) && !filesAllowed.test(from)) {
    return `rule 3: no file access here (${to})`;
  }
  return null;
}

function folderFindings(edge: Edge): string | null {
  if (!edge.inProject) return null;
  const { from, to } = edge;
  if (from.startsWith("src/")) {
    const known = to.startsWith("src/") || to === "assembly/abi.ts";
    if (known || (from === "src/core.ts" && to.startsWith("build/"))) return null;
    return `rule 3: src/ imports src/ and assembly/abi.ts, not ${to}`;
  }
  if (!/^(test|bench|sim)\//.test(from)) return null;
  const isTest = from.startsWith("test/");
  if (to.startsWith("src/")) {
    if (to === "src/index.ts" || isTest) return null;
    return `rule 4: imports ${to}; open here: src/index.ts`;
  }
  if (to.startsWith("assembly/") && !(isTest && to === "assembly/abi.ts")) return `rule 4: imports ${to}`;
  return null;
}

function edgesOf(parsed: readonly Parsed[], paths: ReadonlySet<string>): Edge[] {
  return parsed.flatMap(({ path, imports }) =>
    imports.map(({ specifier, line, typeOnly }) => {
      const target = resolveImport(path, specifier, paths);
      return { from: path, to: target ?? specifier, inProject: target !== null, line, typeOnly };
    }),
  );
}

/** Cycles among files of the project, each told once; an import of types alone closes none. */
function cycles(edges: readonly Edge[]): Finding[] {
  const next = new Map<string, Edge[]>();
  for (const edge of edges) {
    if (edge.inProject && !edge.typeOnly) next.set(edge.from, [...(next.get(edge.from) ?? []), edge]);
  }
  const findings: Finding[] = [];
  const state = new Map<string, "open" | "closed">();
  const visit = (path: string, trail: readonly string[]): void => {
    state.set(path, "open");
    for (const edge of next.get(path) ?? []) {
      if (state.get(edge.to) === "open") {
        const round = [...trail.slice(trail.indexOf(edge.to)), edge.to].join(" → ");
        findings.push({ path, line: edge.line, message: `rule 1: a cycle: ${round}` });
      } else if (state.get(edge.to) === undefined) visit(edge.to, [...trail, edge.to]);
    }
    state.set(path, "closed");
  };
  for (const path of next.keys()) if (state.get(path) === undefined) visit(path, [path]);
  return findings;
}

function contentFindings(parsed: Parsed): Finding[] {
  const findings: Finding[] = [];
  const { path } = parsed;
  if (clockWatched.test(path) && !clockAllowed.test(path)) {
    for (const { name, line } of parsed.mentions) {
      if (clocks.test(name))
        findings.push({ path, line, message: `rule 5: ${name}: no wall clock, no randomness` });
    }
  }
  if (path.startsWith("src/") && path !== "src/core.ts") {
    const isBuild = ({ text }: { text: string }): boolean =>
      /(^|\/)build\/|(^|\/)core(\.\w+)?\.wasm$/.test(text);
    for (const { text, line } of parsed.strings.filter(isBuild)) {
      findings.push({ path, line, message: `rule 3: only src/core.ts touches build/ ("${text}")` });
    }
  }
  if (path.startsWith("assembly/") && layerOf(path) === undefined) {
    findings.push({ path, line: 1, message: "rule 1: this place is in no layer of the core" });
  }
  if (path.startsWith("sim/") && !path.startsWith("sim/experiments/")) {
    findings.push({ path, line: 1, message: "rule 4: sim/ is data; scripts live in sim/experiments/" });
  }
  return findings;
}

/**
 * Checks rules 1 to 5 on the files given (all of the project's; other kinds than code are ignored).
 * Returns what breaks a rule, in the order of files.
 */
export function importFindings(files: readonly SourceFile[]): Finding[] {
  const parsed = files.filter(({ path }) => isCode(path)).map(parse);
  const edges = edgesOf(parsed, new Set(files.map(({ path }) => path)));
  const findings = parsed.flatMap(contentFindings);
  for (const edge of edges) {
    for (const rule of [coreFindings, packageFindings, folderFindings]) {
      const message = rule(edge);
      if (message !== null) findings.push({ path: edge.from, line: edge.line, message });
    }
  }
  return [...findings, ...cycles(edges)].sort((a, b) => a.path.localeCompare(b.path) || a.line - b.line);
}
