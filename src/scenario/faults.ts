// SPDX-License-Identifier: Apache-2.0
/** What breaks in a migration, and when. */
import * as z from "zod";
import { spec, ticks, word } from "./around.ts";
import type { Problems } from "./problems.ts";
import type { ResolvedFault } from "./types.ts";

const SIDES = ["source", "destination"] as const;

/** A key of a fault: it must be there, it may be, or it has no meaning. */
type Rule = "needed" | "allowed" | "none";

/** What may break, and the keys that say more. `frames`: frames are lost, which somebody must send again. */
const KINDS: Readonly<Record<ResolvedFault["what"], { side: Rule; for: Rule; frames?: true }>> = {
  "link-down": { side: "none", for: "allowed", frames: true },
  "pcie-down": { side: "needed", for: "needed" },
  cancel: { side: "none", for: "none" },
  corrupt: { side: "none", for: "none" },
  reset: { side: "needed", for: "none", frames: true },
};

const RIGHT = { side: "source or destination", for: "how long, such as 200 ms" } as const;

/** What breaks. */
export const faultSchema = z.strictObject({
  at: spec({ measure: "time", min: 0, max: 9000, text: "when it breaks" }),
  what: word(
    Object.keys(KINDS) as ResolvedFault["what"][],
    "the external link, a card's PCIe link, the will to go on, a record on the link, the destination's card",
  ),
  for: spec({ measure: "time", min: 0, max: 3600, text: "how long" }).optional(),
  side: word(SIDES, "whose").optional(),
});

type Fault = z.output<typeof faultSchema>;

/** The resolved faults, in order of time. */
export function fillFaults(faults: readonly Fault[]): ResolvedFault[] {
  return faults
    .map(({ at, what, side, for: duration }) => ({
      atTicks: ticks(at),
      what,
      forTicks: duration === undefined ? null : ticks(duration),
      side: side ?? null,
    }))
    .toSorted((a, b) => Number(BigInt(a.atTicks) - BigInt(b.atTicks)));
}

function checkKeys(fault: Fault, index: number, problems: Problems): void {
  for (const key of ["side", "for"] as const) {
    const rule = KINDS[fault.what][key];
    const path = ["faults", String(index), key];
    if (rule === "needed" && fault[key] === undefined)
      problems.add(path, `is missing; write ${RIGHT[key]}`, "key");
    if (rule === "none" && fault[key] !== undefined)
      problems.add(path, `has no meaning for ${fault.what}; remove it`, "key");
  }
}

/** Whether a fault has no end. */
const endless = (faults: readonly Fault[]): boolean =>
  faults.some(
    ({ what, for: duration }) => what === "reset" || (what === "link-down" && duration === undefined),
  );

/** Assumed: how long a firmware listens for its peer when something has broken for good. */
const SILENCE = "30 s";

/** The longest silence in ticks, null when any is borne. */
export function fillSilence(silence: string | number | undefined, faults: readonly Fault[]): string | null {
  const written = silence ?? (endless(faults) ? SILENCE : "none");
  return written === "none" ? null : ticks(written);
}

/** Silence is told by frames that may be lost; where something breaks for good somebody has to notice. */
export function checkSilence(
  silence: string | number | undefined,
  faults: readonly Fault[],
  recovers: boolean,
  problems: Problems,
): void {
  const path = ["migration", "silence"];
  if (silence === "none" && endless(faults))
    problems.add(path, "would never end where a fault has no end; write a time such as 30 s");
  if (silence !== undefined && silence !== "none" && !recovers)
    problems.add(path, "needs frames that may be lost; write link.congestion: cubic too");
}

/** One fault of a kind and side; a lost frame needs somebody who sends it again. */
export function checkFaults(
  faults: readonly Fault[],
  { recovers, sealed }: { recovers: boolean; sealed: boolean },
  problems: Problems,
): void {
  const seen = new Set<string>();
  for (const [index, fault] of faults.entries()) {
    checkKeys(fault, index, problems);
    if (KINDS[fault.what].frames === true && !recovers)
      problems.add(
        ["faults", String(index), "what"],
        "loses frames; write link.congestion: cubic too, or link.transport: udp",
      );
    if (fault.what === "reset" && fault.side === "source")
      problems.add(["faults", String(index), "side"], "source is not supported yet; write destination");
    if (fault.what === "corrupt" && !sealed)
      problems.add(["faults", String(index), "what"], "is found by a cipher alone; write encrypt: {} too");
    const name = `${fault.what} ${fault.side ?? ""}`;
    if (seen.has(name))
      problems.add(
        ["faults", String(index)],
        `${name.trim()} is there already; one of a kind can be simulated`,
      );
    seen.add(name);
  }
}
