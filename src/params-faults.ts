// SPDX-License-Identifier: Apache-2.0
/** What breaks, as parameters of the core. */
import * as abi from "../assembly/abi.ts";
import type { ResolvedFault, ResolvedScenario } from "./scenario/types.ts";

/** A time that does not come (assembly/kernel/time.ts). */
export const NEVER = 0x7fff_ffff_ffff_ffffn;
/** Later than any time, and as far from any. */
const BEYOND = 2n ** 63n;

/** The fault of a kind, of a side where it has one. */
function faultOf(
  s: ResolvedScenario,
  what: ResolvedFault["what"],
  side: ResolvedFault["side"] = null,
): ResolvedFault | undefined {
  return s.faults.find((one) => one.what === what && one.side === side);
}

/** Faults of the run as a whole. */
export function setFaults(g: Map<number, number | bigint>, s: ResolvedScenario): void {
  const down = faultOf(s, "link-down");
  g.set(abi.G_NET_DOWN_AT, BigInt(down?.atTicks ?? 0));
  g.set(abi.G_NET_DOWN_FOR, BigInt(down === undefined ? 0 : (down.forTicks ?? BEYOND)));
  g.set(abi.G_SILENCE, BigInt(s.migration.silenceTicks ?? 0));
  g.set(abi.G_NET_RETRIES, s.link.retries);
  g.set(abi.G_CORRUPT_AT, BigInt(faultOf(s, "corrupt")?.atTicks ?? BEYOND));
  // at time 0 nothing can have happened on that side
  const reset = BigInt(faultOf(s, "reset", "destination")?.atTicks ?? BEYOND);
  g.set(abi.G_RESET_AT, reset === 0n ? 1n : reset);
  // before the start there is nothing to cancel
  const cancel = faultOf(s, "cancel");
  const first = BigInt(s.migration.startAtTicks) + 1n;
  const at = BigInt(cancel?.atTicks ?? 0);
  g.set(abi.G_CANCEL_AT, cancel === undefined ? BEYOND : at > first ? at : first);
}

/** When a side's PCIe link is down. */
export function downOf(s: ResolvedScenario, index: number): { atTicks: number; forTicks: number } | null {
  const fault = faultOf(s, "pcie-down", index === 0 ? "source" : "destination");
  if (fault === undefined) return null;
  return { atTicks: Number(fault.atTicks), forTicks: Number(fault.forTicks) };
}
