// SPDX-License-Identifier: Apache-2.0
// The core's hardware LZ4 encoder against the slow one of test/lib/reference, which was written from
// docs/lz4-hardware.md alone: every byte, every clock, every counter.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { defaults } from "./lib/lz4-blocks.ts";
import { Codecs, type HardwareJob, sameBytes } from "./lib/reference/codecs.ts";
import { anyContents, Draws, KINDS, recordedPages } from "./lib/reference/inputs.ts";
import { decodeLz4Block } from "./lib/reference/lz4-block.ts";
import {
  encodeLz4Hardware,
  type Lz4HardwareConfig,
  type Lz4HardwareResult,
} from "./lib/reference/lz4-hardware.ts";

const codecs = new Codecs();
const pages = recordedPages();

type Parameter = keyof Lz4HardwareConfig;
const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);
const powers = (last: number): number[] => range(0, last).map((log) => 2 ** log);

/** Legal values: all of a short list; of a long one the ends and some around what the formulas divide by. */
const legal: Readonly<Record<Parameter, readonly number[]>> = {
  pws: powers(6),
  hashLog: range(6, 15),
  banks: powers(8),
  ports: [1, 2, 3, 4, 5, 7, 8, 16, 63, 64],
  policy: [0, 1, 2],
  matchCap: [0, 4, 5, 8, 18, 19, 20, 31, 32, 33, 36, 273, 274, 275, 4095, 65535],
  multi: [0, 1],
  intraForward: [0, 1],
  bailMargin: [0, 1, 2, 63, 64, 1000, 2500, 4090, 4096, 65536],
  outBytesPerClock: [1, 2, 3, 7, 8, 16, 17, 64, 1023, 1024],
  tokensPerClock: [1, 2, 3, 5, 64],
  outFifoBytes: [64, 65, 71, 72, 79, 80, 100, 256, 257, 4096, 65536],
};
const parameters = Object.keys(legal) as Parameter[];

/** Values outside the table of section 1. */
const illegal: Readonly<Record<Parameter, readonly number[]>> = {
  pws: [0, 3, 5, 12, 63, 65, 128, 2 ** 31],
  hashLog: [0, 5, 16, 32],
  banks: [0, 3, 33, 257, 512, 2 ** 31],
  ports: [0, 65, 2 ** 31],
  policy: [3, 2 ** 31],
  matchCap: [1, 2, 3, 65536, 2 ** 31],
  multi: [2, 2 ** 31],
  intraForward: [2, 2 ** 31],
  bailMargin: [65537, 2 ** 31, 2 ** 32 - 1],
  outBytesPerClock: [0, 1025, 2 ** 31],
  tokensPerClock: [0, 65, 2 ** 31],
  outFifoBytes: [0, 63, 65537, 2 ** 31],
};

function drawConfig(draws: Draws): Lz4HardwareConfig {
  const drawn = parameters.map((name) => [name, draws.oneOf(legal[name])]);
  const config = Object.fromEntries(drawn) as Record<Parameter, number>;
  config.banks = Math.min(config.banks, 2 ** config.hashLog);
  if (draws.between(0, 1) === 0) config.bailMargin = 0;
  return config;
}

/** Throws unless both jobs have the same block and the same counters. */
function sameJob(found: HardwareJob, expected: HardwareJob, what: string): void {
  sameBytes(found.block, expected.block, what);
  assert.equal({ ...found, block: null }, { ...expected, block: null }, what);
}

/** One job through both encoders: every byte and every counter, and the block is one of this job. */
function compareJob(job: Uint8Array, config: Lz4HardwareConfig, what: string): boolean {
  const { drainCycles, ...expected } = encodeLz4Hardware(job, config);
  sameJob(codecs.encodeHardware(job), expected, `${what}: ${job.length} bytes, ${JSON.stringify(config)}`);
  assert.ok(drainCycles >= 0, what);
  if (expected.block === null) return false;
  const decoded = decodeLz4Block(expected.block, job.length);
  sameBytes(decoded?.bytes ?? null, job, what);
  assert.ok(decoded?.keepsEnd, what);
  return true;
}

// ---- the reference itself, by hand ----

/** 40 zero bytes in windows of 8 through one bank: lanes 0 … 28 are searching and share one hash. */
const zeros = new Uint8Array(40);
const narrow = { ...defaults, pws: 8, hashLog: 6, banks: 1, bailMargin: 0, outBytesPerClock: 4 };
const tight: Lz4HardwareConfig = { ...narrow, tokensPerClock: 1, outFifoBytes: 64 };
const zeroBlock = (literals: number, lengthByte: number, offset: number): Uint8Array =>
  Uint8Array.of(16 * literals + 15, ...new Uint8Array(literals), offset, 0, lengthByte, 0x50, 0, 0, 0, 0, 0);

