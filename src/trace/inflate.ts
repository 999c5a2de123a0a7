// SPDX-License-Identifier: Apache-2.0
// Raw DEFLATE decoder (RFC 1951). Synchronous and the same in Node and in a browser; the output length is
// known beforehand, so a stream that would grow past it is refused before it does.
import { expect } from "./errors.ts";

// RFC 1951, 3.2.5: base values and extra bits of length codes 257..285 and distance codes 0..29.
const LENGTH_EXTRA = Uint8Array.from("00000000111122223333444455550", Number);
const DISTANCE_EXTRA = Uint8Array.from({ length: 30 }, (_, code) => Math.max(0, (code >> 1) - 1));
const LENGTH_BASE = bases(LENGTH_EXTRA, 3);
LENGTH_BASE[28] = 258;
const DISTANCE_BASE = bases(DISTANCE_EXTRA, 1);
// RFC 1951, 3.2.7: order in which the lengths of the code-length code are sent.
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

function bases(extra: Uint8Array, first: number): Uint16Array {
  const out = new Uint16Array(extra.length);
  let base = first;
  for (let code = 0; code < extra.length; code++) {
    out[code] = base;
    base += 1 << extra[code]!;
  }
  return out;
}

/** Decoding table: index = next `bits` input bits, entry = symbol << 4 | code length, 0 = no such code. */
interface Codes {
  readonly bits: number;
  readonly table: Uint16Array;
}

function makeCodes(lengths: Uint8Array): Codes {
  const count = new Uint16Array(16);
  let bits = 0;
  for (const length of lengths) {
    if (length === 0) continue;
    count[length]!++;
    if (length > bits) bits = length;
  }
  const next = new Uint32Array(17);
  let left = 1;
  for (let length = 1; length <= 15; length++) {
    left = left * 2 - count[length]!;
    expect(left >= 0, "DEFLATE stream has an over-subscribed code");
    next[length + 1] = (next[length]! + count[length]!) << 1;
  }
  const table = new Uint16Array(1 << bits);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol]!;
    if (length === 0) continue;
    let reversed = 0;
    for (let code = next[length]!++, k = 0; k < length; k++, code >>= 1) reversed = reversed * 2 + (code & 1);
    for (let at = reversed; at < table.length; at += 1 << length) table[at] = (symbol << 4) | length;
  }
  return { bits, table };
}

const FIXED_LITERALS = makeCodes(
  Uint8Array.from({ length: 288 }, (_, s) => (s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8)),
);
const FIXED_DISTANCES = makeCodes(new Uint8Array(32).fill(5));

class Inflater {
  private at = 0;
  private hold = 0;
  private held = 0;
  private filled = 0;
  private readonly input: Uint8Array;
  private readonly output: Uint8Array;

  constructor(input: Uint8Array, output: Uint8Array) {
    this.input = input;
    this.output = output;
  }

  run(): void {
    let last = 0;
    while (last === 0) {
      last = this.take(1);
      const kind = this.take(2);
      expect(kind !== 3, "DEFLATE stream has a block of the reserved type");
      if (kind === 0) this.stored();
      else if (kind === 1) this.coded(FIXED_LITERALS, FIXED_DISTANCES);
      else this.dynamic();
    }
    expect(
      this.filled === this.output.length,
      `DEFLATE stream gives ${this.filled} bytes, not ${this.output.length}`,
    );
    const unused = this.input.length - this.at + (this.held >> 3);
    expect(unused === 0, `${unused} bytes follow the end of the DEFLATE stream`);
  }

  private take(count: number): number {
    while (this.held < count) {
      expect(this.at < this.input.length, "DEFLATE stream ends early");
      this.hold |= this.input[this.at++]! << this.held;
      this.held += 8;
    }
    const value = this.hold & ((1 << count) - 1);
    this.hold >>>= count;
    this.held -= count;
    return value;
  }

