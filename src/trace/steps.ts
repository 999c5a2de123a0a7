// SPDX-License-Identifier: Apache-2.0
// Long work in steps: whoever drives it may look up, or leave, between any two.

/** Work that yields between its steps and returns its result. */
export type Steps<T> = Generator<void, T>;

/** Does all of it at once. */
export function drain<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
