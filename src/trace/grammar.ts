// SPDX-License-Identifier: Apache-2.0
// The rules that can be checked chunk by chunk without holding page contents. What needs contents (DELT
// results, hashes, FREE pages that are SAME) is checked where they are replayed.
import { type AnnotationCounts, Annotations } from "./annotations.ts";
import type { Chunk } from "./chunks.ts";
import { expect, Malformed } from "./errors.ts";
import type { Contents } from "./format.ts";
import * as P from "./payload.ts";

/** What a walk over the file counted. */
export interface Counts {
  epochs: number;
  /** Sum over epochs of listed pages. */
  events: number;
  /** End of the last epoch in time. */
  endTimeUs: number;
  initialPages: number;
  initialZeroPages: number;
  /** PAGE entries of epochs with a body, and with length 0. */
  pageBodies: number;
  zeroBodies: number;
  deltas: number;
  deltaBytes: number;
  same: number;
  free: number;
  checkpoints: number;
  /** Largest number of pages in one epoch. */
  epochPagesMax: number;
}

export function noCounts(): Counts {
  return {
    epochs: 0,
    events: 0,
    endTimeUs: 0,
    initialPages: 0,
    initialZeroPages: 0,
    pageBodies: 0,
    zeroBodies: 0,
    deltas: 0,
    deltaBytes: 0,
    same: 0,
    free: 0,
    checkpoints: 0,
    epochPagesMax: 0,
  };
}

/** A rule book that sees every chunk before INDX in file order. All methods throw Malformed. */
export interface Grammar {
  readonly counts: Counts;
  /** Sums over READ, HASH and CSIZ. */
  readonly annotated: AnnotationCounts;
  /** Index of the last epoch that is whole, undefined before the first. */
  lastGoodEpoch(): number | undefined;
  accept(chunk: Chunk, raw: Uint8Array): void;
  finish(): void;
}

/** What the rules need to know about the file. */
export interface Shape {
  readonly pages: number;
  readonly pageBytes: number;
  readonly hasDeltas: boolean;
}

/** A checkpoint annotation, or null if the MARK is another one. Throws Malformed unless it is JSON. */
export function readCheckpoint(raw: Uint8Array): { epoch: number; imageSha256: string } | null {
  let mark: Record<string, unknown> | null;
  try {
    mark = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));
  } catch {
    throw new Malformed("a MARK is not JSON");
  }
  if (mark === null || typeof mark !== "object" || mark.type !== "checkpoint") return null;
  const { epoch, imageSha256 } = mark;
  const whole = typeof epoch === "number" && Number.isSafeInteger(epoch) && epoch >= 0;
  expect(whole, "a checkpoint has no epoch number");
  expect(
    typeof imageSha256 === "string" && /^[0-9a-f]{64}$/.test(imageSha256),
    "a checkpoint has no imageSha256 of 64 hex digits",
  );
  return { epoch, imageSha256 };
}

function checkBitmap(chunk: Chunk, raw: Uint8Array, pages: number): void {
  expect(chunk.items === pages % 2 ** 32, `${chunk.type} counts ${chunk.items} pages, the header ${pages}`);
  const bytes = Math.floor((pages + 7) / 8);
  expect(raw.length === bytes, `${chunk.type} has ${raw.length} bytes, not ${bytes}`);
}

// The order of chunks within one epoch.
const RANK: Readonly<Record<string, number>> = { EPOC: 0, FREE: 1, SAME: 2, PAGE: 3, DELT: 4 };
const ANNOTATIONS: ReadonlySet<string> = new Set(["READ", "HASH", "CSIZ"]);
const COVERED = 1;
const FREED = 2;

