// SPDX-License-Identifier: Apache-2.0
/**
 * Where to compress: on cores of the host, an engine beside them, cores of the card, its engines? And where
 * to encrypt too, and to decrypt and decode: on both hosts, engines beside both, or those of both cards?
 */
import type { ResolvedScenario } from "../../src/index.ts";
import { counter, type Experiment, run, unless } from "./lib.ts";

const PLACES = ["host", "host-engine", "card-core", "card"] as const;
const SEALED = ["hosts", "host-engines", "cards"] as const;
type Place = (typeof PLACES)[number] | (typeof SEALED)[number];

/** Every stage but the zero filter at one kind of place. */
function at(place: string): Record<string, string> {
  return { compress: place, encrypt: place, decrypt: place, decompress: place };
}

/** Of each place: how it is written. */
const KEYS: Readonly<Record<Place, object>> = {
  host: {
    placement: { zero: "host", compress: "host", workers: 3 },
    compress: { engine: "lz4-sw" },
    internal: { pages: "vsock" },
  },
  "host-engine": {
    placement: { zero: "host", compress: "host-engine" },
    compress: { engine: "qat-gen4" },
    internal: { pages: "vsock" },
  },
  "card-core": { placement: { zero: "card-core", compress: "card-core" }, compress: { engine: "lz4-sw" } },
  card: { compress: { engine: "lz4-hw" } },
  hosts: {
    placement: { ...at("host"), zero: "host", workers: 3, destinationWorkers: 3 },
    compress: { engine: "lz4-sw" },
    internal: { pages: "vsock" },
    encrypt: {},
  },
  "host-engines": {
    placement: { ...at("host-engine"), zero: "host" },
    compress: { engine: "qat-gen4" },
    internal: { pages: "vsock" },
    encrypt: { engine: "qat-8950" },
  },
  cards: { compress: { engine: "lz4-hw" }, encrypt: {} },
};

const VCPUS = 4;
const KIB_A_PAGE = 4;
/** A tick is 2^-10 ps. */
const TICKS_PER_MS = 1_024_000_000_000;

/** Who works at stages: ticks a cycle, and cycles of what. */
interface Worker {
  readonly ticksPerCycle: readonly [number, number];
  readonly stages: ResolvedScenario["sides"]["source"]["host"]["stages"];
}

/** Milliseconds of cycles of a worker. */
function msOf({ ticksPerCycle: [num, den] }: Worker, cycles: number): number {
  return (cycles * num) / den / TICKS_PER_MS;
}

interface Line {
  readonly [key: string]: number | string;
  readonly where: Place;
  readonly slowdownPercent: number;
  readonly downtimeMs: number;
  /** The first round, and what its pages take the cores that compress, divided among them. */
  readonly roundMs: number;
  readonly leastMs: number;
  readonly totalMs: number;
  /** Of compression, whose cores they are. */
  readonly codingMs: number;
  /** Of the destination's host, at stages of pages, and what those are at least. */
  readonly thereMs: number;
  readonly leastThereMs: number;
  /** Of the source's host, encryption. */
  readonly sealingMs: number;
  /** Of the source's host, all that it works. */
  readonly coreMs: number;
}

