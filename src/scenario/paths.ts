// SPDX-License-Identifier: Apache-2.0
/** Files that a scenario names: relative to the scenario, and inside its project unless that is allowed. */
import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { show } from "./units.ts";

/** The nearest folder at or above `folder` with a package.json, else `folder` itself. */
function projectOf(folder: string): string {
  for (let here = folder; ; here = dirname(here)) {
    if (existsSync(join(here, "package.json"))) return here;
    if (dirname(here) === here) return folder;
  }
}

/** Whether a real path lies in a real folder. */
function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === "" || (!isAbsolute(way) && way !== ".." && !way.startsWith(`..${sep}`));
}

/** A file found, or what is wrong with its path. */
export type Found = { readonly file: string } | { readonly problem: string };

/**
 * Finds a file named by a scenario. Links are followed before the place is judged, those to the folder too.
 * @param named the path as written
 * @param scenarioFolder the folder of the scenario's file
 * @param allowOutside whether the file may lie outside the scenario's project
 */
export function findFile(named: string, scenarioFolder: string, allowOutside: boolean): Found {
  const folder = existsSync(scenarioFolder) ? realpathSync(scenarioFolder) : resolve(scenarioFolder);
  const path = resolve(folder, named);
  const project = projectOf(folder);
  const outside = `${show(named)} leaves the project; move it inside or give --allow-outside`;
  if (!allowOutside && !isInside(project, path)) return { problem: outside };
  try {
    const file = realpathSync(path);
    if (!allowOutside && !isInside(project, file)) return { problem: outside };
    return statSync(file).isFile()
      ? { file }
      : { problem: `${show(named)} is not a file; name a trace file` };
  } catch {
    return { problem: `${show(named)} is not there; paths are relative to the scenario's file` };
  }
}
