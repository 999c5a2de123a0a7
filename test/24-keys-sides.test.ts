// SPDX-License-Identifier: Apache-2.0
// No key of a host or card is accepted and ignored, on either side.
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Other } from "./lib/keys.ts";
import { SIDE_KEYS, type SideOther } from "./lib/keys-sides.ts";
import { GENERATED, matters } from "./lib/matters.ts";

for (const side of ["source", "destination"] as const) {
  test(`keys of the ${side}`, () => {
    const idle = Object.entries(SIDE_KEYS).filter(([key, entry]) => {
      const other =
        typeof entry === "object" && side in entry ? (entry as SideOther)[side] : (entry as Other);
      return !matters(GENERATED, `${side}.${key}`, other, side);
    });
    assert.equal(idle, []);
  });
}

test.run();
