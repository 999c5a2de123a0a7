// SPDX-License-Identifier: Apache-2.0
// Completion records of DMA descriptors: when each is put, to the tick, how many there are, that they go
// behind the data, and what they take of the wire. The reference of 36-random follows the link below them.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood, type Result } from "../src/index.ts";
import { generated, migrate, stat } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { checkPcie, putsOf, sameLists } from "./lib/reference/compare.ts";
import { readRecords, writeRecords } from "./lib/reference/completions.ts";
import { type Run, runText } from "./lib/timeline.ts";

const TEXT = `schema: dpusim.scenario/1
guest:
  generate: { memory: 160 KiB, rate: 200000 /s, workingSet: 80 KiB, mix: { zero: 20, text: 40, random: 40 } }
  deviceState: 5 KiB
migration: { onTimeout: force, maxRounds: 3, downtimeLimit: 1 us }
`;
const DATA_PORT = 0;
const DESCRIPTOR_PORT = 2;

const putsAt = (run: Run, side: number, port: number): { readyAt: number; bytes: number }[] =>
  putsOf(run, side)
    .filter((put) => put.port === port)
    .map(({ readyAt, bytes }) => ({ readyAt, bytes }));

const sum = (list: readonly number[], every: number): number =>
  list.reduce((total, n) => total + Math.ceil(n / every), 0);

function configuration(seed: number): { sets: string[]; every: [number, number] } {
  const next = generator(seed);
  const one = <T>(...of: readonly T[]): T => of[Math.floor(next() * of.length)]!;
  const every: [number, number] = [one(1, 2, 3, 7, 32, 64), one(1, 2, 5, 64)];
  const sets = (["source", "destination"] as const).flatMap((side, i) => [
    `${side}.card.dma.completionEvery=${every[i]}`,
    `${side}.card.dma.completionBytes=${one(4, 16, 64)}`,
    `${side}.card.dma.descriptorBatch=${one(1, 5, 8, 32)}`,
    `${side}.card.dma.readQueues=${one(1, 3)}`,
    `${side}.card.dma.ring=${one("host", "card")}`,
    `${side}.card.dma.writeIssue=${one("1 cycles", "3 cycles")}`,
    `${side}.card.dma.writeQueues=${one(1, 2, 8)}`,
    `${side}.card.clock=${one("1 GHz", "375 MHz")}`,
    `${side}.host.pcie.phCredits=${one(1, 3, 0)}`,
    `${side}.host.pcie.pdCredits=${one(32, 0)}`,
    `${side}.card.pcie.mrrs=${one(256, 512, 4096)}`,
  ]);
  sets.push(`internal.jitter=${one("on", "off")}`, `internal.iommu=${one("off", "4KiB")}`, `seed=${seed}`);
  return { sets, every };
}

for (const seed of seeds(8)) {
  test(`records of random cards, each at its tick: ${seed}`, () => {
    const { sets, every } = configuration(seed);
    const run = runText(TEXT, { sets });
    assert.is(run.stop, abi.STOP_DONE, `invariant ${run.core.global("brokenInvariant")}`);
    const { records: read, batches } = readRecords(run.params.sides[0], run.events);
    assert.is(read.length, sum(batches, every[0]));
    assert.ok(sameLists("record of a read", putsAt(run, 0, DATA_PORT), read) > 0);
    const { records: written, rounds } = writeRecords(run.params.sides[1], run.events);
    assert.is(written.length, sum(rounds, every[1]));
    assert.ok(sameLists("record of a write", putsAt(run, 1, DESCRIPTOR_PORT), written) > 0);
    for (const side of [0, 1]) checkPcie(run, side);
    // nothing is put after the books here but what is counted
    assert.is(run.core.counter(0, abi.C_COMPLETIONS), read.length);
    assert.is(run.core.counter(1, abi.C_COMPLETIONS), written.length);
    assert.is(Number(run.core.notHome()), 0);
  });
}

// Writes keep their order over all ports, so that no record is on the wire before the page it tells of.
test("a record of writes leaves behind the last write of its page", () => {
  const sets = ["destination.card.dma.completionEvery=1", "destination.host.pcie.phCredits=1"];
  const run = runText(TEXT, { sets });
  const up = run.events.filter((e) => e.side === 1 && e.kind === abi.T_TLP && e.which < 4);
  let bytes = 0;
  let told = 0;
  for (const e of up) {
    if (e.which === DATA_PORT) bytes += e.b;
    if (e.which !== DESCRIPTOR_PORT) continue;
    told++;
    assert.ok(bytes >= 4096 * told, `record ${told} after ${bytes} bytes of pages`);
  }
  assert.ok(told > 20);
});

const PLAIN = { guest: generated(1000, 0), compress: "off", encrypt: "off", content: "sized" };

function good(sets: readonly string[], variant: "lean" | "naive" = "lean", pages = 1000): Result {
  const result = migrate({ ...PLAIN, guest: generated(pages, 0) }, { sets, variant });
  assert.ok(isGood(result), JSON.stringify(result.check));
  return result;
}

const both = (every: number, bytes = 16): string[] =>
  ["source", "destination"].flatMap((side) => [
    `${side}.card.dma.completionEvery=${every}`,
    `${side}.card.dma.completionBytes=${bytes}`,
  ]);

// 1000 pages of a silent guest in batches of 32 at most: one record a page, or ceil of each batch
test("formula: a record of 16 B takes 24 + 16 bytes of the wire", () => {
  const without = good([]);
  const every = good(both(1));
  for (const side of ["source", "destination"]) {
    assert.is(stat(every, `${side}.card.dma.completions`), 1000);
    assert.is(stat(without, `${side}.card.dma.completions`), 0);
  }
  // the destination's wire up has nothing else that moves: messages are the same
  const more = (name: string): number => stat(every, name) - stat(without, name);
  assert.is(more("destination.pcie.up.dataBytes"), 16 * 1000);
  assert.is(more("destination.pcie.up.tlpBytes"), 40 * 1000);
  assert.is(more("destination.pcie.up.tlps"), 1000);
  // the pages of the one round: 62 records of 16 and one of 8
  assert.is(stat(good(both(16)), "destination.card.dma.completions"), 63);
});

test("the scheduler that steps everything agrees", () => {
  // UDP has no timer of 40 ms, which would be stepped through
  for (const every of [1, 5]) {
    const sets = [...both(every), "link.transport=udp"];
    assert.is(good(sets, "naive", 80).fingerprint, good(sets, "lean", 80).fingerprint);
  }
});

test("records off is as before, whatever their size", () => {
  assert.is(good(both(0, 64)).fingerprint, good([]).fingerprint);
});

test.run();
