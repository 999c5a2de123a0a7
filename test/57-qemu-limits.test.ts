// SPDX-License-Identifier: Apache-2.0
// QEMU's dirty-limit over dirty rings, and device pre-copy with switchover-ack: against the slow reference to
// the tick, by formula, what each is for beside a control without it, and what is refused.
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { guestStream, isGood, type Result, resultSchema, resultTable } from "../src/index.ts";
import { loadScenario } from "../src/scenario/resolve.ts";
import { checkAhead, checkLimits } from "./lib/claims/qemu-limits.ts";
import { generated, inputOf, migrate, stat } from "./lib/migrate.ts";
import { linesOf } from "./lib/scenario.ts";

const MIX = { zero: 0, text: 50, random: 50 };
const BASE = { placement: "qemu", compress: "off", encrypt: "off", content: "sized" };
const HOSTS = { source: { host: "gen5-host" }, destination: { host: "gen5-host" } };

test("dirty-limit: sleeps, periods and times are the reference's to the tick, on both schedulers", () =>
  checkLimits(24));

test("device pre-copy: bytes, acknowledgement and stop are the reference's to the tick", () =>
  checkAhead(100));

/** 48 MiB that four vCPUs write at 58 MiB/s each, over 125 MB/s. */
const FAST = {
  ...BASE,
  ...HOSTS,
  guest: { ...generated(16_384, 60_000, MIX, 12_288), vcpus: 4 },
  tracker: { kind: "dirty-ring", ring: 1024 },
  link: { rate: "25 Gbit/s", rateCap: "1 Gbit/s" },
  migration: { downtimeLimit: "30 ms" },
};
const LIMITED = { dirtyLimit: {}, maxSyncs: 30 };
const fast = (software: object, own: object = {}): Result => {
  const result = migrate({ ...FAST, ...own, software });
  assert.ok(resultSchema.safeParse(JSON.parse(JSON.stringify(result))).success);
  assert.is(result.check.pagesDifferent, 0);
  return result;
};

test("dirty-limit: a guest that writes too fast comes to an end, and does not without it", () => {
  const on = fast(LIMITED);
  const off = fast({ maxSyncs: 30 });
  assert.equal([on.migration.status, off.migration.status], ["completed", "not-converged"]);
  assert.ok(isGood(on));
  // vCPUs sleep from the first period that is too fast to the stop, once each: no longer than that counts
  assert.ok(on.guest.slowdown! > 2 * off.guest.slowdown! && on.guest.slowdown! < 1, `${on.guest.slowdown}`);
  const slept = stat(on, "source.guest.limitNs");
  assert.ok(slept > 0 && slept < 4 * (on.migration.totalTimeNs - 1e9), `${slept} ns`);
  assert.equal([stat(off, "source.guest.limitNs"), stat(off, "source.guest.limitPeriods")], [0, 0]);
  assert.is(off.migration["dirty-limit-throttle-time-per-round"], undefined);
  // 58 MiB/s of a vCPU less pages that are in its ring already; p = 97 or 98 for q = 1
  const sleep = on.migration["dirty-limit-throttle-time-per-round"]!;
  const steps = Array.from({ length: 20 }, (_, i) => 39 + i).map((r) => {
    const full = Math.floor(4e6 / r);
    const p = Math.floor((100 * (r - 1)) / r);
    return Math.min(Math.floor((full * p) / (100 - p)), 99 * full);
  });
  assert.ok(steps.includes(sleep), `${sleep} of ${steps}`);
});

