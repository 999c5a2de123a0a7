// SPDX-License-Identifier: Apache-2.0
/**
 * A migration in software: QEMU's migration thread on the core's own board, with a guest that plays a stream.
 * No files, no wall clock.
 */
import * as abi from "../assembly/abi.ts";
import type { Carrying } from "./carried.ts";
import type { Core } from "./core.ts";
import { Feeder } from "./feeder.ts";
import type { WordOf } from "./given-sizes.ts";
import { ringEvents } from "./params.ts";
import type { Ratio } from "./scenario/types.ts";
import { type FeatureCounts, type Features, featureCounts, setFeatures } from "./software-features.ts";
import type { GuestStream } from "./trace/events.ts";

/** What the thread is told, in the units of QEMU's parameters, and what its work costs. */
export interface SoftwareMigration extends Features {
  /** Trace time at which it begins. */
  readonly startAtTicks: bigint;
  /** `max-bandwidth` in bytes a second. */
  readonly maxBandwidthBytes: number;
  /** `downtime-limit` in ms. */
  readonly downtimeLimitMs: number;
  /** Time of the thread for a page that is not zero, and for one that is. */
  readonly normalTicks: number;
  readonly zeroTicks: number;
  /** A synchronisation of the bitmap. */
  readonly syncTicks: number;
  /** By how much a timed wait ends late. */
  readonly wakeTicks: number;
  readonly setupTicks: number;
  readonly stopTicks: number;
  /** Device state: saving and loading it, and its bytes. */
  readonly deviceTicks: number;
  readonly deviceBytes: number;
  /** Pages of BIOS, option ROM and tables behind the guest's memory, and how many of them are not zero. */
  readonly romPages: number;
  readonly romNormalPages: number;
  /** Pages that the log shows dirty although nobody writes them, in time, and the first of them. */
  readonly unwrittenPages: number;
  readonly unwrittenAt: number;
  /** `auto-converge`. */
  readonly autoConverge: boolean;
  /** Of the connection, payload; null: it takes whatever comes. */
  readonly ticksPerByte: Ratio | null;
  /** What the socket takes beyond what is on the wire. */
  readonly socketBytes: number;
}

/** One round, from a synchronisation to the next. */
export interface SoftwareRound {
  readonly startTicks: bigint;
  readonly endTicks: bigint;
  readonly normalPages: number;
  readonly zeroPages: number;
  /** That the connection carried. */
  readonly bytes: number;
  /** Pages newly found dirty at its end. */
  readonly newDirtyPages: number;
  /** Share of the time that vCPUs are to stand still from its end on. */
  readonly throttlePercent: number;
}

/** Where the thread's time went, in ticks, and bytes (kernel/qemu-times). */
export interface ThreadTimes {
  readonly busy: bigint;
  /** Windows of max-bandwidth that were spent. */
  readonly capped: bigint;
  /** The socket, or channels, had no room. */
  readonly socket: bigint;
  readonly channels: bigint;
  /** For the destination's word; and with nothing to do. */
  readonly ack: bigint;
  readonly nothing: bigint;
  /** Bytes that the connection has carried, and that were written. */
  readonly carriedBytes: number;
  readonly writtenBytes: number;
}

/** What came of it. */
export interface SoftwareResult extends FeatureCounts {
  /** False when the time given was over before. */
  readonly complete: boolean;
  readonly transferredBytes: number;
  readonly precopyBytes: number;
  readonly downtimeBytes: number;
  readonly normalPages: number;
  readonly zeroPages: number;
  readonly syncs: number;
  readonly setupTicks: bigint;
  readonly downtimeTicks: bigint;
  readonly totalTicks: bigint;
  /** Of a core, for the thread. */
  readonly workedTicks: bigint;
  readonly rounds: readonly SoftwareRound[];
  /** Null while it goes on. */
  readonly times: ThreadTimes | null;
}

/** The guest: its vCPUs, whether stalls shift its writes, and how its dirty pages are found. */
export interface SoftwareGuest {
  readonly vcpus: number;
  readonly wall: boolean;
  /** A TRACKER_ constant: bitmap, or write protection of single pages. */
  readonly tracker: number;
  /** Stall of a write to a protected page. */
  readonly faultTicks: number;
  /** Dirty rings, one a vCPU, and what they cost; null with another tracker. */
  readonly ring: GuestRing | null;
  /**
   * With XBZRLE, that every version's bytes are known, so that its deltas are encoded, and of which pages the
   * destination's are carried. Without it deltas are drawn, and no bytes are kept.
   */
  readonly known?: Carrying["content"];
}

/** What the memory of the core does not hold. */
export class DoesNotFit extends Error {
  override name = "DoesNotFit";
  readonly what: "guest" | "cache";
  constructor(what: "guest" | "cache") {
    super(`the guest${what === "cache" ? " and XBZRLE's cache do" : " does"} not fit in 4 GiB of memory`);
    this.what = what;
  }
}

