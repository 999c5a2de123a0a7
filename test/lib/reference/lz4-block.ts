// SPDX-License-Identifier: Apache-2.0
// A decoder of LZ4 blocks, byte by byte after doc/lz4_Block_format.md of lz4 (revision 2022-07-31).

/** One sequence of a block: `offset` and `matchBytes` are 0 in the last one, which is literals only. */
export interface Sequence {
  readonly literals: Uint8Array;
  readonly offset: number;
  readonly matchBytes: number;
}

/** What a block holds; `keepsEnd`: it also keeps the format's three end-of-block conditions. */
export interface Decoded {
  readonly bytes: Uint8Array;
  readonly sequences: readonly Sequence[];
  readonly keepsEnd: boolean;
}

/** Thrown inside, for a block that ends too early or says what cannot be. */
class Malformed extends Error {}

/** Reads a block from front to back and refuses to read beyond its end. */
class BlockReader {
  private at = 0;
  private readonly block: Uint8Array;

  constructor(block: Uint8Array) {
    this.block = block;
  }

  atEnd(): boolean {
    return this.at === this.block.length;
  }

  byte(): number {
    if (this.atEnd()) throw new Malformed("the block ends too early");
    return this.block[this.at++]!;
  }

  /** A length whose nibble in the token is `nibble`: 15 goes on with bytes, 255 with one more. */
  length(nibble: number): number {
    let length = nibble;
    if (nibble < 15) return length;
    for (;;) {
      const more = this.byte();
      length += more;
      if (more !== 255) return length;
    }
  }
}

function decode(block: Uint8Array, cap: number): Decoded {
  const reader = new BlockReader(block);
  const out: number[] = [];
  const sequences: Sequence[] = [];
  let lastMatchAt = -1;
  const emit = (byte: number): void => {
    if (out.length === cap) throw new Malformed("more bytes than the target holds");
    out.push(byte);
  };
  for (;;) {
    const token = reader.byte();
    const literalBytes = reader.length(token >>> 4);
    const literalsAt = out.length;
    for (let i = 0; i < literalBytes; i++) emit(reader.byte());
    const literals = Uint8Array.from(out.slice(literalsAt));
    if (reader.atEnd()) {
      sequences.push({ literals, offset: 0, matchBytes: 0 });
      const enoughLiterals = lastMatchAt === -1 || literalBytes >= 5;
      const startsInTime = lastMatchAt === -1 || lastMatchAt + 12 <= out.length;
      return { bytes: Uint8Array.from(out), sequences, keepsEnd: enoughLiterals && startsInTime };
    }
    const offset = reader.byte() + 256 * reader.byte();
    if (offset === 0) throw new Malformed("offset 0");
    if (offset > out.length) throw new Malformed("an offset before the first byte");
    const matchBytes = reader.length(token & 15) + 4;
    lastMatchAt = out.length;
    for (let i = 0; i < matchBytes; i++) emit(out[out.length - offset]!);
    sequences.push({ literals, offset, matchBytes });
  }
}

/**
 * What `block` decodes to, at most `cap` bytes; null if it is malformed: it ends inside a sequence or with a
 * match, an offset is 0 or reaches before the first byte, or it holds more than `cap` bytes.
 */
export function decodeLz4Block(block: Uint8Array, cap: number): Decoded | null {
  try {
    return decode(block, cap);
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}
