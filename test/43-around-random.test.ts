// SPDX-License-Identifier: Apache-2.0
// Random configurations with everything on that goes on around a migration: packets that arrive spoilt, a
// PCIe link that goes down, an IOMMU, other I/O, an external link that loses. Every packet against the slow
// reference to the tick, and the scheduler that steps every unit at every edge. Environment: lib/random.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import type { Core } from "../src/core.ts";
import { type Choices, chosen, configuration, sameBooks, TEXT } from "./lib/configurations.ts";
import { generator, seeds } from "./lib/random.ts";
import { checkLossy, checkPcie, checkTcp } from "./lib/reference/compare.ts";
import { type Run, runText } from "./lib/timeline.ts";

/** How many configurations npm test makes. */
const USUAL = 25;
const SEEDS = seeds(USUAL);
/** What goes to the scheduler that steps everything: short runs, one in so many. */
const NAIVE_TICKS_MAX = 1_500_000 * abi.TICKS_PER_NS;
const NAIVE_EVERY = 3;

const AROUND: Choices = {
  "internal.bitErrorRate": [0, 0.0000001, 0.000001, 0.00001],
  "internal.ecrc": ["off", "on"],
  "internal.dll": ["explicit", "explicit", "none", "ack-per-tlp", "pciebench"],
  "internal.iommu": ["off", "4KiB", "4KiB", "2MiB"],
  "tenant.side": ["source", "destination", "both", "both"],
  "tenant.op": ["read", "write", "readwrite"],
  "tenant.size": ["1 B", "64 B", "200 B", "1500 B", "4 KiB", "9000 B"],
  "tenant.window": ["9 KiB", "1 MiB", "64 MiB"],
  "tenant.workers": [2, 3, 8, 40],
  "tenant.every": ["0 s", "300 ns", "3 us"],
  "tenant.tags": [1, 2, 8, 12],
};

const ENGINE: Choices = {
  "card.engine.start": ["0 s", "38 ns"],
  "card.engine.tagHold": ["0 s", "75 ns"],
  "card.engine.tagRings": [0, 1, 2, 3],
  "card.engine.completions": [0, 65, 100],
  "card.engine.copyPerKiB": ["0 s", "148 ns"],
  "card.engine.memoryPerKiB": ["0 s", "90 ns", "2 us"],
  "card.engine.issue": ["0 s", "1 ns", "4 ns"],
  "card.engine.writeFloor": ["0 s", "21 ns"],
  "card.engine.burst": ["64 B", "512 B", "4096 B"],
  "card.engine.burstGap": ["0 s", "4 ns"],
};

const SLOW = ["tenant.every=100 us", "guest.generate.rate=10000 /s"];
/** What cards' firmware works for datagrams. */
const FIRMWARE = [
  "source.card.control.datagramAckCycles=700 cycles",
  "source.card.control.datagramAgainCycles=1500 cycles",
  "destination.card.control.datagramAckCycles=90 cycles",
];
/**
 * The external link. What TCP loses comes back after 200 ms, of which the naive scheduler steps every edge:
 * it is given UDP alone. Other I/O and the guest are slow there, so that the timeline holds all of it.
 */
const LINKS: readonly (readonly string[])[] = [
  ["link.transport=tcp"],
  ["link.transport=udp", "link.rateCap=none", "link.loss=0"],
  ["link.transport=udp", "link.rateCap=none", "link.loss=0.02", "link.jitter=2 us"],
  ["link.transport=udp", "link.rateCap=none", "link.loss=0.1", ...FIRMWARE],
  ["link.congestion=reno", "link.loss=0.01", ...SLOW, "tenant.size=200 B"],
  ["link.congestion=cubic", "link.loss=0.02", "link.jitter=1 us", ...SLOW, "tenant.size=1 B"],
];

/** When a side's PCIe link goes down, in us, and for how long. */
const DOWN_AT = [0, 1, 17, 40, 93.3, 200, 501];
const DOWN_FOR = ["1 ns", "333 ns", "5 us", "120 us"];

