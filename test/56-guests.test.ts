// SPDX-License-Identifier: Apache-2.0
// Several guests on one server: one of a list runs as it does alone, the rule of rounds is the reference's,
// each stops for itself, and what is not proven with several is refused by name.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import type { Variant } from "../src/core.ts";
import { guestWord, partsOf } from "../src/guest-parts.ts";
import { type SimulateInput, simulate } from "../src/index.ts";
import { fingerprintText } from "../src/result/fingerprint.ts";
import { readCore } from "../src/result/reading.ts";
import type { GuestStream } from "../src/trace/events.ts";
import { generated, inputOf, type MigrateOptions, migrate, redis } from "./lib/migrate.ts";
import { generator } from "./lib/random.ts";
import { type Guest, type Rule, type Times, turnsOf } from "./lib/reference/evacuation.ts";
import { linesOf, resolveText } from "./lib/scenario.ts";

const ORDERS = ["fair", "shortest-dirty-first", "one-after-another"] as const;
const link = { rate: "10 Gbit/s" };
const three = [
  { ...generated(500, 200_000, undefined, 300), vcpus: 3 },
  { ...generated(200, 50_000, { zero: 20, text: 50, random: 30 }), vcpus: 2, deviceState: "9 KiB" },
  { ...generated(2049, 1000, { zero: 90, text: 0, random: 10 }), deviceState: "100 kB" },
];

/** Everything that is counted, without what only a list of guests has. */
function numbersOf(scenario: object, options: MigrateOptions): string {
  const input = inputOf(scenario, options);
  const result = simulate(input);
  assert.is(result.check.pagesDifferent, 0);
  const text = fingerprintText(readCore(input.core, BigInt(result.elapsedTicks)));
  return text.replaceAll(/^guest\..*\n/gm, "");
}

for (const kind of ["write-protect", "bitmap"]) {
  test(`one guest of a list runs as it does alone, to the tick: ${kind}`, () => {
    const guest = { ...generated(3000, 200_000, undefined, 120), vcpus: 3 };
    for (const downtimeLimit of ["20 us", "100 us", "10 ms"]) {
      const rest = { link, migration: { downtimeLimit, maxRounds: 6 }, tracker: { kind } };
      assert.is(
        numbersOf({ guests: [guest], ...rest }, {}),
        numbersOf({ guest, ...rest }, {}),
        downtimeLimit,
      );
    }
  });
}

for (const order of ORDERS) {
  test(`three guests move, each with its own memory and device state: ${order}`, () => {
    const scenario = { guests: three, evacuation: { order }, link, migration: { downtimeLimit: "100 us" } };
    const result = migrate(scenario);
    assert.is(result.migration.status, "completed");
    assert.ok(result.check.invariants.every(({ held }) => held));
    assert.is(result.check.pagesCompared, 500 + 200 + 2049);
    const names = result.check.invariants.map(({ name }) => name);
    for (const name of ["guest-moves-once", "one-guest-runs", "destination-equals-source"])
      assert.ok(names.includes(name), name);
    for (const { migration, check } of result.guests!) {
      assert.is(migration.status, "completed");
      assert.is(check.pagesDifferent, 0);
      assert.is(check.deviceStateEqual, true);
      // waiting and tracker, pre-copy and stop are all there is
      const { setupNs, precopyNs, stopNs } = migration.phases;
      assert.ok(Math.abs(setupNs! + precopyNs! + stopNs! - migration.totalTimeNs) < 0.01);
      assert.is(
        migration.rounds[0]!.normalPages + migration.rounds[0]!.zeroPages,
        migration.ram.total / 4096,
      );
    }
    // what each sent is what all sent, and the last to move ends the run
    const sum = result.guests!.reduce((bytes, { migration }) => bytes + migration.ram.transferred, 0);
    assert.is(sum, result.migration.ram.transferred);
    const { lastNs, sumNs, worstDowntimeNs, moved } = result.evacuation!;
    const times = result.guests!.map(({ migration }) => migration.totalTimeNs);
    assert.is(moved, 3);
    assert.is(lastNs, Math.max(...times));
    assert.is(lastNs, result.migration.totalTimeNs);
    assert.ok(Math.abs(sumNs - times.reduce((a, b) => a + b)) < 0.01);
    assert.is(worstDowntimeNs, result.migration.downtimeNs);
    assert.is(migrate(scenario, { input: { quantumTicks: 777_777_777n } }).fingerprint, result.fingerprint);
  });
}

