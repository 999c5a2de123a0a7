// SPDX-License-Identifier: Apache-2.0
// Content words: what the compressor would make of a page, computed once when the page's content is known,
// and kept by the hash of the content. `sized` runs carry words instead of bytes.
//
//   memo entry, 16 bytes: | hash u64 | word u32 | used u32 |, two ways a set
import {
  C_MEMO_HITS,
  C_MEMO_MISSES,
  G_COMPRESS,
  PAGE_BYTES,
  WORD_CYCLES_MASK,
  WORD_CYCLES_SHIFT,
  WORD_ZERO,
} from "../abi";
import { encodeJob, encodeSpan } from "../codec/encoder";
import { g32 } from "../kernel/params";
import { count } from "../kernel/stats";

const SETS: u32 = 16384;
const MEMO = memory.data(524288, 16);
const SCRATCH = memory.data(12288, 64);

/** Scratch room of the harness: a page at its start, room for its coded form behind. */
export function scratch(): usize {
  return SCRATCH;
}

/** Empties the memo: the encoder has been configured anew. */
export function memoReset(): void {
  memory.fill(MEMO, 0, 524288);
}

/** The content word of the 4096 bytes at `page`. */
export function contentWord(page: usize): u32 {
  let hash: u64 = 0x9e3779b97f4a7c15;
  let any: u64 = 0;
  for (let i: usize = 0; i < PAGE_BYTES; i += 8) {
    const w = load<u64>(page + i);
    any |= w;
    hash = rotl<u64>((hash ^ w) * 0xff51afd7ed558ccd, 29);
  }
  if (any == 0) return WORD_ZERO;
  hash ^= hash >> 33;
  const set = MEMO + (((<u32>hash) & (SETS - 1)) << 5);
  for (let way: usize = 0; way < 32; way += 16) {
    if (load<u64>(set + way) == hash && load<u32>(set + way, 12) != 0) {
      count(0, C_MEMO_HITS, 1);
      return load<u32>(set + way, 8);
    }
  }
  count(0, C_MEMO_MISSES, 1);
  const word = encode(page);
  memory.copy(set + 16, set, 16);
  store<u64>(set, hash);
  store<u32>(set, word, 8);
  store<u32>(set, 1, 12);
  return word;
}

function encode(page: usize): u32 {
  if (g32(G_COMPRESS) == 0) return PAGE_BYTES;
  const size = encodeJob(page, PAGE_BYTES, SCRATCH + 2 * PAGE_BYTES, PAGE_BYTES);
  const cycles = encodeSpan(PAGE_BYTES);
  assert(cycles <= WORD_CYCLES_MASK, "clocks of a page do not fit its word");
  return (size == 0 ? PAGE_BYTES : size) | (cycles << WORD_CYCLES_SHIFT);
}
