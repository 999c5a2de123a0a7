// SPDX-License-Identifier: Apache-2.0
// `placement: qemu`: a scenario's run against the slow reference to the tick, its formulas, what it refuses.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isGood, resultSchema, resultTable } from "../src/index.ts";
import { PLAIN } from "../src/software-features.ts";
import { type GuestStream, KEEP_CONTENT } from "../src/trace/events.ts";
import { dpusim } from "./lib/cli.ts";
import { generated, inputOf, migrate } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { ReferenceThread, type Write } from "./lib/reference/qemu.ts";
import { linesOf } from "./lib/scenario.ts";

const US = 1_024_000_000;
const MS = 1000 * US;
const BASE = { placement: "qemu", compress: "off", encrypt: "off", content: "sized" };
const MIX = { zero: 20, text: 30, random: 50 };
const shipped = fileURLToPath(new URL("../sim/scenarios/redis-25g-qemu.yaml", import.meta.url));

/** What a stream says, as the reference takes it: zero pages at first, and writes up to a time. */
function played(stream: GuestStream, until: bigint): { zeros: boolean[]; writes: Write[] } {
  const zeros: boolean[] = [];
  for (const block of stream.initial())
    for (let i = 0; i < block.count; i++) zeros[block.firstPfn + i] = block.contentIds[i] === 0;
  const now = [...zeros];
  const writes: Write[] = [];
  for (let batch = stream.next(); batch !== null; batch = stream.next()) {
    for (let i = 0; i < batch.count; i++) {
      const pfn = batch.pfns[i]!;
      const id = batch.contentIds[i]!;
      if (id !== KEEP_CONTENT) now[pfn] = id === 0;
      writes.push({ at: batch.timeTicks[i]!, pfn, zero: now[pfn]! });
    }
    if (batch.endTicks > until) break;
  }
  return { zeros, writes };
}

/** Costs of one random host in us, and the rest of a scenario around them. */
function randomCase(seed: number) {
  const r = generator(seed);
  const upTo = (n: number): number => Math.floor(r() * (n + 1));
  // every second one takes several windows of 100 ms
  const slow = seed % 2 === 0 ? 50 : 0;
  const cost = { normal: 1 + slow + upTo(9), zero: upTo(3), load: upTo(9), loadZero: upTo(3) };
  const rest = { setup: upTo(4000), wake: upTo(900), flush: upTo(40), suspend: upTo(900), resume: upTo(900) };
  const pages = 300 + upTo(3000);
  const shape = { pages, rate: upTo(15_000), kib: 1 + upTo(900), rtt: 2 * upTo(40), start: upTo(30) };
  return {
    ...cost,
    ...rest,
    ...shape,
    gbits: [1, 5, 10][upTo(2)]!,
    limit: 1 + upTo(40),
    socket: 8 + upTo(900),
  };
}

type Case = ReturnType<typeof randomCase>;

function scenarioOf(c: Case): object {
  const us = (n: number): string => `${n} us`;
  const own = { setup: us(c.setup), wake: us(c.wake), socketBuffer: `${c.socket} KiB` };
  const pages = { normalPage: us(c.normal), zeroPage: us(c.zero) };
  const tracker = { tlbFlush: us(c.flush), scanWordCycles: "2 cycles" };
  const host = { preset: "snb-e5-2630", cpu: { clock: "2 GHz" } };
  const loads = { loadPage: us(c.load), loadZeroPage: us(c.loadZero) };
  const frontend = { resume: us(c.resume), deviceStatePerKiB: "1 us" };
  return {
    ...BASE,
    guest: { ...generated(c.pages, c.rate, MIX), deviceState: `${c.kib} KiB`, vcpus: 3, clock: "wall" },
    source: { host: { ...host, tracker, frontend: { suspend: us(c.suspend) }, qemu: { ...pages, ...own } } },
    destination: { host: { preset: "snb-e5-2630", frontend, qemu: loads } },
    tracker: { kind: "bitmap" },
    link: { rate: `${c.gbits} Gbit/s`, rtt: us(c.rtt), mtu: 9000 },
    migration: { downtimeLimit: `${c.limit} ms`, startAt: `${c.start} ms` },
  };
}

/** 9038 B on the wire for 8948 of TCP at MTU 9000 (docs/model.md section 6), 8192 ticks a bit at 1 Gbit/s. */
const FULL = [9038, 8948] as const;

