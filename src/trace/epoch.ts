// SPDX-License-Identifier: Apache-2.0
// One epoch of a trace with what is known of its contents: what replaying hands out.

/** What is known of a listed page's contents at the end of its epoch. */
export const Kind = {
  /** The body is in the trace. */
  body: 0,
  /** Written, contents as before (possibly unknown). */
  same: 1,
  /** Given back, not written: zero from now on. */
  free: 2,
  /** Written and all zero. */
  zero: 3,
  /** Written, contents not recorded. */
  unknown: 4,
} as const;

/** One epoch: pages written in (startUs, endUs]. */
export interface Epoch {
  /** From 0, in time order. */
  readonly index: number;
  readonly startUs: number;
  readonly endUs: number;
  /** Ascending. */
  readonly pfns: Uint32Array;
  /** A `Kind` for each pfn. */
  readonly kinds: Uint8Array;
  /** Body of each pfn of kind `body`; null if the epoch has none. */
  readonly bodies: readonly (Uint8Array | null)[] | null;
  /** What a compressor made of each page, plus one, 0 where that is not recorded; null: of none. */
  readonly sizes?: Uint16Array | null;
}

/** Body of the i-th page of an epoch, null unless its kind is `body`. Stays valid after the next epoch. */
export function epochBody(epoch: Epoch, i: number): Uint8Array | null {
  return epoch.bodies?.[i] ?? null;
}
