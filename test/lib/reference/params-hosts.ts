// SPDX-License-Identifier: Apache-2.0
/** The part of params.ts that is about stages of pages on hosts: docs/model.md section 18. */
import * as abi from "../../../assembly/abi.ts";
import { gcmClocks } from "./params-gcm.ts";
import { type Put, TICKS_PER_SECOND, whole } from "./params-pcie.ts";
import { type Exact, engineOf, exact, presetOf, writtenAt } from "./written.ts";

const STAGE_OF = ["encrypt", "decrypt"] as const;
const SIDE_OF = ["source", "destination"] as const;

/** Ticks of one of so many a second, in lowest terms. */
export function ticksPer({ num, den }: Exact): [number, number] {
  const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));
  const [over, under] = [TICKS_PER_SECOND * den, num];
  const common = gcd(over, under);
  return [Number(over / common), Number(under / common)];
}

/** Whether a stage is put on a host: `host`, `host-engine`, or not. */
export function placed(scenario: object, stage: string): string {
  return `${writtenAt(scenario, `placement.${stage}`) ?? "card"}`;
}

/** Those of a side: the cipher beside its CPU. */
export function cipherBeside(p: Put, scenario: object, side: number, rounds: number): void {
  const there = placed(scenario, STAGE_OF[side]!) === "host-engine";
  p(abi.S_HOST_CIPHERS, 0);
  if (!there) return;
  const name = writtenAt(scenario, `encrypt.${SIDE_OF[side]}`) ?? writtenAt(scenario, "encrypt.engine");
  const cipher = presetOf("engines/ciphers", `${name}`, () => undefined);
  const { word, rest } = gcmClocks(rounds, cipher);
  const [num, den] = ticksPer(exact(cipher("clock")));
  p(abi.S_HOST_CIPHERS, whole(cipher("engines")));
  p(abi.S_HOST_CIPHER_BITS, whole(cipher("bitsPerCycle")));
  p(abi.S_HOST_CIPHER_WORD, word);
  p(abi.S_HOST_CIPHER_REST, rest);
  p(abi.S_HOST_CIPHER_NUM, num);
  p(abi.S_HOST_CIPHER_DEN, den);
}

/** Those of the run: buffers, latencies of ciphers beside CPUs, the rate of a decoder there. */
export function hostsParams(p: Put, scenario: object, rounds: number): void {
  const there = ["decrypt", "decompress"].some((stage) => placed(scenario, stage).startsWith("host"));
  p(abi.G_HOST_RING, there ? whole(writtenAt(scenario, "placement.buffers") ?? 64) : 0);
  for (const side of [0, 1]) {
    if (placed(scenario, STAGE_OF[side]!) !== "host-engine") continue;
    const name = writtenAt(scenario, `encrypt.${SIDE_OF[side]}`) ?? writtenAt(scenario, "encrypt.engine");
    const { latency } = gcmClocks(
      rounds,
      presetOf("engines/ciphers", `${name}`, () => undefined),
    );
    p(abi.G_CIPHER_LATENCY + side, latency);
  }
  if (placed(scenario, "decompress") !== "host-engine") return;
  const [num, den] = ticksPer(exact(engineOf(scenario as Record<string, unknown>)!("rate")));
  p(abi.G_UNLZ_NUM, num);
  p(abi.G_UNLZ_DEN, den);
}
