// SPDX-License-Identifier: Apache-2.0
// A guest that was stopped for a while and goes on (docs/model.md section 17), from its stream alone.
import type { GuestStream } from "../../../src/trace/events.ts";

/** Writes whose own time is at or before `ticks`. */
export function writesBy(stream: GuestStream, ticks: bigint): number {
  let n = 0;
  for (let batch = stream.next(); batch !== null; batch = stream.next()) {
    let later = 0;
    for (let i = 0; i < batch.count; i++) {
      if (batch.timeTicks[i]! <= ticks) n++;
      else later++;
    }
    if (batch.count > 0 && later === batch.count) return n;
  }
  return n;
}
