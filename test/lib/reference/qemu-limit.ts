// SPDX-License-Identifier: Apache-2.0
// Dirty rings of a guest at recorded times and dirty-limit's sleeps, slow and obvious, from docs/model.md
// section 16: a list of pages a vCPU, and a table of what each vCPU has logged.
import { vcpuOf } from "../../../src/feeder.ts";
import type { GuestRing } from "../../../src/software.ts";
import type { DirtyLimit } from "../../../src/software-features.ts";

const US = 1_024_000_000;

/** How long a vCPU sleeps when its ring is full, from what it has logged in a period. */
export class LimitRule {
  private readonly quota: number;
  private readonly periodMs: number;
  private readonly entries: number;
  private fastest = 0;

  constructor(rateMib: number, periodTicks: number, entries: number) {
    this.quota = rateMib;
    this.periodMs = periodTicks / (1000 * US);
    this.entries = entries;
  }

  next(sleepUs: number, pages: number): number {
    const rate = Math.floor((Math.floor(pages / 256) * 1000) / this.periodMs);
    const off = Math.abs(rate - this.quota);
    if (off <= 25) return sleepUs;
    if (rate === 0) return 0;
    this.fastest = Math.max(this.fastest, rate);
    const fullUs = Math.floor((Math.floor(this.entries / 256) * 1_000_000) / this.fastest);
    const percent = Math.floor((off * 100) / Math.max(rate, this.quota));
    const step = percent > 50 ? Math.floor((fullUs * percent) / (100 - percent)) : Math.floor(fullUs / 10);
    const next = sleepUs + (rate > this.quota ? step : -step);
    return Math.min(Math.max(next, 0), 99 * fullUs);
  }
}

/** At the ends of rounds: whether the second of those looked at has found too many pages dirty. */
export class TooFast {
  private readonly period: number;
  private since: number;
  private placed = 0;
  private fresh = 0;
  private high = 0;

  /** `at` in thousandths of a period. */
  constructor(at: number, period = 1000) {
    this.since = at;
    this.period = period;
  }

  /** A round has ended: pages placed in it, marks since it began. */
  ends(at: number, placed: number, fresh: number): boolean {
    this.placed += placed;
    this.fresh += fresh;
    if (at <= this.since + this.period) return false;
    const high = this.fresh * 4096 > Math.floor((this.placed * 4096) / 2);
    this.since = at;
    this.placed = 0;
    this.fresh = 0;
    if (high) this.high++;
    if (!high || this.high < 2) return false;
    this.high = 0;
    return true;
  }
}

export interface Rings extends GuestRing {
  readonly vcpus: number;
}

interface Vcpu {
  ring: number[];
  logged: number;
  loggedBefore: number;
  sleepUs: number;
}

export class ReferenceRings {
  /** What the last bringing in of all took, in ticks. */
  broughtIn = 0;
  full = 0;
  slept = 0n;
  periods = 0;
  readonly vcpus: Vcpu[];
  private readonly rings: Rings;
  private readonly limit: DirtyLimit | null;
  private readonly inRing = new Set<number>();
  private nextPeriod: bigint | null = null;
  private readonly rule: LimitRule | null;

  constructor(rings: Rings, limit: DirtyLimit | null) {
    this.rings = rings;
    this.limit = limit;
    this.rule = limit === null ? null : new LimitRule(limit.rateMib, limit.periodTicks, rings.entries);
    this.vcpus = Array.from({ length: rings.vcpus }, () => ({
      ring: [],
      logged: 0,
      loggedBefore: 0,
      sleepUs: 0,
    }));
  }

  write(pfn: number): void {
    if (this.inRing.has(pfn)) return;
    const vcpu = this.vcpus[vcpuOf(pfn, this.rings.vcpus)]!;
    if (vcpu.ring.length === this.rings.entries) {
      this.full++;
      this.slept += BigInt(vcpu.sleepUs) * BigInt(US);
      this.empty(vcpu);
    }
    vcpu.ring.push(pfn);
    vcpu.logged++;
    this.inRing.add(pfn);
  }

  private empty(vcpu: Vcpu): void {
    for (const pfn of vcpu.ring) this.inRing.delete(pfn);
    vcpu.ring = [];
  }

  bringInAll(): void {
    const entries = this.vcpus.reduce((sum, { ring }) => sum + ring.length, 0);
    for (const vcpu of this.vcpus) this.empty(vcpu);
    const { exitTicks, entryTicks, protectTicks, flushTicks } = this.rings;
    this.broughtIn = exitTicks + entries * (entryTicks + protectTicks) + (entries > 0 ? flushTicks : 0);
  }

  /** The guest is found to be too fast. */
  begin(now: bigint): void {
    if (this.limit === null || this.nextPeriod !== null) return;
    this.period(now);
  }

  private period(now: bigint): void {
    for (const vcpu of this.vcpus) vcpu.loggedBefore = vcpu.logged;
    this.nextPeriod = now + BigInt(this.limit!.periodTicks);
  }

  measureUpTo(now: bigint): void {
    while (this.nextPeriod !== null && this.nextPeriod <= now) {
      this.bringInAll();
      this.periods++;
      for (const vcpu of this.vcpus) this.set(vcpu);
      this.period(this.nextPeriod);
    }
  }

  private set(vcpu: Vcpu): void {
    vcpu.sleepUs = this.rule!.next(vcpu.sleepUs, vcpu.logged - vcpu.loggedBefore);
  }

  /** The guest stands still. */
  stop(): void {
    this.nextPeriod = null;
  }
}
