// SPDX-License-Identifier: Apache-2.0
// Helpers of the scenario tests.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../../src/scenario/presets.ts";
import { type LoadOptions, resolveSource } from "../../src/scenario/resolve.ts";
import { parseSource, ScenarioError } from "../../src/scenario/source.ts";
import type { ResolvedScenario } from "../../src/scenario/types.ts";

/** A scenario that is good and says as little as possible. */
export const HEAD = `schema: dpusim.scenario/1
guest: { generate: { memory: 2 MiB, rate: 4000 /s, workingSet: 1 MiB } }
`;

/** The folder of the shipped scenarios. */
export const scenarios: string = join(packageRoot(), "sim", "scenarios");

/** Resolves text as the file s.yaml among the shipped scenarios. */
export function resolveText(text: string, options: LoadOptions = {}): ResolvedScenario {
  return resolveSource(parseSource(text, "s.yaml"), scenarios, "s", options).scenario;
}

/** The lines of the ScenarioError that `work` must throw. */
export function linesOf(work: () => unknown): readonly string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof ScenarioError) return error.lines;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** The message of whatever `work` must throw. */
export function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

/** A temporary folder with these files; `done` removes it. */
export function folder(files: Readonly<Record<string, string>>): { path: string; done: () => void } {
  const path = mkdtempSync(join(tmpdir(), "dpusim-scenario-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(path, name, ".."), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return { path, done: () => rmSync(path, { recursive: true }) };
}
