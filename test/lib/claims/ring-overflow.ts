// SPDX-License-Identifier: Apache-2.0
// A ring of device records that overflows because nobody examines it for a time, by each policy.
import { isGood, isSound, type Result } from "../../../src/index.ts";
import { migrate, stat } from "../migrate.ts";
import { claim, same } from "./expect.ts";

const SLOTS = 64;
const WRITES_PER_SECOND = 200_000;
const STALL_AT_US = 500;

/** A NIC that writes in turn; a ring of 64 slots is full after 320 us, and is examined every 20 us. */
const NIC = { name: "nic", writes: { rate: `${WRITES_PER_SECOND} /s`, bytes: "2 KiB", workingSet: "2 MiB" } };
const generate = { memory: "8 MiB", rate: "1000 /s", workingSet: "1 MiB", mix: { random: 100 } };

const STALL = { at: `${STALL_AT_US} us`, what: "poll-stalls", for: "600 us" };

/** Such a migration, by the ring's policy; `more` lies over it. */
export function overflowing(full: string, more: object = {}, variant: "lean" | "naive" = "lean"): Result {
  const tracker = { kind: "bitmap", devices: "wilson-ring", records: { slots: SLOTS, full, poll: "20 us" } };
  return migrate(
    {
      guest: { generate, deviceState: "4 KiB", devices: [NIC] },
      source: { host: "gen5-host", card: "dpu-ref" },
      link: { rate: "25 Gbit/s" },
      compress: "off",
      encrypt: "off",
      tracker,
      migration: { maxRounds: 3, onTimeout: "force" },
      content: "sized",
      faults: [STALL],
      ...more,
    },
    { variant },
  );
}

/** Recovered by three policies, aborted by the fourth with the reason, the source intact. */
export function checkOverflow(): void {
  for (const full of ["stall", "overflow", "spill"]) {
    const result = overflowing(full);
    claim(`ring overflow: ${full} recovers`, isGood(result), result.migration.reason, "a completed run");
  }
  const failed = overflowing("fail");
  same("ring overflow: status", failed.migration.status, "failed");
  claim("ring overflow: sound", isSound(failed), failed.check.invariants, "nothing broken");
  same("ring overflow: overflows", stat(failed, "source.guest.devices.overflows") > 0, true);
}
