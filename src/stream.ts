// SPDX-License-Identifier: Apache-2.0
/** The guest's writes that a scenario asks for: from an open trace, or generated. */
import { recordedUnder } from "./given-sizes.ts";
import { guestsStream, scenarioOf } from "./guest-parts.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import { GuestRefused } from "./trace/errors.ts";
import type { GuestStream } from "./trace/events.ts";
import type { MdtTrace } from "./trace/mdt-reader.ts";
import { withReads } from "./trace/reads.ts";
import { generatedStream } from "./trace/stream-generate.ts";
import { traceStream } from "./trace/stream-trace.ts";

const PAGE_BYTES = 4096;
const TICKS_PER_SECOND = 1024e12;

/**
 * Opens the guest of a scenario. Touches no file: the trace is open already.
 * @param trace null when the guest generates its writes
 * @throws TraceError for a trace that cannot be played, GuestRefused for keys in its way, RangeError for
 * other options out of range
 */
export function guestStream(scenario: ResolvedScenario, trace: MdtTrace | null): GuestStream {
  const { guest, guests, seed } = scenario;
  if (guests !== undefined)
    return guestsStream(guests.map((_, k) => guestStream(scenarioOf(scenario, k), trace)));
  if (guest.generate !== null) {
    const { memoryPages, ticksPerWrite, workingSetPages, pattern } = guest.generate;
    const perSecond = ticksPerWrite === null ? 0 : (TICKS_PER_SECOND / ticksPerWrite[0]) * ticksPerWrite[1];
    const workload = {
      memoryBytes: memoryPages * PAGE_BYTES,
      ratePerSecond: Math.round(perSecond * 1000) / 1000,
      workingSetBytes: workingSetPages * PAGE_BYTES,
      pattern,
      mix: guest.mix,
    };
    return generatedStream(workload, seed);
  }
  if (trace === null) throw new RangeError("the scenario plays a trace, and none is open");
  if (scenario.delta !== "off" && trace.contents !== "complete")
    throw new GuestRefused("delta", "needs the bytes of every version, and the trace has not; write off");
  const [numerator, denominator] = guest.speed;
  const { tile, atEnd, mix, mixGiven } = guest;
  const sizesOf = recordedUnder(scenario);
  const speed = { numerator, denominator };
  const played = traceStream(trace, { tile, speed, seed, atEnd, mix, mixGiven, sizesOf });
  return guest.reads === true ? withReads(played, trace, { speed, seed }) : played;
}
