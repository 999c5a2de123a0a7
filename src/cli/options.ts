// SPDX-License-Identifier: Apache-2.0
/** Values of options: what is wrong with one is said in a line that begins with the option. */
import { type Dimension, parseQuantity, type Rational, show, UnitError } from "../scenario/units.ts";
import { InputError } from "./errors.ts";

/** What there is to choose from: `1, 2 or 3`. */
export function oneOf(values: readonly (number | string)[]): string {
  return `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
}

/** Runs a parser of units; its complaint becomes one about the option. */
export function parsed<T>(option: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof UnitError) throw new InputError(`--${option}: ${error.message}`);
    throw error;
  }
}

/** A quantity of a dimension. @throws InputError */
export function quantity(option: string, text: string, dimension: Dimension): Rational {
  return parsed(option, () => parseQuantity(text, dimension));
}

/** Whole bytes; a plain number is bytes. @throws InputError */
export function bytesOf(option: string, text: string, least: number, most: number): number {
  const { num, den } = /^\d+$/.test(text) ? { num: BigInt(text), den: 1n } : quantity(option, text, "bytes");
  const bytes = Number(num) / Number(den);
  if (Number.isInteger(bytes) && bytes >= least && bytes <= most) return bytes;
  throw new InputError(`--${option}: ${show(text)} is out of range; write ${least} to ${most} B`);
}

/** A whole number. @throws InputError */
export function wholeOf(option: string, text: string, least: number, most: number): number {
  if (/^\d+$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
  throw new InputError(`--${option}: ${show(text)} is no whole number from ${least} to ${most}`);
}
