// SPDX-License-Identifier: Apache-2.0
// The fingerprint: every number that a core has counted is in it, and in which words.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Core, coreModule, type Variant } from "../src/core.ts";
import { fingerprint, fingerprintText } from "../src/result/fingerprint.ts";
import { type Reading, readCore } from "../src/result/reading.ts";
import { redisOnce } from "./lib/jobs.ts";
import { inputOf, migrate } from "./lib/migrate.ts";

/** A reading of a finished run, and the fingerprint of its result. */
function finished(variant: Variant): { reading: Reading; printed: string } {
  const core = new Core(coreModule(variant));
  const result = migrate(redisOnce, { input: { ...inputOf(redisOnce), core } });
  return { reading: readCore(core, core.clockNow()), printed: result.fingerprint };
}

const { reading, printed } = finished("lean");
const text = fingerprintText(reading);

type Node = Record<string, unknown>;

/** What is not counted: how a run ended, which invariants were looked at, what had been counted earlier. */
const UNCOUNTED = ["closed", "evaluated", "before"];

/** Paths of all counted numbers below a node. */
function paths(node: Node, path: string[] = []): string[][] {
  return Object.entries(node).flatMap(([key, value]) => {
    if (value === null || typeof value === "boolean" || UNCOUNTED.includes(key)) return [];
    return typeof value === "object" ? paths(value as Node, [...path, key]) : [[...path, key]];
  });
}

test("it is the one in the result", () => assert.is(fingerprint(reading), printed));

test("every number that a run has counted changes it: one more, and it is another", () => {
  const all = paths(reading as unknown as Node);
  const parts = new Set<string>();
  const copy = structuredClone(reading) as unknown as Node;
  for (const [i, path] of all.entries()) {
    // a histogram has 508 buckets, a series 512 bins: every 17th
    if ((path[2] === "buckets" || path[0] === "series") && i % 17 !== 0) continue;
    const holder = path.slice(0, -1).reduce((node, key) => node[key] as Node, copy);
    const key = path.at(-1)!;
    const before = holder[key] as bigint | number;
    holder[key] = typeof before === "bigint" ? before + 1n : before + 1;
    assert.is.not(fingerprintText(copy as unknown as Reading), text, path.join("."));
    holder[key] = before;
    parts.add(path[0]!);
  }
  // this server has no list of guests: the next test
  const counted = Object.keys(reading).filter((part) => part !== "guests" && !UNCOUNTED.includes(part));
  assert.equal([...parts].sort(), counted.sort());
  assert.is(fingerprint(copy as unknown as Reading), printed);
});

test("every word of every guest of a list is in it", () => {
  const guests = [0, 1].map((k) => Array.from({ length: 32 }, (_, i) => BigInt(100 * k + i)));
  const server = { ...reading, guests };
  const whole = fingerprintText(server);
  assert.is(whole.replaceAll(/^guest\..*\n/gm, ""), text);
  for (const k of [0, 1]) {
    for (let i = 0; i < 32; i++) {
      const other = guests.map((row, j) => row.map((word, n) => (j === k && n === i ? word + 1n : word)));
      assert.is.not(fingerprintText({ ...server, guests: other }), whole, `guest ${k}, word ${i}`);
    }
  }
});

test("its words: a histogram with its buckets, a series with its bins", () => {
  const lines = text.split("\n");
  assert.is(lines[0], "dpusim.fingerprint/1");
  // histogram 1 has a sample a page that was read: counter 11
  const pages = lines.find((line) => line.startsWith("histogram.0.1 "))!;
  const [, count, , max, min, ...buckets] = pages.split(" ");
  assert.is(Number(count), Number(reading.counters[0]![11]));
  assert.ok(Number(min) > 0 && Number(max) >= Number(min));
  const held = buckets.reduce((sum, bucket) => sum + Number(bucket.split(":")[1]), 0);
  assert.is(held, Number(count));
  const series = lines.filter((line) => line.startsWith("series."));
  assert.is(series.length, 3);
  assert.is(lines.filter((line) => line === `series ${reading.seriesWindowTicks}`).length, 1);
});

for (const variant of ["instrumented", "debug"] as const) {
  test(`the ${variant} build has the same text`, () => {
    assert.is(fingerprintText(finished(variant).reading), text);
  });
}

test.run();
