// SPDX-License-Identifier: Apache-2.0
// Engines that fail, control processors that restart, records that are asked for again, by what docs/model.md
// section 17 says of them.
import * as abi from "../../../assembly/abi.ts";
import { type Result, simulate } from "../../../src/index.ts";
import { generated, inputOf, migrate, stat } from "../migrate.ts";
import { type PoolJob, poolSlowly } from "../reference/engine-pool.ts";
import { guestText, type Happening, of, type Run, runText } from "../timeline.ts";
import { claim, ended, same } from "./expect.ts";

const NS = abi.TICKS_PER_NS;
const JOB_PAGE = 1;

/** The first broken invariant is told by its name. */
export function unbroken(what: string, { check }: Result): void {
  const broken = check.invariants.find(({ held }) => !held);
  if (broken === undefined) return;
  throw new Error(`invariant ${broken.name}: ${what}: ${broken.left} beside ${broken.right}`);
}

const faultsOf = (...faults: object[]): string => `faults=${JSON.stringify(faults)}`;

/** A guest that writes nothing, whose pages all shrink. */
const TEXT = guestText("512 KiB", { rate: "0 /s", mix: "{ zero: 0, text: 100, random: 0 }" });

/** What is needed to see a pool alone. */
interface Pool {
  readonly unit: "compressor" | "decompressor";
  readonly stage: number;
  readonly side: number;
  /** When a page is there for it: a step, and so many clocks later. */
  readonly there: (e: Happening) => boolean;
  readonly later: number;
  readonly sets: readonly string[];
}

const SLOW_CODERS: Pool = {
  unit: "compressor",
  stage: abi.U_COMPRESS,
  side: 0,
  there: ({ which }) => which === abi.P_SORTED,
  later: 1,
  sets: ["source.card.compressor.engines=4", "source.card.compressor.setupCycles=3000 cycles"],
};
const SLOW_DECODERS: Pool = {
  unit: "decompressor",
  stage: abi.U_UNLZ,
  side: 1,
  there: ({ which, b }) => which === abi.P_OUT && b === abi.U_OPEN,
  later: 0,
  sets: ["destination.card.decompressor.engines=4", "destination.card.decompressor.setupCycles=3000 cycles"],
};

/** Beginnings of pages at the pool. */
const stages = (run: Run, { stage, side }: Pool): Happening[] =>
  of(run, abi.T_STAGE, side).filter(({ which, c }) => which === stage && c === JOB_PAGE);

/** When each page was there for the pool, in the order of its queue. */
const arrivals = (run: Run, { there, side }: Pool): Happening[] => of(run, abi.T_PAGE, side).filter(there);

/**
 * The core's pool beside the slow one: a page's clocks are those of a run in which nothing fails. An engine
 * that fails while the pool has more to do than it can loses its part of the rate and nothing else.
 */
