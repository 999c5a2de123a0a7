// SPDX-License-Identifier: Apache-2.0
/** QEMU's migration thread against recorded migrations: each is played from its dirty trace alone. */
import { TICKS_PER_NS } from "../../assembly/abi.ts";
import { migrateInSoftware, type SoftwareMigration, type SoftwareResult } from "../software.ts";
import { PLAIN, type Postcopy } from "../software-features.ts";
import { type MdtTrace, openMdt } from "../trace/mdt-reader.ts";
import { fileSource } from "../trace/source-file.ts";
import { traceStream } from "../trace/stream-trace.ts";
import { timeline } from "../trace/timeline.ts";
import { probeCore } from "./pcie-side.ts";
import { classed, multifdOf, xbzrleOf } from "./qemu-contents.ts";
import { type RecordedRun, shippedTruth, type Truth } from "./qemu-truth.ts";
import { type Point, point, type Suite, type Tolerance } from "./types.ts";

const SUITE = "qemu";
const US = 1000 * TICKS_PER_NS;
const MS = 1000 * US;
const MIB = 2 ** 20;
const PAGE = 4096;
/** Ten times what the slowest recorded run took. */
const LIMIT_TICKS = 170n * 1000n * BigInt(MS);
/** QEMU's default. */
const DOWNTIME_LIMIT_MS = 300;
/** Rates up to which time is compared: above, what the recorded host did beside counts for more. */
const TIMED_BYTES = 32 * MIB;
/** Their tails near convergence are chaotic: how many rounds there are, hangs on single pages. */
const CHAOTIC: readonly string[] = ["A-bw12", "H-redis-bw16"];

/**
 * The recorded host, the same for every run: loopback TCP, TCG guests. Pages: of the recorded send order of
 * P-perpage-bw32, 832 normal pages in 5.5 ms (median) and 19,258 zero pages in 36.8 ms. Lateness: windows of
 * A, C and D last 100.2 to 100.5 ms. A synchronisation and the stop: 0.3 to 0.9 ms between the last two
 * synchronisations. Device state: transferred less RAM. ROMs: 52 of the 130 pages are sent as normal ones.
 * Pages dirty without a write: that TCG walks the guest's page tables as if it wrote to them (ptw_translate,
 * with MMU_DATA_STORE) is QEMU's. How many there are, where, and how many a round finds are fits to the
 * recordings. Recorded in first rounds: 27 of the idle guest, 34, 45 to 50 and 84 of guests that write to 8,
 * 32 and 96 MiB, 36 to 56 of redis. The fit: 16, and a page table for each 2 MiB in which the trace lists a
 * page up to the end of the migration (19; 19, 29 or 30, 62; 28 to 30), so 35 to 78; the guest may map more.
 * Half of them in a round of 0.1 s and all in 1 s, between them by its length: of I-down30-bw24, where nearly
 * nothing is left over, 24 and 22 (0.1 s), 23 (0.4 s), 45 (0.9 s). They lie where 31 of the 46 of
 * P-perpage-bw32 are, which were sent again and stand in no epoch; a guest that ends there has none.
 */
const HOST = {
  normalTicks: 6.5 * US,
  zeroTicks: 1.9 * US,
  wakeTicks: 0.3 * MS,
  syncTicks: 0.4 * MS,
  setupTicks: 2 * MS,
  stopTicks: 0.4 * MS,
  deviceTicks: 1 * MS,
  deviceBytes: 114_310,
  romNormalShare: 52 / 130,
  walkedPages: 16,
  unwrittenAt: 10_563,
} as const;

/**
 * Post-copy of the recorded host: asked for after the third synchronisation, seen when a window begins; 25 us
 * a page placed, for 15.5 MB in 0.095 s of G-postcopy-bw12. A request and the way: loopback (assumed).
 */
const POSTCOPY: Postcopy = {
  afterSyncs: 3,
  placeTicks: 25 * US,
  requestTicks: 100 * US,
  flightTicks: 30 * US,
};

/** In how many ranges of memory that a page table maps, 2 MiB, the trace lists pages up to a time. */
function tablesOf(trace: MdtTrace, endUs: number): number {
  const tables = new Set<number>();
  for (const epoch of timeline(trace)) {
    if (epoch.startUs >= endUs) break;
    for (const pfn of epoch.pfns) tables.add(pfn >>> 9);
  }
  return tables.size;
}

/** Pages dirty without a write, as far as there is memory where they lie. */
function unwrittenOf(trace: MdtTrace, endUs: number, romPages: number): number {
  const room = Math.max(0, trace.pages + romPages - HOST.unwrittenAt);
  return Math.min(HOST.walkedPages + tablesOf(trace, endUs), room);
}

