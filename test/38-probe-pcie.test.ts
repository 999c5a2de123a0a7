// SPDX-License-Identifier: Apache-2.0
// PCIe probes of random configurations: every operation, packet and counter against the reference model, to
// the tick, and against the scheduler that steps every unit. Environment: lib/random.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Core, coreModule } from "../src/core.ts";
import { type PcieProbe, pcieProbe } from "../src/probe/pcie.ts";
import { resolveSide } from "../src/scenario/resolve.ts";
import {
  checkProbeParams,
  checkRelaxedProbes,
  checkSpoiltReads,
  checkTranslatedProbes,
  checkWalksAhead,
} from "./lib/claims/probe.ts";
import { randomProbe, readProbe, samePackets, sameProbe } from "./lib/probe-pcie.ts";
import { seeds } from "./lib/random.ts";
import { sameLists } from "./lib/reference/compare.ts";
import { linesOf } from "./lib/scenario.ts";

const side: PcieProbe["side"] = resolveSide({ host: "snb-e5-2630", card: "nfp6000-e5" }, "probe");
const LONE: PcieProbe = {
  ...{ side, op: "read", size: 64, window: 8192, random: false, cache: "warm", numa: "local", iommu: "off" },
  ...{ dll: "none", depth: 1, jitter: false, seed: 1, warmUp: 0, operations: 1 },
};

/** Latency in ticks of one operation, nothing else being under way. */
function lone(asked: Partial<PcieProbe>): number {
  const { latenciesNs } = pcieProbe(new Core(coreModule()), { ...LONE, ...asked });
  return Math.round(latenciesNs[0]! * 1_024_000);
}

test("formula: a read of 64 bytes alone takes 560.0 ns", () => {
  // start 69 ns, tag 75 ns and a byte of the wire; request 24 x 130,000; flight; 64 B at 42.6 GB/s
  const there = 70_656_000 + 45_056_000 + 130_000 + 3_120_000 + 71_680_000 + 1_538_404;
  // 422 - 2 x 70 ns; flight; completion (20 + 64) x 130,000 / 0.96; copy 64/1024 x 148 ns
  const back = 288_768_000 + 71_680_000 + 84 * 135_417 + 9_472_000;
  assert.is(lone({}), there + back);
  // a miss is 56 ns, the other socket 115 ns, a walk 242 ns
  assert.is(lone({ cache: "cold" }), there + back + 57_344_000);
  assert.is(lone({ numa: "remote" }), there + back + 117_760_000);
  assert.is(lone({ iommu: "4KiB" }), there + back + 247_808_000);
});

test("formula: a card that translates asks first, 670.7 ns, and once a page", () => {
  // request 24 x 130,000; flight; walk 237 ns; a read's latency 282 ns; flight; (20 + 8) x 130,000 / 0.96
  const asks = 3_120_000 + 71_680_000 + 247_808_000 + 288_768_000 + 71_680_000 + 28 * 135_417;
  const ats = { iommu: "4KiB", ats: true } as const;
  assert.is(lone(ats) - lone({}), asks);
  assert.is(lone({ ...ats, op: "write", size: 256 }) - lone({ op: "write", size: 256 }), asks);
  const counted = (other: Partial<PcieProbe>): number[] => {
    const { counters } = pcieProbe(new Core(coreModule()), { ...LONE, ...ats, ...other });
    return [counters.atcMisses, counters.iotlbMisses, counters.upTlps, counters.downTlps];
  };
  // a request and a read, each with its answer
  assert.equal(counted({}), [1, 1, 2, 2]);
  // many reads of one page: it is asked for once, and passes the IOMMU after that
  assert.equal(counted({ window: 4096, depth: 16, operations: 100 }).slice(0, 2), [1, 1]);
});