test("the scheduler that steps everything, and one that is followed, see the same", () => {
  const guests = [generated(20, 200_000), { ...generated(12, 100_000), vcpus: 2 }];
  const host = { preset: "gen5-host", frontend: { suspend: "5 us", resume: "5 us" } };
  const rest = { source: { host }, migration: { downtimeLimit: "4 us", maxRounds: 3 } };
  const scenario = { guests, evacuation: { order: "shortest-dirty-first" }, ...rest };
  const { fingerprint, guests: found } = migrate(scenario);
  assert.ok(found!.some(({ migration }) => migration.rounds.length > 1));
  for (const variant of ["naive", "instrumented"] as Variant[])
    assert.is(migrate(scenario, { variant }).fingerprint, fingerprint, variant);
});

// --- the rule of rounds ---

/** Nobody stalls: the tracker is a bitmap, and nothing is flushed. */
const UNSTALLED = {
  tracker: { kind: "bitmap" },
  source: { host: { preset: "gen5-host", tracker: { tlbFlush: "0 ns" } } },
};

/** The writes of a guest up to a time. */
function writesOf(stream: GuestStream, until: bigint): Guest["writes"] {
  const writes: { at: bigint; pfn: number }[] = [];
  const fork = stream.fork();
  for (let batch = fork.next(); batch !== null && batch.startTicks <= until; batch = fork.next())
    for (let i = 0; i < batch.count; i++) writes.push({ at: batch.timeTicks[i]!, pfn: batch.pfns[i]! });
  return writes;
}

/** What the reference is told of a run, and what it must say. */
function observed({ core, stream, scenario }: SimulateInput) {
  const { rounds } = readCore(core, core.clockNow());
  const parts = partsOf(scenario, stream);
  const guests = parts.map(({ pages }, k) => {
    const stopped = guestWord(core, k, abi.GT_SUSPENDED);
    return { pages, suspendedAt: stopped, writes: writesOf(stream.parts![k]!, core.clockNow()) };
  });
  const seen = new Set<number>();
  let before = 0n;
  const times: Times[] = [];
  const turns = rounds.map((row, i) => {
    const guest = Number(row[abi.RL_GUEST]);
    const first = !seen.has(guest);
    seen.add(guest);
    const startAt = row[abi.RL_START]!;
    const begun = guestWord(core, guest, abi.GT_BEGUN);
    const last = startAt > guests[guest]!.suspendedAt - 1n && guests[guest]!.suspendedAt !== 0n;
    times.push({
      chosenAt: first ? begun : i > 0 && before !== 0n ? before : startAt,
      startAt,
      endAt: row[abi.RL_END]!,
    });
    // what follows a guest's last round is decided when it has moved
    before = last ? 0n : row[abi.RL_END]!;
    const told = row[abi.RL_END] !== 0n;
    return { guest, pages: told ? Number(row[abi.RL_NORMAL]! + row[abi.RL_ZERO]!) : null, last };
  });
  return { guests, times, turns };
}

/** A server of two to five small guests. */
function randomServer(seed: number) {
  const random = generator(seed);
  const below = (most: number): number => Math.floor(random() * most);
  const n = 2 + below(4);
  const guests = Array.from({ length: n }, () => {
    const pages = 40 + below(400);
    const working = 1 + below(pages);
    const rate = below(5) === 0 ? 0 : 20_000 * (1 + below(40));
    const mix = { zero: 10, text: 30, random: 60 };
    const vcpus = 1 + below(4);
    return { ...generated(pages, rate, mix, working), vcpus, deviceState: `${1 + below(30)} KiB` };
  });
  const limitUs = 20 + below(300);
  const maxRounds = 2 + below(9);
  return { guests, limitUs, maxRounds, gbits: [5, 10, 25][below(3)]! };
}

