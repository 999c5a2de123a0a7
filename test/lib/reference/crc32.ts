// SPDX-License-Identifier: Apache-2.0
// CRC-32 one bit at a time: the polynomial of IEEE 802.3, reflected, as zlib, PNG and Ethernet use it.

/** x^32 + x^26 + x^23 + … + x + 1 with its bits reversed: the coefficient of x^31 is bit 0. */
const POLYNOMIAL = 0xedb88320;

/** CRC-32 of `bytes` after what has the CRC `seed` (0 for nothing): an unsigned 32-bit number. */
export function crc32Bitwise(seed: number, bytes: Uint8Array): number {
  let register = ~seed >>> 0;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const feedback = (register & 1) ^ ((byte >>> bit) & 1);
      register >>>= 1;
      if (feedback === 1) register = (register ^ POLYNOMIAL) >>> 0;
    }
  }
  return ~register >>> 0;
}
