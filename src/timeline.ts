// SPDX-License-Identifier: Apache-2.0
/** Reads the timeline of the instrumented core as it grows. */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core-instance.ts";

const RING_RECORDS = 2 ** 20;

/** One record of the timeline: T_ constants of the ABI say what its fields mean. */
export interface TimelineRecord {
  kind: number;
  side: number;
  which: number;
  ticks: bigint;
  a: number;
  b: bigint;
  c: bigint;
}

/** Hands over the records of some kinds in the order in which the core made them. */
export class TimelineReader {
  readonly #core: Core;
  readonly #wanted: ReadonlySet<number>;
  #read = 0;

  /** @param kinds T_ constants of the records that are wanted */
  constructor(core: Core, kinds: readonly number[]) {
    this.#core = core;
    this.#wanted = new Set(kinds);
  }

  /** Visits what is new. Throws when the ring has run over since the last time. */
  drain(visit: (record: TimelineRecord) => void): void {
    const count = Number(this.#core.fn("timelineCount")());
    const lost = count - this.#read - RING_RECORDS;
    if (lost > 0) throw new Error(`the timeline lost ${lost} records between two slices`);
    const at = this.#core.address("timelineAt");
    const view = new DataView(this.#core.u8.buffer);
    for (; this.#read < count; this.#read++) {
      const from = at + (this.#read % RING_RECORDS) * abi.T_RECORD_BYTES;
      const kind = view.getUint16(from + 8, true);
      if (!this.#wanted.has(kind)) continue;
      visit({
        kind,
        side: view.getUint8(from + 10),
        which: view.getUint8(from + 11),
        ticks: view.getBigUint64(from, true),
        a: view.getUint32(from + 12, true),
        b: view.getBigUint64(from + 16, true),
        c: view.getBigUint64(from + 24, true),
      });
    }
  }
}
