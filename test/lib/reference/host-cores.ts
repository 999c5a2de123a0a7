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