/** The thread of the reference, told by the formulas of docs/model.md section 16. */
function expected(c: Case, stream: GuestStream) {
  const { zeros, writes } = played(stream, 2000n * BigInt(MS));
  const byte = 8_192_000 / c.gbits;
  const m = {
    startAtTicks: BigInt(c.start * MS),
    maxBandwidthBytes: Math.floor((1_000_000 * MS * FULL[1]) / (1000 * byte * FULL[0])),
    downtimeLimitMs: c.limit,
    normalTicks: c.normal * US,
    zeroTicks: c.zero * US,
    syncTicks: Math.ceil(c.pages / 64) * 1024 * 1000 + c.flush * US,
    wakeTicks: c.wake * US,
    setupTicks: c.setup * US,
    stopTicks: c.suspend * US,
    deviceTicks: (c.resume + c.kib + c.rtt / 2) * US,
    deviceBytes: c.kib * 1024,
    romPages: 0,
    romNormalPages: 0,
    unwrittenPages: 0,
    unwrittenAt: 0,
    autoConverge: false,
    ticksPerByte: [byte * FULL[0], FULL[1]] as [number, number],
    socketBytes: c.socket * 1024,
    ...PLAIN,
  };
  const told = new ReferenceThread(m, zeros, writes).run(2000n * BigInt(MS))!;
  assert.ok(told !== null, "the reference ends");
  return { told, m };
}

const ns = (ticks: bigint | number): number => Math.round((Number(ticks) / 1_024_000) * 1000) / 1000;

test("random scenarios: the run is the reference's to the tick, on both schedulers", () => {
  let several = 0;
  for (const seed of seeds(24)) {
    const c = randomCase(seed);
    const scenario = scenarioOf(c);
    const { told, m } = expected(c, inputOf(scenario).stream.fork());
    const got = migrate(scenario, { variant: seed % 3 === 0 ? "naive" : "lean" });
    const { ram, totalTimeNs, downtimeNs } = got.migration;
    const what = `configuration ${seed}`;
    assert.is(totalTimeNs, ns(told.endedAt - m.startAtTicks), what);
    assert.is(downtimeNs, ns(told.endedAt - told.suspendedAt), what);
    assert.equal(
      [ram.transferred, ram["precopy-bytes"], ram.normal, ram.duplicate, ram["dirty-sync-count"]],
      [told.transferred, told.precopy, told.normal, told.zero, told.syncs],
      what,
    );
    const source = c.setup + c.suspend + told.normal * c.normal + told.zero * c.zero;
    const syncs = told.syncs - 1; // the first is part of the setup
    const cores = [source * 1000 + (syncs * m.syncTicks) / 1_024_000, 0];
    cores[1] = 1000 * (told.normal * c.load + told.zero * c.loadZero + c.resume + c.kib);
    const { sourceCoreSeconds, destinationCoreSeconds } = got.hostCpu;
    assert.equal(
      [sourceCoreSeconds, destinationCoreSeconds],
      cores.map((one) => Math.round(one) / 1e9),
      what,
    );
    assert.ok(isGood(got), JSON.stringify(got.check));
    if (told.syncs > 2) several++;
  }
  if (process.env.DPUSIM_RUNS === undefined) assert.ok(several > 3, `${several} of several rounds`);
});

const GUEST = { ...generated(2000, 20_000, MIX), vcpus: 2 };
const SMALL = { ...BASE, guest: GUEST, link: { rate: "5 Gbit/s" }, migration: { downtimeLimit: "3 ms" } };

test("lean, naive and other slices have one fingerprint; rows add up; memory is the trace's", () => {
  const lean = migrate(SMALL);
  assert.is(migrate(SMALL, { variant: "naive" }).fingerprint, lean.fingerprint);
  assert.is(migrate(SMALL, { input: { sliceTicks: 777_777_777n } }).fingerprint, lean.fingerprint);
  const { phases, rounds, ram, totalTimeNs } = lean.migration;
  assert.is(Math.round(phases.setupNs! + phases.precopyNs! + phases.stopNs!), Math.round(totalTimeNs));
  const sum = (key: "normalPages" | "zeroPages"): number => rounds.reduce((n, round) => n + round[key], 0);
  assert.equal([sum("normalPages"), sum("zeroPages")], [ram.normal, ram.duplicate]);
  assert.equal([lean.check.pagesCompared, lean.check.pagesDifferent], [2000, 0]);
  // more than the guest was sent: it writes
  assert.ok(ram.normal + ram.duplicate > 2000);
});

