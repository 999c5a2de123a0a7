// SPDX-License-Identifier: Apache-2.0
/** QEMU's migration thread on the core's board beside the slow reference, on random guests. */
import { Core, coreModule } from "../../../src/core.ts";
import { migrateInSoftware, type SoftwareMigration, type SoftwareResult } from "../../../src/software.ts";
import { type FeatureCounts, type Features, PLAIN } from "../../../src/software-features.ts";
import { type GuestBatch, type GuestStream, KEEP_CONTENT } from "../../../src/trace/events.ts";
import { generator, seeds } from "../random.ts";
import { ReferenceThread, type Write } from "../reference/qemu.ts";
import { claim, same } from "./expect.ts";

const US = 1_024_000_000;
const MS = 1000 * US;
const MIB = 2 ** 20;
const LIMIT = 20n * 1000n * BigInt(MS);

/** What of capabilities is counted. */
type Often = Exclude<keyof FeatureCounts, "channelTicks" | "faultTicks" | "givenUpTicks" | "ackedTicks">;

/** What of it must happen often. */
const EACH = [
  ...["xbzrleMisses", "xbzrleOverflows", "xbzrleSame", "xbzrleBytes", "multifdBytes"],
  ...["postcopyBytes", "postcopyRequests"],
] as readonly Often[];

/** What a batch says of a write. */
interface Told {
  readonly flags: (write: Write) => number;
  readonly id: (write: Write) => number;
  readonly body: (write: Write) => Uint8Array | null;
}

/** Gives writes in batches of `each`, then null. */
export function batchesOf(
  writes: readonly Write[],
  each: number,
  { flags, id, body }: Told,
): () => GuestBatch | null {
  let at = 0;
  return () => {
    const part = writes.slice(at, at + each);
    if (part.length === 0) return null;
    at += each;
    return {
      startTicks: part[0]!.at,
      endTicks: part.at(-1)!.at,
      count: part.length,
      timeTicks: BigUint64Array.from(part, (w) => w.at),
      pfns: Uint32Array.from(part, (w) => w.pfn),
      flags: Uint8Array.from(part, flags),
      contentIds: Uint32Array.from(part, id),
      content: (i) => body(part[i]!),
    };
  };
}

/** A guest of given pages and writes, in batches of `each`. */
export function guestOf(zeros: readonly boolean[], writes: readonly Write[], each: number): GuestStream {
  const body = new Uint8Array(4096).fill(1);
  const id = (zero: boolean): number => (zero ? 0 : 1);
  return {
    pages: zeros.length,
    pageBytes: 4096,
    stableContents: 2,
    atEnd: "idle",
    endTicks: writes.at(-1)?.at ?? 0n,
    stableContent: () => body,
    *initial() {
      const contentIds = Uint32Array.from(zeros, id);
      yield {
        firstPfn: 0,
        count: zeros.length,
        contentIds,
        flags: new Uint8Array(zeros.length),
        content: () => body,
      };
    },
    next: batchesOf(writes, each, {
      flags: (w) => (w.read === true ? 16 : w.zero ? 4 : 0),
      id: (w) => (w.read === true ? KEEP_CONTENT : id(w.zero)),
      body: () => body,
    }),
    fork: () => guestOf(zeros, writes, each),
  };
}

export interface Case {
  m: { -readonly [key in keyof SoftwareMigration]: SoftwareMigration[key] };
  zeros: boolean[];
  writes: Write[];
  /** What channels make of a page with contents. */
  pageBytes: number;
}

/** A capability of every third guest, and what it costs. */
function randomFeatures(seed: number, r: () => number): Features {
  const upTo = (n: number): number => Math.floor(r() * (n + 1));
  const syncsMax = r() < 0.1 ? 1 + upTo(4) : null;
  if (seed % 6 === 0) return { ...PLAIN, syncsMax };
  if (seed % 6 === 3) {
    const [afterSyncs, placeTicks, requestTicks] = [1 + upTo(1), upTo(40 * US), upTo(900 * US)];
    return { ...PLAIN, postcopy: { afterSyncs, placeTicks, requestTicks, flightTicks: upTo(90 * US) } };
  }
  if (seed % 3 === 1) {
    const cachePages = 2 ** upTo(12);
    const [overflowOf65536, deltaBytes] = [upTo(65_536), upTo(4000)];
    return { ...PLAIN, xbzrle: { cachePages, overflowOf65536, deltaBytes, encodeTicks: upTo(4 * US) } };
  }
  const [channels, romBytes] = [1 + upTo(r() < 0.3 ? 63 : 3), upTo(5000)];
  const [normalTicks, zeroTicks] = [upTo(r() < 0.3 ? 300 * US : 9 * US), upTo(2 * US)];
  return { ...PLAIN, multifd: { channels, queueTicks: upTo(3 * US), normalTicks, zeroTicks, romBytes } };
}