/** The migration as it was asked for. */
function migrationOf(run: RecordedRun, trace: MdtTrace): SoftwareMigration {
  const startUs = trace.metadata.t_migrate_start_us;
  if (typeof startUs !== "number") throw new Error(`${trace.name}: its metadata lacks t_migrate_start_us`);
  const romPages = Math.max(0, Math.round(run.total_ram_bytes / PAGE) - trace.pages);
  const { romNormalShare, walkedPages: _walked, ...costs } = HOST;
  return {
    ...PLAIN,
    ...costs,
    startAtTicks: BigInt(startUs) * BigInt(US),
    maxBandwidthBytes: run.max_bandwidth,
    downtimeLimitMs: Number(run.params["downtime-limit"] ?? DOWNTIME_LIMIT_MS),
    romPages,
    unwrittenPages: unwrittenOf(trace, startUs + 1000 * run.total_ms, romPages),
    romNormalPages: Math.round(romPages * romNormalShare),
    autoConverge: run.caps.includes("auto-converge"),
    ticksPerByte: null,
    socketBytes: 0,
    xbzrle: xbzrleOf(run),
    multifd: multifdOf(run),
    postcopy: run.caps.includes("postcopy-ram") ? POSTCOPY : null,
  };
}

/** Plays a recorded run; null when it does not end. */
export function replay(run: Truth["runs"][number], seed: number = 1): SoftwareResult {
  const source = fileSource(run.tracePath);
  try {
    const trace = openMdt(source, run.tracePath);
    const speed = { numerator: 1, denominator: 1 };
    const mix = { zero: 0, text: 50, random: 50 };
    const played = traceStream(trace, { tile: 1, speed, seed, atEnd: "idle", mix });
    const m = migrationOf(run, trace);
    if (m.multifd === null) return migrateInSoftware(probeCore(), played, m, LIMIT_TICKS);
    const { stream, wordOf } = classed(played, run);
    return migrateInSoftware(probeCore(), stream, m, LIMIT_TICKS, wordOf);
  } finally {
    source.close();
  }
}

/** Capabilities under which sizes of pages count, which the traces do not carry. */
const SIZED: readonly string[] = ["xbzrle", "multifd"];

/**
 * 10 %, or one window of the rate limit where that is more; two with multifd, of which a window carries a
 * packet more or less by when its threads are scheduled.
 */
const WINDOW_MS = 100;
function within(milliseconds: number, windows: number = 1): Tolerance {
  return milliseconds < 10 * windows * WINDOW_MS
    ? { kind: "absolute", value: windows * WINDOW_MS }
    : { kind: "percent", value: 10 };
}

/** How a recorded number is said and judged. */
type Say = (quantity: string, expected: number, simulated: number, unit: string, by: Tolerance) => Point;

const REPORT: Tolerance = { kind: "report" };
const ms = (ticks: bigint): number => Number(ticks) / MS;

function sayOf(run: RecordedRun): Say {
  const caps = run.caps.length > 0 ? `, ${run.caps.join(" ")}` : "";
  const sized = run.caps.some((name) => SIZED.includes(name));
  const partly = sized ? "; partly calibrated: sizes of pages, by class of contents" : "";
  const of = `QEMU ${run.qemu}, ${run.workload}, ${run.max_bandwidth / MIB} MiB/s${caps}`;
  const source = `recorded: ${of}${partly}`;
  return (quantity, expected, simulated, unit, tolerance) => {
    const id = `${run.name}:${quantity}`;
    return point({ suite: SUITE, id, quantity, expected, simulated, unit, tolerance, source });
  };
}

function* pointsOf(run: Truth["runs"][number]): Generator<Point> {
  const got = replay(run);
  const say = sayOf(run);
  const sized = run.caps.some((name) => SIZED.includes(name));
  // what a throttle does to the guest is in its recording
  const throttled = run.caps.includes("auto-converge");
  const chaotic = CHAOTIC.includes(run.name);
  const timed = run.max_bandwidth <= TIMED_BYTES;
  const bytes = got.complete ? got.transferredBytes : Number.NaN;
  const share = sized ? 10 : chaotic ? 8 : 5;
  yield say("ram.transferred", run.transferred_bytes, bytes, "B", { kind: "percent", value: share });
  const total = timed ? within(run.total_ms) : REPORT;
  yield say("totalTimeMs", run.total_ms, ms(got.totalTicks), "ms", total);
  const syncs: Tolerance = chaotic || throttled ? REPORT : { kind: "absolute", value: 2 };
  yield say("ram.dirty-sync-count", run.iterations, got.syncs, "syncs", syncs);
  const windows = run.caps.includes("multifd") ? 2 : 1;
  for (const { iter, dur_s } of run.per_iteration.slice(0, 4)) {
    const recorded = 1000 * dur_s;
    const round = got.rounds[iter - 1];
    const simulated = round === undefined ? 0 : ms(round.endTicks - round.startTicks);
    const tolerance = throttled ? REPORT : within(recorded, windows);
    yield say(`iteration.${iter}.durationMs`, recorded, simulated, "ms", tolerance);
  }
  yield* featurePoints(run, got, say);
}

