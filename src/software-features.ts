// SPDX-License-Identifier: Apache-2.0
/**
 * Capabilities of QEMU beyond the plain thread, as the core is told of them: XBZRLE, multifd, post-copy,
 * dirty-limit, device pre-copy. QEMU refuses multifd together with XBZRLE and post-copy.
 */
import * as abi from "../assembly/abi.ts";

/** `xbzrle`: pages are sent as what has changed since they were sent before. */
export interface Xbzrle {
  /** `xbzrle-cache-size` in pages, a power of two. */
  readonly cachePages: number;
  /** Of 65,536 pages that the cache has, so many have changed too much. */
  readonly overflowOf65536: number;
  /** What the others are encoded to. */
  readonly deltaBytes: number;
  /** Of the thread, to encode a page. */
  readonly encodeTicks: number;
}

/** `multifd`: pages go over channels, each a thread; their sizes are those of the content words. */
export interface Multifd {
  readonly channels: number;
  /** Of the migration thread, to queue a page. */
  readonly queueTicks: number;
  /** Of a channel: a page that is not zero, and one that is. */
  readonly normalTicks: number;
  readonly zeroTicks: number;
  /** Size of a page behind the guest's memory that is not zero. */
  readonly romBytes: number;
}

/** `postcopy-ram`, asked for by migrate-start-postcopy. */
export interface Postcopy {
  /** It is asked for when a window begins after so many synchronisations. */
  readonly afterSyncs: number;
  /** Of the destination, to place a page. */
  readonly placeTicks: number;
  /** From a vCPU's fault until the source's thread knows of it. */
  readonly requestTicks: number;
  /** From the source's socket to the destination. */
  readonly flightTicks: number;
}

/** `dirty-limit`: vCPUs that write too fast sleep when their dirty ring is full. */
export interface DirtyLimit {
  /** `vcpu-dirty-limit` in MiB/s. */
  readonly rateMib: number;
  /** `x-vcpu-dirty-limit-period`, whole ms. */
  readonly periodTicks: number;
}

/** Device pre-copy with `switchover-ack`: a part of the device state goes ahead of the stop. */
export interface DeviceAhead {
  /** At most the state's own. */
  readonly bytes: number;
  /** Bytes a second of it that grow old while the guest runs. */
  readonly changes: number;
  /** What has grown old is read again no sooner than that after it was. */
  readonly everyTicks: number;
  /** Of the destination, to load a KiB of state. */
  readonly loadTicks: number;
  /** The way there and back. */
  readonly ackTicks: number;
}

/** Which of them are on. */
export interface Features {
  readonly dirtyLimit: DirtyLimit | null;
  readonly ahead: DeviceAhead | null;
  readonly postcopy: Postcopy | null;
  /** Synchronisations after which a migration is given up; null: it goes on for ever, as QEMU does. */
  readonly syncsMax: number | null;
  readonly xbzrle: Xbzrle | null;
  readonly multifd: Multifd | null;
}

/** QEMU as it is by default. */
export const PLAIN: Features = {
  xbzrle: null,
  multifd: null,
  postcopy: null,
  syncsMax: null,
  dirtyLimit: null,
  ahead: null,
};