function samePool(pool: Pool, ns: number, engines: number): void {
  const what = `${pool.unit}: ${engines} fail at ${ns} ns`;
  const free = runText(TEXT, { sets: [...pool.sets] });
  ended("nothing fails", free);
  const fault = { at: `${ns} ns`, what: "engine-fails", unit: pool.unit, engines };
  const run = runText(TEXT, { sets: [...pool.sets, faultsOf(fault)] });
  ended(what, run);
  const period = free.scenario.sides[pool.side === 0 ? "source" : "destination"].card.ticksPerCycle;
  const clockOf = (t: number): number => Math.round((t * period[1]) / period[0]);
  const clocks = new Map(stages(free, pool).map(({ a, t, b }) => [a, clockOf(b - t)]));
  const inQueue = arrivals(run, pool);
  const jobs: PoolJob[] = inQueue.map(({ a, t }) => ({
    seenAtClock: clockOf(t) + pool.later,
    clocks: clocks.get(a)!,
  }));
  const atClock = Math.ceil((ns * NS * period[1]) / period[0]);
  const expected = poolSlowly(jobs, 4, { atClock, engines });
  const told = expected.map(({ job, clock }) => `${inQueue[job]!.a}@${clock}`);
  const found = stages(run, pool).map(({ a, t }) => `${a}@${clockOf(t)}`);
  same(`${what}: pages and when`, found.join(" "), told.join(" "));
  const redone = found.length - jobs.length;
  same(`${what}: begun again`, run.core.counter(pool.side, abi.C_REDONE), redone);
  claim(`${what}: in the middle of a job`, ns < 1000 || redone === engines, redone, `${engines}`);
  // 128 pages: 4 engines until then, 4 - n from then on
  const ends = stages(run, pool).map(({ b }) => clockOf(b));
  const mean = [...clocks.values()].reduce((sum, n) => sum + n, 0) / clocks.size;
  const first = jobs[0]!.seenAtClock;
  const before = Math.max(0, atClock - first) * 4;
  const by = Math.max(first, atClock) + (128 * mean - before) / (4 - engines);
  const end = Math.max(...ends);
  // up to n jobs have been for nothing
  const most = by + ((engines + 4) * mean) / (4 - engines);
  claim(`${what}: the last page`, end > by - mean && end < most, `${end} clocks`, `${by} to ${most}`);
}

/** Encoders and decoders that fail, at several times. */
export function checkPools(): void {
  for (const pool of [SLOW_CODERS, SLOW_DECODERS])
    for (const [ns, engines] of [
      [0, 1],
      [75_313, 1],
      [90_000, 3],
      [110_001, 2],
    ] as const)
      samePool(pool, ns, engines);
}

/** Pages that shrink, some that do not and some that are zero; ciphers that are always busy. */
export const WRITING = {
  guest: generated(600, 200_000, { zero: 10, text: 70, random: 20 }),
  migration: { downtimeLimit: "100 us", onTimeout: "force", maxRounds: 4 },
};
export const SLOW_CIPHERS = ["source", "destination"].flatMap((side) => [
  `${side}.card.crypto.bitsPerCycle=128 bit/cycle`,
  `${side}.card.crypto.cyclesPerRound=4`,
  `${side}.card.crypto.engines=3`,
]);

/** A cipher engine that fails in the middle of a record: it is sealed, or opened, again, and the same. */
export function checkCipherFails(unit: "seal" | "open", content: "full" | "sized"): Result {
  const free = migrate({ ...WRITING, content }, { sets: SLOW_CIPHERS });
  const faults = [{ at: "200 us", what: "engine-fails", unit, engines: 2 }];
  const result = migrate({ ...WRITING, content, faults }, { sets: SLOW_CIPHERS });
  const what = `${unit} fails, ${content}`;
  unbroken(what, result);
  same(what, result.migration.status, "completed");
  same(`${what}: pages`, result.check.pagesDifferent, 0);
  const side = unit === "seal" ? "source" : "destination";
  same(`${what}: begun again`, stat(result, `${side}.card.redone`), 2);
  // a record counts once, however often it is begun
  const [sealed, opened] = ["source.card.crypto.sealed", "destination.card.crypto.opened"];
  same(`${what}: records`, stat(result, opened!), stat(result, sealed!));
  claim(
    `${what}: time`,
    result.migration.totalTimeNs > free.migration.totalTimeNs,
    result.migration.totalTimeNs,
    `more than ${free.migration.totalTimeNs}`,
  );
  return result;
}

/** A decoder that fails in the middle of a page: it begins again with the record as it came. */
export function checkDecoderFails(): void {
  const sets = ["destination.card.decompressor.setupCycles=3000 cycles"];
  const faults = [{ at: "200 us", what: "engine-fails", unit: "decompressor", engines: 3 }];
  const result = migrate({ ...WRITING, faults }, { sets });
  unbroken("decompressor fails", result);
  same("decompressor fails", result.migration.status, "completed");
  same("decompressor fails: pages", result.check.pagesDifferent, 0);
  same("decompressor fails: begun again", stat(result, "destination.card.redone"), 3);
}

