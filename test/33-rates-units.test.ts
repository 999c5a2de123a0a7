// SPDX-License-Identifier: Apache-2.0
// One bottleneck at a time, unit by unit: the steady rate is within 2 % of that unit's formula in
// docs/model.md.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { accountTicks } from "./lib/claims/chain.ts";
import { answers, near, PLAIN, RANDOM, runOf, starts, steady, TEXT_PAGES, WIRE_NS } from "./lib/rates.ts";

const SLOW = ["source.card.clock=250 MHz", "destination.card.clock=1 GHz"];
const NO_LAYER = ["internal.dll=none", ...PLAIN];

// ---- engines of the cards ----

test("zero filter of 4 bytes a clock at 250 MHz: 4096/4 = 1024 clocks a page", () => {
  const run = runOf(RANDOM, [...SLOW, "source.card.zeroFilter.bytesPerCycle=4 B/cycle", ...PLAIN]);
  near(steady(starts(run, 0, abi.U_ZERO)), 250 / 1024);
});

test("a read request of 512 B every 64 clocks at 250 MHz", () => {
  const run = runOf(RANDOM, [...SLOW, "source.card.dma.readIssue=64 cycles", ...PLAIN]);
  near(steady(answers(run)), 250 / 64);
});

test("a write of 256 B every 64 clocks at 250 MHz: 16 x 64 clocks a page", () => {
  const card = ["destination.card.clock=250 MHz", "destination.card.dma.writeIssue=64 cycles"];
  near(steady(starts(runOf(RANDOM, [...card, ...PLAIN]), 1, abi.U_MEMORY)), 250 / (16 * 64));
});

for (const [words, clocks] of [
  // a batch of 2048 bits is 32 words; 16 pages leave one a clock
  [1, 32],
  [3, 11],
  [32, 16],
] as const) {
  test(`scanner of ${words} words a clock: max(16, ceil(32/${words})) clocks for 16 pages`, () => {
    const run = runOf(RANDOM, [`source.card.scanner.wordsPerCycle=${words}`, ...PLAIN], "64 KiB");
    const busy = accountTicks(run.core, 0, abi.A_SCANNER, abi.BUSY);
    assert.is(Number(busy) / 1_024_000, Math.max(16, clocks));
  });
}

test("one engine of 128 bit at 250 MHz opens a page in 1 + 256 + 1 clocks", () => {
  const engine = ["crypto.engines=1", "crypto.bitsPerCycle=128 bit/cycle", "clock=250 MHz"];
  const sets = ["source.card.clock=1 GHz", ...engine.map((set) => `destination.card.${set}`)];
  near(steady(starts(runOf(RANDOM, [...sets, "compress=off"]), 1, abi.U_OPEN)), 250 / 258);
});

// the latency at 128 bit is 10 + 2 + 3 + 1 = 16 clocks
for (const [what, sets, clocks] of [
  ["a block in 4 x 11 clocks: 44 x 258", ["cyclesPerRound=4"], 44 * 258],
  ["a gap of 100 clocks: 258 + 100", ["recordGap=100 cycles"], 258 + 100],
  ["one record at a time: 258 + 16", ["interleave=record"], 258 + 16],
  ["no back-pressure at its end: 258", ["egress=admit"], 258],
] as const) {
  test(`one engine of 128 bit at 250 MHz seals a page in ${what} clocks`, () => {
    const engine = ["engines=1", "bitsPerCycle=128 bit/cycle", ...sets];
    const crypto = engine.map((set) => `source.card.crypto.${set}`);
    const run = runOf(RANDOM, [...crypto, "source.card.clock=250 MHz", "compress=off"]);
    near(steady(starts(run, 0, abi.U_SEAL)), 250 / clocks);
  });
}

test("one control core of 50 MHz at the destination: 120 cycles a record", () => {
  const sets = ["destination.card.control.cores=1", "destination.card.control.clock=50 MHz", ...PLAIN];
  near(steady(starts(runOf(RANDOM, sets), 1, abi.U_CONTROL, abi.F_PAGE_RECORD)), 50 / 120);
});

test("card DRAM of 1 GB/s: a record of 4112 B goes in and out of the send buffer in 8224 ns", () => {
  const sets = ["source.card.dram.bandwidth=1 GB/s", "destination.card.dram.bandwidth=100 GB/s", ...PLAIN];
  near(steady(starts(runOf(RANDOM, sets), 0, abi.U_FRAMER)), 1000 / (2 * 4112));
});

test("card DRAM of 1 GB/s at the destination: as long for the receive buffer", () => {
  const sets = ["destination.card.dram.bandwidth=1 GB/s", ...PLAIN];
  near(steady(starts(runOf(RANDOM, sets), 1, abi.U_RECEIVE)), 1000 / (2 * 4112));
});

// ---- pools of several engines ----

test("four compressors of 4 bytes a clock at 250 MHz: 4 pages in 1024 clocks", () => {
  const run = runOf(TEXT_PAGES, [...SLOW, "compress.engines=4", "compress.pws=4", "encrypt=off"]);
  near(steady(starts(run, 0, abi.U_COMPRESS)), (4 * 250) / 1024);
});

test("two engines of 128 bit at 125 MHz seal 2 pages in 258 clocks", () => {
  const engines = ["source.card.crypto.engines=2", "source.card.crypto.bitsPerCycle=128 bit/cycle"];
  const clocks = ["source.card.clock=125 MHz", "destination.card.clock=1 GHz"];
  const wide = ["destination.card.crypto.bitsPerCycle=512 bit/cycle"];
  const run = runOf(RANDOM, [...clocks, ...engines, ...wide, "compress=off"]);
  near(steady(starts(run, 0, abi.U_SEAL)), (2 * 125) / 258);
});

