// SPDX-License-Identifier: Apache-2.0
// First reads of pages (`guest.reads: trace`): the stream has each at an instant of its epoch beside the
// writes as they were; a read of a page that has not come waits for it as a write does, in QEMU's post-copy
// and with cards; without them, or where every page is there, nobody waits.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood, type Result } from "../src/index.ts";
import { type GuestBatch, type GuestStream, KEEP_CONTENT, TICKS_PER_US } from "../src/trace/events.ts";
import { TEXT } from "./lib/configurations.ts";
import * as lib from "./lib/migrate.ts";
import { stat } from "./lib/migrate.ts";
import { runText } from "./lib/timeline.ts";
import { checkTouches } from "./lib/touched.ts";
import { buildFile, type ChunkSpec } from "./lib/trace-build.ts";

const OUTSIDE = { allowOutside: true };
const inputOf = (scenario: object) => lib.inputOf(scenario, OUTSIDE);
const migrate = (scenario: object): Result => lib.migrate(scenario, OUTSIDE);

const PAGES = 2048;
const EPOCHS = 200;
const folder = mkdtempSync(join(tmpdir(), "dpusim-reads-"));
test.after(() => rmSync(folder, { recursive: true }));

const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
/** A page list of one run. */
const run = (first: number, length: number): number[] => [1, ...varint(first), ...varint(length - 1)];

/**
 * 200 epochs of 1 ms. In each a page of 8 is written; from epoch `from` on ten pages are read that were not
 * before, from page 1900 down; every 25th epoch a page is read that is written as well.
 */
function traceFile(name: string, from: number): string {
  const chunks: ChunkSpec[] = [];
  for (let e = 0; e < EPOCHS; e++) {
    const timeUs = 1000 * (e + 1);
    chunks.push({ type: "EPOC", timeUs, items: 1, raw: [0, ...run(e % 8, 1)] });
    const k = e - from;
    if (k < 0 || k >= 100) continue;
    chunks.push({ type: "READ", timeUs, items: 10, raw: run(1900 - 10 * k, 10) });
    if (e % 25 === 0) chunks.push({ type: "READ", timeUs, items: 1, raw: run(e % 8, 1) });
  }
  const file = join(folder, name);
  const metadata = { contents: "none" };
  writeFileSync(file, buildFile({ pages: PAGES, chunks, metadata, nominalEpochNs: 1_000_000 }));
  return file;
}

const EARLY = traceFile("early.mdt", 1);
const LATE = traceFile("late.mdt", 100);
const NONE = traceFile("none.mdt", EPOCHS);

const guest = (trace: string, reads: string, own: object = {}): object => ({
  trace,
  reads,
  mix: { zero: 0, text: 50, random: 50 },
  deviceState: "64 KiB",
  ...own,
});
const POST = { algorithm: "postcopy", residual: "after-resume" };
const CARDS = { compress: "off", encrypt: "off", content: "sized", link: { rate: "1 Gbit/s" } };

function batchesOf(stream: GuestStream): GuestBatch[] {
  const all: GuestBatch[] = [];
  for (let batch = stream.next(); batch !== null; batch = stream.next()) all.push(batch);
  return all;
}

type Event = [at: bigint, pfn: number, flags: number, id: number, body: Uint8Array | null];
const eventsOf = (batch: GuestBatch, keep: (flags: number) => boolean): Event[] =>
  Array.from(batch.pfns, (pfn, i): Event => {
    const body = batch.content(i);
    return [batch.timeTicks[i]!, pfn, batch.flags[i]!, batch.contentIds[i]!, body];
  }).filter(([, , flags]) => keep(flags));

test("the stream has the trace's writes as they were, and each first read in its epoch", () => {
  const streamOf = (reads: string): GuestStream =>
    inputOf({ ...CARDS, guest: guest(EARLY, reads), migration: POST }).stream;
  const [on, off] = [streamOf("trace"), streamOf("off")].map(batchesOf);
  const forked = streamOf("trace");
  forked.next();
  assert.equal(batchesOf(forked.fork()).length, on!.length);
  const isRead = (flags: number): boolean => (flags & abi.EVENT_READ) !== 0;
  const read: number[] = [];
  on!.forEach((batch, e) => {
    assert.equal(
      eventsOf(batch, (flags) => !isRead(flags)),
      eventsOf(off![e]!, () => true),
    );
    const times = [...batch.timeTicks];
    assert.ok(
      times.every((t, i) => t > batch.startTicks && t <= batch.endTicks && t >= (times[i - 1] ?? 0n)),
    );
    const mine = eventsOf(batch, isRead);
    for (const [, , flags, id, body] of mine) assert.equal([flags, id, body], [16, KEEP_CONTENT, null]);
    const k = e - 1;
    const want = k < 0 || k >= 100 ? [] : Array.from({ length: 10 }, (_, i) => 1900 - 10 * k + i);
    if (want.length > 0 && e % 25 === 0) want.push(e % 8);
    assert.equal(
      mine.map(([, pfn]) => pfn).sort((a, b) => a - b),
      want.sort((a, b) => a - b),
      `epoch ${e}`,
    );
    read.push(...mine.map(([, pfn]) => pfn));
    // not all at once
    if (want.length > 5) assert.ok(new Set(mine.map(([at]) => at / TICKS_PER_US)).size > 5);
  });
  assert.is(new Set(read).size, 1004);
  const other = inputOf({ ...CARDS, guest: guest(EARLY, "trace"), migration: POST, seed: 2 }).stream;
  assert.not.equal(eventsOf(batchesOf(other)[5]!, isRead), eventsOf(on![5]!, isRead));
});

