// SPDX-License-Identifier: Apache-2.0
// The guest's writes as the simulator takes them: batches of events in time order, contents by id.
//
// Every page an epoch lists becomes one event at a seeded instant within (epoch start, epoch end]. Ticks are
// 2^-10 ps. Offsets within a batch are integers held in doubles: exact for epochs below 8.7 s, on a coarser
// grid that is the same on every machine beyond.

/** Ticks of one microsecond. */
export const TICKS_PER_US = 1_024_000_000n;

export const EventFlag = {
  /** Contents stay what they are; the id is KEEP_CONTENT. */
  same: 1,
  /** Given back by the guest: the page becomes zero and no vCPU stalls. */
  free: 2,
  /** The new contents are all zero (id 0). */
  zero: 4,
  /** The contents stand in for ones that were not recorded. */
  estimated: 8,
  /** The page is read and not written; the id is KEEP_CONTENT. */
  read: 16,
} as const;

/** Content id of an event that leaves its page's contents as they are. */
export const KEEP_CONTENT = 0xffffffff;

/**
 * Content ids from here on, with a size added: the contents are unknown, and what the run's compressor makes
 * of them is recorded.
 */
export const RECORDED_SIZE = 0xffff0000;

/** The recorded size that an id stands for, null where it stands for something else. */
export function recordedSize(id: number): number | null {
  return id >= RECORDED_SIZE && id !== KEEP_CONTENT ? id - RECORDED_SIZE : null;
}

/** What the guest does after the trace has ended. `fail` ends the stream like `idle`; the run then fails. */
export type AtEnd = "idle" | "loop" | "fail";

/** Events of one epoch, by time and then by pfn. */
export interface GuestBatch {
  /** Times are in (startTicks, endTicks]; at startTicks if both are equal. */
  readonly startTicks: bigint;
  readonly endTicks: bigint;
  readonly count: number;
  readonly timeTicks: BigUint64Array;
  readonly pfns: Uint32Array;
  /** EventFlag bits. */
  readonly flags: Uint8Array;
  /** Below `stableContents`: the same body in every batch. Else it counts in this batch only. */
  readonly contentIds: Uint32Array;
  /** Body of event i (a shared view, not to be written to); null for KEEP_CONTENT. */
  content(i: number): Uint8Array | null;
}

/** Initial contents of pages firstPfn .. firstPfn + count - 1. Arrays are used again for the next block. */
export interface InitialBlock {
  readonly firstPfn: number;
  readonly count: number;
  readonly contentIds: Uint32Array;
  /** EventFlag.zero and .estimated. */
  readonly flags: Uint8Array;
  /** Body of page firstPfn + i. */
  content(i: number): Uint8Array;
}

/** A guest's memory contents and writes. Deterministic: a fork gives the same again. */
export interface GuestStream {
  /** Pages of all tiles together. */
  readonly pages: number;
  readonly pageBytes: number;
  /** Content ids below this mean the same body throughout; 0 is the zero page. */
  readonly stableContents: number;
  /** True when the bytes of every version are known: recorded, or the generator's own; not stand-ins. */
  readonly isKnown?: boolean;
  readonly atEnd: AtEnd;
  /** End of the last event's epoch, without a loop; null if the stream does not end. */
  readonly endTicks: bigint | null;
  stableContent(id: number): Uint8Array;
  /** The initial image in blocks; with tiles each block comes once per tile. Every page comes once. */
  initial(): Iterable<InitialBlock>;
  /** The next epoch, null after the last. Throws TraceError, and RangeError past 2^63 ticks. */
  next(): GuestBatch | null;
  /** Of several guests those of each; `pages` are then all of theirs. */
  readonly parts?: readonly GuestStream[];
  /** The same stream from its beginning, independent of this one. */
  fork(): GuestStream;
}

/** A positive ratio of two integers. */
export interface Rational {
  readonly numerator: number;
  readonly denominator: number;
}

/** Microseconds of trace time as ticks at `speed` (times are divided by it), rounded down. */
export function ticksOfUs(us: number, speed: Rational): bigint {
  return (BigInt(us) * TICKS_PER_US * BigInt(speed.denominator)) / BigInt(speed.numerator);
}
