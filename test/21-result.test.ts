// SPDX-License-Identifier: Apache-2.0
// Results: what must add up, what formulas say, and that the checks object when there is something to
// object to.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as z from "zod";
import { KEYS_ONCE } from "../src/attempts.ts";
import { isGood, isSound, type Result, resultJson, resultJsonSchema } from "../src/index.ts";
import { BOUNDS_HOLD, INVARIANTS, ROUNDS_FIT, SOURCE_INTACT } from "../src/result/invariants.ts";
import { generated, migrate, redis, stat, TICKS_PER_NS } from "./lib/migrate.ts";

const close = (actual: number, expected: number, share: number, what: string): void => {
  assert.ok(Math.abs(actual - expected) <= share * expected, `${what}: ${actual}, expected ${expected}`);
};

const invariantOf = (result: Result, name: string): Result["check"]["invariants"][number] | undefined =>
  result.check.invariants.find((one) => one.name === name);

/** All times of a unit, summed from the strings of the JSON text. */
function unitSums(result: Result): [string, bigint][] {
  const { units } = JSON.parse(resultJson(result)) as Result;
  return Object.entries(units).map(([name, { busyTicks, starvedTicks, blockedTicks, waitingTicks }]) => {
    const all = [busyTicks, starvedTicks, blockedTicks, ...Object.values(waitingTicks)];
    return [name, all.reduce((sum, ticks) => sum + BigInt(ticks), 0n)];
  });
}

// ---- what adds up ----

const books = suite("books");
const base = migrate({ guest: redis });

books("a small guest of a real trace arrives", () => {
  assert.ok(isGood(base), JSON.stringify(base.check));
  assert.is(base.check.pagesCompared, 601);
  assert.is(base.check.contentCapturedPercent, 100);
  assert.is(base.check.deviceStateEqual, true);
  assert.ok(base.check.invariants.length >= 15);
});

books("busy + starved + blocked + waiting = elapsed, on every unit", () => {
  const sums = unitSums(base);
  // 4 cores, 4 compressors, 2 + 2 crypto engines at the source; 4 decompressors at the destination
  for (const name of [
    "source.control.core.3",
    "source.card.compressor.3",
    "destination.card.crypto.open.1",
  ]) {
    assert.ok(
      sums.some(([unit]) => unit === name),
      name,
    );
  }
  for (const [name, sum] of sums) assert.is(sum, BigInt(base.elapsedTicks), name);
});

books("the phases are the total, the rounds are the pages", () => {
  const { migration } = base;
  const { setupNs, precopyNs, stopNs } = migration.phases;
  close(setupNs! + precopyNs! + stopNs!, migration.totalTimeNs, 1e-9, "phases");
  assert.is(stopNs, migration.downtimeNs);
  const sum = (key: "normalPages" | "zeroPages"): number =>
    migration.rounds.reduce((total, round) => total + round[key], 0);
  assert.is(sum("normalPages") + sum("zeroPages"), stat(base, "source.card.dma.read.pages"));
  assert.is(sum("zeroPages"), migration.ram.duplicate);
  assert.is(migration.ram["normal-bytes"], 4096 * sum("normalPages"));
  assert.is(migration.ram.total, 601 * 4096);
  // round 1 sends everything once
  assert.is(migration.rounds[0]!.normalPages + migration.rounds[0]!.zeroPages, 601);
  assert.is(migration.ram["dirty-sync-count"], migration.rounds.length);
});

books("elapsed is the end of the migration and one propagation", () => {
  // start at 0; the books close when the word could have come back: rtt / 2 = 10 us after the end
  const end = BigInt(Math.round(base.migration.totalTimeNs * 1000)) * (TICKS_PER_NS / 1000n);
  const after = BigInt(base.elapsedTicks) - end;
  assert.ok(after >= 9_999n * TICKS_PER_NS && after <= 10_001n * TICKS_PER_NS, String(after));
});

