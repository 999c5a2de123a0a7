// SPDX-License-Identifier: Apache-2.0
// What guest memory holds on both servers: versions always, contents as words (sized), bytes (full), or both
// for one page in N (sampled). Plain storage: who may touch it when is the units' business.
import {
  CONTENT_FULL,
  CONTENT_SIZED,
  G_CONTENT,
  G_DELTA_SETS,
  G_DEVICE_BYTES,
  G_PAGES,
  G_SAMPLE_EVERY,
  PAGE_BYTES,
} from "../abi";
import { reserve } from "./memory";
import { g32 } from "./params";
import { stateRoom } from "./storage-params";

/** Version of a page that the destination has never placed. */
export const ABSENT: u32 = 0xffffffff;

/** Bytes of device state to be sent: the guest's, and those of an adapter once it has been stopped. */
export let deviceBytes: u32 = 0;

let pages: u32 = 0;
let mode: u32 = 0;
let every: u32 = 1;
let sourceEvery: u32 = 1;
/** True when deltas of pages are sent: the source then has the bytes of all of its pages. */
export let deltas: bool = false;
let sourceVersions: usize = 0;
let sourceWords: usize = 0;
let sourceImage: usize = 0;
let placedVersions: usize = 0;
let placedImage: usize = 0;
let deviceSource: usize = 0;
let devicePlaced: usize = 0;

/** Lays out the memories of both servers; false when 4 GiB do not hold them. */
export function buildPages(): bool {
  pages = g32(G_PAGES);
  mode = g32(G_CONTENT);
  every = mode == CONTENT_FULL ? 1 : g32(G_SAMPLE_EVERY);
  deltas = g32(G_DELTA_SETS) != 0;
  sourceEvery = deltas ? 1 : every;
  const carried: u64 = mode == CONTENT_SIZED ? 0 : (<u64>pages + every - 1) / every;
  sourceVersions = reserve(<u64>pages * 4);
  sourceWords = reserve(mode == CONTENT_FULL ? 64 : <u64>pages * 4);
  placedVersions = reserve(<u64>pages * 4);
  sourceImage = reserve((deltas ? <u64>pages : carried) * PAGE_BYTES + 64);
  placedImage = reserve(carried * PAGE_BYTES + 64);
  deviceBytes = g32(G_DEVICE_BYTES);
  deviceSource = reserve(<u64>deviceBytes + stateRoom() + PAGE_BYTES);
  devicePlaced = reserve(<u64>deviceBytes + stateRoom() + PAGE_BYTES);
  if (!sourceVersions || !sourceWords || !placedVersions || !sourceImage || !placedImage) return false;
  memory.fill(placedVersions, 0xff, <usize>pages * 4);
  return deviceSource != 0 && devicePlaced != 0;
}

/** True when the bytes of a page are carried. */
// @ts-ignore: decorator
@inline
export function carries(pfn: u32): bool {
  if (mode == CONTENT_SIZED) return false;
  return mode == CONTENT_FULL || pfn % every == 0;
}

/** True when the source has the bytes of a page. */
// @ts-ignore: decorator
@inline
export function keeps(pfn: u32): bool {
  return deltas || carries(pfn);
}

/** True when sizes come from content words, not from the encoder at run time. */
// @ts-ignore: decorator
@inline
export function sizedByWord(): bool {
  return mode != CONTENT_FULL;
}

// @ts-ignore: decorator
@inline
export function sourceVersion(pfn: u32): u32 {
  return load<u32>(sourceVersions + ((<usize>pfn) << 2));
}

// @ts-ignore: decorator
@inline
export function sourceWord(pfn: u32): u32 {
  return mode == CONTENT_FULL ? 0 : load<u32>(sourceWords + ((<usize>pfn) << 2));
}

/** The guest writes: a new version; returns it. */
export function newVersion(pfn: u32): u32 {
  const at = sourceVersions + ((<usize>pfn) << 2);
  const v = load<u32>(at) + 1;
  store<u32>(at, v);
  return v;
}

export function setWord(pfn: u32, word: u32): void {
  if (mode != CONTENT_FULL) store<u32>(sourceWords + ((<usize>pfn) << 2), word);
}

// @ts-ignore: decorator
@inline
export function sourcePage(pfn: u32): usize {
  return sourceImage + <usize>(pfn / sourceEvery) * PAGE_BYTES;
}

// @ts-ignore: decorator
@inline
export function placedPage(pfn: u32): usize {
  return placedImage + <usize>(pfn / every) * PAGE_BYTES;
}

// @ts-ignore: decorator
@inline
export function placedVersion(pfn: u32): u32 {
  return load<u32>(placedVersions + ((<usize>pfn) << 2));
}

// @ts-ignore: decorator
@inline
export function setPlaced(pfn: u32, version: u32): void {
  store<u32>(placedVersions + ((<usize>pfn) << 2), version);
}

/** First page whose placed version is not the source's; ABSENT when every page is the source's. */
export function firstBehind(): u32 {
  for (let pfn: u32 = 0; pfn < pages; pfn++) if (placedVersion(pfn) != sourceVersion(pfn)) return pfn;
  return ABSENT;
}

/** So many bytes of an adapter's state follow the guest's. */
export function addDevice(bytes: u32): void {
  deviceBytes = g32(G_DEVICE_BYTES) + bytes;
}

export function deviceState(): usize {
  return deviceSource;
}

export function devicePlace(): usize {
  return devicePlaced;
}

export function sourceVersionsAt(): usize {
  return sourceVersions;
}

export function sourceWordsAt(): usize {
  return sourceWords;
}

export function sourceImageAt(): usize {
  return sourceImage;
}

export function placedVersionsAt(): usize {
  return placedVersions;
}

export function placedImageAt(): usize {
  return placedImage;
}
