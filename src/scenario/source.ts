// SPDX-License-Identifier: Apache-2.0
/**
 * YAML text to plain data, with a place for every value: so that an error is one line
 * `file:line:column key: what is wrong and what would be right`.
 *
 * JSON is read as the YAML it is. Refused: duplicate keys, `__proto__` and its like, custom tags, several
 * documents, aliases that multiply, files above FILE_BYTES_MAX, text that is not UTF-8.
 */
import { readFileSync, statSync } from "node:fs";
import {
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "yaml";
import { SYSTEM_ERRORS } from "../system-errors.ts";
import { printable, show } from "./units.ts";

/** The largest scenario or preset file. */
export const FILE_BYTES_MAX = 1 << 20;
const DEPTH_MAX = 32;
const ALIASES_MAX = 100;
const FORBIDDEN_KEYS = new Set(["__proto__", "constructor", "prototype"]);

const YAML_PROBLEMS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "the key is given twice; keep one",
  MULTIPLE_DOCS: "holds a second document; keep one",
  TAB_AS_INDENT: "is indented with a tab; use blanks",
  TAG_RESOLVE_FAILED: "a tag is not read here; remove it",
  BAD_ALIAS: "an alias without its anchor; write the value out",
  BAD_INDENT: "is indented unlike its neighbours; align it",
  BLOCK_AS_IMPLICIT_KEY:
    "a second colon on the line, or a key that is indented too far; write one key a line",
  BLOCK_IN_FLOW: "a colon where a comma or a closing bracket belongs; write { a: 1, b: 2 }",
  MULTILINE_IMPLICIT_KEY: "a key without its colon; write key: value",
  BAD_SCALAR_START: "a value cannot begin with this character; put it in quotes",
  BAD_DIRECTIVE: "a % line is not read here; remove it",
  BAD_DQ_ESCAPE: "an unknown escape in quotes; write \\\\ for a backslash",
  UNEXPECTED_TOKEN: "is not expected here; a comma, a colon or a quote is missing before it",
};

/** Bad input. `lines` holds one line an error, ready to print; the exit code is 2. */
export class ScenarioError extends Error {
  override name = "ScenarioError";
  readonly lines: readonly string[];
  constructor(lines: readonly string[]) {
    super(lines.join("\n"));
    this.lines = lines;
  }
}

/** A path into the data: keys and indices. */
export type Path = readonly (string | number)[];

/** Parsed text with its places. */
export interface Source {
  /** Plain data: objects, arrays, strings, numbers, booleans, null. */
  readonly data: unknown;
  /** `file:line:column` of the value at a path, of its key, or of the nearest parent that exists. */
  readonly place: (path: Path, what?: "key" | "value") => string;
}

function fail(line: string): never {
  throw new ScenarioError([line]);
}

/**
 * Reads a file that must be text of a sensible size.
 * @throws ScenarioError
 */
