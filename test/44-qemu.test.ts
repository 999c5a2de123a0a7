// SPDX-License-Identifier: Apache-2.0
// QEMU's migration thread: against the slow reference to the tick, by formula, and rows of its own.
import { test } from "uvu";
import * as assert from "uvu/assert";

import { checkThread } from "./lib/claims/qemu.ts";
import type { Write } from "./lib/reference/qemu.ts";
import { MIB, MS, runThread, still, US } from "./lib/thread.ts";

/** 32 normal pages and their headers: what is given to the socket at once. */
const BUFFER = 32 * 4104;

test("the thread on random guests is the reference's, to the tick, on both schedulers", () =>
  checkThread(150));

test("a window carries max-bandwidth / 10 rounded up to whole buffers", () => {
  for (const mib of [12, 24, 32]) {
    const window = Math.ceil((mib * MIB) / 10 / BUFFER) * BUFFER;
    // pending < threshold when less than 3 windows are left: the first round ends at the window after
    const pages = 40_000;
    const { rounds, downtimeBytes, normalPages } = runThread({ maxBandwidthBytes: mib * MIB }, still(pages));
    const threshold = (((window + 18) * 300) / 100) | 0;
    const windows = Math.ceil((pages * 4096 - threshold) / ((window / 4104) * 4096));
    assert.is(normalPages, pages);
    // with no lateness a wait ends in the millisecond in which the window does
    assert.is(Math.floor(Number(rounds[0]!.endTicks) / MS), windows * 100, `${mib} MiB/s`);
    assert.is(downtimeBytes, (pages - (windows * window) / 4104) * 4104 + 18);
  }
});

test("zero pages take their time and 9 bytes; the guest's are not sent again unless they are written", () => {
  const zeros = Array.from({ length: 20_000 }, () => true);
  const got = runThread({}, zeros);
  // no window is ever spent: 20,000 x 2 us, an iteration of them all, then the end
  assert.is(Number(got.totalTicks), 20_000 * 2 * US);
  assert.equal([got.zeroPages, got.normalPages, got.transferredBytes], [20_000, 0, 20_000 * 9 + 36]);
});

test("the downtime limit decides how much is left to the end, by the rate that was measured", () => {
  const left = (downtimeLimitMs: number): number =>
    runThread({ downtimeLimitMs }, still(40_000)).downtimeBytes;
  // a window is 640 pages, and the limit in tenths of a second so many of them
  for (const [ms, windows] of [
    [1000, 10],
    [300, 3],
    [150, 1.5],
  ] as const) {
    const pages = (left(ms) - 18) / 4104;
    assert.ok(pages < windows * 641 && pages >= windows * 640 - 640, `${ms} ms: ${pages}`);
  }
  // a window's pages are above the threshold, those that are left then are sent before the end is tried
  assert.is(left(10), 18);
});

test("pages dirty without a write: half in 0.1 s, all in 1 s, none that is still to be sent", () => {
  const first = (pages: number, unwrittenAt: number, downtimeLimitMs: number) => {
    const got = runThread({ unwrittenPages: 100, unwrittenAt, downtimeLimitMs }, still(pages));
    return { ...got.rounds[0]!, all: got.normalPages - pages };
  };
  // a round of 60 windows; its first pages are sent, its last ones are not
  assert.is(first(40_000, 0, 300).newDirtyPages, 100);
  assert.equal([first(40_000, 39_900, 300).newDirtyPages, first(40_000, 39_900, 300).all], [0, 0]);
  // two windows of 640 pages, then 720 are left under a threshold of 960
  assert.equal([first(2000, 0, 150).newDirtyPages, first(2000, 0, 150).all], [50, 50]);
  assert.is(Number(first(2000, 0, 150).endTicks / BigInt(MS)), 200);
});

test("a slow connection holds the thread up as long as its bytes take", () => {
  // 10 MiB/s under a limit of 24: 4104 x 20,000 bytes at 97.65625 ns a byte, less what is sent at the end
  const ticksPerByte: [number, number] = [100_000_000, 1];
  const pages = 20_000;
  const got = runThread({ ticksPerByte, socketBytes: 2 * BUFFER }, still(pages));
  const wire = BigInt(got.transferredBytes) * 100_000_000n;
  assert.ok(got.totalTicks >= wire && got.totalTicks < wire + BigInt(BUFFER) * 100_000_000n);
  // control: without the connection's rate the limit is what counts
  assert.ok(runThread({}, still(pages)).totalTicks < (wire * 45n) / 100n);
});

test("writes after a page was sent send it again, writes before do not", () => {
  const pages = 40_000;
  const page = (at: number, pfn: number): Write => ({ at: BigInt(at), pfn, zero: false });
  const early = runThread({}, still(pages), [page(MS, 39_999)]);
  const late = runThread({}, still(pages), [page(3000 * MS, 0)]);
  assert.equal([early.normalPages, late.normalPages], [pages, pages + 1]);
});

test("auto-converge: 20 % at the second period that dirties half of what it sends, then 10 more", () => {
  // 12,000 pages and 6400 a second; all of them are written once in 1.1 s
  const pages = 12_000;
  const writes = Array.from({ length: 8 * pages }, (_, i) => {
    return { at: BigInt(Math.floor((i * 1.1 * 1000 * MS) / pages)), pfn: i % pages, zero: false };
  });
  const of = (autoConverge: boolean, given = writes): number[] => {
    const { rounds } = runThread({ autoConverge, downtimeLimitMs: 1000 }, still(pages), given);
    return rounds.map(({ throttlePercent }) => throttlePercent);
  };
  const percents = of(true);
  assert.equal([...new Set(percents)].slice(0, 3), [0, 20, 30]);
  assert.ok(percents.indexOf(20) >= 1);
  // controls: the capability off; a guest that is quiet
  assert.equal([...new Set(of(false))], [0]);
  assert.equal([...new Set(of(true, []))], [0]);
});

test.run();