test("the total is no less than pages x cost and bytes / link, and close to the longer", () => {
  const still = { ...generated(20_000, 0, MIX), deviceState: "4 KiB" };
  for (const [rate, by] of [
    [2, "linkNs"],
    [50, "threadNs"],
  ] as const) {
    const { bounds, migration } = migrate({ ...SMALL, guest: still, link: { rate: `${rate} Gbit/s` } });
    const least = Math.max(bounds.linkNs, bounds.threadNs!);
    assert.is(least, bounds[by], `${rate} Gbit/s`);
    assert.ok(migration.totalTimeNs >= least && migration.totalTimeNs < 1.05 * least, `${rate} Gbit/s`);
  }
});

test("what is of cards is null, and the result fits its schema", () => {
  const result = migrate(SMALL);
  assert.ok(resultSchema.safeParse(JSON.parse(JSON.stringify(result))).success);
  const { bounds, link, series, check } = result;
  const nulls = [bounds.pcieNs, bounds.compressNs, bounds.encryptNs, link.dataLinks, series.goodput];
  assert.equal([...nulls, series.placed, check.deviceStateEqual], [null, null, null, null, null, null, null]);
  assert.equal(
    Object.keys(result.units).filter((name) => /card|pcie|vsock|frontend/.test(name)),
    [],
  );
  assert.equal(
    Object.keys(result.stats).filter((name) => !name.startsWith("source.guest.")),
    [],
  );
  const table = resultTable(result, "small", false);
  assert.match(table, "QEMU's migration thread, no cards");
  assert.not.match(table, /dpu-ref|pcie|card\.|device state there/);
});

test("write protection slows the guest by its faults; of a bitmap nothing is known", () => {
  const { guest, migration } = migrate(SMALL);
  assert.ok(guest.writeFaults > 0);
  assert.is(guest.stallNs, guest.writeFaults * 2000);
  const ran = 2 * (migration.totalTimeNs - migration.downtimeNs!);
  assert.ok(Math.abs(guest.slowdown! - guest.stallNs / ran) < 1e-6);
  assert.is(migrate({ ...SMALL, tracker: { kind: "bitmap" } }).guest.slowdown, null);
});

test("a page that is spoilt on its way is found", () => {
  const spoilt = migrate(SMALL, {
    onSlice: (core) => {
      core.u32[(core.address("placedVersionsAt") >>> 2) + 5] = 77;
    },
  });
  assert.is(spoilt.migration.status, "failed");
  assert.not.ok(isGood(spoilt));
});

test("at the time limit it is broken off, and the source is whole", () => {
  const cut = migrate({ ...SMALL, migration: { downtimeLimit: "3 ms", timeout: "5 ms" } });
  assert.equal([cut.migration.status, cut.migration.reason], ["not-converged", "the time limit was reached"]);
  assert.is(cut.migration.totalTimeNs, 5e6);
  assert.ok(cut.check.invariants.some(({ name, held }) => name === "source-intact" && held));
  assert.equal([cut.migration.downtimeNs, cut.migration.phases.stopNs], [null, null]);
});

/** A key and a value that makes another run. */
const KEYS: readonly (readonly [string, string])[] = [
  ["source.host.qemu.normalPage", "3 us"],
  ["source.host.qemu.zeroPage", "2 us"],
  ["destination.host.qemu.loadPage", "3 us"],
  ["destination.host.qemu.loadZeroPage", "3 us"],
  ["source.host.qemu.setup", "3 ms"],
  ["source.host.qemu.socketBuffer", "64 KiB"],
  ["source.host.cpu.clock", "1 GHz"],
  ["source.host.tracker.writeFault", "9 us"],
  ["source.host.tracker.scanWordCycles", "900 cycles"],
  ["source.host.tracker.tlbFlush", "90 us"],
  ["source.host.frontend.suspend", "9 ms"],
  ["destination.host.frontend.resume", "9 ms"],
  ["destination.host.frontend.deviceStatePerKiB", "9 us"],
  ["link.rate", "4 Gbit/s"],
  ["link.rtt", "900 us"],
  ["link.mtu", "1500"],
  ["guest.vcpus", "3"],
  ["guest.deviceState", "80 KiB"],
  ["migration.startAt", "3 ms"],
  ["tracker.kind", "bitmap"],
];

