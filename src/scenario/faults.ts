// SPDX-License-Identifier: Apache-2.0
/** What breaks in a migration, and when. */
import * as z from "zod";
import { spec, ticks, word } from "./around.ts";
import { placeOf } from "./placement.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import type { ResolvedScenario } from "./types.ts";
import type { ResolvedFault } from "./types-faults.ts";
import { compresses, encrypts } from "./used.ts";

const SIDES = ["source", "destination"] as const;

/** A key of a fault: it must be there, it may be, or it has no meaning. */
type Rule = "needed" | "allowed" | "none";

/** Keys that say more of a fault. */
const MORE = ["side", "for", "unit", "engines", "ram", "records"] as const;

/** What may break, and the keys that say more; a key that is not named has no meaning. */
interface Kind extends Partial<Record<(typeof MORE)[number], Rule>> {
  /** Frames are lost, which somebody must send again. */
  frames?: true;
}

const KINDS: Readonly<Record<ResolvedFault["what"], Kind>> = {
  "link-down": { for: "allowed", frames: true },
  "pcie-down": { side: "needed", for: "needed" },
  cancel: {},
  corrupt: { records: "allowed" },
  reset: { side: "needed", frames: true },
  "engine-fails": { unit: "needed", engines: "allowed" },
  "firmware-restart": { side: "needed", for: "needed", ram: "allowed" },
  "poll-stalls": { for: "needed" },
};

const RIGHT: Readonly<Record<string, string>> = {
  side: "source or destination",
  for: "how long, such as 200 ms",
  unit: "compressor, seal, open or decompressor",
};

const UNITS = ["compressor", "seal", "open", "decompressor"] as const;

/** What breaks. */
export const faultSchema = z.strictObject({
  at: spec({ measure: "time", min: 0, max: 9000, text: "when it breaks" }),
  what: word(
    Object.keys(KINDS) as ResolvedFault["what"][],
    "the external link, a card's PCIe link, the will to go on, records on the link, a card, " +
      "its engines, its control processor, the examination of device records by the clock",
  ),
  for: spec({ measure: "time", min: 0, max: 3600, text: "how long" }).optional(),
  side: word(SIDES, "whose").optional(),
  unit: word(UNITS, "whose engines: the source's encoders or ciphers, the destination's").optional(),
  engines: spec({ measure: "count", min: 1, max: 16, text: "engines that fail: the first" }).optional(),
  ram: word(["kept", "lost"], "what a restart does to what the firmware knows").optional(),
  records: spec({
    measure: "count",
    min: 1,
    max: 64,
    text: "page records that are spoilt in a row",
  }).optional(),
});

type Fault = z.output<typeof faultSchema>;

/** What only some faults have. */
function fillMore({ what, unit, engines, ram, records }: Fault): Partial<ResolvedFault> {
  if (what === "engine-fails" && unit !== undefined) return { unit, engines: Number(engines ?? 1) };
  if (what === "firmware-restart") return { ram: ram ?? "kept" };
  return records === undefined ? {} : { records: Number(records) };
}

/** The resolved faults, in order of time. */
export function fillFaults(faults: readonly Fault[]): ResolvedFault[] {
  return faults
    .map((fault) => ({
      atTicks: ticks(fault.at),
      what: fault.what,
      forTicks: fault.for === undefined ? null : ticks(fault.for),
      side: fault.side ?? null,
      ...fillMore(fault),
    }))
    .toSorted((a, b) => Number(BigInt(a.atTicks) - BigInt(b.atTicks)));
}

/** Whatever breaks, who notices it, and what is done about it. */
export function checkBreaks(
  { faults, migration, internal, tracker }: Scenario,
  { recovers, sealed }: { recovers: boolean; sealed: boolean },
  problems: Problems,
): void {
  checkFaults(faults, { recovers, sealed }, problems);
  checkAskAgain(migration, { sealed, pulled: internal.pages === "dma" }, problems);
  checkSilence(migration.silence, faults, recovers, problems);
  const polls = tracker.devices === "wilson-ring" && tracker.records?.poll !== "none";
  for (const [index, { what }] of faults.entries())
    if (what === "poll-stalls" && !polls)
      problems.add(
        ["faults", String(index), "what"],
        "needs a ring that is examined by the clock; write tracker.devices: wilson-ring, records.poll: 50 us",
      );
}

