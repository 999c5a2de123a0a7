// SPDX-License-Identifier: Apache-2.0
// `dpusim validate codec`: every point within its tolerance, and which of them are calibrations.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { presetNames } from "../src/scenario/presets.ts";
import { codec } from "../src/validate/codec.ts";
import { expectedClocks, measuredClocks } from "../src/validate/codec-ciphers.ts";
import { ofMachine } from "../src/validate/codec-compressors.ts";
import { published } from "../src/validate/published.ts";
import type { Point } from "../src/validate/types.ts";
import { dpusim } from "./lib/cli.ts";

const points: Point[] = [...codec.points()];

test("every point has an id of its own, a source, and is within its tolerance", () => {
  assert.is(new Set(points.map(({ id }) => id)).size, points.length);
  for (const { id, source, within, simulated } of points) {
    assert.ok(source.length > 1, id);
    assert.ok(within, `${id}: ${simulated}`);
  }
  // 45 published or measured ones; of each cipher, 2 keys: 6 intervals and a first record
  assert.is(published("codec").length, 45);
  assert.is(points.length, 45 + presetNames("cipher").length * 2 * 7);
});

test("points that a parameter was set from say so", () => {
  const set = points.filter(({ calibration }) => calibration).map(({ id }) => id);
  const rates = "chen-rate chen-loss fowers-rate zipline-rate nx-p9-rate nx-z15-rate qat-rate qat-link";
  const ciphers = "cast-s-128 cast-f-128 cast-x cast-x2 hsc-64k bf3-64k";
  assert.is(set.join(" "), `${rates} ${ciphers}`);
});

test("the closed form of another cipher is not this one's", () => {
  const { interval } = measuredClocks("gcm-cast-f", 128, 1500);
  assert.is(interval, expectedClocks("gcm-cast-f", 128, 1500).interval);
  assert.is.not(interval, expectedClocks("gcm-cast-f", 256, 1500).interval);
  assert.is.not(interval, expectedClocks("gcm-cast-s", 128, 1500).interval);
});

test("policies on the shipped trace: drop loses, stall takes time, coalesce lies between", () => {
  const drop = ofMachine("w16-narrow");
  const stall = ofMachine("w16-narrow-stall");
  const coalesce = ofMachine("w16-narrow-coalesce");
  assert.ok(drop.ratio! < coalesce.ratio! && coalesce.ratio! < stall.ratio!);
  assert.ok(coalesce.conflicts! < drop.conflicts!);
  assert.ok(stall.cycles!.mean > 3 * drop.cycles!.mean);
  assert.throws(() => ofMachine("w17"), /no machine w17/);
});

test("the command says ok and ends with 0", async () => {
  const { code, stdout, stderr } = await dpusim(["validate", "codec"]);
  const complaints = stderr.replace(/^dpusim: codec, \d+ points\n/gm, "");
  assert.equal([code, complaints], [0, ""]);
  const judged = points.filter((point) => point.judged).length;
  assert.match(stdout, new RegExp(`^ {2}codec +${judged} +${points.length - judged} .* ok `, "m"));
});

test.run();
