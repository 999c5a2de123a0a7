// SPDX-License-Identifier: Apache-2.0
// What software on the host makes of a page before it hands it over: nothing of a zero page, a coded page, or
// the page as it stands. The encoder is that of the run.
import { PAGE_BYTES, WORD_SIZE_MASK, WORD_ZERO } from "../abi";
import { encodeJob } from "./encoder";

function isZero(page: usize): bool {
  let any: u64 = 0;
  for (let i: usize = 0; i < PAGE_BYTES; i += 8) any |= load<u64>(page + i);
  return any == 0;
}

/**
 * Bytes that a page is handed over in: 0 of a zero page, 4096 of one that stays raw. `word` is its content
 * word where `sized`; `from` is where it lies, 0 when its bytes are not carried, and `to` where they go.
 */
export function handedBytes(word: u32, sized: bool, from: usize, to: usize, compresses: bool): u32 {
  if (sized ? (word & WORD_ZERO) != 0 : isZero(from)) return 0;
  let size: u32 = PAGE_BYTES;
  if (compresses) {
    const coded = from == 0 ? 0 : encodeJob(from, PAGE_BYTES, to, PAGE_BYTES);
    size = sized ? word & WORD_SIZE_MASK : coded;
    if (size == 0 || size > PAGE_BYTES) size = PAGE_BYTES;
  }
  if (size == PAGE_BYTES && from != 0) memory.copy(to, from, PAGE_BYTES);
  return size;
}
