// SPDX-License-Identifier: Apache-2.0
// Inputs for the codecs: a seeded generator, ten kinds of contents, the pages of the shipped recording.
import { openMdt } from "../../../src/trace/mdt-reader.ts";
import { epochs, initialPages } from "../../../src/trace/replay.ts";
import { fileSource } from "../../../src/trace/source-file.ts";

/** Seeded numbers: splitmix32 (a counter through a mixing function). */
export class Draws {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** The next unsigned 32-bit number. */
  word(): number {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** A whole number from `first` to `last`, both included. */
  between(first: number, last: number): number {
    return first + (this.word() % (last - first + 1));
  }

  /** One of `items`. */
  oneOf<T>(items: readonly T[]): T {
    return items[this.word() % items.length]!;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.word() & 255);
  }
}

const WORDS = "the of page dirty and to card memory a in migration is it block x 0x1f ; { } return\n".split(
  " ",
);

function text(draws: Draws, length: number): Uint8Array {
  let written = "";
  while (written.length < length) written += `${draws.oneOf(WORDS)} `;
  return new TextEncoder().encode(written).slice(0, length);
}

/** Bytes of the last `reach` repeated, one new byte now and then: matches of every length and distance. */
function copies(draws: Draws, length: number, reach: number): Uint8Array {
  const out = draws.bytes(length);
  for (let at = draws.between(1, 64); at < length; at += draws.between(0, 20)) {
    const distance = draws.between(1, Math.min(at, reach));
    const end = Math.min(length, at + draws.between(1, draws.oneOf([6, 40, 40, 400])));
    for (; at < end; at++) out[at] = out[at - distance]!;
  }
  return out;
}

/** Mostly zeros, with a written word here and there: a heap page. */
function sparse(draws: Draws, length: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let at = draws.between(0, 90); at + 4 < length; at += draws.between(4, 90)) {
    out.set(draws.bytes(draws.between(1, 4)), at);
  }
  return out;
}

/** The kinds of contents: each makes `length` bytes. */
export const KINDS: Readonly<Record<string, (draws: Draws, length: number) => Uint8Array>> = {
  zero: (_draws, length) => new Uint8Array(length),
  random: (draws, length) => draws.bytes(length),
  text,
  sparse,
  shortPeriod: (draws, length) => {
    const period = draws.bytes(draws.between(1, 40));
    return Uint8Array.from({ length }, (_, at) => period[at % period.length]!);
  },
  twoLetters: (draws, length) => Uint8Array.from({ length }, () => draws.word() & 1),
  nearCopies: (draws, length) => copies(draws, length, 64),
  farCopies: (draws, length) => copies(draws, length, 65536),
  pointers: (draws, length) =>
    Uint8Array.from({ length }, (_, at) => (at % 8 < 2 ? draws.word() & 255 : [0x55, 0x7f, 0, 0][at % 4]!)),
  pieces: (draws, length) => {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const piece = draws.oneOf([text, sparse, (d: Draws, n: number) => d.bytes(n)])(
        draws,
        Math.min(length - at, draws.between(20, 900)),
      );
      out.set(piece, at);
      at += piece.length;
    }
    return out;
  },
};

/** Contents of a drawn kind. */
export function anyContents(draws: Draws, length: number): Uint8Array {
  return draws.oneOf(Object.values(KINDS))(draws, length);
}

/** A page and what some writes have made of it. */
export function writtenPage(draws: Draws, length: number): [Uint8Array, Uint8Array] {
  const old = anyContents(draws, length);
  const page = old.slice();
  const most = draws.oneOf([1, 2, 9, 200]);
  for (let writes = draws.between(0, draws.oneOf([1, 4, 60, 400])); writes > 0; writes--) {
    const count = Math.min(length, draws.between(1, most));
    const at = draws.oneOf([0, length - count, draws.between(0, length - count)]);
    // some writes write what is there
    if (draws.between(0, 4) > 0) page.set(draws.bytes(count), at);
  }
  return [old, page];
}

/** Every 4 KiB body in the shipped recording of Redis: its initial image, then all epochs. */
export function recordedPages(): Uint8Array[] {
  const path = new URL("../../../sim/traces/host-redis-small.mdt", import.meta.url).pathname;
  const source = fileSource(path);
  const trace = openMdt(source, path);
  const pages: Uint8Array[] = [];
  for (const { body } of initialPages(trace)) if (body !== null) pages.push(body.slice());
  for (const epoch of epochs(trace, null)) {
    for (const body of epoch.bodies ?? []) if (body !== null) pages.push(body.slice());
  }
  source.close();
  return pages;
}