/** Rules of complete traces: docs/formats.md, "Complete traces". */
export class CompleteGrammar implements Grammar {
  readonly counts = noCounts();
  private readonly shape: Shape;
  private readonly annotations: Annotations;
  private zeroMap: Uint8Array | null = null;
  private zeroSeen: Uint8Array = new Uint8Array(0);
  private lastTimeUs = 0;
  private rank = 0;
  private lastPfn = -1;
  private dirty: Uint32Array | null = null;
  private state: Uint8Array = new Uint8Array(0);
  private open = 0;

  constructor(shape: Shape) {
    this.shape = shape;
    this.annotations = new Annotations(shape.pages, shape.pageBytes);
  }

  get annotated(): AnnotationCounts {
    return this.annotations.counts;
  }

  lastGoodEpoch(): number | undefined {
    const whole = this.open > 0 ? this.counts.epochs - 1 : this.counts.epochs;
    return whole > 0 ? whole - 1 : undefined;
  }

  accept(chunk: Chunk, raw: Uint8Array): void {
    const { type, timeUs } = chunk;
    expect(timeUs >= this.lastTimeUs, `${type}: time goes back from ${this.lastTimeUs} to ${timeUs} us`);
    if (this.zeroMap === null) this.acceptZeroMap(chunk, raw);
    else if (type === "ZMAP") expect(false, "a second ZMAP; a complete trace has one, at its start");
    else if (type === "EPOC") this.acceptEpoch(chunk, raw);
    else if (type === "MARK") this.acceptMark(chunk, raw);
    else if (type === "TMAP") checkBitmap(chunk, raw, this.shape.pages);
    else if (ANNOTATIONS.has(type)) this.acceptAnnotation(chunk, raw);
    else if (RANK[type] !== undefined) this.acceptContents(chunk, raw);
    this.lastTimeUs = timeUs;
  }

  finish(): void {
    expect(this.zeroMap !== null, "a complete trace has no ZMAP");
    if (this.dirty === null) this.closeInitial();
    else this.closeEpoch();
  }

  private acceptZeroMap(chunk: Chunk, raw: Uint8Array): void {
    expect(chunk.type === "ZMAP", `a complete trace begins with ZMAP, not with ${chunk.type}`);
    expect(chunk.timeUs === 0, `ZMAP is at ${chunk.timeUs} us; the initial image is at 0`);
    checkBitmap(chunk, raw, this.shape.pages);
    this.zeroMap = raw;
    this.zeroSeen = new Uint8Array(raw.length).fill(255);
  }

  private acceptMark(chunk: Chunk, raw: Uint8Array): void {
    const mark = readCheckpoint(raw);
    if (mark === null) return;
    this.counts.checkpoints++;
    const { epochs, endTimeUs } = this.counts;
    expect(this.open === 0, `a checkpoint stands before the contents of epoch ${epochs - 1} are whole`);
    expect(
      mark.epoch === epochs - 1 && chunk.timeUs === endTimeUs,
      `a checkpoint of epoch ${mark.epoch} at ${chunk.timeUs} us stands after epoch ${epochs - 1}`,
    );
  }

  private acceptAnnotation(chunk: Chunk, raw: Uint8Array): void {
    const { type, timeUs } = chunk;
    const { endTimeUs } = this.counts;
    expect(timeUs === endTimeUs, `${type} is at ${timeUs} us, its epoch ends at ${endTimeUs} us`);
    this.annotations.accept(chunk, raw, this.dirty);
  }

  private acceptEpoch(chunk: Chunk, raw: Uint8Array): void {
    if (this.dirty === null) this.closeInitial();
    else this.closeEpoch();
    const { timeUs } = chunk;
    expect(
      timeUs > this.counts.endTimeUs,
      `epoch ends at ${timeUs} us, not after ${this.counts.endTimeUs} us`,
    );
    expect(chunk.items === 1, `EPOC holds ${chunk.items} epochs; a complete trace has one a chunk`);
    const cursor = new P.Cursor(raw);
    expect(cursor.varint() === 0, "the first dt_us of an EPOC chunk is not 0");
    this.dirty = cursor.pageList(this.shape.pages);
    cursor.end();
    this.open = this.dirty.length;
    this.state = new Uint8Array(this.open);
    this.rank = 0;
    this.lastPfn = -1;
    this.counts.epochs++;
    this.counts.events += this.open;
    this.counts.endTimeUs = timeUs;
    if (this.open > this.counts.epochPagesMax) this.counts.epochPagesMax = this.open;
  }