/** A vCPU's dirty ring (assembly/kernel/dirty-log). */
export interface GuestRing {
  readonly entries: number;
  readonly exitTicks: number;
  readonly entryTicks: number;
  readonly protectTicks: number;
  readonly flushTicks: number;
}

/** A guest that plays what was recorded. */
const RECORDED: SoftwareGuest = {
  vcpus: 1,
  wall: true,
  tracker: abi.TRACKER_BITMAP,
  faultTicks: 0,
  ring: null,
};

/** QEMU's windows of the rate limit are a tenth of a second (XFER_LIMIT_RATIO). */
const WINDOWS_PER_SECOND = 10;
/** Content word of any page that is not zero where nothing compresses. */
const RAW_WORD = abi.PAGE_BYTES;
const SERIES_TICKS = 1_024_000_000;

function setSoftware(core: Core, m: SoftwareMigration): void {
  const at = core.address("qemuParams");
  const put = (index: number, value: number | bigint): void => core.setU64(at + index * 8, BigInt(value));
  put(abi.QP_START_AT, m.startAtTicks);
  put(abi.QP_WINDOW_BYTES, Math.floor(m.maxBandwidthBytes / WINDOWS_PER_SECOND));
  put(abi.QP_DOWNTIME_MS, m.downtimeLimitMs);
  put(abi.QP_NORMAL, m.normalTicks);
  put(abi.QP_ZERO, m.zeroTicks);
  put(abi.QP_SYNC, m.syncTicks);
  put(abi.QP_WAKE, m.wakeTicks);
  put(abi.QP_SETUP, m.setupTicks);
  put(abi.QP_STOP, m.stopTicks);
  put(abi.QP_DEVICE, m.deviceTicks);
  put(abi.QP_DEVICE_BYTES, m.deviceBytes);
  put(abi.QP_ROM_PAGES, m.romPages);
  put(abi.QP_ROM_NORMAL, m.romNormalPages);
  put(abi.QP_UNWRITTEN, m.unwrittenPages);
  put(abi.QP_UNWRITTEN_AT, m.unwrittenAt);
  put(abi.QP_CONVERGE, m.autoConverge ? 1 : 0);
  put(abi.QP_LINK_NUM, m.ticksPerByte?.[0] ?? 0);
  put(abi.QP_LINK_DEN, m.ticksPerByte?.[1] ?? 1);
  put(abi.QP_SOCKET_BYTES, m.socketBytes);
  setFeatures(m, put);
}

function roundsOf(core: Core, syncs: number): SoftwareRound[] {
  const at = core.address("roundsAt");
  return Array.from({ length: Math.min(syncs, abi.ROUNDS_MAX) }, (_, i) => {
    const entry = (index: number): bigint => core.u64(at + (i * abi.RL_COUNT + index) * 8);
    return {
      startTicks: entry(abi.RL_START),
      endTicks: entry(abi.RL_END),
      normalPages: Number(entry(abi.RL_NORMAL)),
      zeroPages: Number(entry(abi.RL_ZERO)),
      bytes: Number(entry(abi.RL_WIRE)),
      newDirtyPages: Number(entry(abi.RL_NEW_DIRTY)),
      throttlePercent: Number(entry(abi.RL_THROTTLE)),
    };
  });
}

function timesOf(core: Core, until: bigint): ThreadTimes {
  const at = Number(core.fn("qemuTimes")(until)) >>> 0;
  const read = (index: number): bigint => core.u64(at + index * 8);
  return {
    busy: read(abi.QT_BUSY),
    capped: read(abi.QT_CAP),
    socket: read(abi.QT_SOCKET),
    channels: read(abi.QT_CHANNELS),
    ack: read(abi.QT_ACK),
    nothing: read(abi.QT_NOTHING),
    carriedBytes: Number(read(abi.QT_CARRIED)),
    writtenBytes: Number(read(abi.QT_WRITTEN)),
  };
}

/**
 * What the thread has done so far.
 * @param until time up to which it was simulated where that is all; null while it goes on
 */
export function softwareResult(
  core: Core,
  m: SoftwareMigration,
  complete: boolean,
  until: bigint | null,
): SoftwareResult {
  const at = core.address("qemuReading");
  const read = (index: number): bigint => core.u64(at + index * 8);
  const ended = read(abi.QR_ENDED) || read(abi.QR_GIVEN_UP);
  const times = until === null ? null : timesOf(core, ended || until);
  const syncs = Number(read(abi.QR_SYNCS));
  const resumed = read(abi.QR_RESUMED);
  return {
    complete: complete && read(abi.QR_GIVEN_UP) === 0n,
    transferredBytes: Number(read(abi.QR_TRANSFERRED)),
    precopyBytes: Number(read(abi.QR_PRECOPY)),
    downtimeBytes: Number(read(abi.QR_DOWNTIME)),
    normalPages: Number(read(abi.QR_NORMAL)),
    zeroPages: Number(read(abi.QR_ZERO)),
    syncs,
    setupTicks: read(abi.QR_SETUP_DONE) - m.startAtTicks,
    downtimeTicks: (resumed === 0n ? read(abi.QR_ENDED) : resumed) - read(abi.QR_SUSPENDED),
    totalTicks: read(abi.QR_ENDED) - m.startAtTicks,
    workedTicks: read(abi.QR_WORKED),
    ...featureCounts(read),
    rounds: roundsOf(core, syncs),
    times,
  };
}

