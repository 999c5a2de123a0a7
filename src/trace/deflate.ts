// SPDX-License-Identifier: Apache-2.0
// Raw DEFLATE encoder (RFC 1951), one block with the fixed codes and greedy matches from one hash table.
// System compressors give different bytes on different machines; a trace file must not, so we have our own.

const HASH_BITS = 13;
const WINDOW_BYTES = 32768;
const MATCH_MIN = 4;
const MATCH_MAX = 258;

class BitWriter {
  readonly bytes: Uint8Array;
  length = 0;
  private hold = 0;
  private held = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
  }

  put(value: number, count: number): void {
    this.hold |= value << this.held;
    this.held += count;
    while (this.held >= 8) {
      this.bytes[this.length++] = this.hold & 255;
      this.hold >>>= 8;
      this.held -= 8;
    }
  }

  /** Huffman codes go out from their most significant bit. */
  code(value: number, count: number): void {
    let reversed = 0;
    for (let k = 0, v = value; k < count; k++, v >>= 1) reversed = (reversed << 1) | (v & 1);
    this.put(reversed, count);
  }

  flush(): Uint8Array {
    if (this.held > 0) this.put(0, 8 - this.held);
    return this.bytes.subarray(0, this.length);
  }
}

function putLiteral(out: BitWriter, symbol: number): void {
  if (symbol < 144) out.code(0x30 + symbol, 8);
  else if (symbol < 256) out.code(0x190 + symbol - 144, 9);
  else if (symbol < 280) out.code(symbol - 256, 7);
  else out.code(0xc0 + symbol - 280, 8);
}

/** RFC 1951, 3.2.5: a value splits into a code of its size class and the bits below. */
function putLength(out: BitWriter, length: number): void {
  if (length === 258) {
    putLiteral(out, 285);
    return;
  }
  const value = length - 3;
  if (value < 8) {
    putLiteral(out, 257 + value);
    return;
  }
  const extra = 31 - Math.clz32(value) - 2;
  putLiteral(out, 257 + 4 * extra + (value >> extra));
  out.put(value & ((1 << extra) - 1), extra);
}

function putDistance(out: BitWriter, distance: number): void {
  const value = distance - 1;
  if (value < 4) {
    out.code(value, 5);
    return;
  }
  const extra = 31 - Math.clz32(value) - 1;
  out.code(2 * extra + (value >> extra), 5);
  out.put(value & ((1 << extra) - 1), extra);
}

function matchLength(input: Uint8Array, at: number, from: number): number {
  const end = Math.min(input.length, at + MATCH_MAX);
  let k = at;
  while (k < end && input[k] === input[from + k - at]) k++;
  return k - at;
}

/** The raw DEFLATE stream of `input`; the same bytes on every machine. */
export function deflateRaw(input: Uint8Array): Uint8Array {
  // nine bits a byte at worst, and the block header and end mark
  const out = new BitWriter(input.length + (input.length >> 3) + 8);
  const seen = new Int32Array(1 << HASH_BITS).fill(-WINDOW_BYTES - 1);
  out.put(1, 1);
  out.put(1, 2);
  for (let at = 0; at < input.length; ) {
    let length = 0;
    let from = 0;
    if (at + MATCH_MIN <= input.length) {
      const word = input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16) | (input[at + 3]! << 24);
      const slot = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
      from = seen[slot]!;
      seen[slot] = at;
      if (from >= 0 && at - from <= WINDOW_BYTES) length = matchLength(input, at, from);
    }
    if (length < MATCH_MIN) {
      putLiteral(out, input[at++]!);
      continue;
    }
    putLength(out, length);
    putDistance(out, at - from);
    at += length;
  }
  putLiteral(out, 256);
  return out.flush();
}