test("formula: within its cache a card loses nothing to the IOMMU, beyond it requests are the limit", () => {
  const iommu = { entries: 8, ways: 8, walkers: 8, recovery: "0 s", serialWalks: "no" };
  const small = resolveSide({ host: { preset: "snb-e5-2630", iommu }, card: "nfp6000-e5" }, "probe");
  const rate = (window: number, other: Partial<PcieProbe>): number => {
    const asked = { ...LONE, side: small, window, random: true, depth: 88, warmUp: 4000, operations: 20_000 };
    return pcieProbe(new Core(coreModule()), { ...asked, ...other }).transactionsPerSecond;
  };
  // 64 pages: eight times the IOTLB; 24 tags are left for reads, which take 24 tags / (32 tags) of the rate
  const [free, missing] = [rate(2 ** 18, {}), rate(2 ** 18, { iommu: "4KiB" })];
  const cached = rate(2 ** 18, { iommu: "4KiB", ats: true });
  assert.ok(
    missing < 0.65 * free && Math.abs(cached / (free * (24 / 32)) - 1) < 0.02,
    `${free} ${missing} ${cached}`,
  );
  // 16,384 pages, of which 64 are there: 8 requests and places in the port, each held for the 44.1 ns
  // that a read is in the engine and the 670.7 of its translation
  const most = 8 / (44.1e-9 + 670.7e-9) / (1 - 64 / 16_384);
  const missed = rate(2 ** 26, { iommu: "4KiB", ats: true });
  assert.ok(Math.abs(missed / most - 1) < 0.01, `${missed} of ${most}`);
});

test("formula: with relaxed ordering a slow walk stalls no later write, without it all of them", () => {
  // pages 0, 1, 2 in turn, in two sets of one place: 0 and 2 put each other out, 1 stays. A walk is 100 us
  const iommu = { entries: 2, ways: 1, walk: "100 us", walkers: 8, recovery: "0 s", serialWalks: "no" };
  const slow = resolveSide({ host: { preset: "snb-e5-2630", iommu }, card: "nfp6000-e5" }, "probe");
  const latencies = (relaxed: boolean): Float64Array => {
    const asked = { ...LONE, side: slow, op: "write", size: 256, iommu: "4KiB", link: { relaxed } } as const;
    const run = { window: 3 * 4096, stride: 4096, depth: 3, warmUp: 30, operations: 300 };
    return pcieProbe(new Core(coreModule()), { ...asked, ...run }).latenciesNs;
  };
  // a write alone, 180.7 ns: the next test; a third of all, give or take those under way
  const alone = lone({ op: "write", size: 256 }) / 1_024_000;
  const soon = [...latencies(true)].filter((ns) => Math.abs(ns - alone) < 0.001).length;
  assert.ok(soon >= 98 && soon <= 102, `${soon} of 300 alone`);
  assert.is([...latencies(false)].filter((ns) => ns < 99_000).length, 0);
});

test("formula: a miss waits t0 a rho / (1 - rho) longer", () => {
  const loaded = (load: number, contention: number): PcieProbe["side"] =>
    resolveSide(
      { host: { preset: "snb-e5-2630", memory: { load, contention } }, card: "nfp6000-e5" },
      "probe",
    );
  const cold = lone({ cache: "cold" });
  const more = (load: number, a: number, other: Partial<PcieProbe> = { cache: "cold" }): number =>
    lone({ ...other, side: loaded(load, a), contention: true }) - cold;
  // t0 is 56 ns, 57,344,000 ticks; rho is a half: as long again, and a times that
  assert.is(more(500, 1000), 57_344_000);
  assert.is(more(500, 2500), 143_360_000);
  // 0.25 x 65,536 = 16,384: a third, 19,114,666.7
  assert.is(more(250, 1000), 19_114_666);
  // the limit: 0.95 x 65,536 = 62,259.2; 57,344,000 x 62,259 / 3,277 = 1,089,466,004.3, 19 times t0
  assert.is(more(950, 1000), 1_089_466_004);
  assert.is(more(0, 1000), 0);
  // what is cached does not wait: 56 ns less than cold
  assert.is(more(950, 1000, { cache: "warm" }), -57_344_000);
});

