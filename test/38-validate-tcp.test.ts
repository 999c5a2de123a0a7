// SPDX-License-Identifier: Apache-2.0
// `dpusim validate tcp`: TCP of the external channel against recordings of Linux.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { published } from "../src/validate/published.ts";
import { suite } from "../src/validate/tcp.ts";

/** Known to be outside: a second recovery after an overflow, which the model's runs seldom have. */
const OUTSIDE = ["transfer-32", "transfer-33"];

test("every recording of Linux is within its tolerance, but for two that are known", () => {
  const points = [...suite.points()];
  assert.equal(
    points.filter(({ within }) => !within).map(({ id }) => id),
    OUTSIDE,
  );
  // a goodput for every bulk transfer, a time for every other
  const count = (start: RegExp): number => points.filter(({ id }) => start.test(id)).length;
  assert.is(count(/^steady-\d/), published("tcp-steady").length);
  assert.is(count(/^transfer-\d/), published("tcp-transfer").length);
});

test.run();
