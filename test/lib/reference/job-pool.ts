// SPDX-License-Identifier: Apache-2.0
/**
 * Encoders that take jobs of several pages, clock by clock, from docs/model.md section 5: what waits, whether
 * an engine waits for more, how long it is taken. What is done leaves at once.
 */

/** A page: the clock from which it may be seen, and what an engine is taken for: clocks, or bytes. */
export interface WaitingPage {
  readonly seenAtClock: number;
  readonly span: number;
}

export interface JobPool {
  readonly engines: number;
  readonly mostPages: number;
  readonly waitClocks: number;
  /** Clock at which a job of so many pages, and of this span, that begins at a clock is done. */
  readonly doneAt: (clock: number, pages: number, span: number) => number;
}

/** A job: its first page, how many, when it begins and ends. */
export interface PagesJob {
  readonly first: number;
  readonly pages: number;
  readonly clock: number;
  readonly doneAtClock: number;
}

/** Every job, in order, of pages in the order of their queue. */
export function jobsSlowly(pages: readonly WaitingPage[], pool: JobPool): PagesJob[] {
  const doneAt: number[] = Array.from({ length: pool.engines }, () => 0);
  const jobs: PagesJob[] = [];
  let next = 0;
  for (let clock = 0; next < pages.length; clock++) {
    for (let engine = 0; engine < pool.engines; engine++) {
      if (doneAt[engine]! > clock) continue;
      let waiting = 0;
      while (waiting < pool.mostPages && (pages[next + waiting]?.seenAtClock ?? Infinity) <= clock) waiting++;
      const due = waiting > 0 && clock >= pages[next]!.seenAtClock + pool.waitClocks;
      if (waiting < pool.mostPages && !due) continue;
      const span = pages.slice(next, next + waiting).reduce((sum, page) => sum + page.span, 0);
      doneAt[engine] = pool.doneAt(clock, waiting, span);
      jobs.push({ first: next, pages: waiting, clock, doneAtClock: doneAt[engine]! });
      next += waiting;
    }
  }
  return jobs;
}
