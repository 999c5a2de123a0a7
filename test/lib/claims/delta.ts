// SPDX-License-Identifier: Apache-2.0
// Deltas of pages: XBZRLE of the core beside the slow one.

import { simulate } from "../../../src/index.ts";
import { EventFlag, type GuestBatch, type GuestStream } from "../../../src/trace/events.ts";
import { inputOf, redis, stat } from "../migrate.ts";
import { Codecs } from "../reference/codecs.ts";
import { Draws, writtenPage } from "../reference/inputs.ts";
import { decodeXbzrle, encodeXbzrle } from "../reference/xbzrle.ts";
import { claim, same } from "./expect.ts";

const hex = (bytes: Uint8Array | null): string =>
  bytes === null ? "none" : Buffer.from(bytes).toString("hex");

/** The stream with every third write of a page a write of zeros. */
function withZeros(stream: GuestStream): GuestStream {
  const written = new Map<number, number>();
  const next = (): GuestBatch | null => {
    const batch = stream.next();
    if (batch === null) return null;
    const contentIds = Uint32Array.from(batch.contentIds.subarray(0, batch.count));
    const flags = Uint8Array.from(batch.flags.subarray(0, batch.count));
    for (let i = 0; i < batch.count; i++) {
      const n = (written.get(batch.pfns[i]!) ?? 0) + 1;
      written.set(batch.pfns[i]!, n);
      if (n % 3 !== 0) continue;
      contentIds[i] = 0;
      flags[i] = EventFlag.zero;
    }
    const { count, startTicks, endTicks, timeTicks, pfns } = batch;
    return {
      count,
      startTicks,
      endTicks,
      timeTicks,
      pfns,
      contentIds,
      flags,
      content: (i) => batch.content(i),
    };
  };
  const { pages, pageBytes, stableContents, atEnd, endTicks } = stream;
  const stableContent = (id: number): Uint8Array => stream.stableContent(id);
  const fork = (): GuestStream => withZeros(stream.fork());
  const same = { pages, pageBytes, stableContents, atEnd, endTicks };
  return { ...same, stableContent, initial: () => stream.initial(), next, fork };
}

/** A redis that is sent several times, with a cache that holds it and with one that does not. */
export function checkDeltaRuns(): void {
  const migration = { downtimeLimit: "1 ns", maxRounds: 8, onTimeout: "force" };
  for (const cache of ["4 MiB", "512 KiB"]) {
    const scenario = { guest: { ...redis, speed: 400 }, link: { rate: "1 Gbit/s" }, migration };
    const input = inputOf({ ...scenario, content: "sized", delta: { xbzrle: { cache } } });
    const result = simulate({ ...input, stream: withZeros(input.stream) });
    const broken = result.check.invariants.find(({ held }) => !held);
    if (broken !== undefined)
      throw new Error(`invariant ${broken.name}: ${broken.left} beside ${broken.right}`);
    same("deltas: pages that differ", result.check.pagesDifferent, 0);
    const placed = stat(result, "destination.card.delta.placed");
    claim("deltas: placed", placed > 5, placed, "more than 5");
  }
}

/** Deltas of pages that have been written to, the pages that they make, and deltas that are damaged. */
export function checkDeltas(): void {
  const codecs = new Codecs();
  const draws = new Draws(23);
  for (let round = 0; round < 300; round++) {
    const [old, page] = writtenPage(draws, draws.oneOf([4096, 300, draws.between(1, 40)]));
    const delta = encodeXbzrle(old, page);
    same("xbzrleEncode: delta", hex(codecs.encodeDelta(old, page, delta.length)), hex(delta));
    if (delta.length > 0) same("xbzrleEncode: room", codecs.encodeDelta(old, page, delta.length - 1), null);
    same("xbzrleDecode: page", hex(codecs.decodeDelta(delta, old)), hex(page));
    const damaged = Uint8Array.from([...delta, ...draws.bytes(draws.between(1, 3))]);
    damaged[draws.between(0, delta.length)] = draws.word();
    same("xbzrleDecode: damage", hex(codecs.decodeDelta(damaged, old)), hex(decodeXbzrle(damaged, old)));
  }
}
