// SPDX-License-Identifier: Apache-2.0
/** `dpusim presets [NAME]`: what there is, with units, meaning and source. */
import { KEY_TABLES, type KeySpec, PRESET_FOLDERS, type PresetKind } from "../scenario/keys.ts";
import {
  loadPlacement,
  loadPreset,
  type Placement,
  type Preset,
  presetNames,
  STAGES,
} from "../scenario/presets.ts";
import { ScenarioError, suggest } from "../scenario/source.ts";
import { describeDimension, show } from "../scenario/units.ts";
import { oneOf } from "./options.ts";

const KINDS = Object.keys(PRESET_FOLDERS) as PresetKind[];

function load(kind: PresetKind, name: string): Preset | Placement {
  return kind === "placement" ? loadPlacement(name) : loadPreset(kind, name);
}

/** Rows of cells in columns two blanks apart, the last one ragged; ends in a newline. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  const line = (row: readonly string[]): string =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join("  ")
      .trimEnd();
  return `${rows.map(line).join("\n")}\n`;
}

/** A number and the unit that it is written in; a word has none. */
function valueAndUnit(spec: KeySpec, value: unknown): [value: string, unit: string] {
  const text = String(value);
  if (spec.measure === "choice") return [text, "-"];
  if (spec.measure === "count") return [text, spec.unit ?? "count"];
  const [, number, unit] = /^([\d.]+) *(\S*)$/.exec(text) ?? [];
  const base = describeDimension(spec.measure === "octets" ? "bytes" : spec.measure).base;
  return [number ?? text, unit === undefined || unit === "" ? base : unit];
}

/** What a key means, and what its words are. */
function meaningOf({ measure, values, text }: KeySpec): string {
  return measure === "choice" ? `${text}: ${oneOf(values ?? [])}` : text;
}

function numbers(preset: Preset): string {
  const rows = [["KEY", "VALUE", "UNIT", "KNOWN", "MEANING", "SOURCE"]];
  for (const [key, spec] of Object.entries(KEY_TABLES[preset.kind])) {
    const entry = preset.values[key];
    if (entry === undefined) continue;
    const source = entry.note === null ? entry.source : `${entry.source}: ${entry.note}`;
    rows.push([key, ...valueAndUnit(spec, entry.value), entry.kind, meaningOf(spec), source]);
  }
  return columns(rows);
}

function stages(placement: Placement): string {
  const rows = [["STAGE", "RUNS ON", "WHEN", "NOTE"]];
  for (const stage of STAGES) {
    const { at, when } = placement.stages[stage];
    rows.push([stage, at, when.join(", "), placement.notes[stage] ?? ""]);
  }
  return `source: ${placement.source}\n\n${columns(rows)}`;
}

/**
 * The text of `dpusim presets`: a list of all presets, or every value of one; of all that bear the name.
 * @param name a preset of any kind; without it, the list
 * @throws ScenarioError when there is no such preset
 */
export function presetsCommand(name?: string): string {
  const all = KINDS.flatMap((kind) => presetNames(kind).map((one) => ({ kind, name: one })));
  if (name === undefined) {
    const rows = all.map((one) => [one.kind, one.name, load(one.kind, one.name).title]);
    return columns([["KIND", "NAME", "WHAT IT IS"], ...rows]);
  }
  const found = all.filter((one) => one.name === name);
  if (found.length === 0) {
    const hint = suggest(
      name,
      all.map((one) => one.name),
    );
    throw new ScenarioError([`presets ${show(name)}: is not known here; ${hint}`]);
  }
  const texts = found.map((one) => {
    const preset = load(one.kind, one.name);
    const body = preset.kind === "placement" ? stages(preset) : numbers(preset);
    return `${preset.kind} ${preset.name}: ${preset.title}\n\n${body}`;
  });
  return texts.join("\n");
}
