// SPDX-License-Identifier: Apache-2.0
// Replay of traces that do not carry every version: what was recorded is attached to the version it shows.
import { type Epoch, Kind } from "./epoch.ts";
import { expect } from "./errors.ts";
import { atChunk, loadChunk, type MdtTrace } from "./mdt-reader.ts";
import * as P from "./payload.ts";
import { RecordedSizes } from "./recorded-sizes.ts";
import type { SampledIndex } from "./sampled-index.ts";
import { chunksByTime, type TimedList, timeline } from "./timeline.ts";

interface Draft extends TimedList {
  readonly kinds: Uint8Array;
  bodies: (Uint8Array | null)[] | null;
  readonly sizes: Uint16Array | null;
}

/** FREE or SAME lists in time order, handed out to the epochs that end at their time. */
class ListFeed {
  private next = 0;
  private readonly trace: MdtTrace;
  private readonly order: Uint32Array;
  private readonly kind: number;

  constructor(trace: MdtTrace, type: "FREE" | "SAME", kind: number) {
    this.trace = trace;
    this.order = chunksByTime(trace, type);
    this.kind = kind;
  }

  apply(draft: Draft): void {
    const { trace } = this;
    for (; this.next < this.order.length; this.next++) {
      const k = this.order[this.next]!;
      if (trace.chunks.timeUs(k) > draft.endUs) return;
      const { chunk, raw } = loadChunk(trace, k);
      atChunk(trace, k, draft.index > 0 ? draft.index - 1 : undefined, () => {
        expect(chunk.timeUs === draft.endUs, `${chunk.type} is at ${chunk.timeUs} us, where no epoch ends`);
        for (const pfn of P.onlyPageList(raw, trace.pages, chunk.items)) {
          const at = P.indexOfPfn(draft.pfns, pfn);
          expect(at >= 0, `${chunk.type}: pfn ${pfn} is not in the list of epoch ${draft.index}`);
          draft.kinds[at] = this.kind;
        }
      });
    }
  }

  finish(): void {
    const k = this.order[this.next];
    if (k === undefined) return;
    atChunk(this.trace, k, undefined, () => expect(false, "the list stands after the last epoch"));
  }
}

function attach(draft: Draft, pfn: number, body: Uint8Array | null): void {
  const at = P.indexOfPfn(draft.pfns, pfn);
  if (at < 0) return;
  if (draft.kinds[at] !== Kind.free) draft.kinds[at] = body === null ? Kind.zero : Kind.body;
  draft.bodies ??= new Array<Uint8Array | null>(draft.pfns.length).fill(null);
  draft.bodies[at] = body;
}

/**
 * Epochs of a trace that is not complete, by time, with the sizes of a compressor where one is named. Throws
 * TraceError.
 */
export function* sampledEpochs(
  trace: MdtTrace,
  index: SampledIndex | null,
  compressor: string | null = null,
): Generator<Epoch> {
  const sizes = compressor === null ? null : new RecordedSizes(trace, compressor);
  // those of the initial image
  if (sizes !== null) for (const _ of sizes.upTo(0));
  const same = new ListFeed(trace, "SAME", Kind.same);
  const free = new ListFeed(trace, "FREE", Kind.free);
  const pages = index?.pageChunks ?? new Uint32Array(0);
  const late = index?.late ?? [];
  let nextPages = 0;
  let nextLate = 0;
  while (nextLate < late.length && late[nextLate]!.version === 0) nextLate++;
  for (const list of timeline(trace)) {
    const draft: Draft = {
      ...list,
      kinds: new Uint8Array(list.pfns.length).fill(Kind.unknown),
      bodies: null,
      sizes: sizes?.ofEpoch(list.pfns, list.endUs) ?? null,
    };
    same.apply(draft);
    free.apply(draft);
    while (nextPages < pages.length && trace.chunks.timeUs(pages[nextPages]!) < list.endUs) nextPages++;
    for (let k = nextPages; k < pages.length && trace.chunks.timeUs(pages[k]!) === list.endUs; k++) {
      const table = index!.table(pages[k]!);
      for (let i = 0; i < table.pfns.length; i++) {
        attach(draft, table.pfns[i]!, table.length[i] === 0 ? null : P.entryBody(table, i));
      }
    }
    for (; nextLate < late.length && late[nextLate]!.version === list.index + 1; nextLate++) {
      attach(draft, late[nextLate]!.pfn, index!.lateBody(late[nextLate]!));
    }
    yield draft;
  }
  same.finish();
  free.finish();
}
