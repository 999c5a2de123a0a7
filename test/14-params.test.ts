// SPDX-License-Identifier: Apache-2.0
// What the core is given, against the tables and formulas of the sources (test/lib/reference/params.ts).
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkLinkParams, PARAM_ROWS, sameParams } from "./lib/claims/params.ts";
import { gcmClocks } from "./lib/reference/params-gcm.ts";
import { ACK_LIMITS, ackLimit, linkTicksPerByte, wireTicksPerByte } from "./lib/reference/params-pcie.ts";
import { exact } from "./lib/reference/written.ts";

test("formula: quantities", () => {
  assert.equal(exact("42.6 GB/s"), { num: 426n * 10n ** 9n, den: 10n });
  assert.equal(exact("1.5 GHz"), { num: 15n * 10n ** 9n, den: 10n });
  assert.equal(exact("24 MiB/s"), { num: 24n * 1024n ** 2n, den: 1n });
  // an eighth of a byte
  assert.equal(exact("100 Gbit/s"), { num: 100n * 10n ** 9n, den: 8n });
  assert.equal(
    [exact(256), exact("70 ns")],
    [
      { num: 256n, den: 1n },
      { num: 70n, den: 10n ** 9n },
    ],
  );
});

test("formula: ticks a byte are 8 bits x coding / (transfers a second x lanes) x 1.024e15", () => {
  // Gen1 x1: 8 x 10/8 / 2.5e9 = 4 ns; Gen3 x8: 8 x 130/128 / 8e9 / 8 = 0.126953125 ns = 130,000 ticks
  assert.equal(
    [1, 2, 3, 4, 5].map((generation) => linkTicksPerByte(generation, 1)),
    [4_096_000, 2_048_000, 1_040_000, 520_000, 260_000],
  );
  assert.equal(
    [linkTicksPerByte(3, 8), linkTicksPerByte(4, 16), linkTicksPerByte(5, 16)],
    [130_000, 32_500, 16_250],
  );
});

test("formula: a byte at a share of the rate, and of pcie-bench's model", () => {
  // 130,000 / 0.96 = 135,416.67; Gen3 x8, MPS 256: 1 - 16/203 - 4/1538 = 0.9185815,
  // 130,000 / 0.9185815 = 141,522.6
  assert.is(wireTicksPerByte(130_000, 203, "explicit", 960), 135_417);
  assert.is(wireTicksPerByte(130_000, 203, "pciebench", 1000), 141_523);
  assert.is(wireTicksPerByte(130_000, 203, "none", 1000), 130_000);
});

test("formula: the tables of ACK limits are floor((MPS + 28) x AF / W + D) throughout", () => {
  // Gen3 x8, MPS 256: 284 x 2.5 / 8 + 115 = 203.75; x16, MPS 512: 540 x 2 / 16 + 115 = 182.5
  assert.equal([ackLimit(3, 8, 256), ackLimit(5, 16, 512), ackLimit(4, 16, 256)], [203, 182, 168]);
  for (const [generation, delay] of [
    [1, 19],
    [2, 70],
    [3, 115],
  ] as const) {
    for (const [row, limits] of ACK_LIMITS[generation]!.entries()) {
      const mps = 128 << row;
      // AF for x1, x2, x4, x8, x16, in tenths
      const factors = mps <= 256 ? [14, 14, 14, 25, 30] : [10, 10, 10, 10, 20];
      const expected = factors.map((factor, i) => Math.floor(((mps + 28) * factor) / (10 * 2 ** i) + delay));
      assert.equal(limits, expected, `Gen${generation} MPS ${mps}`);
    }
  }
});

test("formula: GCM latency is rounds x stages + 2 + ghash x (log2(D/128) + 1) + tag, less the rest", () => {
  const card =
    (bits: number, other: object = {}) =>
    (key: string) =>
      ({
        bitsPerCycle: bits,
        cyclesPerRound: 0,
        stagesPerRound: 2,
        ghashLatency: 3,
        tagCycles: 1,
        recordGap: 0,
        interleave: "word",
        ...other,
      })[key];
  // 10 x 2 + 2 + 3 x (2 + 1) + 1 = 32; 14 x 2 + 2 + 3 x 1 + 1 = 34
  assert.equal(gcmClocks(10, card(512)), { word: 1, rest: 0, latency: 32 });
  assert.equal(gcmClocks(14, card(128)), { word: 1, rest: 0, latency: 34 });
  // 4 x (10 + 1) = 44 a block, 44 + 2 + 3 + 1 = 50 to the tag, 7 of them in the gap
  const shared = { cyclesPerRound: 4, recordGap: 7 };
  assert.equal(gcmClocks(10, card(128, shared)), { word: 44, rest: 7, latency: 43 });
  // one record at a time: the engine rests until the tag, 32 clocks, and nothing is left behind it
  assert.equal(gcmClocks(10, card(512, { interleave: "record" })), {
    word: 1,
    rest: 32,
    latency: 0,
  });
});

for (const [what, sets] of PARAM_ROWS) {
  test(`what the core is given: ${what}`, () => sameParams(what, sets));
}

test("what the core is given: every generation, width and MPS", checkLinkParams);

test("a parameter that is off is named", () => {
  // half of 20 us are 10,240,000,000 ticks, of 22 us 11,264,000,000
  const rtt = () => sameParams("rtt", ["link.rtt=20 us"], ["link.rtt=22 us"]);
  assert.throws(rtt, /run G_NET_PROPAGATION: found 10240000000, expected 11264000000$/);
  const mps = () => sameParams("MPS", ["source.card.pcie.mps=128"], ["source.card.pcie.mps=256"]);
  assert.throws(mps, /side 0 S_PCIE_MPS: found 128, expected 256$/);
});

test.run();
