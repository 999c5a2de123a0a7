// SPDX-License-Identifier: Apache-2.0
// Address Translation Services (ATS): the translation cache of a card (ATC), and who waits for an answer.
//
//   hit:   a transaction may go when it may, and the answer for its page has arrived
//   miss:  a Translation Request goes up, a non-posted TLP of 24 bytes with a header credit and a tag of the
//          ATC's own; the IOMMU answers it when it has the page, with 8 bytes (28 on the wire). What waits
//          for the page may go at max(ready, arrival of the last byte of the answer).
// Looked up in the order in which transactions are put into ports, at no time of its own. Another miss of a
// page that is being asked for waits for the same answer. `entries` pages, least recently used out; a page
// that is out before its answer is there is asked for again, and who waits for the first answer gets it. At
// most `requests` are out at a time, the others wait in order. So a card that stays within its ATC loses
// nothing to the IOMMU, and misses cost a round trip more: at most requests / (round trip + walk) a second.
// Leaves out: invalidations, the page request interface, rights, ranges of more than one page.
// Numbers: card preset `ats.*`, assumed; sizes of PCIe Base Specification 5.0 section 10.2.
import { C_ATC_HITS, C_ATC_MISSES, S_ATS_ENTRIES, S_ATS_REQUESTS, S_IOMMU_PAGE_LOG } from "../abi";
import { reserve } from "./memory";
import { p, p32 } from "./params";
import { count } from "./stats";
import { NEVER } from "./time";

/** Bytes of the translation of a page. */
export const TRANSLATION_BYTES: u32 = 8;

//  entry, 32 bytes:   | page + 1 u64 | used u64 | there u64, NEVER while it is asked for | request u32 | - |
//  waiting, 24 bytes: | ready u64 | address u64 | request u32 | - |; tag: | free from u64 |
const ENTRY: usize = 32;
const WAITING: usize = 24;
/** No more than transactions in all ports can wait. */
const WAITING_MAX: u32 = 2048;


@unmanaged
class Atc {
  entries: usize;
  size: u32;
  pageLog: u32;
  lookups: u64; // so far, for the order of use
  asked: u32; // requests so far
  requests: u32; // out at most
  tags: usize; // ring: when those that are home were free
  tagHead: u32;
  tagTail: u32;
  waiting: usize; // ring: requests without a tag
  waitHead: u32;
  waitTail: u32;
}

const ATCS = memory.data(128, 16);

if (offsetof<Atc>() > 64) ERROR("ATC record");

// @ts-ignore: decorator
@inline
function atc(side: u32): Atc {
  return changetype<Atc>(ATCS + (side << 6));
}

// @ts-ignore: decorator
@inline
export function hasAtc(side: u32): bool {
  return atc(side).size != 0;
}

/** Builds the ATC of a side, none without entries; false when memory does not hold it. */
export function buildAtc(side: u32): bool {
  const a = atc(side);
  memory.fill(changetype<usize>(a), 0, 64);
  a.size = p32(side, S_ATS_ENTRIES);
  if (a.size == 0) return true;
  a.pageLog = p32(side, S_IOMMU_PAGE_LOG);
  a.requests = p32(side, S_ATS_REQUESTS);
  a.entries = reserve(<u64>a.size * ENTRY);
  a.tags = reserve((<u64>a.requests) << 3);
  a.waiting = reserve(<u64>WAITING_MAX * WAITING);
  if (a.waiting == 0) return false;
  for (let i: u32 = 0; i < a.requests; i++) tagHome(side, 0);
  return true;
}

/** The request that brings what lookup() did not find, and whether it is one that nobody has made yet. */
export let wanted: u32 = 0;
export let fresh: bool = false;

/** From when on the translation of an address is there; NEVER when that is not known: see `wanted`. */
export function lookup(side: u32, address: u64): u64 {
  const a = atc(side);
  const page = address >> a.pageLog;
  a.lookups++;
  let oldest = a.entries;
  for (let i: u32 = 0; i < a.size; i++) {
    const at = a.entries + <usize>i * ENTRY;
    if (load<u64>(at) == page + 1) {
      store<u64>(at, a.lookups, 8);
      count(side, C_ATC_HITS, 1);
      wanted = load<u32>(at, 24);
      fresh = false;
      return load<u64>(at, 16);
    }
    if (load<u64>(at, 8) < load<u64>(oldest, 8)) oldest = at;
  }
  count(side, C_ATC_MISSES, 1);
  wanted = ++a.asked;
  fresh = true;
  store<u64>(oldest, page + 1);
  store<u64>(oldest, a.lookups, 8);
  store<u64>(oldest, NEVER, 16);
  store<u32>(oldest, wanted, 24);
  return NEVER;
}

/** Where the page of an address begins. */
export function pageOf(side: u32, address: u64): u64 {
  return (address >> atc(side).pageLog) << atc(side).pageLog;
}

/** The answer to a request is there at t. */
export function keepAnswer(side: u32, request: u32, t: u64): void {
  const a = atc(side);
  for (let i: u32 = 0; i < a.size; i++) {
    const at = a.entries + <usize>i * ENTRY;
    if (load<u32>(at, 24) == request) store<u64>(at, t, 16);
  }
}

/** A tag is free from t on. Answers arrive in order, so that the first of the ring is free first. */
export function tagHome(side: u32, t: u64): void {
  const a = atc(side);
  store<u64>(a.tags + ((<usize>(a.tagTail++ % a.requests)) << 3), t);
}

/** Takes a tag; returns from when on it is free, NEVER when none is known to be. */
export function takeTag(side: u32): u64 {
  const a = atc(side);
  if (a.tagHead == a.tagTail) return NEVER;
  return load<u64>(a.tags + ((<usize>(a.tagHead++ % a.requests)) << 3));
}

// @ts-ignore: decorator
@inline
function slot(a: Atc, index: u32): usize {
  return a.waiting + <usize>(index & (WAITING_MAX - 1)) * WAITING;
}

/** A request without a tag waits behind the others. */
export function waitForTag(side: u32, address: u64, request: u32, ready: u64): void {
  const a = atc(side);
  assert(a.waitTail - a.waitHead < WAITING_MAX, "too many translation requests wait");
  const at = slot(a, a.waitTail++);
  store<u64>(at, ready);
  store<u64>(at, address, 8);
  store<u32>(at, request, 16);
}

/** Requests that wait for a tag. */
export function untagged(side: u32): u32 {
  return atc(side).waitTail - atc(side).waitHead;
}

/** Takes the first request that waits: | ready u64 | address u64 | request u32 |. */
export function nextUntagged(side: u32): usize {
  return slot(atc(side), atc(side).waitHead++);
}