/** Windows that are spent, so that waits end late; a guest that writes little, so that it ends. */
const CAPPED = {
  ...SMALL,
  guest: generated(2000, 500, MIX),
  link: { rateCap: "200 Mbit/s" },
  migration: { downtimeLimit: "100 ms" },
};

test("every key that is taken makes another run", () => {
  const sets = (key: string, value: string): string[] => {
    const host = /^(source|destination)\.host\./.exec(key);
    return [...(host === null ? [] : [`${host[1]}.host.preset=snb-e5-2630`]), `${key}=${value}`];
  };
  const before = migrate(SMALL).fingerprint;
  const idle = KEYS.filter(
    ([key, value]) => migrate(SMALL, { sets: sets(key, value) }).fingerprint === before,
  );
  assert.equal(idle, []);
  const uncapped = migrate({ ...CAPPED, link: {} }).fingerprint;
  assert.is.not(uncapped, migrate(CAPPED).fingerprint);
  const late = sets("source.host.qemu.wake", "900 us");
  assert.is.not(migrate(CAPPED, { sets: late }).fingerprint, migrate(CAPPED).fingerprint);
});

/** A `--set` and what is said of it. */
const REFUSED: readonly (readonly [string, RegExp])[] = [
  ["compress={ engine: lz4-hw }", /compress: is not done by placement: qemu; write compress: off$/],
  ["encrypt={ cipher: aes-128-gcm }", /encrypt: is not done by placement: qemu; write encrypt: off$/],
  [
    "content=full",
    /content: carries bodies; with placement: qemu write sized, or software: \{ xbzrle: \{\} \}$/,
  ],
  ["tracker.kind=pml", /is not known to placement: qemu; write write-protect, or bitmap$/],
  ["tracker.group=8", /tracker\.group: is not known to placement: qemu; write 1$/],
  ["tenant={}", /tenant: is I\/O of a card, and placement: qemu has none; write off$/],
  ["faults=[{ at: 1 ms, what: cancel }]", /faults: are not known to placement: qemu; remove them$/],
  ["internal.pages=vsock", /internal\.pages: has no effect with placement: qemu; remove it$/],
  ["internal.jitter=on", /internal\.jitter: has no effect with placement: qemu; remove it$/],
  ["link.window=1 MiB", /link\.window: has no effect with placement: qemu; remove it$/],
  ["link.congestion=cubic", /link\.congestion: has no effect with placement: qemu; remove it$/],
  ["link.framing.tls=v1.3", /tls: is of records of cards; with placement: qemu write off$/],
  ["migration.maxRounds=3", /migration\.maxRounds: has no effect with placement: qemu; remove it$/],
  ["migration.retries=1", /migration\.retries: has no effect with placement: qemu; remove it$/],
  ["migration.downtimeLimit=1.5 ms", /QEMU takes whole milliseconds; write at least 1 ms$/],
  ["source.card=dpu-ref", /source\.card: plays no part with placement: qemu; remove it$/],
  [
    "source.host={ preset: snb-e5-2630, iommu: { walk: 1 us } }",
    /iommu\.walk: has no effect with placement: qemu; remove it$/,
  ],
  [
    "destination.host={ preset: snb-e5-2630, qemu: { wake: 1 us } }",
    /qemu\.wake: has no effect with placement: qemu; remove it$/,
  ],
];

test("what software does not take is refused in a line each", () => {
  for (const [set, said] of REFUSED) {
    const lines = linesOf(() => inputOf(SMALL, { sets: [set] }));
    assert.is(lines.length, 1, `${set}: ${lines.join(" | ")}`);
    assert.match(lines[0]!, said);
  }
  const sets = ["placement=huawei", "source.host.preset=snb-e5-2630", "source.host.qemu.wake=1 us"];
  const [line] = linesOf(() => inputOf(SMALL, { sets }));
  assert.match(line!, /qemu\.wake: has no effect where cards migrate; write placement: qemu, or remove it$/);
});

test("run prints and replay finds the same; --follow is refused", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dpusim-"));
  try {
    const json = join(folder, "result.json");
    const { code, stdout } = await dpusim(["run", shipped, "--json", json]);
    assert.is(code, 0, stdout);
    assert.match(stdout, /host CPU: .* at the source/);
    const again = await dpusim(["replay", json]);
    assert.is(again.code, 0, again.stdout + again.stderr);
    const followed = await dpusim(["run", shipped, "--follow", "3"]);
    assert.is(followed.code, 2);
    assert.match(followed.stderr, /--follow: is of cards, and placement: qemu has none; leave it out/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
