// SPDX-License-Identifier: Apache-2.0
/**
 * Other I/O of a card, slowly: workers with an operation each, and a DMA engine that cuts operations into
 * requests. Written from docs/model.md section 14.
 */
import * as abi from "../../../assembly/abi.ts";
import type { Put } from "./packets.ts";
import type { Link } from "./pcie.ts";
import { mixed, ticksOf } from "./root.ts";

const PAGE_BYTES = 4096;
const PORT_DEPTH = 8;
const WRITE_PORT = abi.R_TENANT;
const READ_PORT = 4 + abi.R_TENANT;
/** Where the window of a probe begins. */
const WINDOW_AT = 0x4001_0000_0000;

type Kind = "read" | "write";

/** An operation that has ended; `seenAt` is when its last packet was there. */
export interface Ended {
  readonly kind: Kind;
  readonly seenAt: number;
  readonly endAt: number;
  readonly latencyTicks: number;
}

interface Operation {
  readonly kind: Kind;
  readonly givenAt: number;
  readonly address: number;
  requestedBytes: number;
  /** Reads of it that are not answered. */
  openReads: number;
}

/** The engine of a kind: it takes operations one after another. */
interface Channel {
  readonly waiting: number[];
  operation: Operation | null;
  taken: number;
  nextOperationAt: number;
  nextRequestAt: number;
  burstBytes: number;
  burstWireBytes: number;
}

interface Read {
  readonly operation: Operation;
  readonly tag: number;
  readonly bytes: number;
  readonly headers: number;
  readonly completions: number;
}

const channel = (): Channel => ({
  waiting: [],
  operation: null,
  taken: 0,
  nextOperationAt: 0,
  nextRequestAt: 0,
  burstBytes: 0,
  burstWireBytes: 0,
});

/** The DMA engine with its workers. */
export class Engine {
  /** What it has put into ports. */
  readonly puts: Put[] = [];
  readonly #p: readonly number[];
  readonly #link: Link;
  readonly #until: number;
  readonly #channels: Record<Kind, Channel> = { read: channel(), write: channel() };
  /** Reads and last writes of operations by their place among all that were put into ports. */
  readonly #reads = new Map<number, Read>();
  readonly #lastWrites = new Map<number, Operation>();
  readonly #openWrites = new Set<number>();
  readonly #events: { at: number; order: number }[] = [];
  readonly ended: Ended[] = [];
  /** Tags that are out; rings of tags that are taken in turn, the ring that is asked first at the front. */
  readonly #tagsOut = new Set<number>();
  #rings: number[][];
  #completionsLeft: number;
  #bufferBytes: number;
  #bufferHeaders: number;
  #anyOperationAt = 0;
  #taken = 0;
  #allLandedAt = 0;

  /**
   * An engine on a link.
   * @param eighths whole eighths of the completion buffer that are its own
   * @param until when it takes its last operations
   */
  constructor(p: readonly number[], link: Link, eighths: number, until = Infinity) {
    this.#p = p;
    this.#link = link;
    this.#until = until;
    this.#bufferBytes = eighths * Math.floor(p[abi.S_PCIE_CPL_BYTES]! / 8);
    this.#bufferHeaders = eighths * Math.floor(p[abi.S_PCIE_CPL_HEADERS]! / 8);
    this.#completionsLeft = p[abi.S_TEN_COMPLETIONS] === 0 ? Infinity : p[abi.S_TEN_COMPLETIONS]!;
    // ring i begins at tag floor(i T / R)
    const tags = [...Array(p[abi.S_TEN_TAGS]!).keys()];
    const rings = Math.min(p[abi.S_TEN_TAG_RINGS]!, tags.length);
    const firsts = Array.from({ length: rings + 1 }, (_, i) => Math.floor((i * tags.length) / rings));
    this.#rings = firsts.slice(0, rings).map((first, i) => tags.slice(first, firsts[i + 1]));
    for (let worker = 0; worker < p[abi.S_TEN_DEPTH]!; worker++) {
      const writes = p[abi.S_TEN_KIND] === abi.TENANT_BOTH ? worker % 2 === 1 : !this.#only("read");
      this.#channels[writes ? "write" : "read"].waiting.push(0);
    }
  }

