// SPDX-License-Identifier: Apache-2.0
// The core's codecs as functions of byte arrays. Every call checks that nothing was written but the target.
import { Core, coreModule } from "../../../src/core.ts";
import type { Sealed } from "./aes-gcm.ts";
import type { Lz4HardwareConfig, Lz4HardwareResult } from "./lz4-hardware.ts";

/** What the core tells of a hardware job: all that the document defines but the drain. */
export type HardwareJob = Omit<Lz4HardwareResult, "drainCycles">;

const GUARD_BYTES = 64;

/** Throws, naming the first byte that differs, unless both are equal; null is a refusal. */
export function sameBytes(found: Uint8Array | null, expected: Uint8Array | null, what: string): void {
  if (found === null || expected === null) {
    const name = (bytes: Uint8Array | null): string =>
      bytes === null ? "a refusal" : `${bytes.length} bytes`;
    if (found !== expected) throw new Error(`${what}: ${name(found)}, expected ${name(expected)}`);
    return;
  }
  if (Buffer.compare(found, expected) === 0) return;
  let at = 0;
  while (found[at] === expected[at]) at++;
  const lengths = `${found.length} bytes, expected ${expected.length}`;
  throw new Error(`${what}: ${lengths}; byte ${at} is ${found[at]}, expected ${expected[at]}`);
}

/** A place in the core's memory with guards around it. */
interface Place {
  readonly at: number;
  readonly bytes: number;
}

/** One core, used for nothing but its codecs. */
export class Codecs {
  readonly core = new Core(coreModule());
  /** What lies around the places: guards are filled with it. */
  surroundings = 0xa5;
  private top = 0;
  private places: Place[] = [];

  constructor() {
    this.clear();
  }

  private clear(): void {
    this.places = [];
    this.top = Math.ceil((this.core.address("arenaTop") + 1) / 4096) * 4096;
  }

  /** A place of `bytes` bytes at an address that is `misalign` beyond a multiple of 64. */
  private place(bytes: number, contents: Uint8Array | null, misalign: number): number {
    const at = Math.ceil((this.top + GUARD_BYTES) / 64) * 64 + misalign;
    this.top = at + bytes + GUARD_BYTES;
    if (this.top > this.core.u8.length) throw new RangeError("the core's memory is too small for this test");
    this.core.u8.fill(this.surroundings, at - GUARD_BYTES, this.top);
    if (contents !== null) this.core.u8.set(contents, at);
    this.places.push({ at, bytes });
    return at;
  }

  /** Runs `call` and throws if a guard has changed or a place that `kept` names by address. */
  private guarded(name: string, kept: readonly number[], call: () => void): void {
    const before = this.places.map(({ at, bytes }) => this.core.u8.slice(at, at + bytes));
    call();
    const { u8 } = this.core;
    for (const [i, { at, bytes }] of this.places.entries()) {
      for (let k = 1; k <= GUARD_BYTES; k++) {
        if (u8[at - k] !== this.surroundings || u8[at + bytes + k - 1] !== this.surroundings) {
          throw new Error(`${name}: wrote ${k} bytes outside place ${i} of ${bytes} bytes`);
        }
      }
      if (!kept.includes(at)) continue;
      if (Buffer.compare(u8.subarray(at, at + bytes), before[i]!) !== 0)
        throw new Error(`${name}: changed its input`);
    }
    this.clear();
  }

  private number(name: string, ...args: number[]): number {
    return Number(this.core.fn(name)(...args));
  }

  /** lz4hwConfigure: false for values it refuses. */
  configure(c: Lz4HardwareConfig): boolean {
    const first = [c.pws, c.hashLog, c.banks, c.ports, c.policy, c.matchCap, c.multi, c.intraForward];
    const rest = [c.bailMargin, c.outBytesPerClock, c.tokensPerClock, c.outFifoBytes];
    return this.number("lz4hwConfigure", ...first, ...rest) !== 0;
  }

  /** One hardware job under the configuration set last. */
  encodeHardware(job: Uint8Array, cap = job.length + 400, misalign = 0): HardwareJob {
    const from = this.place(job.length, job, misalign);
    const to = this.place(cap, null, misalign);
    let block: Uint8Array | null = null;
    this.guarded("lz4hwCompress", [from], () => {
      const bytes = this.number("lz4hwCompress", from, job.length, to, cap) >>> 0;
      if (bytes > 0) block = this.core.u8.slice(to, to + bytes);
    });
    const count = (what: string): number => this.number(`lz4hw${what}`) >>> 0;
    return {
      block,
      cycles: count("Cycles"),
      scanCycles: count("ScanCycles"),
      outCycles: count("OutCycles"),
      conflicts: count("Conflicts"),
      matches: count("Matches"),
      tokens: count("Tokens"),
    };
  }

  /** lz4Compress: the block, null when it does not fit `cap`. */
  encode(source: Uint8Array, cap: number): Uint8Array | null {
    const from = this.place(source.length, source, 0);
    const to = this.place(cap, null, 0);
    let block: Uint8Array | null = null;
    this.guarded("lz4Compress", [from], () => {
      const bytes = this.number("lz4Compress", from, source.length, to, cap) >>> 0;
      if (bytes > 0) block = this.core.u8.slice(to, to + bytes);
    });
    return block;
  }

