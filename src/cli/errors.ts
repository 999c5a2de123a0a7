// SPDX-License-Identifier: Apache-2.0
/** What the command line says when something is wrong, and the exit code. */
import { SYSTEM_ERRORS } from "../system-errors.ts";

/** 0 done, 1 a check failed, 2 usage or bad input, 3 a fault of dpusim, 130 interrupted. */
export type ExitCode = 0 | 1 | 2 | 3 | 130;

/** Bad input: `lines` are printed as they are. */
export class InputError extends Error {
  override name = "InputError";
  readonly lines: readonly string[];
  constructor(...lines: readonly string[]) {
    super(lines.join("\n"));
    this.lines = lines;
  }
}

/** The user pressed Ctrl-C. */
export class Interrupted extends Error {
  override name = "Interrupted";
}

/**
 * A failed file operation as an input error: one line `file: what is wrong`. Others are returned as they are.
 */
export function fileError(file: string, error: unknown): Error {
  const { code, syscall } = error as NodeJS.ErrnoException;
  const fallback = syscall === undefined ? undefined : `cannot be used (${code})`;
  const known = typeof code === "string" ? (SYSTEM_ERRORS[code] ?? fallback) : undefined;
  if (known !== undefined) return new InputError(`${file === "" ? '""' : file}: ${known}`);
  return error instanceof Error ? error : new Error(String(error));
}

interface Named {
  readonly name?: string;
  readonly message?: string;
  readonly lines?: readonly string[];
  readonly code?: string;
  readonly stack?: string;
}

const INPUT: ReadonlySet<string> = new Set([
  "InputError",
  "ScenarioError",
  "TraceError",
  "ImportError",
  "CommanderError",
]);

/** The exit code of an error. Errors are known by name, so that their modules need not be loaded here. */
export function exitCodeOf(error: unknown): ExitCode {
  const { name } = error as Named;
  if (name === "Interrupted") return 130;
  return isInput(error as Named) ? 2 : 3;
}

function isInput({ name, code }: Named): boolean {
  return INPUT.has(name ?? "") || (typeof code === "string" && code.startsWith("commander."));
}

/** Names of files and keys are the user's: what would break the line or move the cursor becomes "?". */
function oneLine(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
}

/** Writes what is wrong to stderr: a line for an input error, a request to report for anything unexpected. */
export function reportError(error: unknown): void {
  const one = error as Named;
  const say = (line: string): unknown => process.stderr.write(`${oneLine(line)}\n`);
  if (one.name === "Interrupted") {
    say("dpusim: interrupted");
  } else if (one.lines !== undefined) {
    for (const line of one.lines) say(line);
  } else if (typeof one.code === "string" && one.code.startsWith("commander.")) {
    const text = (one.message ?? "")
      .replace(/^error: /, "")
      .replace(/\.?\n/g, " ")
      .replace(/\.$/, "");
    if (one.code === "commander.help") say("dpusim: a command is missing; dpusim --help lists them");
    else say(`dpusim: ${text}; dpusim --help shows what there is`);
  } else if (isInput(one)) {
    say(one.message ?? "");
  } else {
    say(`dpusim: a fault of dpusim itself: ${one.message ?? String(error)}`);
    say("Please report it with the command, the scenario and the lines below.");
    process.stderr.write(`${one.stack ?? String(error)}\n`);
  }
}
