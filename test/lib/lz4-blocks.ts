// SPDX-License-Identifier: Apache-2.0
// What a page and its LZ4 block say about the machine that made it, told from docs/lz4-hardware.md alone.
import { pageBytes } from "./lz4.ts";

/** Section 1 of the page, in its order. */
export const defaults = {
  pws: 16,
  hashLog: 12,
  banks: 32,
  ports: 2,
  policy: 0,
  matchCap: 0,
  multi: 1,
  intraForward: 0,
  bailMargin: 64,
  outBytesPerClock: 16,
  tokensPerClock: 2,
  outFifoBytes: 256,
};
export type Machine = typeof defaults;
export const drop = 0;
export const stall = 1;
export const coalesce = 2;

export interface Sequence {
  literals: number;
  offset: number;
  length: number;
  start: number;
}

/** The matches of a block, by the block format alone; the closing literals as a sequence of length 0. */
export function sequences(block: Buffer): Sequence[] {
  const found: Sequence[] = [];
  let [at, position] = [0, 0];
  const extended = (nibble: number): number => {
    let value = nibble;
    for (let more = nibble === 15; more; ++at) {
      value += block[at]!;
      more = block[at] === 255;
    }
    return value;
  };
  while (at < block.length) {
    const token = block[at++]!;
    const literals = extended(token >> 4);
    at += literals;
    position += literals;
    if (at >= block.length) return [...found, { literals, offset: 0, length: 0, start: position }];
    const offset = block.readUInt16LE(at);
    at += 2;
    const length = 4 + extended(token & 15);
    found.push({ literals, offset, length, start: position });
    position += length;
  }
  throw new Error("the block ends in a match");
}

/** Clocks of a window, section 2: by stall the fullest bank's lanes over its ports, else 1. */
function windowClocks(page: Buffer, window: number, { pws, policy, hashLog, banks, ports }: Machine): number {
  if (policy !== stall) return 1;
  const lanes = new Array<number>(banks).fill(0);
  for (let at = window * pws; at < Math.min((window + 1) * pws, pageBytes - 11); ++at)
    lanes[(Math.imul(page.readInt32LE(at), 0x9e3779b1) >>> (32 - hashLog)) % banks]! += 1;
  return Math.max(1, Math.ceil(Math.max(...lanes) / ports));
}

/** S, II and D by sections 5 and 7, from the page and the finished block. */
export function clocksOf(page: Buffer, block: Buffer, machine: Machine): [number, number, number] {
  const { pws, outBytesPerClock: perClock, tokensPerClock, outFifoBytes } = machine;
  const made = Array.from({ length: pageBytes / pws }, () => ({ bytes: 0, tokens: 0 }));
  const extra = (value: number): number => (value < 15 ? 0 : Math.floor((value - 15) / 255) + 1);
  const found = sequences(block);
  for (const { literals, length, start } of found) {
    for (let at = start - literals; at < start; ++at) made[Math.floor(at / pws)]!.bytes += 1;
    const last = made[Math.floor((start + length - 1) / pws)]!;
    last.bytes += extra(literals) + (length > 0 ? 3 + extra(length - 4) : 1);
    last.tokens += 1;
  }
  let [scan, waits, bytes, tokens] = [0, 0, 0, 0];
  made.forEach((window, index) => {
    const clocks = windowClocks(page, index, machine);
    scan += clocks;
    bytes = Math.max(0, bytes - perClock * clocks) + window.bytes;
    tokens = Math.max(0, tokens - tokensPerClock * clocks) + window.tokens;
    const full = Math.ceil((bytes - outFifoBytes) / perClock);
    const wait = Math.max(0, full, Math.ceil((tokens - Math.floor(outFifoBytes / 8)) / tokensPerClock));
    waits += wait;
    bytes = Math.max(0, bytes - perClock * wait);
    tokens = Math.max(0, tokens - tokensPerClock * wait);
  });
  const out = Math.max(Math.ceil(block.length / perClock), Math.ceil(found.length / tokensPerClock));
  const ii = Math.max(scan + waits, out);
  const drain = Math.max(Math.ceil(bytes / perClock), Math.ceil(tokens / tokensPerClock));
  return [scan, ii, scan + waits + drain - ii];
}