test("dirty-limit: what is left of a rate is a ring over the time to fill it and to sleep", () => {
  const on = fast(LIMITED);
  const rates = on.migration.rounds.map((r) => (r.newDirtyPages! * 1e9) / r.durationNs);
  const sleep = on.migration["dirty-limit-throttle-time-per-round"]! / 1e6;
  // four vCPUs, rings of 1024 pages; rounds of 300 ms and more are long enough to count in
  const long = rates.filter((_, i) => on.migration.rounds[i]!.durationNs > 3e8);
  assert.ok(long[0]! > 20_000, String(rates));
  // each may have a ring that is not full yet
  const after = rates.slice(-3, -1);
  for (const [i, rate] of after.entries()) {
    const { durationNs } = on.migration.rounds.at(-3 + i)!;
    assert.ok(rate <= 4 * 1024 * (1 / sleep + 1e9 / durationNs), `${rate}`);
  }
  const logged = stat(on, "source.guest.logEntries");
  assert.ok(logged < 0.6 * stat(fast({ maxSyncs: 30 }), "source.guest.logEntries"), `${logged}`);
});

test("dirty-limit: a quota that is far away, and a guest that is slow, change nothing but the count", () => {
  const far = fast({ dirtyLimit: { rate: 60 }, maxSyncs: 30 });
  // |58 - 60| is within the tolerance
  assert.is(far.migration["dirty-limit-throttle-time-per-round"], 0);
  assert.is(stat(far, "source.guest.limitNs"), 0);
  assert.is(far.migration.status, "not-converged");
  const slow = { guest: { ...generated(16_384, 500, MIX, 12_288), vcpus: 4 } };
  assert.is(stat(fast(LIMITED, slow), "source.guest.limitPeriods"), 0);
});

/** A device of 32 MiB of state over 25 Gbit/s. */
const STATE = 32 * 1024;
const DEVICE = {
  ...BASE,
  ...HOSTS,
  guest: { ...generated(16_384, 2000, MIX, 2048), vcpus: 4, deviceState: `${STATE} KiB` },
  tracker: { kind: "bitmap" },
  link: { rate: "25 Gbit/s", mtu: 9000, rtt: "20 us" },
  migration: { downtimeLimit: "30 ms" },
};
const device = (software: object, sets: readonly string[] = []): Result => {
  const result = migrate({ ...DEVICE, software }, { sets });
  assert.ok(resultSchema.safeParse(JSON.parse(JSON.stringify(result))).success);
  assert.ok(isGood(result));
  return result;
};
/** Of the connection: 9038 B of wire for 8948. */
const WIRE_NS_PER_KIB = (1024 * 8 * 9038) / 8948 / 25;

test("device pre-copy: the downtime falls by what went ahead, the stop waits for the acknowledgement", () => {
  const off = device({});
  assert.equal(off.migration.device, { aheadBytes: 0, ackNs: null, stopBytes: 32 * 2 ** 20 });
  for (const mib of [8, 24, 32]) {
    const on = device({ devicePrecopy: { initial: `${mib} MiB` } });
    const told = on.migration.device!;
    assert.equal([told.aheadBytes, told.stopBytes], [mib * 2 ** 20, (32 - mib) * 2 ** 20]);
    const perKib =
      inputOf({ ...DEVICE }).scenario.sides.destination.host.frontend.deviceStatePerKibTicks / 1_024_000;
    const saved = mib * 1024 * (perKib + WIRE_NS_PER_KIB);
    const [before, after] = [off.migration.downtimeNs!, on.migration.downtimeNs!];
    // and a few pages more or less
    assert.ok(Math.abs(before - after - saved) < 0.03 * saved + 5e5, `${mib}: ${before - after}, ${saved}`);
    const { setupNs, precopyNs } = on.migration.phases;
    assert.ok(setupNs! + precopyNs! >= told.ackNs!, "no stop before the acknowledgement");
    // the total hardly changes
    assert.ok(on.migration.totalTimeNs < off.migration.totalTimeNs + told.ackNs! + 2e8);
  }
});

