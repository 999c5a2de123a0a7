// SPDX-License-Identifier: Apache-2.0
/**
 * Presets: the numbers of cards, hosts, links and engines, and the placements, as shipped in sim/.
 *
 * Every number carries its source and how it is known: measured, datasheet, derived or assumed. A preset file
 * holds every key of its kind's table, no more and no less, so that nothing is filled in silently; or it
 * names a `base`, whose numbers stand in for what it does not say: as assumptions, for they are another's.
 */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { problemOf } from "./fields.ts";
import { KEY_TABLES, type KeySpec, PRESET_FOLDERS, type PresetKind } from "./keys.ts";
import { Problems } from "./problems.ts";
import { readSource, ScenarioError, type Source, suggest } from "./source.ts";
import { show } from "./units.ts";

const PRESET_SCHEMA = "dpusim.preset/1";

/** How a number is known. */
const EVIDENCE = ["measured", "datasheet", "derived", "assumed"] as const;

/** One number of a preset, as the file writes it. */
export interface PresetValue {
  readonly value: string | number;
  readonly kind: (typeof EVIDENCE)[number];
  readonly source: string;
  readonly note: string | null;
}

/** A card, host, link or engine. */
export interface Preset {
  readonly kind: Exclude<PresetKind, "placement">;
  readonly name: string;
  readonly title: string;
  readonly values: Readonly<Record<string, PresetValue>>;
}

/** The stages of a page's way, in order. */
export const STAGES = [
  "track",
  "collect",
  "read",
  "zero",
  "delta",
  "compress",
  "encrypt",
  "frame",
  "send",
  "receive",
  "decrypt",
  "decompress",
  "place",
  "resume",
  "lazy",
] as const;

export type StageName = (typeof STAGES)[number];

/** Where one stage runs and when. */
export interface StagePlacement {
  readonly at: "host" | "host-engine" | "card-core" | "card" | "off";
  readonly when: readonly ("before-request" | "pre-copy" | "stop-window" | "after-resume")[];
}

/** A placement of every stage. */
export interface Placement {
  readonly kind: "placement";
  readonly name: string;
  readonly title: string;
  readonly source: string;
  readonly stages: Readonly<Record<StageName, StagePlacement>>;
  /** What is to be said of a stage, where there is something. */
  readonly notes: Readonly<Partial<Record<StageName, string>>>;
}

const NAME = /^[a-z0-9][a-z0-9.-]{0,63}$/;

const words = z.string().min(1);
const head = { schema: z.literal(PRESET_SCHEMA), name: z.string().regex(NAME), title: words };
const valueSchema = z.strictObject({
  value: z.union([z.string(), z.number()]),
  kind: z.enum(EVIDENCE),
  source: words,
  note: words.optional(),
});
const numbersSchema = z.strictObject({
  ...head,
  kind: z.enum(["card", "host", "link", "compressor", "cipher"]),
  base: z.string().regex(NAME).optional(),
  values: z.record(z.string(), valueSchema),
});
const stageSchema = z.strictObject({
  at: z.enum(["host", "host-engine", "card-core", "card", "off"]),
  when: z.array(z.enum(["before-request", "pre-copy", "stop-window", "after-resume"])),
  note: words.optional(),
});
const stagesSchema = z.strictObject(
  Object.fromEntries(STAGES.map((stage) => [stage, stageSchema])) as Record<StageName, typeof stageSchema>,
);
const placementSchema = z.strictObject({
  ...head,
  kind: z.literal("placement"),
  source: words,
  stages: stagesSchema,
});

let root: string | undefined;

/** The folder of the package: the nearest one above this file that holds sim/ and package.json. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (root === undefined) {
    if (existsSync(join(folder, "sim", "cards")) && existsSync(join(folder, "package.json"))) root = folder;
    const parent = dirname(folder);
    if (parent === folder) break;
    folder = parent;
  }
  if (root === undefined) throw new Error("the package's sim/ folder is not where it was installed");
  return root;
}

/** The names of the presets of one kind, sorted. */
export function presetNames(kind: PresetKind): string[] {
  return readdirSync(join(packageRoot(), "sim", PRESET_FOLDERS[kind]))
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -".yaml".length))
    .sort();
}

/** What is wrong with a preset's name, or null. */
export function presetNameProblem(kind: PresetKind, name: string): string | null {
  const names = presetNames(kind);
  return names.includes(name) ? null : `${show(name)} is no ${kind} preset; ${suggest(name, names)}`;
}

