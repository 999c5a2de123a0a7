// SPDX-License-Identifier: Apache-2.0
// A card that determines dirty pages itself (EP 4 421 631): every request, word and mark of random
// configurations against the slow one, to the tick; what is unsafe is found out; its scenario, and what it
// saves the host. Environment: lib/random.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood, isSound, type Result } from "../src/index.ts";
import { brokenIn } from "./lib/claims/devices.ts";
import { checkDroppedFlush, checkFlushTimes, checkScans, scanOf } from "./lib/claims/scan.ts";
import { type Choices, chosen, configuration, sameBooks, TEXT } from "./lib/configurations.ts";
import { stat } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { checkPcie, checkTcp } from "./lib/reference/compare.ts";
import { checkScan } from "./lib/scanned.ts";
import { runShipped } from "./lib/shipped.ts";
import { runText } from "./lib/timeline.ts";

const SCANS: Choices = {
  "internal.scan.words": [1, 2, 3, 7, 512],
  "internal.scan.tags": [1, 2, 5, 12],
  "source.host.pcie.npdCredits": [0, 1, 2, 127],
  "guest.generate.memory": ["192 KiB", "1540 KiB"],
};
const TENANT: Choices = {
  "tenant.op": ["read", "write", "readwrite"],
  "tenant.size": ["64 B", "512 B"],
  "tenant.workers": [2, 9],
  "tenant.tags": [1, 3],
  "tenant.every": ["1 us", "9 us"],
};

/** A configuration of any kind, with a card that scans. */
function scanning(seed: number): string[] {
  const next = generator(seed + 7000);
  const dropped = [
    "tracker.",
    "internal.pages",
    "internal.addresses",
    "source.card.pcie.tags",
    "guest.generate.rate",
  ];
  const sets = configuration(seed).filter((set) => !dropped.some((key) => set.startsWith(key)));
  sets.push("tracker.kind=bitmap", "internal.addresses=card-scans", "guest.generate.rate=3000000 /s");
  sets.push("source.card.pcie.tags=96", "guest.generate.workingSet=64 KiB", ...chosen(next, "", SCANS));
  if (seed % 2 === 0) sets.push(...chosen(next, "", TENANT));
  return sets;
}

for (const seed of seeds(4)) {
  test(`configuration ${seed}`, () => {
    const sets = scanning(seed);
    const run = runText(TEXT, { sets });
    assert.is(
      run.stop,
      abi.STOP_DONE,
      `stopped with ${run.stop}, invariant ${run.core.global("brokenInvariant")}`,
    );
    const { predicted } = checkPcie(run, 0);
    checkPcie(run, 1);
    checkTcp(run);
    assert.ok(checkScan(run, predicted) > 40);
    sameBooks("naive", run.core, runText(TEXT, { sets, variant: "naive" }).core);
  });
}

const QUIET = `schema: dpusim.scenario/1
guest:
  generate: { memory: 8 MiB, rate: 0 /s, workingSet: 4 KiB, mix: { random: 100 } }
  deviceState: 4 KiB
source: { host: snb-e5-2630, card: dpu-ref }
internal: { addresses: card-scans, dll: none }
tracker: { kind: bitmap }
content: sized
`;

test("formula: a Swap is 32 bytes up, a read of its line in memory, 28 bytes down", () => {
  const { events, params } = runText(QUIET, {});
  const p = params.sides[0];
  const put = events.find((e) => e.kind === abi.T_PUT && e.b >= 0x4003_0000_0000 && e.a === 8)!;
  const tlp = events.find((e) => e.kind === abi.T_TLP && e.which === put.which && e.t >= put.t && e.b === 8)!;
  const back = events.find(
    (e) => e.kind === abi.T_ANSWER && e.which === abi.R_SCAN && e.a === tlp.c && e.t > tlp.t,
  )!;
  // Gen3 x8: a byte in 130,000 ticks; 70 ns a flight; 422 + 56 - 140 ns in memory, and 8 B at 42.6 GB/s
  const byte = 130_000;
  assert.is(p[abi.S_PCIE_TICKS_PER_BYTE], byte);
  assert.is(tlp.a, 32);
  const there =
    put.t + 32 * byte + 71_680_000 + Math.ceil((8 * 1_024_000_000_000) / 42_600_000) + 338 * 1_024_000;
  assert.is(back.t, there + 28 * byte + 71_680_000);
});

