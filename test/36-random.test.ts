// SPDX-License-Identifier: Apache-2.0
// Random configurations: against the reference models to the tick, and against the scheduler that steps every
// unit at every clock edge. Environment: lib/random (the time limit of npm test is --timeout SECONDS).
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import type { Core } from "../src/core.ts";
import { type Reading, readCore } from "../src/result/reading.ts";
import { generator, seeds } from "./lib/random.ts";
import { checkPcie, checkTcp } from "./lib/reference/compare.ts";
import { type RunOptions, runText } from "./lib/timeline.ts";

const SEEDS = seeds(25);
/** One configuration in so many has a guest of 1 MiB or more. */
const LARGE_EVERY = 5;
/** What goes to the scheduler that steps everything: short runs, of small guests one in so many. */
const NAIVE_TICKS_MAX = { small: 1_500_000 * abi.TICKS_PER_NS, large: 2_000_000 * abi.TICKS_PER_NS };
const NAIVE_EVERY = 2;

type Choices = Readonly<Record<string, readonly (string | number)[]>>;

const SIDE: Choices = {
  "host.pcie.generation": [5],
  "host.pcie.lanes": [16],
  "host.pcie.mps": [4096],
  "host.pcie.mrrs": [4096],
  "card.pcie.generation": [1, 2, 3, 4, 5],
  "card.pcie.lanes": [1, 2, 4, 8, 16],
  "card.pcie.mps": [128, 256, 512],
  "card.pcie.mrrs": [128, 256, 512, 1024, 4096],
  "card.pcie.tags": [40, 41, 64, 256],
  "card.pcie.phCredits": [1, 2, 64],
  "card.pcie.completionBuffer": ["32 KiB", "64 KiB"],
  "card.pcie.completionHeaders": [512, 1024],
  "card.pcie.replayBuffer": ["4200 B", "5000 B", "32 KiB"],
  "host.pcie.rcb": [64, 128],
  "host.pcie.combineAbove": [0, 128, 256, 4096],
  "host.pcie.phCredits": [1, 2, 5, 16, 127, 0],
  "host.pcie.pdCredits": [32, 33, 64, 96, 1024, 0],
  "host.pcie.nphCredits": [1, 2, 7, 127, 0],
  "host.pcie.flight": ["1 ns", "70 ns", "333 ns"],
  "host.memory.bandwidth": ["42.6 GB/s", "1 GB/s", "7 GB/s", "200 GB/s"],
  "host.memory.readLatency": ["0 s", "422 ns", "2 us"],
  "host.iommu.entries": [8, 24, 64],
  "host.iommu.ways": [1, 2, 64],
  "host.iommu.walkers": [1, 3, 6],
  "host.iommu.walk": ["50 ns", "300 ns", "1 us"],
  "host.iommu.recovery": ["0 s", "33 ns"],
  "host.iommu.readPerKiB": ["0 s", "174 ns"],
  "host.iommu.serialWalks": ["yes", "no"],
  "host.memory.jitterMax": ["0 s", "2 us"],
  "host.memory.contention": [0, 1000, 9000],
  "card.ats.entries": [1, 4, 64],
  "card.ats.requests": [1, 2, 3],
  "card.pcie.linkShare": [1000, 960, 333],
  "card.clock": ["300 MHz", "250 MHz", "1 GHz", "375 MHz", "700 MHz"],
  "card.control.clock": ["1.5 GHz", "700 MHz", "2 GHz"],
  "card.control.cores": [1, 2, 4],
  "card.dma.ring": ["host", "card"],
  "card.dma.readQueues": [1, 2, 5],
  "card.dma.readIssue": ["1 cycles", "2 cycles", "7 cycles"],
  "card.dma.writeIssue": ["1 cycles", "2 cycles", "7 cycles"],
  "card.dma.prefetchBatches": [1, 2],
  "card.dma.descriptorBatch": [4, 8, 32],
  "card.dma.descriptorBytes": [8, 16, 64],
  "card.dma.stagingSram": ["128 KiB", "256 KiB", "1 MiB"],
  "card.crypto.bitsPerCycle": ["128 bit/cycle", "512 bit/cycle"],
  "card.crypto.recordGap": ["0 cycles", "0 cycles", "3 cycles", "90 cycles"],
  "card.crypto.interleave": ["word", "record"],
  "card.crypto.egress": ["hold", "admit"],
  "card.compressor.pws": [8, 16, 32],
  "card.compressor.engines": [1, 2, 4],
  "card.scanner.wordsPerCycle": [1, 8, 64],
};

const REST: Choices = {
  "internal.dll": ["explicit", "explicit", "explicit", "none", "ack-per-tlp", "pciebench"],
  "internal.iommu": ["off", "4KiB", "2MiB"],
  "internal.ats": ["off", "on"],
  "internal.relaxedOrdering": ["off", "on"],
  "internal.jitter": ["off", "on"],
  "internal.contention": ["off", "on"],
  "internal.pages": ["dma", "dma", "vsock"],
  "internal.addresses": ["bitmap", "list", "runs"],
  "link.mtu": [576, 1499, 1500, 9000],
  "link.window": ["64 KiB", "256 KiB", "16 MiB"],
  "link.rtt": ["2 us", "5 us", "20 us", "50 us"],
  "link.rate": ["1 Gbit/s", "7 Gbit/s", "25 Gbit/s", "100 Gbit/s"],
  "link.rateCap": ["none", "none", "300 MB/s", "24 MiB/s"],
  "link.arbitration": ["strict", "weighted"],
  "compress.engine": ["off", "lz4-hw", "lz4-hw"],
  "encrypt.cipher": ["off", "aes-128-gcm", "aes-256-gcm"],
  "tracker.kind": ["write-protect", "bitmap"],
  "guest.generate.memory": ["64 KiB", "128 KiB", "192 KiB"],
  "guest.generate.rate": ["100000 /s", "1000000 /s"],
  "guest.deviceState": ["1 KiB", "5 KiB", "60 KiB"],
  "migration.downtimeLimit": ["1 us", "100 us", "300 ms"],
  "migration.maxRounds": [2, 4],
};

