// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) over a stream of byte blocks: the runtime's own where it has one, else this code.

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

// FIPS 180-4, 4.2.2: first 32 bits of the fractional parts of the cube roots of the first 64 primes, and of
// the square roots of the first 8 (5.3.3), by exact integer roots.
function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((p) => n % p !== 0)) primes.push(n);
  return primes;
}

function fractionBits(prime: number, power: 2 | 3): number {
  const target = BigInt(prime) << BigInt(32 * power);
  let root = 0n;
  for (let bit = 1n << 36n; bit > 0n; bit >>= 1n) if ((root + bit) ** BigInt(power) <= target) root += bit;
  return Number(root & 0xffffffffn);
}

const ROUND = Uint32Array.from(firstPrimes(64), (p) => fractionBits(p, 3));
const START = Uint32Array.from(firstPrimes(8), (p) => fractionBits(p, 2));

function rotate(x: number, n: number): number {
  return (x >>> n) | (x << (32 - n));
}

function compress(state: Uint32Array, block: Uint8Array, at: number, w: Uint32Array): void {
  for (let i = 0; i < 16; i++) {
    const o = at + 4 * i;
    w[i] = (block[o]! << 24) | (block[o + 1]! << 16) | (block[o + 2]! << 8) | block[o + 3]!;
  }
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15]!;
    const y = w[i - 2]!;
    const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
    const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
    w[i] = w[i - 16]! + s0 + w[i - 7]! + s1;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let i = 0; i < 64; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND[i]! + w[i]!) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  const next = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i++) state[i] = state[i]! + next[i]!;
}

/** The same digest without help from the runtime. */
export function portableSha256(): Sha256 {
  const state = START.slice();
  const w = new Uint32Array(64);
  const pending = new Uint8Array(128);
  let held = 0;
  let total = 0;
  const update = (bytes: Uint8Array): void => {
    total += bytes.length;
    let at = 0;
    if (held > 0) {
      at = Math.min(64 - held, bytes.length);
      pending.set(bytes.subarray(0, at), held);
      held += at;
      if (held < 64) return;
      compress(state, pending, 0, w);
      held = 0;
    }
    for (; at + 64 <= bytes.length; at += 64) compress(state, bytes, at, w);
    pending.set(bytes.subarray(at), 0);
    held = bytes.length - at;
  };
  const hex = (): string => {
    const end = held < 56 ? 64 : 128;
    pending.fill(0, held, end);
    pending[held] = 0x80;
    const view = new DataView(pending.buffer);
    view.setUint32(end - 8, Math.floor(total / 0x20000000));
    view.setUint32(end - 4, (total * 8) % 0x100000000);
    for (let at = 0; at < end; at += 64) compress(state, pending, at, w);
    return Array.from(state, (x) => x.toString(16).padStart(8, "0")).join("");
  };
  return { update, hex };
}
