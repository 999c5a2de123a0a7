// SPDX-License-Identifier: Apache-2.0
// Programs that tests compare with. A missing one is a skip with a named reason, with CI=true a failure.
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Callback, Test } from "uvu";

/** Whether a peer is here: `path` leads to it, or `reason` says what to install. */
export type Peer = { present: true; path: string; reason: "" } | { present: false; path: ""; reason: string };

/** What is looked for → the Debian package that brings it. tools/peers.sh holds the same list. */
export const peerPackages: Readonly<Record<string, string>> = {
  chromium: "chromium",
  gcc: "gcc",
  "lz4.h": "liblz4-dev",
  lz4: "lz4",
};

function onPath(program: string): string | null {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/**
 * Looks for a program on the PATH, or for a C header (a name that ends in `.h`) where Debian puts it.
 * Throws for a name that is not in `peerPackages`: `npm run peers` would not install it.
 */
export function needs(program: string): Peer {
  const debianPackage = peerPackages[program];
  if (debianPackage === undefined) throw new Error(`${program} is not in peerPackages`);
  const header = join("/usr/include", program);
  const found = program.endsWith(".h") ? (existsSync(header) ? header : null) : onPath(program);
  if (found !== null) return { present: true, path: found, reason: "" };
  const reason = `${program} is missing (Debian package ${debianPackage}; npm run peers installs it)`;
  return { present: false, path: "", reason };
}

/**
 * Registers a test that needs peers. Without one of them the test is skipped and the reason printed for the
 * runner, or, with CI=true, it fails with that reason.
 */
export function peerTest<Context>(
  test: Test<Context>,
  programs: readonly string[],
  name: string,
  body: Callback<Context>,
): void {
  const missing = programs.map(needs).find((peer) => !peer.present);
  if (missing === undefined) {
    test(name, body);
  } else if (process.env.CI === "true" || process.env.CI === "1") {
    test(name, () => {
      throw new Error(missing.reason);
    });
  } else {
    console.log(`# skip ${name}: ${missing.reason}`);
    test.skip(name, body);
  }
}
