// SPDX-License-Identifier: Apache-2.0
// What a result says of a migration in software: rounds that fit into the connection, bytes that are in one
// field each, phases that add up, and what limits; and the shipped scenarios, each with its control.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isGood, type Result } from "../src/index.ts";
import { resultTable } from "../src/report/table.ts";
import { wireBytes } from "../src/result/software.ts";
import { roundsFit } from "../src/result/software-limits.ts";
import { generated, migrate } from "./lib/migrate.ts";
import { runShipped } from "./lib/shipped.ts";

const MIX = { zero: 20, text: 30, random: 50 };
const BASE = { placement: "qemu", compress: "off", encrypt: "off", content: "sized" };
const shipped = new Map<string, Result>();

/** A shipped scenario's result, made once. */
function of(name: string, ...sets: string[]): Result {
  const key = [name, ...sets].join(" ");
  const result = shipped.get(key) ?? runShipped(name, sets);
  shipped.set(key, result);
  return result;
}

const XBZRLE = "qemu-xbzrle";
const MULTIFD = "qemu-multifd";
const POSTCOPY = "qemu-postcopy";
const ACK = "qemu-switchover-ack";
const LIMITED = "qemu-dirty-limit";
const SHIPPED = [XBZRLE, MULTIFD, POSTCOPY, ACK, LIMITED];

/** Ticks of 1024 a ps that a full frame's byte takes, from the rate in Gbit/s. */
const wireNs = (gbits: number, bytes: number): number => (8 * bytes) / gbits;
const frame = (mtu: number): number => mtu + 38;

test("no round has more bytes than the link carries in its time, a frame besides", () => {
  for (const name of SHIPPED) {
    const { migration, scenario } = of(name);
    const [num, den] = scenario.link.ticksPerByte;
    const gbits = (8 * 1024e3 * den) / num;
    for (const { index, bytesOnWire, durationNs } of migration.rounds) {
      const least = wireNs(gbits, bytesOnWire - frame(scenario.link.mtuBytes));
      assert.ok(durationNs >= least, `${name}, round ${index}: ${durationNs} ns for ${bytesOnWire} B`);
    }
  }
  // 8 MiB of device state in the last round, which is 9,108,134 B and 0.330 ms without it
  const last = of(ACK).migration.rounds.at(-1)!;
  assert.ok(last.bytesOnWire > of(ACK).migration.device!.stopBytes && last.durationNs > 2.6e6);
});

test("what lies in the socket is of the round that sends it", () => {
  // 4 MiB of socket buffer at 1 Gbit/s are 33 ms of the connection, and the last round's pages a few
  const guest = { ...generated(8000, 5000, MIX), vcpus: 2 };
  const host = { preset: "snb-e5-2630", qemu: { socketBuffer: "4 MiB" } };
  for (const multifd of ["off", { channels: 3 }]) {
    const run = { ...BASE, guest, link: { rate: "1 Gbit/s" }, source: { host }, software: { multifd } };
    const result = migrate({ ...run, migration: { downtimeLimit: "100 ms" } });
    const { rounds } = result.migration;
    assert.ok(rounds.length > 1 && isGood(result));
    for (const { index, bytesOnWire, durationNs } of rounds)
      assert.ok(durationNs >= wireNs(1, bytesOnWire - frame(1500)), `round ${index}`);
    assert.is(
      rounds.reduce((sum, round) => sum + round.bytesOnWire, 0),
      result.link.wireBytes,
    );
  }
});

test("the check of rounds finds one that is too full", () => {
  const round = { startTicks: 1000n, endTicks: 2000n, bytes: 101 };
  const fits = (bytes: number) =>
    roundsFit({ m: { ticksPerByte: [10, 1] }, told: { rounds: [{ ...round, bytes }] } } as never);
  // 1000 ticks carry 100 bytes, and one may be under way
  assert.equal([fits(101).held, fits(102).held], [true, false]);
  assert.equal([fits(102).left, fits(102).right, fits(102).atTicks], ["102", "100", "2000"]);
  assert.ok(of(ACK).check.invariants.some(({ name, held }) => name === "rounds-fit-link" && held));
});

test("rounds add up to the bytes on the wire, whatever frames they share", () => {
  for (const name of [...SHIPPED, "redis-25g-qemu"]) {
    const { migration, link, scenario } = of(name);
    const sum = migration.rounds.reduce((n, { bytesOnWire }) => n + bytesOnWire, 0);
    assert.is(sum, link.wireBytes, name);
    assert.is(link.wireBytes, wireBytes(scenario.link, migration.ram.transferred), name);
  }
});

