// SPDX-License-Identifier: Apache-2.0
/** Compressor presets on dense heap pages of the shipped trace: rates, ratios, clocks, what is refused. */
import { join } from "node:path";
import { Core, coreModule } from "../core.ts";
import { type EngineTotals, PAGE_BYTES, probePages } from "../probe/codec.ts";
import { type Compressor, type HardwareCompressor, loadCompressor } from "../scenario/engines.ts";
import { packageRoot } from "../scenario/presets.ts";
import { openMdt } from "../trace/mdt-reader.ts";
import { epochs, initialPages } from "../trace/replay.ts";
import { fileSource } from "../trace/source-file.ts";

const TRACE = "sim/traces/host-redis-small.mdt";
/** A page is dense when fewer than a fifth of its bytes are zero, as hardly any are in published corpora. */
const DENSE_ZEROS_MAX = Math.ceil(PAGE_BYTES / 5) - 1;

function zeroBytes(page: Uint8Array): number {
  let zeros = 0;
  for (const byte of page) zeros += Number(byte === 0);
  return zeros;
}

let dense: readonly Uint8Array[] | undefined;

/** Dense pages of the shipped trace: the initial image, then what was written. */
export function densePages(): readonly Uint8Array[] {
  if (dense !== undefined) return dense;
  const source = fileSource(join(packageRoot(), TRACE));
  try {
    const trace = openMdt(source, TRACE);
    const found: Uint8Array[] = [];
    const take = (body: Uint8Array | null): void => {
      if (body !== null && zeroBytes(body) <= DENSE_ZEROS_MAX) found.push(body.slice());
    };
    for (const { body } of initialPages(trace)) take(body);
    for (const { bodies } of epochs(trace, null)) for (const body of bodies ?? []) take(body);
    dense = found;
    return found;
  } finally {
    source.close();
  }
}

/** Pages that nothing compresses: words of a counter through a mixing function (splitmix32). */
function noise(pages: number): Uint8Array[] {
  let state = 0;
  const word = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  return Array.from({ length: pages }, () => Uint8Array.from({ length: PAGE_BYTES }, () => word() & 255));
}

const core = new Map<string, Core>();

function totalsOf(engine: Compressor, pages: readonly Uint8Array[]): EngineTotals {
  const one = core.get("lean") ?? new Core(coreModule());
  core.set("lean", one);
  const steps = probePages(one, [engine], pages);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value[0]!;
  }
}

const known = new Map<string, EngineTotals>();

/** What a preset makes of the dense pages. */
export function onTrace(name: string): EngineTotals {
  const totals = known.get(name) ?? totalsOf(loadCompressor(name), densePages());
  known.set(name, totals);
  return totals;
}

/** Share of pages that an engine does not take or leaves to software, in per cent; of noise where asked. */
export function refusedPercent(name: string, ofNoise: boolean): number {
  const { refusedPages, pages } = ofNoise ? totalsOf(loadCompressor(name), noise(64)) : onTrace(name);
  return (100 * refusedPages) / pages;
}

type Change = Partial<Omit<HardwareCompressor, "algorithm">>;

/** The machines of the measured table: windows, banks, ports, policies, caps and tables. */
const MACHINES: Readonly<Record<string, Change>> = {
  serial: { pws: 1, banks: 1, ports: 1 },
  "w8-drop": { pws: 8, banks: 16 },
  "w8-stall": { pws: 8, banks: 16, ports: 1, policy: "stall" },
  "w8-one-36": { pws: 8, banks: 16, multi: false, matchCap: 36 },
  "w8-one-16": { pws: 8, banks: 16, multi: false, matchCap: 16 },
  w16: {},
  "w16-narrow": { banks: 16, ports: 1 },
  "w16-narrow-stall": { banks: 16, ports: 1, policy: "stall" },
  "w16-narrow-coalesce": { banks: 16, ports: 1, policy: "coalesce" },
  "w16-cap-16": { matchCap: 16 },
  "w16-1024": { hashLog: 10 },
  "w16-256": { hashLog: 8 },
  "w32-forward": { pws: 32, banks: 64, intraForward: true },
  "chen-512": { pws: 8, banks: 16, multi: false, matchCap: 36, hashLog: 9, tokensPerClock: 1 },
};

/** What a machine makes of the dense pages; `software` is liblz4. */
export function ofMachine(machine: string): EngineTotals {
  if (machine === "software") return onTrace("lz4-sw");
  const key = `machine ${machine}`;
  const change = MACHINES[machine];
  if (change === undefined) throw new RangeError(`no machine ${machine}`);
  const base = loadCompressor("lz4-hw") as HardwareCompressor;
  const totals = known.get(key) ?? totalsOf({ ...base, ...change }, densePages());
  known.set(key, totals);
  return totals;
}

/** Ratio of one machine over that of another. */
export function ratioOver(machine: string, other: string): number {
  return ofMachine(machine).ratio! / ofMachine(other).ratio!;
}

/** Ratio lost against liblz4, in per cent. */
export function lossPercent(totals: EngineTotals): number {
  return 100 * (1 - totals.ratio! / onTrace("lz4-sw").ratio!);
}
