// SPDX-License-Identifier: Apache-2.0
// What a guest of one vCPU at recorded times finds at the destination, slow and obvious: docs/model.md
// section 16.
import type { Postcopy } from "../../../src/software-features.ts";

/** Bytes that name the pages that are to come: ranges of 16 bytes, 12 a command of 14. */
export function rangeBytes(toCome: ReadonlySet<number>, guestPages: number): number {
  const starts = [...toCome].filter((pfn) => pfn === guestPages || !toCome.has(pfn - 1));
  return 16 * starts.length + 14 * Math.ceil(starts.length / 12);
}

export class ReferenceMove {
  requests = 0;
  reads = 0;
  placeFree = 0n;
  private readonly m: Postcopy;
  private readonly lie: bigint;
  private readonly there = new Map<number, bigint | null>();
  private wait: { page: number; asked: bigint } | null = null;
  private buffer: number[] = [];

  constructor(m: Postcopy, toCome: ReadonlySet<number>, socketBytes: number) {
    this.m = m;
    for (const pfn of toCome) this.there.set(pfn, null);
    this.lie = BigInt(Math.floor(socketBytes / 4104)) * BigInt(m.placeTicks) + BigInt(m.flightTicks);
  }

  /** The guest read pages, in this order, and wrote others at one time. */
  touched(read: readonly number[], written: readonly number[], at: bigint): void {
    const known = this.wait === null ? undefined : this.there.get(this.wait.page);
    if (typeof known === "bigint" && known <= at) this.wait = null;
    for (const page of read) if (this.waits(page, at)) this.reads++;
    for (const page of [...new Set(written)].sort((a, b) => a - b)) this.waits(page, at);
  }

  private waits(page: number, at: bigint): boolean {
    const when = this.there.get(page);
    if (when === undefined || (when !== null && when <= at) || this.wait !== null) return false;
    this.wait = { page, asked: at + BigInt(this.m.requestTicks) };
    this.requests++;
    return true;
  }

  /** The page that has been asked for, if it is still to be sent. */
  asked(now: bigint, toSend: ReadonlySet<number>): number | null {
    if (this.wait === null || this.wait.asked > now) return null;
    return toSend.has(this.wait.page) ? this.wait.page : null;
  }

  sends(pfn: number): void {
    this.buffer.push(pfn);
  }

  /** The buffer has been given away at `now`, the connection is done with it at `wire`: when it goes on. */
  arrive(now: bigint, wire: bigint): bigint {
    const flight = BigInt(this.m.flightTicks);
    const first = (wire > now ? wire : now) + flight;
    if (first > this.placeFree) this.placeFree = first;
    for (const pfn of this.buffer) {
      this.placeFree += BigInt(this.m.placeTicks);
      this.there.set(pfn, this.placeFree);
    }
    this.buffer = [];
    return this.placeFree > now + this.lie ? this.placeFree - this.lie : now;
  }
}
