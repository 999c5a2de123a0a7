// SPDX-License-Identifier: Apache-2.0
// Deltas of pages: XBZRLE of the core beside the slow one.
import { Codecs } from "../reference/codecs.ts";
import { Draws, writtenPage } from "../reference/inputs.ts";
import { decodeXbzrle, encodeXbzrle } from "../reference/xbzrle.ts";
import { same } from "./expect.ts";

const hex = (bytes: Uint8Array | null): string =>
  bytes === null ? "none" : Buffer.from(bytes).toString("hex");

/** Deltas of pages that have been written to, the pages that they make, and deltas that are damaged. */
export function checkDeltas(): void {
  const codecs = new Codecs();
  const draws = new Draws(23);
  for (let round = 0; round < 300; round++) {
    const [old, page] = writtenPage(draws, draws.oneOf([4096, 300, draws.between(1, 40)]));
    const delta = encodeXbzrle(old, page);
    same("xbzrleEncode: delta", hex(codecs.encodeDelta(old, page, delta.length)), hex(delta));
    if (delta.length > 0) same("xbzrleEncode: room", codecs.encodeDelta(old, page, delta.length - 1), null);
    same("xbzrleDecode: page", hex(codecs.decodeDelta(delta, old)), hex(page));
    const damaged = Uint8Array.from([...delta, ...draws.bytes(draws.between(1, 3))]);
    damaged[draws.between(0, delta.length)] = draws.word();
    same("xbzrleDecode: damage", hex(codecs.decodeDelta(damaged, old)), hex(decodeXbzrle(damaged, old)));
  }
}
