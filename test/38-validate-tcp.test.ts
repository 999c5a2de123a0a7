// SPDX-License-Identifier: Apache-2.0
// `dpusim validate tcp`: TCP of the external channel against recordings of Linux.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type PublishedRow, published } from "../src/validate/published.ts";
import { suite } from "../src/validate/tcp.ts";

test("every recording of Linux is within its tolerance", () => {
  const points = [...suite.points()];
  assert.equal(
    points.filter(({ within }) => !within).map(({ id }) => id),
    [],
  );
  // a goodput for every bulk transfer, a time for every other
  const count = (start: RegExp): number => points.filter(({ id }) => start.test(id)).length;
  assert.is(count(/^steady-\d/), published("tcp-steady").length);
  assert.is(count(/^transfer-\d/), published("tcp-transfer").length);
  // the two that were recorded again are judged by that, and their single recordings are still reported
  const single = points.filter(({ id }) => /^single-/.test(id));
  assert.equal(
    single.map(({ id, expected }) => [id, expected]),
    [
      ["single-32", 0.1823],
      ["single-33", 0.631],
    ],
  );
  const recorded = (id: string): number => points.find((one) => one.id === id)!.expected;
  assert.ok(recorded("transfer-32") < 0.16 && recorded("transfer-33") < 0.61);
});

/** What two recordings of the same transfer may differ by: 2 %, at an RTT of 1 ms 5 %. */
const allowed = (row: PublishedRow): number => (Number(row.base_rtt_ms) <= 1 ? 0.05 : 0.02);

test("the second test bed agrees with the first on what it was not set up for", () => {
  const keys = ["cc", "rate_mbps", "base_rtt_ms", "loss", "mtu", "buffer_bytes", "MiB"];
  let near = 0;
  for (const row of published("tcp-transfer-again")) {
    const first = published("tcp-transfer").find((one) => keys.every((key) => one[key] === row[key]))!;
    const ordered = ["t_min_s", "t_q1_s", "t_med_s", "t_q3_s", "t_max_s"].map((key) => Number(row[key]));
    assert.equal(
      ordered,
      ordered.toSorted((a, b) => a - b),
    );
    if (Number(row.kept) >= 20) {
      // why they were recorded again: the first recording lies among the last of the distribution
      assert.ok(Number(first.t_med_s) >= Number(row.t_max_s));
      continue;
    }
    assert.ok(Math.abs(Number(row.t_med_s) / Number(first.t_med_s) - 1) <= allowed(row), first.t_med_s);
    near++;
  }
  assert.is(near, 8);
});

test.run();