const CONTENTS: Readonly<Record<Carrying["content"]["mode"], number>> = {
  full: abi.CONTENT_FULL,
  sized: abi.CONTENT_SIZED,
  sampled: abi.CONTENT_SAMPLED,
};

/** Of which pages bytes are in the core's memory; none without XBZRLE, or where they are not known. */
export function carriedOf(m: SoftwareMigration, { known }: SoftwareGuest): Carrying & { encodes: boolean } {
  if (m.xbzrle === null || known === undefined)
    return { content: { mode: "sized", sampleEvery: 1 }, encodes: false };
  return { content: known, encodes: true };
}

/**
 * Builds the board and gives it the guest's memory and first writes.
 * @throws DoesNotFit in 4 GiB
 */
export function startSoftware(
  core: Core,
  stream: GuestStream,
  m: SoftwareMigration,
  given: SoftwareGuest = RECORDED,
  wordOf: WordOf = () => RAW_WORD,
): Feeder {
  const carried = carriedOf(m, given);
  const { content, encodes } = carried;
  const params: [number, number | bigint][] = [
    [abi.G_PAGES, stream.pages],
    [abi.G_CONTENT, CONTENTS[content.mode]],
    [abi.G_SAMPLE_EVERY, content.sampleEvery],
    [abi.G_DELTA_SETS, encodes ? m.xbzrle!.cachePages : 0],
    [abi.G_VCPUS, given.vcpus],
    [abi.G_CLOCK_WALL, given.wall ? 1 : 0],
    [abi.G_RING_EVENTS, ringEvents(carried)],
    [abi.G_DEVICE_BYTES, 0],
    [abi.G_TRACKER, given.tracker],
    [abi.G_TRACKER_GROUP, 1],
    [abi.G_TRACKER_LOG, given.ring?.entries ?? 0],
    [abi.G_SERIES_WINDOW, SERIES_TICKS],
  ];
  core.clearParams();
  for (const [index, value] of params) core.setGlobalParam(index, value);
  core.setSideParam(0, abi.S_HOST_FAULT, given.faultTicks);
  core.setSideParam(0, abi.S_HOST_LOG_EXIT, given.ring?.exitTicks ?? 0);
  core.setSideParam(0, abi.S_HOST_LOG_ENTRY, given.ring?.entryTicks ?? 0);
  core.setSideParam(0, abi.S_HOST_PROTECT_PAGE, given.ring?.protectTicks ?? 0);
  core.setSideParam(0, abi.S_HOST_TLB_FLUSH, given.ring?.flushTicks ?? 0);
  setSoftware(core, m);
  const lacking = Number(core.fn("buildSoftware")());
  if (lacking !== 0) throw new DoesNotFit(lacking === 2 ? "cache" : "guest");
  const feeder = new Feeder(core, stream, { ...carried, guest: given }, wordOf);
  feeder.loadImage();
  feeder.feed();
  return feeder;
}

/** Runs to the time `until`, or until the migration ends; returns why it stopped. */
export function advanceSoftware(core: Core, feeder: Feeder, until: bigint): number {
  const run = core.fn("runSoftware");
  let stop = Number(run(until));
  while (stop === abi.STOP_INPUT) {
    feeder.feed();
    stop = Number(run(until));
  }
  return stop;
}

/**
 * Migrates a guest that plays `stream` at its recorded times.
 * @param limitTicks how long is simulated at most
 * @param wordOf content word of a body, where channels compress
 * @param given by default one vCPU at recorded times, its dirty pages in a bitmap
 * @throws DoesNotFit in 4 GiB, Error when an invariant of the core breaks
 */
export function migrateInSoftware(
  core: Core,
  stream: GuestStream,
  m: SoftwareMigration,
  limitTicks: bigint,
  wordOf?: WordOf,
  given: SoftwareGuest = RECORDED,
): SoftwareResult {
  const feeder = startSoftware(core, stream, m, given, wordOf);
  const stop = advanceSoftware(core, feeder, m.startAtTicks + limitTicks);
  if (stop === abi.STOP_DONE || stop === abi.STOP_UNTIL)
    return softwareResult(core, m, stop === abi.STOP_DONE, m.startAtTicks + limitTicks);
  const [number, left, right] = ["brokenInvariant", "brokenLeft", "brokenRight"].map((name) =>
    core.global(name),
  );
  throw new Error(`the run stopped (${stop}), invariant ${number}: ${left} against ${right}`);
}