  private acceptContents(chunk: Chunk, raw: Uint8Array): void {
    const { type, timeUs } = chunk;
    const { endTimeUs } = this.counts;
    const placed = this.dirty !== null || type === "PAGE";
    expect(placed, `${type} stands before the first epoch; the initial image is PAGE chunks`);
    expect(timeUs === endTimeUs, `${type} is at ${timeUs} us, its epoch ends at ${endTimeUs} us`);
    const rank = RANK[type]!;
    expect(rank >= this.rank, `${type} comes too late; the order is EPOC FREE SAME PAGE DELT`);
    if (rank > this.rank) this.lastPfn = -1;
    else expect(rank > 2, `a second ${type} chunk in one epoch`);
    this.rank = rank;
    if (type === "FREE" || type === "SAME") this.acceptList(type, raw, chunk.items);
    else this.acceptBodies(type, raw, chunk.items);
  }

  private acceptList(type: string, raw: Uint8Array, count: number): void {
    const list = P.onlyPageList(raw, this.shape.pages, count);
    for (const pfn of list) {
      if (type === "SAME") this.cover(pfn, FREED);
      else this.state[this.listed(pfn, "FREE")]! |= FREED;
    }
    if (type === "SAME") this.counts.same += count;
    else this.counts.free += count;
  }

  private acceptBodies(type: string, raw: Uint8Array, count: number): void {
    const { shape, counts } = this;
    const table = P.bodyTable(raw, count, shape.pages, this.lastPfn);
    if (count > 0) this.lastPfn = table.pfns[count - 1]!;
    if (type === "PAGE") P.checkPageBodies(table, shape.pageBytes, true);
    else expect(shape.hasDeltas, "a DELT chunk in a file without required-feature bit 0");
    for (let k = 0; k < count; k++) {
      const pfn = table.pfns[k]!;
      const length = table.length[k]!;
      if (this.dirty === null) {
        counts.initialPages++;
        if (length === 0) counts.initialZeroPages++;
        else this.zeroSeen[Math.floor(pfn / 8)]! &= ~(1 << (pfn % 8));
        continue;
      }
      this.cover(pfn, type === "PAGE" && length === 0 ? FREED : 0);
      if (type === "DELT") {
        P.applyDelta(P.entryBody(table, k), null, shape.pageBytes);
        counts.deltas++;
        counts.deltaBytes += length;
      } else if (length === 0) counts.zeroBodies++;
      else counts.pageBodies++;
    }
  }

  private listed(pfn: number, what: string): number {
    const at = P.indexOfPfn(this.dirty!, pfn);
    expect(at >= 0, `${what}: pfn ${pfn} is not in the list of epoch ${this.counts.epochs - 1}`);
    return at;
  }

  /** Takes `pfn` as having its contents; `mayBeFree` says whether that suits a page that was given back. */
  private cover(pfn: number, mayBeFree: number): void {
    const at = this.listed(pfn, "contents");
    const state = this.state[at]!;
    expect((state & COVERED) === 0, `pfn ${pfn} has its contents twice in epoch ${this.counts.epochs - 1}`);
    expect((state & FREED) <= mayBeFree, `pfn ${pfn} was given back but does not become zero`);
    this.state[at] = state | COVERED;
    this.open--;
  }

  private closeEpoch(): void {
    if (this.open === 0) return;
    const pfn = this.dirty![this.state.findIndex((s) => (s & COVERED) === 0)];
    expect(
      false,
      `${this.open} pages of epoch ${this.counts.epochs - 1} have no contents, the first is pfn ${pfn}`,
    );
  }

