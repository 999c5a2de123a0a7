// SPDX-License-Identifier: Apache-2.0
/** The identity of the running program: what a result was made with. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { coreBytes } from "../core.ts";
import { sha256 } from "../trace/digest.ts";

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return /\.(js|ts)$/.test(entry.name) && !entry.name.endsWith(".d.ts") ? [path] : [];
  });
}

/** SHA-256 over the lean core and the program's own files, with their paths below the program's folder. */
export function buildId(): string {
  const folder = fileURLToPath(new URL("../", import.meta.url));
  const text = new TextEncoder();
  const running = sha256();
  running.update(coreBytes("lean"));
  for (const path of filesBelow(folder).sort()) {
    const name = relative(folder, path).replaceAll("\\", "/");
    const bytes = readFileSync(path);
    running.update(text.encode(`\n${name} ${bytes.length}\n`));
    running.update(bytes);
  }
  return running.hex();
}
