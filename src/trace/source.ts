// SPDX-License-Identifier: Apache-2.0
// Where the bytes of a trace come from. Reads are positional: any number of readers can share one source.

/** Random access to the bytes of a file. */
export interface ByteSource {
  /** Length in bytes. */
  readonly size: number;
  /** `length` bytes from `offset`; fewer only where the source ends. The view is the caller's to keep. */
  read(offset: number, length: number): Uint8Array;
}

/** A source over bytes that are already in memory (a browser's file, a test). */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, Math.min(bytes.length, offset + length)),
  };
}