  private symbol(codes: Codes): number {
    while (this.held < codes.bits && this.at < this.input.length) {
      this.hold |= this.input[this.at++]! << this.held;
      this.held += 8;
    }
    const entry = codes.table[this.hold & ((1 << codes.bits) - 1)]!;
    const length = entry & 15;
    expect(length !== 0 && length <= this.held, "DEFLATE stream has an undefined code or ends early");
    this.hold >>>= length;
    this.held -= length;
    return entry >> 4;
  }

  private stored(): void {
    this.take(this.held & 7);
    const length = this.take(16);
    expect((this.take(16) ^ 0xffff) === length, "DEFLATE stored block has a wrong length");
    this.at -= this.held >> 3;
    this.hold = 0;
    this.held = 0;
    expect(this.at + length <= this.input.length, "DEFLATE stream ends early");
    this.room(length);
    this.output.set(this.input.subarray(this.at, this.at + length), this.filled);
    this.at += length;
    this.filled += length;
  }

  private dynamic(): void {
    const literals = this.take(5) + 257;
    const distances = this.take(5) + 1;
    const sent = this.take(4) + 4;
    expect(literals <= 286 && distances <= 30, "DEFLATE block declares too many codes");
    const meta = new Uint8Array(19);
    for (let k = 0; k < sent; k++) meta[CODE_LENGTH_ORDER[k]!] = this.take(3);
    const metaCodes = makeCodes(meta);
    const lengths = new Uint8Array(literals + distances);
    for (let k = 0; k < lengths.length; ) {
      const symbol = this.symbol(metaCodes);
      if (symbol < 16) {
        lengths[k++] = symbol;
        continue;
      }
      expect(symbol !== 16 || k > 0, "DEFLATE block repeats a code length before the first");
      const value = symbol === 16 ? lengths[k - 1]! : 0;
      const times = symbol === 16 ? 3 + this.take(2) : symbol === 17 ? 3 + this.take(3) : 11 + this.take(7);
      expect(k + times <= lengths.length, "DEFLATE block has too many code lengths");
      lengths.fill(value, k, k + times);
      k += times;
    }
    this.coded(makeCodes(lengths.subarray(0, literals)), makeCodes(lengths.subarray(literals)));
  }

  private coded(literals: Codes, distances: Codes): void {
    for (;;) {
      const symbol = this.symbol(literals);
      if (symbol < 256) {
        this.room(1);
        this.output[this.filled++] = symbol;
        continue;
      }
      if (symbol === 256) return;
      expect(symbol <= 285, "DEFLATE stream has an undefined length code");
      const length = LENGTH_BASE[symbol - 257]! + this.take(LENGTH_EXTRA[symbol - 257]!);
      const code = this.symbol(distances);
      expect(code < 30, "DEFLATE stream has an undefined distance code");
      const distance = DISTANCE_BASE[code]! + this.take(DISTANCE_EXTRA[code]!);
      expect(distance <= this.filled, "DEFLATE stream refers to bytes before its start");
      this.room(length);
      this.copy(length, distance);
    }
  }

  private copy(length: number, distance: number): void {
    const { output } = this;
    let to = this.filled;
    const end = to + length;
    if (distance >= length && length > 16) output.copyWithin(to, to - distance, end - distance);
    else if (distance === 1) output.fill(output[to - 1]!, to, end);
    else for (; to < end; to++) output[to] = output[to - distance]!;
    this.filled = end;
  }

  private room(length: number): void {
    expect(
      this.filled + length <= this.output.length,
      `DEFLATE stream grows past its declared ${this.output.length} bytes`,
    );
  }
}

/**
 * Decodes one raw DEFLATE stream that gives exactly `rawBytes` bytes and uses all of `input`.
 * Throws Malformed if it gives more or fewer, ends early, has bytes after its end or breaks RFC 1951.
 */
export function inflateRaw(input: Uint8Array, rawBytes: number): Uint8Array {
  const output = new Uint8Array(rawBytes);
  new Inflater(input, output).run();
  return output;
}
