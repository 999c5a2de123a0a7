// SPDX-License-Identifier: Apache-2.0
/** A storage adapter as parameters of the core, and the tables that it draws from. */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import type { ResolvedStorage } from "./scenario/types-storage.ts";

const POLICY = {
  none: abi.QUIESCE_NONE,
  suspend: abi.QUIESCE_SUSPEND,
  drain: abi.QUIESCE_DRAIN,
  "pf-fallback": abi.QUIESCE_FALLBACK,
  cancel: abi.QUIESCE_CANCEL,
} as const;

/** Descriptor and progress of a request that a state carries. */
const CARRIED_BYTES = 80;

/** Bytes that an adapter adds to the device state at most. */
export function storageStateMost(storage: ResolvedStorage | undefined): number {
  return storage === undefined ? 0 : storage.stateBytes + storage.depth * CARRIED_BYTES;
}

/** Pages of guest memory that queues and buffers take. */
export function storagePages(storage: ResolvedStorage | undefined): number {
  if (storage === undefined) return 0;
  const { queue, depth, sizeBytes } = storage;
  const pagesOf = (bytes: number): number => Math.ceil(bytes / abi.PAGE_BYTES);
  const queues = pagesOf(queue * abi.STORAGE_REQUEST_BYTES) + pagesOf(queue * abi.STORAGE_RESPONSE_BYTES);
  return queues + depth * pagesOf(sizeBytes);
}

/** Writes the block, which is clear; `pages` are those of the guest with queues and buffers at their end. */
export function setStorage(core: Core, storage: ResolvedStorage | undefined, pages: number): void {
  const at = core.address("storageParams");
  const put = (index: number, value: number): void => core.setU64(at + 8 * index, BigInt(value));
  if (storage === undefined) return;
  put(abi.ST_DEPTH, storage.depth);
  put(abi.ST_QUEUE, storage.queue);
  put(abi.ST_BYTES, storage.sizeBytes);
  put(abi.ST_READS, storage.readPercent);
  put(abi.ST_EVERY, storage.everyTicks);
  put(abi.ST_POLICY, POLICY[storage.quiesce]);
  put(abi.ST_AT_STOP, storage.at === "stop" ? 1 : 0);
  put(abi.ST_SUSPEND, storage.suspendTicks);
  put(abi.ST_RESUME, storage.resumeTicks);
  put(abi.ST_STATE_BYTES, storage.stateBytes);
  put(abi.ST_RATE_NUM, storage.stateTicksPerByte[0]);
  put(abi.ST_RATE_DEN, storage.stateTicksPerByte[1]);
  put(abi.ST_PF_TICKS, storage.pfTicks);
  put(abi.ST_CANCEL, storage.cancelTicks);
  put(abi.ST_TAGS, storage.tags);
  put(abi.ST_FIRST_PAGE, pages - storagePages(storage));
}

/** Quantile i of the service time, that at (i + 1) / 1024: straight lines between those given, cut off. */
export function serviceQuantile({ service }: ResolvedStorage, i: number): bigint {
  const at: readonly (readonly [per100: bigint, ticks: number])[] = [
    [0n, service.minTicks],
    [50n, service.medianTicks],
    [99n, service.p99Ticks],
    [100n, service.maxTicks],
  ];
  // in parts of 100 x 1024
  const place = BigInt(i + 1) * 100n;
  const k = at.findIndex(([share], index) => index > 0 && place <= share * 1024n);
  const [from, low] = at[k - 1]!;
  const [to, high] = at[k]!;
  const rise = BigInt(high - low) * (place - from * 1024n);
  return BigInt(low) + rise / ((to - from) * 1024n);
}
