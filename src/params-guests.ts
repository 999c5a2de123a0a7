// SPDX-License-Identifier: Apache-2.0
/** Several guests: scenario → the core's table of guests. */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import { partsOf } from "./guest-parts.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import type { GuestStream } from "./trace/events.ts";

const ORDERS = {
  fair: abi.ORDER_FAIR,
  "shortest-dirty-first": abi.ORDER_SHORTEST,
  "one-after-another": abi.ORDER_ONE,
} as const;

/** Writes the table, and memory and device state as they lie in it. Call after setParams(). */
export function setGuests(core: Core, scenario: ResolvedScenario, stream: GuestStream): void {
  const { guests = [], evacuation } = scenario;
  core.setGlobalParam(abi.G_GUESTS, guests.length);
  if (evacuation === undefined) return;
  core.setGlobalParam(abi.G_ORDER, ORDERS[evacuation.order]);
  const table = core.address("guestTable");
  const parts = partsOf(scenario, stream);
  for (const [k, part] of parts.entries()) {
    const { firstPage, pages, firstVcpu, vcpus, deviceFirst, deviceBytes } = part;
    const words: readonly [number, number][] = [
      [abi.GT_FIRST_PAGE, firstPage],
      [abi.GT_PAGES, pages],
      [abi.GT_FIRST_VCPU, firstVcpu],
      [abi.GT_VCPUS, vcpus],
      [abi.GT_DEVICE_FIRST, deviceFirst],
      [abi.GT_DEVICE_BYTES, deviceBytes],
    ];
    for (const [index, value] of words) core.setU64(table + (k * abi.GT_COUNT + index) * 8, BigInt(value));
  }
  const last = parts.at(-1)!;
  core.setGlobalParam(abi.G_PAGES, last.firstPage + last.pages);
  core.setGlobalParam(abi.G_DEVICE_BYTES, last.deviceFirst + last.deviceBytes);
}
