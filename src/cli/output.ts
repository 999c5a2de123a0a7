// SPDX-License-Identifier: Apache-2.0
/**
 * Files that a command writes: whole or not at all, and refused before the work where they cannot be written.
 */
import {
  accessSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileError, InputError } from "./errors.ts";

/** A place to write to. */
export interface Output {
  /** What the user called it, for messages. */
  readonly label: string;
  /**
   * The file that is written first and then takes the place's name; the place itself where that is a pipe or
   * a device, which must not be replaced by a file.
   */
  readonly draft: string;
  /** Where the draft goes; null for a pipe or a device. */
  readonly target: string | null;
}

/** What stands at a path, links followed; null for nothing. */
function standing(label: string, file: string): Stats | null {
  try {
    return statSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw fileError(label, error);
  }
  let link: Stats;
  try {
    link = lstatSync(file);
  } catch {
    return null;
  }
  if (link.isSymbolicLink()) throw new InputError(`${label}: is a link to nothing; name a file`);
  return null;
}

/** Makes the draft and removes it: what is in its way shows now. */
function tryDraft(label: string, folder: string, draft: string): void {
  try {
    closeSync(openSync(draft, "wx"));
    rmSync(draft);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new InputError(`${label}: no file can be made in ${folder}; name another`);
    throw fileError(label, error);
  }
}

/**
 * Refuses a place that cannot be written.
 * @param option what named it: `--json`
 * @param inputs files that the command reads, which it must not write over
 * @throws InputError
 */
export function outputAt(option: string, file: string, inputs: readonly (string | null)[] = []): Output {
  if (file === "") throw new InputError(`${option}: has no value; name a file`);
  const label = `${option} ${file}`;
  const folder = dirname(file);
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) {
    throw new InputError(`${label}: there is no folder ${folder}`);
  }
  const there = standing(label, file);
  if (there?.isDirectory() || /[\\/]$/.test(file)) throw new InputError(`${label}: is a folder; name a file`);
  if (there !== null && !there.isFile()) return { label, draft: file, target: null };
  const target = there === null ? file : realpathSync(file);
  for (const input of inputs) {
    const read = input === null ? undefined : statSync(input, { throwIfNoEntry: false });
    if (there !== null && read?.ino === there.ino && read.dev === there.dev) {
      throw new InputError(`${label}: is what this command reads; name another file`);
    }
  }
  try {
    if (there !== null) accessSync(target, constants.W_OK);
  } catch (error) {
    throw fileError(label, error);
  }
  const draft = join(dirname(target), `.dpusim-${process.pid}.tmp`);
  tryDraft(label, folder, draft);
  return { label, draft, target };
}

/** The draft takes its place. @throws InputError */
export function keepDraft({ label, draft, target }: Output): void {
  try {
    if (target !== null) renameSync(draft, target);
  } catch (error) {
    throw fileError(label, error);
  }
}

/** Nothing stays. */
export function dropDraft({ draft, target }: Output): void {
  if (target !== null) rmSync(draft, { force: true });
}

/** Writes a text. @throws InputError */
export function writeOutput(output: Output, text: string): void {
  try {
    writeFileSync(output.draft, text);
    keepDraft(output);
  } catch (error) {
    dropDraft(output);
    throw fileError(output.label, error);
  }
}