/** What a job gives, worked out by hand: by the reference, and by the core, which does not tell the drain. */
function worked(job: Uint8Array, config: Lz4HardwareConfig, expected: Lz4HardwareResult): void {
  assert.equal(encodeLz4Hardware(job, config), expected);
  const { drainCycles: _, ...told } = expected;
  assert.ok(codecs.configure(config));
  assert.equal(codecs.encodeHardware(job), told);
}

test("worked by hand: 40 zeros under drop, stall, coalesce and with forwarding", () => {
  // Drop serves lanes 0 and 1 and leaves 1 in the table; lane 8 finds it: offset 7, 35 - 8 = 27 bytes:
  // nibble 15 and 27 - 4 - 15 = 8. Refused: 6 + 6 + 6 of 8 lanes, 3 of the 5 lanes 24 … 28: 21.
  // Bytes by window: 8, 0, 0, 0, then 4 for the match that ends at 34, 5 literals, 1. O = ceil(18 / 4).
  // F and K after the last window: 10 and 2, so D = 5 + max(3, 2) - 5.
  const drop = { block: zeroBlock(8, 8, 7), cycles: 5, scanCycles: 5, outCycles: 5, drainCycles: 3 };
  const found = { conflicts: 21, matches: 1, tokens: 2 };
  worked(zeros, tight, { ...drop, ...found });
  // Stall serves all, so 7 stays; 4 + 4 + 4 + ceil(5 / 2) + 1 clocks.
  const stall = { ...drop, ...found, block: zeroBlock(8, 8, 1), cycles: 16, scanCycles: 16 };
  worked(zeros, { ...tight, policy: 1 }, stall);
  // Coalesce makes one access a window.
  const coalesce = { ...drop, ...found, block: zeroBlock(8, 8, 1), conflicts: 0 };
  worked(zeros, { ...tight, policy: 2 }, coalesce);
  // Forwarding: lane 1 sees lane 0: 34 bytes, 34 - 4 - 15 = 15. O = ceil(11 / 4) = 3, F = 10 as before.
  const forward = { ...drop, ...found, block: zeroBlock(1, 15, 1), outCycles: 3 };
  worked(zeros, { ...tight, intraForward: 1 }, forward);
});

test("worked by hand: giving up", () => {
  // 18 bytes: 40 - 22 is enough; 40 - 23 is not, seen in the last window; 40 - 33 = 7 < 8 ends it at once.
  assert.is(encodeLz4Hardware(zeros, { ...tight, bailMargin: 22 }).block?.length, 18);
  const late = { block: null, cycles: 5, scanCycles: 5, outCycles: 0, drainCycles: 0 };
  const counted = { conflicts: 21, matches: 1, tokens: 2 };
  worked(zeros, { ...tight, bailMargin: 23 }, { ...late, ...counted });
  const early = { ...late, cycles: 1, scanCycles: 1, conflicts: 6, matches: 0, tokens: 0 };
  worked(zeros, { ...tight, bailMargin: 33 }, early);
});

test("worked by hand: waiting for room", () => {
  // 0 … 127, then 128 zeros; windows of 64, forwarding, one byte a clock, 64 bytes of room.
  // w0: F = 64. w1: 63 + 64 = 127, x = 63. w2: 63 + 1 literal. w3: the match of 122 bytes after 129 literals
  // (3 + 1 + 1), 5 literals, 1: 63 + 11 = 74, x = 10, F = 64. S = 4, X = 73, O = 64 + 64 + 1 + 11 = 140,
  // D = 77 + 64 - 140.
  const job = Uint8Array.from({ length: 256 }, (_, at) => (at < 128 ? at : 0));
  const config = {
    ...tight,
    pws: 64,
    policy: 2,
    intraForward: 1,
    hashLog: 12,
    banks: 32,
    outBytesPerClock: 1,
  };
  const { block, conflicts, ...clocks } = encodeLz4Hardware(job, config);
  assert.is(block?.length, 140);
  const expected = { cycles: 140, scanCycles: 4, outCycles: 140, drainCycles: 1, matches: 1, tokens: 2 };
  assert.equal(clocks, expected);
  worked(job, config, { block, conflicts, ...expected });
});

// ---- the hardware encoder ----

test("recorded pages at the defaults", () => {
  codecs.configure(defaults);
  let kept = 0;
  for (let i = 0; i < pages.length; i += 11) kept += Number(compareJob(pages[i]!, defaults, `page ${i}`));
  assert.ok(kept > 200, `${kept} pages compressed`);
});

