// SPDX-License-Identifier: Apache-2.0
// What the pages of a guest hold at the source and, as it is sent, at the destination.
import { decodeXbzrle } from "./xbzrle.ts";

/** Of each page the number of a body; 0 is zeros. */
export interface Contents {
  readonly bodies: readonly Uint8Array[];
  readonly initial: readonly number[];
}

export class ReferenceMemory {
  /** What the destination has of each page. */
  readonly placed: Uint8Array[] = [];
  private readonly bodies: readonly Uint8Array[];
  private readonly holds: number[];

  constructor({ bodies, initial }: Contents) {
    this.bodies = bodies;
    this.holds = [...initial];
  }

  /** The guest writes; without a body it writes what is there. */
  write(pfn: number, body: number | undefined): void {
    if (body !== undefined) this.holds[pfn] = body;
  }

  /** A page of the guest, null of a ROM. */
  body(pfn: number): Uint8Array | null {
    return this.bodies[this.holds[pfn] ?? -1] ?? null;
  }

  /** The page is sent whole, or as the delta to what the destination has. */
  send(pfn: number, delta: Uint8Array | null): void {
    const body = this.body(pfn);
    if (body !== null) this.placed[pfn] = delta === null ? body : decodeXbzrle(delta, this.placed[pfn]!)!;
  }
}