test("device pre-copy: a late acknowledgement holds the stop up; what grows old is sent again", () => {
  const quick = device({ devicePrecopy: { initial: "24 MiB" } });
  const slow = device({ devicePrecopy: { initial: "24 MiB" } }, ["link.rtt=300 ms"]);
  const [near, far] = [quick, slow].map(({ migration }) => migration.device!.ackNs!);
  assert.ok(far! - near! >= 3e8 - 1e6, `${far! - near!}`);
  assert.ok(slow.migration.phases.setupNs! + slow.migration.phases.precopyNs! >= far!);
  const old = (every: string) =>
    device({ devicePrecopy: { initial: "24 MiB", changes: "800 Mbit/s", every } }).migration.device!;
  // 100,000 B a ms, from when it was sent to the stop; or read again meanwhile
  const [seldom, often] = [old("1 s"), old("10 ms")];
  assert.is(seldom.aheadBytes, 24 * 2 ** 20);
  const late = (seldom.stopBytes - 8 * 2 ** 20) / 100_000;
  assert.ok(Number.isInteger(late) && late > 20 && late < 60, `${late} ms`);
  assert.ok(often.aheadBytes > 24 * 2 ** 20 && often.stopBytes < seldom.stopBytes, JSON.stringify(often));
});

test("device pre-copy: what grows old faster than it can be sent is given up, and not without end", () => {
  const link = { ...DEVICE.link, rateCap: "1 Gbit/s" };
  const guest = { ...generated(2048, 0, MIX), vcpus: 4, deviceState: `${STATE} KiB` };
  const of = (changes: string, maxSyncs: number): Result["migration"] => {
    const devicePrecopy = { initial: "24 MiB", changes, every: "1 ms" };
    return migrate({ ...DEVICE, guest, link, software: { devicePrecopy, maxSyncs } }).migration;
  };
  const [given, later] = [of("20 Gbit/s", 30), of("20 Gbit/s", 37)];
  for (const { status, reason } of [given, later]) {
    assert.is(status, "not-converged");
    assert.match(reason!, /were not enough, and QEMU goes on until it is cancelled$/);
  }
  // synchronised until the acknowledgement, not again: 24 MiB are old whenever they have been sent, more than
  // 125 MB/s carry in 30 ms; seven readings more are seven times as much, 8 ns a byte
  const syncs = given.ram["dirty-sync-count"]!;
  assert.is(later.ram["dirty-sync-count"], syncs);
  assert.ok(syncs < 20, `${syncs} synchronisations`);
  const more = 7 * 24 * 2 ** 20;
  assert.is(later.device!.aheadBytes - given.device!.aheadBytes, more);
  const took = later.totalTimeNs - given.totalTimeNs;
  assert.ok(Math.abs(took - 8 * more) < 0.05 * 8 * more, `${took} ns, ${8 * more} ns`);
  // control: what is below the threshold when it has been sent
  assert.is(of("8 Mbit/s", 30).status, "completed");
});

/** A key, another value, and the scenario it is in. */
const KEYS: readonly (readonly [string, string | number, object])[] = [
  ["software.dirtyLimit", "{ rate: 1 }", { ...FAST, software: { maxSyncs: 16 } }],
  ["software.dirtyLimit.rate", 20, { ...FAST, software: LIMITED }],
  ["software.dirtyLimit.period", "300 ms", { ...FAST, software: LIMITED }],
  ["tracker.ring", 2048, { ...FAST, software: LIMITED }],
  ["source.host.tracker.logExit", "90 us", { ...FAST, software: LIMITED }],
  ["source.host.tracker.logEntry", "9 us", { ...FAST, software: LIMITED }],
  ["source.host.tracker.protectPage", "9 us", { ...FAST, software: LIMITED }],
  ["software.devicePrecopy", "{ initial: 1 MiB }", DEVICE],
  [
    "software.devicePrecopy.initial",
    "2 MiB",
    { ...DEVICE, software: { devicePrecopy: { initial: "1 MiB" } } },
  ],
  [
    "software.devicePrecopy.changes",
    "800 Mbit/s",
    { ...DEVICE, software: { devicePrecopy: { initial: "24 MiB" } } },
  ],
  [
    "software.devicePrecopy.every",
    "5 ms",
    {
      ...DEVICE,
      software: { devicePrecopy: { initial: "24 MiB", changes: "800 Mbit/s", every: "1 s" } },
    },
  ],
];

