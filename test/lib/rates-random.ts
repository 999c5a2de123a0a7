// SPDX-License-Identifier: Apache-2.0
// Random configurations with one bottleneck each, and the rate that its formula in docs/model.md gives.
import * as abi from "../../assembly/abi.ts";
import { generator } from "./random.ts";
import { answers, PLAIN, RANDOM, starts, TEXT_PAGES } from "./rates.ts";
import { of, type Run } from "./timeline.ts";

/** One configuration: what happens, and how often in a microsecond. */
export interface Bottleneck {
  readonly what: string;
  readonly sets: readonly string[];
  readonly mix: string;
  times(run: Run): number[];
  readonly expected: number;
}

type Draw = <T>(list: readonly T[]) => T;
/** Between two whole numbers. */
type Between = (least: number, most: number) => number;
type Kind = (draw: Draw, between: Between) => Omit<Bottleneck, "what">;

const FAST = ["source.card.clock=1 GHz", "destination.card.clock=1 GHz"];
const BARE = [...FAST, "internal.dll=none", ...PLAIN];

/** Full frames of pages. */
const frames =
  (payload: number) =>
  (run: Run): number[] =>
    of(run, abi.T_FRAME, 0)
      .filter((e) => e.which === 1 && e.a === payload)
      .map((e) => e.t);

const unit =
  (side: number, which: number, kind?: number) =>
  (run: Run): number[] =>
    starts(run, side, which, kind);

/** Data of n bytes cut into packets of `cut` with `around` bytes each. */
const packets = (n: number, cut: number, around: number): number => n + Math.ceil(n / cut) * around;

/** Bytes a microsecond of Gen1 and Gen2: 8b/10b. */
const wireRate = (generation: number, lanes: number): number => 250 * generation * lanes;

