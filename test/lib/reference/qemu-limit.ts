// SPDX-License-Identifier: Apache-2.0
// Dirty rings of a guest at recorded times and dirty-limit's sleeps, slow and obvious, from docs/model.md
// section 16: a list of pages a vCPU, and a table of what each vCPU has logged.
import { vcpuOf } from "../../../src/feeder.ts";
import type { GuestRing } from "../../../src/software.ts";
import type { DirtyLimit } from "../../../src/software-features.ts";

const US = 1_024_000_000;

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
  private fastest = 0;

  constructor(rings: Rings, limit: DirtyLimit | null) {
    this.rings = rings;
    this.limit = limit;
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
    const ms = this.limit!.periodTicks / (1000 * US);
    const mib = Math.floor((vcpu.logged - vcpu.loggedBefore) / 256);
    const rate = Math.floor((mib * 1000) / ms);
    const quota = this.limit!.rateMib;
    const off = Math.abs(rate - quota);
    if (off <= 25) return;
    if (rate === 0) {
      vcpu.sleepUs = 0;
      return;
    }
    this.fastest = Math.max(this.fastest, rate);
    const fullUs = Math.floor((Math.floor(this.rings.entries / 256) * 1_000_000) / this.fastest);
    const percent = Math.floor((off * 100) / Math.max(rate, quota));
    const step = percent > 50 ? Math.floor((fullUs * percent) / (100 - percent)) : Math.floor(fullUs / 10);
    const next = vcpu.sleepUs + (rate > quota ? step : -step);
    vcpu.sleepUs = Math.min(Math.max(next, 0), 99 * fullUs);
  }

  /** The guest stands still. */
  stop(): void {
    this.nextPeriod = null;
  }
}
