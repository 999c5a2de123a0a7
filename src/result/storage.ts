// SPDX-License-Identifier: Apache-2.0
/** What a move meant to the guest's storage: the section `guest.storage` of a result. */
import * as z from "zod";
import * as abi from "../../assembly/abi.ts";
import type { ResolvedScenario } from "../scenario/types.ts";
import { nsOf, type Reading } from "./reading.ts";

const count = z.int().min(0);
const ns = z.number().min(0).describe("nanoseconds");

export const storageSchema = z.strictObject({
  requests: count.describe("answered, at both sides"),
  throughPf: count.describe("of those, by way of the physical function"),
  waited: count.describe("made while nobody took requests"),
  stallNs: ns.describe("time in which nobody took requests"),
  drainNs: ns.describe("from the last request taken to the last answered"),
  stateBytes: count.describe("state of the adapter that was handed over"),
  stopNs: ns
    .nullable()
    .describe(
      "of the downtime, until the state was handed over and while it was set; null without a downtime",
    ),
  stopShare: z.number().min(0).max(1).nullable().describe("of the downtime"),
});

/** The section, where the guest has an adapter. */
export function storageOf(
  reading: Reading,
  s: ResolvedScenario,
): { storage?: z.output<typeof storageSchema> } {
  if (s.guest.storage === undefined) return {};
  const { counters, log } = reading;
  const of = (counter: number): number => Number(counters[0]![counter]! + counters[1]![counter]!);
  const ticks = (counter: number): number => nsOf(counters[0]![counter]! + counters[1]![counter]!);
  const [stopped, resumed] = [log[abi.L_SUSPENDED]!, log[abi.L_RESUMED]!];
  const told = log[abi.L_STORAGE_STILL]!;
  // broken off while it was waited for: until the guest was back
  const still = (told === 0n && s.guest.storage.quiesce !== "none") || told > resumed ? resumed : told;
  const waited = still > stopped ? still - stopped : 0n;
  const stop = stopped === 0n || resumed === 0n ? null : waited + log[abi.L_STORAGE_LOAD]!;
  return {
    storage: {
      requests: of(abi.C_STORAGE_REQUESTS),
      throughPf: of(abi.C_STORAGE_PF),
      waited: of(abi.C_STORAGE_WAITED),
      stallNs: ticks(abi.C_STORAGE_STALL),
      drainNs: ticks(abi.C_STORAGE_DRAIN),
      stateBytes: of(abi.C_STORAGE_STATE),
      stopNs: stop === null ? null : nsOf(stop),
      stopShare: stop === null ? null : Math.round((1e6 * Number(stop)) / Number(resumed - stopped)) / 1e6,
    },
  };
}
