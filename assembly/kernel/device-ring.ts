// SPDX-License-Identifier: Apache-2.0
// What is known of the devices' writes: a ring of records that the card writes into host memory (US
// 9,361,145), or dirty bits of the IOMMU. Marks of their own, beside those of the CPU's tracker; a batch
// is collected from both.
//
// Models: a ring of `slots` records {page, size} with an index that grows: a slot belongs to the card
//   until its record is put, then to the host until it has been examined, and goes back with a doorbell.
//   An examination marks the pages of all records that had landed when it began, and ends there.
//   order after-data: the record is put right behind the data; before-data: when the write begins, and
//   its slot is kept, and its page marked again, until a second write tells that the data is complete.
//   Ring full: the device waits; or its write is told by a flag, for which all of its buffers are marked;
//   or by a bit of a bitmap of its buffers; or by the flag, and the migration is broken off. A fault may stop
//   the examinations by the clock for a time.
//   iommu: the bit of a page is set with the data, unless the IOTLB holds the page as dirty; all bits are
//   read and cleared together, and the IOTLB is flushed at the end of that: what lands meanwhile has no
//   bit, and is read by the card later than the flush, for its page was dirty.
// How long: an examination of n records `examine` + n `record` + w `scanWord`, w the 64-bit words of the
//   buffers that a flag or the bitmap tells of. Bits: pages x `iommuEntry` + n `iommuClear` +
//   `iotlbFlush` if n > 0.
// Limit: records come at most at slots / (time between examinations + their doorbell); a ring that holds
//   rate x that time never fills.
// Leaves out: several records in one TLP, an interrupt when the ring fills, several rings, doorbells that
//   start and stop the recording, page tables of the IOMMU with large pages.
// Numbers: host preset `tracker.*`, assumed.
//
//   slot, 8 bytes: | page u32 | 1 when its write is complete u32 |
import {
  BATCH_PAGES,
  C_DEVICE_EXAMINED,
  C_DEVICE_OVERFLOWS,
  C_DEVICE_RECORDS,
  C_DEVICE_RING_HIGH,
  DEVICES_IOMMU,
  DEVICES_MAX,
  DEVICES_RING,
  FULL_FAIL,
  FULL_SPILL,
  FULL_STALL,
  G_DEVICE_TRACKER,
  G_PAGES,
  G_POLL_STALL_AT,
  G_POLL_STALL_FOR,
  G_RECORD_FULL,
  G_RECORD_ORDER,
  G_RECORD_POLL,
  G_RECORD_SLOTS,
  I_DEVICE_RECORDED,
  I_SLOT_EXAMINED,
  L_RECORDING,
  REASON_RING,
  RECORD_BEFORE,
  S_HOST_EXAMINE,
  S_HOST_IOMMU_CLEAR,
  S_HOST_IOMMU_ENTRY,
  S_HOST_IOTLB_FLUSH,
  S_HOST_RECORD,
  S_HOST_WORD,
  TICKS_PER_NS,
  T_DEVICE,
  V_EXAMINED,
} from "../abi";
import {
  BY_BITMAP,
  BY_FLAG,
  BY_FLUSH,
  BY_NOBODY,
  BY_RECORD,
  Write,
  buildDeviceWrites,
  device,
  devices,
  write,
} from "./device-writes";
import { becomeDirty, becomesDirty } from "./dirty";
import { note } from "./log";
import { reserve } from "./memory";
import { g, g32, p } from "./params";
import { DOWN_POSTED, portLacks, put } from "./port";
import { now } from "./schedule";
import { broken, count, counted, evaluates } from "./stats";
import { NEVER } from "./time";
import { happened } from "./timeline";
import { report } from "./trouble";

/** Releases wait while more doorbells than this are under way: the port has as many places again. */
const DOORBELLS: u32 = 64;
/** Landing of a doorbell that gives slots back. */
export const LAND_RELEASE: u32 = 2;
const BITMAP_BYTES: u32 = BATCH_PAGES / 8;

/** Marks of devices are kept: there are devices, and something sees what they write. */
export let seesDevices: bool = false;
/** When the front-end is done with what it has learnt of devices. */
export let learntAt: u64 = 0;
/** When the ring is to be examined next; NEVER when nobody does it by the clock. */
export let examineAt: u64 = 0;

