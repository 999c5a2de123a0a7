// SPDX-License-Identifier: Apache-2.0
/** Lets Ctrl-C into long work: between its steps, some times a second. */
import { Interrupted } from "./errors.ts";

const PAUSE_EVERY_MS = 50;

/**
 * Does work in steps and returns its result; the work is told of an interruption as of any early end.
 * @param seen told what a step has yielded, as often as there is a pause
 * @throws Interrupted, and what the work throws
 */
export async function untilInterrupted<Y, T>(
  steps: Generator<Y, T>,
  seen: (yielded: Y) => void = () => {},
): Promise<T> {
  let interrupted = false;
  const onInterrupt = (): void => {
    interrupted = true;
  };
  process.on("SIGINT", onInterrupt);
  try {
    let pausedMs = Date.now();
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      if (Date.now() - pausedMs < PAUSE_EVERY_MS) continue;
      seen(step.value);
      await new Promise((resolve) => setImmediate(resolve));
      if (interrupted) throw new Interrupted();
      pausedMs = Date.now();
    }
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}