  /** lz4Decompress: the bytes, null for a block it refuses. */
  decode(block: Uint8Array, cap: number, misalign = 0): Uint8Array | null {
    const from = this.place(block.length, block, misalign);
    const to = this.place(cap, null, misalign);
    let out: Uint8Array | null = null;
    this.guarded("lz4Decompress", [from], () => {
      const bytes = this.number("lz4Decompress", from, block.length, to, cap);
      if (bytes !== -1) out = this.core.u8.slice(to, to + bytes);
    });
    return out;
  }

  /** xbzrleEncode: the delta, null when it takes more than `cap`. */
  encodeDelta(old: Uint8Array, page: Uint8Array, cap = page.length, misalign = 0): Uint8Array | null {
    const before = this.place(old.length, old, misalign);
    const from = this.place(page.length, page, misalign);
    const to = this.place(cap, null, misalign);
    return this.delta("xbzrleEncode", [before, from, page.length, to, cap]);
  }

  /** xbzrleEncodeAsQemu in as much room as the page has: the delta, null where it gives up. */
  encodeDeltaAsQemu(old: Uint8Array, page: Uint8Array): Uint8Array | null {
    const places = [this.place(old.length, old, 0), this.place(page.length, page, 0)] as const;
    const to = this.place(page.length, null, 0);
    return this.delta("xbzrleEncodeAsQemu", [...places, page.length, to, page.length]);
  }

  private delta(name: string, given: readonly [number, number, number, number, number]): Uint8Array | null {
    let delta: Uint8Array | null = null;
    const [before, from, , to] = given;
    this.guarded(name, [before, from], () => {
      const bytes = this.number(name, ...given);
      if (bytes !== -1) delta = this.core.u8.slice(to, to + bytes);
    });
    return delta;
  }

  /** xbzrleDecode on a copy of `old`: the page, null for a delta it refuses. */
  decodeDelta(delta: Uint8Array, old: Uint8Array, misalign = 0): Uint8Array | null {
    const from = this.place(delta.length, delta, misalign);
    const to = this.place(old.length, old, misalign);
    let page: Uint8Array | null = null;
    this.guarded("xbzrleDecode", [from], () => {
      const end = this.number("xbzrleDecode", from, delta.length, to, old.length);
      if (end !== -1) page = this.core.u8.slice(to, to + old.length);
    });
    return page;
  }

  /** gcmSetKey: false for a context or a key length that there is not. */
  setKey(context: number, key: Uint8Array, bits = 8 * key.length): boolean {
    const at = this.place(key.length, key, 0);
    let taken = false;
    this.guarded("gcmSetKey", [at], () => {
      taken = this.number("gcmSetKey", context, at, bits) !== 0;
    });
    return taken;
  }

  /** gcmSeal; `inPlace`: source and target are the same address. */
  seal(
    context: number,
    iv: Uint8Array,
    aad: Uint8Array,
    plain: Uint8Array,
    inPlace = false,
    misalign = 0,
  ): Sealed {
    const [ivAt, aadAt] = [this.place(12, iv, misalign), this.place(aad.length, aad, misalign)];
    const from = this.place(plain.length, plain, misalign);
    const to = inPlace ? from : this.place(plain.length, null, misalign);
    const tagAt = this.place(16, null, misalign);
    let sealed: Sealed | null = null;
    this.guarded("gcmSeal", inPlace ? [ivAt, aadAt] : [ivAt, aadAt, from], () => {
      this.number("gcmSeal", context, ivAt, aadAt, aad.length, from, to, plain.length, tagAt);
      const { u8 } = this.core;
      sealed = { text: u8.slice(to, to + plain.length), tag: u8.slice(tagAt, tagAt + 16) };
    });
    return sealed!;
  }

  /** gcmOpen: whether it accepts, and what lies in the target afterwards (0xa5 before). */
  open(
    context: number,
    iv: Uint8Array,
    aad: Uint8Array,
    { text, tag }: Sealed,
  ): { accepted: boolean; target: Uint8Array } {
    const [ivAt, aadAt] = [this.place(12, iv, 0), this.place(aad.length, aad, 0)];
    const [from, tagAt] = [this.place(text.length, text, 0), this.place(16, tag, 0)];
    const to = this.place(text.length, null, 0);
    let accepted = false;
    let target = new Uint8Array(0);
    this.guarded("gcmOpen", [ivAt, aadAt, from, tagAt], () => {
      accepted = this.number("gcmOpen", context, ivAt, aadAt, aad.length, from, to, text.length, tagAt) !== 0;
      target = this.core.u8.slice(to, to + text.length);
    });
    return { accepted, target };
  }

  /** crc32, unsigned. */
  crc32(seed: number, bytes: Uint8Array, misalign = 0): number {
    const at = this.place(bytes.length, bytes, misalign);
    let crc = 0;
    this.guarded("crc32", [at], () => {
      crc = this.number("crc32", seed, at, bytes.length) >>> 0;
    });
    return crc;
  }
}