test("each byte is in one field: RAM before, in, after the downtime, over channels, or device state", () => {
  for (const name of SHIPPED) {
    const { ram, device } = of(name).migration;
    const fields = ["precopy-bytes", "downtime-bytes", "postcopy-bytes", "multifd-bytes"] as const;
    const sum = fields.reduce((n, field) => n + (ram[field] ?? 0), 0);
    assert.is(sum + device!.aheadBytes + device!.stopBytes, ram.transferred, name);
    if (name !== ACK) assert.equal(device, { aheadBytes: 0, ackNs: null, stopBytes: 512 * 1024 }, name);
  }
  // a page of 4104 B and 18 B: the downtime's bytes are of its pages
  const { ram, rounds } = of(LIMITED).migration;
  assert.is(ram["downtime-bytes"], rounds.at(-1)!.normalPages * 4104 + 18);
  // ranges of what is to come, 16 B and 14 a command of twelve, and no page
  assert.ok(of(POSTCOPY).migration.ram["downtime-bytes"]! % 2 === 0);
  assert.ok(of(POSTCOPY).migration.ram["downtime-bytes"]! < 18 * 4096);
});

test("phases add up to the total: with post-copy one of them comes after the resume", () => {
  for (const name of SHIPPED) {
    const { phases, totalTimeNs } = of(name).migration;
    const { setupNs, precopyNs, stopNs, residualNs } = phases;
    assert.is(residualNs === null, name !== POSTCOPY, name);
    assert.ok(Math.abs(setupNs! + precopyNs! + stopNs! + (residualNs ?? 0) - totalTimeNs) < 0.01, name);
  }
  const table = resultTable(of(POSTCOPY), "post-copy", false);
  assert.match(table, /\n {2}3 \(from the stop\) /);
  assert.match(table, /\n {2}resumed +16\.\d+ +3\.9 % +39 pages asked for/);
  assert.not.match(table, /\(stopped\)/);
  assert.match(resultTable(of(XBZRLE), "xbzrle", false), /\n {2}5 \(stopped\) /);
});

/** Of a window: bytes of max-bandwidth, and a buffer or two more (docs/model.md section 16). */
const atMost = (gbits: number): number => (gbits * 1e9) / 80 + 2 * (33 * 4104 + 32_768) + 18;

test("a rate cap is what limits where windows are spent, in bounds, shares, units and header", () => {
  for (const [gbits, name, ...sets] of [
    [0.2, XBZRLE],
    [1, POSTCOPY],
    [1, LIMITED],
    [1, LIMITED, "software.dirtyLimit=off", "software.maxSyncs=5"],
  ] as const) {
    const { bottleneck, bounds, migration, units } = of(name, ...sets);
    assert.equal([bottleneck.unit, bottleneck.cause], ["source.qemu.thread", "rateCap"], name);
    assert.ok(bottleneck.share > 0.85, `${name}: ${bottleneck.share}`);
    const waited = Number(units["source.qemu.thread"]!.waitingTicks.rateCap) / 1_024_000;
    assert.ok(Math.abs(waited / migration.totalTimeNs - bottleneck.share) < 1e-5, name);
    if (migration.status !== "completed") continue;
    const ahead = migration.ram["precopy-bytes"]!;
    const windows = Math.ceil(ahead / atMost(gbits)) - 1;
    // so many windows, less a millisecond; and what comes after the stop
    assert.ok(bounds.linkNs >= windows * 1e8 - 1e6 && bounds.linkNs <= migration.totalTimeNs, name);
    assert.ok(bounds.linkNs > 0.7 * migration.totalTimeNs, name);
  }
  assert.match(resultTable(of(XBZRLE), "x", false), "link   25 Gbit/s, capped at 200 Mbit/s, 20 us there");
  assert.match(resultTable(of(XBZRLE), "x", false), /limit {3}source\.qemu\.thread is waiting for rateCap/);
  // control: without a cap no window is spent
  const free = of(XBZRLE, "link.rateCap=none");
  assert.equal([free.bottleneck.unit, free.bottleneck.cause], ["source.qemu.thread", "busy"]);
  assert.is(free.units["source.qemu.thread"]!.waitingTicks.rateCap, undefined);
  assert.not.match(resultTable(free, "x", false), "capped");
});

