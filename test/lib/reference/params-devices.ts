// SPDX-License-Identifier: Apache-2.0
/** Parameters of devices that write guest memory and of what sees them, by docs/model.md section 8. */
import * as abi from "../../../assembly/abi.ts";
import { type Put, putAll, TICKS_PER_SECOND, ticks, whole } from "./params-pcie.ts";
import { exact, type Preset, writtenAt } from "./written.ts";

/** A device as a scenario has it; times in ticks. */
export interface DeviceShape {
  /** Ticks between two writes: num / den. */
  gap: [num: bigint, den: bigint];
  bytes: number;
  first: number;
  pages: number;
  random: boolean;
  seed: number;
  most: number;
  fetch: number;
}

/** The devices of a scenario. */
export function deviceShapes(scenario: object): DeviceShape[] {
  const list = (writtenAt(scenario, "guest.devices") ?? []) as object[];
  return list.map((device, i) => {
    const of = (key: string, otherwise: unknown): unknown => writtenAt(device, `writes.${key}`) ?? otherwise;
    const rate = exact(of("rate", 0));
    const seed = whole(writtenAt(scenario, "seed") ?? 1) + 40503 * (i + 1) + whole(of("seed", 0));
    return {
      gap: [TICKS_PER_SECOND * rate.den, rate.num],
      bytes: whole(of("bytes", 4096)),
      first: whole(of("at", 0)) / 4096,
      pages: whole(of("workingSet", 0)) / 4096,
      random: of("pattern", "sequential") === "uniform",
      seed: seed % 2 ** 32,
      most: whole(of("outstanding", 16)),
      fetch: ticks(of("fetch", "0 s")),
    };
  });
}

export function deviceParams(p: Put, scenario: object): void {
  const of = (key: string, otherwise: unknown): unknown => writtenAt(scenario, `tracker.${key}`) ?? otherwise;
  const devices = (writtenAt(scenario, "guest.devices") ?? []) as unknown[];
  p(abi.G_DEVICES, devices.length);
  p(abi.G_TRACKER_LATE, of("order", "clear-before-read") === "clear-after-read" ? 1 : 0);
  const kind = ["none", "wilson-ring", "iommu-dirty-bits"].indexOf(`${of("devices", "none")}`);
  p(abi.G_DEVICE_TRACKER, kind);
  if (kind !== 1) return;
  p(abi.G_RECORD_SLOTS, whole(of("records.slots", 1024)));
  p(abi.G_RECORD_BYTES, whole(of("records.bytes", 16)));
  const before = of("records.order", "after-data") === "before-data";
  // behind the data 0, before it 1, and 2 where an examination frees the slot
  p(abi.G_RECORD_ORDER, before ? (of("records.release", "complete") === "examined" ? 2 : 1) : 0);
  p(abi.G_RECORD_FULL, ["stall", "overflow", "spill", "fail"].indexOf(`${of("records.full", "stall")}`));
  const poll = of("records.poll", "50 us");
  p(abi.G_RECORD_POLL, poll === "none" ? 0 : ticks(poll));
}

/** What a front-end takes for what devices have written; `cycle` ticks of its core. */
export function deviceCosts(p: Put, host: Preset, [num, den]: [number, number]): void {
  p(abi.S_HOST_IOMMU_ENTRY, Math.ceil((whole(host("tracker.iommuEntryCycles")) * num) / den));
  putAll(p, host, ticks, [
    [abi.S_HOST_EXAMINE, "tracker.examine"],
    [abi.S_HOST_RECORD, "tracker.record"],
    [abi.S_HOST_IOMMU_CLEAR, "tracker.iommuClear"],
    [abi.S_HOST_IOTLB_FLUSH, "tracker.iotlbFlush"],
  ]);
}
