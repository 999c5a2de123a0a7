// SPDX-License-Identifier: Apache-2.0
// The command line as a user calls it: as built where that is newer than every source, else from the
// sources.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isFresh } from "../../tools/build.ts";

export const projectRoot = fileURLToPath(new URL("../../", import.meta.url));

const sources = ["src", "assembly/abi.ts"].map((path) => join(projectRoot, path));
const built = join(projectRoot, "dist/src/cli/main.js");
const program = isFresh(join(projectRoot, "build/dist.stamp"), sources)
  ? [built]
  : ["--import", import.meta.resolve("tsx"), join(projectRoot, "src/cli/main.ts")];

/** What a call of the command line gave. */
export interface Called {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a call is made. */
export interface CallOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A descriptor that takes the place of stdout, whose text is then not collected. */
  readonly stdoutTo?: number;
  /** Sends SIGINT after this many ms. */
  readonly interruptAfterMs?: number;
}

/** Calls `dpusim ARGS…` in a process of its own. */
export function dpusim(args: readonly string[], options: CallOptions = {}): Promise<Called> {
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, ...options.env };
  const cwd = options.cwd ?? projectRoot;
  const child = spawn(process.execPath, [...program, ...args], {
    cwd,
    env,
    stdio: ["pipe", options.stdoutTo ?? "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdin?.end();
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  if (options.interruptAfterMs !== undefined)
    setTimeout(() => child.kill("SIGINT"), options.interruptAfterMs);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** Maps over items with at most `most` under way. */
export async function mapAtMost<T, R>(
  most: number,
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]!);
    }
  };
  await Promise.all(Array.from({ length: most }, lane));
  return results;
}
