// SPDX-License-Identifier: Apache-2.0
/**
 * From a KeySpec to a check and to a zod field. One function, `problemOf`, decides what is wrong with a value
 * and says what would be right; zod contributes the structure and the JSON Schema.
 */
import * as z from "zod";
import type { KeySpec, KeyTable } from "./keys.ts";
import { suggest } from "./source.ts";
import {
  compare,
  type Dimension,
  describeDimension,
  formatQuantity,
  parseQuantity,
  quantityPattern,
  type Rational,
  rational,
  show,
  ticksOf,
  UnitError,
} from "./units.ts";

/** Dimensions whose values are whole numbers of their base unit. */
const WHOLE = new Set<Dimension>(["bytes", "cycles", "bytesPerCycle", "bitsPerCycle"]);

/** The exact value of a limit that a table states as a number: whole, or one over a whole number. */
function exact(limit: number): Rational {
  return limit === 0 || limit >= 1 ? rational(BigInt(limit)) : rational(1n, BigInt(Math.round(1 / limit)));
}

function isCount(input: unknown): input is number {
  return typeof input === "number" && Number.isSafeInteger(input) && input >= 0;
}

function countProblem(input: unknown): string {
  const [, digits, unit] =
    (typeof input === "string" && /^([0-9]+) *([A-Za-z%]?[A-Za-z/]*)$/.exec(input)) || [];
  if (unit === "") return `"${show(input)}" is text; write ${digits} without quotes`;
  const right = digits === undefined ? "write a whole number such as 4" : `write ${digits} without a unit`;
  return `${show(input)} is not a pure count; ${right}`;
}

/** The dimension in which a key is parsed, or null for counts and choices. */
export function dimensionOf(spec: KeySpec): Dimension | null {
  if (spec.measure === "count" || spec.measure === "choice") return null;
  return spec.measure === "octets" ? "bytes" : spec.measure;
}

/**
 * The exact value of a number in its base unit: counts and octets as they are, quantities by their unit.
 * @throws UnitError
 */
export function exactOf(spec: KeySpec, input: unknown): Rational {
  const dimension = dimensionOf(spec);
  if (dimension === null || (spec.measure === "octets" && typeof input === "number")) {
    if (isCount(input)) return rational(BigInt(input));
    throw new UnitError(countProblem(input));
  }
  const value = parseQuantity(input, dimension);
  if (WHOLE.has(dimension) && value.den !== 1n) {
    const { base, example } = describeDimension(dimension);
    throw new UnitError(`${show(input)} is not a whole number of ${base}; write e.g. ${example}`);
  }
  if (dimension === "time") {
    try {
      ticksOf(value);
    } catch (error) {
      throw new UnitError(`${show(input)} ${(error as Error).message}`);
    }
  }
  return value;
}

function rangeProblem(spec: KeySpec, input: unknown, value: Rational): string | null {
  const dimension = dimensionOf(spec);
  const write = (limit: number): string =>
    dimension === null || spec.measure === "octets" ? String(limit) : formatQuantity(exact(limit), dimension);
  const low = spec.min ?? 0;
  const high = spec.max ?? Number.MAX_SAFE_INTEGER;
  if (compare(value, exact(low)) < 0 || compare(value, exact(high)) > 0) {
    return `${show(input)} is out of range; write ${write(low)} to ${write(high)}`;
  }
  if (spec.powerOfTwo && (value.num & (value.num - 1n)) !== 0n) {
    const below = 2 ** Math.floor(Math.log2(Number(value.num)));
    return `${show(input)} is not a power of two; write e.g. ${below}`;
  }
  return null;
}

function exampleOf(spec: KeySpec): string {
  const dimension = dimensionOf(spec);
  if (spec.values !== undefined) return String(spec.values[0]);
  return dimension === null ? String(spec.min ?? 1) : describeDimension(dimension).example;
}