const QEMU = {
  ...CARDS,
  placement: "qemu",
  link: { rate: "1 Gbit/s", rateCap: "0.3 Gbit/s" },
  migration: { downtimeLimit: "3 ms" },
};

test("QEMU's post-copy: pages that are read are asked for, and wait as long as their way", () => {
  const of = (trace: string, reads: string, fault: string = "60 us", own: object = {}): Result =>
    migrate({ ...QEMU, guest: guest(trace, reads, own), software: { postcopy: { afterSyncs: 1, fault } } });
  const on = of(LATE, "trace");
  const off = of(LATE, "off");
  const asked = (result: Result): number => result.migration.ram["postcopy-requests"]!;
  assert.ok(asked(on) > asked(off) + 5, `${asked(on)}, ${asked(off)}`);
  assert.is(stat(on, "source.guest.readTouches"), asked(on) - asked(off));
  assert.equal([stat(off, "source.guest.readTouches"), stat(off, "source.guest.reads")], [0, 0]);
  for (const result of [on, off]) assert.ok(isGood(result));
  assert.is(on.check.pagesDifferent, 0);
  // a page is asked for once, and a read that waits holds the others up: a longer way, fewer of them
  const slow = of(LATE, "trace", "3 ms");
  assert.ok(asked(slow) < asked(on) && asked(slow) > asked(of(LATE, "off", "3 ms")));
  // the guest reads all of its pages before it goes: nobody waits
  const early = of(EARLY, "trace");
  assert.equal([stat(early, "source.guest.readTouches"), asked(early)], [0, asked(of(EARLY, "off"))]);
  assert.ok(stat(early, "source.guest.reads") >= 990);
});

test("with cards: a read waits for a page that is missing; where all are there before, for none", () => {
  const of = (trace: string, reads: string, migration: object): Result =>
    migrate({ ...CARDS, guest: guest(trace, reads), migration });
  for (const residual of ["after-resume", "on-demand"]) {
    const on = of(EARLY, "trace", { ...POST, residual });
    const off = of(EARLY, "off", { ...POST, residual });
    const [reads, touches] = [
      stat(on, "destination.guest.readTouches"),
      stat(on, "destination.guest.touches"),
    ];
    assert.ok(reads > 20, `${residual}: ${reads}`);
    assert.ok(touches > stat(off, "destination.guest.touches") + 20);
    assert.is(stat(off, "destination.guest.readTouches"), 0);
    assert.ok(isGood(on) && isGood(off));
    assert.is(on.check.pagesDifferent, 0);
    // what has been read has been counted once, here or there
    const [before, after] = [stat(on, "source.guest.reads"), stat(on, "destination.guest.reads")];
    assert.ok(before + after <= 1004 && after >= reads, `${before} ${after}`);
  }
});

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`reference: reads among writes at the destination, to the tick, seed ${seed}`, () => {
    const sets = [
      "migration.algorithm=postcopy",
      `migration.residual=${seed % 2 === 0 ? "on-demand" : "after-resume"}`,
      "source.host.tracker.tlbFlush=0 s",
      "guest.generate.memory=9 MiB",
      "guest.generate.rate=1000000 /s",
      `guest.vcpus=${[1, 3, 8][seed % 3]}`,
      `guest.clock=${seed === 3 ? "wall" : "guest"}`,
      "content=sized",
      `seed=${seed}`,
    ];
    const reading = runText(TEXT, { sets, reads: true });
    const { writes } = checkTouches(reading);
    assert.ok(writes.length > 0);
    assert.ok(Number(reading.core.counter(1, abi.C_READ_TOUCHES)) > 3);
    assert.ok(Number(reading.core.counter(1, abi.C_READS)) > 50);
    const without = runText(TEXT, { sets });
    assert.is(Number(without.core.counter(1, abi.C_READ_TOUCHES)), 0);
  });
}

test("what reads need, and what they do not go with", () => {
  const refused = (scenario: object, reason: RegExp): void => {
    assert.throws(() => inputOf({ ...CARDS, ...scenario }), reason);
  };
  refused({ guest: guest(NONE, "trace"), migration: POST }, /no READ chunk/);
  refused({ guest: guest(EARLY, "trace") }, /guest\.reads: has no effect where the guest goes on when every/);
  refused({ ...QEMU, guest: guest(EARLY, "trace") }, /guest\.reads: has no effect/);
  refused(
    { guest: guest(EARLY, "trace", { tile: 2 }), migration: POST },
    /guest\.reads: is not supported yet/,
  );
  refused({ guest: guest(EARLY, "trace", { atEnd: "loop" }), migration: POST }, /guest\.reads: is not supp/);
  refused({ guest: guest(EARLY, "all"), migration: POST }, /guest\.reads/);
});

test.run();
