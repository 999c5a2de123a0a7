// SPDX-License-Identifier: Apache-2.0
// Small runs of a core whose every event is recorded, for the reference models.
import * as abi from "../../assembly/abi.ts";
import { Core, coreModule, type Variant } from "../../src/core.ts";
import { Feeder } from "../../src/feeder.ts";
import { wordsOf } from "../../src/given-sizes.ts";
import { setParams } from "../../src/params.ts";
import type { ResolvedScenario } from "../../src/scenario/types.ts";
import { EventFlag, type GuestStream, KEEP_CONTENT } from "../../src/trace/events.ts";
import { generatedStream } from "../../src/trace/stream-generate.ts";
import { deriveParams, type Params } from "./reference/params.ts";
import { resolveText } from "./scenario.ts";

/** One event of the instrumented build (`T_` constants of the ABI). Times are ticks, exact below 8.7 s. */
export interface Happening {
  kind: number;
  side: number;
  which: number;
  t: number;
  a: number;
  b: number;
  c: number;
}

/** A finished run. */
export interface Run {
  core: Core;
  scenario: ResolvedScenario;
  /** What the core must have been given, derived from the text: what the reference models read. */
  params: Params;
  /** Stop reason of the last `run`. */
  stop: number;
  /** In the order in which the core recorded them; empty for other builds than the instrumented. */
  events: Happening[];
}

/** What to run: scenario text after the guest, and parameters that no scenario reaches. */
export interface RunOptions {
  variant?: Variant;
  /** Overrides, key=value. */
  sets?: string[];
  /** `[G_ constant, value]`. */
  globals?: [number, number][];
  /** Whether the guest reads pages as well, which no scenario of a generated one can say. */
  reads?: boolean;
  /** `[side, S_ constant, value]`. */
  sideParams?: [number, number, number][];
}

const DELACK_TICKS = 100_000 * abi.TICKS_PER_NS;
const UNTIL_TICKS = 9_000_000_000_000_000n;
const RING_RECORDS = 1 << 20;

/** The timeline of a core. Throws when the ring has lost events or a time is no safe integer. */
export function timelineOf(core: Core): Happening[] {
  const count = Number(core.fn("timelineCount")());
  if (count > RING_RECORDS) throw new Error(`the timeline lost ${count - RING_RECORDS} events`);
  const at = core.address("timelineAt");
  const view = new DataView(core.u8.buffer);
  const long = (where: number): number => Number(view.getBigUint64(where, true));
  return Array.from({ length: count }, (_, i) => {
    const from = at + i * abi.T_RECORD_BYTES;
    const happening = {
      t: long(from),
      kind: view.getUint16(from + 8, true),
      side: view.getUint8(from + 10),
      which: view.getUint8(from + 11),
      a: view.getUint32(from + 12, true),
      b: long(from + 16),
      c: long(from + 24),
    };
    if (happening.t > Number.MAX_SAFE_INTEGER) throw new Error("a time beyond 8.7 s");
    return happening;
  });
}

/** Reads back the parameters that a core was given. */
export function paramsOf(core: Core): Omit<Params, "jitter"> {
  const block = (at: number, count: number): number[] =>
    Array.from({ length: count }, (_, i) => Number(core.u64(at + i * 8)));
  const side = (i: number): number[] => block(Number(core.fn("sideParams")(i)) >>> 0, abi.S_COUNT);
  return { global: block(core.address("globalParams"), abi.G_COUNT), sides: [side(0), side(1)] };
}

/** The generated guest that a scenario asks for; at a rate of 0 its writes end at once. */
export function streamFor(scenario: ResolvedScenario): GuestStream {
  const { generate, mix } = scenario.guest;
  if (generate === null) throw new Error("the scenario has no generated guest");
  const perSecond =
    generate.ticksPerWrite === null ? 0 : 1.024e15 / (generate.ticksPerWrite[0] / generate.ticksPerWrite[1]);
  const workload = {
    memoryBytes: generate.memoryPages * abi.PAGE_BYTES,
    workingSetBytes: generate.workingSetPages * abi.PAGE_BYTES,
    ratePerSecond: perSecond,
    pattern: generate.pattern,
    mix,
  };
  const stream = generatedStream(workload, scenario.seed);
  const played = perSecond > 0 ? stream : silent(stream);
  return scenario.guest.reads === true ? reading(played) : played;
}

