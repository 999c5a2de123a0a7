// SPDX-License-Identifier: Apache-2.0
// Pages that move after the resume: what is so of every run, and what a control without it shows.
import { type Result, simulate } from "../../../src/index.ts";
import { generated, inputOf, stat } from "../migrate.ts";
import { claim, same } from "./expect.ts";

const GUEST = { ...generated(3000, 300_000, { zero: 10, text: 50, random: 40 }), vcpus: 4 };

/** A run that completes with every invariant whole. */
function whole(what: string, scenario: object): Result {
  const result = simulate(inputOf(scenario));
  const broken = result.check.invariants.find(({ held }) => !held);
  if (broken !== undefined) throw new Error(`invariant ${broken.name}: ${what}`);
  same(`residual: ${what}`, result.migration.status, "completed");
  same(`pages different: ${what}`, result.check.pagesDifferent, 0);
  return result;
}

/** Every page that is left goes once, in every mode. */
export function checkModes(): void {
  for (const migration of [
    { threshold: 200, residual: "after-resume" },
    { algorithm: "hybrid", residual: "on-demand", missing: { pushAfter: "500 us" } },
    { algorithm: "postcopy" },
  ]) {
    const what = JSON.stringify(migration);
    const result = whole(what, { guest: GUEST, content: "sized", migration });
    const { rounds, ram } = result.migration;
    const pages = rounds.reduce((n, round) => n + round.normalPages + round.zeroPages, 0);
    const placed = stat(result, "destination.card.dma.write.pages");
    const zero = stat(result, "destination.card.dma.write.zeroPages");
    same(`pages placed: ${what}`, placed + zero, pages);
    const sum = ram["precopy-bytes"]! + ram["downtime-bytes"]! + ram["postcopy-bytes"]!;
    same(`bytes: ${what}`, sum, ram.transferred);
  }
}

/** All of 3000 raw pages after the resume, over 1 Gbit/s: 33 us each. */
function slowly(ahead: number): Result {
  return whole(`demand, ${ahead} ahead`, {
    guest: { ...generated(3000, 300_000, { zero: 0, text: 0, random: 100 }), vcpus: 1 },
    ...{ link: { rate: "1 Gbit/s" }, compress: "off", encrypt: "off", content: "sized" },
    migration: { algorithm: "postcopy", missing: { ahead } },
  });
}

/** What is asked for goes before what is pushed, and little of that stands before it. */
export function checkDemand(): void {
  // 4112 B in frames of 8948 B of payload and 9038 B of wire, at 8 ns a byte
  const pageNs = (4112 * 9038 * 8) / 8948;
  const { migration, guest } = slowly(16);
  const { residualNs } = migration.phases;
  claim("demand: push", residualNs! > 2999 * pageNs, residualNs, `as long as 3000 pages of ${pageNs} ns`);
  // on its way behind two times `ahead` pages and what the link holds, 2.5 kB; else its own way
  const most = (2 * 16 + 4) * pageNs;
  claim("demand: first touch", guest.firstTouchNs!.p99 < most, guest.firstTouchNs!.p99, `below ${most} ns`);
  // behind 200 pages and more each of them would take 7 ms: 15 in all of the push
  const asked = slowly(128).migration.ram["postcopy-requests"]!;
  claim("demand: pages asked for", asked > 60, asked, "more than 60");
}
