// SPDX-License-Identifier: Apache-2.0
// Trackers: what their formulas say of a guest that writes all of its memory between two collections.
import { type Result, simulate } from "../../../src/index.ts";
import { inputOf, stat } from "../migrate.ts";
import { claim, same } from "./expect.ts";

/** 256 pages, written all over in 2.6 us, faster than anything is collected; no stall holds the guest up. */
export const ALL_OVER = {
  guest: {
    generate: { memory: "1 MiB", rate: "100000000 /s", workingSet: "1 MiB", pattern: "sequential" },
    clock: "wall",
    deviceState: "64 KiB",
  },
  link: { rate: "10 Gbit/s" },
  compress: "off",
  migration: { downtimeLimit: "1 ns", maxRounds: 4, onTimeout: "force" },
  content: "sized",
};

/** Such a migration with a tracker; memory must be the same on both sides in the end. */
export function allOver(tracker: object, more: object = {}): Result {
  const result = simulate(inputOf({ ...ALL_OVER, ...more, tracker }));
  const broken = result.check.invariants.find(({ held }) => !held);
  if (broken !== undefined) throw new Error(`invariant ${broken.name}: ${JSON.stringify(tracker)}`);
  same(`pages different: ${JSON.stringify(tracker)}`, result.check.pagesDifferent, 0);
  return result;
}

/** W pages fault W / N times between two collections, and none is dirty that is not written. */
export function checkGroups(): void {
  const one = allOver({ kind: "write-protect" }).guest.writeFaults;
  claim("faults of single pages", one >= 4 * 256 && one % 256 === 0, one, "256 a collection");
  for (const group of [2, 4, 16, 256]) {
    const { guest } = allOver({ kind: "write-protect", group });
    same(`faults, groups of ${group}`, guest.writeFaults, one / group);
    same(`falsely dirty, groups of ${group}`, guest.falseDirtyPages, 0);
    // the fault, and 20 ns for each page beside it
    same(`stall, groups of ${group}`, guest.stallNs, guest.writeFaults * (2000 + 20 * (group - 1)));
  }
}

/** Of 1024 pages, written all over by one vCPU between two times that logs are brought in. */
export function checkLogs(): void {
  const generate = { ...ALL_OVER.guest.generate, memory: "4 MiB", workingSet: "4 MiB" };
  const more = { guest: { ...ALL_OVER.guest, generate } };
  const [exit, entry, page] = [1000, 10, 20];
  // of a guest that writes less, pages are in a log alone when it is suspended
  const seldom = { ...ALL_OVER.guest, generate: { ...generate, rate: "2000000 /s", pattern: "uniform" } };
  for (const kind of ["pml", "dirty-ring"]) allOver({ kind }, { guest: seldom });
  for (const [kind, entries] of [
    ["pml", 512],
    ["dirty-ring", 128],
    ["dirty-ring", 1024],
  ] as const) {
    const name = `${kind} of ${entries}`;
    const result = allOver(kind === "pml" ? { kind } : { kind, ring: entries }, more);
    const logged = stat(result, "source.guest.logEntries");
    const full = stat(result, "source.guest.fullLogs");
    const { rounds } = result.migration;
    // the last round is that of a guest that stands
    const brought = rounds.length - 1;
    const { writeFaults, stallNs } = result.guest;
    if (kind === "pml") {
      // before each of five collections all of memory is logged, but for what the first one does not see:
      // the log that is not full, and is brought in when the next page is logged
      same(`${name}: pages logged`, logged, 5 * 1024 - 512);
      same(`${name}: full logs`, full, 5 * (1024 / entries - 1));
      same(`${name}: faults`, writeFaults, 0);
    } else {
      // a log holds so many entries each time that it is brought in, and in the end
      claim(`${name}: full logs`, (full + brought + 2) * entries >= logged, full, `${logged} entries`);
      same(`${name}: faults`, writeFaults, logged);
    }
    const inLogs =
      kind === "pml" ? full * (exit + entries * entry) : full * (exit + entries * (entry + page));
    claim(`${name}: stall`, stallNs >= writeFaults * 2000 + inLogs + brought * exit, stallNs, "its parts");
  }
}
