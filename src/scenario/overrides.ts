// SPDX-License-Identifier: Apache-2.0
/**
 * `--set a.b=1` and the options of a command, laid over a scenario's data. Later ones win, options over sets.
 * A preset given by name turns into { preset: NAME, ... } when one of its values is set.
 */
import { valueAt } from "./problems.ts";
import { DEFAULT_CARD, DEFAULT_HOST } from "./schema.ts";
import { type Path, parseSource, ScenarioError } from "./source.ts";
import { show } from "./units.ts";

type Mapping = Record<string, unknown>;

/** Data with overrides in place, and where each override came from. */
export interface Overridden {
  readonly data: unknown;
  /** The text to show as the place of a path, when an override wrote it or a parent of it. */
  readonly origin: (path: Path) => string | undefined;
}

const KEY = /^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z][A-Za-z0-9]*)*$/;
const FORBIDDEN = new Set(["constructor", "prototype"]);
const SIDES: Readonly<Record<string, string>> = { host: DEFAULT_HOST, card: DEFAULT_CARD };
/** Scalars that a set of this key replaces by a mapping: `encrypt: off`, then encrypt.cipher=aes-128-gcm. */
const SWITCHES = new Set(["compress.engine", "encrypt.cipher"]);
/** Giving one of these takes the place of the other, with the keys that only it has. */
const RIVALS: Readonly<Record<string, readonly [rival: string, ...its: string[]]>> = {
  "guest.trace": ["generate"],
  "guest.generate": ["trace", "tile", "speed", "atEnd"],
};

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fail(label: string, message: string): never {
  throw new ScenarioError([`${label}: ${message}`]);
}

/** The mapping that stands for a side's host or card when one of its values is set. */
function promote(root: Mapping, path: readonly string[], present: unknown): unknown {
  const [side = "", part = ""] = path;
  if (path.length !== 2 || !["source", "destination"].includes(side) || SIDES[part] === undefined)
    return present;
  if (typeof present === "string") return { preset: present };
  if (present !== undefined) return present;
  const source = isMapping(root.source) ? root.source[part] : undefined;
  const inherited = side === "destination" ? structuredClone(source) : undefined;
  return typeof inherited === "object" ? inherited : { preset: inherited ?? SIDES[part] };
}

function assign(root: Mapping, key: string, value: unknown, label: string): void {
  const steps = key.split(".");
  let node = root;
  for (const [index, step] of steps.slice(0, -1).entries()) {
    const here = steps.slice(0, index + 1);
    let next = promote(root, here, Object.hasOwn(node, step) ? node[step] : undefined);
    if (next === undefined || SWITCHES.has(key)) next = isMapping(next) ? next : {};
    if (!isMapping(next)) {
      fail(
        label,
        `${here.join(".")} is ${show(next)} here and has no keys; set ${here.join(".")} to a mapping first`,
      );
    }
    node[step] = next;
    node = next;
  }
  node[steps.at(-1) as string] = value;
  const rival = RIVALS[`${steps[0]}.${steps[1]}`];
  const { guest } = root;
  if (rival === undefined || !isMapping(guest) || !Object.hasOwn(guest, rival[0])) return;
  for (const name of rival) delete guest[name];
}

/** One override: a dotted key, its value as plain data, and its name in messages. */
export interface Override {
  readonly key: string;
  readonly value: unknown;
  readonly label: string;
}

/**
 * Reads the text of a `--set`: `link.rate=25 Gbit/s`. The value is YAML.
 * @throws ScenarioError
 */
export function parseSet(text: string): Override {
  const at = text.indexOf("=");
  const key = text.slice(0, Math.max(at, 0)).trim();
  if (at < 0) fail(`--set ${show(text)}`, "has no =; write e.g. --set link.rate=25Gbit/s");
  const label = `--set ${show(key)}`;
  if (!KEY.test(key) || key.split(".").some((step) => FORBIDDEN.has(step))) {
    fail(label, "is not a dotted key; write e.g. --set link.rate=25Gbit/s");
  }
  const value = text.slice(at + 1).trim();
  if (value === "") fail(label, "has no value; write e.g. --set link.rate=25Gbit/s");
  try {
    const parsed = parseSource(`v: ${value}`, label).data as Mapping;
    if (Object.keys(parsed).length === 1) return { key, value: parsed.v, label };
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
  }
  fail(label, `${show(value)} is not a YAML value; quote it or write it plainly`);
}

/**
 * Lays overrides over data, in order. The data is copied, not changed.
 * @throws ScenarioError
 */
export function applyOverrides(data: unknown, overrides: readonly Override[]): Overridden {
  if (overrides.length === 0) return { data, origin: () => undefined };
  if (!isMapping(data)) return { data, origin: () => undefined };
  const copy = structuredClone(data);
  for (const { key, value, label } of overrides) assign(copy, key, structuredClone(value), label);
  const labels = new Map(overrides.map(({ key, label }) => [key, label]));
  const origin = (path: Path): string | undefined => {
    for (let length = path.length; length > 0; length--) {
      const label = labels.get(path.slice(0, length).join("."));
      if (label !== undefined) return label;
    }
    if (valueAt(data, path) !== undefined || path.length === 0) return undefined;
    return overrides.find(({ key }) => key.startsWith(`${path.join(".")}.`))?.label;
  };
  return { data: copy, origin };
}
