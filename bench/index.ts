// SPDX-License-Identifier: Apache-2.0
/** `npm run bench`: every suite in turn, one process each. Arguments go to all of them. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

for (const suite of ["lz4.ts", "gcm.ts", "path.ts", "link.ts", "limits.ts"]) {
  const file = fileURLToPath(new URL(suite, import.meta.url));
  const { status } = spawnSync(process.execPath, ["--import", "tsx", file, ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  if (status !== 0) process.exitCode = status ?? 1;
}
