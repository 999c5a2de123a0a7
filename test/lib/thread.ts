// SPDX-License-Identifier: Apache-2.0
/** QEMU's migration thread for tests by formula: costs that are easy to count with. */
import { Core, coreModule } from "../../src/core.ts";
import { migrateInSoftware, type SoftwareMigration, type SoftwareResult } from "../../src/software.ts";
import { PLAIN } from "../../src/software-features.ts";
import { guestOf } from "./claims/qemu.ts";
import type { Write } from "./reference/qemu.ts";

export const US = 1_024_000_000;
export const MS = 1000 * US;
export const MIB = 2 ** 20;
const LIMIT = 600n * 1000n * BigInt(MS);
const lean = new Core(coreModule());

export const BASE: SoftwareMigration = {
  startAtTicks: 0n,
  maxBandwidthBytes: 24 * MIB,
  downtimeLimitMs: 300,
  normalTicks: 6 * US,
  zeroTicks: 2 * US,
  syncTicks: 0,
  wakeTicks: 0,
  setupTicks: 0,
  stopTicks: 0,
  deviceTicks: 0,
  deviceBytes: 0,
  romPages: 0,
  romNormalPages: 0,
  unwrittenPages: 0,
  unwrittenAt: 0,
  autoConverge: false,
  ticksPerByte: null,
  socketBytes: 0,
  ...PLAIN,
};

/** A guest of normal pages that writes nothing. */
export const still = (pages: number): boolean[] => Array.from({ length: pages }, () => false);

/** Runs it; `bytes` is what a page takes where a channel compresses it. */
export const runThread = (
  own: Partial<SoftwareMigration>,
  zeros: boolean[],
  writes: Write[] = [],
  bytes = 4096,
): SoftwareResult =>
  migrateInSoftware(lean, guestOf(zeros, writes, 500), { ...BASE, ...own }, LIMIT, () => bytes);
