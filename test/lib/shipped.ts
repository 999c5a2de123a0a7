// SPDX-License-Identifier: Apache-2.0
/** Runs of the shipped scenarios. */
import { fileURLToPath } from "node:url";
import {
  Core,
  coreModule,
  fileSource,
  guestStream,
  loadScenario,
  openMdt,
  type Result,
  simulate,
} from "../../src/index.ts";

/** A scenario of sim/scenarios by its name, with keys in place of its own. */
export function runShipped(name: string, sets: readonly string[] = []): Result {
  const file = fileURLToPath(new URL(`../../sim/scenarios/${name}.yaml`, import.meta.url));
  const { scenario, traceFile } = loadScenario(file, { sets });
  const trace = traceFile === null ? null : openMdt(fileSource(traceFile), "trace");
  const origin = { version: "", build: "", trace: trace?.sha256 ?? "", traceHint: null };
  return simulate({ core: new Core(coreModule()), scenario, stream: guestStream(scenario, trace), origin });
}
