// SPDX-License-Identifier: Apache-2.0
// `npm run mutate -- [WORD…] [--optimize 0..3] [--timeout SECONDS]`: makes each mistake of mutations.ts in a
// copy of the core, compiles it and runs the probe, test/lib/mutant.ts, on it. A mistake in src/ is made in a
// copy of the project, whose probe gets the core as it is. The probe must accept the core and the project as
// they are and reject the copy.
import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import asc from "assemblyscript/asc";
import { mutations } from "./mutations.ts";
import { indent, inTemporaryFolder, isMain, mapAtMost, projectRoot, run } from "./process.ts";

/** One mistake. */
export interface Mutation {
  name: string;
  /** The file that has it, as a path of the project (`assembly/…` or `src/…`). */
  file: string;
  /** Text that occurs once in the file. */
  find: string;
  replace: string;
  /** The invariant or test that is expected to notice. */
  caughtBy: string;
  /** What the probe is to run: its first argument. Without it the probe runs what it runs by default. */
  test?: string;
}

export interface MutateOptions {
  /** The folder with assembly/ and asconfig.json. */
  root: string;
  mutations: readonly Mutation[];
  /** Absolute path of the probe; it finds the core in DPUSIM_CORE_WASM and exits 0 when all is well. */
  probe: string;
  /** asc's optimize level of the cores probed. */
  optimizeLevel: number;
  /** How long one probe may take. */
  timeoutMs: number;
  print: (text: string) => void;
}

type Compiled = { ok: true; wasm: string; hash: string } | { ok: false; reason: string };
type Outcome = { caught: boolean; detail: string; durationMs: number };

/** The core as it is. */
interface Baseline {
  hash: string;
  wasm: Uint8Array;
}

/** Folders of a project that its copy shares: nothing in them imports from src/. */
const SHARED = ["node_modules", "build", "dist", "sim"];

/** The text of the file with the mistake; why it cannot be made is thrown. */
function spoilt(root: string, mutation: Mutation): string {
  const path = join(root, mutation.file);
  if (!existsSync(path)) throw new Error(`${mutation.file} is missing`);
  const parts = readFileSync(path, "utf8").split(mutation.find);
  if (parts.length !== 2)
    throw new Error(`\`find\` occurs ${parts.length - 1} times in ${mutation.file}, not once`);
  if (mutation.find === mutation.replace) throw new Error("`replace` equals `find`");
  return parts.join(mutation.replace);
}

/** Copies the project of `root` to `folder`. */
function copyProject(root: string, folder: string): void {
  for (const name of readdirSync(root)) {
    if (SHARED.includes(name)) symlinkSync(join(root, name), join(folder, name));
    else if (!name.startsWith(".")) cpSync(join(root, name), join(folder, name), { recursive: true });
  }
}

/**
 * Compiles the core of `root`, with `mutation` when one is given, to a file in `folder`. The compiler runs in
 * this process, where it is warm after the first core, and is given the mistake in place of the file.
 */
async function compile(options: MutateOptions, folder: string, mutation: Mutation | null): Promise<Compiled> {
  const { root } = options;
  const config = JSON.parse(readFileSync(join(root, "asconfig.json"), "utf8"));
  const { textFile: _text, ...lean } = config.targets.lean;
  const mutant = { ...lean, outFile: "core.wasm", optimizeLevel: options.optimizeLevel };
  const replaced = new Map([
    [resolve(root, "asconfig.json"), JSON.stringify({ ...config, targets: { mutant } })],
  ]);
  if (mutation !== null) replaced.set(resolve(root, mutation.file), spoilt(root, mutation));
  const readFile = (name: string, base: string): string | null => {
    const path = resolve(base, name);
    return replaced.get(path) ?? (existsSync(path) ? readFileSync(path, "utf8") : null);
  };
  let wasm: Uint8Array | undefined;
  const writeFile = (name: string, content: string | Uint8Array): void => {
    if (name.endsWith("core.wasm") && typeof content !== "string") wasm = content;
  };
  let output = "";
  const listener = {
    write: (text: string | Uint8Array): void => {
      output += typeof text === "string" ? text : Buffer.from(text).toString("utf8");
    },
  };
  const args = ["--config", "asconfig.json", "--baseDir", root, "--target", "mutant", "--bindings", ""];
  const { error } = await asc.main(args, { readFile, writeFile, stdout: listener, stderr: listener });
  if (error !== null || wasm === undefined)
    return { ok: false, reason: `does not compile:\n${indent(`${output}${error?.message ?? ""}`, 2)}` };
  const path = join(folder, "core.wasm");
  writeFileSync(path, wasm);
  return { ok: true, wasm: path, hash: createHash("sha256").update(wasm).digest("hex") };
}

