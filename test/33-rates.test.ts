// SPDX-License-Identifier: Apache-2.0
// One bottleneck at a time: the steady rate is within 2 % of that unit's formula.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import {
  answers,
  near,
  PLAIN,
  RANDOM,
  runOf,
  starts,
  steady,
  TEXT_PAGES,
  TICKS_PER_US,
  WIRE_NS,
} from "./lib/rates.ts";
import { of } from "./lib/timeline.ts";

test("link of 1 Gbit/s: 8948 payload bytes in each 9038 on the wire", () => {
  const run = runOf(RANDOM, ["link.rate=1 Gbit/s", ...PLAIN]);
  const frames = of(run, abi.T_FRAME, 0).filter((e) => e.which === 1 && e.a > 0);
  // 10^9 bit/s = 125 bytes/us; 125 / (38 + 52 + 8948) frames a microsecond
  near(steady(frames.map((e) => e.t)), 125 / 9038);
  assert.ok(frames.slice(frames.length >>> 2, (3 * frames.length) >>> 2).every((e) => e.a === 8948));
});

test("rate cap of 24 MiB/s counts wire bytes", () => {
  const run = runOf(RANDOM, ["link.rateCap=24 MiB/s", ...PLAIN], "2 MiB");
  const frames = of(run, abi.T_FRAME, 0).filter((e) => e.which === 1 && e.a > 0);
  near(steady(frames.map((e) => e.t)), (24 * 1.048576) / 9038);
});

test("window of 64 KiB over 1 ms, segments of one record: 14 records of 4112 B a round trip", () => {
  const delack: [number, number] = [abi.G_NET_DELACK, 40_000 * TICKS_PER_US];
  // MSS = 4164 - 52 = 4112: a segment is a record
  const sets = ["link.window=64 KiB", "link.rtt=1 ms", "link.mtu=4164", ...PLAIN];
  const run = runOf(RANDOM, sets, "2 MiB", { globals: [delack] });
  const frames = of(run, abi.T_FRAME, 0).filter((e) => e.which === 1 && e.a === 4112);
  const first = frames.map((e, i) => i > 0 && e.t - frames[i - 1]!.t > 500 * TICKS_PER_US);
  const bursts = first.flatMap((isFirst, i) => (isFirst ? [i] : []));
  const [from, to] = [bursts[3]!, bursts.at(-2)!];
  // floor(65536/4112) = 15 fit the window; every second segment is acknowledged when it arrives, not taken
  // yet, so that the right edge that goes back is one record short of it: 14. A pair is sent again when its
  // acknowledgement is there: two frames of 4112 + 90 B and one of 90 B, 0.08 ns a byte, and 1 ms
  const tripUs = 1000 + (2 * 4202 + 90) * 0.08e-3;
  near((to - from) / ((frames[to]!.t - frames[from]!.t) / TICKS_PER_US), 14 / tripUs);
});

test("PCIe Gen1 x1 without a data link layer: 16 completions of 276 B a page, and descriptors", () => {
  const sets = ["source.card.pcie.generation=1", "source.card.pcie.lanes=1", "internal.dll=none", ...PLAIN];
  // 4 ns a byte; a batch of 32 descriptors of 16 B is 512 B, two completions of 276 B
  const pageBytes = 16 * 276 + (2 * 276) / 32;
  near(steady(starts(runOf(RANDOM, sets), 0, abi.U_ZERO)), 1000 / (pageBytes * 4));
});

test("PCIe Gen1 x1: ACK and UpdateFC-NP for every read, 4 SKP symbols every 1538", () => {
  const sets = ["source.card.pcie.generation=1", "source.card.pcie.lanes=1", ...PLAIN];
  // a read every 2 x 276 x 4 ns = 2208 ns; limits are (284 x 1.4 + 19) x 4 ns = 1664 ns: two DLLPs a read
  const pageBytes = 16 * 276 + (2 * 276) / 32 + 8 * (8 + 8);
  const share = 1 - 4 / 1538;
  near(steady(starts(runOf(RANDOM, sets), 0, abi.U_ZERO)), (1000 * share) / (pageBytes * 4));
});

test("PCIe Gen1 x1 at the destination: 16 writes of 280 B a page", () => {
  const sets = [
    "destination.card.pcie.generation=1",
    "destination.card.pcie.lanes=1",
    "internal.dll=none",
    ...PLAIN,
  ];
  near(steady(starts(runOf(RANDOM, sets), 1, abi.U_MEMORY)), 1000 / (16 * 280 * 4));
});

