// SPDX-License-Identifier: Apache-2.0
// AES-GCM engines of the core beside slow ones that walk clock by clock, written from docs/model.md alone.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Core, coreModule } from "../src/core.ts";
import { probeSeal, RECORDS_MAX } from "../src/probe/cipher.ts";
import { SEAL_ROWS, sameSeals } from "./lib/claims/seal.ts";
import { type GcmMachine, sealSlowly } from "./lib/reference/gcm-engine.ts";
import { HEAD, messageOf, resolveText } from "./lib/scenario.ts";

const machine: GcmMachine = {
  engines: 1,
  bits: 512,
  rounds: 10,
  cyclesPerRound: 0,
  stagesPerRound: 1,
  ghashLatency: 3,
  tagCycles: 1,
  recordGap: 0,
  interleave: "word",
  egress: "hold",
  keySlots: 2,
  keyLoad: 64,
};
const load = { records: 3, payloadBytes: 4096, lookEvery: 1 };

test("the slow engines, by hand", () => {
  // words 1 + 64 + 1 = 66; 64 for the key; to the tag 10 + 2 + 3 x (2 + 1) + 1 = 22: 152, then 66 apart
  assert.equal(sealSlowly(machine, load).seenAtClocks, [152, 218, 284]);
  // a gap of 5: 66 + 5 apart, and the tag as before
  assert.equal(sealSlowly({ ...machine, recordGap: 5 }, load).seenAtClocks, [152, 223, 294]);
  // one at a time: 66 + 22 apart, and one clock through the queue
  assert.equal(sealSlowly({ ...machine, interleave: "record" }, load).seenAtClocks, [153, 241, 329]);
  // a block in 4 x 11 = 44: words 1 + 256 + 1 = 258; to the tag 44 + 2 + 3 + 1 = 50
  const shared = { ...machine, bits: 128, cyclesPerRound: 4 };
  const first = 64 + 258 * 44 + 50;
  assert.equal(sealSlowly(shared, load).seenAtClocks, [first, first + 11_352, first + 22_704]);
  // two engines; the second finds the key in its slot: 66 + 22, then each 66 after its own
  assert.equal(sealSlowly({ ...machine, engines: 2 }, load).seenAtClocks, [88, 152, 154]);
});

test("the slow engines, by hand: a unit behind that hardly looks", () => {
  // 32 wait in the queue and 2 in engines, or 32 altogether; at clock 9900 the first has gone
  const two = { ...machine, engines: 2 };
  const seldom = { records: 1, payloadBytes: 0, lookEvery: 9900 };
  assert.is(sealSlowly(two, seldom).begunRecords, 34);
  assert.is(sealSlowly({ ...two, egress: "admit" }, seldom).begunRecords, 32);
});

for (const [what, change] of SEAL_ROWS) {
  test(`the core's engines and the slow ones: ${what}`, () => sameSeals(what, change));
}

test("more records than there is room for are refused", () => {
  const probe = { records: RECORDS_MAX + 1, payloadBytes: 0 };
  assert.match(
    messageOf(() => probeSeal(new Core(coreModule()), resolveText(HEAD), probe)),
    "1025 records",
  );
});

test("a cipher that works on one block has no wider words", () => {
  const set = { sets: ["source.card.crypto.cyclesPerRound=1"] };
  assert.match(
    messageOf(() => resolveText(HEAD, set)),
    /crypto\.cyclesPerRound: is that of one block at a time, and the engine takes 512 bits; write 0/,
  );
});

test.run();
