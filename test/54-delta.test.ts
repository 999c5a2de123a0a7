// SPDX-License-Identifier: Apache-2.0
// Deltas on the cards: the stage, the DRAM that it shares and the writes that a delta becomes, against the
// slow ones of test/lib/reference to the tick; what they save, and that a wrong base is noticed.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { type Core, isGood, type Result, type SimulateInput, simulate } from "../src/index.ts";
import { KEEP_CONTENT } from "../src/trace/events.ts";
import { inputOf, migrate, redis, stat } from "./lib/migrate.ts";
import { Cache, Clock, copiedBytes, Dram, type Write, writesOf } from "./lib/reference/delta.ts";
import { runShipped } from "./lib/shipped.ts";
import { type Happening, timelineOf } from "./lib/timeline.ts";

const RULES = { downtimeLimit: "1 ns", maxRounds: 8, onTimeout: "force" };
const BASE = { guest: { ...redis, speed: 2000 }, link: { rate: "1 Gbit/s" }, migration: RULES };
const on = (xbzrle: object = {}): object => ({ delta: { xbzrle } });
const of = (result: Result, name: string): number => stat(result, `source.card.delta.${name}`);

/** Every version of every page: version 0 is the initial image. null is all zero. */
function versionsOf({ stream }: SimulateInput): (Uint8Array | null)[][] {
  const again = stream.fork();
  const pages: (Uint8Array | null)[][] = [];
  for (const block of again.initial()) {
    for (let i = 0; i < block.count; i++) {
      pages[block.firstPfn + i] = [block.contentIds[i] === 0 ? null : Uint8Array.from(block.content(i))];
    }
  }
  for (let batch = again.next(); batch !== null; batch = again.next()) {
    for (let i = 0; i < batch.count; i++) {
      const versions = pages[batch.pfns[i]!]!;
      const id = batch.contentIds[i]!;
      const zero = id === 0 || batch.content(i)?.every((byte) => byte === 0);
      if (id === KEEP_CONTENT) versions.push(versions.at(-1)!);
      else versions.push(zero ? null : Uint8Array.from(batch.content(i)!));
    }
  }
  return pages;
}

const ofKind = (events: readonly Happening[], side: number, kind: number, which: number): Happening[] =>
  events.filter((e) => e.side === side && e.kind === kind && e.which === which);

interface Passed {
  readonly event: Happening;
  readonly hit: boolean;
  readonly writes: Write[] | null;
}

/** Pages through the cache in the order in which the stage took them; returns what should come of each. */
function replay(run: { events: Happening[]; input: SimulateInput }, sets: number, most: number) {
  const { events, input } = run;
  const versions = versionsOf(input);
  const cache = new Cache(sets, most);
  const read = new Map<number, number>();
  const totals = { hits: 0, misses: 0, overflows: 0, unchanged: 0, bytes: 0 };
  const passed: Passed[] = [];
  const sizes: number[] = [];
  for (const e of events) {
    if (e.side !== 0) continue;
    if (e.kind === abi.T_PAGE && e.which === abi.P_READ) read.set(e.a, e.b);
    if (e.kind !== abi.T_STAGE || e.which !== abi.U_DELTA) continue;
    // kinds of job: 1 a page, 2 one of zeros, 3 device state
    if (e.c === 3) {
      passed.push({ event: e, hit: false, writes: null });
      continue;
    }
    const version = read.get(e.a)!;
    const body = versions[e.a]![version]!;
    assert.is(body === null, e.c === 2, `page ${e.a}`);
    const { hit, delta, base } = cache.pass(e.a, version, body);
    const old = versions[e.a]![base]!;
    if (body !== null && !hit) totals.misses++;
    if (hit) totals.hits++;
    if (hit && delta === null) totals.overflows++;
    if (delta?.length === 0) totals.unchanged++;
    totals.bytes += delta?.length ?? 0;
    if (delta !== null) sizes.push(delta.length);
    passed.push({ event: e, hit, writes: delta === null ? null : writesOf(old, body!) });
  }
  return { totals, passed, sizes };
}

function instrumented(
  scenario: object,
  sets: string[],
): { result: Result; events: Happening[]; input: SimulateInput } {
  const input = inputOf(scenario, { variant: "instrumented", sets });
  const result = simulate(input);
  return { result, events: timelineOf(input.core), input };
}

