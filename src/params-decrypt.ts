// SPDX-License-Identifier: Apache-2.0
/** Decryption that is put off, from a resolved scenario to the parameter block. */
import * as abi from "../assembly/abi.ts";
import type { ResolvedScenario } from "./scenario/types.ts";

const RESUME_SETS = { none: abi.RESUME_NONE, hot: abi.RESUME_HOT, all: abi.RESUME_ALL } as const;

/** Behind setResidual(), which has set what a page that is missing costs. */
export function setDecrypt(g: Map<number, number | bigint>, { encrypt }: ResolvedScenario): void {
  const { decrypt } = encrypt;
  if (decrypt === "eager") return;
  const [num, den] = decrypt.ticksPerByte ?? [0, 1];
  g.set(abi.G_RESIDUAL, abi.RESIDUAL_SEALED);
  g.set(abi.G_DECRYPT_NUM, num).set(abi.G_DECRYPT_DEN, den);
  g.set(abi.G_RESUME_SET, RESUME_SETS[decrypt.resumeSet]);
}
