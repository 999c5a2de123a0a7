// SPDX-License-Identifier: Apache-2.0
// `npm run build`: the core in each variant (asc), then the library and the command line (tsc).
// A target that is newer than all it is made from is left alone; `--force` builds regardless.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import binaryen from "binaryen";
import { indent, isMain, mapAtMost, projectRoot, runPackage } from "./process.ts";

interface Target {
  outFile: string;
  textFile?: string;
  optimizeLevel?: number;
}

interface BuildOptions {
  root: string;
  force: boolean;
}

interface Built {
  name: string;
  ok: boolean;
  note: string;
}

/** The latest modification under `path` in ms since 1970; folders count, so a removed file is noticed. */
export function newestMs(path: string): number {
  if (!existsSync(path)) return 0;
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  return readdirSync(path).reduce(
    (latest, name) => Math.max(latest, newestMs(join(path, name))),
    status.mtimeMs,
  );
}

/** True when `output` exists and none of `inputs` changed since it was begun. */
export function isFresh(output: string, inputs: readonly string[]): boolean {
  if (!existsSync(output)) return false;
  return inputs.every((input) => newestMs(input) < statSync(output).mtimeMs);
}

/**
 * Optimises a compiled core once more with larger limits on what is inlined, in instructions. asc's own
 * limits are those of small modules, and V8 inlines no wasm call: this is worth about a sixth of a run.
 * Larger ones make functions whose values no longer fit the registers.
 */
function inlineMore(wasm: string): void {
  const module = binaryen.readBinary(readFileSync(wasm));
  module.setFeatures(binaryen.Features.All);
  binaryen.setDebugInfo(true);
  binaryen.setOptimizeLevel(3);
  binaryen.setShrinkLevel(0);
  binaryen.setAlwaysInlineMaxSize(80);
  binaryen.setFlexibleInlineMaxSize(400);
  binaryen.setOneCallerInlineMaxSize(700);
  module.optimize();
  writeFileSync(wasm, module.emitBinary());
  module.dispose();
}

/** Compiles one target beside the final place and moves it there whole: a killed build leaves no half. */
async function buildCore(name: string, target: Target, options: BuildOptions): Promise<Built> {
  const { root } = options;
  const outFile = join(root, target.outFile);
  const inputs = ["assembly", "asconfig.json", "package-lock.json"].map((input) => join(root, input));
  if (!options.force && isFresh(outFile, inputs)) return { name, ok: true, note: "up to date" };
  const draft = join(dirname(outFile), `.draft-${name}-${process.pid}`);
  mkdirSync(draft, { recursive: true });
  const startedAt = new Date();
  const args = ["--config", "asconfig.json", "--target", name, "--outFile", join(draft, basename(outFile))];
  if (target.textFile !== undefined) args.push("--textFile", join(draft, basename(target.textFile)));
  const result = await runPackage("assemblyscript/bin/asc.js", args, { cwd: root });
  const ok = result.code === 0;
  if (ok) {
    if (target.optimizeLevel === 3) inlineMore(join(draft, basename(outFile)));
    // The wasm last: it alone is asked whether the target is fresh.
    const made = readdirSync(draft).sort((a, b) => Number(a.endsWith(".wasm")) - Number(b.endsWith(".wasm")));
    for (const file of made) {
      utimesSync(join(draft, file), startedAt, startedAt);
      renameSync(join(draft, file), join(dirname(outFile), file));
    }
  }
  rmSync(draft, { recursive: true, force: true });
  const seconds = (result.durationMs / 1000).toFixed(1);
  return { name, ok, note: ok ? `${seconds} s\n${result.output}`.trimEnd() : result.output };
}

/** The command line must start by itself where npm links it. */
function finishCommandLine(root: string): string | null {
  const main = join(root, "dist/src/cli/main.js");
  if (!existsSync(main)) return "src/cli/main.ts is missing: the package's bin would lead nowhere";
  if (!readFileSync(main, "utf8").startsWith("#!/usr/bin/env node\n")) {
    return "src/cli/main.ts must begin with #!/usr/bin/env node";
  }
  chmodSync(main, 0o755);
  return null;
}

async function buildLibrary(options: BuildOptions): Promise<Built> {
  const { root } = options;
  const name = "dist";
  const stamp = join(root, "build/dist.stamp");
  const sources = ["src", "assembly/abi.ts", "tsconfig.json", "tsconfig.build.json", "package-lock.json"];
  const inputs = sources.map((input) => join(root, input));
  if (!options.force && existsSync(join(root, "dist")) && isFresh(stamp, inputs)) {
    return { name, ok: true, note: "up to date" };
  }
  const startedAt = new Date();
  rmSync(join(root, "dist"), { recursive: true, force: true });
  rmSync(stamp, { force: true });
  const result = await runPackage("typescript/bin/tsc", ["-p", "tsconfig.build.json"], { cwd: root });
  if (result.code !== 0) return { name, ok: false, note: result.output };
  const fault = finishCommandLine(root);
  if (fault !== null) return { name, ok: false, note: fault };
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, "");
  utimesSync(stamp, startedAt, startedAt);
  return { name, ok: true, note: `${(result.durationMs / 1000).toFixed(1)} s` };
}

/**
 * Builds every target of asconfig.json two at a time, then dist/. Prints a line each on stderr.
 * Returns true when all of them were built or up to date.
 */
export async function build(options: BuildOptions): Promise<boolean> {
  const config = JSON.parse(readFileSync(join(options.root, "asconfig.json"), "utf8"));
  const targets = Object.entries(config.targets as Record<string, Target>);
  const report = (built: Built): boolean => {
    const short = built.ok && !built.note.includes("\n");
    const text = short ? ` ${built.note}` : `\n${indent(built.note, 2)}`;
    console.error(`build ${built.name.padEnd(12)} ${built.ok ? "ok  " : "FAIL"}${text}`);
    return built.ok;
  };
  const cores = await mapAtMost(2, targets, async ([name, target]) =>
    report(await buildCore(name, target, options)),
  );
  return report(await buildLibrary(options)) && cores.every(Boolean);
}

if (isMain(import.meta.url)) {
  const args = process.argv.slice(2);
  const unknown = args.find((arg) => arg !== "--force");
  if (unknown !== undefined) {
    console.error(`build: unknown argument ${unknown}; the only one is --force`);
    process.exit(2);
  }
  process.exitCode = (await build({ root: projectRoot, force: args.includes("--force") })) ? 0 : 1;
}
