// SPDX-License-Identifier: Apache-2.0
/** Devices of the guest, and what sees them: scenario → parameters of the core. */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import { RunRefused } from "./running.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import type { ResolvedHost } from "./scenario/types-host.ts";
import type { ResolvedDevice } from "./scenario/types-tracker.ts";

const KINDS = {
  none: abi.DEVICES_UNSEEN,
  "wilson-ring": abi.DEVICES_RING,
  "iommu-dirty-bits": abi.DEVICES_IOMMU,
} as const;
const FULL = {
  stall: abi.FULL_STALL,
  overflow: abi.FULL_OVERFLOW,
  spill: abi.FULL_SPILL,
  fail: abi.FULL_FAIL,
} as const;

/** Seed of a device's pattern: that of the scenario, told apart by its number and its own. */
export function deviceSeed(scenarioSeed: number, index: number, own: number): number {
  return (scenarioSeed + 0x9e37 * (index + 1) + own) >>> 0;
}

/** Buffers that lie behind the guest's memory are refused. */
export function refuseDevices(s: ResolvedScenario, pages: number): void {
  for (const { name, firstPage, pages: own } of s.guest.devices ?? []) {
    if (firstPage + own <= pages) continue;
    const last = `${4 * (firstPage + own)} KiB`;
    throw new RunRefused("guest.devices", `${name} writes up to ${last}, the guest has ${4 * pages} KiB`);
  }
}

/** Global parameters, and the block of the devices. */
export function setDevices(core: Core, g: Map<number, number | bigint>, s: ResolvedScenario): void {
  const devices = s.guest.devices ?? [];
  const seen = s.tracker.devices ?? { kind: "none", records: null };
  const { records } = seen;
  const order = records?.order !== "before-data" ? abi.RECORD_AFTER : abi.RECORD_BEFORE;
  const freed = order === abi.RECORD_BEFORE && records?.release === "examined";
  g.set(abi.G_DEVICES, devices.length);
  g.set(abi.G_DEVICE_TRACKER, devices.length === 0 ? 0 : KINDS[seen.kind]);
  g.set(abi.G_RECORD_SLOTS, records?.slots ?? 0);
  g.set(abi.G_RECORD_BYTES, records?.bytes ?? 0);
  g.set(abi.G_RECORD_ORDER, freed ? abi.RECORD_BEFORE_FREED : order);
  g.set(abi.G_RECORD_FULL, FULL[records?.full ?? "stall"]);
  g.set(abi.G_RECORD_POLL, records?.pollTicks ?? 0);
  g.set(abi.G_TRACKER_LATE, s.tracker.order === undefined ? 0 : 1);
  for (const [index, device] of devices.entries()) setDevice(core, index, device, s.seed);
}

function setDevice(core: Core, index: number, device: ResolvedDevice, scenarioSeed: number): void {
  const at = core.address("deviceParams") + index * abi.D_COUNT * 8;
  const put = (key: number, value: number): void => core.setU64(at + key * 8, BigInt(value));
  const [num, den] = device.ticksPerWrite;
  put(abi.D_GAP_NUM, num);
  put(abi.D_GAP_DEN, den);
  put(abi.D_BYTES, device.bytes);
  put(abi.D_FIRST, device.firstPage);
  put(abi.D_PAGES, device.pages);
  put(abi.D_RANDOM, device.pattern === "uniform" ? 1 : 0);
  put(abi.D_SEED, deviceSeed(scenarioSeed, index, device.seed));
  put(abi.D_OUT, device.outstanding);
  put(abi.D_FETCH, device.fetchTicks);
}

/** What a host's front-end takes for what devices have written. */
export function setDeviceCosts(p: (key: number, value: number) => void, host: ResolvedHost): void {
  const { tracker, cpu } = host;
  const [num, den] = cpu.ticksPerCycle;
  p(abi.S_HOST_EXAMINE, tracker.examineTicks);
  p(abi.S_HOST_RECORD, tracker.recordTicks);
  p(abi.S_HOST_IOMMU_ENTRY, Math.ceil((tracker.iommuEntryCycles * num) / den));
  p(abi.S_HOST_IOMMU_CLEAR, tracker.iommuClearTicks);
  p(abi.S_HOST_IOTLB_FLUSH, tracker.iotlbFlushTicks);
}

/** Finalizer of MurmurHash3 over two words, as the core draws. */
function mix(a: number, b: number): number {
  let h = (a ^ Math.imul(b, 0x9e3779b1)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * Pages that the first writes of a device go to, by the scenario: `n` of them, counted by the device itself.
 */
export function* deviceWrites(device: ResolvedDevice, index: number, scenarioSeed: number, n: number) {
  const seed = deviceSeed(scenarioSeed, index, device.seed);
  for (let i = 0; i < n; i++) {
    const place =
      device.pattern === "uniform" ? Math.floor((mix(seed, i) * device.pages) / 2 ** 32) : i % device.pages;
    yield device.firstPage + place;
  }
}
