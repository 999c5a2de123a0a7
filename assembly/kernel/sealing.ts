// SPDX-License-Identifier: Apache-2.0
// Records that a host seals, with the header and IV of kernel/record. It shares link B's numbers and key
// with its card: the front-end numbers the pages of a message as they are begun, the card the ends of rounds,
// which follow them all. The tags of a message's pages lie behind its pages.
import { C_HOST_SEALED, I_NONCE, MESSAGE_BYTES_MAX, PAGE_BYTES, RECORD_TAG_BYTES } from "../abi";
import { giveNumbers } from "./record";
import { broken, count, evaluates } from "./stats";

let used: u64 = 0;

/** Where the tags begin in a message. */
const TAGS_AT: u32 = 15 * PAGE_BYTES;
if (TAGS_AT + 15 * RECORD_TAG_BYTES > MESSAGE_BYTES_MAX) ERROR("tags of a message");

export function buildSealing(): void {
  used = 0;
}

/** Numbers for n pages that the host seals at t, the first of them: none is given twice. */
export function numberPages(n: u32, t: u64): u64 {
  const first = giveNumbers(n);
  evaluates(I_NONCE);
  if (first <= used) broken(I_NONCE, first, used, t);
  used = first + n - 1;
  count(0, C_HOST_SEALED, n);
  return first;
}

/** Place of the tag of a message's page i, whose pages lie at `body`. */
export function tagIn(body: usize, i: u32): usize {
  return body + TAGS_AT + i * RECORD_TAG_BYTES;
}