test("every key makes another run, on both schedulers the same and whatever the slices", () => {
  const usual = new Map<object, string>();
  const before = (scenario: object): string => {
    const { software } = scenario as { software?: object };
    const known = usual.get(software ?? DEVICE) ?? migrate(scenario).fingerprint;
    usual.set(software ?? DEVICE, known);
    return known;
  };
  for (const [key, value, scenario] of KEYS) {
    const preset = key.startsWith("source.") ? ["source.host.preset=gen5-host"] : [];
    const sets = [...preset, `${key}=${value}`];
    const other = migrate(scenario, { sets }).fingerprint;
    assert.is.not(other, before(scenario), key);
    if (!/^software\.(dirtyLimit|devicePrecopy\.every)$/.test(key)) continue;
    assert.is(migrate(scenario, { sets, variant: "naive" }).fingerprint, other, key);
    assert.is(migrate(scenario, { sets, input: { sliceTicks: 7_777_777_777_777n } }).fingerprint, other, key);
  }
});

/** A scenario and what is said of it. */
const REFUSED: readonly (readonly [object, RegExp])[] = [
  [
    { ...FAST, tracker: { kind: "bitmap" }, software: LIMITED },
    /software\.dirtyLimit: needs dirty rings; write tracker: \{ kind: dirty-ring \}$/,
  ],
  [
    { ...FAST, tracker: { kind: "dirty-ring", ring: 128 }, software: LIMITED },
    /tracker\.ring: is counted in MiB by dirty-limit; write at least 256$/,
  ],
  [
    { ...FAST, software: { dirtyLimit: { period: "1500 us" } } },
    /dirtyLimit\.period: is whole ms; write e\.g\. 1000 ms$/,
  ],
  [
    { ...FAST, software: { postcopy: {} } },
    /software\.postcopy: does not go with dirty rings here; write off$/,
  ],
  [
    { ...DEVICE, software: { devicePrecopy: { initial: "33 MiB" } } },
    /devicePrecopy\.initial: is more than guest\.deviceState; write less$/,
  ],
  [
    { ...DEVICE, software: { devicePrecopy: { initial: "1 MiB" }, postcopy: {} } },
    /software\.devicePrecopy: does not go with postcopy in QEMU; write off$/,
  ],
  [
    { ...DEVICE, source: { host: { preset: "gen5-host", tracker: { logExit: "1 us" } } } },
    /tracker\.logExit: has no effect with placement: qemu; remove it$/,
  ],
];

test("what they need, and what does not go with them, is said in a line", () => {
  for (const [scenario, said] of REFUSED) {
    const lines = linesOf(() => inputOf(scenario));
    assert.is(lines.length, 1, lines.join(" | "));
    assert.match(lines[0]!, said);
  }
});

test("the shipped scenarios show it: one does not end without dirty-limit, one stops for longer", () => {
  const shipped = (name: string, sets: string[]): Result => {
    const file = fileURLToPath(new URL(`../sim/scenarios/${name}.yaml`, import.meta.url));
    const { scenario } = loadScenario(file, { sets });
    return migrate(FAST, { input: { scenario, stream: guestStream(scenario, null) } });
  };
  const limit = shipped("qemu-dirty-limit", []);
  assert.is(limit.migration.status, "completed");
  assert.is(shipped("qemu-dirty-limit", ["software.dirtyLimit=off"]).migration.status, "not-converged");
  const ahead = shipped("qemu-switchover-ack", []);
  const without = shipped("qemu-switchover-ack", ["software.devicePrecopy=off"]);
  assert.ok(ahead.migration.downtimeNs! < 0.35 * without.migration.downtimeNs!);
  assert.match(resultTable(ahead, "ack", false), "QEMU's migration thread");
});

test.run();
