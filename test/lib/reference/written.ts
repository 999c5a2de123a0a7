// SPDX-License-Identifier: Apache-2.0
/**
 * What a scenario and its presets say, read a second time: nothing of src/scenario/ is used. The scenario is
 * good; what it does not say has the default that is described in src/scenario/schema.ts.
 */
import { readFileSync } from "node:fs";
import { parse } from "yaml";

type Mapping = Record<string, unknown>;

/** An exact value in base units: s, B, B/s, Hz, /s, cycles; den > 0. */
export interface Exact {
  num: bigint;
  den: bigint;
}

/** A preset with what the scenario lays over it. */
export type Preset = (key: string) => unknown;

const DEFAULTS: Readonly<Record<string, string>> = { host: "snb-e5-2630", card: "dpu-ref" };
const DECIMAL = ["", "k", "M", "G", "T"];
const BINARY = ["", "Ki", "Mi", "Gi", "Ti"];
/** Units that take prefixes, in base units. A bit is an eighth of a byte. */
const UNITS: Readonly<Record<string, [num: bigint, den: bigint]>> = {
  B: [1n, 1n],
  "B/s": [1n, 1n],
  "bit/s": [1n, 8n],
  Hz: [1n, 1n],
  "/s": [1n, 1n],
};
const OTHERS: Readonly<Record<string, [num: bigint, den: bigint]>> = {
  "": [1n, 1n],
  s: [1n, 1n],
  ms: [1n, 1000n],
  us: [1n, 1_000_000n],
  ns: [1n, 1_000_000_000n],
  ps: [1n, 1_000_000_000_000n],
  min: [60n, 1n],
  h: [3600n, 1n],
  cycle: [1n, 1n],
  cycles: [1n, 1n],
  "B/cycle": [1n, 1n],
  "bit/cycle": [1n, 1n],
};

function unitOf(unit: string): [num: bigint, den: bigint] {
  const other = OTHERS[unit];
  if (other !== undefined) return other;
  for (const [base, [num, den]] of Object.entries(UNITS)) {
    const prefix = unit.slice(0, unit.length - base.length);
    if (!unit.endsWith(base)) continue;
    const power = BINARY.indexOf(prefix) > 0 ? BINARY.indexOf(prefix) : DECIMAL.indexOf(prefix);
    if (power >= 0) return [num * (prefix.endsWith("i") ? 1024n : 1000n) ** BigInt(power), den];
  }
  throw new Error(`no unit ${unit}`);
}

/** A number, alone or with its unit: `42.6 GB/s` is 42.6 · 10⁹. */
export function exact(value: unknown): Exact {
  const [, whole = "", fraction = "", unit = ""] = /^(\d+)(?:\.(\d+))? *([A-Za-z/]*)$/.exec(`${value}`) ?? [];
  if (whole === "") throw new Error(`no quantity: ${value}`);
  const [num, den] = unitOf(unit);
  return { num: BigInt(whole + fraction) * num, den: 10n ** BigInt(fraction.length) * den };
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null;
}

/** The value at a dotted key, or undefined. */
export function writtenAt(data: unknown, key: string): unknown {
  return key.split(".").reduce((node, step) => (isMapping(node) ? node[step] : undefined), data);
}

/** What stands for a host or a card of which one value is set: what is written, inherited, or the default. */
function sidePart(root: Mapping, side: string, part: string): Mapping {
  const written = writtenAt(root, `${side}.${part}`) ?? writtenAt(root, `source.${part}`) ?? DEFAULTS[part];
  return isMapping(written) ? structuredClone(written) : { preset: written };
}

function assign(root: Mapping, key: string, value: unknown): void {
  const steps = key.split(".");
  let node = root;
  for (const [i, step] of steps.slice(0, -1).entries()) {
    const ofSide = i === 1 && (steps[0] === "source" || steps[0] === "destination");
    if (ofSide) node[step] = sidePart(root, steps[0]!, step);
    else if (!isMapping(node[step])) node[step] = {};
    node = node[step] as Mapping;
  }
  node[steps.at(-1)!] = value;
}

/** The scenario as written, with `key=value` overrides laid over it in order. */
export function writtenScenario(text: string, sets: readonly string[]): Mapping {
  const root = parse(text) as Mapping;
  for (const set of sets) {
    const at = set.indexOf("=");
    assign(root, set.slice(0, at), parse(set.slice(at + 1)));
  }
  return root;
}

/** What a preset's file says, over what its base says. */
function presetValues(folder: string, name: string): Record<string, { value: unknown }> {
  const text = readFileSync(new URL(`../../../sim/${folder}/${name}.yaml`, import.meta.url), "utf8");
  const file = parse(text) as { base?: string; values: Record<string, { value: unknown }> };
  return { ...(file.base === undefined ? {} : presetValues(folder, file.base)), ...file.values };
}

/** A preset, with what the scenario lays over it. */
export function presetOf(folder: string, name: string, overrides: (key: string) => unknown): Preset {
  const values = presetValues(folder, name);
  return (key) => {
    const value = overrides(key) ?? values[key]?.value;
    if (value === undefined) throw new Error(`${name} has no ${key}`);
    return value;
  };
}

/** The host or card of a side; a destination that names none has the source's. */
export function partOf(scenario: Mapping, side: string, part: "host" | "card"): Preset {
  const written = sidePart(scenario, side, part);
  const coded = side === "source" && part === "card" ? scenario.compress : undefined;
  const overrides = (key: string): unknown => {
    const own = key.startsWith("compressor.") ? writtenAt(coded, key.slice("compressor.".length)) : undefined;
    return own ?? writtenAt(written, key);
  };
  return presetOf(`${part}s`, written.preset as string, overrides);
}

/** The network link. */
export function linkOf(scenario: Mapping): Preset {
  const name = writtenAt(scenario, "link.preset") ?? "ethernet-100g";
  return presetOf("links", name as string, (key) => writtenAt(scenario, `link.${key}`));
}

/** The compressor preset that stands in place of the source card's encoders, if there is one. */
export function engineOf(scenario: Mapping): Preset | null {
  const name = writtenAt(scenario, "compress.engine");
  if (scenario.compress === "off" || name === undefined || name === "off" || name === "lz4-hw") return null;
  return presetOf("engines/compressors", name as string, () => undefined);
}

/** Engines that seal and open on a side: keys of a preset, or those of the card by the same names. */
export function cipherOf(scenario: Mapping, side: "source" | "destination", card: Preset): Preset {
  const name = writtenAt(scenario, `encrypt.${side}`) ?? writtenAt(scenario, "encrypt.engine") ?? "card";
  const stage = side === "source" ? "encrypt" : "decrypt";
  const beside = writtenAt(scenario, `placement.${stage}`) === "host-engine";
  if (!beside && name !== "card") return presetOf("engines/ciphers", name as string, () => undefined);
  return (key) => (key === "clock" ? null : card(`crypto.${key}`));
}
