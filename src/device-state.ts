// SPDX-License-Identifier: Apache-2.0
/**
 * Device state of a simulated guest: bytes that compress like a dump of a virtual machine monitor's
 * structures.
 *
 * Records of 64 bytes: a type of eight, a rising number, two kernel-like addresses of which the upper half
 * repeats, a small count, flags of which few bits are used, eight random bytes in every fourth record, and
 * zeros. LZ4 leaves a little less than half of it. No recording stands behind it: an assumption of dpusim.
 */
import { begin, stir } from "./trace/hash.ts";

const RECORD_BYTES = 64;
const SALT_DEVICE = 0x64657673;

/** Fills `out` with the device state of a seed: the same on every machine. */
export function fillDeviceState(out: Uint8Array, seed: number): void {
  const record = new Uint8Array(RECORD_BYTES);
  const view = new DataView(record.buffer);
  const start = stir(begin(seed), SALT_DEVICE);
  for (let at = 0, i = 0; at < out.length; at += RECORD_BYTES, i++) {
    const a = stir(start, i);
    const b = stir(a, 1);
    record.fill(0);
    view.setUint32(0, 0x1000 + (a & 7), true);
    view.setUint32(4, i, true);
    view.setUint32(8, (a >>> 8) & 0x00ff_ffc0, true);
    view.setUint32(12, 0xffff8881, true);
    view.setUint32(16, (b >>> 8) & 0x00ff_ffc0, true);
    view.setUint32(20, 0xffff8881, true);
    view.setUint16(24, (a >>> 3) & 63, true);
    view.setUint32(28, 1 << (b & 3), true);
    if (i % 4 === 0) {
      view.setUint32(32, stir(b, 2), true);
      view.setUint32(36, stir(b, 3), true);
    }
    out.set(record.subarray(0, Math.min(RECORD_BYTES, out.length - at)), at);
  }
}