test("whose rounds they are, how many pages each sends and when a guest stops is the reference's", () => {
  const seen = { turns: 0, givenUp: 0, long: 0, orders: new Set<string>() };
  for (let seed = 0; seed < 6; seed++) {
    const { guests, limitUs, maxRounds, gbits } = randomServer(seed);
    const found: string[] = [];
    for (const order of ORDERS) {
      const input = inputOf({
        guests,
        evacuation: { order },
        link: { rate: `${gbits} Gbit/s` },
        content: "sized",
        migration: { downtimeLimit: `${limitUs} us`, maxRounds },
        seed,
        ...UNSTALLED,
      });
      const result = simulate(input);
      assert.is(result.check.pagesDifferent, 0);
      assert.ok(result.check.invariants.every(({ held }) => held));
      const was = observed(input);
      const rule: Rule = { order, limitTicks: BigInt(limitUs) * 1_024_000_000n, maxRounds };
      const must = turnsOf(was.guests, rule, was.times);
      const told = must.map((turn, i) => (was.turns[i]!.pages === null ? { ...turn, pages: null } : turn));
      assert.equal(was.turns, told, `seed ${seed}, ${order}`);
      found.push(must.map(({ guest }) => guest).join());
      seen.turns += must.length;
      seen.givenUp += result.guests!.filter(({ migration }) => migration.status === "not-converged").length;
      seen.long += result.guests!.filter(({ migration }) => migration.rounds.length > 3).length;
    }
    for (const turns of new Set(found)) seen.orders.add(`${seed} ${turns}`);
  }
  // the orders differ, some guests stay, and some take several rounds
  assert.ok(seen.turns > 100 && seen.givenUp > 2 && seen.long > 5, JSON.stringify(seen));
  assert.ok(seen.orders.size > 12, `${seen.orders.size} of 18 ways`);
});

// --- each for itself ---

test("a guest that stops stops alone: the others write on to their own stops", () => {
  const guests = [generated(300, 100_000), generated(4000, 100_000, undefined, 64)];
  const scenario = { guests, link, migration: { downtimeLimit: "1 ms" }, ...UNSTALLED };
  const input = inputOf({ ...scenario, evacuation: { order: "one-after-another" } });
  const result = simulate(input);
  const [first, second] = result.guests!;
  assert.ok(first!.migration.totalTimeNs < second!.migration.totalTimeNs / 2);
  for (const [k, { firstVcpu }] of partsOf(input.scenario, input.stream).entries()) {
    const stopped = guestWord(input.core, k, abi.GT_SUSPENDED);
    const due = writesOf(input.stream.parts![k]!, stopped).filter(({ at }) => at < stopped).length;
    assert.is(Number(input.core.u64(input.core.address("vcpusAt") + firstVcpu * 32 + 8)), due, `guest ${k}`);
  }
});

test("a flush holds the vCPUs of the guest up whose pages are cleaned, and a fault its own", () => {
  const host = { preset: "gen5-host", tracker: { tlbFlush: "300 us", writeFault: "2 us" } };
  const guests = [generated(300, 0), { ...generated(900, 100_000, undefined, 50), vcpus: 2 }];
  const input = inputOf({ guests, link, source: { host }, migration: { downtimeLimit: "1 ms" } });
  const { guests: found } = simulate(input);
  assert.is(found![0]!.guest.writeFaults, 0);
  assert.is(found![0]!.guest.stallNs, 0);
  const { writeFaults, stallNs } = found![1]!.guest;
  assert.ok(writeFaults > 20 && writeFaults < 120, `${writeFaults} faults`);
  assert.is(stallNs, writeFaults * 2000);
  // late by flushes: one at the tracker's start and one a round that cleaned anything, and by faults
  const rounds = found![1]!.migration.rounds.length;
  const lateAt = [0, 1, 2].map((v) => input.core.u64(input.core.address("vcpusAt") + v * 32));
  const flush = 300n * 1_024_000_000n;
  const ever = 0x7fff_ffff_ffff_ffffn;
  // and it is stopped once
  const late = lateAt.map((ticks) => ticks - ever);
  assert.ok(late.every((ticks) => ticks >= 0n));
  const faults = BigInt(writeFaults) * 2_000n * 1_024_000n;
  const flushes = (late[1]! + late[2]! - faults) / flush;
  assert.is((late[1]! + late[2]! - faults) % flush, 0n);
  assert.ok(flushes >= 4n && flushes <= 2n * BigInt(rounds + 1), `${flushes} flushes`);
  assert.is(late[0], flush, "the tracker's start alone");
});