/** What is wrong with a value and what would be right, on one line; null when it is good. */
export function problemOf(spec: KeySpec, input: unknown): string | null {
  if (input === undefined) return `is missing; write e.g. ${exampleOf(spec)}`;
  if (input === null) return "is empty; give it a value or remove the key";
  if (spec.measure === "choice") {
    const values = (spec.values ?? []).map(String);
    if (typeof input === "string" && values.includes(input)) return null;
    return `${show(input)} is not known here; ${suggest(String(show(input)), values)}`;
  }
  try {
    const value = exactOf(spec, input);
    if (spec.values !== undefined) {
      const known = spec.values.some((one) => value.den === 1n && value.num === BigInt(one));
      return known ? null : `${show(input)} is not possible; write one of ${spec.values.join(", ")}`;
    }
    return rangeProblem(spec, input, value);
  } catch (error) {
    if (error instanceof UnitError) return error.message;
    throw error;
  }
}

function shape(spec: KeySpec): z.ZodType {
  const dimension = dimensionOf(spec);
  if (spec.measure === "choice") return z.enum((spec.values ?? []).map(String));
  let count: z.ZodNumber = z.int().min(spec.min ?? 0);
  if (spec.max !== undefined) count = count.max(spec.max);
  const bare = spec.values === undefined ? count : z.literal(spec.values as readonly number[]);
  if (dimension === null) return bare;
  const text = z.string().regex(new RegExp(quantityPattern(dimension)));
  return z.union([text, spec.measure === "octets" ? bare : z.literal(0)]);
}

/** The zod field of a key: validates with `problemOf`, exports as what may be written. */
export function field(spec: KeySpec): z.ZodType<string | number> {
  const dimension = dimensionOf(spec);
  const examples = dimension === null ? {} : { examples: [describeDimension(dimension).example] };
  const structure = shape(spec);
  const json = z.toJSONSchema(structure, { io: "input" });
  delete json.$schema;
  return z
    .custom<string | number>()
    .superRefine((input, context) => {
      const problem = problemOf(spec, input);
      if (problem !== null) context.addIssue({ code: "custom", message: problem });
    })
    .meta({ ...json, description: spec.text, ...examples });
}

/** A key that is known and refused, for a reason. */
function refused(reason: string): z.ZodType {
  return z
    .custom<never>()
    .superRefine((_, context) => context.addIssue({ code: "custom", message: reason }))
    .meta({ not: {}, description: reason });
}

/**
 * The fields of some table, nested at the dots, all optional: what may override a preset. `reasons`: keys
 * that are refused.
 */
export function overrideFields(
  table: KeyTable,
  reasons: Readonly<Record<string, string>> = {},
): Record<string, z.ZodOptional<z.ZodType>> {
  const fields: Record<string, z.ZodOptional<z.ZodType>> = {};
  const groups = new Map<string, Record<string, z.ZodType>>();
  const add = (key: string, type: z.ZodType): void => {
    const [group = key, leaf] = key.split(".");
    if (leaf === undefined) {
      fields[key] = type.optional();
      return;
    }
    const members = groups.get(group) ?? {};
    groups.set(group, members);
    members[leaf] = type.optional();
  };
  for (const [key, spec] of Object.entries(table)) add(key, field(spec));
  for (const [key, reason] of Object.entries(reasons)) add(key, refused(reason));
  for (const [group, members] of groups) fields[group] = z.strictObject(members).optional();
  return fields;
}

/**
 * A choice of which this version supports a part. Other values are refused: any as not supported yet, when
 * `future` is "any"; those in `instead` with what stands there, the rest as unknown.
 */
export function supported<T extends string | number>(
  values: readonly T[],
  future: "none" | "any",
  text: string,
  instead: Readonly<Record<string, string>> = {},
): z.ZodLiteral<T> {
  const write = values.join(" or ");
  return z
    .literal([...values], {
      error: ({ input }) => {
        if (input === undefined) return `is missing; write ${write}`;
        if (input === null) return `is empty; write ${write}`;
        const told = instead[String(input)];
        if (told !== undefined) return told;
        const known = future === "any" || typeof input === "object";
        return known
          ? `${show(input)} is not supported yet in this version; write ${write}`
          : `${show(input)} is not known here; ${suggest(String(show(input)), values.map(String))}`;
      },
    })
    .meta({ description: text });
}
