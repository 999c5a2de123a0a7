// SPDX-License-Identifier: Apache-2.0
/**
 * Way of one page through two idle cards: the formulas of docs/model.md sections 2, 3 and 5 to 7, one after
 * the other. No data link layer, no SKPs, nothing else under way, and no gate that closes but the room in a
 * port.
 */
import * as abi from "../../../assembly/abi.ts";
import { completionPiece, tlpBytes } from "./packets.ts";
import type { Params } from "./params.ts";
import { frameBytes } from "./tcp.ts";

const PORT_ENTRIES = 8;
const RECORD_BYTES = 16;
const TAG_BYTES = 16;

/** What the encoder makes of the page. Without compression: 4096 bytes and 0 cycles. */
export interface PageContent {
  zero: boolean;
  /** 4096: stays raw. */
  codedBytes: number;
  cycles: number;
}

/** When each stage of the page begins (`At`) in ticks; null where it passes by. */
export interface PageTimes {
  descriptorsAt: number;
  zeroAt: number;
  compressAt: number | null;
  recordAt: number;
  sealAt: number | null;
  frameAt: number;
  appendedAt: number;
  arrivedAt: number;
  receiveAt: number;
  receivedRecordAt: number;
  openAt: number | null;
  decompressAt: number | null;
  /** The last write is in memory; null for a zero page, which fresh memory holds already. */
  landedAt: number | null;
}

/** Edge k of a clock is at ceil(k num / den). */
class Clock {
  readonly #num: bigint;
  readonly #den: bigint;

  constructor(num: number, den: number) {
    this.#num = BigInt(num);
    this.#den = BigInt(den);
  }

