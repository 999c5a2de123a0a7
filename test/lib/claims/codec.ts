// SPDX-License-Identifier: Apache-2.0
// Codecs and clocks of the core against other implementations: OpenSSL, lz4js, the slow encoder, BigInt.
import { createCipheriv } from "node:crypto";
import { createRequire } from "node:module";
import { Core, coreModule } from "../../../src/core.ts";
import { defaults } from "../lz4-blocks.ts";
import { Codecs } from "../reference/codecs.ts";
import { crc32Bitwise } from "../reference/crc32.ts";
import { Draws, KINDS } from "../reference/inputs.ts";
import { decodeLz4Block } from "../reference/lz4-block.ts";
import { encodeLz4Hardware, type Lz4HardwareConfig } from "../reference/lz4-hardware.ts";
import { same } from "./expect.ts";

/** lz4js has no types. Decodes a block; returns the end of what it wrote. */
const lz4js = createRequire(import.meta.url)("lz4js") as {
  decompressBlock(from: Uint8Array, to: Uint8Array, fromAt: number, length: number, toAt: number): number;
};

const hex = (bytes: Uint8Array | null): string =>
  bytes === null ? "none" : Buffer.from(bytes).toString("hex");

/** Seals and opens records of many lengths; every bit that is changed must be noticed. */
export function checkGcm(): void {
  const codecs = new Codecs();
  const draws = new Draws(7);
  for (const keyBytes of [16, 32]) {
    const key = draws.bytes(keyBytes);
    codecs.setKey(3, key);
    // Without data the usual header, a block, has a way of its own: the second record is such a one.
    const lengths = [0, 0, 1, 15, 16, 17, 127, 128, 480, 481, 512, 993, 4096, 8160, 8300];
    for (const [index, length] of lengths.entries()) {
      const aadBytes = index === 1 ? 16 : length % 40;
      const [iv, aad, plain] = [draws.bytes(12), draws.bytes(aadBytes), draws.bytes(length)];
      const cipher = createCipheriv(keyBytes === 16 ? "aes-128-gcm" : "aes-256-gcm", key, iv);
      cipher.setAAD(aad);
      const text = Buffer.concat([cipher.update(plain), cipher.final()]);
      const found = codecs.seal(3, iv, aad, plain);
      same(`gcmSeal: text of ${length}`, hex(found.text), hex(text));
      same(`gcmSeal: tag of ${length}`, hex(found.tag), hex(cipher.getAuthTag()));
      const { accepted, target } = codecs.open(3, iv, aad, found);
      same(`gcmOpen: accepts ${length}`, accepted, true);
      same(`gcmOpen: text of ${length}`, hex(target), hex(plain));
      for (const part of [found.text, found.tag, aad, iv]) {
        if (part.length === 0) continue;
        for (const at of [0, part.length - 1]) {
          part[at]! ^= 1;
          same(`gcmOpen: refuses ${length}`, codecs.open(3, iv, aad, found).accepted, false);
          part[at]! ^= 1;
        }
      }
    }
  }
}

const MACHINES: readonly Partial<Lz4HardwareConfig>[] = [
  {},
  { policy: 1, ports: 1 },
  { policy: 2, pws: 8, banks: 8 },
  { hashLog: 9, tokensPerClock: 1, outBytesPerClock: 4, outFifoBytes: 64 },
];

/** Block, clocks and counters of the hardware encoder for every kind of contents. */
export function checkHardwareLz4(): void {
  const codecs = new Codecs();
  const draws = new Draws(11);
  for (const change of MACHINES) {
    const machine = { ...defaults, ...change };
    same("lz4hwConfigure", codecs.configure(machine), true);
    for (const [kind, make] of Object.entries(KINDS)) {
      const page = make(draws, kind === "random" ? 4096 : draws.oneOf([4096, 4096, 700, 33]));
      const found = codecs.encodeHardware(page);
      const expected = encodeLz4Hardware(page, machine);
      same(`lz4hw: block of ${kind}`, hex(found.block), hex(expected.block));
      for (const what of ["cycles", "scanCycles", "outCycles", "conflicts", "tokens"] as const) {
        same(`lz4hw: ${what} of ${kind}`, found[what], expected[what]);
      }
    }
  }
}