/** A guest that dirties for 8 s as much as is sent, or nearly. */
export function busyCase(seed: number): Case {
  const r = generator(seed);
  const zeros = Array.from({ length: 2000 + Math.floor(r() * 2000) }, () => false);
  const times = Array.from({ length: 8000 }, (_, i) => BigInt(i) * BigInt(MS) + BigInt(Math.floor(r() * MS)));
  const writes = times.map((at) => ({ at, pfn: Math.floor(r() * zeros.length), zero: false }));
  const { m } = randomCase(seed);
  m.maxBandwidthBytes = Math.floor((2 + 3 * r()) * MIB);
  m.downtimeLimitMs = 1 + Math.floor(r() * 100);
  m.normalTicks = Math.floor(r() * 20 * US);
  const syncsMax = seed % 2 === 0 ? 3 : null;
  const own = { startAtTicks: 0n, autoConverge: seed % 4 !== 0, ticksPerByte: null, syncsMax };
  return { m: { ...m, ...own }, zeros, writes, pageBytes: 4096 };
}

/** A random guest: from one page up, some of it zero, writes by chance or one after another. */
export function randomCase(seed: number): Case {
  const r = generator(seed);
  const upTo = (n: number): number => Math.floor(r() * (n + 1));
  const pages = r() < 0.2 ? 1 + upTo(70) : 1 + upTo(4000);
  const zeroShare = r() < 0.2 ? 1 : r();
  const zeros = Array.from({ length: pages }, () => r() < zeroShare);
  const [span, count, hot] = [1 + upTo(3000), upTo(6000), 1 + upTo(pages - 1)];
  const times = Array.from({ length: count }, () => BigInt(Math.floor(r() * span * MS)));
  times.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const pfnOf = r() < 0.3 ? (i: number) => i % hot : () => upTo(hot - 1);
  const reads = generator(seed + 7777);
  const writes = times.map((at, i) => {
    const write = { at, pfn: pfnOf(i), zero: r() < zeroShare };
    return seed % 6 === 3 && reads() < 0.5 ? { ...write, read: true } : write;
  });
  const rate: [number, number] = [1 + upTo(60_000_000), 1 + upTo(40)];
  const m: { -readonly [key in keyof SoftwareMigration]: SoftwareMigration[key] } = {
    startAtTicks: BigInt(upTo(span) * MS + upTo(1000)),
    maxBandwidthBytes: r() < 0.1 ? 1 + upTo(1000) : 1 + upTo(64 * MIB),
    downtimeLimitMs: 1 + upTo(r() < 0.5 ? 20 : 2000),
    normalTicks: upTo(r() < 0.2 ? 3 * MS : 20 * US),
    zeroTicks: upTo(r() < 0.2 ? MS : 4 * US),
    syncTicks: upTo(2 * MS),
    wakeTicks: upTo(3 * MS),
    setupTicks: upTo(9 * MS),
    stopTicks: upTo(5 * MS),
    deviceTicks: upTo(5 * MS),
    deviceBytes: upTo(200_000),
    romPages: upTo(70),
    romNormalPages: upTo(70),
    unwrittenPages: upTo(70),
    unwrittenAt: upTo(pages - 1),
    autoConverge: r() < 0.7,
    ticksPerByte: r() < 0.5 ? null : rate,
    socketBytes: upTo(1_000_000),
    ...randomFeatures(seed, r),
  };
  // post-copy begins with a window, so there must be several
  if (m.postcopy !== null && r() < 0.8) {
    m.maxBandwidthBytes = Math.ceil((4 * MIB * (1 + r())) / 2);
    m.downtimeLimitMs = 1 + upTo(9);
  }
  m.romNormalPages = Math.min(m.romPages, m.romNormalPages);
  m.unwrittenPages = Math.min(pages + m.romPages - m.unwrittenAt, m.unwrittenPages);
  return { m, zeros, writes, pageBytes: 1 + upTo(8190) };
}

/** Bytes that the connection had carried at the end of each round that has ended. */
function carriedOf({ rounds }: SoftwareResult): number[] {
  let sum = 0;
  return rounds.filter(({ endTicks }) => endTicks !== 0n).map(({ bytes }) => (sum += bytes));
}

