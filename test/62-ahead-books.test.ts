// SPDX-License-Identifier: Apache-2.0
// What is counted before a migration is asked for, and what since: accounts against the list of everything
// that happened, shares of a run whose card works ahead or has other I/O, pages that are made ahead.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood, type Result } from "../src/index.ts";
import { oddSince, unitsSince } from "../src/result/accounts.ts";
import { readCore } from "../src/result/reading.ts";
import { checkCopies } from "./lib/claims/ahead.ts";
import { TEXT } from "./lib/configurations.ts";
import { generated, migrate } from "./lib/migrate.ts";
import { runShipped } from "./lib/shipped.ts";
import { of, type Run, runText } from "./lib/timeline.ts";

const BUSY = [
  ...["guest.generate.memory=9 MiB", "guest.generate.workingSet=9 MiB", "guest.generate.rate=200000 /s"],
  ...["content=sized", "encrypt.when=before-request", "tracker.kind=bitmap"],
];

/** A run whose request comes in the middle of work for the store. */
function cutOff(startAt: number, sets: string[] = []): Run {
  const run = runText(TEXT, { sets: [...BUSY, `migration.startAt=${startAt} ns`, ...sets] });
  assert.is(run.stop, abi.STOP_DONE);
  return run;
}

for (const startAt of [150_000, 300_701, 412_345.678]) {
  test(`asked for at ${startAt} ns: accounts and counters since are those of the list`, () => {
    const run = cutOff(startAt);
    const reading = readCore(run.core, 0n);
    const asked = Number(reading.log[abi.L_STARTED]);
    assert.is(asked, Math.round(startAt * abi.TICKS_PER_NS));
    const end = Number(reading.elapsedTicks);
    const since = unitsSince(reading.accounts, reading.before.accounts);
    assert.equal(oddSince(since, BigInt(end - asked)), []);
    // every copy of the framer is in the list, with its end
    const copies = of(run, abi.T_STAGE, 0).filter(({ which }) => which === abi.U_FRAMER);
    const within = copies.reduce(
      (sum, { t, b }) => sum + Math.max(0, Math.min(b, end) - Math.max(t, asked)),
      0,
    );
    const framer = since.find(({ name }) => name === "source.card.framer")!;
    assert.is(Number(framer.ticks[abi.BUSY]), within);
    // and every page that has been read
    const read = of(run, abi.T_PAGE, 0).filter(({ which, t }) => which === abi.P_READ && t <= asked);
    assert.is(Number(reading.before.counters[0]![abi.C_READ_PAGES]), read.length);
    assert.ok(read.length > 0 && copies.some(({ t }) => t < asked));
  });
}

const shares = (result: Result): number[] => result.bottleneck.shares.map(({ share }) => share);

test("tarasuk-before-request: the link limits, and no unit is busy for longer than there is time", () => {
  const result = runShipped("tarasuk-before-request", ["content=sized"]);
  assert.ok(isGood(result), JSON.stringify(result.check));
  assert.equal([result.bottleneck.unit, result.bottleneck.cause], ["source.link.tx", "busy"]);
  const [sealing, whole] = [
    result.bottleneck.shares.find(({ unit }) => unit === "source.card.crypto.seal.*")!,
    Number(result.units["source.card.crypto.seal.0"]!.busyTicks),
  ];
  const took = result.migration.totalTimeNs * abi.TICKS_PER_NS;
  assert.ok(whole > took, "what was sealed ahead alone is more than the migration's time");
  assert.ok(sealing.share < 0.8, `${sealing.share}`);
});

test("pages of the store that are read after the request are told of", () => {
  const result = runShipped("tarasuk-before-request", ["content=sized", "encrypt.ahead=3 ms"]);
  const { storedPages, laterPages, pcieBytes, sentPages, stalePages } = result.migration.ahead!;
  assert.ok(isGood(result) && laterPages > 100, `${laterPages} pages`);
  assert.is(pcieBytes, 4096 * (storedPages - laterPages));
  assert.is(storedPages, sentPages + stalePages);
});

test("other I/O before the request is none of the migration's", () => {
  const guest = generated(1000, 0);
  const tenant = { op: "readwrite", workers: 2 };
  const share = (result: Result, name: string): number =>
    result.bottleneck.shares.find(({ unit }) => unit === name)?.share ?? 0;
  const [soon, late] = ["100 us", "9 ms"].map((startAt) =>
    migrate({ guest, tenant, content: "sized", migration: { startAt } }),
  ) as [Result, Result];
  for (const result of [soon, late]) {
    assert.ok(isGood(result), JSON.stringify(result.check));
    assert.ok(shares(result).every((one) => one <= 1));
  }
  const [one, other] = [soon, late].map((result) => share(result, "source.pcie.down")) as [number, number];
  assert.ok(one > 0.1 && one < 0.97 && Math.abs(other / one - 1) < 0.02, `${one} ${other}`);
});

test("the stop rule asks how fast pages are read and coded, not how fast a store is sent", () => {
  for (const [limit, more] of [
    ["0.8 ms", true],
    ["4 ms", false],
  ] as const) {
    const result = runShipped("tarasuk-before-request", [
      "content=sized",
      `migration.downtimeLimit=${limit}`,
    ]);
    const { rounds, ahead, downtimeNs } = result.migration;
    const [first] = rounds;
    const coded = first!.normalPages + first!.zeroPages - ahead!.sentPages;
    const left = rounds[1]!.normalPages + rounds[1]!.zeroPages;
    const expected = (left * first!.durationNs) / coded;
    const most = Number.parseFloat(limit) * 1e6;
    assert.is(expected > most, more, `${left} pages, ${expected} ns of ${most}`);
    assert.is(rounds.length > 2, more);
    // beside pages the device state and four messages
    if (more) assert.ok(downtimeNs! < most + 300_000, `${downtimeNs} ns`);
  }
});

test("a record goes into card DRAM and out of it once, with its entry", checkCopies);

test.run();
