// SPDX-License-Identifier: Apache-2.0
/** Sizes of pages under engines that the core does not model, as content words of assembly/abi.ts. */
import * as abi from "../assembly/abi.ts";
import type { ResolvedCard, ResolvedScenario } from "./scenario/types.ts";
import { deflateRaw } from "./trace/deflate.ts";

/** Content word of a body of 4096 bytes. */
export type WordOf = (body: Uint8Array) => number;

/** Bytes of a page as it goes out: raw when coding saves no more than the margin. */
export function keptBytes(size: number, bailMarginBytes: number): number {
  return size + bailMarginBytes > abi.PAGE_BYTES ? abi.PAGE_BYTES : size;
}

/** Bytes of a page at a ratio of so many bytes in for 1000 out. */
export function ratioBytes(ratioPerMille: number): number {
  return Math.round((abi.PAGE_BYTES * 1000) / ratioPerMille);
}

/**
 * Words of an engine whose sizes are a stand-in's: fflate's DEFLATE, which is the same in Node and a
 * browser, or one ratio for all pages. null where the core knows the sizes itself.
 */
export function givenWords({ rated, bailMarginBytes }: ResolvedCard["compressor"]): WordOf | null {
  if (rated === null || rated.sizes === "liblz4") return null;
  const { level, ratioPerMille } = rated;
  const sizeOf = (body: Uint8Array): number =>
    level === null
      ? ratioBytes(ratioPerMille!)
      : deflateRaw(body, level as Parameters<typeof deflateRaw>[1]).length;
  return (body) => {
    if (body.every((byte) => byte === 0)) return abi.WORD_ZERO;
    const size = sizeOf(body);
    const kept = keptBytes(size, bailMarginBytes);
    // the engine is taken for the bytes that it takes in
    return kept | (abi.PAGE_BYTES << abi.WORD_CYCLES_SHIFT);
  };
}

/** The word of a page of so many bytes under an engine of a given rate, which is taken for what comes in. */
export function wordOfSize({ sides }: Pick<ResolvedScenario, "sides">): (size: number) => number {
  const { bailMarginBytes } = sides.source.card.compressor;
  return (size) => {
    const kept = keptBytes(size, bailMarginBytes);
    return kept | (abi.PAGE_BYTES << abi.WORD_CYCLES_SHIFT);
  };
}

/**
 * The compressor of which a trace's recorded sizes count: that of the run, where words are all there is and
 * its clocks do not depend on contents. null: of none.
 */
export function recordedUnder(s: ResolvedScenario): string | null {
  const { content, delta, compress, sides } = s;
  if (content.mode !== "sized" || delta !== "off" || s.software !== undefined) return null;
  return compress.engine === "off" || sides.source.card.compressor.rated === null ? null : compress.engine;
}

/** What gives the content words of a run, where its scenario names an engine that the core does not model. */
export function wordsOf({ compress, sides }: ResolvedScenario): WordOf | undefined {
  return compress.engine === "off" ? undefined : (givenWords(sides.source.card.compressor) ?? undefined);
}
