// SPDX-License-Identifier: Apache-2.0
/**
 * `placement`: a preset by name, or with stages of pages put elsewhere: `{ preset: huawei, compress:
 * card-core }`. What does not fit is refused where it stands.
 */
import * as z from "zod";
import { field, supported } from "./fields.ts";
import { FORMATS, type Values } from "./fill.ts";
import { loadPlacement, type Placement, type StageName } from "./presets.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";

const PRESETS = ["huawei", "qemu"] as const;
const LATER = ["goggin", "reuther", "tarasuk-levin", "wilson", "nelson"];
/** The one whose stages may be put elsewhere. */
export const CARDS = "huawei";
/** What software compresses with. */
const SOFTWARE_ENGINE = "lz4-sw";

const place = (text: string) => field({ measure: "choice", values: ["card", "card-core"], text });

export const placementSchema = z.union(
  [
    supported(PRESETS, LATER, "which part runs each stage"),
    z.strictObject({
      preset: supported([CARDS], [...LATER, "qemu"], "the placement that is changed").default(CARDS),
      zero: place("who looks for zero pages, at the source").default("card"),
      compress: place("who compresses, at the source").default("card"),
      encrypt: place("who seals and opens, at the source").default("card"),
      decrypt: place("who opens and seals, at the destination").default("card"),
      decompress: place("who decodes, at the destination").default("card"),
    }),
  ],
  { error: (issue) => nameProblem(issue as unknown as { input: unknown; errors?: unknown }) },
);

/** A word that is no placement: as `supported` says it. */
function nameProblem({ input }: { input: unknown }): string {
  const said = supported(PRESETS, LATER, "").safeParse(input).error?.issues[0]?.message;
  return said ?? "is not known here";
}

type Written = Scenario["placement"];

/** The stages that may be put elsewhere, by side. */
const MOVABLE = {
  source: ["zero", "compress", "encrypt"],
  destination: ["decrypt", "decompress"],
} as const satisfies Record<string, readonly StageName[]>;

export type Movable = (typeof MOVABLE)[keyof typeof MOVABLE][number];

/** The name of the preset. */
export function placementName(placement: Written): string {
  return typeof placement === "string" ? placement : String(placement.preset);
}

/** Where a stage is put; the preset's own place unless the scenario says otherwise. */
export function placeOf(placement: Written, stage: Movable): string {
  return typeof placement === "string" ? "card" : String(placement[stage]);
}

/** The preset with the stages put elsewhere. */
export function fillPlacement(placement: Written): { name: string; stages: Placement["stages"] } {
  const { name, stages } = loadPlacement(placementName(placement));
  if (typeof placement === "string") return { name, stages };
  const moved = { ...stages };
  for (const stage of [...MOVABLE.source, ...MOVABLE.destination])
    moved[stage] = { ...stages[stage], at: placeOf(placement, stage) as "card" };
  return { name, stages: moved };
}

/** Stages that are put elsewhere, and do not fit what else is asked for. */
export function checkStages(scenario: Scenario, engine: Values | null, problems: Problems): void {
  const { placement, compress, encrypt } = scenario;
  const off = (what: typeof compress | typeof encrypt, key: string): boolean =>
    what === "off" || (what as Readonly<Record<string, unknown>>)[key] === "off";
  const need = (stage: Movable, fits: boolean, what: string): void => {
    if (placeOf(placement, stage) !== "card" && !fits) problems.add(["placement", stage], what);
  };
  const whole = scenario.delta === "off";
  for (const stage of ["zero", "compress", "decompress"] as const)
    need(stage, whole, "cannot stand beside a delta engine of the card; write card, or delta: off");
  const uncoded = off(compress, "engine");
  need("compress", !uncoded, "compresses nothing with compress off; write card");
  need("decompress", !uncoded, "decodes nothing with compress off; write card");
  const unsealed = off(encrypt, "cipher");
  need("encrypt", !unsealed, "encrypts nothing with encrypt off; write card");
  need("decrypt", !unsealed, "decrypts nothing with encrypt off; write card");
  if (uncoded) return;
  const name = engine?.preset;
  need("compress", name === SOFTWARE_ENGINE, `is liblz4; write compress: { engine: ${SOFTWARE_ENGINE} }`);
  const format = engine?.word("format") ?? "lz4";
  need("decompress", format === "lz4", `decodes lz4 alone, and ${name} makes ${format}; write card`);
}

/** Whether a card has to take records of a format with decoders of its own. */
export function takesFormat(scenario: Scenario, destination: Values, format: string): boolean {
  if (placeOf(scenario.placement, "decompress") !== "card") return true;
  return (FORMATS[destination.word("decompressor.formats")] as readonly string[]).includes(format);
}