/** Blocks read by lz4js; blocks that lie, which the decoder must refuse where the slow one does. */
export function checkSoftwareLz4(): void {
  const codecs = new Codecs();
  const draws = new Draws(13);
  for (const [kind, make] of Object.entries(KINDS)) {
    const page = make(draws, 4096);
    const block = codecs.encode(page, 4200);
    if (block === null) throw new Error(`lz4Compress: nothing for ${kind}`);
    const target = Buffer.alloc(page.length);
    const got = lz4js.decompressBlock(block, target, 0, block.length, 0);
    same(`lz4Compress: ${kind} by lz4js`, hex(target.subarray(0, got)), hex(page));
    same(`lz4Decompress: ${kind}`, hex(codecs.decode(block, page.length)), hex(page));
    for (let i = 0; i < 150; i++) {
      const spoilt = block.slice(
        0,
        draws.oneOf([block.length, block.length, draws.between(1, block.length)]),
      );
      spoilt[draws.between(0, spoilt.length - 1)] = draws.oneOf([0, 255, draws.word() & 255]);
      const cap = draws.oneOf([4096, 4096, draws.between(1, 4096)]);
      same(
        `lz4Decompress: spoilt ${kind}`,
        hex(codecs.decode(spoilt, cap)),
        hex(decodeLz4Block(spoilt, cap)?.bytes ?? null),
      );
    }
  }
}

/** CRC-32 of every length up to 70, whole and in two parts. */
export function checkCrc(): void {
  const codecs = new Codecs();
  const bytes = new Draws(17).bytes(70);
  for (let n = 0; n <= bytes.length; n++) {
    const part = bytes.subarray(0, n);
    const half = codecs.crc32(0, part.subarray(0, n >> 1));
    same(`crc32 of ${n}`, codecs.crc32(0, part), crc32Bitwise(0, part));
    same(`crc32 of ${n} in two parts`, codecs.crc32(half, part.subarray(n >> 1)), crc32Bitwise(0, part));
  }
}

/** Edge k of a clock lies at ceil(k num / den): exact arithmetic beside the core's. */
export function checkClocks(): void {
  const core = new Core(coreModule());
  const draws = new Draws(19);
  const ceil = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;
  for (const [num, den] of [
    [1_024_000n, 1n],
    [2_048_000n, 3n],
    [10_240_000n, 3n],
    [7n, 3n],
    [1_024_000n, 2n],
    // slow ones, whose numbers do not fit 32 bits
    [4_500_000_000n, 3n],
    [2_250_000_000n, 1n],
    [2_000_000_001n, 3n],
  ]) {
    core.fn("setDomain")(1, num!, den!);
    // the least edge at or after t: t <= at, and the edge before lies before t
    const checkEdge = (t: bigint): void => {
      const at = BigInt.asUintN(64, BigInt(core.fn("edgeAt")(1, t)));
      const index = t === 0n ? 0n : ((t - 1n) * den!) / num! + 1n;
      same(`edgeAt ${num}/${den}`, at, ceil(index * num!, den!));
    };
    for (let i = 0; i < 400; i++) {
      const k = BigInt(draws.word() >>> draws.between(0, 31));
      const edge = ceil(k * num!, den!);
      const t = edge + BigInt(draws.between(0, Number(num! / den!)));
      // the core keeps the last edge: edges near it, on either side of it, are asked for behind it
      for (let near = -2n; near <= 2n; near++) {
        checkEdge(t);
        const neighbour = ceil((k + near) * num!, den!);
        for (const about of [neighbour - 1n, neighbour, neighbour + 1n]) if (about >= 0n) checkEdge(about);
      }
      const cycles = draws.between(0, 5000);
      const checkAfter = (): void => {
        const then = BigInt.asUintN(64, BigInt(core.fn("edgeAfter")(1, edge, BigInt(cycles))));
        same(`edgeAfter ${num}/${den}`, then, ceil((k + BigInt(cycles)) * num!, den!));
      };
      // of an edge that is not the kept one, and that is
      checkAfter();
      checkEdge(edge);
      checkAfter();
    }
  }
}
