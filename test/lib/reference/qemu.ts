// SPDX-License-Identifier: Apache-2.0
// QEMU's migration thread, slow and obvious, from docs/model.md section 16: one page after another, a set of
// dirty pages, a list of the guest's writes.
import type { SoftwareMigration } from "../../../src/software.ts";

/** A write of the guest: when, which page, and whether the page holds zeros afterwards. */
export interface Write {
  readonly at: bigint;
  readonly pfn: number;
  readonly zero: boolean;
}

/** What the thread has done, with QEMU's names. */
export interface Told {
  transferred: number;
  precopy: number;
  downtimeBytes: number;
  normal: number;
  zero: number;
  syncs: number;
  suspendedAt: bigint;
  endedAt: bigint;
  worked: bigint;
  /** When each synchronisation happened, and pages that it found newly dirty. */
  syncAt: bigint[];
  fresh: number[];
  /** Per cent of throttle after each synchronisation. */
  throttle: number[];
}

const MS = 1_024_000_000_000n;

export class ReferenceThread {
  readonly told: Told = {
    transferred: 0,
    precopy: 0,
    downtimeBytes: 0,
    normal: 0,
    zero: 0,
    syncs: 0,
    suspendedAt: 0n,
    endedAt: 0n,
    worked: 0n,
    syncAt: [],
    fresh: [],
    throttle: [],
  };
  private readonly m: SoftwareMigration;
  private readonly writes: readonly Write[];
  private readonly zeros: boolean[];
  private readonly log = new Set<number>();
  private readonly toSend: Set<number>;
  private readonly all: number;
  private logging = false;
  private next = 0;
  private now: bigint;
  private scanFrom = 0;
  private written = 0;
  private given = 0;
  private headers = 0;
  private vectors = 0;
  private wireFreeAt = 0n;
  private period = { sinceMs: 0n, given: 0, pages: 0, high: 0 };

  /** @param zeros which pages of the guest hold zeros at time 0 */
  constructor(m: SoftwareMigration, zeros: readonly boolean[], writes: readonly Write[]) {
    this.m = m;
    this.writes = writes;
    const rom = Array.from({ length: m.romPages }, (_, i) => i >= m.romNormalPages);
    this.zeros = [...zeros, ...rom];
    this.all = this.zeros.length;
    this.toSend = new Set(this.zeros.keys());
    this.now = m.startAtTicks;
  }

  /** Lets the guest do what it does before `until`. */
  private guest(until: bigint): void {
    for (; this.next < this.writes.length && this.writes[this.next]!.at < until; this.next++) {
      const { pfn, zero } = this.writes[this.next]!;
      this.zeros[pfn] = zero;
      if (this.logging) this.log.add(pfn);
    }
  }

  private work(ticks: number): void {
    this.now += BigInt(ticks);
    this.told.worked += BigInt(ticks);
  }

  private sync(): void {
    const before = this.toSend.size;
    for (const pfn of this.log) this.toSend.add(pfn);
    const last = this.told.syncAt.at(-1);
    if (last !== undefined) {
      const ms = Math.min(100, Number((this.now - last) / MS));
      const guestPages = this.all - this.m.romPages;
      const unwritten = Math.floor((this.m.unwrittenPages * ms) / 100);
      for (let i = 0; i < unwritten; i++) this.toSend.add(guestPages + i);
    }
    this.log.clear();
    this.told.syncs++;
    this.told.syncAt.push(this.now);
    this.told.fresh.push(this.toSend.size - before);
    this.told.throttle.push(this.throttled(this.now / MS, this.toSend.size - before));
  }

