// SPDX-License-Identifier: Apache-2.0
/** AES-GCM engines on the core's bench stand: records as fast as they are taken, and when each was sealed. */
import * as abi from "../../assembly/abi.ts";
import type { Core } from "../core-instance.ts";
import { setParams } from "../params.ts";
import type { ResolvedScenario } from "../scenario/types.ts";

/** Records whose times the core's scratch room holds. */
export const RECORDS_MAX = 1024;

/** What the bench stand does. */
export interface SealProbe {
  readonly records: number;
  /** Payload of each. */
  readonly payloadBytes: number;
  /** Edges of the card's clock between two looks of the unit behind; 1 takes everything away at once. */
  readonly lookEvery?: number;
}

/** What was seen. */
export interface Sealed {
  /** Clock edges, from 0, at which the records might be seen behind, in order. */
  readonly seenAtClocks: readonly number[];
  /** Records that had been begun when the last of these was taken away. */
  readonly begunRecords: number;
}

/**
 * Seals records on the source card of a scenario.
 * @param core any instance; its board is built anew
 * @throws RangeError for too many records
 */
export function probeSeal(core: Core, scenario: ResolvedScenario, probe: SealProbe): Sealed {
  const { records, payloadBytes, lookEvery = 1 } = probe;
  if (records < 1 || records > RECORDS_MAX) throw new RangeError(`${records} records`);
  setParams(core, scenario, 1, null);
  const built = core.build();
  if (built !== 0) throw new Error(`the board was not built (${built})`);
  const at = core.address("scratch");
  core.fn("probeSeal")(records, payloadBytes, lookEvery, at);
  const [num, den] = scenario.sides.source.card.ticksPerCycle;
  // edge k lies at ceil(k · num / den), so k is floor(t · den / num)
  const clock = (t: bigint): number => Number((t * BigInt(den)) / BigInt(num));
  const seenAtClocks = Array.from({ length: records }, (_, i) => clock(core.u64(at + 8 * i)));
  return { seenAtClocks, begunRecords: core.counter(0, abi.C_RECORDS_SEALED) };
}
