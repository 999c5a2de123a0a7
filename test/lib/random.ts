// SPDX-License-Identifier: Apache-2.0
// Random configurations: which ones a run of the tests makes, and the numbers that they are made from.

/** Mulberry32, public domain: numbers from 0 to below 1. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Seeds of the configurations to make.
 * Environment: DPUSIM_SEED=N starts at configuration N (default 1), DPUSIM_RUNS=N makes N of them.
 * @param usual how many without DPUSIM_RUNS
 */
export function seeds(usual: number): number[] {
  const first = Number(process.env.DPUSIM_SEED ?? 1);
  return Array.from({ length: Number(process.env.DPUSIM_RUNS ?? usual) }, (_, i) => first + i);
}
