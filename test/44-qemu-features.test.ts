// SPDX-License-Identifier: Apache-2.0
// XBZRLE and multifd of QEMU's thread by formula; test/44-qemu.test.ts compares random ones to the tick.
import { test } from "uvu";
import * as assert from "uvu/assert";

import * as abi from "../assembly/abi.ts";
import { Core, coreModule } from "../src/core.ts";
import { migrateInSoftware, type SoftwareMigration, type SoftwareResult } from "../src/software.ts";
import type { Multifd, Xbzrle } from "../src/software-features.ts";

import { checkEncoded, guestWith } from "./lib/claims/qemu-xbzrle.ts";
import type { Write } from "./lib/reference/qemu.ts";
import type { Contents } from "./lib/reference/qemu-contents.ts";
import { BASE, MIB, MS, runThread, still, US } from "./lib/thread.ts";

const PACKET = 128 * 4096 + 320 + 8 * 128;

const MULTIFD: Multifd = { channels: 2, queueTicks: US, normalTicks: 6 * US, zeroTicks: US, romBytes: 4096 };
const XBZRLE: Xbzrle = { cachePages: 16_384, overflowOf65536: 0, deltaBytes: 100, encodeTicks: 2 * US };

test("multifd: a window carries a packet more than fits, and one more of each channel", () => {
  const pages = 128 * 600;
  for (const [mib, channels] of [
    [24, 1],
    [24, 2],
    [24, 4],
    [48, 2],
  ] as const) {
    const limit = (mib * MIB) / 10;
    // a channel takes 768 us for what the thread queues in 128: all are busy when the limit is passed
    const most = Math.floor(limit / PACKET) + 1 + channels;
    const { rounds } = runThread(
      { maxBandwidthBytes: mib * MIB, multifd: { ...MULTIFD, channels } },
      still(pages),
    );
    const [first] = rounds;
    const windows = Math.round(Number(first!.endTicks - first!.startTicks) / (100 * MS));
    const packets = (first!.normalPages / 128) | 0;
    const what = `${mib} MiB/s, ${channels} channels: ${packets} packets in ${windows} windows`;
    assert.ok(windows > 20 && packets <= windows * most && packets >= windows * (most - 1), what);
  }
});

test("multifd: bytes are headers, sizes and greetings; zero pages take none", () => {
  const zeros = Array.from({ length: 128 * 40 }, (_, pfn) => pfn % 4 === 0);
  const { multifdBytes, normalPages, zeroPages, transferredBytes, channelTicks, workedTicks, syncs } =
    runThread({ multifd: MULTIFD, maxBandwidthBytes: 1000 * MIB }, zeros, [], 1000);
  assert.equal([normalPages, zeroPages], [128 * 30, 128 * 10]);
  // packets are full to the end; all go in one window: a wait at the beginning, after the round, at the end
  const waits = 3 * 2;
  assert.is(multifdBytes, 2 * 64 + (40 + waits) * 1344 + 128 * 30 * 1000);
  assert.is(transferredBytes - multifdBytes, 2 * 18);
  assert.is(channelTicks, BigInt(128 * 30 * 6 * US + 128 * 10 * US));
  assert.equal([workedTicks, syncs], [BigInt(128 * 40 * US), 2]);
});

test("multifd: threads side by side end sooner; a connection holds them all up", () => {
  const multifd = { ...MULTIFD, normalTicks: 100 * US };
  const fast = { maxBandwidthBytes: 10_000 * MIB, downtimeLimitMs: 1 };
  const of = (channels: number, own: object = {}): number =>
    Number(runThread({ ...fast, multifd: { ...multifd, channels }, ...own }, still(128 * 80)).totalTicks) /
    MS;
  // 80 packets of 12.8 ms
  for (const channels of [1, 2, 4, 8]) {
    const least = (80 * 12.8) / channels;
    assert.ok(of(channels) >= least && of(channels) < least + 2 * 12.8, `${channels}: ${of(channels)}`);
  }
  // 42 MB at 20 ns a byte
  const wire = (80 * PACKET * 20) / 1e6;
  const held = of(8, { ticksPerByte: [20_480_000, 1], socketBytes: 4096 });
  assert.ok(held >= wire && held < 1.05 * wire, `${held}, ${wire}`);
});

/** Each page of the first `hot` is written at each of the times, in ms. */
function rewritten(hot: number, times: readonly number[]): Write[] {
  return times.flatMap((at) =>
    Array.from({ length: hot }, (_, pfn) => ({ at: BigInt(at) * BigInt(MS), pfn, zero: false })),
  );
}

// 32,000 pages at 24 MiB/s take 5.2 s; from 3 s on 3000 pages are written every 400 ms, more than the 1843
// that 300 ms send
const TIMES = Array.from({ length: 16 }, (_, i) => 3000 + 400 * i);

