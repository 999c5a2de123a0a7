// SPDX-License-Identifier: Apache-2.0
/** Collects what is wrong with some data, each with its place, and turns zod's issues into one line each. */
import type * as z from "zod";
import { type Path, ScenarioError, suggest } from "./source.ts";
import { printable, show } from "./units.ts";

const DOTTED = /^\w+(\.\w+)+$/;
const KEY_LENGTH_MAX = 120;

/** A path for a line of text: the keys are the user's, so they may hold anything and have any length. */
function shorten(key: string): string {
  const line = printable(key);
  return line.length > KEY_LENGTH_MAX ? `${line.slice(0, KEY_LENGTH_MAX - 3)}...` : line;
}

type Issue = z.core.$ZodIssue;
type Place = (path: Path, what?: "key" | "value") => string;

/** The value at a path of plain data, or undefined. */
export function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

function isMapping(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Keys that a strict object knew, as far as zod tells: from the schema that refused the key. */
type KnownKeys = (path: Path) => readonly string[];

export class Problems {
  readonly #data: unknown;
  readonly #place: Place;
  readonly #knownKeys: KnownKeys;
  readonly #lines: string[] = [];

  /**
   * @param data the data under check
   * @param place where a path of it was written
   * @param knownKeys the keys that may stand at a path, for did-you-mean
   */
  constructor(data: unknown, place: Place, knownKeys: KnownKeys = () => []) {
    this.#data = data;
    this.#place = place;
    this.#knownKeys = knownKeys;
  }

  /** Adds one line `place key: message`. */
  add(path: Path, message: string, what: "key" | "value" = "value"): void {
    const key = shorten(path.join("."));
    const place = this.#place(path, what);
    const named = key === "" || place.endsWith(` ${key}`) || place === `--${key}`;
    const line = `${place}${named ? "" : ` ${key}`}: ${message}`;
    if (!this.#lines.includes(line)) this.#lines.push(line);
  }

  /** The data of a successful parse. @throws ScenarioError with every issue otherwise */
  check<T>(result: z.ZodSafeParseResult<T>): T {
    if (result.success) return result.data;
    for (const issue of result.error.issues) this.#addIssue(issue, []);
    throw new ScenarioError(this.#lines);
  }

  /** @throws ScenarioError if anything was added */
  done(): void {
    if (this.#lines.length > 0) throw new ScenarioError(this.#lines);
  }

  #addIssue(issue: Issue, prefix: Path): void {
    const path: Path = [...prefix, ...(issue.path as (string | number)[])];
    const input = valueAt(this.#data, path);
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) this.#addUnknown([...path, key], key);
    } else if (issue.code === "invalid_union" && isMapping(input)) {
      const branch = issue.errors.find((one) => one.every((inner) => !rejectsRoot(inner))) ?? [];
      for (const inner of branch) this.#addIssue(inner as Issue, path);
      if (branch.length === 0) this.add(path, issue.message);
    } else if (issue.message.startsWith("Invalid input") || issue.message.startsWith("Invalid option")) {
      this.add(path, plainMessage(issue, input));
    } else {
      this.add(path, issue.message);
    }
  }

  #addUnknown(path: Path, key: string): void {
    const known = this.#knownKeys(path.slice(0, -1));
    const nested = DOTTED.test(key) ? `; write it nested, ${key.split(".").join(": { ")}: ...` : undefined;
    this.add(path, `unknown key${nested ?? (known.length === 0 ? "" : `; ${suggest(key, known)}`)}`, "key");
  }
}

function rejectsRoot(issue: { code?: string | undefined; path: readonly PropertyKey[] }): boolean {
  return issue.path.length === 0 && (issue.code === "invalid_type" || issue.code === "invalid_value");
}

function plainMessage(issue: Issue, input: unknown): string {
  if (issue.code === "invalid_type") {
    const wanted =
      issue.expected === "object" || issue.expected === "record" ? "a mapping of keys" : issue.expected;
    if (input === undefined) return `is missing; write ${wanted}`;
    if (input === null) return `is empty; write ${wanted}`;
    return `${show(input)} is not ${wanted}`;
  }
  if (issue.code === "invalid_value") {
    const values = issue.values.map(String);
    return input === undefined
      ? `is missing; write one of ${values.join(", ")}`
      : `${show(input)} is not known here; ${suggest(String(show(input)), values)}`;
  }
  return `${show(input)} is not possible here`;
}
