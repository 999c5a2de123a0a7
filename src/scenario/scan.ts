// SPDX-License-Identifier: Apache-2.0
/** `internal.addresses: card-scans`: the card determines dirty pages itself. Its keys, what does not fit. */
import * as z from "zod";
import { SCAN_WORDS_MAX } from "../../assembly/abi.ts";
import { keptTags } from "../params.ts";
import { field } from "./fields.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import type { ResolvedSide } from "./types.ts";
import type { ResolvedScan } from "./types-scan.ts";

/** Tags of the scanner at most: its answers have places of their own. */
const TAGS_MAX = 64;

const choice = (values: readonly string[], text: string) => field({ measure: "choice", values, text });
const count = (max: number, text: string) => field({ measure: "count", min: 1, max, text });

/** `internal.scan`. */
export const scanSchema = z.strictObject({
  clear: choice(
    ["atomic", "write-zero"],
    "a word is swapped with 0, or (unsafe, to see it found) read and a zero written",
  ).default("atomic"),
  flush: choice(
    ["batch", "none"],
    "TLBs are flushed before the pages of taken words are read, or (unsafe) not",
  ).default("batch"),
  words: count(SCAN_WORDS_MAX, "words that are taken for one flush at most").default(512),
  tags: count(TAGS_MAX, "PCIe tags kept for the scanner").default(16),
});

type Internal = Scenario["internal"];

/** The resolved part of `internal`. */
export function fillScan(internal: Internal): { scan?: ResolvedScan } {
  if (internal.addresses !== "card-scans") return {};
  const { clear, flush, words, tags } = internal.scan ?? scanSchema.parse({});
  const ways = { clear: clear as ResolvedScan["clear"], flush: flush as ResolvedScan["flush"] };
  return { scan: { ...ways, words: Number(words), tags: Number(tags) } };
}

/** What does not go together with a card that scans. */
export function checkScan(scenario: Scenario, problems: Problems): void {
  const { internal, tracker, guest, migration } = scenario;
  if (internal.addresses !== "card-scans") {
    if (internal.scan !== undefined)
      problems.add(["internal", "scan"], "has no effect here; write addresses: card-scans", "key");
    return;
  }
  const need = (fits: boolean, path: readonly string[], what: string): void => {
    if (!fits) problems.add(path, what);
  };
  const alone = "is not supported yet with addresses: card-scans";
  need(
    tracker.kind === "bitmap",
    ["tracker", "kind"],
    "keeps no bitmap that a card could scan; write bitmap",
  );
  const early = tracker.order === "clear-before-read";
  need(early, ["tracker", "order"], "is of marks that the front-end clears; write clear-before-read");
  need(internal.pages === "dma", ["internal", "pages"], "vsock needs addresses of the front-end; write dma");
  need(guest.devices.length === 0, ["guest", "devices"], `${alone}; write []`);
  need(guest.storage === undefined, ["guest", "storage"], `${alone}; remove it`);
  const rounds = migration.algorithm === "precopy";
  need(rounds, ["migration", "algorithm"], `${alone}; write precopy`);
  const whole = (migration.residual ?? "before-resume") === "before-resume";
  need(whole, ["migration", "residual"], `${alone}; write before-resume`);
}

/** The scanner's tags are those that all others and half of the page reads leave. */
export function checkScanTags(scenario: Scenario, side: ResolvedSide, problems: Problems): void {
  const { tenant, internal } = scenario;
  const scan = fillScan(internal).scan;
  if (scan === undefined) return;
  const { vsock, descriptors } = keptTags(side);
  const asked = internal.ats === "on" ? side.card.ats.requests : 0;
  const others = tenant === "off" || tenant.side === "destination" ? 0 : Number(tenant.tags);
  const most = Math.floor((side.pcie.tags - vsock - descriptors - asked - others) / 2);
  if (scan.tags <= most) return;
  const what = `are more than the source card can spare; write at most ${most}`;
  problems.add(["internal", "scan", "tags"], internal.scan === undefined ? `${what} in internal.scan` : what);
}
