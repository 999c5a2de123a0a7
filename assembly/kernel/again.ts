// SPDX-License-Identifier: Apache-2.0
// Records that are asked for again (docs/model.md section 17, `migration.onTagFailure: ask-again`): the
// destination's card names the number of a page record whose tag does not fit, up to so many in a migration;
// the source's card, which keeps the page numbers of the records it numbered last, reads that page once more
// and sends it under a number of its own. What it reads is no older than what was spoilt, and a round is not
// placed before it has come.
// Leaves out: other records than those of pages, which no fault spoils; a spoilt header, since the number is
// counted along the stream.
//
//   a record that was numbered, 16 bytes: | number u32 | page u32 | round u32 | 1 of a zero page u32 |
import { C_ASKED_AGAIN, G_ASK_AGAIN, RECORDS_MAX, U_CONTROL } from "../abi";
import { JOB_PAGE, JOB_ZERO, Job, job, takeJob } from "./jobs";
import { reserve } from "./memory";
import { g32 } from "./params";
import { progress } from "./progress";
import { wake } from "./schedule";
import { count } from "./stats";

/** A record is asked for so often at most, so that the lists hold all. */
export const ASK_MAX: u32 = 64;
const ASKS = memory.data(256, 16);
const PAGES = memory.data(256, 16);
if (ASK_MAX * 4 != 256) ERROR("records asked for again");

/** True when a record whose tag does not fit is asked for again. */
export let asking: bool = false;
let table: usize = 0;
let asked: u32 = 0; // by the destination
let told: u32 = 0; // of them, sent to the source
let found: u32 = 0; // at the source: asked for, and known
let taken: u32 = 0; // of them, handed to the descriptors

/** Lays out what the source keeps; false when there is no room. */
export function buildAgain(): bool {
  asking = g32(G_ASK_AGAIN) != 0;
  asked = 0;
  told = 0;
  found = 0;
  taken = 0;
  table = asking ? reserve(<u64>RECORDS_MAX * 16) : 0;
  return !asking || table != 0;
}

// @ts-ignore: decorator
@inline
function entryOf(number: u32): usize {
  return table + ((<usize>(number & (RECORDS_MAX - 1))) << 4);
}

/** The source has numbered a record. */
export function remember(j: Job): void {
  if (j.kind != JOB_PAGE && j.kind != JOB_ZERO) return;
  const at = entryOf(<u32>j.nonce);
  store<u32>(at, <u32>j.nonce);
  store<u32>(at, j.pfn, 4);
  store<u32>(at, j.round, 8);
  store<u32>(at, j.kind == JOB_ZERO ? 1 : 0, 12);
}

/** Destination: a tag does not fit. False when no record is asked for any more. */
export function asks(side: u32, j: Job, t: u64): bool {
  if (!asking || asked == min(g32(G_ASK_AGAIN), ASK_MAX) || side == 0) return false;
  store<u32>(ASKS + (asked++ << 2), <u32>j.nonce);
  count(side, C_ASKED_AGAIN, 1);
  wake(side, U_CONTROL, t);
  return true;
}

/** Destination: whether a record is to be asked for; then the number of the next. */
export function toAsk(): bool {
  return told != asked;
}

export function nextAsked(): u32 {
  return load<u32>(ASKS + (told++ << 2));
}

/** Source: the peer asks for a record. False when it is not known any more. */
export function askedFor(number: u32): bool {
  if (load<u32>(entryOf(number)) != number) return false;
  store<u32>(PAGES + (found++ << 2), number);
  return true;
}

/** Source: whether a page is to be read again; then the job of the next. */
export function toRead(): bool {
  return taken != found;
}

export function nextRead(side: u32): u32 {
  const at = entryOf(load<u32>(PAGES + (taken++ << 2)));
  const index = takeJob(side, JOB_PAGE);
  const j = job(side, index);
  j.pfn = load<u32>(at, 4);
  j.round = load<u32>(at, 8);
  // it is not counted as a zero page of the round twice
  progress(side).roundZero += load<u32>(at, 12);
  return index;
}
