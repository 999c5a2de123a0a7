// SPDX-License-Identifier: Apache-2.0
/** `dpusim stats [GLOB]`: the statistics of a result, with unit and meaning. */
import { statsCatalogue } from "../result/stats.ts";
import { InputError } from "./errors.ts";

/** Whether a glob of `*` (anything) and `?` (one character) fits a whole name. No pattern takes long. */
function fits(glob: string, name: string): boolean {
  let [g, n, star, from] = [0, 0, -1, 0];
  while (n < name.length) {
    if (glob[g] === "*") [star, from] = [g++, n];
    else if (glob[g] === "?" || glob[g] === name[n]) [g, n] = [g + 1, n + 1];
    else if (star >= 0) [g, n] = [star + 1, ++from];
    else return false;
  }
  while (glob[g] === "*") g++;
  return g === glob.length;
}

/**
 * The text of `dpusim stats`.
 * @param glob which names to show; a word without `*` or `?` is looked for anywhere
 * @throws InputError when nothing matches
 */
export function statsCommand(glob = "*"): string {
  const wanted = (/[*?]/.test(glob) ? glob : `*${glob}*`).toLowerCase();
  const found = statsCatalogue().filter(({ name }) => fits(wanted, name.toLowerCase()));
  if (found.length === 0) throw new InputError(`stats ${glob}: matches no name; dpusim stats lists them all`);
  const width = Math.max(4, ...found.map(({ name }) => name.length));
  const units = Math.max(4, ...found.map(({ unit }) => unit.length));
  const line = (name: string, unit: string, text: string): string =>
    `${name.padEnd(width)}  ${unit.padEnd(units)}  ${text}\n`;
  return (
    line("NAME", "UNIT", "MEANING") + found.map(({ name, unit, text }) => line(name, unit, text)).join("")
  );
}
