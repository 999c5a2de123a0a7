// SPDX-License-Identifier: Apache-2.0
// The same guest, handed over in other pieces.
import type { GuestStream } from "../../src/index.ts";

type Batch = NonNullable<ReturnType<GuestStream["next"]>>;

/** Events `from` to `to` of a batch. A piece ends at its last event, the last piece where the batch ends. */
function piece(batch: Batch, from: number, to: number): Batch {
  return {
    startTicks: from === 0 ? batch.startTicks : batch.timeTicks[from - 1]!,
    endTicks: to === batch.count ? batch.endTicks : batch.timeTicks[to - 1]!,
    count: to - from,
    timeTicks: batch.timeTicks.subarray(from, to),
    pfns: batch.pfns.subarray(from, to),
    flags: batch.flags.subarray(from, to),
    contentIds: batch.contentIds.subarray(from, to),
    content: (i) => batch.content(from + i),
  };
}

/** A stream whose batches have at most `events` events. */
export function inPieces(stream: GuestStream, events: number): GuestStream {
  const source = stream.fork();
  let batch: Batch | null = null;
  let at = 0;
  return {
    pages: source.pages,
    pageBytes: source.pageBytes,
    stableContents: source.stableContents,
    atEnd: source.atEnd,
    endTicks: source.endTicks,
    stableContent: (id) => source.stableContent(id),
    initial: () => source.initial(),
    next: () => {
      if (batch === null) {
        batch = source.next();
        at = 0;
      }
      if (batch === null) return null;
      const to = Math.min(batch.count, at + events);
      const part = piece(batch, at, to);
      at = to;
      if (at === batch.count) batch = null;
      return part;
    },
    fork: () => inPieces(stream, events),
  };
}
