// SPDX-License-Identifier: Apache-2.0
// Decryption that is put off (Tarasuk-Levin): what the card keeps and opens when, and the guest that waits
// for it, against the slow ones to the tick; the scenario, and its controls: eager, other rates and sets.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood, isSound, type Result } from "../src/index.ts";
import { sameBooks, TEXT } from "./lib/configurations.ts";
import { checkOpening, stepsOf } from "./lib/decrypted.ts";
import { generated, migrate, stat } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { keeping } from "./lib/reference/decrypting.ts";
import { runShipped } from "./lib/shipped.ts";
import { type Run, runText } from "./lib/timeline.ts";
import { checkTouches } from "./lib/touched.ts";

const of = <T>(next: () => number, list: readonly T[]): T => list[Math.floor(next() * list.length)]!;

/** Rounds under a dirty bitmap: the guest has not stood still before it stops. */
function setsOf(seed: number): string[] {
  const next = generator(seed);
  const rate = of(next, ["none", "1 GB/s", "333 MB/s", "5 GB/s"]);
  const resumeSet = of(next, ["none", "hot", "all", "none"]);
  const costs = `fault: ${of(next, ["1 ns", "5 us", "777 ns"])}, map: ${of(next, ["1 ns", "5 us", "20 us"])}`;
  return [
    `encrypt.decrypt={ demand: true, rate: ${rate}, resumeSet: ${resumeSet} }`,
    `migration.missing={ ${costs}, ahead: ${of(next, [2, 3, 64, 128])} }`,
    ...["migration.maxRounds=2", "migration.onTimeout=force", "migration.downtimeLimit=1 ns"],
    ...["tracker.kind=bitmap", "source.host.tracker.tlbFlush=0 s", "content=sized", `seed=${seed}`],
    `guest.generate.memory=${of(next, ["64 KiB", "1036 KiB", "9 MiB"])}`,
    `guest.generate.workingSet=${of(next, ["64 KiB", "32 KiB"])}`,
    `guest.generate.pattern=${of(next, ["uniform", "sequential", "zipf"])}`,
    `guest.generate.rate=${of(next, [100_000, 1_000_000, 5_000_000])} /s`,
    `guest.generate.mix=${of(next, ["{ zero: 60, text: 30, random: 10 }", "{ text: 60, random: 40 }"])}`,
    `guest.vcpus=${of(next, [1, 3, 8])}`,
    `guest.clock=${of(next, ["guest", "guest", "wall"])}`,
    `destination.card.crypto.engines=${of(next, [1, 2])}`,
    `destination.card.control.clock=${of(next, ["1.5 GHz", "1 GHz", "700 MHz"])}`,
    `destination.card.control.cores=${of(next, [1, 4])}`,
    `destination.card.dma.ring=${of(next, ["host", "card"])}`,
    `destination.card.dma.stagingSram=${of(next, ["128 KiB", "1 MiB"])}`,
    `internal.iommu=${of(next, ["off", "off", "4KiB"])}`,
    `compress=${of(next, ["off", "{ engine: lz4-hw }"])}`,
    `placement.decrypt=${of(next, ["card", "card", "card-core"])}`,
  ];
}

function recorded(sets: string[]): Run {
  const run = runText(TEXT, { sets });
  assert.is(run.core.logged(abi.L_STATUS), BigInt(abi.STATUS_COMPLETED));
  return run;
}

for (const seed of seeds(12)) {
  test(`reference: every page opened, every write at the destination, seed ${seed}`, () => {
    const run = recorded(setsOf(seed));
    const { missing } = checkOpening(run);
    assert.ok(checkTouches(run, missing).writes.length > 0);
  });
}

const FULL = [
  ...setsOf(1),
  ...["guest.generate.memory=9 MiB", "guest.generate.workingSet=9 MiB", "guest.clock=guest"],
  ...["guest.generate.pattern=uniform", "guest.generate.rate=1000000 /s"],
  ...["internal.iommu=off", "destination.card.dma.ring=host", "destination.card.dma.stagingSram=1 MiB"],
  "encrypt.decrypt={ demand: true, rate: 1 GB/s, resumeSet: hot }",
];

