// SPDX-License-Identifier: Apache-2.0
// A trace in time order: the initial image, then epoch by epoch what was written and what is known of it.
import type { Chunk } from "./chunks.ts";
import { type Epoch, Kind } from "./epoch.ts";
import { expect } from "./errors.ts";
import { atChunk, loadChunk, type MdtTrace } from "./mdt-reader.ts";
import * as P from "./payload.ts";
import { sampledEpochs } from "./sampled.ts";
import type { SampledIndex } from "./sampled-index.ts";
import { ShadowImage } from "./shadow.ts";

/** A page of an initial image; `body` null = zero. */
export interface InitialPage {
  readonly pfn: number;
  readonly body: Uint8Array | null;
}

/** Pages resident at the start of a complete trace, ascending. Every page not listed is zero. */
export function* initialPages(trace: MdtTrace): Generator<InitialPage> {
  for (let k = 0; k < trace.chunks.length && trace.chunks.type(k) !== "EPOC"; k++) {
    if (trace.chunks.type(k) !== "PAGE") continue;
    const { chunk, raw } = loadChunk(trace, k);
    const table = atChunk(trace, k, undefined, () => P.bodyTable(raw, chunk.items, trace.pages, null));
    for (let i = 0; i < chunk.items; i++) {
      yield { pfn: table.pfns[i]!, body: table.length[i] === 0 ? null : P.entryBody(table, i) };
    }
  }
}

/**
 * Replays any trace in time order. Sampled traces need their `index`. For complete traces `shadow` gets the
 * image after each epoch; it must hold the initial image (`loadInitial`) when the first epoch is asked for.
 * Without it an own image is kept where the trace has deltas. Throws TraceError.
 */
export function epochs(trace: MdtTrace, index: SampledIndex | null, shadow?: ShadowImage): Generator<Epoch> {
  if (trace.contents !== "complete") return sampledEpochs(trace, index);
  if (shadow === undefined && trace.hasDeltas) return completeEpochs(trace, loadInitial(trace));
  return completeEpochs(trace, shadow ?? null);
}

/** The initial image of a complete trace. Throws TraceError. */
export function loadInitial(trace: MdtTrace): ShadowImage {
  const shadow = new ShadowImage(trace.pageBytes);
  for (const { pfn, body } of initialPages(trace)) atChunk(trace, 0, undefined, () => shadow.set(pfn, body));
  return shadow;
}

/** The epoch being put together, its chunks applied as they come. */
class EpochBuilder {
  readonly pfns: Uint32Array;
  readonly kinds: Uint8Array;
  readonly bodies: (Uint8Array | null)[];
  private readonly trace: MdtTrace;
  private readonly shadow: ShadowImage | null;
  private freed: Uint32Array = new Uint32Array(0);

  constructor(trace: MdtTrace, shadow: ShadowImage | null, raw: Uint8Array) {
    this.trace = trace;
    this.shadow = shadow;
    const cursor = new P.Cursor(raw);
    cursor.varint();
    this.pfns = cursor.pageList(trace.pages);
    this.kinds = new Uint8Array(this.pfns.length).fill(Kind.unknown);
    this.bodies = new Array<Uint8Array | null>(this.pfns.length).fill(null);
  }

  apply(chunk: Chunk, raw: Uint8Array): void {
    const { pages, pageBytes } = this.trace;
    if (chunk.type === "FREE") {
      this.freed = P.onlyPageList(raw, pages, chunk.items);
    } else if (chunk.type === "SAME") {
      for (const pfn of P.onlyPageList(raw, pages, chunk.items)) this.kinds[this.slot(pfn)] = Kind.same;
    } else if (chunk.type === "PAGE" || chunk.type === "DELT") {
      const table = P.bodyTable(raw, chunk.items, pages, null);
      if (chunk.type === "DELT") this.applyDeltas(table);
      else {
        P.checkPageBodies(table, pageBytes, true);
        this.applyBodies(table);
      }
    }
  }

  /** Pages given back: their kind, and the rule that they are zero now. */
  close(): void {
    for (const pfn of this.freed) {
      const zero = this.shadow === null || P.isZero(this.shadow.page(pfn));
      expect(zero, `pfn ${pfn} was given back and is not zero at the end of the epoch`);
      this.kinds[this.slot(pfn)] = Kind.free;
    }
    const missing = this.kinds.indexOf(Kind.unknown);
    expect(missing < 0, `pfn ${this.pfns[missing]} has no contents`);
  }

  private slot(pfn: number): number {
    const at = P.indexOfPfn(this.pfns, pfn);
    expect(at >= 0, `pfn ${pfn} is not in the epoch's list`);
    return at;
  }

  private applyBodies(table: P.BodyTable): void {
    for (let k = 0; k < table.pfns.length; k++) {
      const pfn = table.pfns[k]!;
      const slot = this.slot(pfn);
      const body = table.length[k] === 0 ? null : P.entryBody(table, k);
      this.kinds[slot] = body === null ? Kind.zero : Kind.body;
      this.bodies[slot] = body;
      this.shadow?.set(pfn, body);
    }
  }

  /** The image changes with later epochs, so each changed page is copied out. A page may become zero. */
  private applyDeltas(table: P.BodyTable): void {
    const { shadow } = this;
    expect(shadow !== null, "a DELT chunk in a file without required-feature bit 0");
    for (let k = 0; k < table.pfns.length; k++) {
      const pfn = table.pfns[k]!;
      const slot = this.slot(pfn);
      const page = shadow.writable(pfn);
      P.applyDelta(P.entryBody(table, k), page, this.trace.pageBytes);
      const zero = P.isZero(page);
      this.kinds[slot] = zero ? Kind.zero : Kind.body;
      this.bodies[slot] = zero ? null : page.slice();
    }
  }
}

function* completeEpochs(trace: MdtTrace, shadow: ShadowImage | null): Generator<Epoch> {
  const { chunks } = trace;
  let startUs = 0;
  let index = 0;
  let k = 0;
  while (k < chunks.length && chunks.type(k) !== "EPOC") k++;
  while (k < chunks.length) {
    const good = index > 0 ? index - 1 : undefined;
    const first = k;
    const { chunk, raw } = loadChunk(trace, k);
    const builder = atChunk(trace, k, good, () => new EpochBuilder(trace, shadow, raw));
    for (k++; k < chunks.length && chunks.type(k) !== "EPOC"; k++) {
      const part = loadChunk(trace, k);
      atChunk(trace, k, good, () => builder.apply(part.chunk, part.raw));
    }
    atChunk(trace, first, good, () => builder.close());
    const { pfns, kinds, bodies } = builder;
    yield { index, startUs, endUs: chunk.timeUs, pfns, kinds, bodies };
    startUs = chunk.timeUs;
    index++;
  }
}
