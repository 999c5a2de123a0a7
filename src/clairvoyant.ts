// SPDX-License-Identifier: Apache-2.0
/**
 * What a migration that knew the future would send: each page once, after its last write before this run's
 * suspension. From the trace, replayed anew; of the run only how many writes each vCPU had executed then.
 *
 *   payload = sum over pages of (record header + tag + TLS + min(size of the page, least delta of it))
 *
 * Sizes are the run's own encoder's (page-sizes). A delta needs a base that the other side may have: with
 * `delta` on, any contents other than its last that the page had between the start of the migration and its
 * last write, and that were not all zero; what sending that base cost counts as nothing. So no run whose
 * pages are coded one by one sends less: its last record of a page is the page or such a delta.
 * Leaves out: device state, control records, acknowledgements, and when the last writes come.
 * Costs: a replay, an encoding of each page that is not zero and of what is overwritten while 4096 pages
 * wait (16 MiB); 2 bytes a page around those that are written. With `delta` another replay, a copy of each
 * page written since the start, and a delta for each such write.
 */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import { executedBy, replayExecuted } from "./executed.ts";
import { PageSizes } from "./page-sizes.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import { expectStorage } from "./storage.ts";
import { type GuestStream, KEEP_CONTENT, recordedSize } from "./trace/events.ts";
import { isZero } from "./trace/payload.ts";

/** Pages that wait to be encoded. */
const WAITING_MAX = 4096;
/** Pages of a block of numbers, and the mark of those that have none. */
const BLOCK_PAGES = 2048;
const UNTOLD = 65535;

/** Payload bytes of all pages' records. */
export interface Clairvoyant {
  readonly payloadBytes: number;
}

/** Where the contents of a write are: the i-th of a block or batch. */
interface Bodies {
  content(i: number): Uint8Array | null;
}

/** Told of a write that the source has executed. */
type Visit = (pfn: number, id: number, at: bigint, bodies: Bodies, i: number) => void;

/** The writes that were executed, in order; those that keep contents are left out. */
function visit(stream: GuestStream, counts: readonly number[], seen: Visit): void {
  replayExecuted(stream, counts, (batch, i) => {
    const id = batch.contentIds[i]!;
    if (id !== KEEP_CONTENT) seen(batch.pfns[i]!, id, batch.timeTicks[i]!, batch, i);
  });
}

/** Contents of pages that wait to be encoded; one that is written again meanwhile is encoded once. */
class Waiting {
  readonly #slots = new Map<number, number>();
  readonly #bytes = new Uint8Array(WAITING_MAX * abi.PAGE_BYTES);
  #used = 0;

