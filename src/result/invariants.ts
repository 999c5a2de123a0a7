// SPDX-License-Identifier: Apache-2.0
/** Names of what is always true, by the core's numbers, and of what the harness adds to them. */
import * as abi from "../../assembly/abi.ts";
import type { Reading } from "./reading.ts";

export const INVARIANTS: Readonly<Record<number, string>> = {
  [abi.I_DESTINATION_EQUALS_SOURCE]: "destination-equals-source",
  [abi.I_DEVICE_STATE]: "device-state-equal",
  [abi.I_CLEARED_BEFORE_READ]: "mark-cleared-before-read",
  [abi.I_NO_OLDER_COPY]: "no-older-copy-placed",
  [abi.I_CONSERVED]: "everything-home",
  [abi.I_NONCE]: "nonce-used-once",
  [abi.I_TAG]: "record-authentic",
  [abi.I_ACCOUNTING]: "accounts-sum-to-elapsed",
  [abi.I_TAG_IN_USE]: "pcie-tag-used-once",
  [abi.I_CREDITS]: "pcie-credits-conserved",
  [abi.I_SRAM]: "sram-conserved",
  [abi.I_JOBS]: "jobs-conserved",
  [abi.I_SEQUENCE]: "records-in-sequence",
  [abi.I_TLP_RULES]: "tlp-rules",
  [abi.I_DECODES]: "coded-page-decodes",
  [abi.I_SLOT_EXAMINED]: "record-slot-examined",
  [abi.I_DEVICE_RECORDED]: "device-writes-known",
  [abi.I_STORAGE_ONCE]: "storage-completes-once",
  [abi.I_STORAGE_INDICES]: "storage-indices-equal",
  [abi.I_ONE_GUEST]: "one-guest-runs",
  [abi.I_GUEST_ONCE]: "guest-moves-once",
  [abi.I_DELTA_BASE]: "delta-base-is-placed",
  [abi.I_RESIDUAL_ONCE]: "missing-page-lands-once",
  [abi.I_SCAN_MARKS]: "scan-loses-no-mark",
  [abi.I_SOURCE_KEPT]: "source-kept-until-whole",
  [abi.I_PLAIN_BEFORE_USE]: "page-plain-before-use",
};

/** Checked by the harness: memory at the source after a migration that did not complete. */
export const SOURCE_INTACT = "source-intact";
/** Checked by the harness: no round has put more on the wire, or on its connection, than it carries. */
export const ROUNDS_FIT = "rounds-fit-link";
/** Checked by the harness: no analytic bound is beaten. */
export const BOUNDS_HOLD = "bounds-hold";

/** What is looked at with every PCIe transaction, and with every page placed. */
const OF_PCIE: readonly number[] = [abi.I_TAG_IN_USE, abi.I_CREDITS, abi.I_TLP_RULES];
const PLACED = [abi.C_PLACED_PAGES, abi.C_PLACED_ZERO, abi.C_PLACED_SKIPPED];

/** Whether the core looked at an invariant during the run (docs/model.md section 11). */
export function evaluatedIn(reading: Reading, number: number): boolean {
  const { counters, evaluated } = reading;
  const any = (side: number, list: readonly number[]): boolean => list.some((i) => counters[side]![i]! > 0n);
  if (OF_PCIE.includes(number)) return any(0, [abi.C_UP_TLPS]) || any(1, [abi.C_UP_TLPS]);
  if (number === abi.I_NO_OLDER_COPY) return any(1, PLACED);
  return ((evaluated >>> number) & 1) === 1;
}

/** The name of a broken invariant. */
export function invariantName(number: number): string {
  return INVARIANTS[number] ?? `invariant-${number}`;
}
