// SPDX-License-Identifier: Apache-2.0
/** AES-GCM engines of the core on their bench stand beside the slow ones: when each record is sealed. */
import { Core, coreModule } from "../../../src/core.ts";
import { probeSeal } from "../../../src/probe/cipher.ts";
import { type GcmMachine, sealSlowly } from "../reference/gcm-engine.ts";
import { cipherOf, exact } from "../reference/written.ts";
import { resolveText } from "../scenario.ts";
import { same } from "./expect.ts";

const BASE: GcmMachine = {
  engines: 2,
  bits: 512,
  rounds: 10,
  cyclesPerRound: 0,
  stagesPerRound: 1,
  ghashLatency: 3,
  tagCycles: 1,
  recordGap: 0,
  interleave: "word",
  egress: "hold",
  keySlots: 256,
  keyLoad: 64,
};

/** Machines, one for each thing that can be otherwise, and some for several at once. */
export const SEAL_ROWS: readonly [what: string, change: Partial<GcmMachine>][] = [
  ["dpu-ref", {}],
  ["a block in 44 clocks", { engines: 1, bits: 128, cyclesPerRound: 4 }],
  ["a block in 15 clocks", { engines: 3, bits: 128, cyclesPerRound: 1, rounds: 14 }],
  ["one slot for all keys", { keySlots: 1 }],
  ["a gap shorter than the latency", { recordGap: 5 }],
  ["a gap longer than the latency", { engines: 1, recordGap: 90 }],
  ["one record at a time", { bits: 2048, interleave: "record", recordGap: 2 }],
  ["admission", { engines: 5, bits: 256, egress: "admit" }],
  ["all of it", { bits: 128, cyclesPerRound: 2, recordGap: 3, interleave: "record", egress: "admit" }],
];

/** Payloads with the clocks between two looks of the unit behind. */
const LOADS = [
  [0, 1],
  [1, 1],
  [129, 7],
  [1500, 1],
  [4096, 1],
  [64, 200],
] as const;

const FREE = ["bitsPerCycle", "ghashLatency", "tagCycles", "recordGap", "keyLoad"];
const UNITS = ["bit/cycle", "cycles", "cycles", "cycles", "cycles"];

function sets(m: GcmMachine): string[] {
  const { bits, rounds: _, ...rest } = m;
  return Object.entries({ bitsPerCycle: bits, ...rest }).map(([key, value]) => {
    const unit = UNITS[FREE.indexOf(key)];
    return `source.card.crypto.${key}=${value}${unit === undefined ? "" : ` ${unit}`}`;
  });
}

const TEXT =
  "schema: dpusim.scenario/1\nguest: { generate: { memory: 1 MiB, rate: 0 /s, workingSet: 1 MiB } }\n";

function setsOf(machine: GcmMachine): string[] {
  const cipher = machine.rounds === 10 ? "aes-128-gcm" : "aes-256-gcm";
  return [...sets(machine), "source.card.clock=468.75 MHz", `encrypt.cipher=${cipher}`];
}

/** One machine under every load, on a clock that is no whole number of ticks. */
export function sameSeals(what: string, change: Partial<GcmMachine>, core = new Core(coreModule())): void {
  const machine = { ...BASE, ...change };
  const scenario = resolveText(TEXT, { sets: setsOf(machine) });
  for (const [payloadBytes, lookEvery] of LOADS) {
    const load = { records: 150, payloadBytes, lookEvery };
    const found = probeSeal(core, scenario, load);
    const expected = sealSlowly(machine, load);
    const where = `seal: ${what}, ${payloadBytes} bytes, a look in ${lookEvery}`;
    same(`${where}: when`, found.seenAtClocks.join(), expected.seenAtClocks.join());
    same(`${where}: begun`, found.begunRecords, expected.begunRecords);
  }
}

/** Engines that stop in the middle of a record, on machines of several. */
export function checkStoppedSeals(): void {
  const core = new Core(coreModule());
  for (const [what, change] of SEAL_ROWS) {
    const machine = { ...BASE, ...change, engines: 3 };
    for (const [ns, engines] of [
      [0, 1],
      [1500, 1],
      [2117, 2],
      [10_007, 2],
    ] as const) {
      const faults = JSON.stringify([{ at: `${ns} ns`, what: "engine-fails", unit: "seal", engines }]);
      const scenario = resolveText(TEXT, { sets: [...setsOf(machine), `faults=${faults}`] });
      // edge k lies at ceil(k / clock)
      const atClock = Math.ceil((ns * 468.75) / 1000);
      for (const [payloadBytes, lookEvery] of LOADS) {
        const load = { records: 150, payloadBytes, lookEvery };
        const found = probeSeal(core, scenario, load);
        const expected = sealSlowly(machine, load, { atClock, engines });
        const where = `seal, ${engines} stop at ${ns} ns: ${what}, ${payloadBytes} B, a look in ${lookEvery}`;
        same(`${where}: when`, found.seenAtClocks.join(), expected.seenAtClocks.join());
        same(`${where}: begun`, found.begunRecords, expected.begunRecords);
      }
    }
  }
}

/** Every machine. */
export function checkSeals(): void {
  const core = new Core(coreModule());
  for (const [what, change] of SEAL_ROWS) sameSeals(what, change, core);
}

/** What a cipher preset is, read from its file. */
function presetMachine(name: string, rounds: number, card: string): GcmMachine {
  const preset = cipherOf({ encrypt: { engine: name } }, "source", () => undefined);
  const of = (key: string): number => Number(exact(preset(key)).num);
  const { num, den } = exact(preset("clock"));
  const at = exact(card);
  return {
    ...{ engines: of("engines"), bits: of("bitsPerCycle"), rounds, cyclesPerRound: of("cyclesPerRound") },
    ...{ stagesPerRound: of("stagesPerRound"), ghashLatency: of("ghashLatency"), tagCycles: of("tagCycles") },
    ...{ recordGap: of("recordGap"), keySlots: of("keySlots"), keyLoad: of("keyLoad") },
    interleave: preset("interleave") as "word",
    egress: preset("egress") as "hold",
    clocks: { engine: num / den, card: at.num / at.den },
  };
}

/** A preset's engines on a card with another clock, under every load. */
export function samePresetSeals(name: string, card: string, core = new Core(coreModule())): void {
  const machine = presetMachine(name, 14, card);
  const sets = [`encrypt.engine=${name}`, "encrypt.cipher=aes-256-gcm", `source.card.clock=${card}`];
  const scenario = resolveText(TEXT, { sets });
  for (const [payloadBytes, lookEvery] of LOADS) {
    const load = { records: 60, payloadBytes, lookEvery };
    const found = probeSeal(core, scenario, load);
    const expected = sealSlowly(machine, load);
    const where = `seal: ${name} at ${card}, ${payloadBytes} bytes, a look in ${lookEvery}`;
    same(`${where}: when`, found.seenAtClocks.join(), expected.seenAtClocks.join());
    same(`${where}: begun`, found.begunRecords, expected.begunRecords);
  }
}