books("distributions count what the counters count, and are in order", () => {
  const { stats } = base;
  const pairs = [
    ["source.card.dma.read.pageNs", "source.card.dma.read.pages"],
    ["source.card.dma.read.requestNs", "source.card.dma.read.requests"],
  ] as const;
  for (const [name, counter] of pairs) {
    const one = stats[name]!;
    assert.ok("count" in one);
    assert.is(one.count, stat(base, counter));
    assert.ok(one.p50 <= one.p99 && one.p99 <= one.p999 && one.p999 <= one.max, JSON.stringify(one));
    assert.ok(one.mean > 0 && one.mean <= one.max);
  }
  // a request of 512 B takes no less than the published latency of the host, 422 + 56 ns
  const request = stats["source.card.dma.read.requestNs"]!;
  assert.ok("count" in request && request.p50 >= 478, JSON.stringify(request));
});

books("a result fits the exported schema, and other data do not", () => {
  const schema = z.fromJSONSchema(resultJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);
  const data = JSON.parse(resultJson(base));
  const checked = schema.safeParse(data);
  assert.ok(checked.success, checked.success ? "" : checked.error.message);
  assert.not.ok(schema.safeParse({ ...data, extra: 1 }).success, "an unknown key");
  assert.not.ok(schema.safeParse({ ...data, elapsedTicks: 12 }).success, "ticks as a number");
  assert.not.ok(schema.safeParse({ ...data, guests: 0 }).success, "0 where a feature is missing");
  const { fingerprint: _gone, ...rest } = data;
  assert.not.ok(schema.safeParse(rest).success, "a missing key");
});

books.run();

// ---- formulas ----

const formulas = suite("formulas");
const plain = { compress: "off", encrypt: "off" };

formulas("bytes of a guest of random pages that writes nothing", () => {
  // N records of 16 + 4096 B and a 16-byte ROUND END for each of the two rounds on link B; device state in
  // pieces of 4 KiB with 16 B each on link A: 64 KiB = 16 pieces
  const pages = 2048;
  const result = migrate({ guest: generated(pages, 0), ...plain });
  assert.ok(isGood(result), JSON.stringify(result.check));
  const dataLinks = result.link.dataLinks!;
  assert.is(dataLinks.pages.recordBytes, pages * 4112 + 2 * 16);
  assert.is(dataLinks.state.recordBytes, 16 * 4112);
  assert.is(dataLinks.pages.payloadBytes, dataLinks.pages.recordBytes);
  assert.is(result.migration.ram.transferred, pages * 4112 + 2 * 16);
  assert.is(result.migration.ram.normal, pages);
});

formulas("the bound of the link, and a run that is limited by nothing else", () => {
  const result = migrate({ guest: generated(2048, 0), ...plain, link: { rate: "1 Gbit/s", mtu: 1500 } });
  // P payload bytes in segments of 1448 with 90 B of framing each, 8 ns a byte, 10 us one way
  const segments = (bytes: number): number => bytes + 90 * Math.ceil(bytes / 1448);
  const { state, pages } = result.link.dataLinks!;
  const boundNs = 8 * (segments(state.payloadBytes) + segments(pages.payloadBytes)) + 10_000;
  close(result.bounds.linkNs, boundNs, 1e-9, "bound");
  assert.equal([result.bottleneck.unit, result.bottleneck.cause], ["source.link.tx", "busy"]);
  const first = result.migration.rounds[0]!;
  const steadyNs = 8 * segments(pages.payloadBytes);
  close(first.durationNs, steadyNs, 0.02, "round 1");
  assert.ok(result.migration.totalTimeNs >= boundNs);
});

