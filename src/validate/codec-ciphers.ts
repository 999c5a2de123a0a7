// SPDX-License-Identifier: Apache-2.0
/** AES-GCM presets: measured on the core's bench stand, beside the closed form and what was published. */
import { Core, coreModule } from "../core.ts";
import { probeSeal } from "../probe/cipher.ts";
import { Values } from "../scenario/fill.ts";
import { loadPreset } from "../scenario/presets.ts";
import { resolveSource } from "../scenario/resolve.ts";
import { parseSource } from "../scenario/source.ts";
import type { ResolvedScenario } from "../scenario/types.ts";

const HEADER_BYTES = 16;
/** Records until the pipeline is full, and those that are measured: a multiple of any number of engines. */
const WARM = 64;
const MEASURED = 480;

export type KeyBits = 128 | 192 | 256;
const ROUNDS: Readonly<Record<KeyBits, number>> = { 128: 10, 192: 12, 256: 14 };

const cores = new Map<string, Core>();

/** One core for all: building a board anew forgets the one before. */
function core(): Core {
  const known = cores.get("lean") ?? new Core(coreModule());
  cores.set("lean", known);
  return known;
}

/** A card whose cipher is the preset's. */
function cipherScenario(name: string, keyBits: KeyBits): ResolvedScenario {
  const values = Object.entries(loadPreset("cipher", name).values);
  const { clock, ...crypto } = Object.fromEntries(values.map(([key, entry]) => [key, entry.value]));
  const text = {
    schema: "dpusim.scenario/1",
    guest: { generate: { memory: "1 MiB", rate: "0 /s", workingSet: "1 MiB" } },
    source: { card: { preset: "dpu-ref", clock, crypto } },
    compress: "off",
    content: "sized",
  };
  const { scenario } = resolveSource(parseSource(JSON.stringify(text), name), ".", name);
  return { ...scenario, encrypt: { ...scenario.encrypt, keyBits: 128, rounds: ROUNDS[keyBits] } };
}

/** What an engine does with records of one size. */
interface RecordClocks {
  /** Clocks that an engine is taken for, in the steady state. */
  readonly interval: number;
  /** Clocks from the first record's first word to its tag in a single engine, with the loading of its key. */
  readonly first: number;
}

/** The scenario with a single engine: of several, all but the first find the key in its slot. */
function single(scenario: ResolvedScenario): ResolvedScenario {
  const { source } = scenario.sides;
  const crypto = { ...source.card.crypto, engines: 1 };
  return {
    ...scenario,
    sides: { ...scenario.sides, source: { ...source, card: { ...source.card, crypto } } },
  };
}

/** On the model. */
export function measuredClocks(name: string, keyBits: KeyBits, payloadBytes: number): RecordClocks {
  const scenario = cipherScenario(name, keyBits);
  const { engines } = scenario.sides.source.card.crypto;
  const { seenAtClocks } = probeSeal(core(), scenario, { records: WARM + MEASURED, payloadBytes });
  const from = seenAtClocks[WARM - 1]!;
  const to = seenAtClocks[WARM + MEASURED - 1]!;
  const alone = probeSeal(core(), single(scenario), { records: 1, payloadBytes });
  return { interval: ((to - from) * engines) / MEASURED, first: alone.seenAtClocks[0]! };
}

/** By the closed form of docs/model.md section 5, from the preset's own values. */
export function expectedClocks(name: string, keyBits: KeyBits, payloadBytes: number): RecordClocks {
  const values = new Values(loadPreset("cipher", name), new Map(), []);
  const bits = values.whole("bitsPerCycle");
  const rounds = ROUNDS[keyBits];
  const shared = values.whole("cyclesPerRound");
  const word = shared === 0 ? 1 : shared * (rounds + 1);
  const words = Math.ceil((8 * HEADER_BYTES) / bits) + Math.ceil((8 * payloadBytes) / bits) + 1;
  const aes = shared === 0 ? rounds * values.whole("stagesPerRound") : word;
  const levels = Math.log2(bits / 128) + 1;
  const drain = aes + 2 + values.whole("ghashLatency") * levels + values.whole("tagCycles");
  const rest = values.whole("recordGap") + (values.word("interleave") === "record" ? drain : 0);
  const load = values.whole("keyLoad");
  return { interval: words * word + rest, first: load + words * word + rest + Math.max(1, drain - rest) };
}

/** Bits of payload that all engines seal in a second, in the steady state, on the model. */
export function measuredBitRate(name: string, payloadBytes: number): number {
  const values = new Values(loadPreset("cipher", name), new Map(), []);
  const { num, den } = values.exact("clock");
  const { interval } = measuredClocks(name, 128, payloadBytes);
  return (values.whole("engines") * 8 * payloadBytes * (Number(num) / Number(den))) / interval;
}

/** Clocks that 16 bytes more take, on the model: between records of 4096 and of 2048 bytes. */
export function measuredBlockClocks(name: string, keyBits: KeyBits): number {
  const long = measuredClocks(name, keyBits, 4096).interval;
  return (long - measuredClocks(name, keyBits, 2048).interval) / 128;
}
