// SPDX-License-Identifier: Apache-2.0
/**
 * Cores of the destination's host that open, decode and place pages, with engines beside its CPU, by
 * docs/model.md section 18: from when each record landed in a buffer, what every worker and engine does, and
 * when each page is placed. All at one time: ends of workers, of engines, landings, beginnings.
 */
import * as abi from "../../../assembly/abi.ts";
import type { Params } from "./params.ts";

/** A record that has landed in a buffer of the host. */
export interface Landed {
  t: number;
  pfn: number;
  zero: boolean;
  coded: boolean;
  bytes: number;
  spoilt: boolean;
}

/** Work of a worker, or of an engine (whose number is not told). */
export interface Piece {
  who: string;
  pfn: number;
  from: number;
  to: number;
}

/** What becomes of the records. */
export interface Placing {
  pieces: Piece[];
  placed: { pfn: number; t: number }[];
  refused: number;
  /** Ticks of workers by stage, and of engines. */
  crypt: number;
  decompress: number;
  beside: number;
}

interface Record extends Landed {
  opened: boolean;
  decoded: boolean;
}

/** Costs of the destination's host. */
function costsOf({ global, sides }: Params) {
  const host = sides[1];
  const at = (key: number): number => host[key]!;
  const ticks = (cycles: number): number =>
    Math.ceil((cycles * at(abi.S_HOST_CPU_NUM)) / at(abi.S_HOST_CPU_DEN));
  const clocks = (n: number): number =>
    Math.ceil((n * at(abi.S_HOST_CIPHER_NUM)) / at(abi.S_HOST_CIPHER_DEN));
  const job = (bytes: number, key: number): number =>
    ticks(at(abi.S_HOST_JOB) + Math.ceil((bytes * at(key)) / 1024));
  const words = (bytes: number): number => Math.ceil((8 * bytes) / at(abi.S_HOST_CIPHER_BITS));
  return {
    submit: ticks(at(abi.S_HOST_JOB)),
    open: (bytes: number): number => job(16 + bytes, abi.S_HOST_GCM),
    decode: job(4096, abi.S_HOST_UNLZ),
    clear: Math.ceil((4096 * at(abi.S_HOST_COPY_NUM)) / at(abi.S_HOST_COPY_DEN)),
    cipher: (bytes: number): number =>
      clocks((words(16) + words(bytes) + 1) * at(abi.S_HOST_CIPHER_WORD) + at(abi.S_HOST_CIPHER_REST)),
    tag: (): number => clocks(global[abi.G_CIPHER_LATENCY + 1]!),
    decoder: (): number => Math.ceil((4096 * global[abi.G_UNLZ_NUM]!) / global[abi.G_UNLZ_DEN]!),
  };
}

/** What workers and engines do, one time after another. */
class Hosts {
  readonly found: Placing = { pieces: [], placed: [], refused: 0, crypt: 0, decompress: 0, beside: 0 };
  readonly #costs: ReturnType<typeof costsOf>;
  readonly #workers: ({ record: Record; to: number } | null)[];
  readonly #ciphers: number[];
  readonly #decoders: number[];
  readonly #coming: Record[];
  readonly #waiting: Record[] = [];
  readonly #again: Record[] = [];
  #beside: { record: Record; to: number }[] = [];
  readonly #there = new Set<number>();

  constructor(params: Params, landed: readonly Landed[]) {
    const host = params.sides[1];
    const opens = (host[abi.S_HOST_STAGES]! & 4) !== 0;
    this.#costs = costsOf(params);
    this.#workers = new Array(host[abi.S_HOST_WORKERS]!).fill(null);
    this.#ciphers = new Array(host[abi.S_HOST_CIPHERS]!).fill(0);
    this.#decoders = new Array(host[abi.S_HOST_ENGINES]!).fill(0);
    this.#coming = landed.map((one) => ({ ...one, opened: !opens, decoded: false }));
  }

  /** The time at which something ends or lands next. */
  next(): number {
    const ends = this.#workers.flatMap((one) => (one === null ? [] : [one.to]));
    const landing = this.#coming.slice(0, 1).map(({ t }) => t);
    return Math.min(...ends, ...this.#beside.map(({ to }) => to), ...landing);
  }

  /** All that happens at t. */
  step(t: number): void {
    for (const [i, one] of this.#workers.entries()) {
      if (one === null || one.to > t) continue;
      this.#workers[i] = null;
      if (one.record.opened && one.record.decoded) this.#place(one.record, t);
      else this.#submit(one.record, t);
    }
    const over = this.#beside.filter(({ to }) => to <= t);
    this.#beside = this.#beside.filter(({ to }) => to > t);
    for (const { record } of over) {
      if (record.opened) record.decoded = true;
      record.opened = true;
      if (record.decoded || record.spoilt || !this.#needsWork(record)) this.#place(record, t);
      else this.#again.push(record);
    }
    while (this.#coming.length > 0 && this.#coming[0]!.t <= t) this.#waiting.push(this.#coming.shift()!);
    for (const [i, one] of this.#workers.entries()) {
      const record = one === null ? (this.#again.shift() ?? this.#waiting.shift()) : undefined;
      if (record !== undefined) this.#begin(i, record, t);
    }
  }

  #needsWork({ zero, pfn, coded }: Record): boolean {
    return zero ? this.#there.has(pfn) : coded;
  }

  #place({ spoilt, pfn }: Record, t: number): void {
    if (spoilt) {
      this.found.refused++;
      return;
    }
    this.#there.add(pfn);
    this.found.placed.push({ pfn, t });
  }

  #submit(record: Record, t: number): void {
    const engines = record.opened ? this.#decoders : this.#ciphers;
    const ticks = record.opened ? this.#costs.decoder() : this.#costs.cipher(record.bytes);
    const engine = engines.indexOf(Math.min(...engines));
    engines[engine] = Math.max(engines[engine]!, t) + ticks;
    this.found.beside += ticks;
    const to = engines[engine]! + (record.opened ? 0 : this.#costs.tag());
    this.found.pieces.push({ who: record.opened ? "decoder" : "cipher", pfn: record.pfn, from: t, to });
    this.#beside.push({ record, to });
  }

  #begin(worker: number, record: Record, t: number): void {
    const costs = this.#costs;
    let ticks = 0;
    if (!record.opened) {
      const engine = this.#ciphers.length > 0;
      ticks = engine ? costs.submit : costs.open(record.bytes);
      this.found.crypt += ticks;
      record.opened = !engine;
      record.decoded = record.opened && record.spoilt;
    }
    if (record.opened && !record.decoded) {
      const engine = record.coded && this.#decoders.length > 0;
      const own = record.coded ? costs.decode : this.#needsWork(record) ? costs.clear : 0;
      this.found.decompress += engine ? costs.submit : own;
      ticks += engine ? costs.submit : own;
      record.decoded = !engine;
    }
    const to = t + Math.max(1, ticks);
    this.#workers[worker] = { record, to };
    this.found.pieces.push({ who: `worker ${worker}`, pfn: record.pfn, from: t, to });
  }
}

/** Everything that happens to records that land at these times. */
export function placingOf(params: Params, landed: readonly Landed[]): Placing {
  const hosts = new Hosts(params, landed);
  for (let t = hosts.next(); t !== Number.POSITIVE_INFINITY; t = hosts.next()) hosts.step(t);
  return hosts.found;
}
