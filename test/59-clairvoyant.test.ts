// SPDX-License-Identifier: Apache-2.0
// A migration that knew the future (contract, bounds): its bytes against the slow count of every version,
// that no run sends less, and what a run would have to be to do so.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isGood } from "../src/index.ts";
import { resultTable } from "../src/report/table.ts";
import { checkBeaten, checkClairvoyant, checkClairvoyants } from "./lib/claims/clairvoyant.ts";
import { generated, migrate, redis } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { runShipped } from "./lib/shipped.ts";

const BUSY = { ...redis, speed: 2000 };
const RULES = { downtimeLimit: "1 ns", maxRounds: 8, onTimeout: "force" };
const SLOW = { rate: "1 Gbit/s" };

test("formula: a guest of n random pages that stands still", () => {
  const { bounds } = migrate({ guest: generated(64, 0), link: { rate: "100 Gbit/s", rtt: "20 us" } });
  // 64 records of 16 + 4096 + 16 B in 30 frames of 8948 + 90 B; 0.08 ns a byte, and 10 us
  const bytes = 64 * 4128 + 30 * 90;
  assert.is(bounds.clairvoyantBytes, bytes);
  assert.is(bounds.clairvoyantNs, bytes * 0.08 + 10_000);
});

for (const mode of ["full", "sized", "sampled"]) {
  test(`reference: a redis that writes, content ${mode}`, () => {
    const { result, versions } = checkClairvoyant({ guest: BUSY, link: SLOW, migration: RULES }, [
      `content=${mode}`,
    ]);
    assert.ok(versions.some((all) => all.length > 2));
    assert.ok(result.link.wireBytes > 1.2 * result.bounds.clairvoyantBytes!);
  });
}

for (const sets of [
  ["compress=off"],
  ["encrypt=off", "compress.engine=lz4-sw"],
  ["compress.engine=fpga-lz4-chen24", "link.framing.tls=v1.3"],
  ["compress.engine=lz4-sw", "link.mtu=1500", "link.window=64 KiB"],
]) {
  test(`reference: a redis that writes, ${sets.join(" ")}`, () => {
    checkClairvoyant({ guest: { ...BUSY, speed: 200 }, link: SLOW, migration: RULES }, sets);
  });
}

/** Small guests, with deltas and pages that move late among them. */
function setsOf(seed: number): string[] {
  const next = generator(seed);
  const of = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const delta = of(["off", "{ xbzrle: { cache: 32 KiB } }", "{ xbzrle: { most: 900 } }"]);
  const late = of(["no", "postcopy", "hybrid"]);
  return [
    `migration.startAt=${of(["0 s", "100 us", "3 ms"])}`,
    `encrypt.cipher=${of(["off", "aes-256-gcm"])}`,
    `guest.vcpus=${of([1, 3])}`,
    `guest.clock=${of(["guest", "wall"])}`,
    ...(late === "no" || delta !== "off"
      ? [`delta=${delta}`]
      : [`migration.algorithm=${late}`, "migration.residual=after-resume"]),
    ...(late === "hybrid" && delta === "off" ? ["tracker.kind=bitmap"] : []),
    `seed=${seed}`,
  ];
}

for (const seed of seeds(8)) {
  const guest =
    seed % 2 === 0
      ? { ...redis, speed: 1000 }
      : generated(40, 100_000, { zero: 30, text: 50, random: 20 }, 17);
  test(`reference: seed ${seed}: ${setsOf(seed).join(" ")}`, () => {
    checkClairvoyant({ guest, link: SLOW }, setsOf(seed));
  });
}

test("a delta lowers it where there is a base, and without `delta` there is none", () => {
  const scenario = { guest: BUSY, link: SLOW, migration: RULES };
  const [off, on] = ["off", "{ xbzrle: {} }"].map(
    (delta) => checkClairvoyant(scenario, [`delta=${delta}`]).result,
  );
  const still = { guest: { ...redis, speed: 0.001 }, link: SLOW };
  const [idle, idleOn] = ["off", "{ xbzrle: {} }"].map(
    (delta) => checkClairvoyant(still, [`delta=${delta}`]).result,
  );
  assert.ok(on!.bounds.clairvoyantBytes! < 0.98 * off!.bounds.clairvoyantBytes!);
  assert.is(idle!.bounds.clairvoyantBytes, idleOn!.bounds.clairvoyantBytes);
});

test("an engine with a better ratio than LZ4 would beat LZ4's bytes, and is measured by its own", () => {
  const scenario = { guest: generated(64, 0), content: "sized" };
  const [zstd, lz4] = ["zstd-sw", "lz4-sw"].map((engine) => migrate({ ...scenario, compress: { engine } }));
  assert.ok(isGood(zstd!), JSON.stringify(zstd!.check));
  const { link, bounds } = zstd!;
  assert.ok(link.wireBytes < lz4!.bounds.clairvoyantBytes!, "it does not beat LZ4");
  assert.ok(link.wireBytes >= bounds.clairvoyantBytes!);
});

test("freed pages, bases before and after the start, a guest that goes on", checkClairvoyants);
test("a run that sent a byte less, or took less time, breaks bounds-hold", checkBeaten);

test("it is null unless a migration with cards has completed; the table tells of it", () => {
  const failed = migrate({
    guest: generated(64, 1_000_000),
    link: SLOW,
    migration: { timeout: "100 us", downtimeLimit: "1 ns" },
  });
  assert.is(failed.migration.status, "not-converged");
  assert.equal([failed.bounds.clairvoyantBytes, failed.bounds.clairvoyantNs], [null, null]);
  assert.not.match(resultTable(failed, "", false), /least/);
  const qemu = runShipped("redis-25g-qemu");
  assert.equal([qemu.bounds.clairvoyantBytes, qemu.bounds.clairvoyantNs], [null, null]);
  const done = migrate({ guest: generated(64, 0) });
  // MTU 9000: 8948 B of payload in a frame of 9038; pages' records alone, no device state, acknowledgements
  const payload = done.link.dataLinks!.pages.payloadBytes;
  const sent = payload + 90 * Math.ceil(payload / 8948);
  const share = ((100 * sent) / done.bounds.clairvoyantBytes!).toFixed(1);
  const line = `this run's pages took ${share} % of it`;
  assert.ok(resultTable(done, "", false).includes(line), line);
  // a guest that writes nothing, of random pages: nothing is sent twice, whatever its device state is
  const large = migrate({ guest: { ...generated(64, 0), deviceState: "2 MiB" } });
  assert.ok(resultTable(large, "", false).includes(line));
});

test.run();
