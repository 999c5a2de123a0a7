// SPDX-License-Identifier: Apache-2.0
/**
 * How pages are given to encoders, beside which encoders these are: whether compression is always on, what
 * handing back costs, and how many pages a job has.
 */
import { JOB_PAGES_MAX, PAGE_BYTES } from "../../assembly/abi.ts";
import { field } from "./fields.ts";
import type { Values } from "./fill.ts";
import type { KeySpec } from "./keys.ts";
import { placeOf } from "./placement.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import type { ResolvedCoding } from "./types-coding.ts";
import { parseQuantity, ticksOf } from "./units.ts";

const word = (values: readonly string[], text: string) => field({ measure: "choice", values, text });
const EVERY: KeySpec = {
  measure: "count",
  min: 8,
  max: 65_536,
  text: "pages between two looks at what compression gains",
};
const WAIT: KeySpec = {
  measure: "time",
  min: 0,
  max: 1e-3,
  text: "longest wait of a page for others of its job",
};

/** Assumed. */
const DEFAULT_EVERY = 64;
const DEFAULT_WAIT = "5 us";
/** What the card's own encoders take at once: they read SRAM, wherever pages lie (assumed). */
const OWN_JOB_BYTES = 65_536;

/** Keys of `compress` that are no encoder's. */
export const codingFields = {
  choose: word(
    ["always", "throughput"],
    "pages are coded always, or while the channel carries more so",
  ).default("always"),
  chooseEvery: field(EVERY).optional(),
  handBack: word(["free", "charged"], "what a page costs the firmware that an engine leaves to it").default(
    "free",
  ),
  jobPages: field({ measure: "count", min: 1, max: JOB_PAGES_MAX, text: "pages of a job at most" }).default(
    1,
  ),
  jobWait: field(WAIT).optional(),
};

/** Their names. */
export const CODING_KEYS: readonly string[] = Object.keys(codingFields);

type Compress = Exclude<Scenario["compress"], "off">;
/** What the engine is, as far as jobs concern it. */
interface Takes {
  readonly name: string;
  readonly maxBytes: number;
  readonly gathers: boolean;
  readonly returnCycles: number;
  /** Whether it hands anything back. */
  readonly returns: boolean;
  readonly stores: boolean;
}

function takes(engine: Values | null): Takes {
  const own = {
    name: "the card's own",
    maxBytes: OWN_JOB_BYTES,
    gathers: true,
    returnCycles: 0,
    returns: false,
  };
  if (engine === null) return { ...own, stores: true };
  const limited = ["zlib", "ratio"].includes(engine.word("algorithm"));
  const stores = !limited || engine.word("storedBlocks") === "yes";
  return {
    name: engine.preset,
    maxBytes: engine.whole("maxJob"),
    gathers: engine.word("gather") === "yes",
    returnCycles: limited ? engine.whole("returnCycles") : 0,
    returns: !stores || (limited && engine.whole("minJob") > 0),
    stores,
  };
}

/** Where it makes no sense. */
export function checkCoding(
  { compress, delta, placement, faults }: Scenario,
  engine: Values | null,
  card: Values,
  problems: Problems,
): void {
  if (compress === "off") return;
  const c = compress as Compress;
  const add = (key: string, what: string): void => problems.add(["compress", key], what);
  const chooses = c.choose === "throughput";
  const here = placeOf(placement, "zero") === "card" && placeOf(placement, "compress") === "card";
  if (c.chooseEvery !== undefined && !chooses)
    add("chooseEvery", "has no effect; write choose: throughput too");
  if (c.jobWait !== undefined && c.jobPages === 1) add("jobWait", "has no effect; write jobPages: 2 too");
  const pages = Number(c.jobPages);
  for (const [key, on] of [
    ["choose", chooses],
    ["jobPages", pages > 1],
    ["handBack", c.handBack === "charged"],
  ] as const) {
    if (!on) continue;
    if (c.engine === "off") add(key, "has no effect with engine off; remove it");
    else if (!here) add(key, "is of engines of the card; write placement: huawei");
  }
  if (chooses && delta !== "off") add("choose", "cannot stand beside a delta engine; write delta: off");
  const { name, maxBytes, returns } = takes(engine);
  if (c.handBack === "charged" && !returns) add("handBack", `has no effect: ${name} hands nothing back`);
  if (pages * PAGE_BYTES > maxBytes)
    add(
      "jobPages",
      `${pages} is more than ${name} takes; write at most ${Math.floor(maxBytes / PAGE_BYTES)}`,
    );
  // what is kept for coded pages holds those of a job
  const slots = Math.floor(card.whole("dma.stagingSram") / PAGE_BYTES / 4);
  if (pages > 1 && pages > slots)
    add("jobPages", `${pages} is more than a quarter of the staging SRAM holds; write at most ${slots}`);
  for (const [index, fault] of faults.entries())
    if (pages > 1 && fault.what === "engine-fails" && fault.unit === "compressor")
      problems.add(["faults", String(index)], "cannot strike jobs of several pages; write jobPages: 1");
}

/** The resolved keys: absent where nothing is asked for. */
export function fillCoding({ compress }: Scenario, engine: Values | null): ResolvedCoding {
  if (compress === "off") return {};
  const c = compress as Compress;
  const { gathers, returnCycles, stores } = takes(engine);
  const wait = ticksOf(parseQuantity(c.jobWait ?? DEFAULT_WAIT, "time"));
  return {
    ...(c.choose === "throughput" ? { choosePages: Number(c.chooseEvery ?? DEFAULT_EVERY) } : {}),
    ...(c.handBack === "charged" ? { handBack: { cycles: returnCycles, stores } } : {}),
    ...(c.jobPages === 1
      ? {}
      : { jobs: { pages: Number(c.jobPages), waitTicks: Number(wait), copies: !gathers } }),
  };
}
