// SPDX-License-Identifier: Apache-2.0
// XBZRLE's cache and multifd's channels, slow and obvious, from docs/model.md section 16.
import type { Multifd, Xbzrle } from "../../../src/software-features.ts";

export type Encoded = "miss" | "same" | "overflow" | "delta";

/** A cache of sent pages: one page a slot. */
export class ReferenceCache {
  readonly counts = { miss: 0, same: 0, overflow: 0, delta: 0 };
  private readonly x: Xbzrle;
  private readonly slots = new Map<number, { pfn: number; version: number; round: number }>();

  constructor(x: Xbzrle) {
    this.x = x;
  }

  keep(pfn: number, version: number, round: number): void {
    const slot = pfn % this.x.cachePages;
    const there = this.slots.get(slot);
    if (there !== undefined && there.pfn !== pfn && round - there.round < 2) return;
    this.slots.set(slot, { pfn, version, round });
  }

  /** What becomes of a page with contents. */
  encode(pfn: number, version: number, round: number, last: boolean): Encoded {
    const there = this.slots.get(pfn % this.x.cachePages);
    let what: Encoded = "miss";
    if (there === undefined || there.pfn !== pfn) {
      if (!last) this.keep(pfn, version, round);
    } else {
      there.round = round;
      if (there.version === version) what = "same";
      else what = this.chance(pfn, version) < this.x.overflowOf65536 ? "overflow" : "delta";
      if (!last) there.version = version;
    }
    this.counts[what]++;
    return what;
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
    return { pages: same + overflow + delta, bytes: overflow * 4096 + delta * (3 + this.x.deltaBytes) };
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