function open(kind: PresetKind, name: string): Source {
  const problem = presetNameProblem(kind, name);
  if (problem !== null) throw new ScenarioError([problem]);
  const label = `sim/${PRESET_FOLDERS[kind]}/${name}.yaml`;
  return readSource(join(packageRoot(), label), label);
}

function checkTable(kind: Preset["kind"], values: Preset["values"], problems: Problems): void {
  const table = KEY_TABLES[kind];
  const algorithm = String(values.algorithm?.value);
  const has = (spec: KeySpec): boolean => spec.of === undefined || spec.of.includes(algorithm);
  for (const [key, entry] of Object.entries(values)) {
    const spec = table[key];
    if (spec === undefined) {
      problems.add(["values", key], `unknown key; ${suggest(key, Object.keys(table))}`, "key");
      continue;
    }
    if (!has(spec)) {
      problems.add(["values", key], `is no key of algorithm ${show(algorithm)}; remove it`, "key");
      continue;
    }
    const problem = problemOf(spec, entry.value);
    if (problem !== null) problems.add(["values", key, "value"], problem);
  }
  for (const [key, spec] of Object.entries(table)) {
    if (values[key] === undefined && has(spec)) problems.add(["values"], `${key} is missing`, "key");
  }
}

/** The numbers of the base of a preset, as assumptions. */
function inherited(
  kind: Preset["kind"],
  base: string | undefined,
  problems: Problems,
): (readonly [string, PresetValue])[] {
  if (base === undefined) return [];
  const problem = presetNameProblem(kind, base);
  if (problem !== null) problems.add(["base"], problem);
  problems.done();
  return Object.entries(loadPreset(kind, base).values).map(([key, { value, kind: known, source, note }]) => {
    const from = `as ${base}, there ${known}: ${source}`;
    return [key, { value, kind: "assumed", source: from, note }] as const;
  });
}

const cache = new Map<string, Preset | Placement>();

/**
 * Checks the text of a preset file: every key of its table and no other, each with kind and source.
 * @throws ScenarioError
 */
export function parsePreset(kind: Preset["kind"], name: string, source: Source): Preset {
  const problems = new Problems(source.data, source.place);
  const parsed = problems.check(numbersSchema.safeParse(source.data));
  if (parsed.kind !== kind) problems.add(["kind"], `${parsed.kind} is in the folder of kind ${kind}`);
  if (parsed.name !== name)
    problems.add(["name"], `${parsed.name} differs from the file's name; write ${name}`);
  const own = Object.entries(parsed.values).map(
    ([key, entry]) => [key, { ...entry, note: entry.note ?? null }] as const,
  );
  const values = Object.fromEntries([...inherited(kind, parsed.base, problems), ...own]);
  checkTable(kind, values, problems);
  problems.done();
  return { kind, name, title: parsed.title, values };
}

/** Checks the text of a placement file. @throws ScenarioError */
function parsePlacement(name: string, source: Source): Placement {
  const problems = new Problems(source.data, source.place);
  const parsed = problems.check(placementSchema.safeParse(source.data));
  if (parsed.name !== name)
    problems.add(["name"], `${parsed.name} differs from the file's name; write ${name}`);
  problems.done();
  const stages = {} as Record<StageName, StagePlacement>;
  const notes: Partial<Record<StageName, string>> = {};
  for (const stage of STAGES) {
    const { at, when, note } = parsed.stages[stage];
    stages[stage] = { at, when };
    if (note !== undefined) notes[stage] = note;
  }
  return { kind: "placement", name, title: parsed.title, source: parsed.source, stages, notes };
}

function cached<T extends Preset | Placement>(key: string, make: () => T): T {
  const known = cache.get(key) as T | undefined;
  const preset = known ?? make();
  cache.set(key, preset);
  return preset;
}

/**
 * A card, host, link or engine by name.
 * @throws ScenarioError when there is none of that name, or its file is wrong
 */
export function loadPreset(kind: Preset["kind"], name: string): Preset {
  return cached(`${kind}/${name}`, () => parsePreset(kind, name, open(kind, name)));
}

/** A placement by name. @throws ScenarioError */
export function loadPlacement(name: string): Placement {
  return cached(`placement/${name}`, () => parsePlacement(name, open("placement", name)));
}
