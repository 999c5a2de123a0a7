// SPDX-License-Identifier: Apache-2.0
/** What a result says of decryption that is put off. */
import * as abi from "../../assembly/abi.ts";
import type { ResolvedScenario } from "../scenario/types.ts";
import { nsOf, type Reading } from "./reading.ts";
import type { Migration } from "./schema.ts";

/** The section; nothing where the destination decrypts at once. */
export function decryptionOf(reading: Reading, s: ResolvedScenario): Pick<Migration, "decryption"> {
  if (s.encrypt.decrypt === "eager") return {};
  const { log } = reading;
  const there = reading.counters[1]!;
  const between = (from: number, to: number): number | null =>
    log[from] === 0n || log[to] === 0n ? null : nsOf(log[to]! - log[from]!);
  const { engines } = s.sides.destination.card.crypto;
  const busy = [...Array(engines).keys()]
    .map((i) => reading.accounts[1]![abi.A_OPEN + i]![abi.BUSY]!)
    .reduce((sum, ticks) => sum + ticks, 0n);
  const plain = between(abi.L_RESUMED, abi.L_PLAIN);
  const duty = (nsOf(busy - log[abi.L_OPEN_BUSY]!) / Math.max(1e-9, (plain ?? 0) * engines)) * 100;
  const onCard = s.placement.stages.decrypt?.at === "card";
  return {
    decryption: {
      fullyPlainNs: plain,
      resumeSetNs: between(abi.L_RAM_DONE, abi.L_OPENED),
      resumeSetPages: Number(log[abi.L_RESUME_SET]),
      sealedAtResume: Number(log[abi.L_RESIDUAL_PAGES]),
      decryptedAsked: Number(there[abi.C_DECRYPT_ASKED]),
      neverOpened: Number(there[abi.C_SUPERSEDED]),
      engineDutyPercent: plain === null || !onCard ? null : Math.round(1e3 * duty) / 1e3,
    },
  };
}
