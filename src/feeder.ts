// SPDX-License-Identifier: Apache-2.0
/** Feeds a guest's memory and writes into the core: initial image, then events into one ring a vCPU. */
import * as abi from "../assembly/abi.ts";
import { type Carrying, isOneOf, keptEvery } from "./carried.ts";
import type { Core } from "./core.ts";
import type { WordOf } from "./given-sizes.ts";
import { ALONE, type Place } from "./guest-parts.ts";
import { ringEvents } from "./params.ts";
import { NEVER } from "./params-faults.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import { EventFlag, type GuestBatch, type GuestStream, KEEP_CONTENT, recordedSize } from "./trace/events.ts";

/** Events of laggard vCPUs that the harness keeps: more is refused, since it would grow without bound. */
export const PENDING_EVENTS_MAX = 4_000_000;

/** Epochs that are read at most when a vCPU has nothing to do. */
const EPOCHS_A_FEED = 16;

/** The vCPU of a page: a hash, so that the writes of a page keep their order. */
export function vcpuOf(pfn: number, vcpus: number): number {
  return (Math.imul(pfn ^ (pfn >>> 15), 0x9e3779b1) >>> 8) % vcpus;
}

/** What a feeder needs to know of a scenario. */
export interface FedScenario extends Carrying {
  readonly guest: Pick<ResolvedScenario["guest"], "vcpus">;
}

/** What one vCPU still has to be given. */
interface Lane {
  batches: { batch: GuestBatch; order: Uint32Array; at: number }[];
  pending: number;
}

/** Content words of ids that mean the same body throughout, computed once. */
class Words {
  readonly #stable: Int32Array;
  readonly #stream: GuestStream;
  readonly #wordOf: WordOf;
  readonly #wordOfSize: (size: number) => number;

  constructor(stream: GuestStream, wordOf: WordOf, wordOfSize: (size: number) => number) {
    this.#wordOf = wordOf;
    this.#wordOfSize = wordOfSize;
    this.#stream = stream;
    this.#stable = new Int32Array(stream.stableContents).fill(-1);
  }

  of(id: number, body: () => Uint8Array): number {
    if (id === 0) return abi.WORD_ZERO;
    const size = recordedSize(id);
    if (size !== null) return this.#wordOfSize(size);
    if (id >= this.#stable.length) return this.#wordOf(body());
    let word = this.#stable[id]!;
    if (word === -1) {
      word = this.#wordOf(this.#stream.stableContent(id));
      this.#stable[id] = word;
    }
    return word;
  }
}

/** Fills rings on demand; counts what was captured and what is an estimate. */
export class Feeder {
  readonly #core: Core;
  readonly #stream: GuestStream;
  readonly #lanes: Lane[];
  readonly #words: Words;
  readonly #ring: number;
  readonly #sized: boolean;
  /** One page in so many has its bytes at the source. */
  readonly #kept: number;
  readonly #place: Place;
  #fed = 0n;
  #ended = false;
  /** Page versions given with recorded contents, and with stand-ins. */
  captured = 0;
  estimated = 0;
  /** End of the trace in ticks once it has been reached, for `atEnd: fail`. */
  endedAt: bigint | null = null;

  /**
   * @param wordOf content word of a body that is not zero; the core's compressor says it unless given
   * @param wordOfSize the same of a size that is recorded
   * @param place where the guest lies among several
   */
  constructor(
    core: Core,
    stream: GuestStream,
    scenario: FedScenario,
    wordOf: WordOf = (body) => core.contentWord(body),
    wordOfSize = (size: number): number => size,
    place = ALONE,
  ) {
    this.#core = core;
    this.#place = place;
    this.#stream = stream;
    this.#ring = ringEvents(scenario);
    this.#sized = scenario.content.mode !== "full";
    this.#kept = keptEvery(scenario);
    this.#words = new Words(stream, wordOf, wordOfSize);
    this.#lanes = Array.from({ length: scenario.guest.vcpus }, () => ({ batches: [], pending: 0 }));
  }

