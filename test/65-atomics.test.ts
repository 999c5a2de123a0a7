// SPDX-License-Identifier: Apache-2.0
// AtomicOps over PCIe: latency and rate by their formula, random configurations against the reference to the
// tick and against the scheduler that steps every unit, and as other I/O beside a migration.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import type { Operation } from "../src/atomics.ts";
import { Core, coreModule } from "../src/core.ts";
import { type PcieAnswer, type PcieProbe, pcieProbe } from "../src/probe/pcie.ts";
import { resolveSide } from "../src/scenario/resolve.ts";
import { atomicProbe } from "./lib/claims/limits.ts";
import { TEXT } from "./lib/configurations.ts";
import { readProbe, samePackets, sameProbe } from "./lib/probe-pcie.ts";
import { seeds } from "./lib/random.ts";
import { checkPcie, sameLists } from "./lib/reference/compare.ts";
import { linesOf, resolveText } from "./lib/scenario.ts";
import { runText } from "./lib/timeline.ts";

const NS = 1_024_000;
const PER_BYTE = 130_000;
const DOWN_PER_BYTE = 135_417;

function probe(op: Operation, size: number, other: Partial<PcieProbe> = {}, memory: object = {}): PcieAnswer {
  const side = resolveSide({ host: { preset: "snb-e5-2630", memory }, card: "nfp6000-e5" }, "probe");
  const lone = { side, window: 8192, random: false, cache: "warm", numa: "local", iommu: "off" } as const;
  const run = { dll: "none", depth: 1, jitter: false, seed: 1, warmUp: 0, operations: 1 } as const;
  return pcieProbe(new Core(coreModule()), { ...lone, ...run, op, size, ...other });
}

const alone = (op: Operation, size: number, other: Partial<PcieProbe> = {}, memory: object = {}): number =>
  Math.round(probe(op, size, other, memory).latenciesNs[0]! * NS);

/** From a tag to its answer: 44 ns, the request, flights, 42.6 GB/s, 422 - 2 x 70 ns, the answer. */
const held = (operands: number, size: number): number =>
  44 * NS +
  PER_BYTE +
  (24 + operands * size) * PER_BYTE +
  2 * 70 * NS +
  Math.ceil((size * 1e12 * 1024) / 42.6e9) +
  282 * NS +
  (20 + size) * DOWN_PER_BYTE;

test("formula: an AtomicOp alone, 24 bytes and its operands up, 20 and a value down", () => {
  for (const [op, operands] of [
    ["fetch-add", 1],
    ["swap", 1],
    ["cas", 2],
  ] as const) {
    for (const size of [4, 8]) {
      // 69 ns until it is taken, 148 ns a KiB of copy
      const copy = Math.ceil((size * 148 * NS) / 1024);
      assert.is(alone(op, size), 69 * NS + held(operands, size) + copy, `${op} ${size}`);
    }
  }
});

test("formula: the root complex's part is a read's, and more by memory.atomicAdder", () => {
  // operands of 8 bytes are all that a read of 8 bytes has not; the line is looked for as a read's
  assert.is(alone("swap", 8) - alone("read", 8), 8 * PER_BYTE);
  assert.is(alone("swap", 8, { cache: "cold" }) - alone("swap", 8), 56 * NS);
  assert.is(alone("cas", 8, {}, { atomicAdder: "500 ns" }) - alone("cas", 8), 500 * NS);
  assert.is(alone("read", 8, {}, { atomicAdder: "500 ns" }), alone("read", 8));
});

test("formula: tags over the time that one is held, or a credit of data over its way round", () => {
  const many = { depth: 88, warmUp: 2000, operations: 20_000 };
  const rate = (of: PcieAnswer): number => of.transactionsPerSecond / 1e9;
  const near = (got: number, want: number, what: string): void =>
    assert.ok(Math.abs(got / want - 1) < 0.01, `${what}: ${got} a ns, formula ${want}`);
  for (const [op, operands] of [
    ["fetch-add", 1],
    ["cas", 2],
  ] as const)
    near(rate(probe(op, 8, many)), (32 * NS) / held(operands, 8), op);
  // one credit: the request, a flight, begun at once, and the credit one flight back
  const host = { preset: "snb-e5-2630", pcie: { npdCredits: 1 } };
  const side = resolveSide({ host, card: "nfp6000-e5" }, "probe");
  const round = 40 * PER_BYTE + 2 * 70 * NS;
  near(rate(probe("cas", 8, { ...many, side })), NS / round, "one credit");
  // reads carry no data and need none of it
  assert.is(rate(probe("read", 8, { ...many, side })), rate(probe("read", 8, many)));
});

test("AtomicOps are of 4 or 8 bytes", () => {
  assert.throws(() => probe("swap", 64), /4 or 8 bytes/);
  const [line] = linesOf(() => resolveText(TEXT, { sets: ["tenant={ op: cas, size: 16 B }"] }));
  assert.match(line!, /tenant\.size: is not that of an AtomicOp \(cas\); write 4 B or 8 B$/);
});

for (const seed of seeds(24)) {
  test(`reference: configuration ${seed}`, () => {
    const config = atomicProbe(seed);
    const lean = readProbe(config, "lean");
    const run = sameProbe(config, lean);
    const instrumented = readProbe(config, "instrumented");
    assert.ok(samePackets(config, instrumented, run) >= config.operations);
    for (const other of [instrumented, readProbe(config, "naive")]) {
      sameLists("stop of another build", other.stops, lean.stops);
      sameLists("account of another build", other.books.map(String), lean.books.map(String));
    }
  });
}

test("reference: as other I/O beside a migration, packet by packet; an operand less is seen", () => {
  const tenant = "tenant={ op: cas, size: 8 B, workers: 3, every: 2 us }";
  const npd = ["source", "destination"].map((side) => `${side}.host.pcie.npdCredits=2`);
  const run = runText(TEXT, { sets: [tenant, ...npd, "content=sized"] });
  for (const side of [0, 1]) assert.ok(checkPcie(run, side).compared > 1000);
  assert.ok(run.core.counter(0, abi.C_TENANT_OPS) > 50);
  const sides = run.params.sides.map((p) => [...p]) as typeof run.params.sides;
  (sides[0] as number[])[abi.S_TEN_ATOMIC] = 1;
  assert.throws(() => checkPcie({ ...run, params: { ...run.params, sides } }, 0), /differs/);
});

test.run();
