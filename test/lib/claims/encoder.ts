// SPDX-License-Identifier: Apache-2.0
// The encoder of a run by its parameters: the machine, and until when a job takes it.
import * as abi from "../../../assembly/abi.ts";
import type { Lz4HardwareConfig } from "../reference/lz4-hardware.ts";

/** The encoder's machine, as the parameters say. */
export function machineOf(p: readonly number[]): Lz4HardwareConfig {
  return {
    pws: p[abi.S_LZ_PWS]!,
    hashLog: p[abi.S_LZ_HASH_LOG]!,
    banks: p[abi.S_LZ_BANKS]!,
    ports: p[abi.S_LZ_PORTS]!,
    policy: p[abi.S_LZ_POLICY]!,
    matchCap: p[abi.S_LZ_MATCH_CAP]!,
    multi: p[abi.S_LZ_MULTI]!,
    intraForward: p[abi.S_LZ_INTRA]!,
    bailMargin: p[abi.S_LZ_BAIL]!,
    outBytesPerClock: p[abi.S_LZ_OUT_BYTES]!,
    tokensPerClock: p[abi.S_LZ_TOKENS]!,
    outFifoBytes: p[abi.S_LZ_FIFO]!,
  };
}

/** Edges of a card's clock. */
interface Edges {
  /** First edge at t or later. */
  at(t: bigint): bigint;
  after(edge: bigint, cycles: number): bigint;
}

/** The card's edge at which an encoder that is taken at the edge t for so many clocks, or bytes, is free. */
export function encoderEnd(p: readonly number[], card: Edges, t: bigint, span: number): bigint {
  const [num, den] = [BigInt(p[abi.S_LZ_SPAN_NUM]!), BigInt(p[abi.S_LZ_SPAN_DEN]!)];
  if (den === 0n) return card.after(t, span);
  const end = card.at(t + (BigInt(span) * num + den - 1n) / den);
  const least = card.after(t, 1);
  return end > least ? end : least;
}