  /** Two periods that dirtied more than half of what they sent: 20 %, then 10 more. */
  private throttled(ms: bigint, fresh: number): number {
    const before = this.told.throttle.at(-1);
    if (before === undefined) {
      this.period = { sinceMs: ms, given: 0, pages: 0, high: 0 };
      return 0;
    }
    const { sinceMs, given, high } = this.period;
    const pages = this.period.pages + fresh;
    this.period.pages = pages;
    if (ms - sinceMs <= 1000n) return before;
    const isHigh = pages * 4096 > Math.floor((this.given - given) / 2);
    const count = isHigh ? high + 1 : high;
    this.period = { sinceMs: ms, given: this.given, pages: 0, high: count % 2 };
    if (!this.m.autoConverge || !isHigh || count < 2) return before;
    return before === 0 ? 20 : Math.min(99, before + 10);
  }

  private flush(): void {
    const bytes = BigInt(this.written - this.given);
    this.given = this.written;
    this.headers = 0;
    this.vectors = 0;
    if (this.m.ticksPerByte === null) return;
    const [num, den] = this.m.ticksPerByte.map(BigInt) as [bigint, bigint];
    const span = (n: bigint): bigint => (n * num + den - 1n) / den;
    if (this.wireFreeAt < this.now) this.wireFreeAt = this.now;
    this.wireFreeAt += span(bytes);
    const room = this.wireFreeAt - span(BigInt(this.m.socketBytes));
    if (room > this.now) this.now = room;
  }

  private page(): void {
    this.guest(this.now);
    let pfn = this.scanFrom;
    while (!this.toSend.has(pfn)) pfn = (pfn + 1) % this.all;
    this.toSend.delete(pfn);
    this.scanFrom = (pfn + 1) % this.all;
    const zero = this.zeros[pfn]!;
    if (zero) this.told.zero++;
    else this.told.normal++;
    // header, and one byte or the page; a page is a vector of its own and so is what stands before it
    this.written += zero ? 9 : 8 + 4096;
    this.headers += zero ? 9 : 8;
    this.vectors += zero ? 0 : 2;
    this.work(zero ? this.m.zeroTicks : this.m.normalTicks);
    if (this.vectors === 64 || this.headers >= 32768) this.flush();
  }

  /** Runs to the end; null when it is not there `limitTicks` after the start. */
  run(limitTicks: bigint): Told | null {
    const { m, told } = this;
    const limit = Math.floor(m.maxBandwidthBytes / 10);
    let threshold = 0n;
    this.guest(this.now);
    this.logging = true;
    this.work(m.setupTicks);
    this.guest(this.now);
    this.sync();
    let windowFrom = this.now / MS;
    let windowGiven = 0;
    const spent = (): boolean => this.given - windowGiven > limit;
    const near = (): boolean => BigInt(this.toSend.size) * 4096n < threshold;
    for (;;) {
      if (this.now > m.startAtTicks + limitTicks) return null;
      if (!spent()) {
        if (near()) {
          this.guest(this.now);
          this.sync();
          this.work(m.syncTicks);
        }
        if (this.toSend.size === 0 || near()) break;
        const began = this.now;
        for (let i = 0; !spent() && this.toSend.size > 0; i++) {
          this.page();
          if (i % 64 === 0 && (this.now - began) / MS > 50n) break;
        }
        this.written += 18;
        this.flush();
      }
      const ms = this.now / MS;
      if (ms - windowFrom >= 100n) {
        threshold = (BigInt(this.given - windowGiven) * BigInt(m.downtimeLimitMs)) / (ms - windowFrom);
        windowFrom = ms;
        windowGiven = this.given;
      }
      if (spent()) this.now += (windowFrom + 100n - ms) * MS + BigInt(m.wakeTicks);
    }
    told.suspendedAt = this.now;
    told.precopy = this.written;
    this.now += BigInt(m.stopTicks);
    this.guest(this.now);
    this.next = this.writes.length;
    this.sync();
    this.work(m.syncTicks);
    while (this.toSend.size > 0) this.page();
    this.written += 18;
    told.downtimeBytes = this.written - told.precopy;
    this.written += m.deviceBytes;
    this.flush();
    if (this.now < this.wireFreeAt) this.now = this.wireFreeAt;
    this.work(m.deviceTicks);
    told.transferred = this.written;
    told.endedAt = this.now;
    return told;
  }
}