  /** The first edge at or after t, and n edges further. */
  edge(t: number, n = 0): number {
    const k = t === 0 ? 0n : (BigInt(t - 1) * this.#den) / this.#num + 1n;
    return Number(((k + BigInt(n)) * this.#num + this.#den - 1n) / this.#den);
  }

  /** The first edge after t: where another clock's result is seen. */
  after(t: number): number {
    return this.edge(t + 1);
  }
}

/** One side: its parameters and clocks. */
class Card {
  readonly p: readonly number[];
  readonly clock: Clock;
  readonly control: Clock;

  constructor(p: readonly number[]) {
    this.p = p;
    this.clock = new Clock(p[abi.S_CARD_NUM]!, p[abi.S_CARD_DEN]!);
    this.control = new Clock(p[abi.S_CTL_NUM]!, p[abi.S_CTL_DEN]!);
  }

  wire(bytes: number): number {
    return bytes * this.p[abi.S_PCIE_TICKS_PER_BYTE]!;
  }

  get flight(): number {
    return this.p[abi.S_PCIE_FLIGHT]!;
  }

  /** A handler of n cycles for what is there at t: its start, and the card's edge after its end. */
  handler(t: number, cycles: number): { startAt: number; seenAt: number; endAt: number } {
    const startAt = this.control.edge(t);
    const endAt = this.control.edge(startAt, cycles);
    return { startAt, endAt, seenAt: this.clock.after(endAt) };
  }

  /** Answer of the last of several reads, each [address, bytes], whose requests start at these times. */
  answered(reads: readonly [address: number, bytes: number][], startsAt: readonly number[]): number {
    let serverAt = 0;
    let downFreeAt = 0;
    reads.forEach(([address, bytes], i) => {
      const arrivedAt = startsAt[i]! + this.wire(tlpBytes(this.p, "read", 0)) + this.flight;
      const service = Math.ceil((bytes * this.p[abi.S_MEM_READ_NUM]!) / this.p[abi.S_MEM_READ_DEN]!);
      serverAt = Math.max(arrivedAt, serverAt) + service;
      downFreeAt = Math.max(downFreeAt, serverAt + this.p[abi.S_MEM_READ_LATENCY]!);
      for (let sent = 0; sent < bytes; ) {
        const piece = completionPiece(this.p, address, bytes, sent);
        downFreeAt += this.wire(tlpBytes(this.p, "completion", piece));
        sent += piece;
      }
    });
    return downFreeAt + this.flight;
  }

  /** Starts of `count` TLPs of n bytes: one put every `issue` clocks from t while the port has room. */
  issued(t: number, count: number, issue: number, bytes: number): number[] {
    const starts: number[] = [];
    let putAt = t;
    let freeAt = 0;
    for (let i = 0; i < count; i++) {
      if (i > 0) putAt = this.clock.edge(putAt, issue);
      if (i >= PORT_ENTRIES) putAt = Math.max(putAt, this.clock.edge(starts[i - PORT_ENTRIES]!));
      const startAt = Math.max(this.clock.edge(putAt, 1), freeAt);
      starts.push(startAt);
      freeAt = startAt + this.wire(bytes);
    }
    return starts;
  }

  /** Copy through the card's DRAM, in and out: at least one clock. */
  copied(t: number, bytes: number): number {
    const ticks = Math.ceil((2 * bytes * this.p[abi.S_DRAM_NUM]!) / this.p[abi.S_DRAM_DEN]!);
    return Math.max(this.clock.edge(t + ticks), this.clock.edge(t, 1));
  }

  /** End of AES-GCM of n bytes with a key that is in no slot, and of the pipeline behind it. */
  sealed(t: number, bytes: number): number {
    const bits = this.p[abi.S_GCM_BITS]!;
    const words = Math.ceil(128 / bits) + Math.ceil((8 * bytes) / bits) + 1;
    const taken = words * this.p[abi.S_GCM_WORD]! + this.p[abi.S_GCM_KEY_LOAD]! + this.p[abi.S_GCM_REST]!;
    return this.clock.edge(t, taken + Math.max(1, this.p[abi.S_GCM_LATENCY]!));
  }
}

/**
 * Times of the first page of a run whose address handler ended at `addressesAt`: it is page 0 of the batch,
 * the only one of its descriptor batch, and the first record under its key.
 */
export function pageTimes(params: Params, page: PageContent, addressesAt: number): PageTimes {
  const source = new Card(params.sides[0]);
  const { p, clock } = source;
  const g = params.global;
  const scannedAt = clock.after(addressesAt);
  const batch = source.handler(clock.edge(scannedAt, 1), p[abi.S_CTL_DESC]!);
  const zeroAt = pageRead(source, batch.seenAt);
  let codedAt = clock.edge(zeroAt, p[abi.S_ZERO_CYCLES]! + 1);
  let compressAt: number | null = null;
  if (g[abi.G_COMPRESS] === 1 && !page.zero) {
    compressAt = codedAt;
    codedAt = clock.edge(compressAt, p[abi.S_LZ_SETUP]! + page.cycles + Math.max(1, p[abi.S_LZ_FILL]!));
  }
  const record = source.handler(codedAt, p[abi.S_CTL_RECORD]!);
  const encrypted = g[abi.G_ENCRYPT_BITS]! > 0;
  const payload = page.zero ? 0 : page.codedBytes;
  const sealAt = encrypted ? record.seenAt : null;
  const frameAt = encrypted ? source.sealed(record.seenAt, payload) : record.seenAt;
  const bytes = RECORD_BYTES + payload + (encrypted ? TAG_BYTES : 0);
  const appendedAt = clock.edge(source.copied(frameAt, bytes), 1);
  const wireTicks = Math.floor((frameBytes(g, bytes) * g[abi.G_NET_TICKS_NUM]!) / g[abi.G_NET_TICKS_DEN]!);
  const arrivedAt = appendedAt + wireTicks + g[abi.G_NET_PROPAGATION]!;
  const received = receivedTimes(params, page, arrivedAt, bytes);
  return {
    descriptorsAt: batch.startAt,
    zeroAt,
    compressAt,
    recordAt: record.startAt,
    sealAt,
    frameAt,
    appendedAt,
    arrivedAt,
    ...received,
  };
}

/** From the descriptor handler's result to the zero filter: one clock after the last answer is taken. */
function pageRead(card: Card, descriptorsAt: number): number {
  const { p, clock } = card;
  // on the card the handler leaves the descriptors where the engine reads them
  let pageAt = descriptorsAt;
  if (p[abi.S_DESC_RING_ON_HOST] === 1) {
    const bytes = p[abi.S_DESC_BYTES]!;
    const readAt = descriptorsAt + card.wire(tlpBytes(p, "write", bytes));
    pageAt = clock.edge(clock.edge(card.answered([[0, bytes]], [readAt])), 1);
  }
  const mrrs = p[abi.S_PCIE_MRRS]!;
  const count = abi.PAGE_BYTES / mrrs;
  const starts = card.issued(pageAt, count, p[abi.S_READ_ISSUE]!, tlpBytes(p, "read", 0));
  const reads = starts.map((_, i): [number, number] => [i * mrrs, mrrs]);
  return clock.edge(clock.edge(card.answered(reads, starts)), 1);
}

type Received = Pick<PageTimes, "receiveAt" | "receivedRecordAt" | "openAt" | "decompressAt" | "landedAt">;

function receivedTimes(params: Params, page: PageContent, arrivedAt: number, recordBytes: number): Received {
  const card = new Card(params.sides[1]);
  const { p, clock } = card;
  const receiveAt = clock.edge(arrivedAt);
  const record = card.handler(clock.edge(card.copied(receiveAt, recordBytes), 1), p[abi.S_CTL_RECORD]!);
  const encrypted = params.global[abi.G_ENCRYPT_BITS]! > 0;
  const payload = page.zero ? 0 : page.codedBytes;
  const openAt = encrypted ? record.seenAt : null;
  let placeAt = encrypted ? card.sealed(record.seenAt, payload) : record.seenAt;
  let decompressAt: number | null = null;
  if (payload > 0 && payload < abi.PAGE_BYTES) {
    decompressAt = placeAt;
    const cycles = p[abi.S_UNLZ_SETUP]! + Math.ceil(abi.PAGE_BYTES / p[abi.S_UNLZ_BYTES]!);
    placeAt = clock.edge(placeAt, cycles + 1);
  }
  const times = { receiveAt, receivedRecordAt: record.startAt, openAt, decompressAt };
  return { ...times, landedAt: page.zero ? null : landed(card, placeAt) };
}

/** Writes of MPS, served one after the other by memory: when the last is in. */
function landed(card: Card, placeAt: number): number {
  const { p } = card;
  const mps = p[abi.S_PCIE_MPS]!;
  const bytes = tlpBytes(p, "write", mps);
  const service = Math.ceil((mps * p[abi.S_MEM_WRITE_NUM]!) / p[abi.S_MEM_WRITE_DEN]!);
  let serverAt = 0;
  for (const startAt of card.issued(placeAt, abi.PAGE_BYTES / mps, p[abi.S_WRITE_ISSUE]!, bytes)) {
    serverAt = Math.max(serverAt, startAt + card.wire(bytes) + card.flight) + service;
  }
  return serverAt;
}