/** Who asks card DRAM for what, in the order in which it is served. */
function sameDram(run: ReturnType<typeof instrumented>, passed: readonly Passed[], cycles: number): number {
  const { card } = run.input.scenario.sides.source;
  const clock = new Clock(card.ticksPerCycle);
  const dram = new Dram(card.dram.ticksPerByte);
  const copies = (unit: number, taken: readonly Happening[]) =>
    ofKind(run.events, 0, abi.T_STAGE, unit).map((e, i) => ({
      order: unit,
      e,
      bytes: 2 * taken[i]!.a,
      least: 1,
    }));
  const appended = run.events.filter((e) => e.side === 0 && e.kind === abi.T_APPEND);
  const taken = run.events.filter((e) => e.side === 0 && e.kind === abi.T_TAKEN);
  const compared = passed.map(({ event, hit }) => ({
    order: abi.U_COMPRESS,
    e: event,
    bytes: event.c === 1 ? copiedBytes(hit) : 0,
    least: event.c === 1 ? cycles : 1,
  }));
  const asked = [...copies(abi.U_FRAMER, appended), ...copies(abi.U_RECEIVE, taken), ...compared];
  asked.sort((a, b) => a.e.t - b.e.t || a.order - b.order);
  for (const { e, bytes, least } of asked) {
    const t = BigInt(e.t);
    const least1 = clock.after(t, least);
    const moved = bytes === 0 ? 0n : clock.edge(dram.serve(t, bytes));
    assert.is(BigInt(e.b), moved > least1 ? moved : least1, `unit ${e.which} at ${e.t}`);
  }
  return asked.length;
}

/** Where nothing is in the way, a page is taken when it is there and the one before has gone. */
function sameStarts(run: ReturnType<typeof instrumented>, passed: readonly Passed[]): void {
  const unit = run.result.units["source.card.delta"]!;
  assert.is(`${unit.blockedTicks}`, "0");
  const clock = new Clock(run.input.scenario.sides.source.card.ticksPerCycle);
  // device state has no P_SORTED: pages that follow one another
  const sorted = ofKind(run.events, 0, abi.T_PAGE, abi.P_SORTED);
  let before = 0n;
  let next = 0;
  for (const { event } of passed) {
    if (event.c !== 3) {
      const there = clock.after(BigInt(sorted[next]!.t), 1);
      assert.is(sorted[next++]!.a, event.a);
      assert.is(BigInt(event.t), there > before ? there : before, `page ${event.a}`);
    }
    before = BigInt(event.b);
  }
}

/** The writes of each delta, one every so many clocks while the port takes them. */
function sameWrites(run: ReturnType<typeof instrumented>, passed: readonly Passed[], issue: number): number {
  const { card, pcie } = run.input.scenario.sides.destination;
  const clock = new Clock(card.ticksPerCycle);
  const puts = ofKind(run.events, 1, abi.T_PUT, abi.PORT_POSTED + abi.R_DATA);
  const waiting = new Map<number, (Write[] | null)[]>();
  for (const { event, writes } of passed) {
    if (event.c === 3) continue;
    waiting.set(event.a, [...(waiting.get(event.a) ?? []), event.c === 2 ? null : writes]);
  }
  let next = 0;
  let compared = 0;
  for (const placed of ofKind(run.events, 1, abi.T_PAGE, abi.P_PLACED)) {
    const writes = waiting.get(placed.a)!.shift()!;
    if (placed.c === 0) continue;
    let t = BigInt(placed.t);
    for (const { at, bytes } of writes ?? [{ at: 0, bytes: 4096 }]) {
      const put = puts[next++]!;
      assert.equal([put.b, put.a], [placed.a * 4096 + at, bytes]);
      assert.is(BigInt(put.t), clock.after(t, 1), `write at ${at} of page ${placed.a}`);
      t = clock.after(t, Math.ceil(bytes / pcie.mpsBytes) * issue);
      if (writes !== null) compared++;
    }
  }
  assert.is(next, puts.length);
  return compared;
}

for (const [cache, width, most] of [
  ["64 MiB", 32, 4096],
  ["900 KiB", 7, 300],
  ["4 KiB", 1024, 4096],
] as const) {
  test(`to the tick: cache ${cache}, ${width} B/cycle, at most ${most} B`, () => {
    const stage = on({ cache, width: `${width} B/cycle`, most });
    // a clock that is no whole number of ticks; writes so slow that the port is never full
    const sets = ["source.card.clock=700 MHz", "destination.card.dma.writeIssue=200 cycles"];
    const run = instrumented({ ...BASE, ...stage }, sets);
    assert.ok(isGood(run.result), JSON.stringify(run.result.check));
    // 900 KiB are 225 pages, of which 128 count
    const pages = { "64 MiB": 16_384, "900 KiB": 128, "4 KiB": 1 }[cache];
    const { totals, passed, sizes } = replay(run, pages, most);
    for (const [name, value] of Object.entries(totals)) assert.is(of(run.result, name), value, name);
    assert.is(stat(run.result, "destination.card.delta.placed"), sizes.length);
    assert.ok(sameDram(run, passed, Math.ceil(4096 / width)) > 500);
    sameStarts(run, passed);
    const writes = sameWrites(run, passed, 200);
    assert.is(stat(run.result, "destination.card.delta.writes"), writes);
    assert.ok(cache === "4 KiB" ? totals.hits < 5 : totals.hits > 20, `${totals.hits} hits`);
    assert.ok(cache === "4 KiB" || totals.overflows > 0);
  });
}

