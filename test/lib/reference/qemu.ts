// SPDX-License-Identifier: Apache-2.0
// QEMU's migration thread, slow and obvious, from docs/model.md section 16: one page after another, a set of
// dirty pages, a list of the guest's writes.
import type { SoftwareMigration } from "../../../src/software.ts";
import { type Contents, ReferenceMemory } from "./qemu-contents.ts";
import { ReferenceDevice } from "./qemu-device.ts";
import { ReferenceCache, ReferenceChannels } from "./qemu-features.ts";
import { ReferenceRings, type Rings } from "./qemu-limit.ts";
import { ReferenceMove, rangeBytes } from "./qemu-postcopy.ts";
import { nothingTold, type Told, type Write } from "./qemu-told.ts";
import { ReferenceWire } from "./qemu-wire.ts";

export type { Told, Write } from "./qemu-told.ts";

const MS = 1_024_000_000_000n;

export class ReferenceThread {
  readonly told: Told = nothingTold();
  private readonly m: SoftwareMigration;
  private readonly writes: readonly Write[];
  private readonly zeros: boolean[];
  private readonly log = new Set<number>();
  private readonly toSend: Set<number>;
  private logging = false;
  private next = 0;
  private now: bigint;
  private scanFrom = 0;
  private written = 0;
  private given = 0;
  private headers = 0;
  private vectors = 0;
  private readonly wire: ReferenceWire;
  private readonly versions: number[];
  readonly memory: ReferenceMemory | null;
  readonly cache: ReferenceCache | null;
  readonly channels: ReferenceChannels | null;
  readonly rings: ReferenceRings | null;
  readonly device: ReferenceDevice;
  private encodes = false;
  private before = -1;
  private period = { sinceMs: 0n, given: 0, pages: 0, high: 0 };

  constructor(
    m: SoftwareMigration,
    zeros: readonly boolean[],
    writes: readonly Write[],
    pageBytes: number = 4096,
    rings: Rings | null = null,
    contents: Contents | null = null,
  ) {
    this.m = m;
    this.writes = writes;
    this.wire = new ReferenceWire(m.ticksPerByte, m.socketBytes);
    this.rings = rings === null ? null : new ReferenceRings(rings, m.dirtyLimit);
    this.device = new ReferenceDevice(m.ahead, m.deviceBytes);
    this.zeros = [...zeros, ...Array.from({ length: m.romPages }, (_, i) => i >= m.romNormalPages)];
    this.toSend = new Set(this.zeros.keys());
    this.now = m.startAtTicks;
    this.versions = this.zeros.map(() => 0);
    this.memory = contents === null ? null : new ReferenceMemory(contents);
    this.cache = m.xbzrle === null ? null : new ReferenceCache(m.xbzrle);
    this.channels =
      m.multifd === null
        ? null
        : new ReferenceChannels(m.multifd, {
            isZero: (pfn: number) => this.zeros[pfn]!,
            sizeOf: (pfn: number) => (pfn < zeros.length ? pageBytes : m.multifd!.romBytes),
            carry: (at: bigint, bytes: number) => this.carry(at, BigInt(bytes)),
          });
  }

  /** Lets the guest do what it does before `until`. */
  private guest(until: bigint): void {
    for (; this.next < this.writes.length && this.writes[this.next]!.at < until; this.next++) {
      const { at, pfn, zero, read, body } = this.writes[this.next]!;
      this.rings?.measureUpTo(at);
      if (read === true) continue;
      this.memory?.write(pfn, body);
      this.zeros[pfn] = zero;
      this.versions[pfn]!++;
      if (!this.logging) continue;
      this.log.add(pfn);
      this.rings?.write(pfn);
    }
    this.rings?.measureUpTo(until);
  }

  private work(ticks: number): void {
    this.now += BigInt(ticks);
    this.told.worked += BigInt(ticks);
  }

  /** What a synchronisation takes, beyond the first. */
  private syncWork(): void {
    this.work(this.m.syncTicks + (this.rings?.broughtIn ?? 0));
  }

