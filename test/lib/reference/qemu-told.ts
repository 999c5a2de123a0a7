// SPDX-License-Identifier: Apache-2.0
// What the slow migration thread is given and tells.

/** A write of the guest: when, which page, whether the page holds zeros afterwards; or a read. */
export interface Write {
  readonly at: bigint;
  readonly pfn: number;
  readonly zero: boolean;
  readonly read?: boolean;
  /** Number of the body that it writes, where contents are known; without, the page keeps what it holds. */
  readonly body?: number;
}

/** What the thread has done, with QEMU's names. */
export interface Told {
  transferred: number;
  precopy: number;
  downtimeBytes: number;
  normal: number;
  zero: number;
  syncs: number;
  suspendedAt: bigint;
  /** When it goes on, with post-copy before the end. */
  resumedAt: bigint;
  postcopy: number;
  requests: number;
  /** Of the requests, those of reads. */
  reads: number;
  givenUpAt: bigint | null;
  /** Bytes of device state with the guest stopped. */
  rest: number;
  endedAt: bigint;
  worked: bigint;
  /** When each synchronisation happened, and pages that it found newly dirty. */
  syncAt: bigint[];
  fresh: number[];
  /** Bytes that the connection had carried at the end of each round. */
  carried: number[];
  /** How long the thread waited for windows that were spent. */
  capped: bigint;
  /** Per cent of throttle after each synchronisation. */
  throttle: number[];
}

/** Before anything has happened. */
export function nothingTold(): Told {
  return {
    transferred: 0,
    precopy: 0,
    downtimeBytes: 0,
    normal: 0,
    zero: 0,
    syncs: 0,
    suspendedAt: 0n,
    resumedAt: 0n,
    postcopy: 0,
    requests: 0,
    reads: 0,
    givenUpAt: null,
    rest: 0,
    endedAt: 0n,
    worked: 0n,
    syncAt: [],
    fresh: [],
    carried: [],
    capped: 0n,
    throttle: [],
  };
}