formulas("the bound of PCIe, and a run that is limited by nothing else", () => {
  const [few, many] = [4096, 8192].map((pages) => migrate({ guest: generated(pages, 0), ...plain })) as [
    Result,
    Result,
  ];
  // Gen3 x8, MPS 256: a page is placed by 16 writes of 280 B at 130000 ticks = 0.126953125 ns a byte, and
  // of every 370 blocks of 16 B a lane one is lost to SKP
  const pageNs = 16 * 280 * 0.126953125 * (370 / 369);
  assert.ok(few.bounds.pcieNs! >= 4095 * pageNs, "messages come on top, one TLP may be under way");
  close(few.bounds.pcieNs!, 4096 * pageNs, 0.02, "bound");
  assert.equal([few.bottleneck.unit, few.bottleneck.cause], ["destination.pcie.up", "busy"]);
  // the steady rate: what another 4096 pages take
  const more = many.migration.rounds[0]!.durationNs - few.migration.rounds[0]!.durationNs;
  close(more, 4096 * pageNs, 0.02, "4096 pages");
});

formulas("a memory that limits is named, on either side", () => {
  for (const [side, way] of [
    ["source", "read"],
    ["destination", "write"],
  ] as const) {
    const sets = [`${side}.host.memory.bandwidth=1 Gbit/s`];
    const result = migrate({ guest: generated(1024, 0), ...plain }, { sets });
    const name = `${side}.host.memory.${way}`;
    assert.equal([result.bottleneck.unit, result.bottleneck.cause], [name, "busy"]);
    // 8 ns a byte; device state, descriptors and messages come on top
    const busyNs = Number(result.units[name]!.busyTicks) / 1.024e6;
    assert.ok(busyNs >= 1024 * 4096 * 8 && busyNs < 1.03 * 1024 * 4096 * 8, `${busyNs} ns`);
  }
});

formulas("a rate cap is the limit where it binds", () => {
  const sets = ["link.rateCap=1Gbit/s"];
  const result = migrate({ guest: generated(1024, 0), ...plain }, { sets });
  assert.equal([result.bottleneck.unit, result.bottleneck.cause], ["source.link.tx", "rateCap"]);
  close(result.bounds.linkNs, 8 * result.link.wireBytes, 0.01, "bound");
  assert.ok(isGood(result), JSON.stringify(result.check));
});

formulas("few tags are the limit where they bind", () => {
  const sets = ["source.card.pcie.tags=10", "source.card.dma.prefetchBatches=1"];
  const result = migrate({ guest: generated(1024, 0), ...plain }, { sets });
  assert.equal([result.bottleneck.unit, result.bottleneck.cause], ["source.card.dma.read", "tags"]);
  assert.ok(isGood(result), JSON.stringify(result.check));
  // 10 less 4 for VSOCK and 1 for descriptors = 5; 4096 / 512 requests a page; each holds its tag for 478
  // ns and 24 + 2 x 276 B of wire
  const holdNs = 478 + (24 + 2 * 276) * 0.126953125;
  close(result.bounds.pcieNs!, (1024 * 8 * holdNs) / 5, 0.01, "bound");
});

formulas("stalls: one fault each, and the slowdown that they make", () => {
  const result = migrate({ guest: redis });
  const { guest, migration } = result;
  assert.ok(guest.writeFaults > 0);
  // snb-e5-2630: 2 us a fault
  close(guest.stallNs, 2000 * guest.writeFaults, 1e-9, "stall");
  const runNs = migration.totalTimeNs - migration.downtimeNs!;
  close(guest.slowdown!, guest.stallNs / (4 * runNs), 1e-3, "slowdown");
});

formulas.run();

// ---- invariants ----

const invariants = suite("invariants");

/** Names of the invariants that a result lists, all held, of those given. */
function listed(result: Result, among: readonly string[]): string[] {
  assert.ok(isSound(result), JSON.stringify(result.check));
  return among.filter((name) => invariantOf(result, name) !== undefined);
}

