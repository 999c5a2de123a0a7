// SPDX-License-Identifier: Apache-2.0
// QEMU's migration thread: what it does with the next page (ram_save_target_page).
//
// Models: a page is zero or not when it is looked at. It costs the thread `normal` and 4104 bytes, or `zero`
//   and 9. With XBZRLE (kernel/qemu-cache) from the second time round on, where the cache has it, `encode`
//   and 11 bytes and its delta, or nothing when it is the same; until the last stage pages are copied into
//   the buffer. The destination has what it is sent at once, and applies a delta to the copy that it has.
//   With multifd (kernel/qemu-multifd) it is queued, and looked at by its channel.
import {
  PAGE_BYTES,
  QP_NORMAL,
  QP_QUEUE,
  QP_XBZRLE_SLOTS,
  QP_XBZRLE_TICKS,
  QP_ZERO,
  QR_NORMAL,
  QR_PENDING,
  QR_SYNCS,
  QR_XBZRLE_BYTES,
  QR_XBZRLE_MISSES,
  QR_XBZRLE_OVERFLOWS,
  QR_XBZRLE_PAGES,
  QR_XBZRLE_SAME,
  QR_ZERO,
} from "../abi";
import { pending, takeNext } from "./bitmap";
import { delta, deltaBytes, deltaSize, encodePage, keepPage, MISS, OVERFLOW, SAME } from "./qemu-cache";
import { isZero, place, placeDelta, placeSame, placeZero, versionOf } from "./qemu-content";
import { drain, overChannels, queuePage } from "./qemu-multifd";
import { putCopied, putPage, putZero, q, read, tell, tellMore, work } from "./qemu-stream";

/** No page. */
export const NONE: u32 = 0xffffffff;

let lastIndex: u32 = NONE;
let encodes: bool = false; // the scan has come round, and XBZRLE is on
/** A page that has been taken and waits for channels to be done. */
export let held: u32 = NONE;
/** What was taken last was not sent: the destination has it, or it waits. */
export let skipped: bool = false;

export function buildSending(): void {
  lastIndex = held = NONE;
  encodes = skipped = false;
}

/** Sends the next page at t; returns when the thread may go on. */
export function sendPage(t: u64, lastStage: bool): u64 {
  const index = takeNext();
  tell(QR_PENDING, pending);
  skipped = false;
  const round = lastIndex != NONE && index <= lastIndex;
  if (round) encodes = q(QP_XBZRLE_SLOTS) != 0;
  lastIndex = index;
  if (overChannels()) {
    if (!round) return sendHeld(t, index);
    drain();
    held = index;
    skipped = true;
    return t;
  }
  if (isZero(index)) {
    placeZero(index);
    if (encodes) keepPage(index, versionOf(index), <u32>read(QR_SYNCS));
    tellMore(QR_ZERO, 1);
    return putZero(work(t, q(QP_ZERO)));
  }
  if (encodes) return sendEncoded(t, index, lastStage);
  place(index);
  tellMore(QR_NORMAL, 1);
  return putPage(work(t, q(QP_NORMAL)), PAGE_BYTES);
}

/** Queues a page that has been taken. */
export function sendHeld(t: u64, index: u32): u64 {
  held = NONE;
  skipped = false;
  queuePage(index);
  return work(t, q(QP_QUEUE));
}

function sendEncoded(t: u64, index: u32, lastStage: bool): u64 {
  const found = encodePage(index, versionOf(index), <u32>read(QR_SYNCS), lastStage);
  if (found == MISS) tellMore(QR_XBZRLE_MISSES, 1);
  else {
    tellMore(QR_XBZRLE_PAGES, 1);
    t = work(t, q(QP_XBZRLE_TICKS));
  }
  if (found == SAME) {
    placeSame(index);
    tellMore(QR_XBZRLE_SAME, 1);
    skipped = true;
    return t;
  }
  if (found == OVERFLOW) {
    tellMore(QR_XBZRLE_OVERFLOWS, 1);
    tellMore(QR_XBZRLE_BYTES, PAGE_BYTES);
  }
  if (found == MISS || found == OVERFLOW) {
    place(index);
    tellMore(QR_NORMAL, 1);
    const done = work(t, q(QP_NORMAL));
    return lastStage ? putPage(done, PAGE_BYTES) : putCopied(done, PAGE_BYTES);
  }
  placeDelta(t, index, delta, delta == 0 ? 0 : deltaSize);
  tellMore(QR_XBZRLE_BYTES, deltaBytes());
  return putCopied(t, deltaBytes());
}
