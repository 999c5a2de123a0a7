// SPDX-License-Identifier: Apache-2.0
/**
 * Suite `host`: what a migration in software takes and what it costs the hosts' cores, beside published
 * figures of QEMU, vMotion, Cloud Hypervisor and XenServer.
 *
 * Each run is a scenario on the board of QEMU's threads with `software: { costs: cycles }`: one preset of a
 * host (`spr-8480`), whose cycles a KiB were found in the points marked as calibration and in zstd's own
 * benchmark, for all of them. The guest writes nothing. The 54 GB of QEMU's table are run whole; elsewhere
 * time and work of two smaller guests give the line on which the size lies (the board has neither caches nor
 * other loads, so both are linear; test/57-host.test.ts has one of them beside the whole).
 */

import { resolveSource } from "../scenario/resolve.ts";
import { parseSource } from "../scenario/source.ts";
import { simulate } from "../simulate.ts";
import { guestStream } from "../stream.ts";
import { probeCore } from "./pcie-side.ts";
import { type PublishedRow, published, publishedTolerance } from "./published.ts";
import { type Point, point, type Suite } from "./types.ts";

const SUITE = "host";
const KIB = 1024;
const GIB = 2 ** 30;

/** What was migrated, and how. */
export interface HostRun {
  readonly bytes: number;
  /** All of it is run. */
  readonly whole?: boolean;
  /** Per cent of pages that are zero. */
  readonly zero?: number;
  readonly streams: number;
  readonly gbits: number;
  /** 1000 x bytes of a page / what zstd makes of it. */
  readonly ratioPerMille?: number;
  /** Given to the threads of connections in chunks, not page by page as by QEMU's migration thread. */
  readonly chunks?: boolean;
  /** Cycles a KiB in the place of the preset's, of compressing and decoding. */
  readonly zstd?: readonly [compress: number, decode: number];
}

/** Silesia: zstd 1.5.7 of level 1 and --fast=1, zlib 1.3.1 of level 1 (zstd's README). */
const ZSTD = 2896;
const FAST = 2439;
const DEFLATE = 2743;
/** 545 and 1850 MB/s at 4.9 GHz. */
const FAST_CYCLES = [9207, 2712] as const;

const SILESIA = { bytes: 54e9, whole: true, streams: 8, gbits: 10 };
const VMOTION = { bytes: 8 * GIB, gbits: 40 };
const ONE = { bytes: 32 * GIB, streams: 1, gbits: 100, chunks: true };
const EIGHT = { bytes: 1024 * GIB, streams: 8, gbits: 100, chunks: true };
const XEN = { bytes: 4 * GIB, streams: 1, gbits: 10 };

/** By name, as the table has them. */
export const HOST_RUNS: Readonly<Record<string, HostRun>> = {
  "qat-none": SILESIA,
  "qat-zstd": { ...SILESIA, ratioPerMille: ZSTD },
  // devices compress, and no core does
  "qat-qat": { ...SILESIA, ratioPerMille: DEFLATE, zstd: [0, 0] },
  "vmotion-1": { ...VMOTION, streams: 1 },
  "vmotion-2": { ...VMOTION, streams: 2 },
  "vmotion-3": { ...VMOTION, streams: 3 },
  "ch-1": ONE,
  "ch-1-skip": { ...ONE, zero: 100 },
  "ch-1-half": { ...ONE, zero: 50 },
  "ch-8": EIGHT,
  "ch-8-skip": { ...EIGHT, zero: 100 },
  "xen-none": XEN,
  "xen-zstd": { ...XEN, ratioPerMille: ZSTD },
  "xen-fast": { ...XEN, ratioPerMille: FAST, zstd: FAST_CYCLES },
  "xen-1g-none": { ...XEN, gbits: 1 },
  "xen-1g-zstd": { ...XEN, gbits: 1, ratioPerMille: ZSTD },
};

/** Seconds, and of cores at both ends. */
export interface HostTimes {
  readonly total: number;
  readonly sender: number;
  readonly receiver: number;
}

/** The run's scenario with a guest of so many bytes. */
export function hostScenario(run: HostRun, bytes: number): object {
  const zero = run.zero ?? 0;
  const [zstdPerKiB, unzstdPerKiB] = (run.zstd ?? []).map((n) => `${n} cycles`);
  const host = (qemu: object): object | string =>
    run.zstd === undefined ? "spr-8480" : { preset: "spr-8480", qemu };
  const compressed =
    run.ratioPerMille === undefined ? {} : { compression: "zstd", ratioPerMille: run.ratioPerMille };
  const queue = run.chunks === true ? { queue: "0 s" } : {};
  const mix = { zero, text: 0, random: 100 - zero };
  const idle = { rate: "0 /s", workingSet: "4 KiB", pattern: "uniform", mix };
  return {
    schema: "dpusim.scenario/1",
    placement: "qemu",
    compress: "off",
    encrypt: "off",
    content: "sized",
    guest: {
      generate: { memory: `${Math.ceil(bytes / (4 * KIB)) * 4} KiB`, ...idle },
      deviceState: "64 KiB",
      vcpus: 1,
    },
    source: { host: host({ zstdPerKiB }) },
    destination: { host: host({ unzstdPerKiB }) },
    // a limit above the link: nothing waits for windows
    link: { rate: `${run.gbits} Gbit/s`, mtu: 1500, rateCap: `${10 * run.gbits} Gbit/s` },
    migration: { downtimeLimit: "30 ms" },
    software: { costs: "cycles", multifd: { channels: run.streams, ...queue, ...compressed } },
  };
}

