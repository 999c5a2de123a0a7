// SPDX-License-Identifier: Apache-2.0
// Small scenarios and what a worker needs to run them.
import { readFileSync } from "node:fs";
import { coreModule, type Job } from "../../src/index.ts";
import { inputOf, redis, traces } from "./migrate.ts";

/** The worked example of the trace format: three pages. */
export const tiny = {
  guest: { trace: "example.mdt", deviceState: "64 KiB" },
  migration: { downtimeLimit: "300 ms" },
};

/** The redis once, over a slow link so that it takes two rounds and more. */
export const redisOnce = { guest: { ...redis, deviceState: "16 KiB" }, link: { rate: "10 Gbit/s" } };

/** What made the results of these tests. */
export const origin = { version: "0", build: "0".repeat(64) };

/** The job of a scenario, its trace read. The result is that of `migrate`. */
export function jobOf(scenario: object): Job {
  const { scenario: resolved, origin: full } = inputOf(scenario);
  const name = full.traceHint;
  const trace = name === null ? null : { name, bytes: new Uint8Array(readFileSync(traces + name)) };
  return { core: coreModule(), scenario: resolved, trace, origin };
}
