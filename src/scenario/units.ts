// SPDX-License-Identifier: Apache-2.0
/**
 * Quantities with units, read exactly.
 *
 * A quantity is a decimal number and a unit: '100 Gbit/s', '4 KiB', '1.5 GHz'. The space is optional. It
 * becomes a rational of big integers in the base unit of its dimension; nothing passes through floats.
 * A bit is not a byte, k (1000) is not Ki (1024), and only 0 goes without a unit. Pure counts are not read
 * here.
 */

/** An exact value num / den, den > 0, in lowest terms. */
export interface Rational {
  readonly num: bigint;
  readonly den: bigint;
}

/** What a number measures. The base unit of each is in UNITS. */
export type Dimension =
  | "rate"
  | "bytes"
  | "time"
  | "clock"
  | "events"
  | "cycles"
  | "bytesPerCycle"
  | "bitsPerCycle";

/** A quantity that cannot be read; the message says what is wrong and what would be right. */
export class UnitError extends Error {
  override name = "UnitError";
}

/** Ticks of one second: a tick is 2^-10 ps. */
export const TICKS_PER_SECOND = 1024n * 10n ** 12n;
/** The longest time that fits: 2.5 hours stay below 2^63 ticks. */
const TICKS_MAX = 9000n * TICKS_PER_SECOND;

const DECIMAL: readonly (readonly [string, bigint])[] = [
  ["k", 10n ** 3n],
  ["M", 10n ** 6n],
  ["G", 10n ** 9n],
  ["T", 10n ** 12n],
];
const BINARY: readonly (readonly [string, bigint])[] = [
  ["Ki", 1n << 10n],
  ["Mi", 1n << 20n],
  ["Gi", 1n << 30n],
  ["Ti", 1n << 40n],
];

function scaled(prefixes: typeof DECIMAL, unit: string, base: bigint): [string, Rational][] {
  return prefixes.map(([prefix, factor]) => [prefix + unit, { num: factor * base, den: 1n }]);
}

function whole(num: bigint, den = 1n): Rational {
  return { num, den };
}

interface DimensionInfo {
  readonly noun: string;
  readonly example: string;
  readonly base: string;
  readonly units: ReadonlyMap<string, Rational>;
}

const UNITS: Readonly<Record<Dimension, DimensionInfo>> = {
  rate: {
    noun: "a rate",
    example: "100 Gbit/s",
    base: "bit/s",
    units: new Map([
      ["bit/s", whole(1n)],
      ...scaled(DECIMAL, "bit/s", 1n),
      ["B/s", whole(8n)],
      ...scaled(DECIMAL, "B/s", 8n),
      ...scaled(BINARY, "B/s", 8n),
    ]),
  },
  bytes: {
    noun: "a size",
    example: "4 KiB",
    base: "B",
    units: new Map([["B", whole(1n)], ...scaled(DECIMAL, "B", 1n), ...scaled(BINARY, "B", 1n)]),
  },
  time: {
    noun: "a time",
    example: "20 us",
    base: "s",
    units: new Map([
      ["h", whole(3600n)],
      ["min", whole(60n)],
      ["s", whole(1n)],
      ["ms", whole(1n, 10n ** 3n)],
      ["us", whole(1n, 10n ** 6n)],
      ["ns", whole(1n, 10n ** 9n)],
      ["ps", whole(1n, 10n ** 12n)],
    ]),
  },
  clock: {
    noun: "a clock frequency",
    example: "250 MHz",
    base: "Hz",
    units: new Map([["Hz", whole(1n)], ...scaled(DECIMAL, "Hz", 1n)]),
  },
  events: {
    noun: "a number per second",
    example: "4000 /s",
    base: "/s",
    units: new Map([["/s", whole(1n)], ...scaled(DECIMAL, "/s", 1n)]),
  },
  cycles: {
    noun: "a number of cycles",
    example: "200 cycles",
    base: "cycles",
    units: new Map([
      ["cycles", whole(1n)],
      ["cycle", whole(1n)],
    ]),
  },
  bytesPerCycle: {
    noun: "a width in bytes per cycle",
    example: "64 B/cycle",
    base: "B/cycle",
    units: new Map([["B/cycle", whole(1n)]]),
  },
  bitsPerCycle: {
    noun: "a width in bits per cycle",
    example: "512 bit/cycle",
    base: "bit/cycle",
    units: new Map([["bit/cycle", whole(1n)]]),
  },
};