const MODES = [
  { internal: { pages: "dma" }, compress: "off", encrypt: { cipher: "aes-128-gcm" } },
  { internal: { pages: "vsock" }, compress: { engine: "lz4-hw" }, encrypt: "off" },
];

for (const mode of MODES) {
  test(`arrives, bytes or words, in the same time: ${JSON.stringify(mode)}`, () => {
    const full = migrate({ ...BASE, ...on(), ...mode });
    assert.ok(isGood(full), JSON.stringify(full.check));
    assert.ok(of(full, "hits") > 50);
    for (const content of ["sized", "sampled"]) {
      const other = migrate({ ...BASE, ...on(), ...mode, content });
      assert.ok(isGood(other), content);
      assert.equal([other.elapsedTicks, other.units], [full.elapsedTicks, full.units], content);
      assert.equal(other.migration, full.migration, content);
    }
  });
}

test("both schedulers see the same", () => {
  // short, and no timer of 40 ms at its end: the other one steps every unit at every clock edge
  const guest = { ...redis, speed: 40_000, deviceState: "4 KiB" };
  const link = { rate: "25 Gbit/s", transport: "udp" };
  const scenario = { guest, link, migration: { ...RULES, maxRounds: 3 }, content: "sized", ...on() };
  const [a, b] = (["lean", "naive"] as const).map((variant) => migrate(scenario, { variant }));
  assert.ok(of(a!, "hits") > 0);
  assert.is(a!.fingerprint, b!.fingerprint);
});

test("redis: fewer bytes on the wire than without, and not in a first round", () => {
  const plain = migrate(BASE);
  const delta = migrate({ ...BASE, ...on() });
  // what the deltas take the place of is at least half a kilobyte a page; the control has none of them
  const saved = plain.link.wireBytes - delta.link.wireBytes;
  assert.ok(saved > 512 * stat(delta, "destination.card.delta.placed"), `${saved} B`);
  assert.is(of(plain, "hits"), 0);
  assert.is(stat(plain, "destination.card.delta.placed"), 0);
  const idle = migrate({ ...BASE, ...on(), guest: { ...redis, speed: 1 }, migration: { maxRounds: 1 } });
  assert.is(idle.migration.rounds.length, 2);
  const [, stop] = idle.migration.rounds;
  assert.ok(of(idle, "hits") <= stop!.normalPages, "hits are of what was sent before");
  // record by record: header, delta, tag
  const bytes = delta.migration.rounds.map(({ bytesOnWire }) => bytesOnWire);
  assert.ok(bytes[0]! > 4 * bytes[1]!, `${bytes}`);
});

test("the shipped scenario moves little more than half of what it moves without", () => {
  const [delta, off] = [runShipped("delta"), runShipped("delta", ["delta=off"])];
  assert.ok(isGood(delta!) && isGood(off!));
  const share = delta!.link.wireBytes / off!.link.wireBytes;
  assert.ok(share < 0.6, `${share} of the bytes`);
  assert.ok(delta!.migration.totalTimeNs < 0.6 * off!.migration.totalTimeNs);
});

test("a delta of another version than the one placed breaks delta-base-is-placed", () => {
  const scenario = { ...BASE, ...on() };
  const good = migrate(scenario);
  const held = good.check.invariants.find(({ name }) => name === "delta-base-is-placed");
  assert.is(held?.held, true);
  assert.is(
    migrate(BASE).check.invariants.find(({ name }) => name === "delta-base-is-placed"),
    undefined,
  );
  let spoilt = 0;
  const input = { sliceTicks: 20_000n * 1_024_000n };
  const bad = migrate(scenario, { input, onSlice: (core) => (spoilt += older(core)) });
  assert.ok(spoilt > 0);
  assert.equal(
    bad.check.invariants.filter((one) => !one.held).map(({ name }) => name),
    ["delta-base-is-placed"],
  );
});

/** Makes what the destination holds one version older, where it has been written to; once. */
function older(core: Core): number {
  if (core.counter(1, abi.C_DELTA_PLACED) < 5 || core.counter(1, abi.C_DELTA_PLACED) > 60) return 0;
  const at = core.address("placedVersionsAt") >>> 2;
  let n = 0;
  for (let pfn = 0; pfn < 601; pfn++) {
    const version = core.u32[at + pfn]!;
    if (version === 0 || version === 0xffffffff) continue;
    core.u32[at + pfn] = version - 1;
    n++;
  }
  return n;
}

test.run();