export function agree(
  got: SoftwareResult,
  thread: ReferenceThread,
  m: SoftwareMigration,
  what: string,
): void {
  const want = thread.told;
  const { cache, channels } = thread;
  const ended = m.startAtTicks + got.totalTicks;
  const rows: readonly [string, unknown, unknown][] = [
    ["transferred", got.transferredBytes, want.transferred],
    ["precopy", got.precopyBytes, want.precopy],
    ["downtime bytes", got.downtimeBytes, want.downtimeBytes],
    ["normal pages", got.normalPages, want.normal],
    ["zero pages", got.zeroPages, want.zero],
    ["synchronisations", got.syncs, want.syncs],
    ["resumed", got.downtimeTicks, want.resumedAt - want.suspendedAt],
    ["postcopy bytes", got.postcopyBytes, want.postcopy],
    ["requests", got.postcopyRequests, want.requests],
    ["requests of reads", got.postcopyReads, want.reads],
    ["ended", ended, want.endedAt],
    ["worked", got.workedTicks, want.worked],
    [
      "throttle",
      got.rounds
        .slice(0, -1)
        .map(({ throttlePercent }) => throttlePercent)
        .join(),
      want.throttle.slice(1, 1024).join(),
    ],
    ["xbzrle pages", got.xbzrlePages, cache?.told().pages ?? 0],
    ["xbzrle bytes", got.xbzrleBytes, cache?.told().bytes ?? 0],
    ["xbzrle misses", got.xbzrleMisses, cache?.counts.miss ?? 0],
    ["xbzrle overflows", got.xbzrleOverflows, cache?.counts.overflow ?? 0],
    ["xbzrle same", got.xbzrleSame, cache?.counts.same ?? 0],
    ["multifd bytes", got.multifdBytes, channels?.written(want.endedAt) ?? 0],
    ["channels worked", got.channelTicks, channels?.worked ?? 0n],
    ["carried", carriedOf(got).join(), want.carried.slice(0, 1024).join()],
    ["capped", got.times!.capped, want.capped],
    ["when", got.rounds.map(({ startTicks }) => startTicks).join(), want.syncAt.slice(0, 1024).join()],
    [
      "new",
      got.rounds
        .slice(0, -1)
        .map(({ newDirtyPages }) => newDirtyPages)
        .join(),
      want.fresh.slice(1, 1024).join(),
    ],
  ];
  for (const [name, found, expected] of rows) same(`qemu thread: ${what}: ${name}`, found, expected);
}

/** Random guests, a third of them on the scheduler that steps everything; some must take several rounds. */
export function checkThread(count = 40): void {
  const lean = new Core(coreModule());
  const naive = new Core(coreModule("naive"));
  let several = 0;
  let connected = 0;
  let throttled = 0;
  let givenUp = 0;
  let asked = 0;
  const found = new Map(EACH.map((name) => [name, 0]));
  for (const seed of seeds(count)) {
    const { m, zeros, writes, pageBytes } = seed % 7 === 0 ? busyCase(seed) : randomCase(seed);
    const what = `configuration ${seed}`;
    const thread = new ReferenceThread(m, zeros, writes, pageBytes);
    const want = thread.run(LIMIT);
    const stream = guestOf(zeros, writes, 1 + (seed % 700));
    const got = migrateInSoftware(seed % 5 === 0 ? naive : lean, stream, m, LIMIT, () => pageBytes);
    const inTime = want !== null && want.endedAt <= m.startAtTicks + LIMIT;
    same(`qemu thread: ${what}: ends`, got.complete || got.givenUpTicks !== null, inTime);
    same(`qemu thread: ${what}: given up`, got.givenUpTicks, want?.givenUpAt ?? null);
    if (got.givenUpTicks !== null) givenUp++;
    if (want === null || !inTime || want.givenUpAt !== null) continue;
    agree(got, thread, m, what);
    for (const name of found.keys()) if (got[name] > 0) found.set(name, found.get(name)! + 1);
    if (want.syncs > 3) several++;
    if (m.ticksPerByte !== null) connected++;
    if (want.reads > 0) asked++;
    if (want.throttle.some((percent) => percent > 0)) throttled++;
  }
  // a few seeds need not have a guest of every kind
  if (process.env.DPUSIM_RUNS !== undefined || count < 150) return;
  claim("qemu thread: several rounds", several > count / 8, several, `above ${count / 8}`);
  claim("qemu thread: connections", connected > count / 8, connected, `above ${count / 8}`);
  for (const [name, times] of found)
    claim(`qemu thread: ${name}`, times > count / 30, times, `above ${count / 30}`);
  claim("qemu thread: pages asked for by reads", asked > 2, asked, "above 2");
  claim("qemu thread: given up", givenUp > 0, givenUp, "above 0");
  claim("qemu thread: throttles", throttled > 1, throttled, "above 1");
}