/** All encoders fail: what they held and what follows goes raw, and the migration completes. */
export function checkNoEncoder(): Result {
  const faults = [{ at: "200 us", what: "engine-fails", unit: "compressor", engines: 4 }];
  const [free, result] = [[], faults].map((list) => migrate({ ...WRITING, faults: list })) as [
    Result,
    Result,
  ];
  unbroken("no encoder", result);
  same("no encoder", result.migration.status, "completed");
  same("no encoder: pages", result.check.pagesDifferent, 0);
  const [passed, coded] = ["passed", "pages"].map((name) => stat(result, `source.card.compressor.${name}`));
  const pieces = 64 / 4;
  same("no encoder: pages and pieces", passed! + coded!, result.migration.ram.normal + pieces);
  claim("no encoder: raw ones", passed! > 100, passed, "many");
  claim("no encoder: coded ones", coded! > 100, coded, "many");
  const perPage = ({ migration }: Result): number => migration.ram.transferred / migration.ram.normal;
  claim("no encoder: bytes", perPage(result) > 1.2 * perPage(free), perPage(result), "more");
  return result;
}

const GONE = { seal: 2, open: 2, decompressor: 4 } as const;

/** No engine is left to seal, open or decode: the migration fails and says so, and all else is home. */
export function checkEnginesGone(unit: keyof typeof GONE, content: "full" | "sized"): Result {
  const faults = [{ at: "200 us", what: "engine-fails", unit, engines: GONE[unit] }];
  const result = migrate({ ...WRITING, content, faults });
  const what = `no engine: ${unit}`;
  unbroken(what, result);
  same(what, result.migration.status, "failed");
  same(`${what}: pages`, result.check.pagesDifferent, 0);
  const side = unit === "seal" ? "source" : "destination";
  claim(`${what}: dropped`, stat(result, `${side}.card.engineDropped`) > 0, 0, "some");
  const { records } = result.check.writtenOff!;
  if (unit !== "seal") same(`${what}: nothing is lost on the link`, records, 0);
  else claim(`${what}: written off`, records >= stat(result, "source.card.engineDropped"), records, "all");
  return result;
}

/** Handlers of a side's control processor: when each began and ended, and which it is. */
const handlers = (run: Run, side: number): Happening[] =>
  of(run, abi.T_STAGE, side).filter(({ which }) => which === abi.U_CONTROL);

/** A control processor restarts with its RAM kept: what it ran begins anew, everything is late by so much. */
export function checkRestart(side: 0 | 1): void {
  const name = side === 0 ? "source" : "destination";
  const free = runText(TEXT);
  const period = free.scenario.sides[name].card.control.ticksPerCycle;
  const edge = (ticks: number): number =>
    Math.ceil(Math.ceil((ticks * period[1]) / period[0]) * (period[0] / period[1]));
  // in the middle of a handler of the first round
  const pages = handlers(free, side).filter(({ c }) => c === abi.F_PAGE_RECORD);
  const cut = pages[Math.floor(pages.length / 2)]!;
  const atNs = Math.floor((cut.t + cut.b) / 2 / NS);
  for (const us of [0.001, 30, 400]) {
    const what = `${name} restarts for ${us} us`;
    const fault = { at: `${atNs} ns`, what: "firmware-restart", side: name, for: `${1000 * us} ns` };
    const run = runText(TEXT, { sets: [faultsOf(fault)] });
    ended(what, run);
    const [down, up] = [edge(atNs * NS), edge((atNs + 1000 * us) * NS)];
    const begun = handlers(run, side);
    const within = begun.filter(({ t }) => t >= down && t < up);
    same(`${what}: handlers begun in that time`, within.length, 0);
    const lost = begun.filter(({ t, b }) => t < down && b > down);
    same(`${what}: handlers cut`, run.core.counter(side, abi.C_REDONE), lost.length);
    claim(`${what}: handlers cut`, lost.length > 0, lost.length, "some");
    for (const { a, b, t } of lost) {
      const anew = begun.find((one) => one.a === a && one.t >= up)!;
      claim(`${what}: begun anew`, anew.t - up <= period[0] / period[1], anew.t - up, "at its first edge");
      claim(
        `${what}: with all its cycles`,
        Math.abs(anew.b - anew.t - (b - t)) < 2,
        anew.b - anew.t,
        `${b - t}`,
      );
    }
    const [late, most] = [run, free].map(({ core }) => Number(core.logged(abi.L_ENDED)) / NS);
    const by = late! - most!;
    // what lies in queues is worked on meanwhile, so it is late by less, or by the handlers begun anew
    claim(`${what}: late`, by > 0.4 * 1000 * us - 1000 && by < 1000 * us + 2000, `${by} ns`, "about as long");
  }
}

