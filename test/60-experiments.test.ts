// SPDX-License-Identifier: Apache-2.0
// The questions of sim/experiments: each answer has the shape that physics asks for, and another has not.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { experiments } from "../sim/experiments/index.ts";
import type { Row } from "../sim/experiments/lib.ts";

/** The rows with the last column of the first and the last one exchanged. */
function exchanged(rows: readonly Row[]): Row[] {
  const spoilt = rows.map((row) => ({ ...row }));
  const [first, last] = [spoilt[0]!, spoilt.at(-1)!];
  const column = Object.keys(first).at(-1)!;
  [first[column], last[column]] = [last[column]!, first[column]!];
  return spoilt;
}

const all = await experiments();

for (const { name, rows, misses } of all) {
  test(name, () => {
    const found = rows();
    assert.equal(misses(found), []);
    assert.ok(misses(exchanged(found)).length > 0, "rows that are exchanged are as good");
  });
}

test("there are experiments", () => assert.ok(all.length >= 4));

test.run();