test("reference: a page fewer in hand, a tick more from page to page, and another set are seen", () => {
  const run = recorded(FULL);
  assert.ok(checkOpening(run).begun.some(({ asked }) => asked));
  for (const key of [abi.G_PUSH_AHEAD, abi.G_DECRYPT_NUM, abi.G_RESUME_SET]) {
    const global = [...run.params.global];
    global[key]! += key === abi.G_DECRYPT_NUM ? 1 : -1;
    const other = { ...run, params: { ...run.params, global } };
    assert.throws(() => checkOpening(other), /differs/, `parameter ${key}`);
  }
});

test("what a card keeps, by hand", () => {
  const record = (pfn: number, zero = false) => ({ pfn, zero });
  // page 1 twice; 2 zero, then not; 3 not, then zero; 4 once
  const rounds = [record(1), record(2, true), record(3), record(4), record(1), record(2), record(3, true)];
  const kept = keeping(rounds);
  assert.equal([...kept.sealed].toSorted(), [1, 2, 4]);
  assert.equal([...kept.hot].toSorted(), [1, 2]);
  assert.is(kept.replaced, 2);
  assert.is(kept.entries, 6);
});

for (const seed of [1, 2, 3]) {
  test(`the scheduler that steps everything counts the same, seed ${seed}`, () => {
    const sets = [...setsOf(seed), "guest.generate.memory=64 KiB"];
    const [lean, naive] = (["lean", "naive"] as const).map(
      (variant) => runText(TEXT, { sets, variant }).core,
    );
    sameBooks(`seed ${seed}`, lean!, naive!);
  });
}

const GUEST = { ...generated(3000, 300_000, { zero: 10, text: 50, random: 40 }), vcpus: 4 };
const demand = (resumeSet: string, rate: string): object => ({
  encrypt: { decrypt: { demand: true, rate, resumeSet } },
});

test("every byte carried or none: the same numbers, everything plain and equal at the end", () => {
  for (const resumeSet of ["none", "hot", "all"]) {
    for (const compress of ["off", { engine: "lz4-hw" }]) {
      const scenario = { guest: GUEST, compress, ...demand(resumeSet, "2 GB/s") };
      const [full, sized, sampled] = ["full", "sized", "sampled"].map((content) =>
        migrate({ ...scenario, content }),
      ) as [Result, Result, Result];
      for (const result of [full, sized, sampled]) assert.ok(isGood(result), JSON.stringify(result.check));
      for (const other of [sized, sampled]) {
        assert.is(other.elapsedTicks, full.elapsedTicks);
        assert.equal(other.migration, full.migration);
        assert.equal(other.guest, full.guest);
      }
      const names = full.check.invariants.map(({ name }) => name);
      for (const name of ["page-plain-before-use", "record-authentic", "source-kept-until-whole"])
        assert.ok(names.includes(name), name);
      const { resumeSetPages, sealedAtResume } = full.migration.decryption!;
      assert.is(stat(full, "destination.card.decrypt.pages"), resumeSetPages + sealedAtResume);
      assert.is(resumeSetPages === 0, resumeSet === "none");
      assert.is(sealedAtResume === 0, resumeSet === "all");
    }
  }
});

const DOWN = { at: "6 ms", what: "pcie-down", for: "300 us", side: "destination" };

for (const [what, more] of Object.entries({
  "pages over VSOCK": { internal: { pages: "vsock" } },
  "pages that the driver codes": {
    ...{ internal: { pages: "vsock" }, placement: { zero: "host", compress: "host" } },
    compress: { engine: "lz4-sw" },
  },
  "cores that decrypt and decode": { placement: { decrypt: "card-core", decompress: "card-core" } },
  "a PCIe link that goes down meanwhile": { faults: [DOWN] },
  "packets that arrive spoilt": { internal: { bitErrorRate: 1e-7 } },
  "other I/O of the card": { tenant: { op: "readwrite", workers: 8, side: "destination" } },
  "translations on the card": { internal: { iommu: "4KiB", ats: "on" } },
  "interrupts that are held": { internal: { interrupts: { every: "50 us", after: 8 } } },
  "UDP that loses": { link: { transport: "udp", loss: 0.001 } },
  "a full dirty ring": { tracker: { kind: "dirty-ring", ring: 64 } },
})) {
  test(`beside ${what}: whole, plain, and waited for`, () => {
    const result = migrate({ guest: GUEST, content: "sized", ...demand("hot", "1 GB/s"), ...more });
    assert.ok(isGood(result), JSON.stringify(result.check));
    const { decryptedAsked, engineDutyPercent, fullyPlainNs, sealedAtResume } = result.migration.decryption!;
    const unasked = sealedAtResume - decryptedAsked;
    assert.ok(decryptedAsked > 10 && fullyPlainNs! >= (unasked - 1) * 4096, `${fullyPlainNs} ns`);
    assert.is(engineDutyPercent === null, what.startsWith("cores"));
    assert.ok(result.migration.faults.every(({ effect }) => effect === "happened"));
  });
}

