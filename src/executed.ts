// SPDX-License-Identifier: Apache-2.0
/** The writes that a run's vCPUs have executed, from the trace replayed anew. */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import { vcpuOf } from "./feeder.ts";
import { ALONE, type Place } from "./guest-parts.ts";
import { EventFlag, type GuestBatch, type GuestStream } from "./trace/events.ts";

/**
 * How many writes each vCPU has executed: all, or up to its suspension at the source alone, which a guest
 * that has resumed before every page was there has gone on from.
 */
export function executedBy(
  core: Core,
  vcpus: number,
  atSource: boolean,
  { firstVcpu }: Place = ALONE,
): number[] {
  const moved = atSource && core.logged(abi.L_ARRIVED) !== 0n;
  const counts = (moved ? core.address("touchersAt") + 16 : core.address("vcpusAt") + 8) + 32 * firstVcpu;
  return Array.from({ length: vcpus }, (_, v) => Number(core.u64(counts + v * 32)));
}

/**
 * Goes through them in order; first reads are executed like writes, and not told of.
 * @param stream the guest at its beginning; its writes are consumed
 * @param counts how many there are of each vCPU
 * @param seen told of the i-th write of a batch
 */
export function replayExecuted(
  stream: GuestStream,
  counts: readonly number[],
  seen: (batch: GuestBatch, i: number) => void,
): void {
  const left = [...counts];
  let total = left.reduce((a, b) => a + b, 0);
  while (total > 0) {
    const batch = stream.next();
    if (batch === null) throw new Error("the guest executed more writes than its trace holds");
    for (let i = 0; i < batch.count; i++) {
      const v = vcpuOf(batch.pfns[i]!, left.length);
      if (left[v] === 0) continue;
      left[v]!--;
      total--;
      if ((batch.flags[i]! & EventFlag.read) === 0) seen(batch, i);
    }
  }
}