/** Numbers of capabilities, where the run had them. */
function* featurePoints(run: RecordedRun, got: SoftwareResult, say: Say): Generator<Point> {
  const { xbzrle } = run;
  const tenth: Tolerance = { kind: "percent", value: 10 };
  if (xbzrle !== null) {
    yield say("xbzrle-cache.cache-miss", xbzrle["cache-miss"], got.xbzrleMisses, "pages", tenth);
    yield say("xbzrle-cache.pages", xbzrle.pages, got.xbzrlePages, "pages", REPORT);
    yield say("xbzrle-cache.overflow", xbzrle.overflow, got.xbzrleOverflows, "pages", REPORT);
    yield say("xbzrle-cache.bytes", xbzrle.bytes, got.xbzrleBytes, "B", REPORT);
  }
  if (run.caps.includes("multifd"))
    yield say("ram.multifd-bytes", run.multifd_bytes, got.multifdBytes, "B", tenth);
  if (run.caps.includes("postcopy-ram")) {
    yield say("ram.postcopy-bytes", run.postcopy_bytes, got.postcopyBytes, "B", tenth);
    yield say("ram.postcopy-requests", run.postcopy_requests, got.postcopyRequests, "pages", REPORT);
  }
  const [began] = run.throttle_events;
  if (began === undefined) return;
  const throttle = throttleOf(got, got.rounds[0]!.startTicks - got.setupTicks);
  yield say("throttle.1.startMs", 1000 * began[0], throttle?.ms ?? 0, "ms", within(1000 * began[0]));
  const most = Math.max(...run.throttle_events.map(([, percent]) => percent ?? 0));
  yield say("cpu-throttle-percentage", most, throttle?.percent ?? 0, "%", REPORT);
}

/** When auto-converge began, and how far it went; null where it did not. */
function throttleOf({ rounds }: SoftwareResult, startTicks: bigint): { ms: number; percent: number } | null {
  const first = rounds.find(({ throttlePercent }) => throttlePercent > 0);
  if (first === undefined) return null;
  const percent = Math.max(...rounds.map(({ throttlePercent }) => throttlePercent));
  return { ms: Number(first.endTicks - startTicks) / MS, percent };
}

/** The suite over recordings. */
export function qemuSuite(truth: Truth): Suite {
  return {
    name: SUITE,
    title: "QEMU 10's migration against recorded ones",
    limits: [
      "One cost of a page stands for the recorded host, found in all of these runs together; what else it " +
        "did, and its stalls, are left out.",
      "Time above 32 MiB/s is reported only.",
      "A-bw12 and H-redis-bw16 end near convergence, where the number of rounds hangs on single pages.",
      "A round ends with the first window after which less is pending than the threshold, so some pages " +
        "decide where a window leaves nearly as much; of A-bw24 and its repeats, one guest, round 3 was " +
        "recorded with 200 ms once and with 300 ms twice. What was pending in the rounds outside, by the " +
        "recorded pages that were newly dirty: 1939 (threshold 1924) after two windows of A-bw24-rep3's " +
        "third, the model has 1909; 1913 to 1926 after nine of E-ctr-plain-bw24's second, whose first " +
        "round took 100 ms more; 1711 to 1724 after four of E-rnd-plain-bw24's third, where a window of " +
        "112 ms makes the threshold 1718; 933 (962) after ten of A-bw12's third, the model has 970. With " +
        "other instants of the writes in their 20 ms, 20 ways, A-bw12's third has the recorded ten windows " +
        "in 6, the other three never.",
      "Traces know pages in epochs of 20 ms and zero pages at the end of the recording.",
      "A trace ends where the guest goes over: no write is known after that, and no request is made.",
      "Traces carry no contents: with XBZRLE and multifd a page has the size of its class, the guest's " +
        "image or what the workload writes (src/validate/qemu-contents.ts says from what each number is). " +
        "Nothing is set for a single run.",
    ],
    *points() {
      for (const run of truth.runs) yield* pointsOf(run);
    },
  };
}

/**
 * The shipped recordings, opened when the suite is asked for. The costs of the recorded host were found in
 * all of them together, none for a run alone: each point is calibration. Recordings of a user's own are not.
 */
export const suite: Suite = {
  ...qemuSuite({ runs: [], leftOut: [] }),
  *points() {
    for (const one of qemuSuite(shippedTruth()).points()) yield { ...one, calibration: true };
  },
};
