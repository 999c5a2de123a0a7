// SPDX-License-Identifier: Apache-2.0
// XBZRLE's cache and multifd's channels, slow and obvious, from docs/model.md section 16.
import type { Multifd, Xbzrle } from "../../../src/software-features.ts";
import { encodeAsQemu } from "./xbzrle.ts";

export type Encoded = "miss" | "same" | "overflow" | "delta";

interface Slot {
  readonly pfn: number;
  version: number;
  round: number;
  body: Uint8Array | null;
}

/** A cache of sent pages: one page a slot. */
export class ReferenceCache {
  readonly counts = { miss: 0, same: 0, overflow: 0, delta: 0 };
  /** The delta that was made last, where contents are known. */
  delta: Uint8Array | null = null;
  private readonly x: Xbzrle;
  private sent = 0;
  private readonly slots = new Map<number, Slot>();

  constructor(x: Xbzrle) {
    this.x = x;
  }

  /** `body`: the page as it is now, null where contents are not known. */
  keep(pfn: number, version: number, round: number, body: Uint8Array | null): void {
    const slot = pfn % this.x.cachePages;
    const there = this.slots.get(slot);
    if (there !== undefined && there.pfn !== pfn && round - there.round < 2) return;
    this.slots.set(slot, { pfn, version, round, body });
  }

  /** What becomes of a page with contents. */
  encode(pfn: number, version: number, round: number, last: boolean, body: Uint8Array | null): Encoded {
    const there = this.slots.get(pfn % this.x.cachePages);
    let what: Encoded = "miss";
    if (there === undefined || there.pfn !== pfn) {
      if (!last) this.keep(pfn, version, round, body);
    } else {
      there.round = round;
      what = body === null ? this.drawn(pfn, version, there) : this.encoded(there.body!, body);
      if (!last) Object.assign(there, { version, body });
    }
    this.counts[what]++;
    if (what === "delta") this.sent += this.size();
    return what;
  }

  /** Bytes of the last delta: a flag, its length in two bytes, itself. */
  size(): number {
    return 1 + 2 + (this.delta?.length ?? this.x.deltaBytes);
  }

  private drawn(pfn: number, version: number, there: Slot): Encoded {
    if (there.version === version) return "same";
    return this.chance(pfn, version) < this.x.overflowOf65536 ? "overflow" : "delta";
  }

  private encoded(old: Uint8Array, body: Uint8Array): Encoded {
    this.delta = encodeAsQemu(old, body);
    if (this.delta === null) return "overflow";
    return this.delta.length === 0 ? "same" : "delta";
  }

  /** 0 to 65535 from page and version, in 32 bits. */
  private chance(pfn: number, version: number): number {
    const word = (n: bigint): bigint => n & 0xffffffffn;
    let h = word(BigInt(pfn) * 0x9e3779b1n) ^ word(BigInt(version) * 0x85ebca6bn);
    h = word((h ^ (h >> 15n)) * 0x2c1b3c6dn);
    h ^= h >> 12n;
    return Number(h >> 16n);
  }

  /** As query-migrate tells them. */
  told(): { pages: number; bytes: number } {
    const { same, overflow, delta } = this.counts;
    return { pages: same + overflow + delta, bytes: overflow * 4096 + this.sent };
  }
}

/** What the channels need of the thread. */
export interface Around {
  readonly isZero: (pfn: number) => boolean;
  readonly sizeOf: (pfn: number) => number;
  /** When bytes given to the connection at `at` have been taken by it. */
  readonly carry: (at: bigint, bytes: number) => bigint;
}

/** Channels with packets of up to 128 pages. */
export class ReferenceChannels {
  normal = 0;
  zero = 0;
  worked = 0n;
  private readonly m: Multifd;
  private readonly around: Around;
  private readonly idle: bigint[];
  private done = 0;
  private underWay: { at: bigint; bytes: number }[] = [];
  private queue: number[] = [];
  private turn = 0;

  constructor(m: Multifd, around: Around) {
    this.m = m;
    this.around = around;
    this.idle = Array.from({ length: m.channels }, () => 0n);
    this.done = 64 * m.channels;
  }

  /** Bytes written by `now`. */
  written(now: bigint): number {
    for (const { bytes } of this.underWay.filter(({ at }) => at <= now)) this.done += bytes;
    this.underWay = this.underWay.filter(({ at }) => at > now);
    return this.done;
  }

  private write(channel: number, at: bigint, bytes: number): void {
    const end = this.around.carry(at, bytes);
    this.idle[channel] = end;
    this.underWay.push({ at: end, bytes });
  }

  /** Takes a page at `now`; returns when the thread goes on. */
  take(now: bigint, pfn: number, look: (at: bigint) => void): bigint {
    this.queue.push(pfn);
    return this.queue.length < 128 ? now : this.packet(now, look);
  }

  private packet(now: bigint, look: (at: bigint) => void): bigint {
    const soonest = this.idle.reduce((a, b) => (a < b ? a : b));
    const at = soonest > now ? soonest : now;
    const { channels, normalTicks, zeroTicks } = this.m;
    let channel = this.turn;
    while (this.idle[channel]! > at) channel = (channel + 1) % channels;
    this.turn = (channel + 1) % channels;
    look(at);
    const zeros = this.queue.filter(this.around.isZero).length;
    const sizes = this.queue.filter((pfn) => !this.around.isZero(pfn)).map(this.around.sizeOf);
    this.queue = [];
    this.zero += zeros;
    this.normal += sizes.length;
    const ticks = BigInt(sizes.length) * BigInt(normalTicks) + BigInt(zeros) * BigInt(zeroTicks);
    this.worked += ticks;
    this.write(
      channel,
      at + ticks,
      sizes.reduce((a, b) => a + b, 1344),
    );
    return at;
  }

  /** Everything is written, and a header more by each. */
  wait(now: bigint, look: (at: bigint) => void): bigint {
    const from = this.queue.length > 0 ? this.packet(now, look) : now;
    for (let c = 0; c < this.m.channels; c++)
      this.write(c, this.idle[c]! > from ? this.idle[c]! : from, 1344);
    return this.idle.reduce((a, b) => (a > b ? a : b), from);
  }
}
