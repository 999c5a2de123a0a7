// SPDX-License-Identifier: Apache-2.0
// Encryption before the migration is asked for (Tarasuk-Levin): what the store holds and what goes out of it
// against the slow store, page by page; the scenario, and its controls: inline, a busier guest, a slow rate.
// Environment: lib/random.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { followedSimulation } from "../src/follow.ts";
import { isGood, type Result } from "../src/index.ts";
import { checkStore, pacesOf } from "./lib/ahead.ts";
import { checkStored, checkStoredRecords } from "./lib/claims/ahead.ts";
import { type Choices, chosen, configuration, sameBooks, TEXT } from "./lib/configurations.ts";
import { generated, inputOf, migrate, stat } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { fitting, outcome, roomOf } from "./lib/reference/ahead.ts";
import { checkPcie, checkTcp } from "./lib/reference/compare.ts";
import { linesOf, resolveText } from "./lib/scenario.ts";
import { runShipped } from "./lib/shipped.ts";
import { type Run, runText } from "./lib/timeline.ts";

const AHEAD: Choices = {
  "encrypt.cipher": ["aes-128-gcm", "aes-256-gcm"],
  "tracker.kind": ["write-protect", "bitmap"],
  "migration.startAt": ["300 us", "2 ms", "5 ms"],
  "guest.generate.rate": ["1000 /s", "100000 /s", "1000000 /s"],
  "guest.generate.workingSet": ["16 KiB", "64 KiB"],
  "source.card.dram.store": ["8 GiB", "8 GiB", "100 KiB", "4200 B"],
};
const DROPPED = ["tracker.", "internal.pages", "delta", "encrypt.cipher", "guest.generate.rate"];

/** A configuration of any kind, whose source encrypts ahead. */
function ahead(seed: number): string[] {
  const next = generator(seed + 9000);
  const sets = configuration(seed).filter((set) => !DROPPED.some((key) => set.startsWith(key)));
  sets.push(...chosen(next, "", AHEAD), "encrypt.when=before-request");
  if (next() < 0.5) sets.push(`encrypt.aheadRate=${next() < 0.5 ? "100 MB/s" : "1 GB/s"}`);
  if (next() < 0.5) sets.push("encrypt.ahead=200 us");
  return sets;
}

function ended(sets: string[]): Run {
  const run = runText(TEXT, { sets });
  const broken = run.core.global("brokenInvariant");
  assert.is(run.stop, abi.STOP_DONE, `stopped with ${run.stop}, invariant ${broken}`);
  assert.is(run.core.logged(abi.L_STATUS), BigInt(abi.STATUS_COMPLETED));
  return run;
}

for (const seed of seeds(8)) {
  test(`configuration ${seed}`, () => {
    const sets = ahead(seed);
    const run = ended(sets);
    checkStore(run);
    checkPcie(run, 0);
    checkPcie(run, 1);
    checkTcp(run);
    sameBooks("naive", run.core, runText(TEXT, { sets, variant: "naive" }).core);
  });
}

test("what a store holds and sends, by hand", () => {
  // entries of 40 bytes, lines of 64
  assert.equal([0, 1, 64, 65, 4096].map(roomOf), [40, 104, 104, 168, 4136]);
  // a third page needs 4136 bytes behind 40 and 168
  assert.is(fitting([0, 65, 4096, 4096], 4343), 2);
  assert.is(fitting([0, 65, 4096, 4096], 4344), 3);
  const all = (what: "taken" | "begun" | "announced" | "passed") => [1, 2, 3].map((pfn) => ({ what, pfn }));
  const kept = (pfn: number) => ({ what: "kept", pfn, bytes: 100 }) as const;
  const written = (pfn: number) => ({ what: "written", pfn }) as const;
  const steps = [
    ...[written(1), ...all("taken"), ...all("begun"), kept(1), kept(2), written(2)],
    ...[...all("announced"), written(1), ...all("passed"), kept(3)],
  ];
  assert.equal(outcome(steps), { sent: [1], stale: [2, 3], used: 2 * 168 });
});