/** One guest of a third of each kind of page that fills its host: four vCPUs on four cores. */
function line(where: Place): Line {
  const mix = { zero: 20, text: 50, random: 30 };
  const generate = { memory: "64 MiB", rate: "20000 /s", workingSet: "4 MiB", mix };
  const result = run({
    guest: { generate, vcpus: VCPUS, deviceState: "1 MiB" },
    source: { host: { preset: "snb-e5-2630", cpu: { cores: VCPUS } } },
    tracker: { kind: "bitmap" },
    encrypt: "off",
    ...KEYS[where],
    migration: { downtimeLimit: "5 ms", maxRounds: 6, onTimeout: "force" },
  });
  const { migration, guest, hostCpu } = result;
  const [first] = migration.rounds;
  const pages = first!.normalPages;
  const text = (pages * mix.text) / (mix.text + mix.random);
  const { sides, placement } = result.scenario as ResolvedScenario;
  const { source } = sides;
  const host: Worker = { ticksPerCycle: source.host.cpu.ticksPerCycle, stages: source.host.stages };
  const core: Worker = { ticksPerCycle: source.card.control.ticksPerCycle, stages: source.card.stages };
  const cost = (worker: Worker): number => {
    const { jobCycles, lz4PerKibCycles, lz4RawPerKibCycles } = worker.stages;
    const perKib = text * lz4PerKibCycles + (pages - text) * lz4RawPerKibCycles;
    return msOf(worker, pages * jobCycles + KIB_A_PAGE * perKib);
  };
  const cores = where === "host" ? placement.workers : source.card.control.cores;
  const least = where === "host" || where === "card-core" ? cost(where === "host" ? host : core) / cores : 0;
  // a record opened each, its raw pages whole; text decoded, and a submission for either at an engine
  const { jobCycles, gcmPerKibCycles, unlz4PerKibCycles } = host.stages;
  const opened = pages * jobCycles + KIB_A_PAGE * (pages - text) * gcmPerKibCycles;
  const there = msOf(host, opened + text * (jobCycles + KIB_A_PAGE * unlz4PerKibCycles));
  const submitted = msOf(host, (pages + text) * jobCycles);
  const ms = (name: string): number => counter(result, name) / 1e6;
  const atHosts = where === "hosts" || where === "host-engines";
  return {
    where,
    slowdownPercent: 100 * guest.slowdown!,
    downtimeMs: migration.downtimeNs! / 1e6,
    roundMs: first!.durationNs / 1e6,
    leastMs: least,
    totalMs: migration.totalTimeNs / 1e6,
    codingMs: ms("source.stages.compressNs"),
    thereMs: ms("destination.stages.cryptNs") + ms("destination.stages.decompressNs"),
    leastThereMs: where === "hosts" ? there : atHosts ? submitted : 0,
    sealingMs: where === "card-core" ? 0 : ms("source.stages.cryptNs"),
    coreMs: 1000 * hostCpu.sourceCoreSeconds,
  };
}

export const experiment: Experiment<Line> = {
  name: "placement-sweep",
  question:
    "Where to compress, and to encrypt, decrypt and decode: on cores of hosts, engines beside them, " +
    "cores of the card, its engines?",
  expected:
    "Cores take pages x cycles / cores at least; on the card, whose filter and firmware take the rest, 1.1 " +
    "times that. Host cores work most and slow a guest that has them most, an engine less, cards hardly; " +
    "the card's engines are first. Hosts that encrypt work longer by that at the source, and by opening " +
    "and decoding every page at the destination; engines beside them leave them the submissions, cards " +
    "nothing.",
  rows: () => [...PLACES, ...SEALED].map(line),
  misses: (rows) => {
    const of = (where: Place): Line => rows.find((row) => row.where === where)!;
    const [host, engine, cores, card] = PLACES.map(of) as [Line, Line, Line, Line];
    const [hosts, engines, cards] = SEALED.map(of) as [Line, Line, Line];
    const falls = (key: "coreMs" | "slowdownPercent", by: number): string[] =>
      unless(
        host[key] > by * engine[key] && engine[key] > by * Math.max(cores[key], card[key]),
        `${key}: ${rows.map((row) => row[key]).join(", ")} do not fall by ${by}`,
      );
    return [
      ...falls("coreMs", 1.5),
      ...[hosts, engines].flatMap(({ where, thereMs, leastThereMs }) =>
        unless(thereMs >= leastThereMs, `${where}: ${thereMs} ms there, ${leastThereMs} at least`),
      ),
      ...unless(
        hosts.thereMs > 1.5 * engines.thereMs && cards.thereMs === 0,
        `there: ${hosts.thereMs}, ${engines.thereMs}, ${cards.thereMs} ms do not fall`,
      ),
      ...unless(
        hosts.sealingMs > 1.5 * engines.sealingMs && cards.sealingMs === 0,
        `sealing: ${hosts.sealingMs}, ${engines.sealingMs}, ${cards.sealingMs} ms do not fall`,
      ),
      ...unless(
        hosts.coreMs > engines.coreMs && engines.coreMs > 1.5 * cards.coreMs,
        `hosts work ${hosts.coreMs}, ${engines.coreMs}, ${cards.coreMs} ms`,
      ),
      ...unless(
        cards.totalMs < Math.min(hosts.totalMs, engines.totalMs),
        `cards take ${cards.totalMs} ms, ${hosts.totalMs} and ${engines.totalMs} hosts`,
      ),
      ...falls("slowdownPercent", 1.5),
      ...unless(
        cores.roundMs >= cores.leastMs && cores.roundMs < 1.1 * cores.leastMs,
        `cores of the card take ${cores.roundMs} ms, ${cores.leastMs} by their work`,
      ),
      ...unless(host.roundMs >= host.leastMs, `host: ${host.roundMs} ms, ${host.leastMs} by its work`),
      ...unless(
        card.totalMs < Math.min(host.totalMs, engine.totalMs, cores.totalMs),
        `the card's engines take ${card.totalMs} ms, others less`,
      ),
    ];
  },
};