invariants("a run lists what was looked at in it, and nothing else", () => {
  const records = ["records-in-sequence", "nonce-used-once", "record-authentic", "coded-page-decodes"];
  const guest = generated(64, 0, { zero: 0, text: 100, random: 0 });
  assert.equal(listed(migrate({ guest }), records), records);
  assert.equal(listed(migrate({ guest, encrypt: "off" }), records), [records[0], records[3]]);
  assert.equal(listed(migrate({ guest, ...plain }), records), [records[0]]);
  // device state is carried in every mode
  assert.equal(listed(migrate({ guest, content: "sized" }), records), records);
  // the time was up before the message of the start was in memory
  const early = migrate({ guest, migration: { timeout: "1 us", onTimeout: "fail" } });
  assert.equal(
    early.check.invariants.map(({ name }) => name),
    ["source-intact", "everything-home", "accounts-sum-to-elapsed", "bounds-hold"],
  );
});

invariants("model.md names them as results do", () => {
  const page = readFileSync(new URL("../docs/model.md", import.meta.url), "utf8");
  const section = page.split("## 11. ")[1]!.split("\n## ")[0]!;
  const rows = [...section.matchAll(/^\| ([a-z, -]+-[a-z, -]+) \|/gm)].flatMap(([, names]) =>
    names!.split(", "),
  );
  const names = [...Object.values(INVARIANTS), SOURCE_INTACT, ROUNDS_FIT, BOUNDS_HOLD, KEYS_ONCE];
  assert.equal(rows.sort(), names.sort());
});

invariants.run();

// ---- endings ----

const endings = suite("endings");

endings("a guest that writes faster than the link carries does not converge; its memory is intact", () => {
  // 20000 writes/s x 4096 B x 8 = 655 Mbit/s against 100 Mbit/s: a round of 256 pages takes 84 ms at least,
  // in which 1678 writes leave all but 256 e^(-1678/256) = 0.4 of them dirty again
  const guest = generated(256, 20_000);
  const migration = { maxRounds: 4, downtimeLimit: "1 ms" };
  const result = migrate({ guest, ...plain, link: { rate: "100 Mbit/s" }, migration });
  assert.is(result.migration.status, "not-converged");
  assert.match(result.migration.reason!, /round limit/);
  assert.is(result.migration.downtimeNs, null);
  assert.is(result.migration.rounds.length, 4);
  for (const { newDirtyPages } of result.migration.rounds)
    assert.ok(newDirtyPages! >= 253 && newDirtyPages! <= 256);
  assert.ok(result.migration.ram.remaining > 253 * 4096);
  assert.equal(invariantOf(result, "source-intact"), { name: "source-intact", held: true });
  assert.is(invariantOf(result, "destination-equals-source"), undefined);
  assert.is(result.check.pagesCompared, 256);
  assert.ok(isSound(result), JSON.stringify(result.check));
  assert.not.ok(isGood(result));
  for (const [name, sum] of unitSums(result)) assert.is(sum, BigInt(result.elapsedTicks), name);
});

endings("5 million random pages a second are more than 100 Gbit/s carry", () => {
  // a round of 16384 records of 4112 B takes 5.4 ms at 100 Gbit/s at least: 27000 writes leave
  // 16384 (1 - e^(-27000/16384)) = 13230 pages dirty, and so on; the limit allows the pages of 1 ms = 3030
  const result = migrate(
    { guest: generated(16_384, 5_000_000), ...plain, link: { rate: "100 Gbit/s" }, content: "sized" },
    {
      sets: [
        "tracker.kind=bitmap",
        "source.host=gen5-host",
        "destination.host=gen5-host",
        "migration.maxRounds=6",
        "migration.downtimeLimit=1 ms",
      ],
    },
  );
  assert.is(result.migration.status, "not-converged");
  for (const { newDirtyPages } of result.migration.rounds)
    assert.ok(newDirtyPages! > 3030 && newDirtyPages! <= 16_384);
  // 5 writes a us, within 3 deviations
  const writes = 0.005 * Number(BigInt(result.elapsedTicks) / TICKS_PER_NS);
  assert.ok(Math.abs(stat(result, "source.guest.writes") - writes) < 3 * Math.sqrt(writes));
});