  private sync(): void {
    this.rings?.bringInAll();
    const before = this.toSend.size;
    for (const pfn of this.log) this.toSend.add(pfn);
    const last = this.told.syncAt.at(-1);
    if (last !== undefined) {
      this.ends(this.now);
      const ms = Number((this.now - last) / MS);
      // half of them in 0.1 s, all in 1 s
      const share = Math.max(5 * Math.min(100, ms), Math.min(1000, ms));
      const unwritten = Math.floor((this.m.unwrittenPages * share) / 1000);
      for (let i = 0; i < unwritten; i++) this.toSend.add(this.m.unwrittenAt + i);
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
      this.period = { sinceMs: ms, given: this.gone(), pages: 0, high: 0 };
      return 0;
    }
    const { sinceMs, given, high } = this.period;
    const pages = this.period.pages + fresh;
    this.period.pages = pages;
    if (ms - sinceMs <= 1000n) return before;
    const isHigh = pages * 4096 > Math.floor((this.gone() - given) / 2);
    const count = isHigh ? high + 1 : high;
    this.period = { sinceMs: ms, given: this.gone(), pages: 0, high: count % 2 };
    if (isHigh && count >= 2) this.rings?.begin(this.now);
    if (!this.m.autoConverge || !isHigh || count < 2) return before;
    return before === 0 ? 20 : Math.min(99, before + 10);
  }

  /** Bytes that have left by now. */
  private gone(): number {
    return this.given + (this.channels?.written(this.now) ?? 0);
  }

  private flush(kept: number = 0): void {
    const bytes = BigInt(this.written - kept - this.given);
    this.given = this.written - kept;
    this.headers = kept;
    this.vectors = 0;
    this.now = this.carry(this.now, bytes);
  }

  /** The thread's few bytes beside channels. */
  private beside(): void {
    this.carry(this.now, BigInt(this.written - this.given));
    this.given = this.written;
    this.headers = 0;
  }

  private carry(at: bigint, bytes: bigint): bigint {
    return this.wire.carry(at, bytes);
  }

  private get wireFreeAt(): bigint {
    return this.wire.freeAt;
  }

  /** A round ends. */
  private ends(at: bigint): void {
    this.told.carried.push(this.wire.carriedBy(at) ?? this.gone());
  }

  private drain(): void {
    if (this.channels !== null) this.now = this.channels.wait(this.now, (at) => this.guest(at));
  }

  /** The next page; false when it is one that need not be sent. */
  private page(last: boolean): boolean {
    this.guest(this.now);
    let pfn = this.scanFrom;
    while (!this.toSend.has(pfn)) pfn = (pfn + 1) % this.zeros.length;
    this.toSend.delete(pfn);
    this.scanFrom = (pfn + 1) % this.zeros.length;
    if (pfn <= this.before) {
      this.encodes = this.cache !== null;
      this.drain();
    }
    this.before = pfn;
    if (this.channels !== null) {
      this.work(this.m.multifd!.queueTicks);
      this.now = this.channels.take(this.now, pfn, (at) => this.guest(at));
      return true;
    }
    const zero = this.zeros[pfn]!;
    const round = this.told.syncs;
    const body = this.memory?.body(pfn) ?? null;
    if (this.encodes && zero) this.cache!.keep(pfn, this.versions[pfn]!, round, body);
    if (!this.encodes || zero) {
      this.whole(zero, false);
      this.memory?.send(pfn, null);
      return true;
    }
    // of a ROM nothing is known, and nothing changes
    const what = this.cache!.encode(pfn, this.versions[pfn]!, round, last, body);
    if (what !== "miss") this.work(this.m.xbzrle!.encodeTicks);
    if (what === "miss" || what === "overflow") this.whole(false, !last);
    if (what === "delta") this.copied(8 + this.cache!.size());
    if (what !== "same") this.memory?.send(pfn, what === "delta" ? this.cache!.delta : null);
    return what !== "same";
  }

