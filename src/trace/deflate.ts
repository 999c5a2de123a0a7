// SPDX-License-Identifier: Apache-2.0
// Raw DEFLATE encoder: fflate. Its version is pinned and it is the same everywhere; the system's zlib
// differs from machine to machine, and a trace file must not.
import { deflateSync } from "fflate";

/** The raw DEFLATE stream of `input`; the same bytes on every machine. */
export function deflateRaw(input: Uint8Array): Uint8Array {
  return deflateSync(input, { level: 6 });
}