/** The run on the board with a guest of so many bytes. */
export function runHost(run: HostRun, bytes: number): HostTimes {
  const text = JSON.stringify(hostScenario(run, bytes));
  const { scenario } = resolveSource(parseSource(text, SUITE), ".", SUITE, {});
  const origin = { version: "0", build: "0".repeat(64), trace: null, traceHint: null };
  const stream = guestStream(scenario, null);
  const { migration, hostCpu } = simulate({ core: probeCore(), scenario, stream, origin });
  if (migration.status !== "completed") throw new Error(`a run of ${SUITE} is ${migration.status}`);
  return {
    total: migration.totalTimeNs / 1e9,
    sender: hostCpu.sourceCoreSeconds,
    receiver: hostCpu.destinationCoreSeconds,
  };
}

/** Guests that stand for a larger one. */
const PARTS = [2 * GIB, 4 * GIB] as const;

/** Times of a guest of `bytes` on the line through two smaller ones. */
export function onLine(run: HostRun, bytes: number, parts: readonly [number, number] = PARTS): HostTimes {
  const [small, large] = parts.map((part) => runHost(run, part)) as [HostTimes, HostTimes];
  const at = (bytes - parts[0]) / (parts[1] - parts[0]);
  const of = (key: keyof HostTimes): number => small[key] + (large[key] - small[key]) * at;
  return { total: of("total"), sender: of("sender"), receiver: of("receiver") };
}

const known = new Map<string, HostTimes>();

function timesOf(name: string): HostTimes {
  const before = known.get(name);
  if (before !== undefined) return before;
  const run = HOST_RUNS[name];
  if (run === undefined) throw new RangeError(`sim/published/host.csv: no run ${name}`);
  const times = run.whole === true ? runHost(run, run.bytes) : onLine(run, run.bytes);
  known.set(name, times);
  return times;
}

/** How each measure of the table is taken: of a run, with another. */
const MEASURES: Readonly<Record<string, (of: string, other: string) => number>> = {
  total: (of) => timesOf(of).total,
  rate: (of) => (HOST_RUNS[of]!.bytes * 8) / 1e9 / timesOf(of).total,
  sender: (of) => (100 * timesOf(of).sender) / timesOf(of).total,
  receiver: (of) => (100 * timesOf(of).receiver) / timesOf(of).total,
  over: (of, other) => timesOf(of).total / timesOf(other).total,
  "work-over": (of, other) => timesOf(of).sender / timesOf(other).sender,
  slower: (of, other) => (timesOf(of).total > timesOf(other).total ? 1 : 0),
};

function publishedPoint(row: PublishedRow): Point {
  const { id, of, measure, argument, quantity, unit, expected, calibration, source } = row;
  const taken = MEASURES[measure!];
  if (taken === undefined) throw new RangeError(`sim/published/host.csv: no measure ${measure}`);
  return point({
    suite: SUITE,
    id: id!,
    quantity: quantity!,
    expected: Number(expected),
    simulated: taken(of!, argument!),
    unit: unit!,
    tolerance: publishedTolerance(row),
    calibration: calibration === "yes",
    source: source!,
  });
}

export const suite: Suite = {
  name: SUITE,
  title: "migrations in software: time and load of hosts' cores",
  limits: [
    "Tolerances were set when most of the errors were known, and that Cloud Hypervisor's connections take " +
      "chunks of memory was put in after its points with zero pages were outside: the suite says that one " +
      "set of costs fits these figures, not that it predicts others.",
    "No source names its processor; 3.0 GHz and one count of cycles stand for all of them. Rates of one " +
      "stream of other software than QEMU are only reported: they are what that software's worker costs.",
    "The receiver's threads are counted and hold nothing up: a stream is as fast as its sender.",
    "What two vMotion streams lose to each other (28 for 2 x 18) has no cause in the model.",
    "Copies into buffers of QAT devices, and waiting for them, are not modelled: the load with QAT is " +
      "reported, its time is the link's. The ratio of QAT is taken to be zlib's of level 1.",
    "An evacuation by XenServer is many migrations and what is around them: that compressing is slower, " +
      "and when not, is judged, how much is reported.",
    "Downtimes (24 to 40 ms) hang on the guest's device state and on pages that QEMU finds dirty without a " +
      "write: not derived. Encrypted streams, zero-copy send (MSG_ZEROCOPY) and RDMA have no point.",
  ],
  *points() {
    for (const row of published(SUITE)) yield publishedPoint(row);
  },
};
