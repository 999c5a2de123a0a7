// SPDX-License-Identifier: Apache-2.0
/** What a result says of decryption that is put off. */
import * as abi from "../../assembly/abi.ts";
import type { ResolvedScenario } from "../scenario/types.ts";
import { nsOf, type Reading } from "./reading.ts";
import type { Migration } from "./schema.ts";

/** Per cent of the time from the resume to the last plain page that opening engines worked; null without. */
function dutyOf(reading: Reading, s: ResolvedScenario, plainNs: number): number | null {
  if (s.placement.stages.decrypt?.at !== "card") return null;
  const { engines } = s.sides.destination.card.crypto;
  const busy = Array.from({ length: engines }, (_, i) => reading.accounts[1]![abi.A_OPEN + i]![abi.BUSY]!);
  const since = busy.reduce((sum, ticks) => sum + ticks, -reading.log[abi.L_OPEN_BUSY]!);
  return Math.round((1e5 * nsOf(since)) / Math.max(1, plainNs * engines)) / 1e3;
}

/** The section; nothing where the destination decrypts at once. */
export function decryptionOf(reading: Reading, s: ResolvedScenario): Pick<Migration, "decryption"> {
  if (s.encrypt.decrypt === "eager") return {};
  const { log } = reading;
  const there = reading.counters[1]!;
  const between = (from: number, to: number): number | null =>
    log[from] === 0n || log[to] === 0n ? null : nsOf(log[to]! - log[from]!);
  const plain = between(abi.L_RESUMED, abi.L_PLAIN);
  return {
    decryption: {
      fullyPlainNs: plain,
      resumeSetNs: between(abi.L_RAM_DONE, abi.L_OPENED),
      resumeSetPages: Number(log[abi.L_RESUME_SET]),
      sealedAtResume: Number(log[abi.L_RESIDUAL_PAGES]),
      decryptedAsked: Number(there[abi.C_DECRYPT_ASKED]),
      neverOpened: Number(there[abi.C_SUPERSEDED]),
      engineDutyPercent: plain === null ? null : dutyOf(reading, s, plain),
    },
  };
}