/**
 * A card whose one core is always busy: a restart makes it late by its length and by what the handler that it
 * cut had done, here nearly all of it.
 */
export function checkCutHandler(): void {
  const sets = ["cores=1", "pageRecordCycles=15000 cycles"].map((set) => `source.card.control.${set}`);
  const free = runText(TEXT, { sets });
  const records = handlers(free, 0).filter(({ c }) => c === abi.F_PAGE_RECORD);
  const cut = records[60]!;
  const takes = (cut.b - cut.t) / NS;
  const fault = {
    at: `${Math.floor(cut.b / NS) - 100} ns`,
    what: "firmware-restart",
    side: "source",
    for: "50 us",
  };
  const run = runText(TEXT, { sets: [...sets, faultsOf(fault)], variant: "lean" });
  ended("a handler cut", run);
  const [late, most] = [run, free].map(({ core }) => Number(core.logged(abi.L_ENDED)) / NS);
  const by = late! - most! - 50_000;
  claim("a handler cut: begun anew", by > 0.9 * takes && by < 1.1 * takes, `${by} ns`, `about ${takes} ns`);
}

/** A restart that forgets: the migration fails as soon as the firmware is up. */
export function checkForgotten(side: "source" | "destination"): Result {
  const fault = { at: "200 us", what: "firmware-restart", side, for: "100 us", ram: "lost" };
  const what = `${side} forgets`;
  const input = inputOf({ ...WRITING, faults: [fault] });
  const result = simulate(input);
  unbroken(what, result);
  same(what, result.migration.status, "failed");
  same(`${what}: pages`, result.check.pagesDifferent, 0);
  const found = Number(input.core.logged(abi.L_FOUND)) / NS;
  claim(`${what}: found`, found >= 300_000 && found < 320_000, `${found} ns`, "when it is up");
  const kept = migrate({ ...WRITING, faults: [{ ...fault, ram: "kept" }] });
  unbroken(`${what}: control`, kept);
  same(`${what}: kept`, kept.migration.status, "completed");
  return result;
}