/** A guest that reads, at half of its writes, another page beside the one that it writes. */
function reading(stream: GuestStream): GuestStream {
  return {
    pages: stream.pages,
    pageBytes: stream.pageBytes,
    stableContents: stream.stableContents,
    atEnd: stream.atEnd,
    endTicks: stream.endTicks,
    stableContent: (id) => stream.stableContent(id),
    fork: () => reading(stream.fork()),
    initial: () => stream.initial(),
    next() {
      const batch = stream.next();
      if (batch === null) return null;
      const from = Array.from(batch.pfns, (_, i) => (i % 2 === 0 ? [i] : [i, -1 - i])).flat();
      const write = (i: number): number => (i < 0 ? -1 - i : i);
      return {
        ...batch,
        count: from.length,
        timeTicks: BigUint64Array.from(from, (i) => batch.timeTicks[write(i)]!),
        pfns: Uint32Array.from(from, (i) =>
          i < 0 ? (batch.pfns[write(i)]! * 7 + 5) % stream.pages : batch.pfns[i]!,
        ),
        flags: Uint8Array.from(from, (i) => (i < 0 ? EventFlag.read : batch.flags[i]!)),
        contentIds: Uint32Array.from(from, (i) => (i < 0 ? KEEP_CONTENT : batch.contentIds[i]!)),
        content: (i) => (from[i]! < 0 ? null : batch.content(from[i]!)),
      };
    },
  };
}

function silent(stream: GuestStream): GuestStream {
  return {
    pages: stream.pages,
    pageBytes: stream.pageBytes,
    stableContents: stream.stableContents,
    atEnd: stream.atEnd,
    endTicks: 0n,
    stableContent: (id) => stream.stableContent(id),
    fork: () => silent(stream.fork()),
    initial: () => stream.initial(),
    next: () => null,
  };
}

/** A scenario with a generated guest: 10 % zero pages, 70 % text, 20 % random. */
export function guestText(
  memory: string,
  more: { deviceState?: string; rate?: string; workingSet?: string; mix?: string } = {},
): string {
  const mix = more.mix ?? "{ zero: 10, text: 70, random: 20 }";
  const writes = `rate: ${more.rate ?? "1000 /s"}, workingSet: ${more.workingSet ?? "4 KiB"}`;
  const generate = `{ memory: ${memory}, ${writes}, mix: ${mix} }`;
  return [
    "schema: dpusim.scenario/1",
    `guest: { generate: ${generate}, deviceState: ${more.deviceState ?? "4 KiB"} }`,
    "",
  ].join("\n");
}

/** A core with the parameters of scenario text, not built yet. */
export function coreFor(text: string, sets: string[], variant: Variant, reads: boolean = false) {
  const scenario = resolveText(text, { sets });
  if (reads) scenario.guest.reads = true;
  const stream = streamFor(scenario);
  const core = new Core(coreModule(variant));
  setParams(core, scenario, stream.pages, null);
  return { core, scenario, stream };
}

/** Runs scenario text to its end, drained. Throws when the board cannot be built. */
export function runText(text: string, options: RunOptions = {}): Run {
  const { sets = [], variant = "instrumented", reads } = options;
  const { core, scenario, stream } = coreFor(text, sets, variant, reads);
  const params = deriveParams(text, options.sets ?? []);
  for (const [index, value] of [[abi.G_NET_DELACK, DELACK_TICKS] as const, ...(options.globals ?? [])]) {
    core.setGlobalParam(index, value);
    params.global[index] = value;
  }
  for (const [side, index, value] of options.sideParams ?? []) {
    core.setSideParam(side, index, value);
    params.sides[side]![index] = value;
  }
  const built = core.build();
  if (built !== 0) throw new Error(`build gave ${built}`);
  const feeder = new Feeder(core, stream.fork(), scenario, wordsOf(scenario));
  feeder.loadImage();
  const device = core.address("deviceState");
  for (let i = 0; i < scenario.guest.deviceStateBytes; i++) core.u8[device + i] = (i * 7 + (i >>> 8)) & 255;
  feeder.feed();
  let stop = core.run(UNTIL_TICKS);
  while (stop === abi.STOP_INPUT) {
    feeder.feed();
    stop = core.run(UNTIL_TICKS);
  }
  const events = (options.variant ?? "instrumented") === "instrumented" ? timelineOf(core) : [];
  return { core, scenario, params, stop, events };
}

/** Events of one kind, in order; of one side when given. */
export function of(run: Run, kind: number, side?: number): Happening[] {
  return run.events.filter((e) => e.kind === kind && (side === undefined || e.side === side));
}