const BUSY = [
  ...["guest.generate.memory=9 MiB", "guest.generate.workingSet=9 MiB", "guest.generate.rate=200000 /s"],
  ...["content=sized", "migration.startAt=8 ms", "encrypt.when=before-request", "tracker.kind=bitmap"],
];

test("reference: of a store that fills, and of one in which some pages are stale", () => {
  const some = checkStore(ended(BUSY));
  assert.ok(some.sent.length > 100 && some.stale.length > 100, `${some.sent.length} ${some.stale.length}`);
  const full = ended([...BUSY, "source.card.dram.store=1 MiB"]);
  const { sent, stale, used } = checkStore(full);
  assert.ok(full.core.logged(abi.L_STORE_FULL) > 0n && sent.length + stale.length < 2304);
  assert.ok(used <= 2 ** 20 && used + 4136 > 2 ** 20, `${used} bytes`);
});

for (const [kind, log] of [
  ["pml", ""],
  ["dirty-ring", "64"],
  ["dirty-ring", "4096"],
] as const) {
  test(`reference: logs, ${kind} ${log}`, () => {
    const sets = BUSY.filter((set) => !set.startsWith("tracker."));
    const ring = log === "" ? [] : [`tracker.ring=${log}`];
    const { sent, stale } = checkStore(ended([...sets, `tracker.kind=${kind}`, ...ring]));
    assert.ok(sent.length > 100 && stale.length > 100, `${sent.length} ${stale.length}`);
  });
}

test("reference: a store that ends before it is full is seen", () => {
  const run = ended(BUSY);
  const short = run.events.filter(
    (e) => !((e.which === abi.P_FOUND || e.which === abi.P_STORED) && e.a > 2000),
  );
  assert.throws(() => checkStore({ ...run, events: short }), /room and time for more/);
});

test("reference: a write that is left out of the list, and a byte less, are seen", () => {
  const run = ended(BUSY);
  const [one] = checkStore(run).stale;
  const without = run.events.filter((e) => !(e.which === abi.P_WRITTEN && e.a === one));
  assert.throws(() => checkStore({ ...run, events: without }), /differs/);
  const full = ended([...BUSY, "source.card.dram.store=1 MiB"]);
  const sides = full.params.sides.map((side) => [...side]) as [number[], number[]];
  sides[0][abi.S_STORE_BYTES]! -= 2 ** 19;
  assert.throws(() => checkStore({ ...full, params: { ...full.params, sides } }), /fit/);
});

test("formula: with a rate, pages begin 4096 / rate after each other", () => {
  const run = ended([...BUSY, "encrypt.aheadRate=2 GB/s", "guest.generate.workingSet=4 MiB"]);
  checkStore(run);
  const paces = pacesOf(run);
  // 2048 ns a page, to the next edge of 1 ns
  const ns = abi.TICKS_PER_NS;
  assert.ok(paces.length === 2303 && paces.every((pace) => pace >= 2048 * ns), `${new Set(paces)}`);
  // but for the first of a batch
  assert.ok(paces.filter((pace) => pace !== 2048 * ns).length <= 1, `${new Set(paces)}`);
});

/** Text that nobody writes, and engines that are slower than the link. */
const STILL = { ...generated(1500, 0, { zero: 10, text: 50, random: 40 }), vcpus: 2 };
const SLOW = {
  host: "gen5-host",
  card: {
    preset: "dpu-ref",
    crypto: { engines: 1, bitsPerCycle: "128 bit/cycle", cyclesPerRound: 1 },
  },
};
const still = (encrypt: object, more: object = {}): Result =>
  migrate({
    ...{ guest: STILL, source: SLOW, destination: { host: "gen5-host", card: "dpu-ref" } },
    ...{ content: "sized", compress: { engine: "lz4-hw" }, encrypt, migration: { startAt: "20 ms" } },
    ...more,
  });

