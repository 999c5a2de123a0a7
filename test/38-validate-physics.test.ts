// SPDX-License-Identifier: Apache-2.0
// `dpusim validate`: every point of PCIe, host memory and Ethernet is within its tolerance.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadSuite } from "../src/validate/index.ts";
import type { Point } from "../src/validate/types.ts";

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

test("points that a number was derived from are the smaller part, and say so", async () => {
  const points = await pointsOf("pcie-bench");
  const set = points.filter(({ calibration }) => calibration);
  assert.ok(set.length > 0 && set.length < points.length / 5, `${set.length} of ${points.length}`);
  // the card's rings of tags and its completions were found in these
  for (const id of ["read:64:524288", "read:128:524288", "read:256:1048576"])
    assert.ok(
      set.some((one) => one.id === `iommu:hsw-Xeon-E5-2637v3_supermicro-iommu-nosp:${id}`),
      id,
    );
});

test.run();