test("formula: pages opened unasked at a rate take (n - 1) x 4096 / rate, and a page's way", () => {
  const guest = { ...generated(600, 0), deviceState: "4 KiB" };
  for (const rate of [100e6, 1e9]) {
    const set = demand("none", `${rate / 1e6} MB/s`);
    const { decryption } = migrate({ guest, content: "sized", ...set }).migration;
    const { sealedAtResume: n, fullyPlainNs } = decryption!;
    assert.is(n, 600);
    const expected = (1e9 * (n - 1) * 4096) / rate;
    assert.ok(fullyPlainNs! >= expected, `${fullyPlainNs} ns, ${expected} ns`);
    // an edge of the control clock a page, 2/3 ns, and the last page's own way
    assert.ok(fullyPlainNs! < expected + (n * 2) / 3 + 10_000, `${fullyPlainNs} ns, ${expected} ns`);
  }
});

test("formula: without a rate the engine that opens is what limits, page by page", () => {
  const guest = { ...generated(600, 0), deviceState: "4 KiB" };
  const crypto = { engines: 1, bitsPerCycle: "128 bit/cycle", cyclesPerRound: 1 };
  const destination = { card: { preset: "dpu-ref", crypto } };
  const { decryption } = migrate({
    ...{ guest, destination, compress: "off", content: "sized" },
    ...demand("none", "none"),
  }).migration;
  // 1 word of header, 256 of the page, 1 of lengths, each 10 rounds and the whitening at 1 ns
  const pageNs = (1 + 256 + 1) * (10 + 1);
  const { fullyPlainNs, engineDutyPercent, decryptedAsked } = decryption!;
  assert.is(decryptedAsked, 0);
  assert.ok(fullyPlainNs! >= 600 * pageNs, `${fullyPlainNs} ns`);
  assert.ok(fullyPlainNs! < 600 * pageNs + 10_000, `${fullyPlainNs} ns`);
  assert.ok(engineDutyPercent! > 99, `${engineDutyPercent} %`);
});

test("formula: a page that is asked for, with nothing before it", () => {
  // so slow that nothing else is opened but the first page
  const run = recorded([
    ...FULL,
    ...["guest.vcpus=1", "compress=off", "placement.decrypt=card", "guest.generate.rate=100000 /s"],
    ...["destination.card.crypto.engines=2", "destination.card.control.clock=1.5 GHz"],
    "encrypt.decrypt={ demand: true, rate: 1 MB/s, resumeSet: none }",
    ...["destination.host=gen5-host", "guest.generate.memory=256 KiB", "guest.generate.workingSet=256 KiB"],
  ]);
  const begun = stepsOf(run, abi.K_BEGUN).filter(({ asked }) => asked);
  const handed = new Map(stepsOf(run, abi.K_HANDED).map(({ pfn, at }) => [pfn, at]));
  assert.ok(begun.length > 3);
  const [p, ns] = [run.params.sides[1], abi.TICKS_PER_NS];
  // descriptor handler; descriptor, then page from memory; 1 + 64 + 1 words of 512 bit and the pipeline;
  // 4096 / MPS writes
  const words = 1 + 64 + 1 + p[abi.S_GCM_LATENCY]!;
  const clocks = words + (abi.PAGE_BYTES / p[abi.S_PCIE_MPS]! - 1) * p[abi.S_WRITE_ISSUE]!;
  const least = (60 / 1.5 + clocks) * ns + 2 * p[abi.S_MEM_READ_LATENCY]!;
  for (const { pfn, at } of begun) {
    const took = handed.get(pfn)! - at;
    assert.ok(took >= least, `page ${pfn}: ${took / ns} ns, ${least / ns} ns`);
    assert.ok(took < least + 1500 * ns, `page ${pfn}: ${took / ns} ns, ${least / ns} ns`);
  }
});

