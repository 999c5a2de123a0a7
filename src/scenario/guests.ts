// SPDX-License-Identifier: Apache-2.0
/** Several guests on one server (`guests`, `evacuation`): their keys, and what they are resolved. */
import * as z from "zod";
import { GUESTS_MAX } from "../../assembly/abi.ts";
import { word } from "./around.ts";
import type { Scenario } from "./schema.ts";
import type { Path } from "./source.ts";
import type { ResolvedGuest } from "./types.ts";
import type { Order, ResolvedEvacuation } from "./types-guests.ts";

const ORDERS: readonly Order[] = ["fair", "shortest-dirty-first", "one-after-another"];

/** What `guest` is where the scenario has `guests`: its place is kept, and it is never run. */
const NO_WRITES = { generate: { memory: "4 KiB", rate: "0 /s", workingSet: "4 KiB" } };

/** The list of guests, each as `guest` is. */
export function guestsSchema<T extends z.ZodType>(guest: T) {
  return z
    .array(guest, { error: "is no list of guests; write - { trace: FILE } or - { generate: ... } each" })
    .min(1, { error: "is empty; write guest for one" })
    .max(GUESTS_MAX, { error: `are more than ${GUESTS_MAX}; write fewer` })
    .describe("in place of guest: several on one card and link")
    .optional();
}

/** `evacuation`. */
export const evacuationSchema = z
  .strictObject({
    order: word(ORDERS, "whose round is next").default("fair"),
  })
  .optional();

export const isMapping = (data: unknown): data is Record<string, unknown> =>
  typeof data === "object" && data !== null && !Array.isArray(data);

/** Parsed data with a place for `guest` where it has `guests`. */
export function withGuests(data: unknown): unknown {
  if (!isMapping(data) || data.guests === undefined || data.guest !== undefined) return data;
  return { ...data, guest: NO_WRITES };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);

/**
 * The resolved guest, or guests with what they are together: vCPUs and device state are sums, writes are
 * those of a trace when any guest plays one.
 */
export function fillServer(
  scenario: Scenario,
  fill: (scenario: Scenario) => ResolvedGuest,
): { guest: ResolvedGuest; guests?: ResolvedGuest[]; evacuation?: ResolvedEvacuation } {
  if (scenario.guests === undefined) return { guest: fill(scenario) };
  const guests = scenario.guests.map((guest) => fill({ ...scenario, guest }));
  const shown = guests.find(({ writes }) => writes === "trace") ?? guests[0]!;
  const guest = {
    ...shown,
    vcpus: sum(guests.map(({ vcpus }) => vcpus)),
    deviceStateBytes: sum(guests.map(({ deviceStateBytes }) => deviceStateBytes)),
  };
  return { guest, guests, evacuation: { order: (scenario.evacuation?.order ?? "fair") as Order } };
}

/** The trace that is played, and the key that names it. */
export function tracePlayed(scenario: Scenario): { trace: string; path: Path } | null {
  const { guest, guests } = scenario;
  const all: [typeof guest, Path][] = (guests ?? []).map((one, i) => [one, ["guests", String(i), "trace"]]);
  for (const [{ trace }, path] of guests === undefined ? [[guest, ["guest", "trace"]] as const] : all)
    if (trace !== undefined) return { trace, path };
  return null;
}
