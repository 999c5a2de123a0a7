// SPDX-License-Identifier: Apache-2.0
// `dpusim validate`: every point of PCIe, host memory and Ethernet is within its tolerance.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { offText, summary, verdictOf } from "../src/report/validation.ts";
import { loadSuite } from "../src/validate/index.ts";
import { type Point, point, type Tolerance } from "../src/validate/types.ts";

/** Points of a suite, each with an id of its own. */
async function pointsOf(name: string): Promise<Point[]> {
  const points = [...(await loadSuite(name))!.points()];
  assert.is(new Set(points.map(({ id }) => id)).size, points.length);
  return points;
}

const outside = (points: readonly Point[]): string[] =>
  points
    .filter(({ within }) => !within)
    .map(({ id, expected, simulated }) => `${id}: ${simulated}, not ${expected}`);

for (const [name, least] of Object.entries({
  "pcie-model": 9_519,
  "pcie-bench": 413,
  intel: 6,
  ethernet: 58,
})) {
  test(`${name} is within its tolerances`, async () => {
    const points = await pointsOf(name);
    assert.equal(outside(points), []);
    assert.ok(points.length >= least, `${points.length} points`);
  });
}

test("judged points and reported ones are counted apart, and a report counts for no error", () => {
  const made = (simulated: number, tolerance: Tolerance): Point =>
    point({ suite: "s", id: "i", quantity: "q", expected: 100, simulated, unit: "u", tolerance, source: "" });
  const near: Tolerance = { kind: "percent", value: 5 };
  const judged = [made(101, near), made(103, near)];
  const reported = made(900, { kind: "report" });
  const counts = summary([...judged, reported]);
  assert.equal([counts.judged, counts.reported, counts.outside], [2, 1, 0]);
  assert.ok(Math.abs(counts.worst! - 3) < 1e-9 && Math.abs(counts.median! - 2) < 1e-9);
  assert.ok(Math.abs(counts.used! - 3 / 5) < 1e-9);
  // an error in per cent says nothing of a point that is judged by a distance
  const far = summary([...judged, made(50, { kind: "absolute", value: 80 })]);
  assert.ok(Math.abs(far.worst! - 3) < 1e-9 && Math.abs(far.used! - 50 / 80) < 1e-9);
  assert.equal(summary([...judged, made(Number.NaN, near)]).used, counts.used);
  const ranged = made(95, { kind: "range", from: 90, to: 110 });
  assert.equal([ranged.toleranceUsed, ranged.relative], [0.5, false]);
  assert.equal(
    [offText(made(50, { kind: "absolute", value: 80 })), offText(judged[0]!)],
    ["-50 u", "+1.0 %"],
  );
  assert.is(made(100, { kind: "exact" }).toleranceUsed, null);
  assert.is(verdictOf(counts), "2 judged, all within; 1 reported only");
  assert.is(verdictOf(summary([...judged, made(110, near)])), "3 judged, 1 outside");
  assert.is(verdictOf(summary([reported])), "1 reported only");
  // a number that the model has not is outside, though nothing is demanded of it
  assert.is(verdictOf(summary([made(Number.NaN, { kind: "report" })])), "1 outside; 1 reported only");
});

test("points that a number was derived from are the smaller part, and say so", async () => {
  const points = await pointsOf("pcie-bench");
  const set = points.filter(({ calibration }) => calibration);
  assert.ok(set.length > 0 && set.length < points.length / 5, `${set.length} of ${points.length}`);
  // the card's rings of tags and its completions were found in these, and nothing of the card on other hosts
  for (const id of ["read:64:524288", "read:128:524288", "read:256:524288"])
    assert.ok(
      set.some((one) => one.id === `iommu:snb-Xeon-E5-2630_dell-t620-iommu:${id}`),
      id,
    );
  const elsewhere = set.filter(({ id }) => /^(bandwidth|iommu):(hsw|ib)/.test(id));
  assert.ok(
    elsewhere.every(({ id }) => /^iommu:hsw.*(:67108864|:read:64:\d+)$/.test(id)),
    JSON.stringify(elsewhere),
  );
});

test.run();
