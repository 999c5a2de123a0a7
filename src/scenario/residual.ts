// SPDX-License-Identifier: Apache-2.0
/** Post-copy: the keys that say when the rest of memory moves, and what does not fit them. */
import * as z from "zod";
import { AHEAD_MAX } from "../../assembly/abi.ts";
import { defers } from "./decrypt.ts";
import { field } from "./fields.ts";
import { ticksPerByte } from "./fill.ts";
import { placeOf } from "./placement.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import type { Algorithm, Residual, ResolvedMissing } from "./types-residual.ts";
import { parseQuantity, ticksOf } from "./units.ts";

/** Assumed: a few times the exit and entry of a vCPU, for a fault that a process handles. */
const FAULT = "5 us";
/** Assumed: how long pages are left to be asked for before they are sent unasked. */
const PUSH_AFTER = "100 ms";
/** Assumed: keeps a 100 Gbit/s link busy through a card that takes 20 us for a page. */
const AHEAD = 64;

const time = (max: number, text: string) => field({ measure: "time", min: 1e-9, max, text });

/** `migration.missing`. */
export const missingSchema = z.strictObject({
  fault: time(1e-3, "from a touch of a missing page to the front-end").default(FAULT),
  map: time(1e-3, "to map a page and let its vCPU go on").default(FAULT),
  pushAfter: time(
    3600,
    "of on-demand: from the resume until pages are sent unasked; default 100 ms",
  ).optional(),
  pushRate: field({
    measure: "rate",
    min: 1e6,
    max: 1e12,
    text: "memory that is sent unasked; default: as fast as the cards do",
  }).optional(),
  ahead: field({
    measure: "count",
    min: 2,
    max: AHEAD_MAX,
    text: "pages sent, or decrypted, unasked that a card has in hand at most",
  }).default(AHEAD),
});

/** `migration.algorithm` and `.residual`. */
export const algorithmSchema = field({
  measure: "choice",
  values: ["precopy", "postcopy", "hybrid"],
  text: "rounds before the guest stops: as many as it takes, none, one",
}).default("precopy");
export const residualSchema = field({
  measure: "choice",
  values: ["before-resume", "after-resume", "on-demand"],
  text: "when the rest moves; default: before-resume with precopy, else after-resume",
}).optional();

type Migration = Scenario["migration"];

/** When the rest moves. */
function residualOf(migration: Migration): Residual {
  const usual = migration.algorithm === "precopy" ? "before-resume" : "after-resume";
  return (migration.residual ?? usual) as Residual;
}

/** The resolved part of `migration`. `sealed`: pages may be when the guest resumes. */
export function fillResidual(
  migration: Migration,
  sealed: boolean,
): {
  algorithm: Algorithm;
  residual: Residual;
  thresholdPages?: number;
  missing?: ResolvedMissing;
} {
  const residual = residualOf(migration);
  const algorithm = migration.algorithm as Algorithm;
  const threshold = migration.threshold === "none" ? {} : { thresholdPages: Number(migration.threshold) };
  if (residual === "before-resume" && !sealed) return { algorithm, residual, ...threshold };
  const { fault, map, pushAfter, pushRate, ahead } = migration.missing ?? missingSchema.parse({});
  const ticks = (text: unknown): bigint => ticksOf(parseQuantity(text, "time"));
  const after = residual === "on-demand" ? ticks(pushAfter ?? PUSH_AFTER) : 0n;
  const missing = {
    faultTicks: Number(ticks(fault)),
    mapTicks: Number(ticks(map)),
    pushAfterTicks: String(after),
    pushTicksPerByte: pushRate === undefined ? null : ticksPerByte(parseQuantity(pushRate, "rate")),
    ahead: Number(ahead),
  };
  return { algorithm, residual, ...threshold, missing };
}

