// SPDX-License-Identifier: Apache-2.0
/** Decryption that is put off until after the resume: its keys, and what does not fit them. */
import * as z from "zod";
import { field } from "./fields.ts";
import { ticksPerByte } from "./fill.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import type { ResolvedSide } from "./types.ts";
import type { ResolvedDecrypt, ResolvedDemand } from "./types-decrypt.ts";
import { parseQuantity, show } from "./units.ts";

/** Assumed: a page in 4 us leaves most of a card's engines to what is asked for. */
const RATE = "1 GB/s";

const rateField = field({
  measure: "rate",
  min: 1e6,
  max: 1e13,
  text: "plain bytes of pages that are decrypted unasked after the resume, or none: as fast as the card does",
});

const rate = z
  .custom<string | number>()
  .superRefine((input, context) => {
    const issue = input === "none" ? undefined : rateField.safeParse(input).error?.issues[0];
    if (issue !== undefined) context.addIssue({ code: "custom", message: `${issue.message}, or none` });
  })
  .meta({
    anyOf: [{ const: "none" }, z.toJSONSchema(rateField, { unrepresentable: "any" })],
    description: "plain bytes of pages that are decrypted unasked after the resume; none: no limit",
  });

const demand = z.strictObject({
  demand: z.literal(true, { error: "is true or not there; write true, or decrypt: eager" }),
  rate: rate.default(RATE),
  resumeSet: field({
    measure: "choice",
    values: ["hot", "none", "all"],
    text: "pages that are plain when the guest resumes; hot: those that came in more than one round",
  }).default("hot"),
});

/** `encrypt.decrypt`. */
export const decryptFields = {
  decrypt: z
    .union([z.literal("eager"), demand], {
      error: ({ input }) => `${show(input)} is not known here; write eager or { demand: true }`,
    })
    .default("eager"),
};

/** The keys of decryption on demand; null where it is eager, or there is none. */
function demandOf({ encrypt }: Scenario): z.output<typeof demand> | null {
  return encrypt === "off" || encrypt.decrypt === "eager" ? null : encrypt.decrypt;
}

/** Whether pages are decrypted after the resume. */
export function defers(scenario: Scenario): boolean {
  return demandOf(scenario) !== null;
}

/** The resolved key. */
export function fillDecrypt(scenario: Scenario): ResolvedDecrypt {
  const keys = demandOf(scenario);
  if (keys === null) return "eager";
  return {
    demand: true,
    ticksPerByte: keys.rate === "none" ? null : ticksPerByte(parseQuantity(keys.rate, "rate")),
    resumeSet: keys.resumeSet as ResolvedDemand["resumeSet"],
  };
}

/** Faults after which no page is begun again, spoilt or forgotten. */
const BORNE = ["cancel", "pcie-down"];

/** What does not go together with pages that are sealed when the guest resumes. */
export function checkDecrypt(scenario: Scenario, problems: Problems): void {
  if (!defers(scenario)) return;
  const { encrypt, delta, faults, guest, migration } = scenario;
  const alone = "is not supported yet with decrypt: demand";
  if (encrypt !== "off" && encrypt.cipher === "off")
    problems.add(["encrypt", "decrypt"], "decrypts nothing with cipher off; write eager");
  if (migration.algorithm !== "precopy") problems.add(["migration", "algorithm"], `${alone}; write precopy`);
  else if (migration.residual !== undefined && migration.residual !== "before-resume")
    problems.add(["migration", "residual"], `${alone}; write before-resume`);
  for (const key of ["pushAfter", "pushRate"] as const)
    if (migration.missing?.[key] !== undefined)
      problems.add(["migration", "missing", key], "is encrypt.decrypt.rate here; remove it", "key");
  if (delta !== "off") problems.add(["delta"], `${alone}: it needs the page before; write off`);
  if (guest.devices.length > 0) problems.add(["guest", "devices"], `${alone}; write []`);
  if (guest.storage !== undefined) problems.add(["guest", "storage"], `${alone}; remove it`, "key");
  if (migration.timeout !== "none" && migration.onTimeout === "force")
    problems.add(["migration", "timeout"], `with onTimeout: force ${alone}; write none`);
  if (migration.retries !== 0) problems.add(["migration", "retries"], `${alone}; write 0`);
  if (migration.silence !== undefined && migration.silence !== "none")
    problems.add(["migration", "silence"], "is long while pages are decrypted; write none");
  if (migration.onTagFailure !== "abort")
    problems.add(["migration", "onTagFailure"], `${alone}: a tag is looked at late; write abort`);
  for (const [index, { what }] of faults.entries())
    if (!BORNE.includes(what)) problems.add(["faults", String(index), "what"], `${alone}; write eager`);
}

/** The destination's card writes no completion records: those of reads and writes would share a port. */
export function checkDecryptCard(scenario: Scenario, { card }: ResolvedSide, problems: Problems): void {
  if (!defers(scenario) || card.dma.completionEvery === 0) return;
  problems.add(
    ["destination", "card", "dma", "completionEvery"],
    "is not supported yet with decrypt: demand; write 0",
  );
}
