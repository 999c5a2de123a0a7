// SPDX-License-Identifier: Apache-2.0
/** Parameters of encryption before the request, from the scenario as it is written. */
import * as abi from "../../../assembly/abi.ts";
import { type Put, ticks, whole } from "./params-pcie.ts";
import { exact, writtenAt } from "./written.ts";

/** Puts those of the run; returns the bytes that the source's card keeps records in. */
export function aheadParams(
  p: Put,
  scenario: object,
  perByte: (rate: ReturnType<typeof exact>) => [number, number],
  room: unknown,
): number {
  const of = (key: string): unknown => writtenAt(scenario, `encrypt.${key}`);
  if (of("when") !== "before-request") return 0;
  const start = ticks(writtenAt(scenario, "migration.startAt"));
  const [num, den] = of("aheadRate") === undefined ? [0, 1] : perByte(exact(of("aheadRate")));
  p(abi.G_STORE, 1);
  p(abi.G_STORE_FROM, of("ahead") === undefined ? 0 : start - ticks(of("ahead")));
  p(abi.G_STORE_NUM, num);
  p(abi.G_STORE_DEN, den);
  return whole(room);
}
