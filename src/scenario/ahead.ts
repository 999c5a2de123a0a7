// SPDX-License-Identifier: Apache-2.0
/** Encryption before the migration is asked for: its keys, and what does not fit them. */
import { field, supported } from "./fields.ts";
import { ticksPerByte } from "./fill.ts";
import { placeOf } from "./placement.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import type { Path } from "./source.ts";
import type { ResolvedAhead } from "./types-ahead.ts";
import { compare, parseQuantity, show, ticksOf } from "./units.ts";

const AHEAD_MAX_S = 9000;

/** `encrypt.when` and what goes with it. */
export const aheadFields = {
  when: supported(["inline", "before-request"], "none", "when the source encrypts").default("inline"),
  ahead: field({
    measure: "time",
    min: 1e-9,
    max: AHEAD_MAX_S,
    text: "how long before the request pages are begun to be encrypted; default: from the start of the guest",
  }).optional(),
  aheadRate: field({
    measure: "rate",
    min: 1e6,
    max: 1e13,
    text: "plain bytes of pages that are encrypted before the request; default: as fast as the card does",
  }).optional(),
};

type Encrypt = Exclude<Scenario["encrypt"], "off">;

/** The section where pages are encrypted before the request; null elsewhere. */
function aheadOf({ encrypt }: Scenario): Encrypt | null {
  return encrypt === "off" || encrypt.when !== "before-request" ? null : encrypt;
}

/** The resolved part of `encrypt`. */
export function fillAhead(scenario: Scenario): { ahead?: ResolvedAhead } {
  const encrypt = aheadOf(scenario);
  if (encrypt === null) return {};
  const start = ticksOf(parseQuantity(scenario.migration.startAt, "time"));
  const { ahead, aheadRate } = encrypt;
  const from = ahead === undefined ? 0n : start - ticksOf(parseQuantity(ahead, "time"));
  const rate = aheadRate === undefined ? null : ticksPerByte(parseQuantity(aheadRate, "rate"));
  return { ahead: { fromTicks: String(from), ticksPerByte: rate } };
}

/** Keys that count with `before-request` alone, and the time that there is before the request. */
function checkTimes(scenario: Scenario, problems: Problems): void {
  const { encrypt, migration } = scenario;
  if (encrypt === "off") return;
  if (encrypt.when !== "before-request") {
    for (const key of ["ahead", "aheadRate"] as const)
      if (encrypt[key] !== undefined)
        problems.add(["encrypt", key], "has no effect here; write when: before-request too", "key");
    return;
  }
  if (encrypt.cipher === "off")
    problems.add(["encrypt", "when"], "encrypts nothing with cipher off; write inline");
  const start = parseQuantity(migration.startAt, "time");
  if (start.num === 0n) {
    problems.add(["encrypt", "when"], "is before migration.startAt, and nothing is before 0 s; write later");
    return;
  }
  const longer = encrypt.ahead !== undefined && compare(parseQuantity(encrypt.ahead, "time"), start) > 0;
  if (longer)
    problems.add(
      ["encrypt", "ahead"],
      `begins before the guest does; write ${show(migration.startAt)} at most`,
    );
}

/** What does not go together with records that are made before the request. */
export function checkAhead(scenario: Scenario, problems: Problems): void {
  checkTimes(scenario, problems);
  if (aheadOf(scenario) === null) return;
  const { compress, delta, faults, guest, internal, migration, tracker } = scenario;
  const need = (fits: boolean, path: Path, right: string): void => {
    if (!fits) problems.add(path, `is not supported yet with when: before-request; ${right}`);
  };
  need(scenario.guests === undefined, ["guests"], "write guest");
  need(guest.devices.length === 0, ["guest", "devices"], "write []");
  need(guest.storage === undefined, ["guest", "storage"], "remove it");
  for (const stage of ["zero", "compress", "encrypt", "decrypt", "decompress"] as const)
    need(placeOf(scenario.placement, stage) === "card", ["placement", stage], "write card");
  need(internal.pages === "dma", ["internal", "pages"], "write dma");
  need(internal.addresses !== "card-scans", ["internal", "addresses"], "write bitmap");
  need(delta === "off", ["delta"], "write off");
  const always = compress === "off" || compress.choose === "always";
  need(always, ["compress", "choose"], "write always");
  need(tracker.group === 1, ["tracker", "group"], "write 1");
  need(tracker.order === "clear-before-read", ["tracker", "order"], "write clear-before-read");
  need(migration.algorithm === "precopy", ["migration", "algorithm"], "write precopy");
  const { residual = "before-resume" } = migration;
  need(residual === "before-resume", ["migration", "residual"], "write before-resume");
  need(migration.timeout === "none", ["migration", "timeout"], "write none");
  need(migration.retries === 0, ["migration", "retries"], "write 0");
  need(migration.onTagFailure === "abort", ["migration", "onTagFailure"], "write abort");
  need(faults.length === 0, ["faults"], "write []");
}
