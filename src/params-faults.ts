// SPDX-License-Identifier: Apache-2.0
/** What breaks, as parameters of the core. */
import * as abi from "../assembly/abi.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import type { ResolvedFault } from "./scenario/types-faults.ts";

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
  g.set(abi.G_CORRUPT_RECORDS, faultOf(s, "corrupt")?.records ?? 1);
  g.set(abi.G_ASK_AGAIN, s.migration.askAgain ?? 0);
  setRestarts(g, s);
  const stall = faultOf(s, "poll-stalls");
  g.set(abi.G_POLL_STALL_AT, BigInt(stall?.atTicks ?? 0));
  g.set(abi.G_POLL_STALL_FOR, BigInt(stall?.forTicks ?? 0));
  const reset = BigInt(faultOf(s, "reset", "destination")?.atTicks ?? BEYOND);
  g.set(abi.G_RESET_AT, reset === 0n ? 1n : reset);
  // before the start there is nothing to cancel
  const cancel = faultOf(s, "cancel");
  const first = BigInt(s.migration.startAtTicks) + 1n;
  const at = BigInt(cancel?.atTicks ?? 0);
  g.set(abi.G_CANCEL_AT, cancel === undefined ? BEYOND : at > first ? at : first);
}

/** Control processors that restart. */
function setRestarts(g: Map<number, number | bigint>, s: ResolvedScenario): void {
  let lost = 0;
  for (const [index, side] of (["source", "destination"] as const).entries()) {
    const fault = faultOf(s, "firmware-restart", side);
    g.set(abi.G_RESTART_AT + index, BigInt(fault?.atTicks ?? BEYOND));
    g.set(abi.G_RESTART_FOR + index, BigInt(fault?.forTicks ?? 0));
    if (fault?.ram === "lost") lost |= 1 << index;
  }
  g.set(abi.G_RESTART_LOST, lost);
}

/** Engines of a side's card that fail. */
export function setFailing(
  p: (key: number, value: number) => void,
  s: ResolvedScenario,
  index: number,
): void {
  const [codec, cipher] = index === 0 ? ["compressor", "seal"] : ["decompressor", "open"];
  for (const [unit, at, engines] of [
    [codec, abi.S_CODEC_FAIL_AT, abi.S_CODEC_FAIL_ENGINES],
    [cipher, abi.S_CIPHER_FAIL_AT, abi.S_CIPHER_FAIL_ENGINES],
  ] as const) {
    const fault = s.faults.find((one) => one.what === "engine-fails" && one.unit === unit);
    p(at, fault === undefined ? Number(BEYOND) : Number(fault.atTicks));
    p(engines, fault?.engines ?? 0);
  }
}

/** When a side's PCIe link is down. */
export function downOf(s: ResolvedScenario, index: number): { atTicks: number; forTicks: number } | null {
  const fault = faultOf(s, "pcie-down", index === 0 ? "source" : "destination");
  if (fault === undefined) return null;
  return { atTicks: Number(fault.atTicks), forTicks: Number(fault.forTicks) };
}
