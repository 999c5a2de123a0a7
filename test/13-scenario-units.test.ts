// SPDX-License-Identifier: Apache-2.0
// Quantities are read exactly, or refused with what would be right.
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { pcieTicksPerByte, ticksPerByte } from "../src/scenario/fill.ts";
import {
  type Dimension,
  formatQuantity,
  parseDecimal,
  parseQuantity,
  ticksOf,
  ticksPer,
  toRatio,
} from "../src/scenario/units.ts";
import { messageOf } from "./lib/scenario.ts";

test("quantities of each dimension are exact", () => {
  const table: [string, Dimension, bigint, bigint?][] = [
    ["100 Gbit/s", "rate", 100_000_000_000n],
    ["1 GB/s", "rate", 8_000_000_000n],
    ["7 B/s", "rate", 56n],
    ["9 bit/s", "rate", 9n],
    ["3 min", "time", 180n],
    ["5 ns", "time", 1n, 200_000_000n],
    ["7 B", "bytes", 7n],
    ["6 Hz", "clock", 6n],
    ["24 MiB/s", "rate", 24n * 1_048_576n * 8n],
    ["4 KiB", "bytes", 4096n],
    ["4 kB", "bytes", 4000n],
    ["4KiB", "bytes", 4096n],
    ["1.5 KiB", "bytes", 1536n],
    ["20 us", "time", 1n, 50_000n],
    ["300 ms", "time", 3n, 10n],
    ["2.5 h", "time", 9000n],
    ["250 MHz", "clock", 250_000_000n],
    ["1.5 GHz", "clock", 1_500_000_000n],
    ["0.1 Hz", "clock", 1n, 10n],
    ["4000 /s", "events", 4000n],
    ["200 cycles", "cycles", 200n],
    ["1 cycle", "cycles", 1n],
    ["64 B/cycle", "bytesPerCycle", 64n],
    ["512 bit/cycle", "bitsPerCycle", 512n],
  ];
  for (const [text, dimension, num, den = 1n] of table) {
    assert.equal(parseQuantity(text, dimension), { num, den }, text);
  }
  assert.equal(parseQuantity(0, "time"), { num: 0n, den: 1n });
});

test("a byte is 8 bits, Ki is 1024/1000 of k, at every size", () => {
  const size = fc.bigInt({ min: 1n, max: 10n ** 15n });
  const prefixes = [
    ["k", 10n ** 3n],
    ["M", 10n ** 6n],
    ["G", 10n ** 9n],
    ["T", 10n ** 12n],
  ] as const;
  fc.assert(
    fc.property(size, fc.constantFrom(...prefixes), (n, [prefix, factor]) => {
      const bits = parseQuantity(`${n} ${prefix}bit/s`, "rate").num;
      const bytes = parseQuantity(`${n}${prefix}B/s`, "rate").num;
      const binary = parseQuantity(`${n} ${prefix.toUpperCase().replace("K", "K")}iB/s`, "rate").num;
      const power = BigInt("kMGT".indexOf(prefix) + 1);
      assert.is(bits, n * factor);
      assert.is(bytes, 8n * bits);
      assert.is(binary, 8n * n * 1024n ** power);
    }),
  );
});

test("decimals are exact: a.b of a unit is (10^d a + b) of it over 10^d", () => {
  const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.nat(1_000_000), digits, (whole, fraction) => {
      const tail = fraction.join("");
      const { num, den } = parseQuantity(`${whole}.${tail} GHz`, "clock");
      const scale = 10n ** BigInt(tail.length);
      assert.is(num * scale, den * (BigInt(whole) * scale + BigInt(tail)) * 1_000_000_000n);
    }),
  );
});

test("what formatQuantity writes, parseQuantity reads back", () => {
  const dimensions: Dimension[] = ["rate", "bytes", "clock", "events", "cycles", "bytesPerCycle"];
  const value = fc.bigInt({ min: 0n, max: 2n ** 60n });
  fc.assert(
    fc.property(value, fc.constantFrom(...dimensions), (num, dimension) => {
      const text = formatQuantity({ num, den: 1n }, dimension);
      assert.is(parseQuantity(text, dimension).num, num);
    }),
  );
});

