// SPDX-License-Identifier: Apache-2.0
// Devices that write guest memory: no safe way of seeing them loses a write, each unsafe one is found out,
// and the ring takes what its formula says.
import * as abi from "../../../assembly/abi.ts";
import { isGood, type Result, simulate } from "../../../src/index.ts";
import { inputOf, migrate, stat } from "../migrate.ts";
import { claim, same } from "./expect.ts";

/** A guest that a disk writes: the data of each write comes a millisecond after the write has begun. */
export const DISK = {
  guest: {
    generate: { memory: "4 MiB", rate: "1 /s", workingSet: "64 KiB", mix: { random: 100 } },
    deviceState: "64 KiB",
    devices: [
      { name: "disk", writes: { rate: "50000 /s", workingSet: "2 MiB", outstanding: 64, fetch: "1 ms" } },
    ],
  },
  link: { rate: "10 Gbit/s" },
  compress: "off",
  migration: { downtimeLimit: "1 ns", maxRounds: 4, onTimeout: "force" },
  content: "sized",
};

/** A device that writes 16 pages again and again, each as soon as the link lets it. */
const NIC = { name: "nic", writes: { rate: "3000000 /s", bytes: "64 B", workingSet: "64 KiB" } };
const FAST = { ...DISK, guest: { ...DISK.guest, devices: [NIC] } };

/** A ring that is examined every 10 us. */
export const ring = (records: object = {}) => ({
  devices: "wilson-ring",
  records: { poll: "10 us", ...records },
});

/** Names of the invariants that do not hold. */
export function brokenIn(result: Result): string[] {
  return result.check.invariants.filter(({ held }) => !held).map(({ name }) => name);
}

/** Every safe way sees every write; records take 24 + 16 B of the wire, twice where they go first. */
export function checkSeen(): void {
  for (const [records, bytes] of [
    [{}, 40],
    [{ order: "before-data" }, 80],
  ] as const) {
    const result = migrate({ ...DISK, tracker: ring(records) });
    const what = JSON.stringify(records);
    claim(`a disk is seen: ${what}`, isGood(result), brokenIn(result), "no invariant broken");
    const n = stat(result, "source.guest.devices.records");
    claim(`records: ${what}`, n > 100, n, "more than 100");
    const wire = stat(result, "source.guest.devices.recordBytes");
    claim(`bytes of records: ${what}`, wire <= bytes * n && wire > bytes * (n - 65), wire, `${bytes * n}`);
  }
  for (const full of ["stall", "overflow", "spill"]) {
    const result = migrate({ ...FAST, tracker: ring({ slots: 64, full, poll: "300 us" }) });
    claim(`a ring that fills: ${full}`, isGood(result), brokenIn(result), "no invariant broken");
    const over = stat(result, "source.guest.devices.overflows");
    const stall = stat(result, "source.guest.devices.stallNs");
    claim(
      `what a full ring does: ${full}`,
      full === "stall" ? stall > 0 && over === 0 : over > 0,
      over,
      "what it should",
    );
  }
  const internal = { iommu: "4KiB" };
  const bits = migrate({ ...FAST, internal, tracker: { devices: "iommu-dirty-bits" } });
  claim("bits see a device", isGood(bits), brokenIn(bits), "no invariant broken");
  const [disk] = DISK.guest.devices;
  const both = { ...FAST, guest: { ...FAST.guest, devices: [NIC, disk] } };
  const two = migrate({ ...both, tracker: ring({ order: "before-data", full: "spill", slots: 128 }) });
  claim("two devices are seen", isGood(two), brokenIn(two), "no invariant broken");
}

/** What is unsafe breaks an invariant, and that one. */
export function checkUnsafe(): void {
  const names = (scenario: object) => brokenIn(migrate(scenario)).join(" ");
  const freed = { order: "before-data", release: "examined" };
  const lost = "destination-equals-source";
  const early = "mark-cleared-before-read";
  same("slots that come back too soon", names({ ...DISK, tracker: ring(freed) }), lost);
  const unseen = names({ ...FAST, tracker: { devices: "none" } });
  claim("a device that nobody sees", [lost, early].includes(unseen), unseen, `${lost} or ${early}`);
  const guest = { ...DISK.guest, devices: [], generate: { ...DISK.guest.generate, rate: "1000000 /s" } };
  same(
    "a tracker that clears late",
    names({ ...DISK, guest, tracker: { order: "clear-after-read" } }),
    early,
  );
  same("the same in order", names({ ...DISK, guest }), "");
}

/** A full ring that makes the device wait takes slots / (poll + examination + doorbell) records a second. */
export function checkRingRate(): void {
  // 64 slots each 100 us and 0.5 + 64 x 0.1 us; the doorbell takes 1 to 2 us of the way down
  for (const [slots, us] of [
    [64, 100],
    [128, 50],
  ] as const) {
    const input = inputOf({ ...FAST, tracker: ring({ slots, poll: `${us} us` }) });
    simulate(input);
    const log = (index: number): number => Number(input.core.logged(index)) / abi.TICKS_PER_NS;
    const time = log(abi.L_QUIESCING) - log(abi.L_RECORDING);
    const records = input.core.counter(0, abi.C_DEVICE_RECORDS);
    // the ring is empty at first, and each round is decided with a look of its own
    const looks = time / (1000 * us + 500 + slots * 100);
    const most = slots * (looks + 1 + Number(input.core.logged(abi.L_ROUNDS)));
    claim(`records of a ring of ${slots}`, records <= most, records, `${most} at most`);
    claim(`records of a ring of ${slots}`, records > 0.9 * slots * looks, records, `near ${slots * looks}`);
    same(`most slots of ${slots}`, input.core.counter(0, abi.C_DEVICE_RING_HIGH), slots);
  }
}
