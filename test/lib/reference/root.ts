// SPDX-License-Identifier: Apache-2.0
/**
 * Root complex and host memory of one card, slowly: docs/model.md section 3, and nothing else. Requests are
 * told in the order in which they arrive.
 */
import * as abi from "../../../assembly/abi.ts";
import { completionPiece } from "./packets.ts";

const WORD = 2 ** 32;
const LINE_BYTES = 64;
const LOAD_PARTS = 2 ** 16;
/** A page table is a page of 512 entries; tables are told apart by 12 bits of their number. */
const PAGES_OF_A_TABLE = 512;
const TABLES = 2 ** 12;

/** The finaliser of MurmurHash3 over two words: 32 bits. */
export function mixed(a: number, b: number): number {
  let h = a ^ Math.imul(b, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Ticks of n bytes at num / den ticks a byte, a part of a tick counting whole. */
export function ticksOf(bytes: number, num: number, den: number): number {
  return Math.ceil((bytes * num) / den);
}

/** Translates the addresses of requests: a cache of pages, and walkers for what is not in it. */
class Iommu {
  readonly #p: readonly number[];
  /** Of each set the pages it holds with when they are translated; the one used longest ago is first. */
  readonly #sets: Map<number, number>[];
  readonly #walkerFreeAt: number[];
  readonly #tableFreeAt = new Map<number, number>();
  hits = 0;
  misses = 0;

  constructor(p: readonly number[]) {
    this.#p = p;
    this.#sets = Array.from({ length: p[abi.S_IOMMU_SETS]! }, () => new Map());
    this.#walkerFreeAt = new Array(p[abi.S_IOMMU_WALKERS]!).fill(0);
  }

  /** Ticks that a request waits for its translation; a write has no completions. */
  wait(address: number, arriveAt: number, completions: number): number {
    if (this.#sets.length === 0) return 0;
    const page = Math.floor(address / 2 ** this.#p[abi.S_IOMMU_PAGE_LOG]!);
    const set = this.#sets[page % this.#sets.length]!;
    let thereAt = set.get(page);
    if (thereAt === undefined) {
      this.misses++;
      if (set.size === this.#p[abi.S_IOMMU_WAYS]) set.delete([...set.keys()][0]!);
      thereAt = this.#walk(page, arriveAt, completions);
    } else {
      this.hits++;
      set.delete(page);
    }
    set.set(page, thereAt);
    return Math.max(0, thereAt - arriveAt);
  }

  /** When the walk of a page is over that is asked for at `askedAt`. */
  #walk(page: number, askedAt: number, completions: number): number {
    const p = this.#p;
    const walker = this.#walkerFreeAt.indexOf(Math.min(...this.#walkerFreeAt));
    const table = Math.floor(page / PAGES_OF_A_TABLE) % TABLES;
    const serial = p[abi.S_IOMMU_SERIAL] === 1;
    const tableFreeAt = serial ? (this.#tableFreeAt.get(table) ?? 0) : 0;
    const startAt = Math.max(askedAt, this.#walkerFreeAt[walker]!, tableFreeAt);
    const overAt = startAt + p[abi.S_IOMMU_WALK]!;
    const freeAt = overAt + p[abi.S_IOMMU_RECOVERY]!;
    this.#tableFreeAt.set(table, freeAt);
    this.#walkerFreeAt[walker] = freeAt + completions * p[abi.S_IOMMU_READ]!;
    return overAt;
  }
}

/** When a read's header credit is free, and when its data is there. */
export interface ReadTimes {
  readonly startAt: number;
  readonly readyAt: number;
}

export class RootComplex {
  readonly #p: readonly number[];
  /** A quantile of the jitter each, ticks. */
  readonly #jitter: readonly number[];
  readonly #iommu: Iommu;
  #readServerAt = 0;
  #writeServerAt = 0;
  #headersFreeAt = 0;
  #allLandedAt = 0;
  /** Bytes for memory by the number of the window of time in which they arrived. */
  readonly #moved = new Map<number, number>();
  #drawn = 0;

  constructor(p: readonly number[], jitter: readonly number[]) {
    this.#p = p;
    this.#jitter = jitter;
    this.#iommu = new Iommu(p);
  }

  get lookups(): { hits: number; misses: number } {
    return { hits: this.#iommu.hits, misses: this.#iommu.misses };
  }

  /** With ATS a request's address is translated already. */
  #wait(address: number, arriveAt: number, completions: number): number {
    return this.#p[abi.S_ATS_ENTRIES] === 0 ? this.#iommu.wait(address, arriveAt, completions) : 0;
  }

  /** In how many packets a read is answered. */
  #completions(address: number, bytes: number): number {
    let packets = 0;
    for (let sent = 0; sent < bytes; packets++) sent += completionPiece(this.#p, address, bytes, sent);
    return packets;
  }

  /** The read server works in order of arrival; what comes on top is each request's own. */
  read(address: number, bytes: number, arriveAt: number): ReadTimes {
    const p = this.#p;
    const startAt = Math.max(arriveAt, this.#readServerAt);
    this.#readServerAt = startAt + ticksOf(bytes, p[abi.S_MEM_READ_NUM]!, p[abi.S_MEM_READ_DEN]!);
    const wait = this.#wait(address, arriveAt, this.#completions(address, bytes));
    const readyAt =
      this.#readServerAt +
      p[abi.S_MEM_READ_LATENCY]! +
      wait +
      this.#missTicks(address, bytes, arriveAt) +
      p[abi.S_MEM_REMOTE_ADDER]! +
      this.#jitterTicks();
    // header credits come back in the order in which requests arrived
    this.#headersFreeAt = Math.max(this.#headersFreeAt, startAt + wait);
    return { startAt: this.#headersFreeAt, readyAt };
  }

  /** A translation request: answered a read's latency after it is translated. */
  translation(address: number, arriveAt: number): ReadTimes {
    const walkedAt = arriveAt + this.#iommu.wait(address, arriveAt, 0);
    this.#headersFreeAt = Math.max(this.#headersFreeAt, walkedAt);
    return { startAt: this.#headersFreeAt, readyAt: walkedAt + this.#p[abi.S_MEM_READ_LATENCY]! };
  }

  #missTicks(address: number, bytes: number, arriveAt: number): number {
    const line = Math.floor(address / LINE_BYTES);
    const low = ((line % WORD) ^ this.#p[abi.S_MEM_SEED]!) >>> 0;
    const share = this.#p[abi.S_MEM_MISS_SHARE]!;
    if (mixed(low, Math.floor(line / WORD)) >= share) return 0;
    this.#moves(bytes, arriveAt);
    const loadTicks = this.#p[abi.S_MEM_CONTENTION] === 0 ? 0 : this.#loadTicks(arriveAt);
    return this.#p[abi.S_MEM_MISS_ADDER]! + loadTicks;
  }

  #moves(bytes: number, arriveAt: number): void {
    const window = Math.floor(arriveAt / this.#p[abi.S_MEM_WINDOW]!);
    this.#moved.set(window, (this.#moved.get(window) ?? 0) + bytes);
  }

  /** t0 a rho / (1 - rho): rho of others, and of the card in the window before, in parts of 2^16. */
  #loadTicks(arriveAt: number): number {
    const p = this.#p;
    const before = this.#moved.get(Math.floor(arriveAt / p[abi.S_MEM_WINDOW]!) - 1) ?? 0;
    const own = Math.floor((before * LOAD_PARTS) / p[abi.S_MEM_WINDOW_BYTES]!);
    const rho = Math.min(Math.floor(0.95 * LOAD_PARTS), p[abi.S_MEM_LOAD]! + own);
    const ticks = BigInt(p[abi.S_MEM_CONTENTION]!) * BigInt(rho);
    return Number(ticks / BigInt(LOAD_PARTS - rho));
  }

  #jitterTicks(): number {
    if (this.#p[abi.S_MEM_JITTER] !== 1) return 0;
    const drawn = mixed(this.#p[abi.S_MEM_SEED]!, this.#drawn++);
    return this.#jitter[Math.floor(drawn / (WORD / abi.JITTER_STEPS))]!;
  }

  /** When a write has landed: it is served when it is translated, but no write overtakes another in order. */
  write(address: number, bytes: number, arriveAt: number, data: boolean): number {
    const p = this.#p;
    this.#moves(bytes, arriveAt);
    const translatedAt = arriveAt + this.#wait(address, arriveAt, 0);
    const service = ticksOf(bytes, p[abi.S_MEM_WRITE_NUM]!, p[abi.S_MEM_WRITE_DEN]!);
    const relaxed = p[abi.S_PCIE_RELAXED] === 1;
    const startAt = Math.max(relaxed ? arriveAt : translatedAt, this.#writeServerAt);
    this.#writeServerAt = startAt + service;
    // data is there with its translation; a control write is behind all that came before
    const behindAt = relaxed && !data ? this.#allLandedAt + service : 0;
    const landedAt = Math.max(this.#writeServerAt, translatedAt + service, behindAt);
    this.#allLandedAt = Math.max(this.#allLandedAt, landedAt);
    return landedAt;
  }
}
