// SPDX-License-Identifier: Apache-2.0
// Epochs of a trace whose chunks are in any order, sorted by time. EPOC chunks that overlap are merged.
import type { Chunk } from "./chunks.ts";
import { atChunk, loadChunk, type MdtTrace } from "./mdt-reader.ts";
import { Cursor } from "./payload.ts";

/** Pages written in (startUs, endUs]; contents apart. */
export interface TimedList {
  readonly index: number;
  readonly startUs: number;
  readonly endUs: number;
  readonly pfns: Uint32Array;
}

/** Numbers of the chunks of one type, by time and then by place in the file. */
export function chunksByTime(trace: MdtTrace, type: string): Uint32Array {
  const found: number[] = [];
  for (let k = 0; k < trace.chunks.length; k++) if (trace.chunks.type(k) === type) found.push(k);
  found.sort((a, b) => trace.chunks.timeUs(a) - trace.chunks.timeUs(b) || a - b);
  return Uint32Array.from(found);
}

/** Epochs of one EPOC chunk, decoded one at a time. */
class OpenChunk {
  endUs: number;
  pfns: Uint32Array = new Uint32Array(0);
  private left: number;
  private readonly cursor: Cursor;
  private readonly trace: MdtTrace;
  private readonly k: number;

  constructor(trace: MdtTrace, k: number, chunk: Chunk, raw: Uint8Array) {
    this.trace = trace;
    this.k = k;
    this.cursor = new Cursor(raw);
    this.left = chunk.items;
    this.endUs = chunk.timeUs;
  }

  advance(): boolean {
    if (this.left === 0) return false;
    this.left--;
    atChunk(this.trace, this.k, undefined, () => {
      this.endUs += this.cursor.varint();
      this.pfns = this.cursor.pageList(this.trace.pages);
    });
    return true;
  }
}

/** All epochs by end time; the first begins at 0. Throws TraceError. */
export function* timeline(trace: MdtTrace): Generator<TimedList> {
  const order = chunksByTime(trace, "EPOC");
  const open: OpenChunk[] = [];
  let next = 0;
  let index = 0;
  let startUs = 0;
  for (;;) {
    let first = open.reduce<OpenChunk | null>(
      (best, o) => (best === null || o.endUs < best.endUs ? o : best),
      null,
    );
    while (next < order.length && (first === null || trace.chunks.timeUs(order[next]!) < first.endUs)) {
      const k = order[next++]!;
      const { chunk, raw } = loadChunk(trace, k);
      const opened = new OpenChunk(trace, k, chunk, raw);
      if (!opened.advance()) continue;
      open.push(opened);
      if (first === null || opened.endUs < first.endUs) first = opened;
    }
    if (first === null) return;
    const { endUs, pfns } = first;
    yield { index, startUs, endUs, pfns };
    index++;
    startUs = endUs;
    if (!first.advance()) open.splice(open.indexOf(first), 1);
  }
}
