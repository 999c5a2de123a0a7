// SPDX-License-Identifier: Apache-2.0
// Page bodies by content class, for guests and traces that have none of their own. Deterministic: class,
// index and seed give the same bytes on every machine.
import { hash, SALT } from "./hash.ts";

/** Content classes in the order of `Mix`. */
export type ContentClass = "zero" | "text" | "random";

/** Weights of the classes; only their ratio counts. */
export interface Mix {
  readonly zero: number;
  readonly text: number;
  readonly random: number;
}

/** Different bodies per class. */
export const BODIES_PER_CLASS = 1024;
/** Content ids: 0 = zero page, then the text bodies, then the random ones. */
export const ZERO_CONTENT = 0;
export const FIRST_TEXT = 1;
export const FIRST_RANDOM = FIRST_TEXT + BODIES_PER_CLASS;
export const CLASS_CONTENTS = FIRST_RANDOM + BODIES_PER_CLASS;

const WORDS = (
  "the a of and to in is was for with page cache queue shard lease index value record table column " +
  "session request reply token bucket worker router packet buffer device driver server client account " +
  "order invoice region tenant cluster replica leader window timer retry commit rollback snapshot " +
  "journal segment offset length header footer marker cursor thread event signal handle socket stream " +
  "channel credit debit balance customer product catalog warehouse shipment payment receipt status " +
  "pending active closed failed ready green amber violet copper granite harbor meadow orchard river " +
  "summit valley winter summer autumn morning between after before during while under over near along " +
  "toward against without within every other first second third next last open close read write load " +
  "store merge split copy move scan seek push pull wait wake sleep start stop begin end left right " +
  "upper lower small large early late fast slow warm cold"
).split(" ");
const BREAKS = ["\n", "; ", ", ", ".\n", ": ", " = "];
// A page has 24 phrases of four pieces; their hashes are numbered from here on.
const PHRASE_STEPS = 1 << 20;
const PHRASE_WORDS = 4;
const PHRASES = 24;
const ENCODED_WORDS = WORDS.map((word) => Uint8Array.from(`${word} `, (c) => c.charCodeAt(0)));
const ENCODED_BREAKS = BREAKS.map((mark) => Uint8Array.from(mark, (c) => c.charCodeAt(0)));

function fillRandom(out: Uint8Array, start: number): void {
  let h = start;
  for (let at = 0; at < out.length; at++) {
    if (at % 4 === 0) h = hash(start, at);
    out[at] = h >>> (8 * (at % 4));
  }
}

/** What step `h` of a text writes: a number, a break or a word. */
function piece(h: number): Uint8Array {
  const choice = h & 31;
  if (choice < 2) return Uint8Array.from(`${h >>> 12} `, (c) => c.charCodeAt(0));
  if (choice < 6) return ENCODED_BREAKS[(h >>> 5) % ENCODED_BREAKS.length]!;
  return ENCODED_WORDS[(h >>> 5) % ENCODED_WORDS.length]!;
}

/**
 * Words, now and then a number or a break; one step in four is a phrase that the page has used before, as in
 * logs and records. A 4 KiB body shrinks to about half under LZ4 (ratio 2.1).
 */
function fillText(out: Uint8Array, start: number): void {
  for (let at = 0, step = 0; at < out.length; step++) {
    const h = hash(start, step);
    const phrase = h >>> 30 === 0;
    const first = phrase ? PHRASE_STEPS + ((h >>> 8) % PHRASES) * PHRASE_WORDS : step;
    for (let k = 0; k < (phrase ? PHRASE_WORDS : 1) && at < out.length; k++) {
      const bytes = piece(hash(start, first + k));
      out.set(bytes.subarray(0, out.length - at), at);
      at += bytes.length;
    }
  }
}

/**
 * Fills `out` (one page) with body `index` (0 .. BODIES_PER_CLASS - 1) of a class under `seed`.
 * Text is never all zero; a random body of a page is not either.
 */
export function makeBody(kind: ContentClass, index: number, seed: number, out: Uint8Array): void {
  if (kind === "zero") out.fill(0);
  else if (kind === "text") fillText(out, hash(seed, SALT.content, 1, index));
  else fillRandom(out, hash(seed, SALT.content, 2, index));
}

/** Bodies of the classes by content id, made when first asked for. */
export class ClassContents {
  private readonly seed: number;
  private readonly pageBytes: number;
  private readonly made: (Uint8Array | undefined)[] = new Array(CLASS_CONTENTS);

  constructor(seed: number, pageBytes: number) {
    this.seed = seed;
    this.pageBytes = pageBytes;
  }

  /** Body of content id 0 .. CLASS_CONTENTS - 1. Not to be written to. */
  body(id: number): Uint8Array {
    let body = this.made[id];
    if (body === undefined) {
      body = new Uint8Array(this.pageBytes);
      if (id >= FIRST_RANDOM) makeBody("random", id - FIRST_RANDOM, this.seed, body);
      else if (id >= FIRST_TEXT) makeBody("text", id - FIRST_TEXT, this.seed, body);
      this.made[id] = body;
    }
    return body;
  }
}

/** Draws content ids by class weights. */
export class MixDraw {
  private readonly zeroBelow: number;
  private readonly textBelow: number;

  /** Throws RangeError unless the weights are finite, not negative and not all 0. */
  constructor(mix: Mix) {
    const total = mix.zero + mix.text + mix.random;
    const legal = [mix.zero, mix.text, mix.random].every((w) => Number.isFinite(w) && w >= 0);
    if (!legal || total <= 0) throw new RangeError("mix: the weights must not be negative nor all 0");
    this.zeroBelow = Math.round((mix.zero * 2 ** 32) / total);
    this.textBelow = Math.round(((mix.zero + mix.text) * 2 ** 32) / total);
  }

  /** Content id for a uniform u32 `h`; `h2` chooses the body within its class. */
  id(h: number, h2: number): number {
    if (h < this.zeroBelow) return ZERO_CONTENT;
    return (h < this.textBelow ? FIRST_TEXT : FIRST_RANDOM) + (h2 >>> 22);
  }

  /** The same among the classes that are not zero; zero if there are none. */
  nonZeroId(h: number, h2: number): number {
    const span = 2 ** 32 - this.zeroBelow;
    if (span <= 0) return ZERO_CONTENT;
    return this.id(this.zeroBelow + Math.floor((h * span) / 2 ** 32), h2);
  }
}
