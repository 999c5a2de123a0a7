// SPDX-License-Identifier: Apache-2.0
/**
 * Capabilities of QEMU beyond the plain thread, as the core is told of them: XBZRLE, multifd. Both stand for
 * themselves: QEMU refuses them together.
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

/** Which of them are on. */
export interface Features {
  readonly xbzrle: Xbzrle | null;
  readonly multifd: Multifd | null;
}

/** QEMU as it is by default. */
export const PLAIN: Features = { xbzrle: null, multifd: null };

/** Tells the core. */
export function setFeatures(
  { xbzrle, multifd }: Features,
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
  };
}
