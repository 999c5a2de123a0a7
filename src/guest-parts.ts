// SPDX-License-Identifier: Apache-2.0
/** Several guests of one server: where each lies in the core's memory, and their streams as one. */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import type { GuestStream, InitialBlock } from "./trace/events.ts";
import { begin, stir } from "./trace/hash.ts";

const SALT_GUEST = 0x67737473;

/** Where a guest lies among all of them. */
export interface Place {
  readonly firstPage: number;
  readonly firstVcpu: number;
}

/** The place of the one guest of a server. */
export const ALONE: Place = { firstPage: 0, firstVcpu: 0 };

/** A guest's part of the server. */
export interface Part extends Place {
  readonly pages: number;
  readonly vcpus: number;
  readonly deviceFirst: number;
  readonly deviceBytes: number;
}

const above = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

/** Parts of the guests: each begins with a batch of pages, and its device state with a page. */
export function partsOf(scenario: ResolvedScenario, stream: GuestStream): Part[] {
  let [firstPage, firstVcpu, deviceFirst] = [0, 0, 0];
  return scenario.guests!.map(({ vcpus, deviceStateBytes: deviceBytes }, k) => {
    const { pages } = stream.parts![k]!;
    const part = { firstPage, pages, firstVcpu, vcpus, deviceFirst, deviceBytes };
    firstPage += above(pages, abi.BATCH_PAGES);
    firstVcpu += vcpus;
    deviceFirst += above(deviceBytes, abi.PAGE_BYTES);
    return part;
  });
}

/** The seed of a guest: that of the first is the scenario's. */
export function seedOf(seed: number, k: number): number {
  return k === 0 ? seed : stir(stir(begin(seed), SALT_GUEST), k);
}

/** A scenario as one of its guests alone would have it. */
export function scenarioOf(scenario: ResolvedScenario, k: number): ResolvedScenario {
  const { guests, evacuation: _, ...rest } = scenario;
  return { ...rest, guest: guests![k]!, seed: seedOf(scenario.seed, k) };
}

/** The guests of a server as one stream, of which each part is read for itself. */
export function guestsStream(parts: readonly GuestStream[]): GuestStream {
  function* initial(): Generator<InitialBlock> {
    let first = 0;
    for (const part of parts) {
      for (const block of part.initial()) yield { ...block, firstPfn: first + block.firstPfn };
      first += above(part.pages, abi.BATCH_PAGES);
    }
  }
  const each = (): never => {
    throw new Error("guests of a server are read each for itself");
  };
  return {
    pages: parts.reduce((sum, { pages }) => sum + pages, 0),
    pageBytes: abi.PAGE_BYTES,
    stableContents: 0,
    atEnd: "idle",
    endTicks: null,
    stableContent: each,
    initial,
    next: each,
    parts,
    fork: () => guestsStream(parts.map((part) => part.fork())),
  };
}

/** A word of the core's table of guests, by GT_ constants. */
export function guestWord(core: Core, k: number, index: number): bigint {
  return core.u64(core.address("guestTable") + (k * abi.GT_COUNT + index) * 8);
}
