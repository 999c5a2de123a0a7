// SPDX-License-Identifier: Apache-2.0
// `dpusim validate tcp`: TCP of the external channel against recordings of Linux.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { TICKS_PER_NS } from "../assembly/abi.ts";
import { type PublishedRow, published } from "../src/validate/published.ts";
import { RUNS_AGAIN, suite, transferSeconds } from "../src/validate/tcp.ts";

const points = [...suite.points()];

test("every recording of Linux is within its tolerance", () => {
  assert.equal(
    points.filter(({ within }) => !within).map(({ id }) => id),
    [],
  );
  // a goodput for every bulk transfer, a time for every other
  const count = (start: RegExp): number => points.filter(({ id }) => start.test(id)).length;
  assert.is(count(/^steady-\d/), published("tcp-steady").length);
  assert.is(count(/^transfer-\d/), published("tcp-transfer").length);
});

const KEYS = ["cc", "rate_mbps", "base_rtt_ms", "loss", "mtu", "buffer_bytes", "MiB"];
const sameAs = (row: PublishedRow) => (one: PublishedRow) => KEYS.every((key) => one[key] === row[key]);
const seconds = (row: PublishedRow, key: string): number => Number(row[key]);

test("the number of runs kept alone decides which transfers the second test bed judges", () => {
  const named = (id: string) => points.find((one) => one.id === id);
  for (const [i, row] of published("tcp-transfer").entries()) {
    const again = published("tcp-transfer-again").find(sameAs(row));
    const judgedBy = again !== undefined && Number(again.kept) >= RUNS_AGAIN ? again : row;
    const judged = named(`transfer-${i + 1}`)!;
    assert.is(judged.expected, seconds(judgedBy, "t_med_s"), judged.quantity);
    // the single recording that does not judge is still reported
    const single = named(`single-${i + 1}`);
    if (judgedBy === row) assert.is(single, undefined);
    else assert.equal([single!.expected, single!.judged], [seconds(row, "t_med_s"), false]);
  }
});

test("every run of the second test bed is told of: kept by the rule, or dropped with its time", () => {
  const dropped = published("tcp-transfer-dropped");
  for (const row of published("tcp-transfer-again")) {
    const own = dropped.filter(({ batch }) => batch === "again").filter(sameAs(row));
    assert.is(own.length, Number(row.runs) - Number(row.kept));
    for (const one of own) assert.ok(Number(one.late_us) > 80 || Number(one.slept_us) > 200, one.t_s);
  }
});

/** What two recordings of the same transfer may differ by: 2 %, at an RTT of 1 ms 5 %. */
const allowed = (row: PublishedRow): number => (Number(row.base_rtt_ms) <= 1 ? 0.05 : 0.02);

test("the second test bed agrees with the first on what it was not set up for", () => {
  const others = published("tcp-transfer-again").filter(({ kept }) => Number(kept) < RUNS_AGAIN);
  const timed = others.filter(({ kept }) => Number(kept) > 0);
  for (const row of timed) {
    const first = published("tcp-transfer").find(sameAs(row))!;
    const ordered = ["t_min_s", "t_q1_s", "t_med_s", "t_q3_s", "t_max_s"].map((key) => seconds(row, key));
    assert.equal(
      ordered,
      ordered.toSorted((a, b) => a - b),
    );
    const off = seconds(row, "t_med_s") / seconds(first, "t_med_s") - 1;
    assert.ok(Math.abs(off) <= allowed(row), first.t_med_s);
  }
  // what the page says has its denominator
  const text = suite.limits.join(" ");
  assert.match(text, new RegExp(`Of ${others.length} other transfers .* on ${timed.length}, `));
});

test("jitter, which the test bed does not have, makes Reno's overflow at 1 ms last", () => {
  const row = published("tcp-transfer").find(
    ({ cc, rate_mbps, base_rtt_ms, MiB }) =>
      cc === "reno" && rate_mbps === "1000.0" && base_rtt_ms === "1.0" && MiB === "16",
  )!;
  const times = (us: number): number[] =>
    Array.from({ length: 20 }, (_, seed) =>
      transferSeconds(row, { jitterTicks: us * 1000 * TICKS_PER_NS, seed: seed + 1 }),
    );
  const single = seconds(row, "t_med_s");
  assert.ok(Math.max(...times(20)) < single);
  const late = times(600);
  assert.ok(Math.min(...late) < single && single < Math.max(...late));
  // the page quotes these
  const [from, to] = [Math.min(...late).toFixed(3), Math.max(...late).toFixed(3)];
  assert.match(suite.limits.join(" "), new RegExp(`${from} to ${to} s`));
});

test.run();