  private closeInitial(): void {
    const { zeroSeen } = this;
    const zeroMap = this.zeroMap!;
    for (let at = 0; at < zeroMap.length; at++) {
      const wrong =
        (zeroMap[at]! ^ zeroSeen[at]!) & (at < zeroMap.length - 1 ? 255 : lastBits(this.shape.pages));
      const pfn = at * 8 + 31 - Math.clz32(wrong & -wrong);
      expect(wrong === 0, `ZMAP and the initial PAGE chunks disagree about pfn ${pfn}`);
    }
    this.zeroSeen = new Uint8Array(0);
  }
}

/** Mask of the bits of a bitmap's last byte that stand for pages. */
function lastBits(pages: number): number {
  return pages % 8 === 0 ? 255 : (1 << (pages % 8)) - 1;
}

/** Rules of sampled traces and traces without contents: any order, structure checked. */
export class LooseGrammar implements Grammar {
  readonly counts = noCounts();
  private readonly shape: Shape;
  private readonly contents: Contents;
  private readonly annotations: Annotations;
  private hasBodies = false;

  constructor(shape: Shape, contents: Contents) {
    this.shape = shape;
    this.contents = contents;
    this.annotations = new Annotations(shape.pages, shape.pageBytes);
  }

  get annotated(): AnnotationCounts {
    return this.annotations.counts;
  }

  lastGoodEpoch(): number | undefined {
    return this.counts.epochs > 0 ? this.counts.epochs - 1 : undefined;
  }

  /** True once a PAGE chunk was seen. */
  sawBodies(): boolean {
    return this.hasBodies;
  }

  accept(chunk: Chunk, raw: Uint8Array): void {
    const { type, items } = chunk;
    const { pages } = this.shape;
    expect(type !== "DELT", "a DELT chunk; only complete traces may have them");
    if (type === "EPOC") this.acceptEpochs(chunk, raw);
    else if (type === "ZMAP" || type === "TMAP") checkBitmap(chunk, raw, pages);
    else if (type === "MARK") readCheckpoint(raw);
    else if (ANNOTATIONS.has(type)) this.annotations.accept(chunk, raw, null);
    else if (type === "FREE") this.counts.free += P.onlyPageList(raw, pages, items).length;
    if (type !== "SAME" && type !== "PAGE") return;
    expect(this.contents === "sampled", `a ${type} chunk in a trace that says it has no contents`);
    if (type === "SAME") this.counts.same += P.onlyPageList(raw, pages, items).length;
    else this.acceptBodies(raw, items);
  }

  private acceptBodies(raw: Uint8Array, count: number): void {
    const table = P.bodyTable(raw, count, this.shape.pages, null);
    P.checkPageBodies(table, this.shape.pageBytes, false);
    this.hasBodies = true;
    for (const length of table.length) {
      if (length === 0) this.counts.zeroBodies++;
      else this.counts.pageBodies++;
    }
  }

  finish(): void {}

  private acceptEpochs(chunk: Chunk, raw: Uint8Array): void {
    const cursor = new P.Cursor(raw);
    const { counts } = this;
    let endUs = chunk.timeUs;
    for (let k = 0; k < chunk.items; k++) {
      const dtUs = cursor.varint();
      expect(k > 0 || dtUs === 0, "the first dt_us of an EPOC chunk is not 0");
      endUs += dtUs;
      expect(Number.isSafeInteger(endUs), "an epoch ends beyond 2^53 us");
      const { length } = cursor.pageList(this.shape.pages);
      counts.epochs++;
      counts.events += length;
      if (length > counts.epochPagesMax) counts.epochPagesMax = length;
      if (endUs > counts.endTimeUs) counts.endTimeUs = endUs;
    }
    cursor.end();
  }
}
