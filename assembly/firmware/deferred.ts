// SPDX-License-Identifier: Apache-2.0
// Firmware of a destination's card that decrypts on demand (kernel/deferred).
//
// Models: the resume set is opened, then batches of pages that are sealed are told to the front-end as
//   missing ones are (M_MISSING), then RESUME; from the word of the resume on pages unasked, and those that
//   the front-end asks for before all that wait for their descriptor.
// How long: a page costs its share of a descriptor batch, as one that is read at the source does; a page that
//   is asked for the interrupt of its message.
// Leaves out: cycles to look through the table (a page is found as another one is handed over).
import { C_CROSSED, K_ASKED, K_RESUMED, M_MISSING, Q_FOUND, T_DECRYPT } from "../abi";
import { addressBytes } from "../kernel/batch";
import {
  batchToTell,
  guestHere,
  nextUnasked,
  resumeSetPlain,
  sealedBits,
  sealedBytes,
  takeAsked,
  tellsOfPages,
  toldOf,
} from "../kernel/deferred";
import { push, pushFirst, queue } from "../kernel/fifo";
import { ASKED, JOB_PAGE, KEPT, RESIDUAL, job, takeJob } from "../kernel/jobs";
import { NO_MESSAGE } from "../kernel/message";
import { ABSENT } from "../kernel/pages";
import { bitsIn } from "../kernel/residual";
import { count } from "../kernel/stats";
import { happened } from "../kernel/timeline";
import { next, tell } from "./telling";

/** The front-end has resumed the guest. */
export function onResumedHere(t: u64): void {
  if (isDefined(TIMELINE)) happened(T_DECRYPT, 1, K_RESUMED, t, 0, 0, 0);
  guestHere(t);
}

/** The front-end asks for a page that has not been handed over. */
export function onPageAsked(pfn: u32, t: u64): void {
  if (isDefined(TIMELINE)) happened(T_DECRYPT, 1, K_ASKED, t, pfn, 0, 0);
  if (!takeAsked(pfn, t)) count(1, C_CROSSED, 1);
  else pushFirst(queue(1, Q_FOUND), readBack(pfn, ASKED), next(1, t));
}

/** The job of a sealed page that is read back. */
function readBack(pfn: u32, flags: u32): u32 {
  const index = takeJob(1, JOB_PAGE);
  const j = job(1, index);
  j.pfn = pfn;
  j.link = 1;
  j.bytes = (sealedBytes(pfn) + 3) & ~3;
  j.flags = flags | KEPT | (tellsOfPages() ? RESIDUAL : 0);
  return index;
}

/** Looks at what has changed. */
export function pollDeferred(t: u64): void {
  resumeSetPlain(t);
  for (let batch = batchToTell(); batch != ABSENT; batch = batchToTell()) {
    const bits = sealedBits(batch);
    const m = tell(1, M_MISSING, addressBytes(bits, bitsIn(bits)), next(1, t));
    if (m == NO_MESSAGE) return;
    m.a = batch;
    toldOf(batch);
  }
  for (let pfn = nextUnasked(t); pfn != ABSENT; pfn = nextUnasked(t)) {
    push(queue(1, Q_FOUND), readBack(pfn, 0), next(1, t));
  }
}
