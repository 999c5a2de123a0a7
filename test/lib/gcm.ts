// SPDX-License-Identifier: Apache-2.0
// The AES-GCM and CRC files of the core compiled alone, for their test and their benchmark.
import { compiled } from "./compiled.ts";

export { freeAddress } from "./compiled.ts";

const entry = `export { gcmSetKey, gcmSeal, gcmOpen } from "./codec/gcm";
export { crc32 } from "./codec/crc";
`;

/** The exports; addresses and lengths are bytes in `memory`. What they do is told in assembly/codec/. */
export interface GcmCore {
  memory: { buffer: ArrayBuffer };
  gcmSetKey(context: number, key: number, bits: number): number;
  gcmSeal(...args: SealArguments): void;
  gcmOpen(...args: SealArguments): number;
  crc32(seed: number, source: number, length: number): number;
}

export type SealArguments = [
  context: number,
  iv: number,
  aad: number,
  aadLength: number,
  source: number,
  target: number,
  length: number,
  tag: number,
];

/** Compiles and starts an instance. Throws with the compiler's words. */
export async function loadGcm(): Promise<GcmCore> {
  return (await compiled(entry)) as GcmCore;
}
