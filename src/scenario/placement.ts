// SPDX-License-Identifier: Apache-2.0
/**
 * `placement`: a preset by name, or with stages of pages put elsewhere: `{ preset: huawei, compress:
 * card-core }`. What does not fit is refused where it stands.
 */
import * as z from "zod";
import { WORKERS_MAX } from "../../assembly/abi.ts";
import { field, supported } from "./fields.ts";
import { FORMATS, type Values } from "./fill.ts";
import { loadPlacement, type StageName } from "./presets.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import type { ResolvedScenario } from "./types.ts";
import { compresses, encrypts } from "./used.ts";

/** Those in which cards carry the pages; their stages may be put elsewhere. */
const CARDS = ["huawei", "goggin", "reuther", "tarasuk-levin", "wilson", "nelson"] as const;
const PRESETS = [...CARDS, "qemu"] as const;
/** Buffers of the destination's host: assumed, 256 KiB of pages. */
export const BUFFERS = 64;
/** What software compresses with. */
const SOFTWARE_ENGINE = "lz4-sw";

const place = (text: string, more: readonly string[] = []) =>
  field({ measure: "choice", values: ["card", "card-core", ...more], text });

export const placementSchema = z.union(
  [
    supported(PRESETS, "none", "which part runs each stage; all but qemu have pages carried by cards"),
    z.strictObject({
      preset: supported(CARDS, "none", "the placement that is changed", {
        qemu: "qemu has every stage on the servers; write placement: qemu",
      }).default("huawei"),
      zero: place("who looks for zero pages, at the source", ["host"]).default("card"),
      compress: place("who compresses, at the source", ["host", "host-engine"]).default("card"),
      encrypt: place("who seals pages, at the source", ["host", "host-engine"]).default("card"),
      decrypt: place("who opens pages, at the destination", ["host", "host-engine"]).default("card"),
      decompress: place("who decodes pages, at the destination", ["host", "host-engine"]).default("card"),
      workers: field({
        measure: "count",
        min: 1,
        max: WORKERS_MAX,
        text: "cores of the source's host that work at the stages put there",
      }).default(1),
      destinationWorkers: field({
        measure: "count",
        min: 1,
        max: WORKERS_MAX,
        text: "cores of the destination's host that work at the stages put there",
      }).default(1),
      buffers: field({
        measure: "count",
        min: 1,
        max: 256,
        text: "buffers of the destination's host, a record each, that its card may fill; default assumed",
      }).default(BUFFERS),
    }),
  ],
  { error: (issue) => nameProblem(issue as unknown as { input: unknown; errors?: unknown }) },
);

/** A word that is no placement: as `supported` says it. */
function nameProblem({ input }: { input: unknown }): string {
  const said = supported(PRESETS, "none", "").safeParse(input).error?.issues[0]?.message;
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
export function fillPlacement(placement: Written): ResolvedScenario["placement"] {
  const { name, stages } = loadPlacement(placementName(placement));
  if (typeof placement === "string") return { name, stages, workers: 1 };
  const moved = { ...stages };
  for (const stage of [...MOVABLE.source, ...MOVABLE.destination])
    moved[stage] = { ...stages[stage], at: placeOf(placement, stage) as "card" };
  return { name, stages: moved, workers: Number(placement.workers) };
}

const RATED = "is an engine of a given rate; write e.g. compress: { engine: qat-gen4 }";

const BESIDE_DELTA = "cannot stand beside a delta engine of the card; write card, or delta: off";

/** Stages on the host: the driver hands over what they have made. */
function checkHost(scenario: Scenario, uncoded: boolean, problems: Problems): void {
  const { placement, internal } = scenario;
  if (typeof placement === "string") return;
  const onHost = (stage: Movable): boolean => placeOf(placement, stage).startsWith("host");
  const [zero, compress] = [onHost("zero"), onHost("compress")];
  const add = (key: string, what: string): void => problems.add(["placement", key], what);
  if (!zero && !compress) {
    if (!onHost("encrypt") && Number(placement.workers) !== 1)
      add("workers", "have nothing to do; write zero: host, or remove it");
    return;
  }
  if (internal.pages !== "vsock")
    add(zero ? "zero" : "compress", "needs a driver that hands pages over; write internal: { pages: vsock }");
  if (compress && !zero) add("zero", "comes before compress, which the host does; write host");
  if (zero && !compress && !uncoded) add("zero", "leaves compress to the card; write compress: off, or host");
}

/** Workers that a host has no cores for. */
function checkWorkers(scenario: Scenario, host: Values, problems: Problems): void {
  const { placement } = scenario;
  const cores = host.whole("cpu.cores");
  if (typeof placement === "string" || cores === 0 || cores >= Number(placement.workers)) return;
  problems.add(["placement", "workers"], `are more than the source's host has cores; write at most ${cores}`);
}

/** Stages that are put elsewhere, and do not fit what else is asked for. */
export function checkStages(
  scenario: Scenario,
  engine: Values | null,
  host: Values,
  problems: Problems,
): void {
  const { placement } = scenario;
  const need = (stage: Movable, fits: boolean, what: string): void => {
    if (placeOf(placement, stage) !== "card" && !fits) problems.add(["placement", stage], what);
  };
  const whole = scenario.delta === "off";
  for (const stage of ["zero", "compress", "decompress"] as const) need(stage, whole, BESIDE_DELTA);
  for (const stage of ["encrypt", "decrypt"] as const)
    need(stage, whole || placeOf(placement, stage) === "card-core", BESIDE_DELTA);
  const uncoded = !compresses(scenario);
  checkHost(scenario, uncoded, problems);
  checkWorkers(scenario, host, problems);
  need("compress", !uncoded, "compresses nothing with compress off; write card");
  need("decompress", !uncoded, "decodes nothing with compress off; write card");
  const sealed = encrypts(scenario);
  need("encrypt", sealed, "encrypts nothing with encrypt off; write card");
  need("decrypt", sealed, "decrypts nothing with encrypt off; write card");
  if (uncoded) return;
  const name = engine?.preset;
  if (placeOf(placement, "compress") === "host-engine")
    need("compress", engine !== null && engine.word("algorithm") !== "lz4-hw", RATED);
  else
    need("compress", name === SOFTWARE_ENGINE, `is liblz4; write compress: { engine: ${SOFTWARE_ENGINE} }`);
  const format = engine?.word("format") ?? "lz4";
  const engines = placeOf(placement, "decompress") === "host-engine";
  need(
    "decompress",
    engines || format === "lz4",
    `decodes lz4 alone, and ${name} makes ${format}; write card`,
  );
}

/** Whether a card has to take records of a format with decoders of its own. */
export function takesFormat(scenario: Scenario, destination: Values, format: string): boolean {
  const at = placeOf(scenario.placement, "decompress");
  // device state that the source's card compresses is the destination's card's, wherever pages are decoded
  if (
    at === "card-core" ||
    (at === "host-engine" && placeOf(scenario.placement, "compress").startsWith("host"))
  )
    return true;
  return (FORMATS[destination.word("decompressor.formats")] as readonly string[]).includes(format);
}