test("a guest that does not converge stays, with its memory, and the others move", () => {
  const guests = [generated(400, 0), generated(600, 3_000_000), generated(500, 1000)];
  for (const order of ORDERS) {
    const scenario = {
      guests,
      evacuation: { order },
      link,
      migration: { downtimeLimit: "50 us", maxRounds: 3 },
    };
    const result = migrate(scenario);
    assert.is(result.migration.status, "not-converged");
    assert.equal(
      result.guests!.map(({ migration }) => migration.status),
      ["completed", "not-converged", "completed"],
    );
    assert.is(result.guests![1]!.migration.rounds.length, 3);
    assert.is(result.guests![1]!.migration.downtimeNs, null);
    assert.ok(result.guests![1]!.migration.ram.remaining > 0);
    assert.is(result.check.pagesDifferent, 0);
    assert.ok(result.check.invariants.every(({ held }) => held));
    assert.is(result.evacuation!.moved, 2);
    // forced, it moves as well
    const forced = { ...scenario, migration: { ...scenario.migration, onTimeout: "force" } };
    const all = migrate(forced);
    assert.is(all.migration.status, "completed");
    assert.is(all.evacuation!.moved, 3);
    assert.match(all.guests![1]!.migration.reason!, /round limit was reached; the stop was forced/);
  }
});

test("guests that play one trace have their recorded contents, sampled too", () => {
  for (const content of ["full", "sized", "sampled"]) {
    const guests = [{ ...redis, tile: 5 }, generated(100, 1000), redis];
    const every = content === "sampled" ? { sampleEvery: 7 } : {};
    const result = migrate({ guests, content, ...every, link, migration: { downtimeLimit: "5 ms" } });
    assert.is(result.migration.status, "completed", content);
    assert.is(result.check.pagesDifferent, 0);
    assert.is(result.check.pagesCompared, 6 * 601 + 100);
    assert.is(result.check.contentCapturedPercent, 100);
  }
});

test("full and sized give the same times", () => {
  const times = ["full", "sized"].map(
    (content) =>
      migrate({ guests: three, content, link, migration: { downtimeLimit: "100 us" } }).elapsedTicks,
  );
  assert.is(times[0], times[1]);
});

// --- the file ---

const LIST = "guests: [ { generate: { memory: 1 MiB, rate: 0 /s, workingSet: 4 KiB } } ]";

/** Lines below a good list of one guest. */
function refused(lines: string): string {
  return linesOf(() => resolveText(`schema: dpusim.scenario/1\n${LIST}\n${lines}\n`))
    .map((line) => line.replace(/^s.yaml:\d+:\d+ /, ""))
    .join("\n");
}

