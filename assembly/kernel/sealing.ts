// SPDX-License-Identifier: Apache-2.0
// Header and IV of a record that a host seals or opens: those of kernel/record and of the card's engines,
// which its cores make themselves. A host that seals shares link B's numbers and key with its card: the
// front-end numbers the pages of a message as they are begun, the card the ends of rounds, which come after
// all of them. The tags of a message's pages lie behind its pages.
import { C_HOST_SEALED, I_NONCE, MESSAGE_BYTES_MAX, PAGE_BYTES, RECORD_TAG_BYTES } from "../abi";
import { CODED } from "./jobs";
import { giveNumbers } from "./record";
import { broken, count, evaluates } from "./stats";

const HEADER = memory.data(16, 16);
const IV = memory.data(16, 16);
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

/** Writes the header of a page's record to a scratch place and returns its address. */
export function headerOf(pfn: u32, nonce: u64, bytes: u32, flags: u32, kind: u32, version: u32): usize {
  store<u32>(HEADER, pfn);
  store<u32>(HEADER, <u32>nonce, 4);
  store<u16>(HEADER, <u16>(bytes & (PAGE_BYTES * 2 - 1)), 8);
  store<u8>(HEADER, (flags & CODED) != 0 ? 1 : 0, 10);
  store<u8>(HEADER, <u8>kind, 11);
  store<u32>(HEADER, version, 12);
  return HEADER;
}

/** Salt of a key, then the record's number: 96 bits. */
export function ivOf(context: u32, nonce: u64): usize {
  store<u32>(IV, context);
  store<u64>(IV, nonce, 4);
  return IV;
}