test("four control cores of 20 MHz: 120 cycles a record, 60 for 32 descriptors", () => {
  const sets = ["source.card.control.cores=4", "source.card.control.clock=20 MHz"];
  const fast = ["destination.card.control.clock=1.5 GHz"];
  const run = runOf(RANDOM, [...sets, ...fast, ...PLAIN]);
  near(steady(starts(run, 0, abi.U_FRAMER)), (4 * 20) / (120 + 60 / 32));
});

// ---- host memory ----

test("host memory of 1 GB/s: 4096 B of a page and 16 B of its descriptor are read a page", () => {
  const sets = ["source.host.memory.bandwidth=1 GB/s", "destination.host.memory.bandwidth=42.6 GB/s"];
  near(steady(starts(runOf(RANDOM, [...sets, ...NO_LAYER]), 0, abi.U_ZERO)), 1000 / (4096 + 16));
});

test("host memory of 1 GB/s at the destination: 4096 B are written a page", () => {
  const sets = ["destination.host.memory.bandwidth=1 GB/s", ...NO_LAYER];
  near(steady(starts(runOf(RANDOM, sets), 1, abi.U_MEMORY)), 1000 / 4096);
});

// ---- credits and replay buffer: Gen3 x8, flight 70 ns, memory 42.6 GB/s ----

// a write of 256 B: 280 B on the wire, a flight, its service; then its credits are free
const WRITE_NS = 280 * WIRE_NS + 70 + 256 / 42.6;
// 203 symbols of 8 B, then 8 B and a flight
const UPDATE_NS = 203 * 8 * WIRE_NS + 8 * WIRE_NS + 70;

const WRITE_GATES: [name: string, set: string, writes: number][] = [
  ["one PH credit", "phCredits=1", 1],
  ["three PH credits", "phCredits=3", 3],
  ["PD credits for two writes of 16", "pdCredits=47", 2],
];

for (const [name, set, writes] of WRITE_GATES) {
  const gate = `destination.host.pcie.${set}`;
  test(`${name}, no data link layer: ${writes} of 16 writes each time a credit comes back`, () => {
    const tripNs = WRITE_NS + 70;
    const run = runOf(RANDOM, [gate, ...NO_LAYER], "2 MiB");
    near(steady(starts(run, 1, abi.U_MEMORY)), (1000 * writes) / (16 * tripNs));
  });
}

test("one PH credit: UpdateFC-P is due 203 symbols after the credit is free", () => {
  const run = runOf(RANDOM, ["destination.host.pcie.phCredits=1", ...PLAIN], "2 MiB");
  near(steady(starts(run, 1, abi.U_MEMORY)), 1000 / (16 * (WRITE_NS + UPDATE_NS)));
});

test("one NPH credit, no data link layer: a read each time one comes back, 8 of data and 1/32 a page", () => {
  const run = runOf(RANDOM, ["source.host.pcie.nphCredits=1", ...NO_LAYER], "2 MiB");
  // 24 B, a flight; the memory starts it at once; a flight
  const tripNs = 24 * WIRE_NS + 2 * 70;
  near(steady(starts(run, 0, abi.U_ZERO)), 1000 / ((8 + 1 / 32) * tripNs));
});

test("replay buffer of 4 KiB over 2 us: 14 writes of 280 B each time an ACK comes back", () => {
  const far = ["destination.host.pcie.flight=2 us", "destination.card.pcie.replayBuffer=4 KiB"];
  const run = runOf(RANDOM, [...far, ...PLAIN], "2 MiB");
  // floor(4096/280) = 14; a write is acknowledged 203 symbols after it arrived, or with one that arrived
  // shortly before: wire, flight, limit, 8 B, flight
  const tripNs = 280 * WIRE_NS + 2000 + 203 * 8 * WIRE_NS + 8 * WIRE_NS + 2000;
  near(steady(starts(run, 1, abi.U_MEMORY)), (1000 * 14) / (16 * tripNs));
});

// ---- Gen3 x8 with its data link layer ----

const SKP_SHARE = 1 - 1 / 370;

test("Gen3 x8 reads: 16 completions of 276 B a page, descriptors, ACK and UpdateFC-NP a 3 reads", () => {
  const run = runOf(RANDOM, ["destination.host=gen5-host", "source.host=snb-e5-2630", ...PLAIN], "8 MiB");
  // a read takes the wire 2 x 276 B = 70.1 ns; limit 203 symbols = 206.2 ns: ceil(206.2/70.1) = 3 reads
  const reads = Math.ceil((203 * 8) / 552);
  const pageBytes = 16 * 276 + 552 / 32 + (8 / reads) * 16;
  near(steady(starts(run, 0, abi.U_ZERO)), (1000 * SKP_SHARE) / (pageBytes * WIRE_NS));
});

test("Gen3 x8 writes: 16 of 280 B a page; what comes down is too little to need ACKs", () => {
  const run = runOf(RANDOM, ["source.host=gen5-host", "destination.host=snb-e5-2630", ...PLAIN], "8 MiB");
  near(steady(starts(run, 1, abi.U_MEMORY)), (1000 * SKP_SHARE) / (16 * 280 * WIRE_NS));
});

test.run();
