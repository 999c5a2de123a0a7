// SPDX-License-Identifier: Apache-2.0
// Trackers: what their formulas say of a guest that writes all of its memory between two collections.
import { type Result, simulate } from "../../../src/index.ts";
import { inputOf } from "../migrate.ts";
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
