// SPDX-License-Identifier: Apache-2.0
// The connection of the slow migration thread: what it is given, one after another.

/** A connection that takes so many ticks a byte; null: any bytes at once. */
export class ReferenceWire {
  freeAt = 0n;
  private readonly ticksPerByte: readonly [number, number] | null;
  private readonly socketBytes: number;
  private total = 0n;
  private readonly busy: { from: bigint; until: bigint }[] = [];

  constructor(ticksPerByte: readonly [number, number] | null, socketBytes: number) {
    this.ticksPerByte = ticksPerByte;
    this.socketBytes = socketBytes;
  }

  /** When the connection has taken bytes that it is given at `at`. */
  carry(at: bigint, bytes: bigint): bigint {
    if (this.ticksPerByte === null) return at;
    const [num, den] = this.ticksPerByte.map(BigInt) as [bigint, bigint];
    const span = (n: bigint): bigint => (n * num + den - 1n) / den;
    const from = this.freeAt > at ? this.freeAt : at;
    this.freeAt = from + span(bytes);
    this.total += bytes;
    this.busy.push({ from, until: this.freeAt });
    const room = this.freeAt - span(BigInt(this.socketBytes));
    return room > at ? room : at;
  }

  /** Bytes carried by t: all but those of its busy time after t; null where it takes any at once. */
  carriedBy(t: bigint): number | null {
    if (this.ticksPerByte === null) return null;
    const [num, den] = this.ticksPerByte.map(BigInt) as [bigint, bigint];
    let ahead = 0n;
    for (const { from, until } of this.busy) if (until > t) ahead += until - (from > t ? from : t);
    return Number(this.total - (ahead * den) / num);
  }
}