test("formula: by its own load alone a read waits for what was moved in the microsecond before", () => {
  // Little's law: 32 tags of 64 B each L = 32 x 64 B / L. With load L is longer by t0 a rho / (1 - rho), and
  // rho is the rate itself over 0.85 of 10 GB/s; a = 10, so that 560 ns count
  const memory = { bandwidth: "10 GB/s", contention: 10_000 };
  const slow = resolveSide({ host: { preset: "snb-e5-2630", memory }, card: "nfp6000-e5" }, "probe");
  const rate = (contention: boolean): number => {
    const asked = { side: slow, size: 64, depth: 88, window: 2 ** 24, cache: "cold", random: true } as const;
    const run = { contention, warmUp: 2000, operations: 20_000 };
    return pcieProbe(new Core(coreModule()), { ...LONE, ...asked, ...run }).bandwidthBitsPerSecond / 8;
  };
  const [free, loaded] = [rate(false), rate(true)];
  const rho = loaded / 8.5e9;
  const wait = (560e-9 * rho) / (1 - rho);
  const longer = (32 * 64) / loaded - (32 * 64) / free;
  assert.ok(rho > 0.2 && Math.abs(longer / wait - 1) < 0.03, `rho ${rho}: ${longer} s, formula ${wait} s`);
});

test("formula: a write of 256 bytes alone takes 180.7 ns", () => {
  // start 69 ns and a byte of the wire; (24 + 256) x 130,000; flight; 256 B at 42.6 GB/s
  const latency = 70_656_000 + 130_000 + 36_400_000 + 71_680_000 + 6_153_616;
  assert.is(lone({ op: "write", size: 256 }), latency);
  assert.is(lone({ op: "write", size: 256, iommu: "2MiB" }), latency + 247_808_000);
});

test("formula: in pcie-bench's model a byte takes 141,523 ticks, 147,419 down, unpadded", () => {
  // request 24 bytes, completion 20 + 63: each longer than at 130,000 and 135,417 with 64
  const more = 25 * (141_523 - 130_000) + 83 * 147_419 - 84 * 135_417;
  // 63 bytes of memory and of the copy: 1,514,367 and 9,324,000 ticks
  const less = 1_538_404 - 1_514_367 + (9_472_000 - 9_324_000);
  assert.is(lone({ size: 63, dll: "pciebench" }) - lone({}), more - less);
});

test("mixed operations of one worker are refused", () => {
  assert.throws(() => lone({ op: "readwrite" }), "mixed operations need a depth of 2");
});

test("what a probe asks of the core", checkProbeParams);
test("reads that wait for walks, behind each other and for the same", checkTranslatedProbes);
test("writes with relaxed ordering, few credits and several pages", checkRelaxedProbes);
test("a NAK goes between two packets of an answer", checkSpoiltReads);
test("writes that wait for walks, thousands of them", checkWalksAhead);

for (const seed of seeds(60)) {
  test(`configuration ${seed}`, () => {
    const config = randomProbe(seed);
    const lean = readProbe(config, "lean");
    const run = sameProbe(config, lean);
    const instrumented = readProbe(config, "instrumented");
    assert.ok(samePackets(config, instrumented, run) >= config.operations);
    for (const other of [instrumented, readProbe(config, "naive")]) {
      sameLists("stop of another build", other.stops, lean.stops);
      sameLists("latency of another build", other.latencies, lean.latencies);
      sameLists("counter of another build", other.counters, lean.counters);
      sameLists("account of another build", other.books.map(String), lean.books.map(String));
    }
  });
}

test("quantiles of jitter that fall are refused, each in a line that says where", () => {
  const lines = (memory: object): readonly string[] =>
    linesOf(() => resolveSide({ host: { preset: "snb-e5-2630", memory }, card: "nfp6000-e5" }, "probe"));
  assert.match(
    lines({ jitterP5: "41 ns" })[0]!,
    /jitterP5: is more below the median than jitterMin; write less$/,
  );
  assert.match(lines({ jitterP95: "14 ns" })[0]!, /jitterP99: is less than jitterP95; write no less$/);
  assert.match(lines({ jitterMax: "159 ns" })[0]!, /jitterMax: is less than jitterP999; write no less$/);
  // at their limits, and without any jitter, they are taken
  for (const memory of [
    { jitterP5: "40 ns" },
    { jitterP95: "13 ns" },
    { jitterMax: "160 ns" },
    { jitterMax: 0 },
  ])
    resolveSide({ host: { preset: "snb-e5-2630", memory }, card: "nfp6000-e5" }, "probe");
});

test.run();