let kind: u32 = 0;
let recording: bool = false;
let order: u32 = 0;
let full: u32 = 0;
let poll: u64 = 0;
let slots: u32 = 0;
let ring: usize = 0;
let bits: usize = 0; // pages marked, a bit each
let known: usize = 0; // writes of a page that will be known, or whose record keeps its slot: u32 each
let spilt: usize = 0; // the bitmap of a ring that was full; the IOMMU's bits
let cached: usize = 0; // pages that the IOTLB holds as dirty
let flushAt: u64 = 0;
// indices of records: put by the card, landed, examined and given up by the host, and what the card knows of
// that; slots that writes under way will need
let produced: u32 = 0;
let arrived: u32 = 0;
let kept: u32 = 0;
let told: u32 = 0;
let released: u32 = 0;
let promised: u32 = 0;
let begun: u64 = 0; // writes that were to be known
let learnt: u64 = 0; // and that are
/** Device by device: 1 when its flag is up, 2 when the bitmap has bits of it. */
const TOLD_OF = memory.data(32, 16);

if (DEVICES_MAX * 4 != 32) ERROR("device flags");

/** Lays out what is known of devices; false when there is no room. */
export function buildDeviceRing(): bool {
  buildDeviceWrites();
  kind = g32(G_DEVICE_TRACKER);
  seesDevices = devices != 0 && kind != 0;
  recording = false;
  learntAt = 0;
  examineAt = NEVER;
  flushAt = NEVER;
  if (!seesDevices) return true;
  order = g32(G_RECORD_ORDER);
  full = g32(G_RECORD_FULL);
  poll = g(G_RECORD_POLL);
  slots = g32(G_RECORD_SLOTS);
  begun = learnt = 0;
  produced = arrived = kept = told = released = promised = 0;
  memory.fill(TOLD_OF, 0, 32);
  const pages = <u64>g32(G_PAGES);
  const bitmap = ((pages + BATCH_PAGES - 1) / BATCH_PAGES) * BITMAP_BYTES;
  ring = reserve(<u64>slots * 8 + 8);
  bits = reserve(bitmap);
  known = reserve(pages * 4);
  spilt = reserve(bitmap);
  cached = reserve(bitmap);
  return ring != 0 && bits != 0 && known != 0 && spilt != 0 && cached != 0;
}

// --- bits and counts of pages ---

// @ts-ignore: decorator
@inline
function hasBit(map: usize, pfn: u32): bool {
  return (load<u32>(map + (((<usize>pfn) >> 5) << 2)) & ((<u32>1) << (pfn & 31))) != 0;
}

/** Sets a bit; true when it was not set. */
function setBit(map: usize, pfn: u32): bool {
  const at = map + (((<usize>pfn) >> 5) << 2);
  const bit = (<u32>1) << (pfn & 31);
  if ((load<u32>(at) & bit) != 0) return false;
  store<u32>(at, load<u32>(at) | bit);
  return true;
}

function clearBit(map: usize, pfn: u32): void {
  const at = map + (((<usize>pfn) >> 5) << 2);
  store<u32>(at, load<u32>(at) & ~((<u32>1) << (pfn & 31)));
}

function expect(pfn: u32, more: i32): void {
  const at = known + ((<usize>pfn) << 2);
  store<u32>(at, load<u32>(at) + more);
}

function mark(pfn: u32): void {
  if (setBit(bits, pfn)) becomesDirty(pfn);
}

/** Whether a write of the page that has landed is known, or will be. */
export function isDeviceDirty(pfn: u32): bool {
  if (hasBit(bits, pfn) || hasBit(spilt, pfn) || load<u32>(known + ((<usize>pfn) << 2)) != 0) return true;
  for (let i: u32 = 0; i < devices; i++) {
    const d = device(i);
    if (load<u32>(TOLD_OF + (i << 2)) == BY_FLAG && pfn - d.first < d.pages) return true;
  }
  return false;
}

/** Marks of a batch that are not among those at `beside`; `take`: they are put there, and cleared. */
export function deviceMarksOf(batch: u32, beside: usize, take: bool): u32 {
  const at = bits + <usize>batch * BITMAP_BYTES;
  let n: u32 = 0;
  for (let i: u32 = 0; i < BITMAP_BYTES; i += 8) {
    const mine = load<u64>(at + i);
    const theirs = load<u64>(beside + i);
    n += <u32>popcnt(mine & ~theirs);
    if (!take) continue;
    store<u64>(beside + i, mine | theirs);
    store<u64>(at + i, 0);
  }
  return n;
}

