// SPDX-License-Identifier: Apache-2.0
/** Where to compress: on cores of the host, an engine beside them, cores of the card, its engines? */
import { counter, type Experiment, run, unless } from "./lib.ts";

const PLACES = ["host", "host-engine", "card-core", "card"] as const;
type Place = (typeof PLACES)[number];

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
};

/** MHz of the host, cycles of a job and of a KiB that is coded or stays raw: assumed, snb-e5-2630. */
const HOST = { mhz: 2300, job: 500, coded: 3400, raw: 600 };
/** Of a core of card dpu-ref. */
const CARD = { mhz: 1500, job: 300, coded: 6144, raw: 1024, cores: 4 };
const VCPUS = 4;

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
  /** Of the source's host, all that it works. */
  readonly coreMs: number;
}

/** One guest of a third of each kind of page that fills its host: four vCPUs on four cores. */
function line(where: Place): Line {
  const mix = { zero: 20, text: 50, random: 30 };
  const generate = { memory: "64 MiB", rate: "20000 /s", workingSet: "4 MiB", mix };
  const result = run({
    ...KEYS[where],
    guest: { generate, vcpus: VCPUS, deviceState: "1 MiB" },
    source: { host: { preset: "snb-e5-2630", cpu: { cores: VCPUS } } },
    tracker: { kind: "bitmap" },
    encrypt: "off",
    migration: { downtimeLimit: "5 ms", maxRounds: 6, onTimeout: "force" },
  });
  const { migration, guest, hostCpu } = result;
  const [first] = migration.rounds;
  const pages = first!.normalPages;
  const text = (pages * mix.text) / (mix.text + mix.random);
  const cost = ({ job, coded, raw, mhz }: typeof HOST): number =>
    (pages * job + 4 * (text * coded + (pages - text) * raw)) / mhz / 1000;
  const least = { host: cost(HOST) / 3, "host-engine": 0, "card-core": cost(CARD) / CARD.cores, card: 0 };
  return {
    where,
    slowdownPercent: 100 * guest.slowdown!,
    downtimeMs: migration.downtimeNs! / 1e6,
    roundMs: first!.durationNs / 1e6,
    leastMs: least[where],
    totalMs: migration.totalTimeNs / 1e6,
    codingMs: counter(result, "source.stages.compressNs") / 1e6,
    coreMs: 1000 * hostCpu.sourceCoreSeconds,
  };
}

export const experiment: Experiment<Line> = {
  name: "placement-sweep",
  question: "Where to compress: on cores of the host, an engine beside them, cores of the card, its engines?",
  expected:
    "Cores take pages x cycles / cores at least; on the card, whose filter and firmware take the rest, 1.1 " +
    "times that. Host cores work most and slow a guest that has them most, an engine less, cards hardly; " +
    "the card's engines are first.",
  rows: () => PLACES.map(line),
  misses: (rows) => {
    const of = (where: Place): Line => rows.find((row) => row.where === where)!;
    const [host, engine, cores, card] = PLACES.map(of) as [Line, Line, Line, Line];
    const falls = (key: "coreMs" | "slowdownPercent", by: number): string[] =>
      unless(
        host[key] > by * engine[key] && engine[key] > by * Math.max(cores[key], card[key]),
        `${key}: ${rows.map((row) => row[key]).join(", ")} do not fall by ${by}`,
      );
    return [
      ...falls("coreMs", 1.5),
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