  /** True when the source has the bytes of a page. */
  carries(pfn: number): boolean {
    return isOneOf(this.#kept, pfn);
  }

  /** Writes the initial image. */
  loadImage(): void {
    const words = this.#core.address("sourceWordsAt") >>> 2;
    const image = this.#core.address("sourceImageAt");
    for (const block of this.#stream.initial()) {
      for (let i = 0; i < block.count; i++) {
        const pfn = this.#place.firstPage + block.firstPfn + i;
        const id = block.contentIds[i]!;
        if (block.flags[i]! & EventFlag.estimated) this.estimated++;
        else this.captured++;
        if (this.#sized) this.#core.u32[words + pfn] = this.#words.of(id, () => block.content(i));
        if (id !== 0 && this.carries(pfn)) {
          this.#core.u8.set(block.content(i), image + Math.floor(pfn / this.#kept) * abi.PAGE_BYTES);
        }
      }
    }
  }

  /** Fills the rings. Call before the first run and after every STOP_INPUT. */
  feed(): void {
    // a vCPU that writes little or nothing is told how far it has been fed, and asks again there
    for (let epochs = 0; epochs < EPOCHS_A_FEED; epochs++) {
      let hungry = false;
      for (let v = 0; v < this.#lanes.length; v++) {
        this.#pump(v);
        if (this.#lanes[v]!.pending === 0 && this.#isEmpty(v)) hungry = true;
      }
      if (!hungry || this.#ended) break;
      const batch = this.#stream.next();
      if (batch === null) this.#ended = true;
      else this.#spread(batch);
    }
    if (this.#ended && this.endedAt === null) this.endedAt = this.#fed;
    for (let v = 0; v < this.#lanes.length; v++) {
      this.#core.setU64(this.#vcpuAt(v) + 24, this.#fedUntil(this.#lanes[v]!));
    }
    this.#core.inputGiven();
  }

  /** The time before which a vCPU has been given every event. */
  #fedUntil(lane: Lane): bigint {
    const part = lane.batches[0];
    if (part !== undefined) return part.batch.timeTicks[part.order[part.at]!]!;
    return this.#ended ? NEVER : this.#fed;
  }

  /** Where the core has what it knows of a vCPU. */
  #vcpuAt(v: number): number {
    return this.#core.address("vcpusAt") + (this.#place.firstVcpu + v) * 32;
  }

  #isEmpty(v: number): boolean {
    const at = this.#vcpuAt(v) >>> 2;
    return this.#core.u32[at + 4] === this.#core.u32[at + 5];
  }

  /** Splits a batch over the vCPUs. */
  #spread(batch: GuestBatch): void {
    const vcpus = this.#lanes.length;
    const counts = new Uint32Array(vcpus);
    const owner = new Uint8Array(batch.count);
    for (let i = 0; i < batch.count; i++) {
      const v = vcpuOf(batch.pfns[i]!, vcpus);
      owner[i] = v;
      counts[v]!++;
    }
    const orders = Array.from(counts, (n) => new Uint32Array(n));
    const next = new Uint32Array(vcpus);
    for (let i = 0; i < batch.count; i++) {
      const v = owner[i]!;
      orders[v]![next[v]!++] = i;
    }
    let pending = 0;
    for (let v = 0; v < vcpus; v++) {
      const lane = this.#lanes[v]!;
      if (counts[v]! > 0) lane.batches.push({ batch, order: orders[v]!, at: 0 });
      lane.pending += counts[v]!;
      pending += lane.pending;
    }
    if (pending > PENDING_EVENTS_MAX) {
      throw new RangeError(`one vCPU is ${pending} writes behind the others: use fewer vCPUs or clock: wall`);
    }
    this.#fed = batch.endTicks;
  }

  /** Moves a vCPU's pending events into its ring while there is room. */
  #pump(v: number): void {
    const lane = this.#lanes[v]!;
    if (lane.pending === 0) return;
    const u32 = this.#core.u32;
    const state = this.#vcpuAt(v) >>> 2;
    const first = (this.#place.firstVcpu + v) * this.#ring;
    const events = this.#core.address("eventsAt") + first * abi.EVENT_BYTES;
    let tail = u32[state + 5]!;
    let room = this.#ring - ((tail - u32[state + 4]!) >>> 0);
    while (room > 0 && lane.batches.length > 0) {
      const part = lane.batches[0]!;
      while (room > 0 && part.at < part.order.length) {
        const slot = tail % this.#ring;
        this.#put(part.batch, part.order[part.at]!, (events + slot * abi.EVENT_BYTES) >>> 2, first + slot);
        part.at++;
        lane.pending--;
        tail = (tail + 1) >>> 0;
        room--;
      }
      if (part.at === part.order.length) lane.batches.shift();
    }
    this.#core.u32[state + 5] = tail;
  }

  #put(batch: GuestBatch, i: number, at: number, body: number): void {
    const flags = batch.flags[i]!;
    const pfn = this.#place.firstPage + batch.pfns[i]!;
    const id = batch.contentIds[i]!;
    const keep = id === KEEP_CONTENT;
    let word = 0;
    if (this.#sized && !keep) word = this.#words.of(id, () => batch.content(i)!);
    const u32 = this.#core.u32;
    const time = batch.timeTicks[i]!;
    u32[at] = Number(time & 0xffffffffn);
    u32[at + 1] = Number(time >> 32n);
    u32[at + 2] = pfn;
    u32[at + 3] = word;
    u32[at + 4] = flags;
    if (flags & EventFlag.estimated) this.estimated++;
    else if ((flags & EventFlag.read) === 0) this.captured++;
    if (!keep && id !== 0 && this.carries(pfn)) {
      this.#core.u8.set(batch.content(i)!, this.#core.address("bodiesAt") + body * abi.PAGE_BYTES);
    }
  }
}