const KINDS: Readonly<Record<string, Kind>> = {
  link: (_, between) => {
    const [rate, mtu] = [between(200, 5000), between(576, 9200)];
    const sets = [`link.rate=${rate} Mbit/s`, `link.mtu=${mtu}`, ...FAST, ...PLAIN];
    return { sets, mix: RANDOM, times: frames(mtu - 52), expected: rate / 8 / (mtu + 38) };
  },
  "rate cap": (_, between) => {
    const [cap, mtu] = [between(20, 500), between(576, 9200)];
    const sets = [`link.rateCap=${cap} MB/s`, `link.mtu=${mtu}`, ...FAST, ...PLAIN];
    return { sets, mix: RANDOM, times: frames(mtu - 52), expected: cap / (mtu + 38) };
  },
  seal: (draw, between) => {
    const [engines, bits, clock, gap] = [between(1, 2), draw([128, 256]), between(60, 150), between(0, 400)];
    const clocks = 1 + 32768 / bits + 1 + gap;
    const crypto = [`engines=${engines}`, `bitsPerCycle=${bits} bit/cycle`, `recordGap=${gap} cycles`];
    const other = ["destination.card.clock=1 GHz", "source.card.zeroFilter.bytesPerCycle=256 B/cycle"];
    const own = [`source.card.clock=${clock} MHz`, ...crypto.map((set) => `source.card.crypto.${set}`)];
    const expected = (engines * clock) / clocks;
    return { sets: [...other, ...own, "compress=off"], mix: RANDOM, times: unit(0, abi.U_SEAL), expected };
  },
  open: (_, between) => {
    const [engines, clock] = [between(1, 2), between(60, 150)];
    const card = [`crypto.engines=${engines}`, "crypto.bitsPerCycle=128 bit/cycle", `clock=${clock} MHz`];
    const sets = ["source.card.clock=1 GHz", ...card.map((set) => `destination.card.${set}`), "compress=off"];
    return { sets, mix: RANDOM, times: unit(1, abi.U_OPEN), expected: (engines * clock) / 258 };
  },
  "zero filter": (draw, between) => {
    const [width, clock] = [draw([2, 4, 8]), between(100, 250)];
    const card = [`clock=${clock} MHz`, `zeroFilter.bytesPerCycle=${width} B/cycle`];
    const sets = ["destination.card.clock=1 GHz", ...card.map((set) => `source.card.${set}`), ...PLAIN];
    return { sets, mix: RANDOM, times: unit(0, abi.U_ZERO), expected: (clock * width) / 4096 };
  },
  compressor: (_, between) => {
    const [engines, clock] = [between(1, 2), between(100, 250)];
    const card = [`source.card.clock=${clock} MHz`, "destination.card.clock=1 GHz"];
    const sets = [...card, `compress.engines=${engines}`, "compress.pws=4", "encrypt=off"];
    return { sets, mix: TEXT_PAGES, times: unit(0, abi.U_COMPRESS), expected: (engines * clock) / 1024 };
  },
  decoder: (_, between) => {
    const [engines, bytes, clock] = [between(1, 2), between(1, 2), between(100, 250)];
    const card = [`decompressor.engines=${engines}`, `decompressor.bytesPerCycle=${bytes} B/cycle`];
    const sets = ["source.card.clock=1 GHz", `destination.card.clock=${clock} MHz`, "encrypt=off"];
    sets.push(...card.map((set) => `destination.card.${set}`));
    const expected = (engines * clock * bytes) / 4096;
    return { sets, mix: TEXT_PAGES, times: unit(1, abi.U_UNLZ), expected };
  },
  "reads on the wire": (draw) => {
    const [generation, lanes, mps] = [draw([1, 2]), draw([1, 2]), draw([128, 256])];
    const pcie = [`generation=${generation}`, `lanes=${lanes}`, `mps=${mps}`, "mrrs=512"];
    const sets = [...BARE, ...pcie.map((set) => `source.card.pcie.${set}`)];
    // a batch of 32 descriptors is 512 B
    const bytes = packets(4096, mps, 20) + packets(512, mps, 20) / 32;
    return { sets, mix: RANDOM, times: unit(0, abi.U_ZERO), expected: wireRate(generation, lanes) / bytes };
  },
  "writes on the wire": (draw) => {
    const [generation, lanes, mps] = [draw([1, 2]), draw([1, 2]), draw([128, 256])];
    const pcie = [`generation=${generation}`, `lanes=${lanes}`, `mps=${mps}`];
    const sets = [...BARE, ...pcie.map((set) => `destination.card.pcie.${set}`)];
    const expected = wireRate(generation, lanes) / packets(4096, mps, 24);
    return { sets, mix: RANDOM, times: unit(1, abi.U_MEMORY), expected };
  },
  "reads in FLITs": (draw) => {
    const [mps, latency] = [draw([128, 256]), draw([200, 400])];
    const pcie = ["generation=6", "lanes=1", `mps=${mps}`, "mrrs=512", "linkShare=100"];
    const other = ["source.host.pcie.generation=6", `source.host.memory.readLatency=${latency} ns`];
    const sets = [...FAST, ...PLAIN, ...other, ...pcie.map((set) => `source.card.pcie.${set}`)];
    // 8 bytes a ns of which FLITs leave 236/256, a tenth of it taken in; a packet has 12 B around
    const bytes = packets(4096, mps, 12) + packets(512, mps, 12) / 32;
    const expected = ((8000 / 10) * 236) / 256 / bytes;
    return { sets, mix: RANDOM, times: unit(0, abi.U_ZERO), expected };
  },
  tags: (_, between) => {
    const [tags, latency] = [between(1, 3), between(400, 9000)];
    const host = `source.host.memory.readLatency=${latency} ns`;
    const sets = [`source.card.pcie.tags=${8 + tags}`, host, ...BARE];
    // a read of 512 B: a clock, 24 B up, a flight, 512 B / 42.6 GB/s, the latency and a miss of 56 ns less
    // two flights, 2 x 276 B down, a flight; the next edge. Gen3 x8: 1.30 / 10.24 ns a byte
    const byteNs = 130_000 / abi.TICKS_PER_NS;
    const hold = Math.ceil(1 + 24 * byteNs + 70 + 512 / 42.6 + latency + 56 - 140 + 552 * byteNs + 70);
    return { sets, mix: RANDOM, times: answers, expected: (tags * 1000) / hold };
  },
  "read memory": (_, between) => {
    const rate = between(500, 2000);
    const sets = [`source.host.memory.bandwidth=${rate} MB/s`, ...BARE];
    return { sets, mix: RANDOM, times: unit(0, abi.U_ZERO), expected: rate / (4096 + 16) };
  },
  "written memory": (_, between) => {
    const rate = between(500, 2000);
    const sets = [`destination.host.memory.bandwidth=${rate} MB/s`, ...BARE];
    return { sets, mix: RANDOM, times: unit(1, abi.U_MEMORY), expected: rate / 4096 };
  },
  "control cores": (_, between) => {
    const [cores, clock] = [between(1, 3), between(10, 25)];
    const sets = [`source.card.control.cores=${cores}`, `source.card.control.clock=${clock} MHz`, ...BARE];
    const expected = (cores * clock) / (120 + 60 / 32);
    return { sets, mix: RANDOM, times: unit(0, abi.U_FRAMER), expected };
  },
  "card DRAM": (_, between) => {
    const rate = between(800, 4000);
    const other = "destination.card.dram.bandwidth=100 GB/s";
    const sets = [`source.card.dram.bandwidth=${rate} MB/s`, other, ...BARE];
    return { sets, mix: RANDOM, times: unit(0, abi.U_FRAMER), expected: rate / (2 * 4112) };
  },
  "reads begun": (_, between) => {
    const [clock, every] = [between(150, 400), between(100, 200)];
    const card = [`clock=${clock} MHz`, `dma.readIssue=${every} cycles`];
    const sets = ["destination.card.clock=1 GHz", ...card.map((set) => `source.card.${set}`), ...PLAIN];
    return { sets, mix: RANDOM, times: answers, expected: clock / every };
  },
  "writes begun": (_, between) => {
    const [clock, every] = [between(150, 400), between(50, 100)];
    const card = [`clock=${clock} MHz`, `dma.writeIssue=${every} cycles`];
    const sets = ["source.card.clock=1 GHz", ...card.map((set) => `destination.card.${set}`), ...PLAIN];
    return { sets, mix: RANDOM, times: unit(1, abi.U_MEMORY), expected: clock / (16 * every) };
  },
};

const NAMES = Object.keys(KINDS);
export const KIND_COUNT = NAMES.length;

/** The configuration of a seed: kinds take turns. */
export function bottleneck(seed: number): Bottleneck {
  const next = generator(seed);
  const draw: Draw = (list) => list[Math.floor(next() * list.length)]!;
  const between: Between = (least, most) => least + Math.floor(next() * (most - least + 1));
  const what = NAMES[seed % NAMES.length]!;
  return { what, ...KINDS[what]!(draw, between) };
}