test("tarasuk-levin: shorter downtime than eager, paid with waits after the resume", () => {
  const none = "encrypt.decrypt={ demand: true, resumeSet: none }";
  const [hot, lazy, eager] = [[], [none], ["encrypt.decrypt=eager"]].map((sets) =>
    runShipped("tarasuk-levin", sets),
  ) as [Result, Result, Result];
  for (const result of [hot, lazy, eager]) assert.ok(isGood(result), JSON.stringify(result.check));
  // rounds are no longer limited by what decrypts them
  assert.ok(hot.migration.rounds[0]!.durationNs < 0.6 * eager.migration.rounds[0]!.durationNs);
  assert.ok(hot.migration.downtimeNs! < 0.97 * eager.migration.downtimeNs!);
  assert.ok(lazy.migration.downtimeNs! < 0.5 * eager.migration.downtimeNs!);
  // nobody waits with eager; without a hot set more do
  assert.is(eager.guest.firstTouchNs, null);
  assert.is(eager.migration.decryption, undefined);
  assert.ok(hot.guest.firstTouchNs!.p50 > 10_000, "a fault and a page that is mapped, 5 us each");
  const asked = (result: Result): number => result.migration.decryption!.decryptedAsked;
  assert.ok(asked(lazy) > 1.5 * asked(hot), `${asked(lazy)}, ${asked(hot)}`);
  assert.ok(lazy.guest.stallNs > hot.guest.stallNs && hot.guest.stallNs > eager.guest.stallNs);
  // what a newer version replaces is never opened
  const opened = (result: Result): number => stat(result, "destination.card.crypto.opened");
  assert.ok(hot.migration.decryption!.neverOpened > 1000 && opened(hot) < opened(eager));
});

test("control: at a lower rate it takes longer until all is plain, and more is waited for", () => {
  const rates = ["250 MB/s", "1 GB/s", "4 GB/s"];
  const [slow, usual, fast] = rates.map((rate) =>
    runShipped("tarasuk-levin", [`encrypt.decrypt={ demand: true, rate: ${rate} }`, "content=sized"]),
  ) as [Result, Result, Result];
  const plain = (r: Result): number => r.migration.decryption!.fullyPlainNs!;
  const unasked = (r: Result): number =>
    r.migration.decryption!.sealedAtResume - r.migration.decryption!.decryptedAsked;
  // where the rate limits, the time is that of the pages that nobody asks for
  for (const [result, rate] of [
    [slow, 0.25],
    [usual, 1],
  ] as const) {
    const expected = (unasked(result) * 4096) / rate;
    assert.ok(Math.abs(plain(result) - expected) < 0.01 * expected, `${plain(result)} ns, ${expected} ns`);
  }
  assert.ok(plain(slow) > 3 * plain(usual) && plain(usual) > 1.5 * plain(fast));
  const asked = (r: Result): number => r.migration.decryption!.decryptedAsked;
  assert.ok(asked(slow) > asked(usual) && asked(usual) > asked(fast));
  // the same downtime: what comes after the resume cannot move it
  assert.is(slow.migration.downtimeNs, fast.migration.downtimeNs);
  const duty = (r: Result): number => r.migration.decryption!.engineDutyPercent!;
  assert.ok(duty(slow) < duty(usual) && duty(usual) < duty(fast));
});

test("cancelled in the stop, and too late after the resume", () => {
  const scenario = { guest: GUEST, content: "full", ...demand("hot", "500 MB/s") };
  const free = migrate(scenario).migration;
  const at = (ns: number): object => ({
    ...scenario,
    faults: [{ at: `${Math.round(ns)} ns`, what: "cancel" }],
  });
  const early = migrate(at(free.phases.setupNs! + free.phases.precopyNs! / 2));
  assert.is(early.migration.status, "cancelled");
  assert.ok(isSound(early), JSON.stringify(early.check));
  const late = migrate(at(free.totalTimeNs - free.decryption!.fullyPlainNs! / 2));
  assert.ok(isGood(late), JSON.stringify(late.check));
  assert.is(late.migration.faults[0]!.effect, "too-late");
});

test.run();
