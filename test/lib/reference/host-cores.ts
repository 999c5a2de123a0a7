// SPDX-License-Identifier: Apache-2.0
/**
 * What vCPUs lose where they share cores with the front-end, by docs/model.md sections 8, 9 and 18: of a
 * silent guest with a dirty bitmap, whose migration is one round; its works are known one by one.
 */
import * as abi from "../../../assembly/abi.ts";
import type { Params } from "./params.ts";

/** Ticks that vCPUs lose, summed over vCPUs. */
export function lostTicks({ global, sides }: Params, pages: number): number {
  const host = sides[0];
  const vcpus = global[abi.G_VCPUS]!;
  const cores = host[abi.S_HOST_CORES]!;
  const message = host[abi.S_HOST_MESSAGE]!;
  const interrupt = host[abi.S_HOST_INTERRUPT]!;
  // the number of the batch and a bit a page of 2048
  const address = 8 + 2048 / 8;
  const copied = Math.ceil((address * host[abi.S_HOST_COPY_NUM]!) / host[abi.S_HOST_COPY_DEN]!);
  const works = [
    message, // START
    interrupt, // READY
    pages * host[abi.S_HOST_PROTECT_PAGE]! + host[abi.S_HOST_TLB_FLUSH]!, // the tracker is started
    (2048 / 64) * host[abi.S_HOST_WORD]! + message + copied, // the batch, every page of it
    message, // the end of the round
    interrupt, // it has been placed
    host[abi.S_HOST_SUSPEND]!,
  ];
  // one core more is busy than with the guest alone: a loss unless it is a spare one
  const taken = cores > vcpus ? 0 : 1;
  const had = Math.min(cores, vcpus);
  return works.reduce((sum, ticks) => sum + vcpus * Math.floor((ticks * taken) / had), 0);
}

/** What workers and engines beside the CPU make of the pages of one message. */
export interface HandedPages {
  /** Ticks that each worker works, and until the last page is done. */
  busy: number[];
  asleep: number;
  zero: number;
  compress: number;
  crypt: number;
  /** Ticks of engines that encrypt. */
  beside: number;
}

/**
 * The pages of a message, each of `sizes` bytes when it is handed over (0: zero, 4096: raw), in order
 * to the worker that is free first, and on to the engine that is free first, and the cipher, whose tag comes
 * `latency` clocks after it.
 */
export function handedPages(host: readonly number[], sizes: readonly number[], latency = 0): HandedPages {
  const ticks = (cycles: number): number =>
    Math.ceil((cycles * host[abi.S_HOST_CPU_NUM]!) / host[abi.S_HOST_CPU_DEN]!);
  const job = (bytes: number, key: number): number =>
    ticks(host[abi.S_HOST_JOB]! + Math.ceil((bytes * host[key]!) / 1024));
  const busy: number[] = new Array(host[abi.S_HOST_WORKERS]!).fill(0);
  const engines: number[] = new Array(host[abi.S_HOST_ENGINES]!).fill(0);
  const ciphers: number[] = new Array(host[abi.S_HOST_CIPHERS]!).fill(0);
  const stages = host[abi.S_HOST_STAGES]!;
  const found: HandedPages = { busy, asleep: 0, zero: 0, compress: 0, crypt: 0, beside: 0 };
  const ends = [0];
  const free = (of: number[]): number => of.indexOf(Math.min(...of));
  for (const size of sizes) {
    const worker = free(busy);
    const zero = (stages & 1) === 0 ? 0 : job(size === 0 ? 4096 : 64, abi.S_HOST_ZERO);
    found.zero += zero;
    busy[worker]! += zero;
    const codes = size !== 0 && (stages & 2) !== 0;
    if (codes) {
      const raw = size === 4096 ? abi.S_HOST_LZ_RAW : abi.S_HOST_LZ;
      const coding = engines.length > 0 ? ticks(host[abi.S_HOST_JOB]!) : job(4096, raw);
      found.compress += coding;
      busy[worker]! += coding;
    }
    if ((stages & 4) !== 0) {
      const sealing = ciphers.length > 0 ? ticks(host[abi.S_HOST_JOB]!) : job(16 + size, abi.S_HOST_GCM);
      found.crypt += sealing;
      busy[worker]! += sealing;
    }
    let end = busy[worker]!;
    if (codes && engines.length > 0) {
      const engine = free(engines);
      const span = Math.ceil((4096 * host[abi.S_LZ_SPAN_NUM]!) / host[abi.S_LZ_SPAN_DEN]!);
      end = Math.max(engines[engine]!, end) + span;
      engines[engine] = end;
    }
    if (ciphers.length > 0) {
      const words = (bytes: number): number => Math.ceil((8 * bytes) / host[abi.S_HOST_CIPHER_BITS]!);
      const clocks = (words(16) + words(size) + 1) * host[abi.S_HOST_CIPHER_WORD]!;
      const after = (n: number): number =>
        Math.ceil((n * host[abi.S_HOST_CIPHER_NUM]!) / host[abi.S_HOST_CIPHER_DEN]!);
      const span = after(clocks + host[abi.S_HOST_CIPHER_REST]!);
      const cipher = free(ciphers);
      end = Math.max(ciphers[cipher]!, end) + span;
      ciphers[cipher] = end;
      found.beside += span;
      ends.push(end + after(latency));
    }
    ends.push(end);
  }
  found.asleep = Math.max(...busy, ...ends);
  return found;
}

/** Work of the front-end on a message of pages once they are made: it copies them, and tells of them. */
export function handingTicks(host: readonly number[], sizes: readonly number[]): number {
  // address and length, or header and tag
  const around = (host[abi.S_HOST_STAGES]! & 4) === 0 ? 12 : 32;
  const bytes = sizes.reduce((sum, size) => sum + around + size, 0);
  return (
    host[abi.S_HOST_MESSAGE]! + Math.ceil((bytes * host[abi.S_HOST_COPY_NUM]!) / host[abi.S_HOST_COPY_DEN]!)
  );
}

/** Ticks that vCPUs lose to workers, by steps: how many are busy between two ends, beyond spare cores. */
export function lostToWorkers({ global, sides }: Params, busy: readonly number[]): number {
  const [vcpus, cores] = [global[abi.G_VCPUS]!, sides[0][abi.S_HOST_CORES]!];
  const ends = [0, ...busy].sort((a, b) => a - b);
  let lost = 0;
  for (let i = 1; i < ends.length; i++) {
    const still = busy.filter((end) => end >= ends[i]!).length;
    lost += (ends[i]! - ends[i - 1]!) * Math.max(0, still - Math.max(0, cores - vcpus));
  }
  return vcpus * Math.floor(lost / Math.min(vcpus, cores));
}
