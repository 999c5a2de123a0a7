// SPDX-License-Identifier: Apache-2.0
/** What a result says of records that were made before the migration was asked for. */
import * as abi from "../../assembly/abi.ts";
import type { ResolvedScenario } from "../scenario/types.ts";
import { nsOf, type Reading } from "./reading.ts";
import type { Migration } from "./schema.ts";
import { row, SOURCE, type Spec } from "./stat-rows.ts";

/** Where the source encrypts before the request. */
export const STORE: readonly Spec[] = [
  row("card.store.pages", abi.C_STORED, "pages", SOURCE, "pages whose records were made for the store"),
  row("card.store.sent", abi.C_STORE_SENT, "pages", SOURCE, "of them, those sent as they were"),
  row("card.store.stale", abi.C_STORE_STALE, "pages", SOURCE, "of them, those that were coded again"),
];

/** The section; nothing where the source encrypts as it sends. */
export function aheadOf(reading: Reading, s: ResolvedScenario): Pick<Migration, "ahead"> {
  const { ahead } = s.encrypt;
  if (ahead === undefined) return {};
  const { log, counters, before } = reading;
  const count = (counter: number): number => Number(counters[0]![counter]);
  const read = Number(before.counters[0]![abi.C_READ_PAGES]);
  const full = log[abi.L_STORE_FULL]!;
  return {
    ahead: {
      storedPages: count(abi.C_STORED),
      laterPages: Math.max(0, count(abi.C_STORED) - read),
      sentPages: count(abi.C_STORE_SENT),
      stalePages: count(abi.C_STORE_STALE),
      storeBytes: Number(log[abi.L_STORE_BYTES]),
      storeFullNs: full === 0n ? null : nsOf(full),
      pcieBytes: read * abi.PAGE_BYTES,
    },
  };
}

/** From when on the guest pays: the start, or when pages begin to be encrypted before it. */
export function trackedFrom({ encrypt }: ResolvedScenario, start: bigint): bigint {
  return encrypt.ahead === undefined ? start : BigInt(encrypt.ahead.fromTicks);
}

/** Pages that were read and not sent, or sent and not read: what rounds have beside what was read. */
export function sentUnread(reading: Reading): bigint {
  const counters = reading.counters[0]!;
  return counters[abi.C_STORE_SENT]! - counters[abi.C_STORED]!;
}
