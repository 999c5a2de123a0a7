// SPDX-License-Identifier: Apache-2.0
// Random small configurations: against the reference models to the tick, and against the scheduler that steps
// every unit at every clock edge. DPUSIM_SEED starts elsewhere, DPUSIM_RUNS makes more of them.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import type { Core } from "../src/core.ts";
import { checkPcie, checkTcp } from "./lib/reference/compare.ts";
import { type RunOptions, runText } from "./lib/timeline.ts";

const FIRST_SEED = Number(process.env.DPUSIM_SEED ?? 1);
const RUNS = Number(process.env.DPUSIM_RUNS ?? 25);
/** Runs short enough for the scheduler that steps everything. */
const NAIVE_RUNS_MAX = 4;
const NAIVE_TICKS_MAX = 800_000 * abi.TICKS_PER_NS;
const ACCOUNT_BYTES = 176;

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
  "card.compressor.pws": [8, 16, 32],
  "card.compressor.engines": [1, 2, 4],
  "card.scanner.wordsPerCycle": [1, 8, 64],
};

const REST: Choices = {
  "internal.dll": ["explicit", "explicit", "none"],
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

const TEXT = `schema: dpusim.scenario/1
guest:
  generate: { memory: 64 KiB, rate: 1 /s, workingSet: 64 KiB, mix: { zero: 20, text: 60, random: 20 } }
migration: { onTimeout: force }
`;

/** Mulberry32, public domain: numbers from 0 to below 1. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

function configuration(seed: number): string[] {
  const next = generator(seed);
  const choose = (prefix: string, choices: Choices): string[] =>
    Object.entries(choices).map(([key, of]) => `${prefix}${key}=${of[Math.floor(next() * of.length)]}`);
  return [...choose("source.", SIDE), ...choose("destination.", SIDE), ...choose("", REST), `seed=${seed}`];
}

/** Everything that is counted, summed or logged. */
function books(core: Core): string[] {
  const lines: string[] = [];
  for (let side = 0; side < 2; side++) {
    for (let i = 0; i < abi.COUNTERS; i++) lines.push(`counter ${side} ${i} ${core.counter(side, i)}`);
    for (let i = 0; i < abi.ACCOUNTS; i++) {
      const at = core.address("accountsAt") + (side * abi.ACCOUNTS + i) * ACCOUNT_BYTES;
      for (let s = 0; s < abi.STATES; s++)
        lines.push(`account ${side} ${i} ${s} ${core.u64(at + 16 + s * 8)}`);
    }
  }
  for (let i = 0; i < abi.L_COUNT; i++) lines.push(`log ${i} ${core.logged(i)}`);
  return lines;
}

let naiveRuns = 0;

function sameAsNaive(core: Core, options: RunOptions): void {
  if (core.clockNow() > NAIVE_TICKS_MAX || naiveRuns >= NAIVE_RUNS_MAX) return;
  naiveRuns++;
  const naive = books(runText(TEXT, { ...options, variant: "naive" }).core);
  assert.equal(
    books(core).filter((line, i) => line !== naive[i]),
    [],
  );
}

for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
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
    sameAsNaive(run.core, options);
  });
}

test("some runs were compared with the scheduler that steps everything", () => {
  assert.ok(naiveRuns > 0 || RUNS < 10);
});

test.run();
