// SPDX-License-Identifier: Apache-2.0
/** The encoders of a run: those of the card, or those of a compressor preset in their place. */
import { ticksPerByte, ticksPerCycle, Values } from "./fill.ts";
import { takesFormat } from "./placement.ts";
import { loadPreset, presetNameProblem } from "./presets.ts";
import type { Problems } from "./problems.ts";
import { OWN_ENGINE, type Scenario } from "./schema.ts";
import type { RatedEngine, RecordFormat, ResolvedCard } from "./types.ts";

type Compressor = ResolvedCard["compressor"];

/** An encoder that the core models, as card and preset say it alike. */
export type WindowEncoder = Omit<Compressor, "format" | "rated" | "ticksPerCycle" | "fillLatencyCycles">;

/** What card and preset call alike: a card's keys have a prefix. */
function window(values: Values, prefix: string): WindowEncoder {
  const whole = (key: string): number => values.whole(`${prefix}${key}`);
  return {
    engines: whole("engines"),
    pws: whole("pws"),
    hashLog: whole("hashLog"),
    banks: whole("banks"),
    ports: whole("ports"),
    policy: values.word(`${prefix}policy`),
    matchCap: whole("matchCap"),
    tokensPerClock: whole("tokensPerClock"),
    outBytesPerClock: whole("outBytesPerClock"),
    outFifoBytes: whole("outFifoBytes"),
    setupCycles: whole("setupCycles"),
    multi: true,
    intraForward: false,
    bailMarginBytes: whole("bailMargin"),
  };
}

/** The encoder of a preset, which says how matches are taken too. */
export function namedWindow(engine: Values): WindowEncoder {
  return {
    ...window(engine, ""),
    multi: engine.word("matchesPerWindow") === "any",
    intraForward: engine.word("intraForward") === "yes",
  };
}

/** The card's own encoders. */
export function ownCompressor(card: Values): Compressor {
  const fillLatencyCycles = card.whole("compressor.fillLatency");
  const own = { ...window(card, "compressor."), fillLatencyCycles };
  return { format: "lz4", ticksPerCycle: null, rated: null, ...own };
}

const SIZES = { "lz4-sw": "liblz4", zlib: "zlib", ratio: "ratio" } as const;

function rated(engine: Values, algorithm: keyof typeof SIZES): RatedEngine {
  return {
    sizes: SIZES[algorithm],
    ticksPerByte: ticksPerByte(engine.exact("rate")),
    minJobBytes: algorithm === "lz4-sw" ? 0 : engine.whole("minJob"),
    level: algorithm === "zlib" ? engine.whole("zlibLevel") : null,
    ratioPerMille: algorithm === "ratio" ? engine.whole("ratioPerMille") : null,
  };
}

/**
 * The encoders of a preset on a card. Of one that is modelled, clocks are its own and the pipeline's depth
 * the card's; of one of a given rate, the rate is all there is.
 */
export function namedCompressor(engine: Values, card: Values): Compressor {
  const algorithm = engine.word<keyof typeof SIZES | "lz4-hw">("algorithm");
  const format = engine.word<Compressor["format"]>("format");
  const own = ownCompressor(card);
  if (algorithm === "lz4-hw") {
    return {
      ...own,
      ...namedWindow(engine),
      format,
      ticksPerCycle: ticksPerCycle(engine.exact("clock")),
    };
  }
  const engines = engine.whole("engines");
  const bailMarginBytes = engine.whole("bailMargin");
  return { ...own, format, engines, bailMarginBytes, setupCycles: 0, rated: rated(engine, algorithm) };
}

/** The engine that `compress` names beside the card's own: a compressor preset; null when it names none. */
export function namedEngine(scenario: Scenario, problems: Problems): Values | null {
  if (scenario.compress === "off") return null;
  const name = scenario.compress.engine as string;
  if (name === "off" || name === OWN_ENGINE) return null;
  const problem = presetNameProblem("compressor", name);
  if (problem !== null) {
    problems.add(["compress", "engine"], problem);
    return null;
  }
  const engine = new Values(loadPreset("compressor", name), new Map(), ["compress", "engine"]);
  if (engine.word("algorithm") !== "none") return engine;
  problems.add(["compress", "engine"], `${name} does not compress; write compress: off, or another engine`);
  return null;
}

/** An engine that is not the card's own: what the destination takes, and what can be carried. */
export function checkEngine(
  engine: Values | null,
  scenario: Scenario,
  destination: Values,
  problems: Problems,
): void {
  if (engine === null) return;
  const format = engine.word<RecordFormat>("format");
  const takes = destination.word("decompressor.formats");
  const path = ["compress", "engine"];
  if (!takesFormat(scenario, destination, format)) {
    problems.add(path, `${engine.preset} makes ${format}, and the destination card takes ${takes} alone`);
  }
  const modelled = ["lz4-hw", "lz4-sw"].includes(engine.word("algorithm"));
  if (modelled || scenario.content === "sized") return;
  problems.add(path, `of ${engine.preset} sizes alone are known; write content: sized`);
}