test("channels are what limits where they work, and a wire that is full", () => {
  const one = of(MULTIFD, "software.multifd.channels=1");
  assert.equal([one.bottleneck.unit, one.bottleneck.cause], ["source.qemu.channels", "busy"]);
  // hostCpu: setup, pages queued, and what the channel works
  assert.ok(one.bounds.channelsNs! > 0.95 * one.migration.totalTimeNs);
  assert.ok(one.bounds.channelsNs! < 1e9 * one.hostCpu.sourceCoreSeconds);
  const four = of(MULTIFD);
  assert.equal([four.bottleneck.unit, four.bottleneck.cause], ["source.link.tx", "busy"]);
  assert.is(four.link.utilization, four.bottleneck.share);
  const taken = wireNs(2, four.link.wireBytes) / four.migration.totalTimeNs;
  assert.ok(Math.abs(taken - four.link.utilization) < 1e-4);
  for (const { units, elapsedTicks } of [one, four])
    for (const [name, unit] of Object.entries(units)) {
      const waits = Object.values(unit.waitingTicks).map(BigInt);
      const all = [unit.busyTicks, unit.starvedTicks, unit.blockedTicks].map(BigInt).concat(waits);
      assert.is(String(all.reduce((a, b) => a + b)), elapsedTicks, name);
    }
});

test("the thread's own time is its work at the source, whenever the migration is asked for", () => {
  const still = { ...BASE, guest: generated(2000, 0, MIX), link: { rate: "100 Gbit/s" } };
  const busy = (startAt: string): number => {
    const result = migrate({ ...still, migration: { startAt, downtimeLimit: "3 ms" } });
    assert.is(result.bottleneck.unit, "source.qemu.thread");
    const ns = Number(result.units["source.qemu.thread"]!.busyTicks) / 1_024_000;
    assert.ok(Math.abs(ns - 1e9 * result.hostCpu.sourceCoreSeconds) < 1, startAt);
    assert.ok(Math.abs(ns / result.migration.totalTimeNs - result.bottleneck.share) < 1e-5, startAt);
    return ns;
  };
  assert.is(busy("0 ms"), busy("70 ms"));
});

// --- each shipped scenario shows what it is for ---

test("qemu-xbzrle: fewer bytes than without, and no more time", () => {
  const [on, off] = [of(XBZRLE), of(XBZRLE, "software.xbzrle=off")];
  assert.ok(isGood(on) && isGood(off));
  assert.ok(on.migration.ram.transferred < 0.98 * off.migration.ram.transferred);
  assert.ok(on.migration["xbzrle-cache"]!.pages > 100 && off.migration["xbzrle-cache"] === undefined);
  assert.ok(on.migration.totalTimeNs <= off.migration.totalTimeNs);
});

test("qemu-multifd: one channel takes longer than four, and the plain thread longer than one", () => {
  const [four, one, plain] = [
    of(MULTIFD),
    of(MULTIFD, "software.multifd.channels=1"),
    of(MULTIFD, "software.multifd=off"),
  ].map((result) => {
    assert.ok(isGood(result));
    return result.migration.totalTimeNs;
  });
  assert.ok(one! > 1.4 * four!, `${one} of ${four}`);
  assert.ok(plain! > 1.4 * one!, `${plain} of ${one}`);
});

test("qemu-postcopy: it ends, and stands still for a moment; off, it does not end", () => {
  const on = of(POSTCOPY);
  assert.ok(isGood(on) && on.migration.downtimeNs! < 1e6 && on.migration.ram["postcopy-requests"]! > 10);
  assert.is(of(POSTCOPY, "software.postcopy=off").migration.status, "not-converged");
});

test("qemu-switchover-ack: less than half of the downtime, and much the same total", () => {
  const [on, off] = [of(ACK), of(ACK, "software.devicePrecopy=off")];
  assert.ok(isGood(on) && isGood(off));
  assert.ok(on.migration.downtimeNs! < 0.5 * off.migration.downtimeNs!);
  assert.is(on.migration.device!.aheadBytes, 24 * 2 ** 20);
});

test("qemu-dirty-limit: it ends, and does not without", () => {
  assert.ok(isGood(of(LIMITED)));
  const off = of(LIMITED, "software.dirtyLimit=off");
  assert.is(off.migration.status, "not-converged");
});

test("redis-25g-qemu ends in its first window, whatever its downtime limit; redis-4g-qemu heeds it", () => {
  const limits = ["1 ms", "9 ms", "300 ms"];
  const times = (name: string): string[] =>
    limits.map((limit) => {
      const { totalTimeNs, downtimeNs } = of(name, `migration.downtimeLimit=${limit}`).migration;
      return `${totalTimeNs} ${downtimeNs}`;
    });
  assert.is(new Set(times("redis-25g-qemu")).size, 1);
  assert.ok(of("redis-25g-qemu").migration.totalTimeNs < 1e8);
  assert.is(new Set(times("redis-4g-qemu")).size, 3);
  const { totalTimeNs, downtimeNs } = of("redis-4g-qemu").migration;
  assert.ok(totalTimeNs > 3e8, "several windows");
  const lax = of("redis-4g-qemu", "migration.downtimeLimit=100 ms").migration.downtimeNs!;
  assert.ok(lax > 4 * downtimeNs!, `${lax} of ${downtimeNs}`);
});

test.run();
