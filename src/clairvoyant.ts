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
 * wait (16 MiB); 2 bytes a page (512 MiB for 1 TiB). With `delta` another replay, a copy of each page written
 * since the start, and a delta for each such write.
 */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import { vcpuOf } from "./feeder.ts";
import { isZero, PageSizes } from "./page-sizes.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import { expectStorage } from "./storage.ts";
import { type GuestStream, KEEP_CONTENT, recordedSize } from "./trace/events.ts";

/** Pages that wait to be encoded. */
const WAITING_MAX = 4096;

/** Payload bytes of all pages' records. */
export interface Clairvoyant {
  readonly payloadBytes: number;
}

/** Where the contents of a write are: the i-th of a block or batch. */
interface Bodies {
  content(i: number): Uint8Array | null;
}

/** Told of a write that the source has executed, or of a page of the initial image, at time -1. */
type Visit = (pfn: number, id: number, at: bigint, bodies: Bodies, i: number) => void;

/** Writes that each vCPU of the source had executed when the guest was suspended. */
function executed(core: Core, vcpus: number): number[] {
  // a guest that has resumed before every page was there went on at the destination
  const moved = core.logged(abi.L_ARRIVED) !== 0n;
  const counts = moved ? core.address("touchersAt") + 16 : core.address("vcpusAt") + 8;
  return Array.from({ length: vcpus }, (_, v) => Number(core.u64(counts + v * 32)));
}

/** The initial image and the writes that were executed, in order; those that keep contents are left out. */
function visit(stream: GuestStream, counts: readonly number[], seen: Visit): void {
  for (const block of stream.initial()) {
    for (let i = 0; i < block.count; i++) seen(block.firstPfn + i, block.contentIds[i]!, -1n, block, i);
  }
  const left = [...counts];
  let total = left.reduce((a, b) => a + b, 0);
  while (total > 0) {
    const batch = stream.next();
    if (batch === null) throw new Error("the guest executed more writes than its trace holds");
    for (let i = 0; i < batch.count; i++) {
      const pfn = batch.pfns[i]!;
      const v = vcpuOf(pfn, left.length);
      if (left[v] === 0) continue;
      left[v]!--;
      total--;
      const id = batch.contentIds[i]!;
      if (id !== KEEP_CONTENT) seen(pfn, id, batch.timeTicks[i]!, batch, i);
    }
  }
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

/** Sizes of the last contents of every page. */
class LastSizes {
  readonly sizes: Uint16Array;
  readonly #of: PageSizes;
  readonly #stable: Int16Array;
  readonly #waiting = new Waiting();

  constructor(stream: GuestStream, of: PageSizes) {
    this.sizes = new Uint16Array(stream.pages);
    this.#of = of;
    this.#stable = new Int16Array(stream.stableContents).fill(-1);
  }

  write(pfn: number, id: number, bodies: Bodies, i: number): void {
    if (id === 0 || id < this.#stable.length || recordedSize(id) !== null) {
      this.#waiting.drop(pfn);
      this.sizes[pfn] = this.#known(id, bodies, i);
    } else {
      this.set(pfn, bodies.content(i)!);
    }
  }

  set(pfn: number, body: Uint8Array): void {
    if (this.#waiting.put(pfn, body)) return;
    this.settle();
    this.#waiting.put(pfn, body);
  }

  /** Of contents that are recorded by size, or the same throughout. */
  #known(id: number, bodies: Bodies, i: number): number {
    if (id === 0) return 0;
    const recorded = recordedSize(id);
    if (recorded !== null) return this.#of.kept(recorded);
    if (this.#stable[id] === -1) this.#stable[id] = this.#of.of(bodies.content(i)!);
    return this.#stable[id]!;
  }

  /** Encodes what waits. */
  settle(): void {
    this.#waiting.empty((pfn, body) => {
      this.sizes[pfn] = this.#of.of(body);
    });
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
function lowerByDeltas(again: (seen: Visit) => void, since: bigint, sizes: Uint16Array, of: PageSizes): void {
  const last = new Contents();
  again((pfn, id, at, bodies, i) => {
    if (at >= since) last.put(pfn, id, bodies, i);
  });
  const now = new Contents();
  again((pfn, id, at, bodies, i) => {
    const page = last.get(pfn);
    if (page === undefined) return;
    const base = at >= since ? now.get(pfn) : undefined;
    const delta = base === undefined || isZero(base) ? 0 : of.delta(base, page);
    // contents that are the last ones already are no base: they had to come by themselves
    if (delta > 0) sizes[pfn] = Math.min(sizes[pfn]!, delta);
    now.put(pfn, id, bodies, i);
  });
}

/**
 * What the pages of a run that has completed come to.
 * @param core the run's, at its end
 * @param stream the guest at its beginning; it is consumed
 */
export function clairvoyantOf(core: Core, stream: GuestStream, scenario: ResolvedScenario): Clairvoyant {
  const counts = executed(core, scenario.guest.vcpus);
  const of = new PageSizes(core, scenario);
  const last = new LastSizes(stream, of);
  const again = (seen: Visit): void => visit(stream.fork(), counts, seen);
  again((pfn, id, _at, bodies, i) => last.write(pfn, id, bodies, i));
  expectStorage(core, scenario, stream.pages, (pfn, _version, body) => {
    if (body !== null) last.set(pfn, body);
  });
  last.settle();
  const { sizes } = last;
  if (scenario.delta !== "off") lowerByDeltas(again, BigInt(scenario.migration.startAtTicks), sizes, of);
  const tag = scenario.encrypt.keyBits > 0 ? abi.RECORD_TAG_BYTES : 0;
  let payloadBytes = sizes.length * (abi.RECORD_HEADER_BYTES + tag + scenario.link.tlsBytes);
  for (const size of sizes) payloadBytes += size;
  return { payloadBytes };
}
