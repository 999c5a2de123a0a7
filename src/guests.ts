// SPDX-License-Identifier: Apache-2.0
/** Several guests of one server: what feeds them, and what each must be at the destination. */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import { fillDeviceState } from "./device-state.ts";
import { guestWord, type Part, partsOf, scenarioOf, seedOf } from "./guest-parts.ts";
import { type Comparison, compare } from "./oracle.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import type { GuestStream } from "./trace/events.ts";

/** What a guest's feeder does. */
export interface Fed {
  loadImage(): void;
  feed(): void;
  readonly captured: number;
  readonly estimated: number;
}

/** Feeds every guest that has not stopped: the vCPUs of one that has ask for nothing. */
export function together(core: Core, feeders: readonly Fed[]): Fed {
  const total = (key: "captured" | "estimated"): number => feeders.reduce((sum, one) => sum + one[key], 0);
  const runs = (k: number): boolean => {
    const status = Number(guestWord(core, k, abi.GT_STATUS));
    return status !== abi.GUEST_STOPPED && status !== abi.GUEST_MOVED;
  };
  return {
    loadImage: () => {
      for (const one of feeders) one.loadImage();
    },
    feed: () => {
      for (const [k, one] of feeders.entries()) if (runs(k)) one.feed();
    },
    get captured() {
      return total("captured");
    },
    get estimated() {
      return total("estimated");
    },
  };
}

/** Fills the device state of a guest, or of each. */
export function fillDeviceStates(core: Core, scenario: ResolvedScenario, stream: GuestStream): void {
  const at = core.address("deviceState");
  const parts = scenario.guests === undefined ? null : partsOf(scenario, stream);
  if (parts === null)
    fillDeviceState(core.u8.subarray(at, at + scenario.guest.deviceStateBytes), scenario.seed);
  for (const [k, { deviceFirst, deviceBytes }] of (parts ?? []).entries()) {
    const from = at + deviceFirst;
    fillDeviceState(core.u8.subarray(from, from + deviceBytes), seedOf(scenario.seed, k));
  }
}

/** What the check of a guest found. */
export interface GuestFindings extends Comparison {
  /** Null unless it has moved. */
  readonly deviceStateEqual: boolean | null;
}

/** Compares every guest: at the destination those that have moved, at the source the others. */
export function compareGuests(core: Core, stream: GuestStream, scenario: ResolvedScenario): GuestFindings[] {
  return partsOf(scenario, stream).map((part, k) => {
    const moved = Number(guestWord(core, k, abi.GT_RESUMED)) !== 0;
    const subject = moved ? "destination" : "source";
    const found = compare(core, stream.parts![k]!.fork(), scenarioOf(scenario, k), subject, part);
    return { ...found, deviceStateEqual: moved ? stateEqual(core, part, seedOf(scenario.seed, k)) : null };
  });
}

/** Whether the device state at the destination is that of a seed. */
export function stateEqual(
  core: Core,
  { deviceFirst, deviceBytes }: Pick<Part, "deviceFirst" | "deviceBytes">,
  seed: number,
): boolean {
  const expected = new Uint8Array(deviceBytes);
  fillDeviceState(expected, seed);
  const at = core.address("devicePlace") + deviceFirst;
  const placed = core.u8.subarray(at, at + deviceBytes);
  for (let i = 0; i < deviceBytes; i++) if (placed[i] !== expected[i]) return false;
  return true;
}

/** What was found of all guests together; pages by their number on the server. */
export function merged(found: readonly GuestFindings[], parts: readonly Part[]): Comparison {
  const sum = (key: "pagesCompared" | "pagesDifferent"): number =>
    found.reduce((total, one) => total + one[key], 0);
  const k = found.findIndex(({ firstDifferent }) => firstDifferent !== null);
  const firstDifferent = k < 0 ? null : parts[k]!.firstPage + found[k]!.firstDifferent!;
  return {
    pagesCompared: sum("pagesCompared"),
    pagesDifferent: sum("pagesDifferent"),
    firstDifferent,
  };
}