test("what knows of one guest alone is refused by name beside a list", () => {
  const alone = "is not supported yet with guests; write";
  for (const [lines, message] of [
    ["internal: { pages: vsock }", `internal.pages: ${alone} dma`],
    ["delta: { xbzrle: { cache: 1 MiB } }", `delta: ${alone} off`],
    ["tenant: { op: read }", `tenant: ${alone} off`],
    ["faults: [ { at: 1 s, what: cancel } ]", `faults: ${alone} []`],
    ["tracker: { kind: pml }", `tracker.kind: ${alone} write-protect`],
    ["tracker: { kind: dirty-ring }", `tracker.kind: ${alone} write-protect`],
    ["tracker: { group: 4 }", `tracker.group: ${alone} 1`],
    ["tracker: { start: on-demand }", `tracker.start: ${alone} resident`],
    ["tracker: { order: clear-after-read }", `tracker.order: ${alone} clear-before-read`],
    ["migration: { algorithm: hybrid }", `migration.algorithm: ${alone} precopy`],
    ["migration: { residual: on-demand }", `migration.residual: ${alone} before-resume`],
    ["migration: { timeout: 1 s }", `migration.timeout: ${alone} none`],
    ["migration: { retries: 1 }", `migration.retries: ${alone} 0`],
    ["migration: { silence: 1 s }", `migration.silence: ${alone} none`],
    ["placement: { zero: card-core }", `placement.zero: ${alone} card`],
  ] as const)
    assert.is(refused(lines), message, lines);
  assert.match(refused("placement: qemu"), /placement: is not supported yet with guests; write huawei/);
  const cores = "source: { host: { preset: gen5-host, cpu: { cores: 4 } } }";
  assert.match(refused(cores), /source.host: has cpu.cores, which is not supported yet with guests/);
});

test("a list that cannot be is refused where it stands", () => {
  const list = (text: string): string =>
    linesOf(() => resolveText(`schema: dpusim.scenario/1\n${text}\n`)).join("\n");
  const idle = "generate: { memory: 1 MiB, rate: 0 /s, workingSet: 4 KiB }";
  const trace = "trace: ../traces/host-redis-small.mdt";
  for (const [text, message] of [
    ["guests: []", "s.yaml:2:9 guests: is empty; write guest for one"],
    [
      "guests: 8",
      "s.yaml:2:9 guests: is no list of guests; write - { trace: FILE } or - { generate: ... } each",
    ],
    [`guests: [ ${`{ ${idle} }, `.repeat(17)} ]`, "s.yaml:2:9 guests: are more than 16; write fewer"],
    [
      `guest: { ${idle} }\nguests: [ { ${idle} } ]`,
      "s.yaml:3:1 guests: stands beside guest; keep one of the two",
    ],
    [
      `guest: { ${idle} }\nevacuation: { order: fair }`,
      "s.yaml:3:1 evacuation: has no effect without guests; remove it",
    ],
    ["guests: [ { vcpus: 2 } ]", "guests.0: has no writes; give trace: FILE or generate"],
    [`guests: [ { ${idle} }, { ${idle}, tile: 2 } ]`, "guests.1.tile: has an effect on traces alone"],
    [
      `guests: [ { ${idle}, clock: wall } ]`,
      "guests.0.clock: is not supported yet with several guests; write guest",
    ],
    [
      `guests: [ { ${trace}, atEnd: fail } ]`,
      "guests.0.atEnd: fail is not supported yet with several guests",
    ],
    [`guests: [ { ${idle}, storage: { } } ]`, "guests.0.storage: is not supported yet with several guests"],
    [
      `guests: [ { ${trace} }, { trace: other.mdt } ]`,
      "guests.1.trace: is not supported yet with several guests where",
    ],
    [
      `guests: [ { ${idle}, vcpus: 60 }, { ${idle}, vcpus: 5 } ]`,
      "guests: have 65 vCPUs together; write at most 64",
    ],
    [`${LIST}\nmigration: { maxRounds: 1023 }`, ""],
    [
      `guests: [ { ${idle} }, { ${idle} } ]\nmigration: { maxRounds: 512 }`,
      "migration.maxRounds: 512 for each of 2 guests",
    ],
    [`${LIST}\nevacuation: { order: longest }`, "evacuation.order: longest is not known here"],
    ["guests: [ { trace: nowhere.mdt } ]", "guests.0.trace: "],
  ] as const) {
    if (message === "") assert.not.throws(() => resolveText(`schema: dpusim.scenario/1\n${text}\n`));
    else assert.ok(list(text).includes(message), `${text}: ${list(text)}`);
  }
});

test.run();