/** A guest that takes several rounds. */
const many = (own: Partial<SoftwareMigration>): SoftwareResult =>
  runThread(
    { downtimeLimitMs: 300, maxBandwidthBytes: 24 * MIB, ...own },
    still(32_000),
    rewritten(3000, TIMES),
  );

test("XBZRLE: the first time a page comes again it misses, then it is its delta, or whole", () => {
  const plain = many({});
  const [small, whole] = [0, 65_536].map((overflowOf65536) =>
    many({ xbzrle: { ...XBZRLE, overflowOf65536 } }),
  );
  assert.ok(small!.xbzrlePages > 2000 && small!.xbzrleMisses >= 3000, JSON.stringify([small!.xbzrlePages]));
  assert.equal([small!.xbzrleOverflows, whole!.xbzrleOverflows > 2000], [0, true]);
  assert.is(small!.xbzrleBytes, (small!.xbzrlePages - small!.xbzrleSame) * 103);
  assert.is(whole!.xbzrleBytes, whole!.xbzrleOverflows * 4096);
  // pages are sent whole, but for those that the cache had
  const sentOf = ({ normalPages, xbzrlePages, xbzrleOverflows }: SoftwareResult): number =>
    normalPages + xbzrlePages - xbzrleOverflows;
  assert.ok(sentOf(small!) <= plain.normalPages + 3000);
  assert.ok(small!.transferredBytes < plain.transferredBytes - 2000 * 3900);
  // half of the hits do not fit, by the hash
  const half = many({ xbzrle: { ...XBZRLE, overflowOf65536: 32_768 } });
  const differ = half.xbzrlePages - half.xbzrleSame;
  assert.ok(Math.abs(half.xbzrleOverflows / differ - 0.5) < 0.05, `${half.xbzrleOverflows} of ${differ}`);
});

test("XBZRLE: a slot that is fresh is not taken; a small cache hits less", () => {
  const hits = (cachePages: number): number => {
    const { xbzrlePages } = many({ xbzrle: { ...XBZRLE, cachePages } });
    return xbzrlePages;
  };
  // 3000 pages over 1024 slots: the first that comes keeps its slot for two rounds
  assert.ok(hits(1024) < 0.5 * hits(16_384) && hits(1024) > 0.1 * hits(16_384), `${hits(1024)}`);
  assert.ok(hits(1) < 0.02 * hits(16_384), `${hits(1)}`);
});

/** Page 0 is zeros; a run of 10 bytes and one of 200 tell the other two apart. */
function changing(): Contents {
  const one = new Uint8Array(4096).fill(7);
  const other = one.slice();
  other.fill(8, 100, 110);
  other.fill(8, 1000, 1200);
  return { bodies: [new Uint8Array(4096), one, other], initial: still(32_000).map(() => 1) };
}

test("XBZRLE of known contents: a delta has the bytes of its runs; what is written back is not sent", () => {
  const contents = changing();
  const given = { vcpus: 1, wall: true, tracker: abi.TRACKER_BITMAP, faultTicks: 0, ring: null };
  const of = (bodyOf: (round: number) => number, own: object = {}): SoftwareResult => {
    const writes = rewritten(3000, TIMES).map((write, i) => ({
      ...write,
      body: bodyOf(Math.floor(i / 3000)),
    }));
    const m = { ...BASE, xbzrle: { ...XBZRLE, overflowOf65536: 65_536, deltaBytes: 1 } };
    const known = { mode: "full", sampleEvery: 1 } as const;
    return migrateInSoftware(
      new Core(coreModule()),
      guestWith(contents, writes, 500),
      m,
      600_000n * BigInt(MS),
      undefined,
      { ...given, known, ...own },
    );
  };
  // 100 the same, 10 others; 890 (two bytes) the same, 200 (two) others; a flag and a length of two bytes
  const delta = 1 + 1 + 10 + 2 + 2 + 200 + 3;
  const turns = of((round) => 1 + (round % 2));
  const sent = turns.xbzrlePages - turns.xbzrleSame;
  assert.ok(sent > 500, `${sent}`);
  assert.equal([turns.xbzrleBytes, turns.xbzrleOverflows], [sent * delta, 0]);
  // what is always the same is found, and never sent; a version more does not matter
  const none = of(() => 1);
  assert.ok(none.xbzrlePages > 2000);
  assert.equal([none.xbzrleSame, none.xbzrleBytes], [none.xbzrlePages, 0]);
  // control: where contents are not known, all of these are drawn to be too large
  const drawn = of((round) => 1 + (round % 2), { known: undefined });
  assert.ok(drawn.xbzrleOverflows > 500 && drawn.xbzrleBytes === drawn.xbzrleOverflows * 4096);
});

test("XBZRLE of known contents on random guests is the reference's, to the tick and byte that arrives", () =>
  checkEncoded(20));

test.run();
