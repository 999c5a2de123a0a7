// SPDX-License-Identifier: Apache-2.0
// A card that scans: with few credits for AtomicOps a busy guest loses nothing, and each word is taken once;
// what a flush costs its host and its vCPUs.
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

const PER_MS = 2000;
/** Protecting pages, words, suspension and messages: what the front-end works beside flushes, in ms. */
const BESIDE = 0.4;

/** Its front-end in ms, and what its vCPUs were held up, from how much they have written. */
function heldUp(flush: string, migration: object): { result: Result; busy: number; held: number } {
  const host = { preset: "snb-e5-2630", tracker: { tlbFlush: flush } };
  const result = scanOf({ words: 5 }, { source: { host, card: "dpu-ref" }, migration });
  const { setupNs, precopyNs } = result.migration.phases;
  const ran = (setupNs! + precopyNs!) / 1e6;
  const busy = stat(result, "source.host.busyNs") / 1e6;
  return { result, busy, held: ran - stat(result, "source.guest.writes") / PER_MS };
}

/** A flush takes `tlbFlush`, of the front-end and of all vCPUs; one more when tracking starts. */
export function checkFlushTimes(): void {
  for (const each of [0.01, 1]) {
    const migration = { maxRounds: 4, downtimeLimit: "1 ns", onTimeout: "force" };
    const { result, busy, held } = heldUp(`${each * 1000} us`, migration);
    claim("a card that scans: completes", isGood(result), result.migration.status, "completed");
    const flushes = stat(result, "source.card.scan.flushes");
    claim("a card that scans: flushes often", flushes >= 21, flushes, "21");
    const all = (flushes + 1) * each;
    claim("a card that scans: time of a flush", busy >= all && busy < all + BESIDE, busy, `${all} ms`);
    const lost = Math.abs(held - all) < BESIDE;
    claim("a card that scans: time that the guest lost", lost, held, `${all} ms`);
  }
}

/**
 * At whatever instant of a flush a stop is forced, vCPUs are held up until then and by the flush that begins
 * anew, and run before it and for the 100 us of the suspension: for equally long.
 */
export function checkDroppedFlush(): void {
  const ran = [1.3, 1.6, 1.9, 2.05].map((after) => {
    const { result, held } = heldUp("1 ms", { timeout: `${after} ms`, onTimeout: "force", maxRounds: 9 });
    claim("a forced stop in a flush: completes", isGood(result), result.migration.status, "completed");
    const { setupNs, precopyNs } = result.migration.phases;
    return (setupNs! + precopyNs!) / 1e6 - held;
  });
  const [least, most] = [Math.min(...ran), Math.max(...ran)];
  const same = least > 0.1 && most - least < 0.005;
  claim("a forced stop in a flush: time that the guest ran", same, ran.join(), "equal, above 0.1 ms");
}
