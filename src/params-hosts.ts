// SPDX-License-Identifier: Apache-2.0
/** Engines beside the CPUs of hosts that seal, open and decode, and the buffers of the destination's host. */
import * as abi from "../assembly/abi.ts";
import { gcmLatencyCycles, gcmRestCycles, gcmWordCycles } from "./cipher-clocks.ts";
import type { Put } from "./params-pcie.ts";
import type { ResolvedCard, ResolvedScenario } from "./scenario/types.ts";

/** Ciphers beside the CPU of a side; without them its workers seal and open. */
export function setHostCiphers(p: Put, cipher: ResolvedCard["crypto"] | undefined, rounds: number): void {
  const [num, den] = cipher?.ticksPerCycle ?? [0, 0];
  p(abi.S_HOST_CIPHERS, cipher?.engines ?? 0);
  p(abi.S_HOST_CIPHER_BITS, cipher?.bitsPerCycle ?? 0);
  p(abi.S_HOST_CIPHER_WORD, cipher === undefined ? 0 : gcmWordCycles(rounds, cipher));
  p(abi.S_HOST_CIPHER_REST, cipher === undefined ? 0 : gcmRestCycles(rounds, cipher));
  p(abi.S_HOST_CIPHER_NUM, num);
  p(abi.S_HOST_CIPHER_DEN, den);
}

/** What of hosts is of the whole run. */
export function setHosts(g: Map<number, number | bigint>, { placement, encrypt }: ResolvedScenario): void {
  const { seals, opens, decodes, there } = placement;
  const latency = (cipher: ResolvedCard["crypto"] | undefined): number => {
    if (cipher === undefined) return 0;
    return Math.max(0, gcmLatencyCycles(encrypt.rounds, cipher) - gcmRestCycles(encrypt.rounds, cipher));
  };
  g.set(abi.G_HOST_RING, there?.buffers ?? 0);
  g.set(abi.G_CIPHER_LATENCY, latency(seals));
  g.set(abi.G_CIPHER_LATENCY + 1, latency(opens));
  const [num, den] = decodes?.ticksPerByte ?? [0, 0];
  g.set(abi.G_UNLZ_NUM, num);
  g.set(abi.G_UNLZ_DEN, den);
}