  /** Header, and one byte or the page; a page is a vector of its own and so is what stands before it. */
  private whole(zero: boolean, copied: boolean): void {
    if (zero) this.told.zero++;
    else this.told.normal++;
    this.work(zero ? this.m.zeroTicks : this.m.normalTicks);
    if (copied) {
      this.copied(8 + 4096);
      return;
    }
    this.written += zero ? 9 : 8 + 4096;
    this.headers += zero ? 9 : 8;
    this.vectors += zero ? 0 : 2;
    if (this.vectors === 64 || this.headers >= 32768) this.flush();
  }

  private copied(bytes: number): void {
    this.written += bytes;
    this.headers += bytes;
    if (this.headers >= 32768) this.flush(this.headers - 32768);
  }

  /** Runs to the end; null when it is not there `limitTicks` after the start. */
  run(limitTicks: bigint): Told | null {
    const { m } = this;
    const limit = Math.floor(m.maxBandwidthBytes / 10);
    let threshold = 0n;
    this.guest(this.now);
    this.logging = true;
    this.work(m.setupTicks);
    this.guest(this.now);
    this.sync();
    for (let c = 0; c < (m.multifd?.channels ?? 0); c++) this.carry(this.now, 64n);
    this.drain();
    let windowFrom = this.now / MS;
    let windowGiven = this.gone();
    let wanted = false;
    // of device state since the last synchronisation, with no page to send
    let readings = 0;
    const spent = (): boolean => this.gone() - windowGiven > limit;
    const near = (): boolean =>
      BigInt(this.toSend.size) * 4096n + BigInt(this.device.pending(this.now)) < threshold;
    for (;;) {
      if (this.now > m.startAtTicks + limitTicks) return null;
      if (!spent()) {
        if (near()) {
          if (m.syncsMax !== null && this.told.syncs >= m.syncsMax) {
            this.told.givenUpAt = this.now;
            return this.told;
          }
          this.guest(this.now);
          this.sync();
          this.syncWork();
          readings = 0;
        }
        const none = this.toSend.size === 0 && this.device.pending(this.now) === 0;
        if ((none || near()) && this.device.mayStop(this.now)) return this.finish();
        if (wanted) return this.goOver();
        const idle = this.toSend.size === 0 ? this.device.idleUntil(this.now) : null;
        if (idle === null && this.toSend.size === 0 && this.device.isReadAgain(this.now)) {
          if (m.syncsMax !== null && this.told.syncs + readings >= m.syncsMax) {
            this.told.givenUpAt = this.now;
            return this.told;
          }
          readings++;
        }
        if (idle === null) this.iteration(spent);
        else this.idle(idle, (windowFrom + 100n) * MS);
      }
      const ms = this.now / MS;
      if (ms - windowFrom >= 100n) {
        threshold = (BigInt(this.gone() - windowGiven) * BigInt(m.downtimeLimitMs)) / (ms - windowFrom);
        windowFrom = ms;
        windowGiven = this.gone();
        wanted = m.postcopy !== null && this.told.syncs >= m.postcopy.afterSyncs;
      }
      const wait = spent() ? (windowFrom + 100n - ms) * MS + BigInt(m.wakeTicks) : 0n;
      this.told.capped += wait;
      this.now += wait;
    }
  }

  /** There is nothing to send until `next`: the thread waits for that, or for its window to end. */
  private idle(next: bigint, windowEnds: bigint): void {
    const until = next < windowEnds ? next : windowEnds;
    if (until > this.now) this.now = until;
  }

  private iteration(spent: () => boolean): void {
    const began = this.now;
    let late = false;
    for (let i = 0; !late && !spent() && this.toSend.size > 0; ) {
      if (this.page(false)) i++;
      late = i % 64 === 1 && (this.now - began) / MS > 50n;
    }
    if (!late && !spent()) this.drain();
    this.written += 18 + this.device.piece(this.now);
    if (this.channels === null) this.flush();
    else this.beside();
    this.device.left(this.now > this.wireFreeAt ? this.now : this.wireFreeAt);
  }