/** Keys of the stop rule and of the tracker that an algorithm has no use for. */
function checkRounds({ migration, tracker }: Scenario, usual: Migration, problems: Problems): void {
  const { algorithm } = migration;
  const idle = (key: "maxRounds" | "downtimeLimit" | "threshold", why: string): void => {
    if (String(migration[key]) === String(usual[key])) return;
    problems.add(["migration", key], `has no effect ${why}; remove it`, "key");
  };
  if (migration.threshold !== "none" && algorithm === "precopy") idle("downtimeLimit", "beside a threshold");
  if (algorithm === "precopy") return;
  for (const key of ["maxRounds", "downtimeLimit", "threshold"] as const)
    idle(key, `with algorithm: ${algorithm}`);
  if (algorithm !== "postcopy") return;
  const inert = { kind: "write-protect", start: "resident", order: "clear-before-read", group: 1 } as const;
  for (const [key, value] of Object.entries(inert))
    if (tracker[key as keyof typeof inert] !== value)
      problems.add(["tracker", key], "has no effect with algorithm: postcopy; remove it", "key");
}

/** Parts of a run that know of one guest only, and of no page that moves after its resume. */
function checkBeside(scenario: Scenario, residual: Residual, problems: Problems): void {
  const { delta, guest, migration, faults, placement } = scenario;
  const alone = `is not supported yet with residual: ${residual}`;
  for (const stage of ["zero", "compress", "encrypt", "decrypt", "decompress"] as const)
    if (placeOf(placement, stage) !== "card") problems.add(["placement", stage], `${alone}; write card`);
  if (delta !== "off") problems.add(["delta"], `${alone}; write off`);
  if (guest.devices.length > 0) problems.add(["guest", "devices"], `${alone}; write []`);
  if (guest.storage !== undefined) problems.add(["guest", "storage"], `${alone}; remove it`, "key");
  if (migration.onTagFailure !== "abort")
    problems.add(["migration", "onTagFailure"], `${alone}; write abort`);
  for (const [index, { what }] of faults.entries())
    if (what === "engine-fails" || what === "firmware-restart")
      problems.add(["faults", String(index), "what"], `${alone}; write before-resume`);
}

/** What does not go together with pages that move after the resume. */
export function checkResidual(scenario: Scenario, usual: Migration, problems: Problems): void {
  const { migration, internal } = scenario;
  const residual = residualOf(migration);
  const add = (key: string, what: string): void => problems.add(["migration", key], what);
  checkRounds(scenario, usual, problems);
  if (residual === "before-resume") {
    if (migration.algorithm !== "precopy")
      add(
        "residual",
        `is of algorithm: precopy; with ${migration.algorithm} write after-resume or on-demand`,
      );
    if (migration.missing !== undefined && !defers(scenario))
      problems.add(["migration", "missing"], "has no effect with residual: before-resume; remove it", "key");
    return;
  }
  if (internal.pages === "vsock")
    problems.add(["internal", "pages"], "vsock needs residual: before-resume; write dma");
  checkBeside(scenario, residual, problems);
  if (migration.timeout !== "none" && migration.onTimeout === "force")
    add("timeout", `with onTimeout: force is not supported yet with residual: ${residual}; write none`);
  if (migration.retries !== 0)
    add("retries", "has no guest to try again with after the resume; write 0, or residual: before-resume");
  if (residual === "after-resume" && migration.missing?.pushAfter !== undefined)
    problems.add(["migration", "missing", "pushAfter"], "is of residual: on-demand; remove it", "key");
  const after = migration.missing?.pushAfter ?? (residual === "on-demand" ? PUSH_AFTER : 0);
  const { silence } = migration;
  const quiet = silence === undefined || silence === "none" ? null : ticksOf(parseQuantity(silence, "time"));
  if (quiet !== null && after !== 0 && quiet <= ticksOf(parseQuantity(after, "time")))
    add("silence", "is no longer than missing.pushAfter, in which nothing need be heard; write more");
}