  #only(kind: Kind): boolean {
    return this.#p[abi.S_TEN_KIND] === (kind === "read" ? abi.TENANT_READ : abi.TENANT_WRITE);
  }

  /** A write lands, if it is of an operation: it has ended when all of them have. */
  lands(order: number, at: number): void {
    if (!this.#openWrites.delete(order)) return;
    this.#allLandedAt = Math.max(this.#allLandedAt, at);
    if (!this.#lastWrites.has(order)) return;
    this.happens(order, this.#allLandedAt);
    this.#allLandedAt = 0;
  }

  /** The answer of a read arrives, or a write lands, at a time that may lie ahead. */
  happens(order: number, at: number): void {
    if (!this.#reads.has(order) && !this.#lastWrites.has(order)) return;
    this.#events.push({ at, order });
    this.#events.sort((a, b) => a.at - b.at);
  }

  step(t: number): void {
    const due = this.#events.filter(({ at }) => at <= t);
    this.#events.splice(0, due.length);
    // answers before writes
    for (const { at, order } of due) if (this.#reads.has(order)) this.#answered(order, at);
    for (const { at, order } of due) this.#landed(order, at);
    let moved = true;
    while (moved) {
      moved = false;
      for (const kind of ["read", "write"] as const) while (this.#goesOn(kind, t)) moved = true;
    }
  }

  nextTime(t: number): number {
    const p = this.#p;
    const times = [this.#events[0]?.at ?? Infinity, this.#anyOperationAt];
    for (const c of Object.values(this.#channels)) {
      times.push(c.nextOperationAt, c.nextRequestAt);
      if (c.waiting.length > 0) times.push(c.waiting[0]! + p[abi.S_TEN_START]!);
    }
    return Math.min(...times.filter((at) => at > t), Infinity);
  }

  #answered(order: number, at: number): void {
    const { operation, tag, bytes, headers, completions } = this.#reads.get(order)!;
    this.#reads.delete(order);
    this.#tagsOut.delete(tag);
    this.#bufferBytes += bytes;
    this.#bufferHeaders += headers;
    this.#completionsLeft += completions;
    operation.openReads--;
    if (operation.openReads > 0 || operation.requestedBytes < this.#p[abi.S_TEN_BYTES]!) return;
    const [num, den] = [this.#p[abi.S_TEN_COPY_NUM]!, this.#p[abi.S_TEN_COPY_DEN]!];
    this.#end(operation, at, at + ticksOf(this.#p[abi.S_TEN_BYTES]!, num, den));
  }

  #landed(order: number, at: number): void {
    const operation = this.#lastWrites.get(order);
    if (operation !== undefined) this.#end(operation, at, at);
    this.#lastWrites.delete(order);
  }

  /** The worker has its next operation when this one has ended. */
  #end({ kind, givenAt }: Operation, seenAt: number, endAt: number): void {
    this.ended.push({ kind, seenAt, endAt, latencyTicks: endAt - givenAt });
    this.#channels[kind].waiting.push(endAt);
  }

  /** Takes an operation or makes a request; false when neither is possible at t. */
  #goesOn(kind: Kind, t: number): boolean {
    const c = this.#channels[kind];
    if (c.operation === null) return this.#takes(kind, c, t);
    if (t < c.nextRequestAt) return false;
    const address = c.operation.address + c.operation.requestedBytes;
    const most = kind === "read" ? this.#p[abi.S_PCIE_MRRS]! : this.#toBoundary(address, abi.S_PCIE_MPS);
    const left = this.#p[abi.S_TEN_BYTES]! - c.operation.requestedBytes;
    const bytes = Math.min(left, most, PAGE_BYTES - (address % PAGE_BYTES));
    const made =
      kind === "read"
        ? this.#requests(c.operation, address, bytes, t)
        : this.#writes(c, address, bytes, bytes === left, t);
    if (!made) return false;
    c.operation.requestedBytes += bytes;
    if (bytes === left) c.operation = null;
    return true;
  }

  #toBoundary(address: number, key: number): number {
    return this.#p[key]! - (address % this.#p[key]!);
  }

  #takes(kind: Kind, c: Channel, t: number): boolean {
    const p = this.#p;
    const other = this.#channels[kind === "read" ? "write" : "read"];
    if (c.waiting.length === 0 || t > this.#until) return false;
    // of mixed operations neither kind is ahead of the other by two
    if (p[abi.S_TEN_KIND] === abi.TENANT_BOTH && c.taken > other.taken) return false;
    const givenAt = c.waiting[0]!;
    if (Math.max(givenAt + p[abi.S_TEN_START]!, this.#anyOperationAt, c.nextOperationAt) > t) return false;
    c.waiting.shift();
    const address = WINDOW_AT + this.#place() * p[abi.S_TEN_STRIDE]!;
    c.operation = { kind, givenAt, address, requestedBytes: 0, openReads: 0 };
    c.taken++;
    this.#taken++;
    this.#anyOperationAt = t + p[abi.S_TEN_GAP]!;
    if (kind === "write") c.nextOperationAt = t + p[abi.S_TEN_FLOOR]!;
    return true;
  }

  /** Places in turn, or a seeded one of all: the n-th of 2^32 even parts. */
  #place(): number {
    const places = this.#p[abi.S_TEN_PLACES]!;
    if (this.#p[abi.S_TEN_RANDOM] === 0) return this.#taken % places;
    return Math.floor((mixed(this.#p[abi.S_MEM_SEED]!, this.#taken) * places) / 2 ** 32);
  }

  #requests(operation: Operation, address: number, bytes: number, t: number): boolean {
    const p = this.#p;
    const rcb = p[abi.S_PCIE_RCB]!;
    const headers = Math.ceil(((address % rcb) + bytes) / rcb);
    const tag = this.#freeTag();
    // the root complex cuts long reads at MPS, others at RCB
    const cut = p[bytes > p[abi.S_PCIE_COMBINE_ABOVE]! ? abi.S_PCIE_MPS : abi.S_PCIE_RCB]!;
    const completions = Math.ceil(((address % cut) + bytes) / cut);
    if (this.#completionsLeft < completions) return false;
    if (tag === undefined || this.#bufferBytes < bytes || this.#bufferHeaders < headers) return false;
    if (this.#link.waiting(READ_PORT) === PORT_DEPTH) return false;
    this.#tagsOut.add(tag);
    this.#turn(tag);
    this.#completionsLeft -= completions;
    this.#bufferBytes -= bytes;
    this.#bufferHeaders -= headers;
    operation.openReads++;
    const readyAt = t + p[abi.S_TEN_TAG]! + p[abi.S_PCIE_TICKS_PER_BYTE]!;
    const operands = p[abi.S_TEN_ATOMIC]!;
    const atomic = operands === 0 ? {} : { operandBytes: operands * bytes };
    const order = this.#put({ port: READ_PORT, bytes, address, readyAt, ...atomic });
    this.#reads.set(order, { operation, tag, bytes, headers, completions });
    this.#channels.read.nextRequestAt = t + p[abi.S_TEN_ISSUE]!;
    // the next burst of writes waits for this request too
    this.#channels.write.burstWireBytes += p[abi.S_PCIE_REQUEST_BYTES]!;
    return true;
  }

  /** The tag of the next read, if it may have one: of a ring its first, and none else. */
  #freeTag(): number | undefined {
    const tags = [...Array(this.#p[abi.S_TEN_TAGS]!).keys()];
    const candidates = this.#rings.length > 0 ? this.#rings.map((ring) => ring[0]!) : tags;
    return candidates.find((one) => !this.#tagsOut.has(one));
  }

  /** A ring that has given a tag puts it last, and the rings after it are asked first. */
  #turn(tag: number): void {
    const at = this.#rings.findIndex((ring) => ring[0] === tag);
    if (at < 0) return;
    this.#rings[at]!.push(this.#rings[at]!.shift()!);
    this.#rings = [...this.#rings.slice(at + 1), ...this.#rings.slice(0, at + 1)];
  }

  #writes(c: Channel, address: number, bytes: number, last: boolean, t: number): boolean {
    const p = this.#p;
    if (this.#link.waiting(WRITE_PORT) === PORT_DEPTH) return false;
    const perByte = p[abi.S_PCIE_TICKS_PER_BYTE]!;
    const order = this.#put({ port: WRITE_PORT, bytes, address, readyAt: t + perByte });
    this.#openWrites.add(order);
    if (last) this.#lastWrites.set(order, c.operation!);
    c.nextRequestAt = t + p[abi.S_TEN_ISSUE]!;
    c.burstBytes += bytes;
    c.burstWireBytes += p[abi.S_PCIE_REQUEST_BYTES]! + 4 * Math.ceil(bytes / 4);
    if (p[abi.S_TEN_BURST_GAP] !== 0 && (last || c.burstBytes >= p[abi.S_TEN_BURST]!)) {
      const onWire = t + c.burstWireBytes * perByte + p[abi.S_TEN_BURST_GAP]!;
      c.nextRequestAt = Math.max(c.nextRequestAt, onWire);
      c.burstBytes = 0;
      c.burstWireBytes = 0;
    }
    return true;
  }

  #put(put: Put): number {
    this.puts.push(put);
    return this.#link.put(put);
  }
}
