// SPDX-License-Identifier: Apache-2.0
// Small projects in temporary folders, for tests of the tools.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { projectRoot } from "../../tools/process.ts";

const folders: string[] = [];

/** Makes a temporary folder with these files and the project's packages. */
export function toyFolder(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "dpusim-house-"));
  folders.push(folder);
  symlinkSync(join(projectRoot, "node_modules"), join(folder, "node_modules"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** Removes every toy of this process. */
export function removeToys(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** A core of one function, for `toyFolder`. */
export const toyCore = {
  "assembly/index.ts": 'export { double } from "./double";\n',
  "assembly/double.ts": "/** Twice. */\nexport function double(x: u32): u32 {\n  return x * 2; // + 0\n}\n",
  "asconfig.json": JSON.stringify({
    entries: ["assembly/index.ts"],
    options: { runtime: "stub", bindings: "raw" },
    targets: { lean: { outFile: "build/core.wasm", textFile: "build/core.wat", optimizeLevel: 1 } },
  }),
};
