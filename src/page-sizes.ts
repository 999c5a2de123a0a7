// SPDX-License-Identifier: Apache-2.0
/**
 * Bytes that a page takes as a record's payload, of a run's own encoder, and bytes of a delta.
 *
 *   zero page 0; other page min(4096, what the encoder makes of it, less than 4096 by `bailMargin` at least)
 *
 * Without compression the encoder is liblz4's. An engine that is known by a ratio or by zlib's sizes alone
 * may be better or worse than LZ4: of it and of liblz4 the smaller counts. Sizes of the core's encoders are
 * kept by the hash of the contents (card/sizing).
 */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import { givenWords, keptBytes } from "./given-sizes.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import { isZero } from "./trace/payload.ts";

/** Sizes of pages under what a scenario encodes by. */
export class PageSizes {
  readonly #core: Core;
  readonly #at: number;
  readonly #on: boolean;
  readonly #margin: number;
  readonly #given: ((body: Uint8Array) => number) | null;

  /** @param core of a run of the scenario that is at its end: its encoder works on, its books are read */
  constructor(core: Core, { compress, sides }: ResolvedScenario) {
    const lz = sides.source.card.compressor;
    this.#core = core;
    this.#at = core.address("scratch");
    this.#on = compress.engine !== "off";
    this.#margin = this.#on ? lz.bailMarginBytes : 0;
    this.#given = this.#on ? givenWords(lz) : null;
  }

  /** A page that comes to so many bytes; one that saves too little stays raw. */
  kept(size: number): number {
    return size === 0 ? abi.PAGE_BYTES : keptBytes(size, this.#margin);
  }

  #call(name: string, ...args: number[]): number {
    return Number(this.#core.fn(name)(...args));
  }

  /** Of a page of 4096 bytes. */
  of(body: Uint8Array): number {
    if (isZero(body)) return 0;
    if (this.#on) {
      const size = this.#core.contentWord(body) & abi.WORD_SIZE_MASK;
      return this.#given === null ? size : Math.min(size, this.#given(body) & abi.WORD_SIZE_MASK);
    }
    this.#core.u8.set(body, this.#at);
    // the room behind the page holds 8192 bytes, more than any block of a page
    const out = this.#at + abi.PAGE_BYTES;
    return this.kept(this.#call("lz4Compress", this.#at, abi.PAGE_BYTES, out, 2 * abi.PAGE_BYTES));
  }

  /** Of the XBZRLE delta that brings `old` to `page`; 4096 where it takes as much or more. */
  delta(old: Uint8Array, page: Uint8Array): number {
    const [from, to, out] = [this.#at, this.#at + abi.PAGE_BYTES, this.#at + 2 * abi.PAGE_BYTES];
    this.#core.u8.set(old, from);
    this.#core.u8.set(page, to);
    const size = this.#call("xbzrleEncode", from, to, abi.PAGE_BYTES, out, abi.PAGE_BYTES - 1);
    return size < 0 ? abi.PAGE_BYTES : size;
  }
}