const QUANTITY = /^([0-9]+)(?:\.([0-9]+))?[ ]*([A-Za-zµμ/]*)$/;
const LENGTH_MAX = 40;

/** How a dimension is written, for messages and tables. */
export function describeDimension(dimension: Dimension): { noun: string; example: string; base: string } {
  const { noun, example, base } = UNITS[dimension];
  return { noun, example, base };
}

/** A regular expression (source text) that a quantity of this dimension matches; for the JSON Schema. */
export function quantityPattern(dimension: Dimension): string {
  const units = [...UNITS[dimension].units.keys()].join("|");
  return `^[0-9]+(\\.[0-9]+)? *(${units})$`;
}

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

/** num / den in lowest terms. @throws RangeError for den <= 0. */
export function rational(num: bigint, den = 1n): Rational {
  if (den <= 0n) throw new RangeError("a denominator must be positive");
  const divisor = gcd(num, den) || 1n;
  return { num: num / divisor, den: den / divisor };
}

/** a / b, b > 0. */
export function divide(a: Rational, b: Rational): Rational {
  return rational(a.num * b.den, a.den * b.num);
}

/** -1, 0 or 1 as a is less than, equal to or greater than b. */
export function compare(a: Rational, b: Rational): number {
  const difference = a.num * b.den - b.num * a.den;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** Text of any language on one line: what does not print, or moves the cursor, becomes a question mark. */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
}

/** A value on one short line, for messages. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === "") return '""';
  const text = typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
  const line = printable(text).replace(/[^\P{Z} ]/gu, "?");
  return line.length > LENGTH_MAX ? `${line.slice(0, LENGTH_MAX - 3)}...` : line;
}

/**
 * Reads a non-negative decimal number exactly: "2.5" is 5/2. For pure numbers such as a speed factor.
 * @throws UnitError
 */
export function parseDecimal(input: unknown): Rational {
  const match = /^([0-9]{1,18})(?:\.([0-9]{1,18}))?$/.exec(String(input));
  if (match === null) throw new UnitError(`${show(input)} is not a plain decimal number; write e.g. 2.5`);
  const fraction = match[2] ?? "";
  return rational(BigInt(match[1] + fraction), 10n ** BigInt(fraction.length));
}

function unknownUnit(text: string, number: string, unit: string, info: DimensionInfo): string {
  for (const other of Object.values(UNITS)) {
    if (other.units.has(unit))
      return `${text} is ${other.noun}, not ${info.noun}; write e.g. ${info.example}`;
  }
  const bitOrByte = /^([kKMGT]?|[KMGT]i)(b|bps|b\/s|Bps)$/.exec(unit);
  if (bitOrByte !== null) {
    const prefix = (bitOrByte[1] ?? "").replace(/^K$/, "k");
    const rate = unit.length > (bitOrByte[1] ?? "").length + 1 ? "/s" : "";
    const both = rate === "" ? `${number} ${prefix}B` : `${number} ${prefix}bit/s or ${number} ${prefix}B/s`;
    return `${text}: a bit is not a byte, and "${unit}" does not say which; write e.g. ${both}`;
  }
  const capital = /^K(B|bit\/s|B\/s|Hz|\/s)$/.exec(unit);
  if (capital !== null) {
    const ki = capital[1]?.startsWith("B") ? ` or ${number} Ki${capital[1]}` : "";
    return `${text}: K is neither k (1000) nor Ki (1024); write ${number} k${capital[1]}${ki}`;
  }
  const plain = unit.replace(/[µμ]/, "u").toLowerCase();
  const near = [...info.units.keys()].find((known) => known.toLowerCase() === plain);
  const hint = near === undefined ? `write e.g. ${info.example}` : `did you mean ${number} ${near}?`;
  return `${text}: unknown unit "${unit}"; ${hint}`;
}