test("one compressor of 4 bytes a clock at 250 MHz: 1024 clocks a page of 4096", () => {
  const sets = ["source.card.clock=250 MHz", "compress.engines=1", "compress.pws=4", "encrypt=off"];
  near(steady(starts(runOf(TEXT_PAGES, sets), 0, abi.U_COMPRESS)), 250 / 1024);
});

test("one engine of AES-GCM of 128 bit at 250 MHz: 1 + 256 + 1 clocks a page", () => {
  const engine = ["source.card.crypto.engines=1", "source.card.crypto.bitsPerCycle=128 bit/cycle"];
  const run = runOf(RANDOM, ["source.card.clock=250 MHz", "compress=off", ...engine]);
  near(steady(starts(run, 0, abi.U_SEAL)), 250 / 258);
});

test("one decoder of 1 byte a clock at 250 MHz: 4096 clocks a page", () => {
  const decoder = [
    "destination.card.decompressor.engines=1",
    "destination.card.decompressor.bytesPerCycle=1 B/cycle",
  ];
  const run = runOf(TEXT_PAGES, ["destination.card.clock=250 MHz", ...decoder]);
  near(steady(starts(run, 1, abi.U_UNLZ)), 250 / 4096);
});

test("one control core of 50 MHz: 120 cycles a record, 60 for 32 descriptors", () => {
  const core = ["source.card.control.cores=1", "source.card.control.clock=50 MHz"];
  // addresses of the round come in one batch before: records go first, so they are not in the steady part
  near(steady(starts(runOf(RANDOM, [...core, ...PLAIN]), 0, abi.U_FRAMER)), 50 / (120 + 60 / 32));
});

// one read of 512 B that meets nothing, in ns, Gen3 x8 without data link layer: a clock in the port, 24 B up,
// 70 flight, service 512 B / 42.6 GB/s, latency 422 + 56 - 2 x 70 in all, 2 x 276 B down,
// 70 flight; the next edge
function readNs(latencyNs: number): number {
  return Math.ceil(1 + 24 * WIRE_NS + 70 + 512 / 42.6 + latencyNs + 56 - 140 + 552 * WIRE_NS + 70);
}
const READS = ["internal.dll=none", ...PLAIN];

for (const tags of [1, 2, 3]) {
  test(`${tags} tags for data (8 more are kept): so many reads of 512 B a round trip`, () => {
    const run = runOf(RANDOM, [`source.card.pcie.tags=${8 + tags}`, ...READS], "1 MiB");
    near(steady(answers(run)), (tags * 1000) / readNs(422));
  });
}

test("completion buffer of 8 KiB: 6/8 of it are 12 reads of 512 B", () => {
  const sets = [
    "source.card.pcie.completionBuffer=8 KiB",
    "source.card.dma.prefetchBatches=1",
    "source.host.memory.readLatency=5 us",
    ...READS,
  ];
  near(steady(answers(runOf(RANDOM, sets))), (12 * 1000) / readNs(5000));
});

test("completion headers 64: 48 are 6 reads of 512 B in completions of 64 B", () => {
  const sets = [
    "source.card.pcie.completionHeaders=64",
    "source.card.dma.prefetchBatches=1",
    "source.host.memory.readLatency=5 us",
    ...READS,
  ];
  near(steady(answers(runOf(RANDOM, sets))), (6 * 1000) / readNs(5000));
});

test("SRAM of 32 slots: 24 pages in the card at once", () => {
  const roomy = ["source.card.pcie.completionBuffer=1 MiB", "source.card.pcie.completionHeaders=16384"];
  const sets = [
    "source.card.dma.stagingSram=128 KiB",
    "source.host.memory.readLatency=100 us",
    ...roomy,
    ...READS,
  ];
  // a read may take a slot while more than 32/4 are free. Held: a page's reads, whose completions follow each
  // other (14 more of 276 B), 2 clocks, zero filter 64, control record 80, copy 2 x 4112 B at 100 GB/s
  const heldNs = readNs(100_000) + 14 * 276 * WIRE_NS + 2 + 64 + 80 + 82;
  const run = runOf(RANDOM, sets, "8 MiB");
  near(steady(starts(run, 0, abi.U_ZERO)), (24 * 1000) / heldNs);
});

test.run();