test("formula: a pass reads 8 bytes a word, and takes each word that has a mark once", () => {
  const run = runText(QUIET, {});
  const counted = (at: number): number => Number(run.core.counter(0, at));
  // 2048 pages are 32 words; one round of all of them, a count, the last round
  assert.is(counted(abi.C_SCAN_READ), 3 * 32);
  assert.is(counted(abi.C_SCAN_TAKEN), 32);
  assert.is(counted(abi.C_SCAN_FLUSHES), 1);
  // 24 B asked, 256 B in completions of 64 B at most with 20 B each; 32 + 28 B a Swap
  assert.is(counted(abi.C_SCAN_BYTES), 3 * (24 + 256 + 4 * 20) + 60 * 32);
});

test("a busy guest loses nothing while words are swapped and TLBs flushed", () => {
  const safe = scanOf({});
  assert.ok(isGood(safe), brokenIn(safe).join());
  checkScans();
  assert.ok(safe.check.invariants.some(({ name, held }) => name === "scan-loses-no-mark" && held));
});

test("negative control: a zero that is written later loses marks, and that is found out", () => {
  const lost = scanOf({ clear: "write-zero" });
  assert.is(lost.migration.status, "failed");
  assert.equal(brokenIn(lost), ["scan-loses-no-mark"]);
});

test("negative control: without a flush a TLB hides writes, and that is found out", () => {
  const hidden = scanOf({ flush: "none" });
  assert.is(hidden.migration.status, "failed");
  assert.equal(brokenIn(hidden), ["scan-loses-no-mark"]);
});

test("a migration that is forced or broken off in the middle of a round ends as any does", () => {
  for (const microseconds of [180, 400, 777, 1500]) {
    const migration = {
      timeout: `${microseconds} us`,
      onTimeout: "force",
      maxRounds: 12,
      downtimeLimit: "1 us",
    };
    const forced = scanOf({ words: 4 }, { migration });
    assert.ok(isGood(forced), `${microseconds}: ${forced.migration.reason} ${brokenIn(forced).join()}`);
    const faults = [{ at: `${microseconds} us`, what: "cancel" }];
    const cancelled = scanOf({ words: 4 }, { faults });
    assert.is(cancelled.migration.status, "cancelled");
    assert.ok(isSound(cancelled), brokenIn(cancelled).join());
    const restart = [{ at: `${microseconds} us`, what: "firmware-restart", side: "source", for: "30 us" }];
    const late = scanOf({ words: 4 }, { faults: restart });
    assert.ok(isGood(late), brokenIn(late).join());
  }
});

const run = (sets: readonly string[] = []): Result =>
  runShipped("card-scans", ["content=sized", "guest.deviceState=4 KiB", ...sets]);
const scans = run();

/** Ns of the front-end's core beyond what protects 9616 pages, flushes (4 us) and suspends (100 us). */
const perRounds = (result: Result): number => stat(result, "source.host.busyNs") - 9616 * 20 - 4000 - 100_000;

test("the host tells of no address, and works less than with addresses in either form", () => {
  assert.ok(isGood(scans), brokenIn(scans).join());
  assert.is(stat(scans, "source.host.dirtyPages"), 0);
  for (const addresses of ["bitmap", "list", "runs"]) {
    const told = run([`internal={ addresses: ${addresses} }`]);
    assert.ok(isGood(told));
    assert.ok(stat(told, "source.host.dirtyPages") > 9616);
    assert.ok(
      perRounds(scans) < 0.6 * perRounds(told),
      `${perRounds(scans)} ns, ${perRounds(told)} with ${addresses}`,
    );
    assert.ok(stat(scans, "source.vsock.bytes") < stat(told, "source.vsock.bytes"));
    assert.is(stat(told, "source.card.scan.wireBytes"), 0);
  }
  // 9616 pages: 160 words a pass, of a first round, its count, and the last round
  assert.is(stat(scans, "source.card.scan.wordsRead"), 160 * (2 * scans.migration.rounds.length - 1));
});

test("formula: front-end and vCPUs stand still for tlbFlush a flush, and one when tracking starts", () =>
  checkFlushTimes());

test("a forced stop in the middle of a flush gives vCPUs back what was left of it", () =>
  checkDroppedFlush());

test("smaller batches are flushed more often", () => {
  const often = run(["internal.scan.words=16"]);
  assert.ok(isGood(often));
  // the first round takes all 151 words; rounds before the last are flushed
  assert.ok(stat(often, "source.card.scan.flushes") >= Math.ceil(151 / 16));
  assert.ok(stat(scans, "source.card.scan.flushes") < stat(often, "source.card.scan.flushes"));
});

test.run();