function around(seed: number): string[] {
  const next = generator(seed ^ 0x5eed);
  const sets = [...configuration(seed), ...chosen(next, "", AROUND)];
  for (const side of ["source.", "destination."]) sets.push(...chosen(next, side, ENGINE));
  const link = LINKS[Math.floor(next() * LINKS.length)]!;
  sets.push(...link);
  // descriptors may keep 32 tags, messages 4 and translations 3
  const few = sets.some((set) => /pcie\.tags=4[01]$/.test(set));
  if (few) sets.push("tenant.tags=2");
  // a card that translates needs an IOMMU, and tags
  const untranslated = sets.findLast((set) => set.startsWith("internal.iommu=")) === "internal.iommu=off";
  if (few || untranslated) sets.push("internal.ats=off");
  const faults: string[] = [];
  for (const side of ["source", "destination"]) {
    const [at, length] = [DOWN_AT, DOWN_FOR].map((of) => of[Math.floor(next() * of.length)]);
    if (next() < 0.7) faults.push(`{at: ${at} us, for: ${length}, what: pcie-down, side: ${side}}`);
  }
  if (link.length > 1 && next() < 0.3) faults.push("{at: 90 us, for: 20 us, what: link-down}");
  // drawn last, so that the rest of a seed's configuration stays what it was
  for (const side of ["source", "destination"])
    if (next() < 0.2) sets.push(`${side}.host.pcie.generation=6`, `${side}.card.pcie.generation=6`);
  return [...sets, `faults=[${faults.join(", ")}]`];
}

/** What has been compared. */
const seen: Record<string, number> = {};
const saw = (what: string, n: number): void => {
  seen[what] = (seen[what] ?? 0) + n;
};

/** A run whose timeline holds all of it: other I/O that fills the ring goes more slowly. */
function recorded(sets: string[], pauses = ["50 us", "2 ms"]): { run: Run; sets: string[] } {
  try {
    return { run: runText(TEXT, { sets }), sets };
  } catch (error) {
    const [pause, ...longer] = pauses;
    if (pause === undefined || !(error as Error).message.startsWith("the timeline lost")) throw error;
    return recorded([...sets, `tenant.every=${pause}`], longer);
  }
}

function sameAsOthers(core: Core, sets: string[], naive: boolean): void {
  sameBooks("lean", core, runText(TEXT, { sets, variant: "lean" }).core);
  if (!naive || core.clockNow() > NAIVE_TICKS_MAX) return;
  sameBooks("naive", core, runText(TEXT, { sets, variant: "naive" }).core);
  saw("naive", 1);
}

for (const seed of SEEDS) {
  test(`configuration ${seed}`, () => {
    const { run, sets } = recorded(around(seed));
    const broken = run.core.global("brokenInvariant");
    assert.is(run.stop, abi.STOP_DONE, `stopped with ${run.stop}, invariant ${broken}`);
    for (const side of [0, 1]) {
      const { predicted, compared } = checkPcie(run, side);
      assert.ok(compared > 100);
      saw("packets spoilt", predicted.wires.flat().filter((e) => e.kind === abi.T_SPOILT).length);
      saw("walks", predicted.lookups.misses);
      saw("other I/O", predicted.ended.length);
      saw("translating", Number(run.params.sides[side]![abi.S_ATS_ENTRIES]! > 0));
      saw("FLITs", Number(run.params.sides[side]![abi.S_PCIE_REQUEST_BYTES]! < 24));
      saw("down", Number(run.params.sides[side]![abi.S_PCIE_DOWN_FOR]! > 0));
    }
    const lossless = run.params.global[abi.G_NET_CONGESTION] === abi.CONGESTION_NONE;
    assert.ok((lossless ? checkTcp(run) : checkLossy(run)) > 10);
    sameAsOthers(run.core, sets, seed % NAIVE_EVERY === 0);
  });
}

test("all of it was there", () => {
  const least = {
    "packets spoilt": 100,
    walks: 1000,
    "other I/O": 1000,
    down: 10,
    translating: 1,
    naive: 1,
    FLITs: 5,
  };
  const few = Object.entries(least).filter(([what, n]) => (seen[what] ?? 0) < n);
  assert.ok(SEEDS.length < USUAL || few.length === 0, JSON.stringify(seen));
});

test.run();
