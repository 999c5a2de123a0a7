// SPDX-License-Identifier: Apache-2.0
// Several guests on one server: one of a list runs as it does alone, the rule of rounds is the reference's,
// each stops for itself, and what is not proven with several is refused by name.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import type { Variant } from "../src/core.ts";
import { guestWord, partsOf } from "../src/guest-parts.ts";
import { simulate } from "../src/index.ts";
import { resultTable } from "../src/report/table.ts";
import { fingerprintText } from "../src/result/fingerprint.ts";
import { roundsTooFast } from "../src/result/migration.ts";
import { readCore } from "../src/result/reading.ts";
import { ORDERS, turnsBeside, UNSTALLED, writesOf } from "./lib/claims/guests.ts";
import { generated, inputOf, type MigrateOptions, migrate, redis } from "./lib/migrate.ts";
import { linesOf, resolveText } from "./lib/scenario.ts";

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
  // slow clocks: few edges
  const card = { preset: "dpu-ref", clock: "50 MHz", control: { clock: "80 MHz" } };
  const frontend = { suspend: "1 us", resume: "1 us", interrupt: "1 us" };
  const host = { preset: "gen5-host", frontend, tracker: { tlbFlush: "1 us" } };
  const guests = [generated(10, 200_000), { ...generated(8, 100_000), vcpus: 2 }];
  const scenario = {
    guests: guests.map((guest, k) => ({ ...guest, deviceState: `${4 + k} KiB` })),
    evacuation: { order: "shortest-dirty-first" },
    source: { host, card },
    link: { rtt: "2 us" },
    migration: { downtimeLimit: "4 us", maxRounds: 2, onTimeout: "force" },
  };
  const { fingerprint, evacuation, migration } = migrate(scenario);
  assert.is(evacuation!.moved, 2);
  assert.ok(migration.rounds.length >= 5, "one of them has two rounds before its stop");
  for (const variant of ["naive", "instrumented"] as Variant[])
    assert.is(migrate(scenario, { variant }).fingerprint, fingerprint, variant);
});

// --- the rule of rounds ---