endings("the same guest arrives when the stop is forced", () => {
  const migration = { maxRounds: 4, downtimeLimit: "1 ms", onTimeout: "force" };
  const result = migrate({
    guest: generated(256, 20_000),
    ...plain,
    link: { rate: "100 Mbit/s" },
    migration,
  });
  assert.ok(isGood(result), JSON.stringify(result.check));
  assert.match(result.migration.reason!, /round limit.*forced/);
});

endings("a timeout ends it, at that time", () => {
  const migration = { timeout: "50 ms", downtimeLimit: "1 ms" };
  const result = migrate({
    guest: generated(256, 20_000),
    ...plain,
    link: { rate: "100 Mbit/s" },
    migration,
  });
  assert.is(result.migration.status, "not-converged");
  assert.match(result.migration.reason!, /time limit/);
  close(result.migration.totalTimeNs, 50e6, 0.01, "total");
  assert.ok(isSound(result), JSON.stringify(result.check));
});

endings("a trace that ends first is a failure where that is asked for", () => {
  // 3.3 s of trace played 400 times as fast end after 8.3 ms; 1 Gbit/s would need about 10
  const guest = { ...redis, speed: 400, atEnd: "fail" };
  const result = migrate({ guest, ...plain, link: { rate: "1 Gbit/s" } });
  assert.is(result.migration.status, "failed");
  assert.match(result.migration.reason!, /trace ended/);
  close(Number(result.elapsedTicks) / 1.024e6, 3_316_533_000 / 400, 1e-6, "elapsed");
  assert.equal(invariantOf(result, "source-intact"), { name: "source-intact", held: true });
  for (const [name, sum] of unitSums(result)) assert.is(sum, BigInt(result.elapsedTicks), name);
  assert.ok(isGood(migrate({ guest: { ...guest, atEnd: "idle" }, ...plain, link: { rate: "1 Gbit/s" } })));
});

endings("a page spoilt at the destination is found", () => {
  const result = migrate(
    { guest: generated(64, 0) },
    {
      input: { sliceTicks: 10_000n * TICKS_PER_NS },
      onSlice: (core) => {
        core.u8[core.address("placedImageAt") + 7 * 4096 + 99]! ^= 0xff;
        core.u8[core.address("placedImageAt") + 7 * 4096 + 100] = 1;
      },
    },
  );
  assert.equal([result.check.pagesDifferent, result.check.firstDifferentPage], [1, 7]);
  assert.is(invariantOf(result, "destination-equals-source")?.held, false);
  assert.not.ok(isGood(result));
});

endings("device state spoilt at the destination is found", () => {
  let slice = 0;
  const result = migrate(
    { guest: generated(64, 0) },
    {
      input: { sliceTicks: 1_000n * TICKS_PER_NS },
      onSlice: (core) => {
        core.u8[core.address("devicePlace") + 12345] = ++slice & 0xff;
      },
    },
  );
  assert.not.ok(isGood(result));
  assert.is(invariantOf(result, "device-state-equal")?.held, false);
});

endings("a broken invariant ends the run with its name, time and two values", () => {
  const result = migrate(
    { guest: generated(64, 0) },
    {
      input: { sliceTicks: 100_000n * TICKS_PER_NS },
      // a tick of the source guest's busy time, the first sum of the first account, is counted twice
      onSlice: (core) => {
        const at = core.address("accountsAt") + 16;
        core.setU64(at, core.u64(at) + 1n);
      },
    },
  );
  assert.is(result.migration.status, "failed");
  assert.match(result.migration.reason!, /accounts-sum-to-elapsed/);
  const broken = invariantOf(result, "accounts-sum-to-elapsed")!;
  assert.is(broken.held, false);
  assert.ok(BigInt(broken.left!) > BigInt(broken.right!), JSON.stringify(broken));
  assert.is(broken.atTicks, broken.right);
  assert.not.ok(isSound(result));
});

endings.run();