test("formula: of a guest that does not write nothing is read, coded or sealed again", () => {
  const result = still({ when: "before-request" });
  assert.ok(isGood(result), JSON.stringify(result.check));
  const pages = 1500;
  const { storedPages, sentPages, stalePages, storeFullNs, pcieBytes } = result.migration.ahead!;
  assert.equal([storedPages, sentPages, stalePages, storeFullNs], [pages, pages, 0, null]);
  assert.is(pcieBytes, pages * 4096);
  assert.is(stat(result, "source.card.dma.read.pages"), pages);
  // 8 bytes of nonce beside what inline sends
  const inline = still({});
  const bytes = (of: Result): number => stat(of, "source.link.recordBytes.pages");
  const [first] = result.migration.rounds;
  assert.is(first!.normalPages + first!.zeroPages, pages);
  assert.is(first!.zeroPages, inline.migration.rounds[0]!.zeroPages);
  assert.is(bytes(result), bytes(inline) + 8 * pages);
  // inline, one engine of 11 clocks a word of 128 bits is what limits: 1 + 1 words and the payload's
  const payload = bytes(inline) - 32 * pages;
  const least = 11 * (2 * pages + payload / 16);
  assert.ok(inline.migration.rounds[0]!.durationNs > least);
  // ahead, the wire: 100 Gbit/s of the host's card or less
  assert.ok(first!.durationNs < least / 3, `${first!.durationNs} ns, inline ${least} ns`);
});

test("formula: the first round of such a guest is its bytes at the link's rate, and a way", () => {
  const rtt = 20_000;
  const link = { preset: "ethernet-25g", rtt: "20 us" };
  const [first] = still({ when: "before-request" }, { link }).migration.rounds;
  const wire = (8 * first!.bytesOnWire) / 25;
  assert.ok(first!.durationNs >= wire, `${first!.durationNs} ns, ${wire} ns on the wire`);
  // before it the addresses, 200 + 20 x 1500 cycles of 1.5 GHz; behind it the answer; messages at both
  const handled = (200 + 20 * 1500) / 1.5;
  assert.ok(
    first!.durationNs < wire + rtt + handled + 15_000,
    `${first!.durationNs} ns, ${wire} ns on the wire`,
  );
});

test("every byte carried or none: the same numbers, everything equal at the end", () => {
  const guest = { ...generated(700, 60_000, { zero: 10, text: 50, random: 40 }), vcpus: 4 };
  for (const compress of ["off", { engine: "lz4-hw" }]) {
    const scenario = {
      ...{ guest, compress, encrypt: { when: "before-request" } },
      migration: { startAt: "5 ms", maxRounds: 2, onTimeout: "force", downtimeLimit: "1 ns" },
    };
    const [full, sized, sampled] = ["full", "sized", "sampled"].map((content) =>
      migrate({ ...scenario, content }),
    ) as [Result, Result, Result];
    for (const result of [full, sized, sampled]) {
      assert.ok(isGood(result), JSON.stringify(result.check));
      assert.ok(result.migration.ahead!.sentPages > 50 && result.migration.ahead!.stalePages > 50);
    }
    for (const other of [sized, sampled]) {
      assert.is(other.elapsedTicks, full.elapsedTicks);
      assert.equal(other.migration, full.migration);
    }
    const names = full.check.invariants.filter(({ held }) => held).map(({ name }) => name);
    for (const name of ["nonce-used-once", "record-authentic", "mark-cleared-before-read"])
      assert.ok(names.includes(name), name);
  }
});

const MOVED = { ...generated(700, 60_000, { zero: 10, text: 50, random: 40 }), vcpus: 4 };

for (const [what, more] of Object.entries({
  "decryption on demand": { encrypt: { when: "before-request", decrypt: { demand: true } } },
  "a dirty ring that fills": { tracker: { kind: "dirty-ring", ring: 64 } },
  "logs of the CPU": { tracker: { kind: "pml" } },
  "a tracker that is started": { tracker: { start: "on-demand", startLatency: "1 ms" } },
  "completion records": { source: { card: { preset: "dpu-ref", dma: { completionEvery: 4 } } } },
  "jobs of several pages": { compress: { engine: "bf2-deflate", jobPages: 4 } },
  "packets that arrive spoilt": { internal: { bitErrorRate: 1e-7 } },
  "other I/O of the card": { tenant: { op: "readwrite", workers: 8 } },
  "UDP that loses": { link: { transport: "udp", loss: 0.001 } },
  "TLS, and TCP that loses": { link: { congestion: "cubic", loss: 0.0001, framing: { tls: "v1.3" } } },
})) {
  test(`beside ${what}`, () => {
    const result = migrate({
      ...{ guest: MOVED, content: "sized", encrypt: { when: "before-request" } },
      ...{ migration: { startAt: "5 ms" }, ...more },
    });
    assert.ok(isGood(result), JSON.stringify(result.check));
    const { storedPages, sentPages, stalePages } = result.migration.ahead!;
    assert.ok(sentPages > 50, `${sentPages} pages`);
    assert.is(storedPages, sentPages + stalePages);
  });
}