  /** The guest goes on at the destination, and its pages come after it. */
  private goOver(): Told {
    const { m, told } = this;
    told.suspendedAt = this.now;
    told.precopy = this.written;
    this.now += BigInt(m.stopTicks);
    this.guest(this.now);
    this.sync();
    this.syncWork();
    this.written += rangeBytes(this.toSend, this.zeros.length - m.romPages) + m.deviceBytes;
    const move = new ReferenceMove(m.postcopy!, this.toSend, m.socketBytes);
    this.flush();
    told.resumedAt = (this.now > this.wireFreeAt ? this.now : this.wireFreeAt) + BigInt(m.deviceTicks);
    told.postcopy = -this.written;
    this.scanFrom = 0;
    while (this.toSend.size > 0) this.push(move);
    this.written += 18;
    const before = this.now;
    this.flush();
    move.arrive(this.now, this.wireFreeAt);
    const last = move.placeFree > before ? move.placeFree : before;
    told.endedAt = last + BigInt(m.postcopy!.flightTicks);
    if (told.endedAt < told.resumedAt) told.endedAt = told.resumedAt;
    this.ends(told.endedAt);
    this.guestThere(told.endedAt, move);
    told.postcopy += this.written;
    told.transferred = this.written;
    told.requests = move.requests;
    told.reads = move.reads;
    return told;
  }

  /** A page after the guest: what it waits for, or the next. */
  private push(move: ReferenceMove): void {
    this.guestThere(this.now, move);
    let pfn = move.asked(this.now, this.toSend) ?? this.scanFrom;
    while (!this.toSend.has(pfn)) pfn = (pfn + 1) % this.zeros.length;
    this.toSend.delete(pfn);
    this.scanFrom = (pfn + 1) % this.zeros.length;
    move.sends(pfn);
    const given = this.given;
    this.whole(this.zeros[pfn]!, false);
    if (this.given > given) this.now = move.arrive(this.now, this.wireFreeAt);
  }

  /** Writes at the destination before `until`; what was due while the guest stood still is done at once. */
  private guestThere(until: bigint, move: ReferenceMove): void {
    const { resumedAt } = this.told;
    const timeOf = (i: number): bigint => {
      const at = this.writes[i]?.at ?? until;
      return at > resumedAt ? at : resumedAt;
    };
    while (timeOf(this.next) < until && this.next < this.writes.length) {
      const at = timeOf(this.next);
      const [reads, pfns]: [number[], number[]] = [[], []];
      for (; this.next < this.writes.length && timeOf(this.next) === at; this.next++) {
        const { pfn, zero, read } = this.writes[this.next]!;
        if (read === true) {
          reads.push(pfn);
          continue;
        }
        this.zeros[pfn] = zero;
        this.versions[pfn]!++;
        pfns.push(pfn);
      }
      move.touched(reads, pfns, at);
    }
  }

  /** The guest is stopped: what is left, and device state. */
  private finish(): Told {
    const { m, told } = this;
    told.suspendedAt = this.now;
    told.precopy = this.written;
    this.now += BigInt(m.stopTicks);
    this.guest(this.now);
    this.next = this.writes.length;
    this.rings?.stop();
    const rest = this.device.rest(this.now);
    told.rest = rest;
    this.sync();
    this.syncWork();
    while (this.toSend.size > 0) this.page(true);
    this.drain();
    this.written += 18;
    told.downtimeBytes = this.written - told.precopy;
    this.written += rest;
    this.flush();
    if (this.now < this.wireFreeAt) this.now = this.wireFreeAt;
    this.ends(this.now);
    this.work(m.deviceTicks + this.device.loads(rest));
    told.transferred = this.written + (this.channels?.written(this.now) ?? 0);
    told.normal += this.channels?.normal ?? 0;
    told.zero += this.channels?.zero ?? 0;
    told.endedAt = this.now;
    told.resumedAt = this.now;
    return told;
  }
}
