// SPDX-License-Identifier: Apache-2.0
// Reads and writes in turn (BW_DMA_RW of pcie-bench): the card's memory and the wire that both kinds share,
// by their formula, and what they are without them.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Core, coreModule } from "../src/core.ts";
import { type PcieProbe, pcieProbe } from "../src/probe/pcie.ts";
import { resolveSide } from "../src/scenario/resolve.ts";
import { loadSuite } from "../src/validate/index.ts";

const SIZES = [256, 512, 1024, 2048, 4096];
const PER_BYTE = 130_000;
const NS = 1_024_000;

/** Operations of each kind a second; `memory` in place of the card's. */
function pairs(op: PcieProbe["op"], size: number, engine: object = {}): number {
  const side = resolveSide({ host: "snb-e5-2630", card: { preset: "nfp6000-e5", engine } }, "probe");
  const asked = { side, op, size, window: 8192, random: true, cache: "warm", numa: "local", iommu: "off" };
  const run = { dll: "none", depth: 88, jitter: false, seed: 1, warmUp: 2000, operations: 20_000 } as const;
  const answer = pcieProbe(new Core(coreModule()), { ...asked, ...run } as PcieProbe);
  return answer.transactionsPerSecond / (op === "readwrite" ? 2 : 1);
}

const near = (got: number, formula: number, share: number, what: string): void =>
  assert.ok(Math.abs(got / formula - 1) < share, `${what}: ${got}, formula ${formula}`);

/** Of the wire up a pair has a write's bytes and a read's requests, and gaps between bursts of 512 B. */
function wireTicks(size: number): number {
  const bytes = size + 24 * Math.ceil(size / 256) + 24 * Math.ceil(size / 512);
  return bytes * PER_BYTE + Math.ceil(size / 512) * 4.4 * NS;
}

test("formula: pairs are as many as the card's memory takes, whatever their size", () => {
  for (const size of SIZES.slice(1)) {
    const memory = 2 * Math.ceil((size * 89.6 * NS) / 1024);
    assert.ok(memory > wireTicks(size));
    near(pairs("readwrite", size), (1000 * NS * 1e6) / memory, 0.005, `${size} B`);
  }
});

test("control: with a memory that takes no time they are as many as the wire up takes", () => {
  // completions down take a 24th more: 0.96 of the link, and 20 bytes in 256; less than up
  for (const size of SIZES.slice(1)) {
    const free = pairs("readwrite", size, { memoryPerKiB: "0 s" });
    near(free, (1000 * NS * 1e6) / wireTicks(size), 0.01, `${size} B`);
    assert.ok(free > 1.1 * pairs("readwrite", size), `${size} B`);
  }
});

test("control: a burst that waits for no read's request is sooner, and either kind alone the same", () => {
  // with bursts of any length and no gap the requests fall into the wire's own time
  const wire = 512 + 2 * 24 + 24;
  const free = pairs("readwrite", 512, { memoryPerKiB: "0 s", burstGap: "0 s" });
  near(free, (1000 * NS * 1e6) / (wire * PER_BYTE), 0.01, "no gap");
  for (const op of ["read", "write"] as const)
    for (const size of SIZES) near(pairs(op, size), pairs(op, size, { memoryPerKiB: "0 s" }), 0.002, op);
});

test("every E5 host's mixed rows are compared, reported only, two of them calibration", async () => {
  const points = [...(await loadSuite("pcie-bench"))!.points()];
  const mixed = points.filter(({ id }) => id.includes(":readwrite:"));
  assert.is(mixed.length, 6 * 8);
  assert.is(mixed.filter(({ calibration }) => calibration).length, 2);
  assert.ok(mixed.every(({ tolerance }) => tolerance === "none, reported only"));
  // taken for both directions together, all of them would be 82 to 127 % too fast
  const worst = Math.max(...mixed.map(({ errorPercent }) => Math.abs(errorPercent!)));
  assert.ok(worst < 15, `${worst} %`);
});

test.run();