test("what a guest has beside its memory is refused by name, and several guests are", () => {
  const sets = ["encrypt.when=before-request", "migration.startAt=1 ms"];
  const [nic, disk] = ["[{ name: nic, writes: { rate: 100000 /s, workingSet: 32 KiB } }]", "{ every: 1 us }"];
  for (const [key, value] of [
    ["guest.devices", nic],
    ["guest.storage", disk],
  ] as const) {
    const told = linesOf(() => resolveText(TEXT, { sets: [...sets, `${key}=${value}`] }));
    const right = new RegExp(`${key}: is not supported yet with when: before-request`);
    assert.ok(
      told.some((one) => right.test(one)),
      told.join(),
    );
  }
  const several = TEXT.replace("guest:\n  generate:", "guests:\n  - generate:");
  const told = linesOf(() => resolveText(several, { sets }));
  assert.ok(
    told.some((one) => /guests: is not supported yet with when: before-request/.test(one)),
    told.join(),
  );
});

test("what a mutant must break: pages stored, sent, and the room of a store", checkStored);
test(
  "records of the store opened by another AES-GCM, with numbers and nonces as they came",
  checkStoredRecords,
);

test("a page that is followed is made ahead, kept, and sent as it lies", () => {
  const input = inputOf(
    {
      ...{ guest: { ...generated(64, 0), vcpus: 1 }, content: "sized", encrypt: { when: "before-request" } },
      migration: { startAt: "1 ms" },
    },
    { variant: "instrumented" },
  );
  const steps = followedSimulation(input, [7]);
  let step = steps.next();
  while (!step.done) step = steps.next();
  const [before, first] = step.value.follow![0]!.journeys;
  const told = (way: typeof before): string => way!.events.map(({ what }) => what).join("; ");
  assert.match(told(before), /made for the store; record of 4,096 B kept in card DRAM/);
  assert.match(told(first), /4,136 B appended to link B/);
  assert.not.match(told(first), /seal|DMA read|descriptor/);
});

test("tarasuk-before-request: a shorter migration than inline, paid with reads before it", () => {
  const [before, inline, busier, slow] = [
    [],
    ["encrypt.when=inline"],
    ["guest.speed=800"],
    ["encrypt.aheadRate=50 MB/s"],
  ].map((sets) => runShipped("tarasuk-before-request", [...sets, "content=sized"])) as Result[];
  for (const result of [before, inline, busier, slow])
    assert.ok(isGood(result!), JSON.stringify(result!.check));
  const first = (result: Result): number => result.migration.rounds[0]!.durationNs;
  const stale = (result: Result): number => result.migration.ahead!.stalePages;
  assert.ok(first(before!) < first(inline!) / 2, `${first(before!)} ns, inline ${first(inline!)} ns`);
  assert.ok(before!.migration.totalTimeNs < inline!.migration.totalTimeNs);
  // fewer pages are written in a shorter round
  assert.ok(before!.migration.downtimeNs! < inline!.migration.downtimeNs!);
  assert.ok(
    stale(before!) > 0 && stale(busier!) > 1.2 * stale(before!),
    `${stale(before!)} ${stale(busier!)}`,
  );
  const { storedPages, pcieBytes } = slow!.migration.ahead!;
  assert.ok(storedPages < before!.migration.ahead!.storedPages);
  assert.is(pcieBytes, 4096 * storedPages);
  assert.ok(first(before!) < first(slow!) && first(slow!) < first(inline!));
});

test.run();
