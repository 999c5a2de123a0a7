// SPDX-License-Identifier: Apache-2.0
// Where the bytes of a trace go.
import { Bytes } from "./encode.ts";

/** Where a trace is written: bytes in order, and once at the end the front again. */
export interface TraceSink {
  write(bytes: Uint8Array): void;
  /** Overwrites bytes written earlier. */
  patch(offset: number, bytes: Uint8Array): void;
}

/** A sink in memory; `bytes()` is the file so far. */
export function memorySink(): TraceSink & { bytes(): Uint8Array } {
  const parts = new Bytes();
  const patches: [number, Uint8Array][] = [];
  return {
    write: (bytes) => parts.append(bytes),
    patch: (offset, bytes) => void patches.push([offset, bytes.slice()]),
    bytes() {
      const out = parts.done();
      for (const [offset, bytes] of patches) out.set(bytes, offset);
      return out;
    },
  };
}