// --- the card ---

/** Whether a write that begins must wait for a slot. */
export function slotsTaken(): bool {
  return recording && kind == DEVICES_RING && full == FULL_STALL && isFull();
}

function isFull(): bool {
  return produced + promised - released >= slots;
}

/** A write begins: how it will be known. */
export function begin(w: Write): void {
  if (!recording || kind != DEVICES_RING) return;
  w.how = !isFull() ? BY_RECORD : full == FULL_SPILL ? BY_BITMAP : BY_FLAG;
  if (full == FULL_FAIL && w.how == BY_FLAG) report(0, REASON_RING, now);
  if (w.how == BY_RECORD) promised++;
  else count(0, C_DEVICE_OVERFLOWS, 1);
  awaited(w);
}

function awaited(w: Write): void {
  begun++;
  expect(w.pfn, 1);
}

/** Whether records are put when a write begins. */
export function recordsFirst(): bool {
  return order != 0;
}

/** Whether something is written behind the data of a write. */
export function tellsBehind(w: Write): bool {
  if (w.how == BY_RECORD) return w.recorded == 0 || (order == RECORD_BEFORE && w.recorded == 1);
  return w.how == BY_FLAG || w.how == BY_BITMAP;
}

/** The next record of the ring is that of a write. */
export function produce(w: Write): void {
  promised--;
  w.index = produced++;
  w.recorded = w.put != 0 ? 2 : 1;
  count(0, C_DEVICE_RECORDS, 1);
  const inUse = <u64>(produced - released);
  const high = counted(0, C_DEVICE_RING_HIGH);
  if (inUse > high) count(0, C_DEVICE_RING_HIGH, inUse - high);
}

/** The card hears up to which record slots are free. */
export function hearReleased(index: u32): void {
  released = index;
}

// --- host memory ---

function slotOf(index: u32): usize {
  return ring + ((<usize>(index & (slots - 1))) << 3);
}

/** A record has landed in its slot, which nobody needs any more. */
export function landRecord(w: Write, t: u64): void {
  evaluates(I_SLOT_EXAMINED);
  if (w.index != arrived || w.index - kept >= slots) broken(I_SLOT_EXAMINED, w.index, kept, t);
  arrived = w.index + 1;
  store<u32>(slotOf(w.index), w.pfn);
  store<u32>(slotOf(w.index), w.recorded - 1, 4);
}

/** What tells behind the data has landed: the data is complete. */
export function landTold(w: Write): void {
  if (w.how == BY_RECORD) {
    store<u32>(slotOf(w.index), 1, 4);
    return;
  }
  store<u32>(TOLD_OF + (w.device << 2), w.how);
  if (w.how == BY_BITMAP) setBit(spilt, w.pfn);
  expect(w.pfn, -1);
  learnt++;
}

/** The data of a write has landed. */
export function landData(w: Write, t: u64): void {
  if (!recording) return;
  if (w.how == BY_FLUSH) {
    mark(w.pfn);
    expect(w.pfn, -1);
    learnt++;
  }
  if (kind != DEVICES_IOMMU) return;
  flush(t);
  if (setBit(cached, w.pfn)) setBit(spilt, w.pfn);
}

// --- the front-end ---

/** Devices are tracked from t on; what they have under way will be known too. */
export function startRecording(t: u64): void {
  if (!seesDevices) return;
  recording = true;
  note(L_RECORDING, t);
  if (kind != DEVICES_RING) return;
  if (poll != 0) examineAt = nextLook(t + poll);
  for (let i: u32 = 0; i < 512; i++) {
    const w = write(i);
    if (w.left == 0 || w.how != BY_NOBODY) continue;
    w.how = w.put != 0 ? BY_FLUSH : BY_RECORD;
    if (w.how == BY_RECORD) promised++;
    awaited(w);
  }
}

/** Learns what devices have written, from `from` on, as it stands at t. */
export function learnOfDevices(t: u64, from: u64): void {
  if (!recording) return;
  learntAt = kind == DEVICES_RING ? examine(t, from) : scan(t, from);
}