test("every length from 0 to 300, each under another configuration", () => {
  const draws = new Draws(34_001);
  for (let length = 0; length <= 300; length++) {
    for (const [kind, make] of Object.entries(KINDS)) {
      const config = drawConfig(draws);
      assert.ok(codecs.configure(config), JSON.stringify(config));
      compareJob(make(draws, length), config, kind);
    }
  }
});

for (const name of parameters) {
  test(`${name}: every listed value, alone, under each policy`, () => {
    const draws = new Draws(34_002);
    for (const value of legal[name]) {
      for (const policy of name === "policy" ? [value] : legal.policy) {
        const config = { ...defaults, bailMargin: 0, ports: 1, policy, [name]: value };
        assert.ok(codecs.configure(config), `${name} ${value}`);
        compareJob(draws.oneOf(pages), config, "recorded");
        compareJob(anyContents(draws, 2048), config, "drawn");
      }
    }
  });

  test(`${name}: what is not legal is refused`, () => {
    for (const value of illegal[name]) {
      assert.not.ok(codecs.configure({ ...defaults, [name]: value }), `${name} ${value}`);
    }
    assert.ok(codecs.configure(defaults));
  });
}

test("more banks than entries are refused", () => {
  for (const hashLog of [6, 7]) {
    assert.ok(codecs.configure({ ...defaults, hashLog, banks: 2 ** hashLog }));
    assert.not.ok(codecs.configure({ ...defaults, hashLog, banks: 2 ** (hashLog + 1) }));
  }
});

test("random configurations, random contents", () => {
  const draws = new Draws(34_003);
  let kept = 0;
  for (let i = 0; i < 500; i++) {
    const config = drawConfig(draws);
    codecs.configure(config);
    const length = draws.oneOf([draws.between(0, 600), draws.between(0, 9000), 4096]);
    const job = draws.between(0, 3) === 0 ? draws.oneOf(pages) : anyContents(draws, length);
    kept += Number(compareJob(job, config, `case ${i}`));
  }
  assert.ok(kept > 150 && kept < 450, `${kept} of 500 compressed: both ends are tried`);
});

test("long jobs, up to 65536 bytes", () => {
  const draws = new Draws(34_004);
  for (let i = 0; i < 16; i++) {
    const config = { ...drawConfig(draws), bailMargin: 0 };
    codecs.configure(config);
    compareJob(anyContents(draws, i % 4 === 0 ? 65536 : draws.between(20_000, 65536)), config, `case ${i}`);
  }
});

test("the longest distance there is, and a table that remembers the first position", () => {
  // The 20 bytes at 0 come again at 65536 - 20 - 5: distance 65511, the middle is one run of zeros.
  const draws = new Draws(34_005);
  for (const pws of [1, 16, 64]) {
    const job = new Uint8Array(65536);
    job.set(draws.bytes(20), 0);
    job.copyWithin(65511, 0, 20);
    const config = { ...defaults, pws };
    codecs.configure(config);
    assert.ok(compareJob(job, config, "far"));
    const { block } = encodeLz4Hardware(job, config);
    const distances = decodeLz4Block(block!, 65536)!.sequences.map(({ offset }) => offset);
    assert.ok(distances.includes(65511), `pws ${pws}: ${distances}`);
  }
});

test("no job sees another's entries, however many jobs lie between", () => {
  // Whatever marks an entry as old must not come round: 8- and 16-bit marks would after 256 and 65536 jobs.
  codecs.configure(defaults);
  const job = KINDS.text!(new Draws(34_006), 1024);
  const { drainCycles: _, ...expected } = encodeLz4Hardware(job, defaults);
  const base = Math.ceil(codecs.core.address("arenaTop") / 4096) * 4096 + 1_048_576;
  const compress = codecs.core.fn("lz4hwCompress");
  for (const between of [253, 254, 255, 256, 257, 65533, 65534, 65535, 65536, 65537]) {
    for (let i = 0; i < between; i++) compress(base, 12, base + 64, 64);
    sameJob(codecs.encodeHardware(job), expected, `${between} jobs between`);
  }
});

test("the place of a job in memory changes nothing; a block larger than the room is not written", () => {
  codecs.configure(defaults);
  const job = KINDS.text!(new Draws(34_007), 1000);
  const { drainCycles: _, ...expected } = encodeLz4Hardware(job, defaults);
  for (let misalign = 0; misalign < 64; misalign++) {
    sameJob(codecs.encodeHardware(job, 1400, misalign), expected, `misaligned by ${misalign}`);
  }
  const size = expected.block!.length;
  sameJob(codecs.encodeHardware(job, size), expected, "room for all of it");
  for (const cap of [0, 1, 8, size - 16, size - 1]) {
    sameBytes(codecs.encodeHardware(job, cap).block, null, `room for ${cap}`);
  }
});

test.run();
