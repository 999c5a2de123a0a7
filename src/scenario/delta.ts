// SPDX-License-Identifier: Apache-2.0
/** What has changed in a page instead of the page: the keys of the source card's delta stage. */
import * as z from "zod";
import { PAGE_BYTES } from "../../assembly/abi.ts";
import { exactOf, field } from "./fields.ts";
import type { KeySpec } from "./keys.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import type { ResolvedDelta } from "./types-delta.ts";
import { show } from "./units.ts";

/** The default of QEMU's xbzrle-cache-size. */
const DEFAULT_CACHE = "64 MiB";
/** Wide enough for 250 Gbit/s at 1 GHz (assumed). */
const DEFAULT_WIDTH = "32 B/cycle";

const KEYS = {
  cache: {
    measure: "bytes",
    min: PAGE_BYTES,
    max: 2 ** 30,
    text: "pages kept in card DRAM; rounded down to a power of two of them",
  },
  width: {
    measure: "bytesPerCycle",
    min: 1,
    max: 1024,
    text: "bytes of a page that are compared in a clock",
  },
  most: {
    measure: "octets",
    min: 1,
    max: PAGE_BYTES,
    text: "largest delta that is sent; a page with a larger one goes on as a page",
  },
} as const satisfies Readonly<Record<string, KeySpec>>;

const xbzrle = z.strictObject({
  cache: field(KEYS.cache).default(DEFAULT_CACHE),
  width: field(KEYS.width).default(DEFAULT_WIDTH),
  most: field(KEYS.most).default(PAGE_BYTES),
});

/** `delta` of a scenario. */
export const deltaSchema = z.union([z.literal("off"), z.strictObject({ xbzrle })], {
  error: ({ input }) => `${show(input)} is not known here; write off or { xbzrle: { cache: 64 MiB } }`,
});

type Delta = z.output<typeof deltaSchema>;

/**
 * A page that is begun again, asked for again, or announced twice in a round that is cut short is no longer
 * what the cache says the destination has.
 */
export function checkDelta({ delta, faults, migration }: Scenario, problems: Problems): void {
  if (delta === "off") return;
  const add = (key: string, right: string): void =>
    problems.add(["migration", key], `cannot stand beside a delta engine; write ${right}, or delta: off`);
  if (migration.onTagFailure === "ask-again") add("onTagFailure", "abort");
  if (migration.timeout !== "none" && migration.onTimeout === "force") add("onTimeout", "fail");
  for (const [index, { what }] of faults.entries())
    if (what === "firmware-restart" || what === "engine-fails")
      problems.add(["faults", String(index), "what"], "cannot stand beside a delta engine; write delta: off");
}

/** The resolved stage. */
export function fillDelta(delta: Delta): "off" | ResolvedDelta {
  if (delta === "off") return "off";
  const whole = (key: keyof typeof KEYS): number => Number(exactOf(KEYS[key], delta.xbzrle[key]).num);
  return {
    cachePages: 2 ** Math.floor(Math.log2(whole("cache") / PAGE_BYTES)),
    bytesPerCycle: whole("width"),
    mostBytes: whole("most"),
  };
}