/** The devices have stopped, and all has been examined: every write is known. */
export function checkLearnt(t: u64): void {
  if (!recording || kind != DEVICES_RING) return;
  evaluates(I_DEVICE_RECORDED);
  if (begun != learnt) broken(I_DEVICE_RECORDED, begun, learnt, t);
}

/** When the clock's next examination is, of one that is due at t. */
function nextLook(t: u64): u64 {
  const from = g(G_POLL_STALL_AT);
  const until = from + g(G_POLL_STALL_FOR);
  return t >= from && t < until ? until : t;
}

/** Examines the records that have landed at t; returns when that has been done. */
function examine(t: u64, from: u64): u64 {
  const first = kept;
  const n = arrived - kept;
  for (let i = kept; i != arrived; i++) mark(load<u32>(slotOf(i)));
  while (kept != arrived && (order != RECORD_BEFORE || load<u32>(slotOf(kept), 4) != 0)) {
    expect(load<u32>(slotOf(kept)), -1);
    learnt++;
    kept++;
  }
  let words: u64 = 0;
  for (let i: u32 = 0; i < devices; i++) words += takeTold(i);
  count(0, C_DEVICE_EXAMINED, n);
  if (isDefined(TIMELINE)) happened(T_DEVICE, 0, V_EXAMINED, t, n, first, kept);
  const end = from + p(0, S_HOST_EXAMINE) + n * p(0, S_HOST_RECORD) + words * p(0, S_HOST_WORD);
  if (kept != told && !portLacks(0, DOWN_POSTED, DOORBELLS + 1)) {
    told = kept;
    put(0, DOWN_POSTED, 0, 4, kept, LAND_RELEASE, end + TICKS_PER_NS);
  }
  if (poll != 0) examineAt = nextLook(end + poll);
  return end;
}

/** Marks what a device's flag or its part of the bitmap tells of; the words that were looked at. */
function takeTold(index: u32): u64 {
  const how = load<u32>(TOLD_OF + (index << 2));
  if (how == BY_NOBODY) return 0;
  const d = device(index);
  for (let pfn = d.first; pfn < d.first + d.pages; pfn++) {
    if (how == BY_BITMAP && !hasBit(spilt, pfn)) continue;
    clearBit(spilt, pfn);
    mark(pfn);
  }
  store<u32>(TOLD_OF + (index << 2), BY_NOBODY);
  return (<u64>d.pages + 63) / 64;
}

/** A migration is broken off: what has landed and nobody has learnt of is marked, so as to count as left. */
export function markUnlearnt(): void {
  if (!recording) return;
  for (let i = kept; i != arrived; i++) mark(load<u32>(slotOf(i)));
  for (let i: u32 = 0; i < devices; i++) takeTold(i);
  const pages = g32(G_PAGES);
  for (let pfn: u32 = 0; pfn < pages; pfn++) if (hasBit(spilt, pfn)) mark(pfn);
}

/** Reads and clears the IOMMU's bits; returns when the IOTLB has been flushed. */
function scan(t: u64, from: u64): u64 {
  flush(t);
  const pages = g32(G_PAGES);
  let n: u64 = 0;
  for (let i: u32 = 0; i < pages; i += 64) {
    const at = spilt + ((<usize>i) >> 3);
    const dirty = load<u64>(at);
    if (dirty == 0) continue;
    n += popcnt(dirty);
    becomeDirty(i, dirty & ~load<u64>(bits + ((<usize>i) >> 3)));
    store<u64>(bits + ((<usize>i) >> 3), load<u64>(bits + ((<usize>i) >> 3)) | dirty);
    store<u64>(at, 0);
  }
  const end = from + pages * p(0, S_HOST_IOMMU_ENTRY) + n * p(0, S_HOST_IOMMU_CLEAR);
  count(0, C_DEVICE_EXAMINED, n);
  if (isDefined(TIMELINE)) happened(T_DEVICE, 0, V_EXAMINED, t, <u32>n, 0, 0);
  if (n == 0) return end;
  flushAt = end + p(0, S_HOST_IOTLB_FLUSH);
  return flushAt;
}

/** The IOTLB holds no page as dirty from the end of a flush on. */
function flush(t: u64): void {
  if (t < flushAt) return;
  flushAt = NEVER;
  memory.fill(cached, 0, ((<usize>g32(G_PAGES) + BATCH_PAGES - 1) / BATCH_PAGES) * BITMAP_BYTES);
}