/** Drawn last, so that the rest of a seed's configuration stays what it was. */
const LAST: Choices = {
  "card.dma.completionEvery": [0, 0, 1, 3, 64],
  "card.dma.completionBytes": [4, 16, 64],
};

const LARGE: Choices = {
  "guest.generate.memory": ["1 MiB", "1540 KiB", "2 MiB"],
  "link.rate": ["7 Gbit/s", "25 Gbit/s", "100 Gbit/s"],
  "link.rateCap": ["none", "none", "300 MB/s"],
};

const TEXT = `schema: dpusim.scenario/1
guest:
  generate: { memory: 64 KiB, rate: 1 /s, workingSet: 64 KiB, mix: { zero: 20, text: 60, random: 20 } }
migration: { onTimeout: force }
`;

const isLarge = (seed: number): boolean => seed % LARGE_EVERY === 0;

function configuration(seed: number): string[] {
  const next = generator(seed);
  const choose = (prefix: string, choices: Choices): string[] =>
    Object.entries(choices).map(([key, of]) => `${prefix}${key}=${of[Math.floor(next() * of.length)]}`);
  const sets = [...choose("source.", SIDE), ...choose("destination.", SIDE), ...choose("", REST)];
  // a card that translates needs an IOMMU
  const ats = sets.indexOf("internal.ats=on");
  if (ats >= 0 && sets.includes("internal.iommu=off")) sets.splice(ats, 1);
  const large = isLarge(seed) ? choose("", LARGE) : [];
  const last = [...choose("source.", LAST), ...choose("destination.", LAST)];
  return [...sets, ...large, ...last, `seed=${seed}`];
}

/** Everything that is counted, summed, sampled or logged: a line a number, each with its name. */
function books(core: Core): string[] {
  const lines: string[] = [];
  const walk = (name: string, value: unknown): void => {
    if (value === null || typeof value !== "object") lines.push(`${name} ${value}`);
    else for (const [key, inner] of Object.entries(value)) walk(`${name}.${key}`, inner);
  };
  const reading: Reading = readCore(core, core.clockNow());
  for (const [part, value] of Object.entries(reading)) walk(part, value);
  return lines;
}

const compared = { small: 0, large: 0 };
let candidates = 0;

function sameAsNaive(seed: number, core: Core, options: RunOptions): void {
  const size = isLarge(seed) ? "large" : "small";
  if (core.clockNow() > NAIVE_TICKS_MAX[size]) return;
  if (size === "small" && candidates++ % NAIVE_EVERY !== 0) return;
  compared[size]++;
  const [mine, naive] = [books(core), books(runText(TEXT, { ...options, variant: "naive" }).core)];
  assert.is(mine.length, naive.length);
  assert.equal(
    mine.filter((line, i) => line !== naive[i]),
    naive.filter((line, i) => line !== mine[i]),
  );
}

for (const seed of SEEDS) {
  test(`configuration ${seed}`, () => {
    const options = { sets: configuration(seed) };
    const run = runText(TEXT, options);
    assert.is(
      run.stop,
      abi.STOP_DONE,
      `stopped with ${run.stop}, invariant ${run.core.global("brokenInvariant")}`,
    );
    assert.ok(checkPcie(run, 0).compared > 300);
    assert.ok(checkPcie(run, 1).compared > 100);
    assert.ok(checkTcp(run) > 10);
    sameAsNaive(seed, run.core, options);
  });
}

test("runs of both sizes were compared with the scheduler that steps everything", () => {
  assert.ok(SEEDS.length < 25 || (compared.small >= 2 && compared.large >= 1), JSON.stringify(compared));
});

test("the books name every account, counter, histogram and series", () => {
  const run = runText(TEXT, { sets: configuration(1) });
  const names = new Set(books(run.core).map((line) => line.split(" ")[0]));
  // of side 1: a decoder, the last counter, histogram 5 (VSOCK messages); round 0, the last series
  const last = [
    "accounts.1.80.19",
    "counters.1.63",
    "histograms.1.5.buckets.507",
    "rounds.0.7",
    "series.2.0",
  ];
  assert.equal(
    last.filter((name) => !names.has(name)),
    [],
  );
  assert.ok(names.has("seriesWindowTicks") && names.has("log.31"));
});

test("the books show a wire that is a tick longer, in every kind of number", () => {
  const sets = configuration(1);
  const run = runText(TEXT, { sets });
  const at = books(run.core);
  const flight = run.params.sides[0][abi.S_PCIE_FLIGHT]! + 1;
  const off = books(runText(TEXT, { sets, sideParams: [[0, abi.S_PCIE_FLIGHT, flight]] }).core);
  const parts = new Set(off.filter((line, i) => line !== at[i]).map((line) => line.split(".")[0]));
  for (const part of ["accounts", "histograms", "log", "rounds"]) assert.ok(parts.has(part), part);
});

test.run();
