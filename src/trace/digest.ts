// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) over a stream of byte blocks: the runtime's own where it has one, else
// @noble/hashes.
import { sha256 as portable } from "@noble/hashes/sha2.js";

/** A running SHA-256. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** Lower-case hex of everything so far; ends the digest. */
  hex(): string;
}

interface NativeCrypto {
  createHash(name: "sha256"): { update(bytes: Uint8Array): void; digest(encoding: "hex"): string };
}
interface Runtime {
  process?: { getBuiltinModule?: (name: string) => unknown };
}

/** Starts a SHA-256, using Node's where it can be reached without an import. */
export function sha256(): Sha256 {
  const native = (globalThis as Runtime).process?.getBuiltinModule?.("node:crypto") as
    | NativeCrypto
    | undefined;
  if (native === undefined) return portableSha256();
  const running = native.createHash("sha256");
  return { update: (bytes) => void running.update(bytes), hex: () => running.digest("hex") };
}

/** SHA-256 without Node. */
export function portableSha256(): Sha256 {
  const running = portable.create();
  return {
    update: (bytes) => void running.update(bytes),
    hex: () => Array.from(running.digest(), (byte) => byte.toString(16).padStart(2, "0")).join(""),
  };
}
