// SPDX-License-Identifier: Apache-2.0
// No key is accepted and ignored: for each, some run has another fingerprint when its value is another.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { scenarioJsonSchema } from "../src/scenario/schema.ts";
import { KEYS, TRACE_KEYS } from "./lib/keys.ts";
import { SIDE_KEYS } from "./lib/keys-sides.ts";
import { GENERATED, MIX, matters, PLAYED } from "./lib/matters.ts";
import { migrate, redis } from "./lib/migrate.ts";

const SIDES = ["source", "destination"] as const;

interface Node {
  properties?: Record<string, Node>;
  anyOf?: Node[];
  enum?: unknown[];
  const?: unknown;
  not?: object;
  items?: { not?: object };
}

/** Keys that may have another value than one, and are not refused whatever they say. */
function keysOf(node: Node, path = ""): string[] {
  const nodes = [node, ...(node.anyOf ?? [])];
  const members = nodes.flatMap(({ properties }) => Object.entries(properties ?? {}));
  const single = node.const !== undefined || node.not !== undefined || node.items?.not !== undefined;
  // a mix is one value: its parts add up
  if (members.length === 0 || path.endsWith("mix")) return single ? [] : [path];
  const below = members.flatMap(([key, inner]) => keysOf(inner, path === "" ? key : `${path}.${key}`));
  const word = nodes.some((one) => one !== node && one.properties === undefined);
  return word ? [path, ...below] : below;
}

test("every key of the schema has another value here, or a reason", () => {
  const sides = SIDES.flatMap((side) => Object.keys(SIDE_KEYS).map((key) => `${side}.${key}`));
  const listed = [...Object.keys(KEYS), ...Object.keys(TRACE_KEYS), ...sides];
  assert.equal(listed.sort(), keysOf(scenarioJsonSchema("inline") as Node).sort());
});

test("keys of the run", () => {
  const idle = Object.entries(KEYS).filter(([key, other]) => !matters(GENERATED, key, other));
  assert.equal(idle, []);
});

test("a mix beside a trace that carries bodies is refused", () => {
  const guest = { ...redis, mix: MIX };
  assert.throws(() => migrate({ ...PLAYED, guest }), /the trace carries bodies of its own; remove it/);
});

test("keys of a guest that plays a trace", () => {
  const idle = Object.entries(TRACE_KEYS).filter(([key, other]) => !matters(PLAYED, key, other));
  assert.equal(idle, []);
});

test.run();
