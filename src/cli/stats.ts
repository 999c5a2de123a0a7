// SPDX-License-Identifier: Apache-2.0
/** `dpusim stats [GLOB]`: the statistics of a result, with unit and meaning. */
import { statsCatalogue } from "../result/stats.ts";
import { InputError } from "./errors.ts";

/** A glob of `*` (anything) and `?` (one character) as a pattern for whole names. */
function pattern(glob: string): RegExp {
  const escaped = glob.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "i");
}

/**
 * The text of `dpusim stats`.
 * @param glob which names to show; a word without `*` or `?` is looked for anywhere
 * @throws InputError when nothing matches
 */
export function statsCommand(glob = "*"): string {
  const wanted = pattern(/[*?]/.test(glob) ? glob : `*${glob}*`);
  const found = statsCatalogue().filter(({ name }) => wanted.test(name));
  if (found.length === 0) throw new InputError(`stats ${glob}: matches no name; dpusim stats lists them all`);
  const width = Math.max(4, ...found.map(({ name }) => name.length));
  const units = Math.max(4, ...found.map(({ unit }) => unit.length));
  const line = (name: string, unit: string, text: string): string =>
    `${name.padEnd(width)}  ${unit.padEnd(units)}  ${text}\n`;
  return (
    line("NAME", "UNIT", "MEANING") + found.map(({ name, unit, text }) => line(name, unit, text)).join("")
  );
}