test("whose rounds they are, how many pages each sends and when a guest stops is the reference's", () => {
  const seen = { turns: 0, givenUp: 0, long: 0, ways: 0 };
  for (let seed = 4; seed < 10; seed++) {
    const found = ORDERS.map((order) => {
      const { result, turns, must } = turnsBeside(seed, order);
      assert.equal(turns, must, `seed ${seed}, ${order}`);
      const guests = result.guests!.map(({ migration }) => migration);
      seen.turns += must.length;
      seen.givenUp += guests.filter(({ status }) => status === "not-converged").length;
      seen.long += guests.filter(({ rounds }) => rounds.length > 3).length;
      return must.map(({ guest }) => guest).join();
    });
    seen.ways += new Set(found).size;
  }
  // the orders differ, some guests stay, and some take several rounds
  assert.ok(seen.turns > 100 && seen.givenUp > 2 && seen.long > 5 && seen.ways > 12, JSON.stringify(seen));
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

test("device state of 4 MiB is its guest's, not of the next one's round", () => {
  const guests = [{ ...generated(8, 0), deviceState: "4 MiB" }, generated(8, 0)];
  const scenario = {
    guests,
    evacuation: { order: "one-after-another" },
    link: { ...link, mtu: 9000 },
    compress: "off",
  };
  const input = inputOf(scenario);
  const { guests: found, check, migration } = simulate(input);
  const [first, second] = found!.map((one) => one.migration);
  // 4 MiB, each record of them and each frame with its headers; 8 pages of 4 KiB and theirs
  assert.ok(first!.bytesOutsideRounds! > 4_194_304 && first!.bytesOutsideRounds! < 4.4e6);
  assert.ok(second!.rounds[0]!.bytesOnWire < 8 * 4400 + 9038, `${second!.rounds[0]!.bytesOnWire} B`);
  assert.ok(check.invariants.some(({ name, held }) => name === "rounds-fit-link" && held));
  // and the check sees a round that has them as well
  const reading = readCore(input.core, 0n);
  const rows = reading.rounds.map((row, i) =>
    row.map((n, at) => (at === abi.RL_WIRE && i === 2 ? n + BigInt(first!.bytesOutsideRounds!) : n)),
  );
  assert.is(migration.rounds[2]!.guest, 2);
  assert.equal(roundsTooFast(reading, input.scenario), []);
  assert.equal(roundsTooFast({ ...reading, rounds: rows }, input.scenario), [3]);
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
    assert.is(result.check.deviceStateEqual, true);
    const names = result.check.invariants.map(({ name }) => name);
    for (const name of ["destination-equals-source", "source-intact"]) assert.ok(names.includes(name), name);
    assert.match(resultTable(result, "a server"), "destination of 2 guests, source of 1 that it keeps: ");
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

test("below a threshold of pages each guest stops, and not before", () => {
  const guests = [generated(400, 90_000, undefined, 60), generated(600, 40_000, undefined, 200)];
  const threshold = 30;
  const result = migrate({ guests, link, migration: { threshold }, ...UNSTALLED });
  assert.is(result.migration.status, "completed");
  for (const { migration } of result.guests!) {
    // left after a round: what is written meanwhile; what the last round sends is that and a little more
    const pages = migration.rounds.map((round) => round.normalPages + round.zeroPages);
    assert.ok(
      pages.slice(0, -1).every((n) => n >= threshold),
      pages.join(),
    );
    assert.ok(pages.at(-1)! < 2 * threshold, pages.join());
  }
});

test("on other paths and with other engines every guest is as it must be", () => {
  const guests = [
    { ...generated(260, 300_000, { zero: 20, text: 40, random: 40 }), vcpus: 2 },
    { ...generated(90, 100_000), deviceState: "5 KiB" },
    { ...generated(150, 20_000, { zero: 0, text: 100, random: 0 }), deviceState: "40 KiB" },
  ];
  const paths: object[] = [
    { link: { transport: "udp", bottleneck: "4 Gbit/s", buffer: "60 KiB" } },
    { link: { ...link, congestion: "cubic", loss: 0.002 } },
    { link: { ...link, streams: 3, congestion: "reno" } },
    { link: { ...link, arbitration: "weighted" }, compress: "off" },
    { internal: { addresses: "list", iommu: "4KiB", ats: "on" }, encrypt: "off" },
    { compress: { choose: "throughput", chooseEvery: 16 }, link: { rate: "40 Gbit/s" } },
    { internal: { addresses: "runs", jitter: "on", interrupts: { every: "50 us", after: 4 } } },
    {
      content: "sized",
      compress: { engine: "deflate-hw" },
      destination: { card: "bluefield2-like" },
      encrypt: "off",
    },
    { content: "sampled", sampleEvery: 3, internal: { bitErrorRate: 1e-7, ecrc: "on" } },
  ];
  for (const [i, path] of paths.entries()) {
    const evacuation = { order: ORDERS[i % 3]! };
    const migration = { downtimeLimit: "60 us", maxRounds: 8, onTimeout: "force" };
    const result = migrate({ guests, evacuation, migration, seed: i, ...path });
    const what = JSON.stringify(path);
    assert.is(result.migration.status, "completed", what);
    assert.is(result.check.pagesDifferent, 0, what);
    assert.is(result.evacuation!.moved, 3, what);
    const broken = result.check.invariants.filter(({ held }) => !held);
    assert.equal(broken, [], what);
  }
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
    ["internal: { addresses: card-scans }\ntracker: { kind: bitmap }", `internal.addresses: ${alone} bitmap`],
    ["encrypt: { decrypt: { demand: true } }", `encrypt.decrypt: ${alone} eager`],
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
