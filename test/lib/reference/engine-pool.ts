// SPDX-License-Identifier: Apache-2.0
/**
 * A pool of equal engines clock by clock, written from docs/model.md sections 5 and 17: jobs in a queue, each
 * with the clock from which it may be seen and the clocks that an engine is taken for; what is done leaves at
 * once. At a clock the first engines stop: what they hold is begun again by others, before what waits.
 */

export interface PoolJob {
  readonly seenAtClock: number;
  readonly clocks: number;
}

/** A job begun: which, by which engine and when. */
export interface Begun {
  readonly job: number;
  readonly engine: number;
  readonly clock: number;
}

/** Every beginning, in order, of jobs in the order of their queue. */
export function poolSlowly(
  jobs: readonly PoolJob[],
  engines: number,
  stopped: { readonly atClock: number; readonly engines: number } | null,
): Begun[] {
  const held: ({ job: number; left: number } | null)[] = Array.from({ length: engines }, () => null);
  const again: number[] = [];
  const begun: Begun[] = [];
  let next = 0;
  let first = 0;
  const idle = (): boolean => next === jobs.length && again.length === 0 && held.every((one) => one === null);
  for (let clock = 0; !idle(); clock++) {
    for (const one of held) if (one !== null) one.left--;
    if (clock === stopped?.atClock) {
      first = stopped.engines;
      for (let e = 0; e < first; e++) {
        if (held[e] !== null) again.push(held[e]!.job);
        held[e] = null;
      }
    }
    for (let e = 0; e < engines; e++) if (held[e] !== null && held[e]!.left <= 0) held[e] = null;
    for (let e = first; e < engines; e++) {
      if (held[e] !== null) continue;
      const waits = next < jobs.length && jobs[next]!.seenAtClock <= clock;
      if (again.length === 0 && !waits) continue;
      const job = again.shift() ?? next++;
      held[e] = { job, left: jobs[job]!.clocks };
      begun.push({ job, engine: e, clock });
    }
  }
  return begun;
}
