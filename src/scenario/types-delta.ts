// SPDX-License-Identifier: Apache-2.0
/** The resolved delta stage. */

export interface ResolvedDelta {
  /** Pages that the cache has room for, a power of two. */
  cachePages: number;
  bytesPerCycle: number;
  /** Largest delta that is sent. */
  mostBytes: number;
}
