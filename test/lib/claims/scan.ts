// SPDX-License-Identifier: Apache-2.0
// A card that scans: with few credits for AtomicOps a busy guest loses nothing, and each word is taken once.
import { isGood, type Result } from "../../../src/index.ts";
import { migrate, stat } from "../migrate.ts";
import { claim, same } from "./expect.ts";

const BUSY = {
  guest: {
    generate: { memory: "8 MiB", rate: "2000000 /s", workingSet: "8 MiB", mix: { random: 100 } },
    deviceState: "4 KiB",
  },
  source: { host: { preset: "snb-e5-2630", pcie: { npdCredits: 1 } }, card: "dpu-ref" },
  destination: { host: "snb-e5-2630", card: "dpu-ref" },
  tracker: { kind: "bitmap" },
  migration: { maxRounds: 12, downtimeLimit: "1 us", onTimeout: "force" },
  content: "sized",
};

/** Such a guest with a card that scans. */
export const scanOf = (scan: object, more: object = {}): Result =>
  migrate({ ...BUSY, internal: { addresses: "card-scans", scan }, ...more });

/** Nothing is lost, and a pass reads 32 words, of which a round takes those that have a mark. */
export function checkScans(): void {
  const result = scanOf({ words: 5, tags: 3 });
  const broken = result.check.invariants.find(({ held }) => !held);
  if (broken !== undefined) throw new Error(`invariant ${broken.name}: a card that scans`);
  claim("a card that scans: good", isGood(result), result.migration.status, "completed");
  const rounds = result.migration.rounds.length;
  claim("a card that scans: rounds", rounds > 3, rounds, "more than 3");
  // the last round is not counted behind
  same("a card that scans: words read", stat(result, "source.card.scan.wordsRead"), 32 * (2 * rounds - 1));
  same("a card that scans: words taken", stat(result, "source.card.scan.wordsTaken"), 32 * rounds);
  // the last round needs no flush; 32 words are 7 batches of 5
  same("a card that scans: flushes", stat(result, "source.card.scan.flushes"), 7 * (rounds - 1));
}
