// SPDX-License-Identifier: Apache-2.0
/** Sizes of pages under engines that the core does not model, as content words of assembly/abi.ts. */
import * as abi from "../assembly/abi.ts";
import type { ResolvedCard, ResolvedScenario } from "./scenario/types.ts";
import { deflateRaw } from "./trace/deflate.ts";

/** Content word of a body of 4096 bytes. */
export type WordOf = (body: Uint8Array) => number;

/**
 * Words of an engine whose sizes are a stand-in's: fflate's DEFLATE, which is the same in Node and a
 * browser, or one ratio for all pages. null where the core knows the sizes itself.
 */
export function givenWords({ rated, bailMarginBytes }: ResolvedCard["compressor"]): WordOf | null {
  if (rated === null || rated.sizes === "liblz4") return null;
  const { level, ratioPerMille } = rated;
  const sizeOf = (body: Uint8Array): number =>
    level === null
      ? Math.round((abi.PAGE_BYTES * 1000) / ratioPerMille!)
      : deflateRaw(body, level as Parameters<typeof deflateRaw>[1]).length;
  return (body) => {
    if (body.every((byte) => byte === 0)) return abi.WORD_ZERO;
    const size = sizeOf(body);
    const kept = size + bailMarginBytes > abi.PAGE_BYTES ? abi.PAGE_BYTES : size;
    // the engine is taken for the bytes that it takes in
    return kept | (abi.PAGE_BYTES << abi.WORD_CYCLES_SHIFT);
  };
}

/** What gives the content words of a run, where its scenario names an engine that the core does not model. */
export function wordsOf({ compress, sides }: ResolvedScenario): WordOf | undefined {
  return compress.engine === "off" ? undefined : (givenWords(sides.source.card.compressor) ?? undefined);
}