function readText(path: string): string {
  let bytes: Buffer;
  try {
    const stat = statSync(path);
    if (!stat.isFile()) fail(`${path}: is not a file; give the path of a YAML or JSON file`);
    if (stat.size > FILE_BYTES_MAX) {
      fail(`${path}: has ${stat.size} bytes; at most ${FILE_BYTES_MAX} are read`);
    }
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof ScenarioError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    fail(`${path === "" ? '""' : path}: ${SYSTEM_ERRORS[code ?? ""] ?? `cannot be read (${code})`}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    fail(`${path}: is not UTF-8 text; save it as UTF-8`);
  }
}

/** One line that says what is wrong with YAML and what would be right. */
function yamlProblem(code: string, message: string): string {
  const line = message.split("\n")[0] as string;
  const quote = /^Missing closing (.)quote/.exec(line);
  if (quote !== null) return `a ${quote[1] === '"' ? "double" : "single"} quote is not closed; close it`;
  const bracket = /^Flow (map|sequence).* (\}|\])$/.exec(line);
  if (bracket !== null) return `a ${bracket[2] === "}" ? "{" : "["} is not closed; add ${bracket[2]}`;
  if (line.startsWith("Implicit map keys need")) return YAML_PROBLEMS.MULTILINE_IMPLICIT_KEY as string;
  if (line.startsWith("Missing , or :"))
    return "a comma or a colon is missing before it; write { a: 1, b: 2 }";
  return YAML_PROBLEMS[code] ?? `${printable(line)}; correct it`;
}

function position(counter: LineCounter, offset: number): string {
  const { line, col } = counter.linePos(offset);
  return `${Math.max(line, 1)}:${Math.max(col, 1)}`;
}

type Document = ReturnType<typeof parseDocument>;

function resolveAlias(document: Document, node: unknown): Node | null {
  const target = isAlias(node) ? node.resolve(document) : node;
  return (target as Node | undefined) ?? null;
}

/** Walks to the deepest node of a path; `what` chooses the key or the value of the last step. */
function offsetOf(document: Document, path: Path, what: "key" | "value"): number {
  let node = resolveAlias(document, document.contents);
  let offset = (document.contents as Node | null)?.range?.[0] ?? 0;
  for (const [index, step] of path.entries()) {
    let next: unknown;
    let key: unknown;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      next = pair?.value;
      key = pair?.key;
    } else if (isSeq(node)) {
      next = node.items[Number(step)];
    }
    const last = index === path.length - 1;
    const keyOffset = (key as Node | undefined)?.range?.[0];
    const valueOffset = (next as Node | undefined)?.range?.[0];
    const chosen = (last && what === "key" ? keyOffset : valueOffset) ?? keyOffset;
    if (chosen === undefined) return offset;
    offset = chosen;
    node = resolveAlias(document, next);
    if (node === null) return offset;
  }
  return offset;
}

/** Refuses what plain data cannot or must not hold. */
function checkNodes(document: Document, at: (offset: number) => string): void {
  visit(document, {
    Node(_key, node, path) {
      if (path.filter((one) => isCollection(one)).length >= DEPTH_MAX) {
        fail(`${at(node.range?.[0] ?? 0)}: nests deeper than ${DEPTH_MAX} levels; flatten it`);
      }
    },
    Pair(_key, pair) {
      const key = pair.key as Node | null;
      const place = at(key?.range?.[0] ?? 0);
      if (!isScalar(key) || typeof key.value !== "string") {
        fail(`${place}: a key must be plain text, such as guest`);
      }
      if (FORBIDDEN_KEYS.has(key.value)) fail(`${place} ${key.value}: is not a key; remove it`);
    },
  });
}

/**
 * Parses YAML or JSON text.
 * @param text the text
 * @param label what to call it in messages: the file as the user typed it
 * @throws ScenarioError
 */
export function parseSource(text: string, label: string): Source {
  const counter = new LineCounter();
  const at = (offset: number): string => `${label}:${position(counter, offset)}`;
  try {
    const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, version: "1.2" });
    const problem = document.errors[0] ?? document.warnings[0];
    if (problem !== undefined) {
      const deep = problem.message.includes("call stack");
      const what = deep ? "nests too deeply; flatten it" : yamlProblem(problem.code, problem.message);
      fail(`${at(problem.pos[0])}: ${what}`);
    }
    if (document.contents === null) fail(`${label}:1:1: is empty; write a mapping of keys to values`);
    checkNodes(document, at);
    const data: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
    return { data, place: (path, what = "value") => at(offsetOf(document, path, what)) };
  } catch (error) {
    if (error instanceof ScenarioError) throw error;
    if (error instanceof RangeError) fail(`${label}:1:1: nests too deeply; flatten it`);
    if (error instanceof ReferenceError)
      fail(`${label}:1:1: its aliases multiply beyond reason; write values out`);
    fail(`${label}:1:1: is not YAML (${show((error as Error).message)})`);
  }
}

/** Reads and parses one file. @throws ScenarioError */
export function readSource(path: string, label: string = path): Source {
  return parseSource(readText(path), label);
}

/** Insertions, deletions, changes and swaps of neighbours between two words. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  const cell = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j++) {
      const change = cell(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? cell(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      (rows[i] as number[])[j] = Math.min(change, swap, cell(i - 1, j) + 1, cell(i, j - 1) + 1);
    }
  }
  return cell(a.length, b.length);
}

/** The known word nearest to a mistyped one, or undefined when none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const lower = word.slice(0, 64).toLowerCase();
  const limit = Math.max(1, Math.floor(lower.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of known) {
    const candidateDistance = distance(lower, candidate.toLowerCase());
    if (candidateDistance < bestDistance) [best, bestDistance] = [candidate, candidateDistance];
  }
  return best;
}

/** "did you mean X?" when a known word is near, else what there is. */
export function suggest(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === undefined ? `there are: ${known.join(", ")}` : `did you mean ${near}?`;
}