function checkKeys(fault: Fault, index: number, problems: Problems): void {
  for (const key of MORE) {
    const rule = KINDS[fault.what][key] ?? "none";
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
function checkSilence(
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

/** Engines that a migration uses can fail, and as many as the card has. */
export function checkFailing(
  scenario: Scenario,
  { source, destination }: ResolvedScenario["sides"],
  problems: Problems,
): void {
  const { faults, placement } = scenario;
  const onCard = (stage: "compress" | "encrypt" | "decrypt" | "decompress"): boolean =>
    (stage.endsWith("compress") ? compresses(scenario) : encrypts(scenario)) &&
    placeOf(placement, stage) === "card";
  const engines = {
    compressor: onCard("compress") ? source.card.compressor.engines : 0,
    seal: onCard("encrypt") ? source.card.crypto.engines : 0,
    open: onCard("decrypt") ? destination.card.crypto.engines : 0,
    decompressor: onCard("decompress") ? destination.card.decompressor.engines : 0,
  };
  for (const [index, fault] of faults.entries()) {
    if (fault.what !== "engine-fails" || fault.unit === undefined) continue;
    const there = engines[fault.unit];
    const path = ["faults", String(index)];
    // the card's ciphers do device state then, and ends of rounds
    const stage = fault.unit === "seal" ? "encrypt" : fault.unit === "open" ? "decrypt" : null;
    const place = stage === null || !encrypts(scenario) ? "card" : placeOf(placement, stage);
    if (there === 0 && place.startsWith("host"))
      problems.add([...path, "unit"], `is not supported yet with ${stage}: ${place}; write ${stage}: card`);
    else if (there === 0) problems.add([...path, "unit"], "is not used here; remove the fault");
    else if (Number(fault.engines ?? 1) > there)
      problems.add([...path, "engines"], `is more than the card has; write 1 to ${there}`);
  }
}

/** Keys of `migration` that say what a tag that does not fit does. */
export const tagFailureFields = {
  onTagFailure: word(["abort", "ask-again"], "what a record that does not authenticate does").default(
    "abort",
  ),
  tagRetries: spec({
    measure: "count",
    min: 1,
    max: 64,
    text: "records that are asked for again in a migration; default: 3, assumed",
  }).optional(),
};

/** Assumed. */
const TAG_RETRIES = 3;

interface TagFailure {
  onTagFailure: "abort" | "ask-again";
  tagRetries?: string | number | undefined;
}

/** The resolved key: absent where nothing is asked for. */
export function fillAskAgain({ onTagFailure, tagRetries }: TagFailure): { askAgain?: number } {
  return onTagFailure === "abort" ? {} : { askAgain: Number(tagRetries ?? TAG_RETRIES) };
}

/** Asking again needs tags, and a card that reads pages itself. */
function checkAskAgain(
  { onTagFailure, tagRetries }: TagFailure,
  { sealed, pulled }: { sealed: boolean; pulled: boolean },
  problems: Problems,
): void {
  if (onTagFailure === "abort") {
    if (tagRetries !== undefined)
      problems.add(["migration", "tagRetries"], "has no effect; write onTagFailure: ask-again too", "key");
    return;
  }
  const path = ["migration", "onTagFailure"];
  if (!sealed) problems.add(path, "needs a tag; write encrypt: {} too");
  if (!pulled) problems.add(path, "needs a card that reads pages itself; write internal.pages: dma");
}

/** One fault of a kind and side; a lost frame needs somebody who sends it again. */
function checkFaults(
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
    const name = `${fault.what} ${fault.side ?? fault.unit ?? ""}`;
    if (seen.has(name))
      problems.add(
        ["faults", String(index)],
        `${name.trim()} is there already; one of a kind can be simulated`,
      );
    seen.add(name);
  }
}
