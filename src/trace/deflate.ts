// SPDX-License-Identifier: Apache-2.0
// Raw DEFLATE encoder: fflate. Its version is pinned and it is the same everywhere; the system's zlib
// differs from machine to machine, and a trace file must not.
type Level = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

import { deflateSync } from "fflate";

/** The raw DEFLATE stream of `input` at a level of 1 to 9; the same bytes on every machine. */
export function deflateRaw(input: Uint8Array, level: Level = 6): Uint8Array {
  return deflateSync(input, { level });
}