test("bad quantities say what would be right", () => {
  const table: [unknown, Dimension, string][] = [
    [100, "rate", "100 has no unit; write e.g. 100 Gbit/s"],
    ["300", "time", "300 has no unit; write e.g. 300 us"],
    ["20 us", "rate", "20 us is a time, not a rate; write e.g. 100 Gbit/s"],
    ["4 KiB", "time", "4 KiB is a size, not a time; write e.g. 20 us"],
    ["4 KB", "bytes", "4 KB: K is neither k (1000) nor Ki (1024); write 4 kB or 4 KiB"],
    ["4 kib", "bytes", '4 kib: unknown unit "kib"; did you mean 4 KiB?'],
    ["4 Mb", "bytes", '4 Mb: a bit is not a byte, and "Mb" does not say which; write e.g. 4 MB'],
    ["-1 ns", "time", "-1 ns must not be negative; write e.g. 20 us"],
    ["1e9 Hz", "clock", "1e9 Hz is not a number with a unit; write e.g. 250 MHz"],
    [".5 GHz", "clock", ".5 GHz is not a number with a unit; write e.g. 250 MHz"],
    ["3 parsec", "time", '3 parsec: unknown unit "parsec"; write e.g. 20 us'],
    [true, "time", "true is not a time; write e.g. 20 us"],
    [`${"9".repeat(60)} ns`, "time", `${"9".repeat(37)}... is not a number with a unit; write e.g. 20 us`],
    [
      "3 Gb/s",
      "rate",
      '3 Gb/s: a bit is not a byte, and "Gb/s" does not say which; write e.g. 3 Gbit/s or 3 GB/s',
    ],
  ];
  for (const [input, dimension, message] of table) {
    assert.is(
      messageOf(() => parseQuantity(input, dimension)),
      message,
    );
  }
  assert.is(
    messageOf(() => parseDecimal("1e3")),
    "1e3 is not a plain decimal number; write e.g. 2.5",
  );
});

test("a time is a whole number of ticks of 1/1024 ps, or refused", () => {
  const ticks = (text: string): bigint => ticksOf(parseQuantity(text, "time"));
  assert.is(ticks("1 ns"), 1_024_000n);
  assert.is(ticks("1 ps"), 1024n);
  assert.is(ticks("126.953125 ps"), 130_000n);
  assert.is(ticks("0.0009765625 ps"), 1n);
  assert.is(ticks("2.5 h"), 9000n * 1_024_000_000_000_000n);
  assert.match(
    messageOf(() => ticks("0.3 ps")),
    "finer than one tick",
  );
  assert.match(
    messageOf(() => ticks("151 min")),
    "at most 2.5 h",
  );
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 9_000_000_000_000n }), (ns) => {
      assert.is(ticks(`${ns} ns`), ns * 1_024_000n);
    }),
  );
});

test("byte times: 8 bits x 1.024e15 ticks/s over the rate", () => {
  // PCIe: lanes x GT/s x coding; Gen3 x8 = 8 x 8e9 x 128/130 bit/s, so 8 x 1.024e15 / that = 130000 ticks.
  const perLane = [2.5e9 * 0.8, 5e9 * 0.8, (8e9 * 128) / 130, (16e9 * 128) / 130, (32e9 * 128) / 130];
  for (const [index, bitsPerSecond] of perLane.entries()) {
    for (const lanes of [1, 2, 4, 8, 16]) {
      const ticks = pcieTicksPerByte(index + 1, lanes);
      assert.ok(Number.isInteger(ticks));
      assert.ok(Math.abs(ticks / ((8 * 1.024e15) / (bitsPerSecond * lanes)) - 1) < 1e-12);
    }
  }
  assert.is(pcieTicksPerByte(3, 8), 130_000);
  assert.is(pcieTicksPerByte(5, 16), 16_250);
  const ethernet: [string, number][] = [
    ["25 Gbit/s", 327_680],
    ["50 Gbit/s", 163_840],
    ["100 Gbit/s", 81_920],
    ["200 Gbit/s", 40_960],
    ["400 Gbit/s", 20_480],
  ];
  for (const [rate, ticks] of ethernet) assert.equal(ticksPerByte(parseQuantity(rate, "rate")), [ticks, 1]);
  // 300 MHz: 1.024e15 / 3e8 = 10240000 / 3. 24 MiB/s: 2^22 x 5^12 / (3 x 2^23) = 5^12 / 6.
  assert.equal(toRatio(ticksPer(parseQuantity("300 MHz", "clock"))), [10_240_000, 3]);
  assert.equal(ticksPerByte(parseQuantity("24 MiB/s", "rate")), [244_140_625, 6]);
});

test.run();
