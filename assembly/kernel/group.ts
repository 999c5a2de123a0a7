// SPDX-License-Identifier: Apache-2.0
// Write protection in groups: a fault makes more pages writable than the one it is about, and all of them
// count as dirty (Reuther, US 2011/0302577). Fewer faults, and pages that are sent again without need.
//
// Models: the pages that a fault at page p opens, N = `tracker.group` being the most:
//   static:     the N pages of p's aligned block of N.
//   counter:    the aligned block of 2^k pages, k = min(log2 N, times that pages of p's block of N have been
//               collected to be sent again).
//   contiguity: p and the pages above it, min(N, 1 + b) in all, b = writable pages directly below p.
//   Pages end with memory.
// How long: `protectPage` for each page opened beside p, on the vCPU that faults, behind `writeFault`.
// Limits: a working set of W pages that is written all over between two collections faults W times with N = 1
//   and W / N times with static groups; of M pages opened at most M - M / N are falsely dirty.
// Leaves out: that mapping a range costs less than its pages one by one.
// Numbers: the three ways are the patent's claims 1 to 3; that a counter doubles a group, that a contiguous
//   run grows upwards, and what a page costs, are assumed.
import {
  BATCH_PAGES,
  GROUPS_CONTIGUITY,
  GROUPS_COUNTER,
  G_PAGES,
  G_TRACKER_GROUP,
  G_TRACKER_RULE,
  S_HOST_PROTECT_PAGE,
} from "../abi";
import { isDirty, isTracking, markDirty } from "./dirty";
import { reserve } from "./memory";
import { g32, p } from "./params";

/** True when a fault may open more than one page. */
export let grouped: bool = false;

let pages: u32 = 0;
let most: u32 = 1;
let mostLog: u32 = 0;
let rule: u32 = 0;
let pageTicks: u64 = 0;
let written: usize = 0; // pages written since their mark was taken, a bit each
let sentAgain: usize = 0; // times that a block's pages were collected again, a byte each, 255 at most

export function buildGroups(): bool {
  pages = g32(G_PAGES);
  most = g32(G_TRACKER_GROUP);
  grouped = most > 1;
  if (!grouped) return true;
  mostLog = <u32>ctz(most);
  rule = g32(G_TRACKER_RULE);
  pageTicks = p(0, S_HOST_PROTECT_PAGE);
  const batches = (<u64>pages + BATCH_PAGES - 1) / BATCH_PAGES;
  written = reserve(batches * (BATCH_PAGES / 8));
  sentAgain = reserve((batches * BATCH_PAGES) >> mostLog);
  return written != 0 && sentAgain != 0;
}

/** A page has been written while pages are tracked. */
export function writtenInGroup(pfn: u32): void {
  if (!isTracking()) return;
  const at = written + (((<usize>pfn) >> 5) << 2);
  store<u32>(at, load<u32>(at) | ((<u32>1) << (pfn & 31)));
}

/** Opens the group of a page that has faulted; what that costs beside the fault, in ticks. */
export function openGroup(pfn: u32): u64 {
  let from = pfn;
  let size = most;
  if (rule == GROUPS_CONTIGUITY) {
    size = 1;
    while (size < most && size <= pfn && isDirty(pfn - size)) size++;
  } else {
    if (rule == GROUPS_COUNTER) {
      const again: u32 = load<u8>(sentAgain + (pfn >> mostLog));
      size = (<u32>1) << (again < mostLog ? again : mostLog);
    }
    from = pfn & ~(size - 1);
  }
  let opened: u32 = 0;
  for (let q = from; q < from + size && q < pages; q++) if (markDirty(q)) opened++;
  return opened * pageTicks;
}

/** The marks of a batch have been taken to send its pages again; returns those that nobody has written. */
export function collectGroups(batch: u32, bits: usize, again: bool): u32 {
  const at = written + <usize>batch * (BATCH_PAGES / 8);
  let n: u32 = 0;
  for (let i: u32 = 0; i < BATCH_PAGES / 8; i += 8)
    n += <u32>popcnt(load<u64>(bits + i) & ~load<u64>(at + i));
  memory.fill(at, 0, BATCH_PAGES / 8);
  if (!again) return 0;
  for (let page: u32 = 0; page < BATCH_PAGES; page += most) {
    const block = sentAgain + ((<usize>batch * BATCH_PAGES + page) >> mostLog);
    if (anyOf(bits, page) && load<u8>(block) < 255) store<u8>(block, load<u8>(block) + 1);
  }
  return n;
}

/** Whether a page of the block that begins with this page of a batch is in its bitmap. */
function anyOf(bits: usize, page: u32): bool {
  for (let q = page; q < page + most; q++) {
    if ((load<u32>(bits + ((q >> 5) << 2)) & ((<u32>1) << (q & 31))) != 0) return true;
  }
  return false;
}

/** Pages of a batch are marked again that have been counted: as if they had been written. */
export function restoreGroups(batch: u32, bits: usize): void {
  const at = written + <usize>batch * (BATCH_PAGES / 8);
  for (let i: u32 = 0; i < BATCH_PAGES / 8; i += 8)
    store<u64>(at + i, load<u64>(at + i) | load<u64>(bits + i));
}
