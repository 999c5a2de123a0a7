// SPDX-License-Identifier: Apache-2.0
// What the developer tools share: children with a watchdog, a pool of fixed width, the line of counts.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder: absolute, without a slash at its end. */
export const projectRoot: string = dirname(dirname(fileURLToPath(import.meta.url)));

/** What a child left. `code` is null when a signal ended it; `output` is stdout and stderr as they came. */
export interface Finished {
  code: number | null;
  output: string;
  timedOut: boolean;
  durationMs: number;
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string | undefined>;
  /** After this the child and everything it started is killed. */
  timeoutMs?: number;
}

const running = new Set<number>();
let stopsWithUs = false;

/** Ends a child and all its descendants: each child leads a process group of its own. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is already gone.
  }
}

function stopChildrenWithUs(): void {
  if (stopsWithUs) return;
  stopsWithUs = true;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      for (const pid of running) killGroup(pid);
      process.exit(130);
    });
  }
}

/**
 * Runs a program without stdin and collects what it prints. Never rejects: a program that cannot be started
 * gives code 127 and the reason as output.
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  stopChildrenWithUs();
  const startedAtMs = performance.now();
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? projectRoot,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const { pid } = child;
    let output = "";
    let timedOut = false;
    if (pid !== undefined) running.add(pid);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    const watchdog = setTimeout(() => {
      timedOut = true;
      if (pid !== undefined) killGroup(pid);
    }, options.timeoutMs ?? 600_000);
    const finish = (code: number | null): void => {
      clearTimeout(watchdog);
      if (pid !== undefined) running.delete(pid);
      resolve({ code, output, timedOut, durationMs: performance.now() - startedAtMs });
    };
    child.on("error", (error) => {
      output += `${error.message}\n`;
      finish(127);
    });
    // A grandchild that outlives the child keeps the pipes open: it ends with the child.
    child.on("exit", () => {
      if (pid !== undefined) killGroup(pid);
    });
    child.on("close", finish);
  });
}

/** Runs a JavaScript file of an installed package, `node_modules/${script}`. */
export function runPackage(script: string, args: readonly string[], options?: RunOptions): Promise<Finished> {
  return run(process.execPath, [join(projectRoot, "node_modules", script), ...args], options);
}

/** Works through `items` with at most `width` under way; results keep the order of the items. */
export async function mapAtMost<Item, Result>(
  width: number,
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = new Array(items.length);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index] as Item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  return results;
}

/** A temporary folder for the length of `work`. */
export async function inTemporaryFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "dpusim-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** The line that scripts read: it stands alone at the end of stdout. */
export function countsLine(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

/** Sets every line in by `columns` spaces. */
export function indent(text: string, columns: number): string {
  const margin = " ".repeat(columns);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => (line === "" ? line : margin + line))
    .join("\n");
}

/** True where a missing program is a failure and not a skip. */
export function inContinuousIntegration(): boolean {
  return process.env.CI === "true" || process.env.CI === "1";
}

/** True when the module is the file that node was started with. */
export function isMain(moduleUrl: string): boolean {
  return process.argv[1] !== undefined && fileURLToPath(moduleUrl) === process.argv[1];
}
