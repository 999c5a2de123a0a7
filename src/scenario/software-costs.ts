// SPDX-License-Identifier: Apache-2.0
/**
 * `software: { costs: cycles }`: what a page costs the threads of QEMU, from cycles a KiB of the host
 * preset and its clock instead of times. Each part is rounded up to a cycle, the sum to a tick:
 *
 *   zero page     4 check                            there: 4 check (QEMU looks before it clears)
 *   other page    4 check [+ 4 zstd] + s send / 1024    there: s receive / 1024 [+ 4 unzstd]
 *
 * s is what is left of 4096 bytes. On a channel of multifd it is the channel's time, else the thread's. So n
 * channels carry n x 4096 B / time at most, and a connection its rate.
 *
 * Left out: zlib (its sizes differ from page to page), cycles of XBZRLE and of post-copy, whose keys are
 * times; memory bandwidth, and other NUMA nodes.
 */
import { PAGE_BYTES } from "../../assembly/abi.ts";
import type { Values } from "./fill.ts";
import type { Problems } from "./problems.ts";
import type { SoftwareSection } from "./software-section.ts";
import type { Ratio } from "./types.ts";

const KIB = 1024;
const PAGE_KIB = PAGE_BYTES / KIB;

/** Of a page with contents and one that is all zero, in ticks, at both ends. */
export interface PageCosts {
  readonly normalTicks: number;
  readonly zeroTicks: number;
  readonly loadTicks: number;
  readonly loadZeroTicks: number;
}

function ticksOf(cycles: number, [ticks, per]: Ratio): number {
  return Math.ceil((cycles * ticks) / per);
}

/** From cycles: `bytes` of a page with contents go over the connection. */
export function cyclesOf(source: Values, destination: Values, bytes: number, zstd: boolean): PageCosts {
  const clocks = [source.perCycle("cpu.clock"), destination.perCycle("cpu.clock")] as const;
  const page = (side: Values, key: string): number => PAGE_KIB * side.whole(`qemu.${key}PerKiB`);
  const part = (side: Values, key: string): number =>
    Math.ceil((bytes * side.whole(`qemu.${key}PerKiB`)) / KIB);
  const check = page(source, "check");
  const normal = check + (zstd ? page(source, "zstd") : 0) + part(source, "send");
  const load = part(destination, "receive") + (zstd ? page(destination, "unzstd") : 0);
  return {
    normalTicks: ticksOf(normal, clocks[0]),
    zeroTicks: ticksOf(check, clocks[0]),
    loadTicks: ticksOf(load, clocks[1]),
    loadZeroTicks: ticksOf(page(destination, "check"), clocks[1]),
  };
}

/** From times, as the presets give them. */
export function timesOf(source: Values, destination: Values): PageCosts {
  return {
    normalTicks: source.ticks("qemu.normalPage"),
    zeroTicks: source.ticks("qemu.zeroPage"),
    loadTicks: destination.ticks("qemu.loadPage"),
    loadZeroTicks: destination.ticks("qemu.loadZeroPage"),
  };
}

export type Costs = "times" | "cycles";

/** Keys of hosts that count with either, by side; the others of these have no effect then. */
export const COST_KEYS: Readonly<
  Record<"source" | "destination", Readonly<Record<Costs, readonly string[]>>>
> = {
  source: {
    times: ["qemu.normalPage", "qemu.zeroPage"],
    cycles: ["qemu.checkPerKiB", "qemu.sendPerKiB", "qemu.zstdPerKiB"],
  },
  destination: {
    times: ["qemu.loadPage", "qemu.loadZeroPage"],
    cycles: ["cpu.clock", "qemu.checkPerKiB", "qemu.receivePerKiB", "qemu.unzstdPerKiB"],
  },
};

/** What does not go with cycles. */
export function checkCosts({ costs, multifd: m }: SoftwareSection, problems: Problems): void {
  if (costs === "times" || m === "off") return;
  const add = (key: string, what: string, at?: "key"): void =>
    problems.add(["software", "multifd", key], what, at);
  if (m.compression === "zlib") add("compression", "zlib has no cycles; write none or zstd, or costs: times");
  if (m.page !== undefined) add("page", "is computed with costs: cycles; remove it", "key");
  if (m.zeroPage !== undefined) add("zeroPage", "is computed with costs: cycles; remove it", "key");
}