/** Records that are spoilt are asked for again: each is read, sealed, sent and opened once more. */
export function checkAskedAgain(content: "full" | "sized"): void {
  const guest = generated(600, 0, { zero: 20, text: 60, random: 20 });
  const plain = { guest, content, migration: { onTagFailure: "ask-again", tagRetries: 7 } };
  const free = migrate(plain);
  for (const [at, records] of [
    ["150 us", 1],
    ["200 us", 7],
  ] as const) {
    const what = `${records} asked for again, ${content}`;
    const result = migrate({ ...plain, faults: [{ at, what: "corrupt", records }] });
    unbroken(what, result);
    same(what, result.migration.status, "completed");
    same(`${what}: pages`, result.check.pagesDifferent, 0);
    same(`${what}: asked`, stat(result, "destination.card.crypto.askedAgain"), records);
    for (const name of [
      "source.card.dma.read.pages",
      "source.card.crypto.sealed",
      "destination.card.crypto.sealed",
    ])
      same(`${what}: ${name}`, stat(result, name) - stat(free, name), records);
    // a round counts each of its pages once
    const [round] = result.migration.rounds;
    same(`${what}: pages of the round`, round!.normalPages + round!.zeroPages, 600);
    same(`${what}: zero pages`, round!.zeroPages, free.migration.rounds[0]!.zeroPages);
  }
  const fault = { at: "200 us", what: "corrupt", records: 8 };
  const result = migrate({ ...plain, faults: [fault] });
  unbroken("one too many", result);
  same("one too many", result.migration.status, "failed");
  same("one too many: asked", stat(result, "destination.card.crypto.askedAgain"), 7);
  const control = migrate({ guest, content, faults: [{ ...fault, records: 1 }] });
  same("without asking again", control.migration.status, "failed");
}

/** The last page of a round is spoilt: the round is late by the way there and back. */
export function checkAskedLast(): void {
  const free = runText(TEXT);
  const last = Math.max(
    ...of(free, abi.T_PAGE, 0)
      .filter((e) => e.which === abi.P_FRAMED)
      .map(({ t }) => t),
  );
  const fault = { at: `${Math.floor(last / NS) - 2} ns`, what: "corrupt" };
  const run = runText(TEXT, { sets: ["migration.onTagFailure=ask-again", faultsOf(fault)] });
  ended("the last record", run);
  same("the last record: asked", run.core.counter(1, abi.C_ASKED_AGAIN), 1);
  const received = of(run, abi.T_PAGE, 1).filter((e) => e.which === abi.P_RECEIVED);
  same("the last record: received", received.length, 129);
  const [first, again] = received.filter(({ a }) => a === received.at(-1)!.a).map(({ t }) => t / NS);
  const by = again! - first! - run.scenario.link.rttTicks / NS;
  // a descriptor, a read, the engines and the wire of one page
  claim("the last record: a round trip later", by > 1000 && by < 8000, `${by} ns more`, "some microseconds");
}

/** The link closes while records have overtaken each other: those that have come are not written off. */
export function checkClosedBehindGap(): void {
  const guest = generated(400, 200_000, { zero: 10, text: 60, random: 30 });
  const sets = SLOW_CIPHERS.filter((set) => !set.includes("engines"));
  const faults = [{ at: "618 us", what: "corrupt" }];
  const result = migrate({ guest, content: "sized", link: { transport: "udp" }, faults }, { sets });
  unbroken("closed behind a gap", result);
  same("closed behind a gap", result.migration.status, "failed");
  claim("closed behind a gap: written off", result.check.writtenOff!.records > 0, 0, "some");
}

/** A tracker that is started on demand: the setup takes so much longer, the host is busy with it. */
export function checkOnDemand(): void {
  const tracker = { start: "on-demand", startLatency: "5 ms" };
  const [resident, bare] = [{}, tracker].map((how) => migrate({ ...WRITING, tracker: how })) as [
    Result,
    Result,
  ];
  unbroken("on demand", bare);
  same("on demand", bare.migration.status, "completed");
  same("on demand: pages", bare.check.pagesDifferent, 0);
  same("on demand: setup", bare.migration.setupTimeNs! - resident.migration.setupTimeNs!, 5e6);
  const [busy, idle] = [bare, resident].map((one) => one.hostCpu.sourceCoreSeconds);
  claim("on demand: host", busy! - idle! > 0.0049 && busy! - idle! < 0.0055, busy! - idle!, "5 ms more");
  // nothing is tracked, and no write stands still for a fault, before the tracker is there
  const [round] = bare.migration.rounds;
  same("on demand: every page counts", round!.normalPages + round!.zeroPages, 600);
}