/** Tells the core. */
export function setFeatures(
  { xbzrle, multifd, postcopy, syncsMax, dirtyLimit, ahead }: Features,
  put: (index: number, value: number) => void,
): void {
  put(abi.QP_XBZRLE_SLOTS, xbzrle?.cachePages ?? 0);
  put(abi.QP_XBZRLE_OVERFLOW, xbzrle?.overflowOf65536 ?? 0);
  put(abi.QP_XBZRLE_BYTES, xbzrle?.deltaBytes ?? 0);
  put(abi.QP_XBZRLE_TICKS, xbzrle?.encodeTicks ?? 0);
  put(abi.QP_CHANNELS, multifd?.channels ?? 0);
  put(abi.QP_QUEUE, multifd?.queueTicks ?? 0);
  put(abi.QP_CHANNEL_NORMAL, multifd?.normalTicks ?? 0);
  put(abi.QP_CHANNEL_ZERO, multifd?.zeroTicks ?? 0);
  put(abi.QP_ROM_BYTES, multifd?.romBytes ?? 0);
  put(abi.QP_POSTCOPY, postcopy?.afterSyncs ?? 0);
  put(abi.QP_PLACE, postcopy?.placeTicks ?? 0);
  put(abi.QP_REQUEST, postcopy?.requestTicks ?? 0);
  put(abi.QP_FLIGHT, postcopy?.flightTicks ?? 0);
  put(abi.QP_SYNCS_MAX, syncsMax ?? 0);
  put(abi.QP_LIMIT_RATE, dirtyLimit?.rateMib ?? 0);
  put(abi.QP_LIMIT_PERIOD, dirtyLimit?.periodTicks ?? 0);
  put(abi.QP_AHEAD_BYTES, ahead?.bytes ?? 0);
  put(abi.QP_AHEAD_CHANGES, ahead?.changes ?? 0);
  put(abi.QP_AHEAD_EVERY, ahead?.everyTicks ?? 0);
  put(abi.QP_AHEAD_LOAD, ahead?.loadTicks ?? 0);
  put(abi.QP_AHEAD_ACK, ahead?.ackTicks ?? 0);
}

/** What became of pages with them, with the names of query-migrate. */
export interface FeatureCounts {
  /** Pages that XBZRLE's cache had; of them too much changed; not changed; and pages that it had not. */
  readonly xbzrlePages: number;
  readonly xbzrleOverflows: number;
  readonly xbzrleSame: number;
  readonly xbzrleMisses: number;
  /** What the pages that it had became, without headers. */
  readonly xbzrleBytes: number;
  readonly multifdBytes: number;
  /** Of cores, for all channels. */
  readonly channelTicks: bigint;
  /** Bytes of RAM after the guest went over; pages asked for; and by how much vCPUs waited for them. */
  readonly postcopyBytes: number;
  readonly postcopyRequests: number;
  /** Of the pages asked for, those that were read. */
  readonly postcopyReads: number;
  readonly faultTicks: bigint;
  /** By dirty-limit: the longest sleep of a vCPU at the stop. */
  readonly limitSleepUs: number;
  /** Device state: bytes ahead of the stop, when that was acknowledged (null: never), and the rest. */
  readonly aheadBytes: number;
  readonly ackedTicks: bigint | null;
  readonly restBytes: number;
  /** When it was given up, null when not. */
  readonly givenUpTicks: bigint | null;
}

export function featureCounts(read: (index: number) => bigint): FeatureCounts {
  return {
    xbzrlePages: Number(read(abi.QR_XBZRLE_PAGES)),
    xbzrleOverflows: Number(read(abi.QR_XBZRLE_OVERFLOWS)),
    xbzrleSame: Number(read(abi.QR_XBZRLE_SAME)),
    xbzrleMisses: Number(read(abi.QR_XBZRLE_MISSES)),
    xbzrleBytes: Number(read(abi.QR_XBZRLE_BYTES)),
    multifdBytes: Number(read(abi.QR_MULTIFD_BYTES)),
    channelTicks: read(abi.QR_CHANNEL_WORKED),
    postcopyBytes: Number(read(abi.QR_POSTCOPY)),
    postcopyRequests: Number(read(abi.QR_REQUESTS)),
    postcopyReads: Number(read(abi.QR_READ_REQUESTS)),
    faultTicks: read(abi.QR_FAULT_TICKS),
    limitSleepUs: Number(read(abi.QR_LIMIT_SLEEP)),
    aheadBytes: Number(read(abi.QR_AHEAD_BYTES)),
    ackedTicks: read(abi.QR_ACKED) === 0n ? null : read(abi.QR_ACKED),
    restBytes: Number(read(abi.QR_REST_BYTES)),
    givenUpTicks: read(abi.QR_GIVEN_UP) === 0n ? null : read(abi.QR_GIVEN_UP),
  };
}