function runProbe(options: MutateOptions, wasm: string, test: string | undefined, cwd = projectRoot) {
  const probe = cwd === projectRoot ? options.probe : join(cwd, relative(options.root, options.probe));
  const args = ["--import", "tsx", probe, ...(test === undefined ? [] : [test])];
  const env = { DPUSIM_CORE_WASM: wasm, NO_COLOR: "1", FORCE_COLOR: undefined };
  return run(process.execPath, args, { cwd, env, timeoutMs: options.timeoutMs });
}

/** The core as it is must pass every kind of probe; returns it, or null after saying what is wrong. */
async function checkBaseline(options: MutateOptions): Promise<Baseline | null> {
  return await inTemporaryFolder(async (folder) => {
    const compiled = await compile(options, folder, null);
    if (!compiled.ok) {
      options.print(`FAIL the core without a mistake: ${compiled.reason}`);
      return null;
    }
    const kinds = [...new Set(options.mutations.map(({ test }) => test))];
    const passes = await mapAtMost(2, kinds, async (kind) => {
      const { code, output, timedOut } = await runProbe(options, compiled.wasm, kind);
      if (code === 0) return true;
      const reason = timedOut ? "did not end" : `exit code ${code}`;
      options.print(`FAIL the probe ${kind ?? ""} rejects the core without a mistake: ${reason}`);
      options.print(indent(output, 7));
      return false;
    });
    return passes.every(Boolean) ? { hash: compiled.hash, wasm: readFileSync(compiled.wasm) } : null;
  });
}

/** The core with the mistake, or the project with it and the core as it is; a text says why there is none. */
async function prepare(
  options: MutateOptions,
  folder: string,
  mutation: Mutation,
  baseline: Baseline,
): Promise<{ wasm: string; cwd: string } | string> {
  try {
    if (mutation.file.startsWith("assembly/")) {
      const compiled = await compile(options, folder, mutation);
      if (!compiled.ok) return compiled.reason;
      if (compiled.hash === baseline.hash) return "compiles to the same core: no mistake at all";
      return { wasm: compiled.wasm, cwd: projectRoot };
    }
    const text = spoilt(options.root, mutation);
    copyProject(options.root, folder);
    writeFileSync(join(folder, mutation.file), text);
  } catch (error) {
    return (error as Error).message;
  }
  const wasm = join(folder, "core.wasm");
  writeFileSync(wasm, baseline.wasm);
  return { wasm, cwd: folder };
}

async function tryMutation(options: MutateOptions, mutation: Mutation, baseline: Baseline): Promise<Outcome> {
  return await inTemporaryFolder(async (folder) => {
    const ready = await prepare(options, folder, mutation, baseline);
    if (typeof ready === "string") return { caught: false, detail: ready, durationMs: 0 };
    const finished = await runProbe(options, ready.wasm, mutation.test, ready.cwd);
    const { code, output, timedOut, durationMs } = finished;
    const lastLine = output.trim().split("\n").at(-1) ?? "";
    if (timedOut) {
      const detail = `did not end in ${options.timeoutMs / 1000} s: a watchdog is no test`;
      return { caught: false, detail, durationMs };
    }
    return { caught: code !== 0, detail: lastLine === "" ? `exit code ${code}` : lastLine, durationMs };
  });
}

/** Tries the mutations two at a time, prints a row each, and counts. */
export async function mutate(options: MutateOptions): Promise<{ caught: number; survived: number }> {
  const total = options.mutations.length;
  const baseline = total === 0 ? null : await checkBaseline(options);
  if (baseline === null) return { caught: 0, survived: total };
  const width = Math.max(...options.mutations.map(({ name }) => name.length));
  const outcomes = await mapAtMost(2, options.mutations, async (mutation) => {
    const outcome = await tryMutation(options, mutation, baseline);
    const mark = outcome.caught ? "caught  " : "SURVIVED";
    const seconds = (outcome.durationMs / 1000).toFixed(1).padStart(5);
    options.print(`${mark} ${mutation.name.padEnd(width)} ${seconds} s  expected: ${mutation.caughtBy}`);
    options.print(indent(`by: ${outcome.detail}`, 9));
    return outcome;
  });
  const caught = outcomes.filter((outcome) => outcome.caught).length;
  return { caught, survived: total - caught };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { optimize: { type: "string", default: "0" }, timeout: { type: "string", default: "60" } },
  });
  const wanted = ({ name }: Mutation): boolean =>
    positionals.length === 0 || positionals.some((word) => name.includes(word));
  const chosen = mutations.filter(wanted);
  if (chosen.length === 0) console.log("FAIL no mutation to try");
  const counts = await mutate({
    root: projectRoot,
    mutations: chosen,
    probe: join(projectRoot, "test/lib/mutant.ts"),
    optimizeLevel: Number(values.optimize),
    timeoutMs: Number(values.timeout) * 1000,
    print: (text) => console.log(text),
  });
  console.log(`${counts.caught} caught, ${counts.survived} survived`);
  process.exitCode = counts.survived > 0 || counts.caught === 0 ? 1 : 0;
}

if (isMain(import.meta.url)) await main();