/**
 * Reads a quantity of one dimension.
 * @param input the text, or the number 0
 * @returns the exact value in the dimension's base unit (bit/s, B, s, Hz, /s, cycles, B/cycle, bit/cycle)
 * @throws UnitError with what is wrong and what would be right
 */
export function parseQuantity(input: unknown, dimension: Dimension): Rational {
  const info = UNITS[dimension];
  const text = typeof input === "string" ? input.trim() : String(show(input));
  if (typeof input !== "string" && typeof input !== "number") {
    throw new UnitError(`${show(input)} is not ${info.noun}; write e.g. ${info.example}`);
  }
  const match = text.length > LENGTH_MAX ? null : QUANTITY.exec(text);
  if (match === null) {
    const sign = text.startsWith("-") ? "must not be negative" : "is not a number with a unit";
    throw new UnitError(`${show(text)} ${sign}; write e.g. ${info.example}`);
  }
  const [, integer = "0", fraction = "", unit = ""] = match;
  const value = rational(BigInt(integer + fraction), 10n ** BigInt(fraction.length));
  if (unit === "") {
    if (value.num === 0n) return value;
    const likely = dimension === "bytes" ? info.base : info.example.replace(/^[0-9. ]+/, "");
    throw new UnitError(`${text} has no unit; write e.g. ${text} ${likely}`);
  }
  const scale = info.units.get(unit);
  const number = fraction === "" ? integer : `${integer}.${fraction}`;
  if (scale === undefined) throw new UnitError(unknownUnit(text, number, unit, info));
  return rational(value.num * scale.num, value.den * scale.den);
}

/**
 * A time in ticks of 2^-10 ps. A time finer than a tick is refused, never rounded.
 * @throws UnitError
 */
export function ticksOf(seconds: Rational): bigint {
  const ticks = rational(seconds.num * TICKS_PER_SECOND, seconds.den);
  if (ticks.den !== 1n) throw new UnitError("is finer than one tick of 1/1024 ps; write a multiple of it");
  if (ticks.num > TICKS_MAX) throw new UnitError("is beyond the longest simulated time; write at most 2.5 h");
  return ticks.num;
}

/** Ticks for one cycle of a clock, one byte of a byte rate, or one of so many events a second; above 0. */
export function ticksPer(perSecond: Rational): Rational {
  return divide({ num: TICKS_PER_SECOND, den: 1n }, perSecond);
}

/**
 * Writes a value in the unit of its dimension that needs the fewest digits: 1048576 bytes is '1 MiB'.
 * For messages and tables; rates in bits; a value whole in no unit becomes a fraction of the base unit.
 */
export function formatQuantity(value: Rational, dimension: Dimension): string {
  if (value.num === 0n) return "0";
  let best = `${value.num}/${value.den} ${UNITS[dimension].base}`;
  let digits = Number.POSITIVE_INFINITY;
  for (const [unit, scale] of UNITS[dimension].units) {
    if (dimension === "rate" && !unit.endsWith("bit/s")) continue;
    const count = divide(value, scale);
    const length = String(count.num).length;
    if (count.den === 1n && length < digits) [best, digits] = [`${count.num} ${unit}`, length];
  }
  return best;
}

const DEN_MAX = 2n ** 32n;

/** A rational as a pair of safe integers. @throws UnitError when it does not fit */
export function toRatio(value: Rational): [num: number, den: number] {
  if (value.num > BigInt(Number.MAX_SAFE_INTEGER) || value.den >= DEN_MAX) {
    throw new UnitError("has too many digits to be exact in ticks; write fewer");
  }
  return [Number(value.num), Number(value.den)];
}