  /** Forgets a page. Its slot is free again when all are. */
  drop(pfn: number): void {
    if (this.#slots.size > 0 && this.#slots.has(pfn)) this.#slots.set(pfn, -1);
  }

  /** Whether there was room. */
  put(pfn: number, body: Uint8Array): boolean {
    const held = this.#slots.get(pfn) ?? -1;
    const slot = held >= 0 ? held : this.#used;
    if (slot === WAITING_MAX) return false;
    if (held < 0) this.#used++;
    this.#slots.set(pfn, slot);
    this.#bytes.set(body, slot * abi.PAGE_BYTES);
    return true;
  }

  /** Hands all out. */
  empty(take: (pfn: number, body: Uint8Array) => void): void {
    for (const [pfn, slot] of this.#slots) {
      if (slot >= 0) take(pfn, this.#bytes.subarray(slot * abi.PAGE_BYTES, (slot + 1) * abi.PAGE_BYTES));
    }
    this.#slots.clear();
    this.#used = 0;
  }
}

/** Numbers below 65535 of pages that have been told, in blocks around them. */
class Told {
  readonly #blocks: (Uint16Array | undefined)[];

  constructor(pages: number) {
    this.#blocks = new Array(Math.ceil(pages / BLOCK_PAGES));
  }

  get(pfn: number): number | null {
    const found = this.#blocks[Math.floor(pfn / BLOCK_PAGES)]?.[pfn % BLOCK_PAGES];
    return found === undefined || found === UNTOLD ? null : found;
  }

  set(pfn: number, number: number): void {
    const at = Math.floor(pfn / BLOCK_PAGES);
    this.#blocks[at] ??= new Uint16Array(BLOCK_PAGES).fill(UNTOLD);
    this.#blocks[at][pfn % BLOCK_PAGES] = number;
  }

  sum(): number {
    let total = 0;
    for (const block of this.#blocks) {
      for (const number of block ?? []) total += number === UNTOLD ? 0 : number;
    }
    return total;
  }
}

/** Sizes of the last contents of pages. */
class LastSizes {
  /** Of the pages that have been written. */
  readonly sizes: Told;
  readonly #of: PageSizes;
  readonly #stable: Int16Array;
  readonly #waiting = new Waiting();

  constructor(stream: GuestStream, of: PageSizes) {
    this.sizes = new Told(stream.pages);
    this.#of = of;
    this.#stable = new Int16Array(stream.stableContents).fill(-1);
  }

  write(pfn: number, id: number, bodies: Bodies, i: number): void {
    const known = this.#known(id, bodies, i);
    if (known === null) {
      this.set(pfn, bodies.content(i)!);
      return;
    }
    this.#waiting.drop(pfn);
    this.sizes.set(pfn, known);
  }

  set(pfn: number, body: Uint8Array): void {
    if (this.#waiting.put(pfn, body)) return;
    this.settle();
    this.#waiting.put(pfn, body);
  }

  /** Of contents that are recorded by size, or the same throughout; null: of others. */
  #known(id: number, bodies: Bodies, i: number): number | null {
    if (id === 0) return 0;
    const recorded = recordedSize(id);
    if (recorded !== null) return this.#of.kept(recorded);
    if (id >= this.#stable.length) return null;
    if (this.#stable[id] === -1) this.#stable[id] = this.#of.of(bodies.content(i)!);
    return this.#stable[id]!;
  }

  /** Encodes what waits. */
  settle(): void {
    this.#waiting.empty((pfn, body) => this.sizes.set(pfn, this.#of.of(body)));
  }

  /** Bytes of all pages: those of the initial image that nothing was written to, and the others. */
  total(stream: GuestStream): number {
    let total = this.sizes.sum();
    for (const block of stream.initial()) {
      for (let i = 0; i < block.count; i++) {
        const id = block.contentIds[i]!;
        if (id === 0 || this.sizes.get(block.firstPfn + i) !== null) continue;
        total += this.#known(id, block, i) ?? this.#of.of(block.content(i)!);
      }
    }
    return total;
  }
}

/** Contents of pages by number; absent: all zero, or never told. */
class Contents {
  readonly #bodies = new Map<number, Uint8Array>();

  get(pfn: number): Uint8Array | undefined {
    return this.#bodies.get(pfn);
  }

  put(pfn: number, id: number, bodies: Bodies, i: number): void {
    const held = this.#bodies.get(pfn);
    if (id === 0) this.#bodies.delete(pfn);
    else if (held === undefined) this.#bodies.set(pfn, new Uint8Array(bodies.content(i)!));
    else held.set(bodies.content(i)!);
  }
}

/** Lowers sizes to the least delta from contents that a page had since `since`. */
function lowerByDeltas(
  stream: GuestStream,
  counts: readonly number[],
  since: bigint,
  sizes: Told,
  of: PageSizes,
): void {
  const last = new Contents();
  visit(stream.fork(), counts, (pfn, id, at, bodies, i) => {
    if (at >= since) last.put(pfn, id, bodies, i);
  });
  const now = new Contents();
  for (const block of stream.initial()) {
    for (let i = 0; i < block.count; i++) {
      const pfn = block.firstPfn + i;
      if (last.get(pfn) !== undefined) now.put(pfn, block.contentIds[i]!, block, i);
    }
  }
  visit(stream.fork(), counts, (pfn, id, at, bodies, i) => {
    const page = last.get(pfn);
    if (page === undefined) return;
    const base = at >= since ? now.get(pfn) : undefined;
    const delta = base === undefined || isZero(base) ? 0 : of.delta(base, page);
    // contents that are the last ones already are no base: they had to come by themselves
    if (delta > 0) sizes.set(pfn, Math.min(sizes.get(pfn)!, delta));
    now.put(pfn, id, bodies, i);
  });
}

/**
 * What the pages of a run that has completed come to.
 * @param core the run's, at its end
 * @param stream the guest at its beginning; its image is consumed
 */
export function clairvoyantOf(core: Core, stream: GuestStream, scenario: ResolvedScenario): Clairvoyant {
  const counts = executedBy(core, scenario.guest.vcpus, true);
  const of = new PageSizes(core, scenario);
  const last = new LastSizes(stream, of);
  visit(stream.fork(), counts, (pfn, id, _at, bodies, i) => last.write(pfn, id, bodies, i));
  expectStorage(core, scenario, stream.pages, (pfn, _version, body) => {
    if (body !== null) last.set(pfn, body);
  });
  last.settle();
  const since = BigInt(scenario.migration.startAtTicks);
  if (scenario.delta !== "off") lowerByDeltas(stream.fork(), counts, since, last.sizes, of);
  const tag = scenario.encrypt.keyBits > 0 ? abi.RECORD_TAG_BYTES : 0;
  const record = abi.RECORD_HEADER_BYTES + tag + scenario.link.tlsBytes;
  const payloadBytes = stream.pages * record + last.total(stream);
  return { payloadBytes };
}
