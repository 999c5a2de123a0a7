// SPDX-License-Identifier: Apache-2.0
// Device state that goes ahead of the stop, slow and obvious, from docs/model.md section 16: what waits to be
// sent, the time at which state was read last, and the acknowledgement.
import type { DeviceAhead } from "../../../src/software-features.ts";

const MS = 1_024_000_000_000n;
const MIB = 1_048_576;

export class ReferenceDevice {
  sent = 0;
  ackAt: bigint | null = null;
  private readonly m: DeviceAhead | null;
  private readonly all: number;
  /** Bytes that were read and wait. */
  private waiting: number;
  private lastRead: bigint | null = null;

  constructor(m: DeviceAhead | null, all: number) {
    this.m = m;
    this.all = all;
    this.waiting = m?.bytes ?? 0;
  }

  /** What of the part that went ahead is not as it was sent. */
  private stale(now: bigint): number {
    if (this.m === null || this.ackAt === null) return 0;
    const ms = (now - this.lastRead!) / MS;
    const grown = (ms * BigInt(this.m.changes)) / 1000n;
    return grown > BigInt(this.m.bytes) ? this.m.bytes : Number(grown);
  }

  pending(now: bigint): number {
    return this.waiting + this.stale(now);
  }

  mayStop(now: bigint): boolean {
    return this.m === null || (this.ackAt !== null && this.ackAt <= now);
  }

  /** With no page to send: when there is something to do again, null for at once. */
  idleUntil(now: bigint): bigint | null {
    if (this.m === null || this.waiting > 0 || this.ackAt === null) return null;
    const times = [this.lastRead! + BigInt(this.m.everyTicks)];
    if (this.ackAt > now) times.push(this.ackAt);
    const next = times.reduce((a, b) => (a < b ? a : b));
    return next > now ? next : null;
  }

  /** Whether the end of an iteration reads state again that has been sent and acknowledged. */
  isReadAgain(now: bigint): boolean {
    if (this.m === null || this.waiting > 0 || !this.mayStop(now)) return false;
    return now >= this.lastRead! + BigInt(this.m.everyTicks);
  }

  /** The end of an iteration: bytes that are written. */
  piece(now: bigint): number {
    if (this.m === null) return 0;
    if (this.waiting === 0 && now >= this.lastRead! + BigInt(this.m.everyTicks)) {
      this.waiting = this.stale(now);
      this.lastRead = now;
    }
    const bytes = Math.min(MIB, this.waiting);
    this.waiting -= bytes;
    this.sent += bytes;
    if (this.ackAt === null && this.waiting === 0) this.lastRead = now;
    return bytes;
  }

  /** All that was written has left at `at`. */
  left(at: bigint): void {
    if (this.m === null || this.ackAt !== null || this.waiting > 0) return;
    const load = BigInt(Math.ceil(this.m.bytes / 1024)) * BigInt(this.m.loadTicks);
    this.ackAt = at + load + BigInt(this.m.ackTicks);
  }

  /** Bytes that follow when the guest stands still. */
  rest(now: bigint): number {
    return this.all - (this.m?.bytes ?? 0) + this.pending(now);
  }

  /** What loading them takes. */
  loads(bytes: number): number {
    return this.m === null ? 0 : Math.ceil(bytes / 1024) * this.m.loadTicks;
  }
}
