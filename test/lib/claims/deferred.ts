// SPDX-License-Identifier: Apache-2.0
// Decryption that is put off: what is so of every run.
import { type Result, simulate } from "../../../src/index.ts";
import { generated, inputOf, stat } from "../migrate.ts";
import { claim, same } from "./expect.ts";

/** One round, and the stop. */
const migration = { maxRounds: 1, onTimeout: "force", downtimeLimit: "1 ns" };
const GUEST = { ...generated(3000, 300_000, { zero: 10, text: 50, random: 40 }), vcpus: 4 };

/** A run that completes with every invariant whole. */
function whole(what: string, decrypt: object): Result {
  const result = simulate(inputOf({ guest: GUEST, content: "full", migration, encrypt: { decrypt } }));
  const broken = result.check.invariants.find(({ held }) => !held);
  if (broken !== undefined) throw new Error(`invariant ${broken.name}: ${what}`);
  same(`deferred: ${what}`, result.migration.status, "completed");
  same(`pages different: ${what}`, result.check.pagesDifferent, 0);
  return result;
}

/** Every page ends plain and equal, whatever was plain at the resume. */
export function checkSealed(): void {
  for (const resumeSet of ["none", "hot", "all"]) {
    const result = whole(resumeSet, { demand: true, rate: "2 GB/s", resumeSet });
    const found = result.migration;
    const { resumeSetPages, sealedAtResume } = found.decryption!;
    claim(`deferred: pages, ${resumeSet}`, resumeSetPages + sealedAtResume > 2000, sealedAtResume, "all");
    // every page comes in the first round: what comes in the second does so again
    const twice = found.rounds.at(-1)!.normalPages;
    claim("deferred: pages that came twice", twice > 10, twice, "more than 10");
    // a sealed page is written as its record came, once more when it is plain; a zero page in its place whole
    const pages = stat(result, "destination.card.decrypt.pages") + found.rounds.at(-1)!.zeroPages;
    const others = stat(result, "destination.vsock.bytes") + stat(result, "source.link.deviceBytes");
    const most = 4096 * pages + stat(result, "source.link.recordBytes.pages") + others;
    const written = stat(result, "destination.pcie.up.dataBytes");
    claim(`deferred: bytes written, ${resumeSet}`, written <= most, written, `at most ${most}`);
    if (resumeSet === "hot") same("deferred: pages of the hot set", resumeSetPages, twice);
  }
}
